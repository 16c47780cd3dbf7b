-- OData as the sandbox speaks it: envelopes, $filter, $orderby, $expand, pages. By curl, so that nothing here depends on the client that
-- the sandbox is there to test.

local support = require "spec.support.curl"
local uipath_sandbox = require "uipath.sandbox"

describe("the tenant's OData", function()
  local sandbox, user
  local shared = "X-UIPATH-OrganizationUnitId: 2001"

  setup(function()
    sandbox = assert(uipath_sandbox.start())
    user = support.user(sandbox)
  end)

  teardown(function() sandbox:stop() end)

  after_each(function() user.control("POST", "reset") end)

  it("answers with OData's envelope", function()
    local reply = user.call("odata/Machines?$top=2&$count=true")
    assert.equal(200, reply.status)
    assert.is_truthy(reply.head:find("api-supported-versions: 20.0", 1, true))
    assert.equal(user.orchestrator .. "odata/$metadata#Machines", reply.json["@odata.context"])
    assert.equal(12, reply.json["@odata.count"])
    assert.equal(2, #reply.json.value)
    assert.is_truthy(reply.body:find('"Tags":[]', 1, true))
    assert.is_truthy(reply.body:find('"Id":3001}', 1, true))
    assert.is_nil(user.call("odata/Machines").json["@odata.count"])
    assert.is_truthy(user.call("odata/Machines?$top=0").body:find('"value":[]', 1, true))
    local entity = user.call("odata/Machines(3007)?$select=Name").json
    assert.same({ Name = "LAPTOP-O'BRIEN",
      ["@odata.context"] = user.orchestrator .. "odata/$metadata#Machines(Name)/$entity" }, entity)
  end)

  -- What $filter finds, by the last two digits of the machines' Ids.
  local machine_filters = {
    ["Name eq 'VM-TOKYO-01'"] = "04",
    ["Name eq 'LAPTOP-O''BRIEN'"] = "07",
    ["Id eq 3002 or Id eq 3001"] = "01 02",
    ["Id gt 3010 and Id lt 3012"] = "11",
    ["Id ge 3011 and not (Id eq 3012)"] = "11",
    ["Id in (3001, 3005,3099)"] = "01 05",
    ["Name in ('kiosk-42','x')"] = "11",
    ["contains(Name,'TOKYO')"] = "04 05",
    ["startswith(tolower(Name),'vm-b')"] = "01 02 03",
    ["endswith(Name,'template')"] = "08 09",
    ["length(Name) gt 14"] = "08",
    ["Description eq null"] = "03 06 09 12",
    ["Description ne null and Id gt 3008"] = "10 11",
    ["contains(Description,'x') or Id eq 3003"] = "03",
    ["not contains(Description,'robots') or Id eq 3003"] = "03",
    ["Type eq 'Template' and UnattendedSlots ge 3"] = "11",
    ["Id eq 3001 or Id eq 3002 and UnattendedSlots eq 99"] = "01",
    ["(Id eq 3001 or Id eq 3002) and UnattendedSlots eq 99"] = "",
    ["UnattendedSlots eq 2.0 and Id lt 3003"] = "02",
    ["true and Id le 3001"] = "01",
  }

  for text, expected in pairs(machine_filters) do
    it("filters by " .. text, function()
      local reply = user.call("odata/Machines?$select=Id&$filter=" .. text)
      assert.equal(200, reply.status, reply.body)
      local ids = {}
      for _, machine in ipairs(reply.json.value) do ids[#ids + 1] = ("%02d"):format(machine.Id - 3000) end
      assert.equal(expected, table.concat(ids, " "))
    end)
  end

  it("filters by dates, GUIDs and related entities", function()
    local jobs = user.call("odata/Jobs?$top=3&$skip=100&$expand=Release", "-H", shared).json.value
    local second = jobs[2]
    for _, text in ipairs {
      "CreationTime gt " .. jobs[1].CreationTime .. " and CreationTime lt " .. jobs[3].CreationTime,
      "CreationTime eq " .. second.CreationTime:gsub("Z$", "+00:00"):gsub("%+", "%%2B"),
      "Key eq " .. second.Key:upper(),
      "Id eq " .. ("%d"):format(second.Id) .. " and Release/Name eq '" .. second.ReleaseName .. "'",
      "year(CreationTime) gt 2000 and date(CreationTime) lt now() and Id eq "
        .. ("%d"):format(second.Id),
    } do
      local reply = user.call("odata/Jobs?$select=Id&$filter=" .. text, "-H", shared)
      assert.equal(200, reply.status, reply.body)
      assert.same({ { Id = second.Id } }, reply.json.value, text)
    end
  end)

  it("refuses query options that OData refuses", function()
    local many = {}
    for index = 1, 60 do many[index] = "Id eq " .. index end
    for _, options in ipairs {
      "$top=1001", "$top=-1", "$top=x", "$skip=-1", "$count=1", "$foo=1", "$filter=",
      "$filter=Id eq", "$filter=Name eq 3", "$filter=Key eq 'x'", "$filter=Nmae eq 'x'",
      "$filter=Name eq Fred", "$filter=Name", "$filter=contains(Name)", "$filter=similar(Name,'x')",
      "$filter=Id eq 1 and", "$filter=" .. ("("):rep(500) .. "true" .. (")"):rep(500),
      "$filter=" .. table.concat(many, " or "), "$select=Nmae", "$expand=Nothing",
      "$orderby=Nmae", "$orderby=Name down", "$orderby=Id,Name,Type,Scope,Key,Description",
      "$top=1&$top=2",
    } do
      local reply = user.call("odata/Machines?" .. options)
      assert.equal(400, reply.status, options)
      assert.equal(1000, reply.json.errorCode)
      assert.equal("string", type(reply.json.traceId))
    end
    assert.equal(200, user.call("odata/Machines?top=-1").status)
  end)

  it("orders, null first, and keeps the order of equals", function()
    local rows = user.call("odata/Machines?$select=Id,Description&$orderby=Description").json.value
    local ids = {}
    for index, row in ipairs(rows) do ids[index] = row.Id - 3000 end
    assert.same({ 3, 6, 9, 12, 1, 2, 4, 5, 7, 8, 10, 11 }, ids)
    rows = user.call("odata/Machines?$top=2&$select=Id&$orderby=Type,Id desc").json.value
    assert.same({ { Id = 3007 }, { Id = 3006 } }, rows)
  end)

  it("expands one level", function()
    local job = user.call("odata/Jobs?$top=1&$select=Id&$expand=Robot($select=Name),Machine", "-H", shared)
      .json.value[1]
    assert.same({ Name = "robot-2" }, job.Robot)
    assert.equal(3002, job.Machine.Id)
    assert.is_nil(job.Release)
  end)

  it("has 25,017 jobs, of which each is read the same every time", function()
    local seen, total = {}, 0
    for skip = 0, 26000, 1000 do
      local page = user.call("odata/Jobs?$select=Id&$skip=" .. skip, "-H", shared).json.value
      for _, job in ipairs(page) do
        assert.is_nil(seen[job.Id])
        seen[job.Id] = true
      end
      total = total + #page
    end
    assert.equal(25017, total)
    local list = user.call("odata/Jobs?$top=1&$skip=25016", "-H", shared).json.value[1]
    local single = user.call("odata/Jobs(1025017)", "-H", shared).json
    single["@odata.context"] = nil
    assert.same(list, single)
    assert.equal(404, user.call("odata/Jobs(1025018)", "-H", shared).status)
  end)

  it("caps the pages of queue items at 100", function()
    local reply = user.call("odata/QueueItems?$count=true", "-H", shared)
    assert.same({ 100, 1250 }, { #reply.json.value, reply.json["@odata.count"] })
    assert.equal(400, user.call("odata/QueueItems?$top=101", "-H", shared).status)
  end)

  it("sends long pages as they are, compressed or not", function()
    local path = "odata/Jobs?$top=200"
    local plain = user.call(path, "-H", shared)
    assert.is_nil(plain.head:find("Content-Encoding", 1, true))
    for _ = 1, 2 do -- worked out, and remembered
      local packed = user.call(path, "-H", shared, "--compressed")
      assert.is_truthy(packed.head:find("Content-Encoding: gzip", 1, true))
      assert.equal("application/json; charset=utf-8", packed.head:match("Content%-Type: ([^\r]*)"))
      assert.equal(plain.body, packed.body)
    end
  end)

  it("ends its pages early and links on when told to", function()
    user.control("POST", "settings", '{"page_size":5}')
    local first = user.call("odata/Machines?$count=true&$select=Id&$filter=Id gt 3001&$top=8").json
    assert.same({ 11, 5 }, { first["@odata.count"], #first.value })
    local link = first["@odata.nextLink"]
    assert.is_truthy(link:find("^Machines%?"))
    local second = user.call("odata/" .. link).json
    assert.same({ 3, 3007 }, { #second.value, second.value[1].Id })
    assert.is_nil(second["@odata.nextLink"])
    user.control("POST", "settings", '{"next_link":"absolute"}')
    link = user.call("odata/Machines").json["@odata.nextLink"]
    assert.equal(user.orchestrator .. "odata/Machines?", link:match("^.*%?"))
  end)
end)

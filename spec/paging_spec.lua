-- Whole collections: client:each, pages, collect and count, for every kind of list that the services have, and for servers that make
-- it hard.

local assert = require "luassert"
local tenant = require "spec.support.tenant"
local uipath = require "uipath"

local SHARED, FINANCE = 2001, 2002 -- folders with 25,017 and 412 jobs
local PARTITION = "9e3779b1-0009-4001-a007-000000000001"

local sandbox, client, faulty

setup(function()
  sandbox = assert(require("uipath.sandbox").start())
  client = uipath.connect(tenant.options(sandbox))
  faulty = uipath.connect(tenant.fault_options(sandbox))
end)
teardown(function() sandbox:stop() end)
before_each(function() tenant.control(sandbox, "POST reset") end)

local function requests()
  return tenant.control(sandbox, "GET counters").data_requests
end

-- The URIs that the sandbox was asked for, from `?` on, decoded.
local function queries()
  local list = {}
  for index, request in ipairs(tenant.control(sandbox, "GET requests")) do
    list[index] = (request.uri:match("%?(.*)$") or ""):gsub("%%(%x%x)", function(code) return string.char(tonumber(code, 16)) end)
  end
  return list
end

local function record()
  tenant.control(sandbox, "POST settings", { record = true })
end

-- Walks and checks that each row's index is right and that no row comes twice.
---@return integer rows
---@return any first the first row's Id
---@return any last
local function walk(through, path, options)
  local number, seen, first, last = 0, {}, nil, nil
  for row, index in through:each(path, options) do
    number = number + 1
    assert.equal(number, index)
    local id = row.Id or row.id or row.fullPath
    assert.is_nil(seen[id], "twice: " .. tostring(id))
    seen[id] = true
    first, last = first or id, id
  end
  return number, first, last
end

-- Walks until it ends or raises.
---@return integer rows before the error
---@return any err
local function walk_until_error(through, path, options)
  local number = 0
  local ok, err = pcall(function()
    for _ in through:each(path, options) do number = number + 1 end
  end)
  return number, not ok and err or nil
end

local function fault(name) return "odata/fault/paging/" .. name end

describe("each", function()
  it("goes through 25,017 rows in order, pages ahead of the one that is read", function()
    local number, first, last = walk(client, "odata/Jobs", { folder = SHARED })
    assert.same({ 25017, 1000001, 1025017 }, { number, first, last })
    local counters = tenant.control(sandbox, "GET counters")
    assert.equal(26, counters.data_requests)
    assert.is_true(counters.max_in_flight <= 4, counters.max_in_flight)
  end)

  it("has pages in flight side by side", function()
    tenant.control(sandbox, "POST settings", { latency = 0.1 })
    assert.equal(10000, (walk(client, "odata/Jobs", { folder = SHARED, limit = 10000, prefetch = 10 })))
    assert.equal(10, tenant.control(sandbox, "GET counters").max_in_flight)
  end)

  it("asks for the first page alone", function()
    assert.equal(12, (walk(client, "odata/Machines")))
    assert.equal(1, requests())
    tenant.control(sandbox, "POST reset")
    assert.equal(412, (walk(client, "odata/Jobs", { folder = FINANCE })))
    assert.equal(1, requests())
  end)

  it("of an empty list runs no turn", function()
    assert.equal(0, (walk(client, "odata/Jobs", { folder = "Archive" })))
    assert.equal(0, (walk(client, "odata/Machines", { filter = { "Name eq ?", "nobody" } })))
    assert.equal(2, requests())
  end)

  it("asks for no more rows than limit", function()
    record()
    assert.equal(7, (walk(client, "odata/Jobs", { folder = SHARED, limit = 7 })))
    assert.equal(2500, (walk(client, "odata/Jobs", { folder = SHARED, top = 2500 })))
    assert.equal(0, (walk(client, "odata/Jobs", { folder = SHARED, limit = 0 })))
    assert.same({ "$top=7&$count=true", "$top=1000&$count=true", "$top=1000&$skip=1000&$count=true", "$top=500&$skip=2000&$count=true" },
      queries())
  end)

  it("gives no more rows than limit where the server heeds no limit", function()
    local groups = "identity_/api/Group/" .. PARTITION
    assert.equal(1, (walk(client, groups, { limit = 1 })))
    assert.equal(150, (walk(faulty, fault "relative", { limit = 150 })))
  end)

  it("begins at skip", function()
    local number, first = walk(client, "odata/Jobs", { folder = SHARED, skip = 25000 })
    assert.same({ 17, 1025001 }, { number, first })
    assert.equal(0, (walk(client, "odata/Jobs", { folder = SHARED, skip = 30000 })))
    assert.equal(2, requests())
  end)

  it("passes on what else is asked for", function()
    record()
    for row in client:each("odata/Jobs", { folder = SHARED, filter = { "State eq ?", "Faulted" }, select = { "Id", "State" },
      orderby = "Id desc", limit = 3 }) do
      assert.equal("Faulted", row.State)
      assert.is_nil(row.Key)
    end
    assert.same({ "$filter=State eq 'Faulted'&$select=Id,State&$orderby=Id desc&$top=3&$count=true" }, queries())
  end)

  it("takes rows for new ones that are alike, as only what many share was selected", function()
    for _, count in ipairs { true, false } do
      local number = 0
      for job in client:each("odata/Jobs", { folder = SHARED, select = "State", limit = 3500, count = count }) do
        assert.is_string(job.State)
        number = number + 1
      end
      assert.equal(3500, number)
    end
  end)

  it("knows a page again by a key only that tells its rows apart", function()
    local envelope = require "uipath.envelope"
    assert.is_nil(envelope.mark { { Id = 0, Message = "one" }, { Id = 0, Message = "two" } })
    local mark = envelope.mark { { Id = 1 }, { Id = 2 } }
    assert.is_true(envelope.holds({ { Id = 1, Name = "changed meanwhile" } }, mark, 1))
    assert.is_false(envelope.holds({ { Id = 3 }, { Id = 1 } }, mark, 1))
  end)

  it("keeps to the page caps", function()
    record()
    assert.equal(320, (walk(client, "odata/QueueItems", { folder = FINANCE, page_size = 1000, prefetch = 1 })))
    assert.equal("$top=100&$count=true", queries()[1])
    assert.equal(4, requests())
    assert.equal(412, (walk(client, "/orchestrator_/odata/Jobs", { folder = FINANCE, page_size = 200, count = false })))
    assert.equal("$top=200", queries()[5])
  end)

  it("cancels what is under way when the loop is left, having asked for a window and a page at most", function()
    for row in faulty:each(fault "stalls/2", { page_size = 100 }) do -- luacheck: ignore 512
      assert.equal(1, row.Id)
      tenant.eventually(function() return tenant.control(sandbox, "GET counters").in_flight == 4 end)
      break
    end
    collectgarbage()
    collectgarbage()
    tenant.eventually(function() return tenant.control(sandbox, "GET counters").in_flight == 0 end)
    assert.equal(5, requests())
    tenant.control(sandbox, "POST reset")
    for _ in client:each("odata/Jobs", { folder = SHARED, limit = 20000 }) do break end -- luacheck: ignore 512
    assert.is_true(requests() <= 5, requests())
  end)

  -- Lua 5.4 and 5.5 have closing values; where there are none, there is no such test.
  if load "local _ <close> = nil" then
    it("cancels it at once, by the loop's closing value", function()
      collectgarbage("stop")
      for _ in faulty:each(fault "stalls/2", { page_size = 100 }) do -- luacheck: ignore 512
        tenant.eventually(function() return tenant.control(sandbox, "GET counters").in_flight == 4 end)
        break
      end
      tenant.eventually(function() return tenant.control(sandbox, "GET counters").in_flight == 0 end)
      pcall(function()
        for _ in faulty:each(fault "stalls/2", { page_size = 100 }) do error "enough" end
      end)
      tenant.eventually(function() return tenant.control(sandbox, "GET counters").in_flight == 0 end)
      collectgarbage("restart")
    end)
  end

  it("can be walked from within a coroutine", function()
    local next_id = coroutine.wrap(function()
      for row in client:each("odata/Machines", { page_size = 5 }) do coroutine.yield(row.Id) end
    end)
    assert.same({ 3001, 3002 }, { next_id(), next_id() })
  end)

  it("tells on_progress how far it is", function()
    local told = {}
    walk(client, "odata/Jobs", { folder = FINANCE, page_size = 200, on_progress = function(done, total)
      told[#told + 1] = done .. "/" .. total
    end })
    assert.same({ "200/412", "400/412", "412/412" }, told)
    local ok, err = pcall(walk, client, "odata/Jobs", { folder = SHARED, limit = 5000, on_progress = function() error("enough", 0) end })
    assert.same({ false, "enough" }, { ok, err })
  end)

  it("works for clients with functions among their options", function()
    local fetched = 0
    local token = assert(client:access_token())
    local other = uipath.connect(tenant.options(sandbox, { client_id = false, client_secret = false, scope = false,
      access_token = function()
        fetched = fetched + 1
        return token
      end }))
    assert.equal(25017, (walk(other, "odata/Jobs", { folder = SHARED })))
    assert.equal(1, fetched)
  end)
end)

describe("pages", function()
  it("gives the rows of each page and its number", function()
    local sizes = {}
    for rows, page in client:pages("odata/Jobs", { folder = FINANCE, page_size = 150 }) do sizes[page] = #rows end
    assert.same({ 150, 150, 112 }, sizes)
  end)
end)

describe("collect", function()
  it("gives all rows as one list", function()
    local rows = assert(client:collect("odata/QueueItems", { folder = SHARED }))
    assert.equal(1250, #rows)
    assert.equal(5001250, rows[1250].Id)
    assert.equal("[]", (uipath.json.encode(assert(client:collect("odata/Jobs", { folder = "Archive" })))))
  end)

  it("gives nil and the error", function()
    local rows, err = faulty:collect(fault "dies/2", { page_size = 100 })
    assert.is_nil(rows)
    assert.equal("server", err.kind)
    assert.equal(100, err.delivered)
    assert.matches("^spec/paging_spec.lua:%d+: GET ", tostring(err))
  end)
end)

describe("the lists of", function()
  it("Test Manager, in both forms", function()
    local projects = assert(client:collect "testmanager_/api/v2/projects")
    assert.equal(3, #projects)
    local base = "testmanager_/api/v2/" .. projects[1].id
    assert.equal(250, (walk(client, base .. "/testcases")))
    assert.equal(230, (walk(client, base .. "/requirements", { page_size = 1000 })))
    assert.equal(2, (walk(client, base .. "/permissions/project/roles")))
    record()
    assert.equal(230, client:count(base .. "/requirements"))
    assert.same({ "top=1" }, queries())
  end)

  it("Identity", function()
    assert.equal(1042, (walk(client, "identity_/api/User/users/" .. PARTITION)))
    assert.equal(37, (walk(client, "identity_/api/RobotAccount/" .. PARTITION, { page_size = 30 })))
    assert.equal(2, (walk(client, "identity_/api/Group/" .. PARTITION)))
    assert.equal(1042, client:count("identity_/api/User/users/" .. PARTITION))
  end)

  it("Orchestrator beside OData", function()
    record()
    assert.equal(6, (walk(client, "api/Folders/GetAllForCurrentUser", { page_size = 4 })))
    assert.same({ "take=4", "skip=4&take=4" }, { queries()[1], (queries()[2]:gsub("^(take=4)&(skip=4)$", "%2&%1")) })
    assert.equal(6, client:count "api/Folders/GetAllForCurrentUser")
    assert.equal(1234, (walk(client, "api/Buckets/9001/ListFiles", { folder = SHARED, page_size = 500 })))
    assert.equal(617, (walk(client, "api/Buckets/9001/ListFiles", { folder = SHARED, query = { prefix = "in/" } })))
    assert.equal(1234, client:count("api/Buckets/9001/ListFiles", { folder = SHARED }))
  end)

  it("a server that ends its pages early and links on, whole or relative", function()
    for _, form in ipairs { "relative", "absolute" } do
      tenant.control(sandbox, "POST settings", { page_size = 150, next_link = form })
      assert.equal(412, (walk(client, "odata/Jobs", { folder = FINANCE })))
      assert.equal(412, (walk(client, "odata/Jobs", { folder = FINANCE, page_size = 200 })))
      assert.equal(320, (walk(client, "odata/Jobs", { folder = FINANCE, limit = 320 })))
      assert.equal(12, (walk(client, "odata/Machines")))
    end
  end)
end)

describe("count", function()
  it("asks for no rows", function()
    record()
    assert.equal(25017, client:count("odata/Jobs", { folder = SHARED, select = "Id", orderby = "Id" }))
    assert.equal(12, client:count "odata/Machines")
    assert.same({ "$top=0&$count=true", "$top=0&$count=true" }, queries())
  end)

  it("counts what each would go through", function()
    assert.equal(2084, client:count("odata/Jobs", { folder = SHARED, filter = { "State eq ?", "Faulted" } }))
    assert.equal(17, client:count("odata/Jobs", { folder = SHARED, skip = 25000 }))
    assert.equal(5, client:count("odata/Jobs", { folder = SHARED, limit = 5 }))
    assert.equal(412, client:count("odata/Jobs", { folder = FINANCE, count = false }))
    assert.equal("integer", (math.type or function() return "integer" end)(client:count "odata/Machines")) -- luacheck: ignore 143
  end)

  it("gives nil and the error", function()
    local count, err = client:count "odata/Jobs"
    assert.is_nil(count)
    assert.equal(1101, err.code)
  end)
end)

describe("by", function()
  it("walks by key", function()
    record()
    assert.equal(412, (walk(client, "odata/Jobs", { folder = FINANCE, by = "Id", page_size = 200, filter = { "Id gt ?", 0 } })))
    local seen = queries()
    assert.equal("$filter=Id gt 0&$orderby=Id&$top=200&$count=true", seen[1])
    assert.matches("^%$filter=%(Id gt 0%) and Id gt %d+&%$orderby=Id&%$top=200&%$count=true$", seen[2])
    assert.equal(3, #seen)
    tenant.control(sandbox, "POST reset")
    assert.equal(250, (walk(client, "odata/Jobs", { folder = FINANCE, by = "Id", page_size = 200, limit = 250, count = false })))
  end)

  it("can be a key of text", function()
    local names = {}
    for machine in client:each("odata/Machines", { by = "Name", page_size = 5 }) do names[#names + 1] = machine.Name end
    assert.equal(12, #names)
    assert.equal("LAPTOP-O'BRIEN", names[1])
    local last = ""
    for machine in client:each("odata/Machines", { by = "Key", page_size = 5 }) do
      assert.is_true(machine.Key > last)
      last = machine.Key
    end
  end)

  it("ends where the server counts nothing", function()
    assert.equal(12, (walk(client, "odata/Machines", { by = "Id", page_size = 4, count = false })))
    assert.equal(4, requests())
  end)

  it("loses no row of a set that shrinks at the front", function()
    local number = 0
    for machine in client:each("odata/Machines", { by = "Id", page_size = 4, filter = "Id lt 3100" }) do
      number = number + 1
      if number == 4 then
        -- Rows in front of the next page go away: by offset four others would be skipped.
        assert(client:patch("odata/Machines(3001)", { Description = "seen" }))
      end
      assert.is_true(machine.Id <= 3012)
    end
    assert.equal(12, number)
  end)

  it("tells of a server that heeds neither filter nor order", function()
    local number, err = walk_until_error(faulty, fault "plain", { by = "Id", page_size = 100 })
    assert.equal(100, number)
    assert.equal("decode", err.kind)
    assert.matches("not in the order of Id", err.message)
    -- A key that filters write without quotes is compared as well.
    number, err = walk_until_error(faulty, fault "plain", { by = "Key", page_size = 100, limit = 1000 })
    assert.equal(100, number)
    assert.matches("not in the order of Key", err.message)
    number, err = walk_until_error(faulty, fault("growing/" .. tenant.new_key()), { by = "Id", page_size = 100 })
    assert.same({ 100, "decode" }, { number, err.kind })
  end)
end)

describe("a server that", function()
  -- fault, rows, requests at most
  for name, expected in pairs {
    plain = { 1000, 10 }, relative = { 1000, 10 }, absolute = { 1000, 10 }, empty_page = { 1000, 11 }, ["capped/30"] = { 1000, 34 },
    ["capped/100"] = { 1000, 10 }, ["uncounted/30"] = { 1000, 38 }, ["uncounted/100"] = { 1000, 14 }, ["uncounted/1000"] = { 1000, 14 },
    overcounted = { 1000, 11 }, undercounted = { 1000, 11 }, ["counts/450"] = { 1000, 11 }, ["counts/2000"] = { 1000, 20 },
    ["counts/5/30"] = { 1000, 36 }, ["counts/0/30"] = { 1000, 36 }, ["counts/-1/30"] = { 1000, 38 },
  } do
    it("is " .. name .. " loses nothing", function()
      assert.equal(expected[1], (walk(faulty, fault(name), { page_size = 100 })))
      assert.is_true(requests() <= expected[2], requests())
    end)
  end

  it("links on ends where it links no further, without a count", function()
    assert.equal(500, (walk(faulty, fault "relative", { skip = 500, count = false })))
    assert.equal(5, requests())
  end)

  it("allows less than asked for is asked for that", function()
    record()
    assert.equal(1000, (walk(faulty, fault "capped/30")))
    assert.equal("$top=30&$skip=30", queries()[2])
    assert.equal(1000, (walk(faulty, fault "uncounted/100", { limit = 5000, prefetch = 2 })))
  end)

  it("sends half a page is asked for the other half", function()
    for _, name in ipairs { "short/4", "short/10" } do
      local number, first, last = walk(faulty, fault(name), { page_size = 100 })
      assert.same({ 1000, 1, 1000 }, { number, first, last })
    end
    local ids = {}
    for row in faulty:each(fault "short/2", { page_size = 100, limit = 250, count = false }) do ids[#ids + 1] = row.Id end
    assert.same({ 250, 101, 151, 250 }, { #ids, ids[101], ids[151], ids[250] })
  end)

  it("adds rows while they are walked is walked to the end", function()
    local number, err = walk_until_error(faulty, fault("growing/" .. tenant.new_key()), { page_size = 100 })
    assert.is_nil(err)
    assert.is_true(number >= 1000)
  end)

  it("drops rows while they are walked is walked to the end", function()
    local number, err = walk_until_error(faulty, fault("shrinking/" .. tenant.new_key()), { page_size = 100 })
    assert.is_nil(err)
    assert.is_true(number >= 980 and number < 1000, number)
    local _, _, last = walk(faulty, fault("shrinking/" .. tenant.new_key()), { page_size = 100 })
    assert.equal(1000, last)
  end)

  for name, rows in pairs { repeated = 200, itself = 100 } do
    it("links back (" .. name .. ") ends the walk with an error, when what is new has been read", function()
      local number, err = walk_until_error(faulty, fault(name), { page_size = 100 })
      assert.same({ rows, "decode", rows }, { number, err.kind, err.delivered })
      assert.matches("nextLink leads", err.message)
      local list
      list, err = faulty:collect(fault(name), { page_size = 100 })
      assert.is_nil(list)
      assert.equal("decode", err.kind)
      -- Who wants no more than there is need not know.
      assert.equal(100, #assert(faulty:collect(fault(name), { page_size = 100, limit = 100 })))
    end)
  end

  it("links to another host is not followed", function()
    local number, err = walk_until_error(faulty, fault "other_host")
    assert.equal(100, number)
    assert.equal("usage", err.kind)
  end)

  it("links to what is no URL, or has no key, ends when what came has been read", function()
    local number, err = walk_until_error(faulty, fault "no_url")
    assert.same({ 100, "decode", 100, "the nextLink is no URL" }, { number, err.kind, err.delivered, err.message })
    number, err = walk_until_error(faulty, fault "plain", { page_size = 100, by = "Missing" })
    assert.same({ 100, "decode", 100, "by: a row has no Missing" }, { number, err.kind, err.delivered, err.message })
  end)

  it("dies on page 7 has its first six read", function()
    local number, err = walk_until_error(faulty, fault "dies/7", { page_size = 100 })
    assert.equal(600, number)
    assert.same({ "server", 500, 600 }, { err.kind, err.status, err.delivered })
    assert.matches("^spec/paging_spec.lua:%d+: GET …/odata/fault/paging/dies/7: 500", tostring(err))
  end)

  it("knows no offset is found out, whether it counts or not", function()
    -- These paths are none of OData's, so that the server does not see the offset it knows, $skip.
    local number, err = walk_until_error(faulty, "fault/paging/capped/100", { page_size = 100 })
    assert.equal(100, number)
    assert.equal("decode", err.kind)
    assert.matches("same page for every offset", err.message)
    assert.equal(30, (walk(faulty, "fault/paging/uncounted/30", { page_size = 100 })))
    number, err = walk_until_error(faulty, "fault/paging/growing/" .. tenant.new_key(), { page_size = 100 })
    assert.equal(100, number)
    assert.equal("decode", err.kind)
  end)

  it("sends no list is told apart", function()
    for path, words in pairs {
      ["fault/integers"] = "an object with", ["fault/scalar/17"] = "a number", ["fault/no_content"] = "a boolean",
    } do
      local number, err = walk_until_error(faulty, path)
      assert.equal(0, number)
      assert.equal("decode", err.kind)
      assert.is_truthy(err.message:find(words, 1, true), err.message)
    end
  end)
end)

describe("a walk raises at once for", function()
  for _, row in ipairs {
    { "a misspelt option", { pagesize = 5 }, "did you mean 'page_size'" },
    { "limit and top together", { limit = 1, top = 1 }, "limit and top" },
    { "a page of nothing", { page_size = 0 }, "page_size must be a whole number from 1" },
    { "half a row", { limit = 1.5 }, "limit must be a whole number" },
    { "no page ahead", { prefetch = 0 }, "prefetch must be a whole number from 1" },
    { "progress to nobody", { on_progress = true }, "on_progress must be a function" },
    { "by and orderby", { by = "Id", orderby = "Id" }, "by and orderby" },
    { "by and skip", { by = "Id", skip = 1 }, "by and skip" },
    { "by what is no property", { by = "Id desc" }, "by must be the name of a property" },
    { "by what is not selected", { by = "Id", select = "Name" }, "select must contain 'Id'" },
    { "by with a filter that is none", { by = "Id", filter = { "Id eq ?" } }, "filter" },
    { "a count that is no boolean", { count = "yes" }, "count must be true or false" },
    { "a body", { body = "x" }, "unknown option 'body'" },
    { "paging in $ options", { ["$top"] = 5 }, "'top' is the walk's own" },
    { "paging in the query", { query = { ["$skip"] = 5 } }, "'skip' is the walk's own" },
  } do
    it(row[1], function()
      for _, method in ipairs { "each", "pages", "collect", "count" } do
        local ok, message = pcall(function() client[method](client, "odata/Machines", row[2]) end)
        assert.is_false(ok)
        assert.matches("^spec/paging_spec.lua:%d+: ", message)
        assert.is_truthy(message:find(row[3], 1, true), message)
      end
    end)
  end

  it("paging in the path", function()
    local ok, message = pcall(client.each, client, "odata/Machines?$top=5")
    assert.is_false(ok)
    assert.is_truthy(message:find("'top' is the walk's own", 1, true), message)
    -- Where the walk writes into the query itself, the first page would have begun there, and the second where it said.
    ok, message = pcall(client.each, client, "api/Folders/GetAllForCurrentUser", { query = { skip = 5 } })
    assert.is_false(ok)
    assert.is_truthy(message:find("'skip' is the walk's own", 1, true), message)
  end)

  it("by and skip where there is no such thing", function()
    assert.is_false((pcall(client.each, client, "identity_/api/User/users/x", { by = "id" })))
    assert.is_false((pcall(client.each, client, "api/Buckets/1/ListFiles", { skip = 1 })))
  end)

  it("mistakes in the options of its calls, with the user's position", function()
    local ok, message = pcall(function()
      local next_row = client:each("odata/Machines", { filter = { "Id eq ?" } })
      next_row()
    end)
    assert.is_false(ok)
    assert.matches("^spec/paging_spec.lua:%d+: filter", message)
  end)
end)

describe("memory", function()
  it("of a page is free once the next is read, whatever its call is waiting for", function()
    local next_page = client:pages("odata/Jobs", { folder = SHARED, limit = 5000 })
    for page = 1, 4 do
      assert.equal(1000, #next_page())
      collectgarbage()
      local before = collectgarbage "count"
      -- What a finalizer may want to see lives one cycle longer.
      collectgarbage()
      local held = before - collectgarbage "count"
      assert.is_true(held < 500, "page " .. page .. ": " .. held .. " KB")
    end
  end)

  it("is bounded by the window and not by the list", function()
    local output, status = tenant.run(tenant.options(sandbox), [[
      local rows = 0
      for _ in client:each("odata/Jobs", { folder = 2001 }) do rows = rows + 1 end
      print(rows, io.open("/proc/self/status"):read("*a"):match("VmHWM:%s*(%d+)"))
    ]])
    assert.equal(0, status, output)
    local rows, peak = output:match("(%d+)\t(%d+)")
    assert.equal("25017", rows)
    -- Instrumented builds have other figures.
    if os.getenv "SUITE" == nil or os.getenv "SUITE" == "plain" then assert.is_true(tonumber(peak) < 40000, peak) end
  end)
end)

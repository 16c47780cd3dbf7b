-- The catalogue of the published endpoints: complete, as recorded, found by any way to write a path, and what scopes come to.

local assert = require "luassert"
local data = require "uipath.catalogue.data"
local generator = require "spec.support.catalogue"
local scopes = require "uipath.catalogue.scopes"
local uipath = require "uipath"

-- Where the published definitions are: `make test DEFINITIONS=dir`.
local definitions = os.getenv "DEFINITIONS"

-- A token that says nothing but its scopes, as a JWT does.
local function token_with(held)
  local claims = uipath.json.encode { scope = held and uipath.array(held) or nil, exp = 4102444800 }
  local alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
  local encoded = claims:gsub("..?.?", function(bytes)
    local a, b, c = bytes:byte(1, 3)
    local bits = a * 65536 + (b or 0) * 256 + (c or 0)
    local text = ""
    for i = 0, #bytes do
      local index = math.floor(bits / 64 ^ (3 - i)) % 64 + 1
      text = text .. alphabet:sub(index, index)
    end
    return text
  end)
  return "eyJhbGciOiJub25lIn0." .. encoded .. ".x"
end

local function client_with(held)
  return uipath.connect { organization = "acme", tenant = "DefaultTenant", access_token = token_with(held) }
end

describe("the catalogue", function()
  it("holds every published operation", function()
    local counts, with_scopes, orchestrator = {}, 0, 0
    for _, row in ipairs(uipath.endpoints()) do
      counts[row.service] = (counts[row.service] or 0) + 1
      if row.service == "orchestrator_" and row.operation then orchestrator = orchestrator + 1 end
      if row.scopes and row.operation then with_scopes = with_scopes + 1 end
    end
    assert.equal(418, orchestrator)
    assert.equal(31, counts.du_)
    assert.equal(452, with_scopes)
    local identity = 0
    for _, row in ipairs(uipath.endpoints "identity_") do
      if row.operation and row.path ~= "identity_/connect/token" then identity = identity + 1 end
    end
    assert.equal(33, identity)
    assert.equal(286, counts.testmanager_)
    for service, count in pairs(data.counts) do
      if service ~= "with_scopes" then assert.equal(count, counts[service], service) end
    end
  end)

  it("is as it was generated", function()
    assert.equal(data.digest, generator.digest(data.text))
  end)

  it("comes from the definitions, where they are given", function()
    if not definitions or definitions == "" then return end
    local rows, text = generator.generate(definitions)
    assert.equal(data.digest, generator.digest(text))
    local by_operation, compared = {}, 0
    for _, row in ipairs(rows) do by_operation[row.service .. row.method .. row.path] = row end
    -- The same facts, derived another way.
    for line in io.lines(definitions .. "/endpoint-scopes.tsv") do
      local service, method, path, operation, needed = line:match "^(%w+_[^\t]*)\t(%u+)\t([^\t]+)\t([^\t]*)\t([^\t]*)"
      if service then
        local prefix = service:match "/.*" or ""
        local row = by_operation[service:match "^[^/]+" .. method .. (path:find("^" .. prefix) and path or prefix .. path)]
        assert.is_truthy(row, line)
        assert.equal(operation, row.operation)
        assert.equal(needed == "no-oauth" and "-" or needed, row.scopes)
        compared = compared + 1
      end
    end
    assert.equal(482, compared)
  end)

  it("has expressions that can all be read", function()
    for _, row in ipairs(uipath.endpoints()) do
      if row.scopes then assert.is_true(#scopes.parse(row.scopes) > 0) end
    end
  end)

  it("is not loaded by a call", function()
    local program = [[local client = require("uipath").connect{ organization = "a", access_token = "b", base_url = "http://127.0.0.1:1",
      max_attempts = 1 } client:get "odata/Machines" print(package.loaded["uipath.catalogue"])]]
    local pipe = assert(io.popen((os.getenv "LUA" or "lua5.4") .. " -e '" .. program .. "'"))
    assert.equal("nil\n", pipe:read "*a")
    pipe:close()
  end)
end)

describe("uipath.endpoints", function()
  it("finds by a part of the path, in any case", function()
    local rows = uipath.endpoints "odata/machines("
    assert.is_true(#rows >= 4)
    for _, row in ipairs(rows) do assert.matches("^odata/Machines%(", row.path) end
  end)

  it("finds by a Lua pattern for method and path", function()
    local rows = uipath.endpoints "^POST odata/Machines$"
    assert.equal(1, #rows)
    assert.same({ "POST", "odata/Machines", "OR.Machines or OR.Machines.Write", "Machines.Create", "json", false, true }, {
      rows[1].method, rows[1].path, rows[1].scopes, rows[1].permissions, rows[1].body, rows[1].folder, rows[1].oauth })
  end)

  it("takes a pattern that is none as text", function() assert.same({}, uipath.endpoints "%") end)
  it("raises on anything else", function() assert.has_error(function() uipath.endpoints(5) end) end)
end)

describe("client:describe", function()
  local client = client_with {}

  local rows = {
    { "odata/Machines", "odata/Machines", "GET POST" },
    { "/odata/machines?$top=1", "odata/Machines", "GET POST" },
    { "odata/Machines/$count", "odata/Machines", "GET POST" },
    { "odata/Jobs(5)", "odata/Jobs({key})", "GET" },
    { "odata/Jobs({key})", "odata/Jobs({key})", "GET" },
    { "https://cloud.uipath.com/acme/DefaultTenant/orchestrator_/odata/Jobs(5)", "odata/Jobs({key})", "GET" },
    { "acme/DefaultTenant/orchestrator_/odata/Jobs(5)", "odata/Jobs({key})", "GET" },
    { "https://host.example/odata/Jobs(5)", "odata/Jobs({key})", "GET" },
    { "/acme/DefaultTenant/odata/Jobs(5)", "odata/Jobs({key})", "GET" },
    { "https://cloud.uipath.com/acme/DefaultTenant/odata/Jobs(5)", "odata/Jobs({key})", "GET" },
    { "odata/Assets/UiPath.Server.Configuration.OData.GetRobotAsset(robotId='1',assetName='a/b')",
      "odata/Assets/UiPath.Server.Configuration.OData.GetRobotAsset(robotId='{robotId}',assetName='{assetName}')", "GET" },
    { "identity_/api/Group/a0b1/c2d3", "identity_/api/Group/{partitionGlobalId}/{groupId}", "GET DELETE" },
    { "https://host.example/identity/api/Group/a0b1/c2d3", "identity_/api/Group/{partitionGlobalId}/{groupId}", "GET DELETE" },
    { "testmanager_/api/v2/projects", "testmanager_/api/v2/projects", "GET POST" },
    { "testmanager_/api/v2/a0b1/testcases", "testmanager_/api/v2/{projectId}/testcases", "GET POST" },
    { "du_/api/framework/projects", "du_/api/framework/projects", "GET" },
    { "portal_/api/auditLog/x", "portal_/api/auditLog/{partitionGlobalId}", "GET" },
  }
  for _, row in ipairs(rows) do
    it("knows " .. row[1], function()
      local found = assert(client:describe(row[1]))
      local methods = {}
      for i, each in ipairs(found) do
        assert.equal(row[2], each.path)
        methods[i] = each.method
      end
      assert.equal(row[3], table.concat(methods, " "))
    end)
  end

  it("knows the parameters", function()
    local get = assert(client:describe "odata/QueueItems")[1]
    assert.is_true(get.folder)
    assert.same({ name = "$top", location = "query", type = "int32", required = false }, get.parameters[7])
    local project = assert(client:describe "du_/api/framework/projects")[1]
    assert.same({ name = "api-version", location = "query", type = "string", required = true, values = { "1.0" } }, project.parameters[1])
    local job = assert(client:describe "odata/Jobs(1)")[1]
    assert.same({ name = "key", location = "path", type = "int64", required = true }, job.parameters[1])
  end)

  it("says when it knows nothing", function()
    local found, err = client:describe "odata/Nothing"
    assert.is_nil(found)
    assert.is_true(uipath.is_error(err))
    assert.equal("usage", err.kind)
    assert.matches("^spec/catalogue_spec.lua:%d+: ", tostring(err))
  end)

  it("raises on what is no path", function()
    assert.has_error(function() client:describe(5) end)
    assert.has_error(function() client:describe "/" end)
  end)

  it("knows every path of the sandbox", function()
    for _, path in ipairs {
      "identity_/connect/token", "odata/Machines", "odata/Machines(1)", "odata/Folders", "odata/Folders(1)", "odata/Jobs", "odata/Jobs(1)",
      "odata/QueueItems", "odata/QueueItems(1)", "api/status/version", "api/Folders/GetAllForCurrentUser", "api/Buckets/1/ListFiles",
      "api/FoldersNavigation/GetAllFoldersForCurrentUser", "testmanager_/api/v2/projects", "testmanager_/api/v2/a0/testcases",
      "testmanager_/api/v2/a0/requirements", "testmanager_/api/v2/a0/permissions/project/roles", "identity_/api/User/users/a0",
      "identity_/api/RobotAccount/a0", "identity_/api/Group/a0",
    } do assert(client:describe(path)) end
  end)
end)

describe("expressions of scopes", function()
  local rows = {
    { "A", "A", true }, { "A", "B", false }, { "A", "A.Read", false },
    { "A or A.Read", "A", true }, { "A or A.Read", "A.Read", true }, { "A or A.Read", "A.Write", false, "A or A.Read" },
    { "A and B", "A", false, "B" }, { "A and B", "B A", true },
    { "A and B or C", "C", true }, { "A and B or C", "A", false, "B or C" },
    { "A and (B or C)", "C", false, "A" }, { "A and (B or C)", "A C", true },
    { "(A and B) or (C and D)", "A D", false, "B or C" }, { "(A and B) or (C and D)", "C D", true },
    { "((A or A.Write) and (B or B.Write)) and (C or C.Write)", "A.Write B C.Write", true },
    { "((A or A.Write) and (B or B.Write)) and (C or C.Write)", "A.Write", false, "(B or B.Write) and (C or C.Write)" },
  }
  for _, row in ipairs(rows) do
    it(("%s with %s: %s"):format(row[1], row[2], tostring(row[3])), function()
      local held = {}
      for word in row[2]:gmatch "%S+" do held[#held + 1] = word end
      local missing = scopes.missing(scopes.parse(row[1]), held)
      assert.equal(row[3], #missing == 0)
      if row[4] then assert.equal(row[4], scopes.text(missing)) end
    end)
  end

  it("are refused when they are none", function()
    for _, text in ipairs { "", "A or", "(A", "A B", "and A", ")" } do
      assert.is_false((pcall(scopes.parse, text)), text)
    end
  end)
end)

describe("client:can", function()
  it("says yes", function()
    assert.is_true(client_with({ "OR.Machines.Read" }):can("GET", "odata/Machines"))
    assert.is_true(client_with({ "OR.Machines" }):can("post", "odata/Machines"))
    assert.is_true(client_with({ "JamJamApi.Write", "RCS.FolderAuthorization", "OR.Tasks" }):can("POST", "tasks/AppTasks/CreateAppTask"))
  end)

  it("says no, and which scopes are missing", function()
    assert.same({ false, "OR.Machines or OR.Machines.Read" }, { client_with({ "OR.Jobs" }):can("GET", "odata/Machines") })
    assert.same({ false, "(RCS.FolderAuthorization or RCS.FolderAuthorization.Write) and (OR.Tasks or OR.Tasks.Write)" },
      { client_with({ "JamJamApi" }):can("POST", "tasks/AppTasks/CreateAppTask") })
    assert.is_false((client_with({ "OR.Default" }):can("GET", "api/FoldersNavigation/GetAllFoldersForCurrentUser")))
  end)

  local unknown = {
    { "an endpoint that is not in the catalogue", { "OR.Jobs" }, "odata/Nothing", "not in the catalogue" },
    { "a token without readable scopes", {}, "odata/Machines", "does not say which scopes" },
    { "OR.Default", { "OR.Default" }, "odata/Machines", "OR.Default" },
    { "an endpoint without published scopes", { "OR.Jobs" }, "odata/Exports(1)", "not published" },
    { "a bucket's newer scope", { "OR.Buckets.Read" }, "odata/Buckets", "OR.Buckets" },
  }
  for _, row in ipairs(unknown) do
    it("does not guess: " .. row[1], function()
      local can, err = client_with(row[2]):can("GET", row[3])
      assert.is_nil(can)
      assert.is_true(uipath.is_error(err))
      assert.is_truthy(err.message:find(row[4], 1, true), err.message)
    end)
  end

  it("says which methods there are instead", function()
    local _, err = client_with({}):can("DELETE", "odata/Machines")
    assert.equal("it has GET, POST", err.hint)
  end)

  it("says why there is no token", function()
    local failing = uipath.connect { organization = "a", access_token = function() return nil, "no vault" end }
    local can, err = failing:can("GET", "odata/Machines")
    assert.is_nil(can)
    assert.equal("auth", err.kind)
  end)

  it("raises on what is no method or path", function()
    assert.has_error(function() client_with({}):can("GE T", "odata/Machines") end)
    assert.has_error(function() client_with({}):can "GET" end)
  end)
end)

describe("uipath.scopes_for", function()
  local start = "odata/Jobs/UiPath.Server.Configuration.OData.StartJobs"
  local rows = {
    { "no calls", {}, "" },
    { "reading", { { "GET", "odata/Jobs" }, { "GET", "odata/Machines(1)" } }, "OR.Jobs.Read OR.Machines.Read" },
    { "the same twice", { { "GET", "odata/Jobs" }, { "get", "odata/Jobs(1)" } }, "OR.Jobs.Read" },
    { "writing", { { "POST", start } }, "OR.Jobs.Write" },
    { "both", { { "GET", "odata/Jobs" }, { "POST", start } }, "OR.Jobs" },
    { "several at once", { { "POST", "tasks/AppTasks/CreateAppTask" } }, "JamJamApi.Write OR.Tasks.Write RCS.FolderAuthorization.Write" },
    { "any of several", { { "GET", "du_/api/framework/projects" } }, "Du.Classification.Api" },
    { "one that is needed anyway",
      { { "GET", "du_/api/framework/projects" }, { "POST", "du_/api/framework/projects/{projectId}/digitization/start" } },
      "Du.Digitization.Api" },
    { "Identity", { { "GET", "identity_/api/RobotAccount/x" }, { "PUT", "identity_/api/Group/x" } },
      "PM.Group.Write PM.RobotAccount.Read" },
  }
  for _, row in ipairs(rows) do
    it("gives the least for " .. row[1], function()
      assert.equal(row[3], table.concat(assert(uipath.scopes_for(row[2])), " "))
    end)
  end

  it("satisfies every endpoint it was asked for", function()
    local all, list = uipath.endpoints(), {}
    for _, row in ipairs(all) do
      if row.scopes then list[#list + 1] = { row.method, row.path } end
    end
    local least = assert(uipath.scopes_for(list))
    local held = {}
    for _, scope in ipairs(least) do held[scope] = true end
    for _, row in ipairs(all) do
      if row.scopes then assert.same({}, scopes.missing(scopes.parse(row.scopes), least)) end
    end
    -- and none is there for nothing
    for scope in pairs(held) do
      local fewer = {}
      for other in pairs(held) do if other ~= scope then fewer[#fewer + 1] = other end end
      local needed = false
      for _, row in ipairs(all) do
        needed = needed or row.scopes ~= nil and #scopes.missing(scopes.parse(row.scopes), fewer) > 0
      end
      assert.is_true(needed, scope)
    end
  end)

  it("names the rows that may need more than is published", function()
    local least, unpublished = uipath.scopes_for { { "GET", "odata/Jobs" }, { "GET", "odata/Exports(1)" } }
    assert.same({ "OR.Jobs.Read" }, least)
    assert.equal("odata/Exports({key})", unpublished[1].path)
  end)

  it("fails for what it does not know, and for what lets no application in", function()
    local least, err = uipath.scopes_for { { "GET", "odata/Nothing" } }
    assert.is_nil(least)
    assert.equal("usage", err.kind)
    local _, closed = uipath.scopes_for { { "GET", "api/FoldersNavigation/GetAllFoldersForCurrentUser" } }
    assert.matches("not open to external applications", closed.message)
  end)

  it("raises on what is no list of methods and paths", function()
    for _, wrong in ipairs { 5, { "GET odata/Jobs" }, { { "GET" } }, { { 5, "odata/Jobs" } } } do
      assert.has_error(function() uipath.scopes_for(wrong) end)
    end
  end)
end)

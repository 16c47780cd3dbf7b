-- What the sandbox's services answer but for OData: tokens, folders, machines, the other services, and its control port. By curl,
-- so that nothing here depends on the client that the sandbox is there to test.

local cjson = require "cjson"
local support = require "spec.support.curl"
local tenant = require "spec.support.tenant"
local uipath_sandbox = require "uipath.sandbox"

local curl, quote, shell = support.curl, tenant.quoted, tenant.shell

describe("the tenant", function()
  local sandbox, user
  local shared = "X-UIPATH-OrganizationUnitId: 2001"

  setup(function()
    sandbox = assert(uipath_sandbox.start())
    user = support.user(sandbox)
  end)

  teardown(function() sandbox:stop() end)

  after_each(function() user.control("POST", "reset") end)

  it("gives out tokens in the form of JWTs, at both addresses of Identity", function()
    for _, place in ipairs { "/acme/identity_/connect/token", "/identity_/connect/token" } do
      local reply = curl(sandbox.base_url .. place, "-d", "grant_type=client_credentials",
        "-d", "client_id=" .. sandbox.options.client_id,
        "-d", "client_secret=" .. sandbox.options.client_secret, "-d", "scope=OR.Jobs OR.Machines.Read")
      local fields = cjson.decode(reply.body)
      assert.equal(3600, fields.expires_in)
      assert.equal("Bearer", fields.token_type)
      assert.equal("OR.Jobs OR.Machines.Read", fields.scope)
      local payload = fields.access_token:match("^[%w_-]+%.([%w_-]+)%.[%w_-]+$")
      local padded = payload:gsub("-", "+"):gsub("_", "/") .. ("="):rep(-#payload % 4)
      local claims = cjson.decode(shell("printf %s " .. padded .. " | base64 -d"))
      assert.same({ "OR.Jobs", "OR.Machines.Read" }, claims.scope)
      assert.equal(sandbox.options.client_id, claims.client_id)
      assert.equal(36, #claims.prt_id)
      assert.is_true(math.abs(claims.exp - os.time() - 3600) < 10)
    end
  end)

  it("refuses tokens as the service does", function()
    for _, case in ipairs {
      { { client_secret = "wrong" }, "invalid_client" },
      { { client_id = "wrong" }, "invalid_client" },
      { { grant_type = "password" }, "unsupported_grant_type" },
      { { scope = "OR.Jobs OR.Nothing" }, "invalid_scope" },
      { { scope = "offline_access" }, "invalid_scope" },
    } do
      local reply = user.request_token(case[1])
      assert.equal(400, reply.status)
      assert.same({ error = case[2] }, cjson.decode(reply.body))
    end
    assert.equal(405, curl(sandbox.base_url .. "/acme/identity_/connect/token").status)
  end)

  it("accepts a secret with every kind of character", function()
    local secret = [[ +%25&=?/#"'\{}$]] .. "`"
    local other = assert(uipath_sandbox.start { client_secret = secret })
    assert.equal(200, user.request_token({ client_secret = secret }, other.base_url).status)
    assert.equal(400, user.request_token({ client_secret = "x" }, other.base_url).status)
    other:stop()
  end)

  it("wants a valid token", function()
    for _, header in ipairs { "X-Nothing: 1", "Authorization: Bearer abc", "Authorization: Basic abc" } do
      local reply = curl(user.orchestrator .. "odata/Machines", "-H", header)
      assert.equal(401, reply.status)
      local body = cjson.decode(reply.body)
      assert.equal("You are not authenticated!", body.message)
      assert.is_false(body.unAuthorizedRequest)
      assert.equal(0, body.errorCode)
    end
  end)

  it("refuses tokens that have been revoked or have expired", function()
    local outer = user.token
    finally(function() user.token = outer end)
    user.token = user.token_for("OR.Machines")
    assert.equal(200, user.call("odata/Machines").status)
    user.control("POST", "revoke")
    assert.equal(401, user.call("odata/Machines").status)
    user.control("POST", "settings", '{"expires_in":0}')
    user.token = user.token_for("OR.Machines")
    assert.equal(401, user.call("odata/Machines").status)
    user.control("POST", "settings", '{"expires_in":null}')
    outer = user.token_for(sandbox.options.scope)
  end)

  it("wants the scope that an endpoint needs", function()
    local outer = user.token
    finally(function() user.token = outer end)
    user.token = user.token_for("OR.Machines.Read PM.Group.Read")
    assert.equal(200, user.call("odata/Machines").status)
    for _, reply in ipairs {
      user.call("odata/Folders"), user.call("odata/Machines", "-d", '{"Name":"x"}'),
      user.call("api/FoldersNavigation/GetAllFoldersForCurrentUser"),
    } do
      assert.equal(403, reply.status)
      assert.equal("You are not authorized!", reply.json.message)
      assert.is_true(reply.json.unAuthorizedRequest)
    end
    local reply = curl(sandbox.base_url .. "/acme/identity_/api/RobotAccount/0", "-H",
      "Authorization: Bearer " .. user.token)
    assert.equal(403, reply.status)
    assert.equal("Scope(s) 'OR.Machines.Read,PM.Group.Read' is(are) invalid. Expect to have "
      .. "'PM.RobotAccount' or 'PM.RobotAccount.Read'. ", cjson.decode(reply.body).errorMessage)
    user.token = user.token_for("OR.Default")
    assert.equal(200, user.call("odata/Folders").status)
  end)

  it("compresses for those who ask", function()
    assert.is_truthy(user.call("odata/Machines", "--compressed").head:find("Content-Encoding: gzip", 1, true))
    assert.is_nil(user.call("odata/Machines").head:find("Content-Encoding", 1, true))
  end)

  it("takes the folder in each of its four forms", function()
    local folders = user.call("odata/Folders").json.value
    for _, folder in ipairs(folders) do
      local encoded = shell("printf %s " .. quote(folder.FullyQualifiedName)
        .. " | iconv -f UTF-8 -t UTF-16LE | base64 -w0")
      local headers = {
        "OrganizationUnitId: " .. ("%d"):format(folder.Id), "FolderKey: " .. folder.Key,
        "FolderPath-Encoded: " .. encoded,
      }
      if not folder.FullyQualifiedName:find("[\128-\255]") then
        headers[4] = "FolderPath: " .. folder.FullyQualifiedName
      end
      for _, header in ipairs(headers) do
        local reply = user.call("odata/Jobs?$top=1&$count=true", "-H", "X-UIPATH-" .. header)
        assert.equal(200, reply.status, header)
        local job = reply.json.value[1]
        if job then assert.equal(folder.Id, job.OrganizationUnitId) end
      end
    end
    local reply = user.call("odata/Jobs")
    assert.same({ 400, 1101 }, { reply.status, reply.json.errorCode })
    for _, header in ipairs { "OrganizationUnitId: 1", "FolderKey: x", "FolderPath: Nowhere" } do
      reply = user.call("odata/Jobs", "-H", "X-UIPATH-" .. header)
      assert.same({ 400, 1100 }, { reply.status, reply.json.errorCode })
    end
  end)

  it("creates, changes and deletes machines", function()
    local json = "Content-Type: application/json"
    local created = user.call("odata/Machines", "-H", json, "-d", '{"Name":"new","UnattendedSlots":2}')
    assert.equal(201, created.status)
    local path = ("odata/Machines(%d)"):format(created.json.Id)
    local again = user.call("odata/Machines", "-H", json, "-d", '{"Name":"new"}')
    assert.same({ 409, 1001 }, { again.status, again.json.errorCode })
    local patched = user.call(path, "-X", "PATCH", "-H", json, "-d", '{"Description":"d"}')
    assert.same({ 200, "" }, { patched.status, patched.body })
    local row = user.call(path).json
    assert.same({ "new", "d", 2 }, { row.Name, row.Description, row.UnattendedSlots })
    assert.equal(200, user.call(path, "-X", "PUT", "-H", json, "-d", '{"Name":"newer"}').status)
    row = user.call(path).json
    assert.same({ "newer", cjson.null, 0 }, { row.Name, row.Description, row.UnattendedSlots })
    assert.equal(400, user.call(path, "-X", "PUT", "-H", json, "-d", "{}").status)
    assert.equal(400, user.call(path, "-X", "PUT", "-H", json, "-d", "{").status)
    assert.equal(204, user.call(path, "-X", "DELETE").status)
    local gone = user.call(path)
    assert.same({ 404, 1002 }, { gone.status, gone.json.errorCode })
    assert.equal(405, user.call("odata/Folders", "-d", "{}").status)
  end)

  it("pages in the other services' own ways", function()
    local folders = user.call("api/Folders/GetAllForCurrentUser?take=2&skip=5").json
    assert.same({ 1, 6, "Archive" },
      { #folders.PageItems, folders.Count, folders.PageItems[1].FullyQualifiedName })
    assert.equal(400, user.call("api/Folders/GetAllForCurrentUser?take=1001").status)

    local files, continuation = 0, ""
    repeat
      local page = user.call("api/Buckets/9001/ListFiles?takeHint=500" .. continuation, "-H", shared).json
      files = files + #page.items
      continuation = "&continuationToken=" .. tostring(page.continuationToken)
    until page.continuationToken == cjson.null
    assert.equal(1234, files)

    local base = sandbox.base_url .. "/acme/DefaultTenant/testmanager_/api/v2/"
    local function get(url)
      return cjson.decode(curl(url, "-H", "Authorization: Bearer " .. user.token).body)
    end
    local projects = get(base .. "projects?top=2")
    assert.same({ 2, 3, true }, { #projects.data, projects.paging.total, projects.paging.nextPage })
    local project = base .. projects.data[1].id
    local cases = get(project .. "/testcases?top=100&skip=200")
    assert.same({ 50, 250, false }, { #cases.data, cases.paging.total, cases.paging.nextPage })
    local requirements = get(project .. "/requirements?skip=100")
    assert.same({ 100, 230, true },
      { #requirements.data, requirements.totalItems, requirements.hasNextPage })
    assert.equal(2, #get(project .. "/permissions/project/roles"))

    local identity_api = sandbox.base_url .. "/acme/identity_/api/"
    local partition = "9e3779b1-0009-4001-a007-000000000001"
    local users = get(identity_api .. "User/users/" .. partition .. "?top=1000&skip=1000")
    assert.same({ 42, 1042 }, { #users.results, users.totalCount })
    assert.equal(10, #get(identity_api .. "RobotAccount/" .. partition).results)
    assert.equal(2, #get(identity_api .. "Group/" .. partition))
  end)

  it("counts and remembers what it was asked", function()
    user.control("POST", "settings", '{"record":true}')
    user.call("odata/Machines?$top=1", "-H", "X-Mark: here")
    user.call("odata/Machines?$top=1")
    user.token_for("OR.Jobs")
    local counters = user.control("GET", "counters")
    assert.same({ 2, 1, 3, 1, 0 }, { counters.data_requests, counters.token_requests,
      counters.connections, counters.max_in_flight, counters.in_flight })
    assert.equal(2, counters.paths["/acme/DefaultTenant/orchestrator_/odata/Machines"])
    local requests = user.control("GET", "requests")
    assert.equal(3, #requests)
    assert.same({ "GET", "here", "/acme/DefaultTenant/orchestrator_/odata/Machines?$top=1" },
      { requests[1].method, requests[1].headers["x-mark"], requests[1].uri })
    assert.equal(0, user.control("POST", "reset").data_requests)
    assert.same({}, user.control("GET", "requests"))
  end)

  it("holds its replies back when told to", function()
    user.control("POST", "settings", '{"latency":0.3}')
    local reply = curl(user.orchestrator .. "odata/Machines", "--max-time", "0.2")
    assert.equal(28, reply.exit)
    assert.equal(401, curl(user.orchestrator .. "odata/Machines").status)
  end)
end)

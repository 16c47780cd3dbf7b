-- What can be done in the sandbox beside reading: jobs, queues, assets, packages, files. By curl, so that nothing here depends on the
-- client that the sandbox is there to test.

local cjson = require "cjson"
local support = require "spec.support.curl"
local tenant = require "spec.support.tenant"
local uipath_sandbox = require "uipath.sandbox"

local curl = support.curl

describe("the sandbox's", function()
  local sandbox, base, authorization
  local shared = "X-UIPATH-OrganizationUnitId: 2001"

  setup(function()
    sandbox = assert(uipath_sandbox.start())
    base = sandbox.base_url .. "/acme/DefaultTenant/orchestrator_/"
    local reply = curl(sandbox.base_url .. "/acme/identity_/connect/token", "-d", "grant_type=client_credentials",
      "-d", "client_id=" .. sandbox.options.client_id, "-d", "client_secret=" .. sandbox.options.client_secret)
    authorization = "Authorization: Bearer " .. cjson.decode(reply.body).access_token
  end)
  teardown(function() sandbox:stop() end)

  local function get(path, folder)
    local reply = curl(base .. path, "-H", authorization, "-H", folder or shared)
    return reply.status, reply.body:find "^%s*[%[{]" and cjson.decode(reply.body) or reply.body
  end

  local function post(path, body, folder)
    local reply = curl(base .. path, "-X", "POST", "-H", authorization, "-H", folder or shared, "-H", "Content-Type: application/json",
      "-d", body and cjson.encode(body) or "")
    return reply.status, reply.body:find "^%s*[%[{]" and cjson.decode(reply.body) or reply.body
  end

  local JOBS = "odata/Jobs/UiPath.Server.Configuration.OData."

  it("jobs become Running and then Successful or Faulted", function()
    local states = {}
    for _, input in ipairs { '{"Month":5}', '{"Fault":"no"}' } do
      local status, body = post(JOBS .. "StartJobs", { startInfo = { ReleaseName = "Payroll Check", InputArguments = input } })
      assert.equal(201, status)
      assert.equal("Pending", body.value[1].State)
      local seen = {}
      tenant.eventually(function()
        local _, job = get(("odata/Jobs(%d)"):format(body.value[1].Id))
        seen[job.State] = true
        return job.State == "Successful" or job.State == "Faulted"
      end)
      assert.is_true(seen.Running or seen.Pending)
      states[#states + 1] = seen
    end
    assert.is_true(states[1].Successful)
    assert.is_true(states[2].Faulted)
  end)

  it("jobs are refused as the service does", function()
    local start = { ReleaseName = "Payroll Check" }
    assert.equal(400, (post(JOBS .. "StartJobs", { startInfo = start }, "X-Nothing: 1")))
    assert.equal(404, (post(JOBS .. "StartJobs", { startInfo = { ReleaseName = "None" } })))
    start.InputArguments = '{"A":"' .. ("x"):rep(10000) .. '"}'
    local status, body = post(JOBS .. "StartJobs", { startInfo = start })
    assert.equal(400, status)
    assert.is_truthy(body.message:find "10000")
    start.InputArguments = "no JSON"
    assert.equal(400, (post(JOBS .. "StartJobs", { startInfo = start })))
    assert.equal(404, (post(JOBS .. "RestartJob", { jobId = 1 })))
  end)

  it("queues have three ways to take many items, and unique references", function()
    local function bulk(commit, ...)
      local items = {}
      for i, reference in ipairs { ... } do items[i] = { Reference = reference, SpecificContent = { A = i } } end
      local status, body = post("odata/Queues/UiPathODataSvc.BulkAddQueueItems",
        { queueName = "Payments", commitType = commit, queueItems = items })
      return status, body.Success, body.FailedItems
    end
    local function count()
      local _, page = get "odata/QueueItems?$filter=QueueDefinitionId%20eq%206004&$count=true&$top=0"
      return page["@odata.count"]
    end
    assert.same({ 200, true, {} }, { bulk("AllOrNothing", "a", "b") })
    local status, success, failed = bulk("AllOrNothing", "c", "a", "d")
    assert.same({ 200, false, 1 }, { status, success, #failed })
    assert.same({ 1, "DuplicateReference", "a" }, { failed[1].Ordinal, failed[1].ErrorCode, failed[1].Reference })
    assert.equal(2, count())
    bulk("ProcessAllIndependently", "c", "a", "d")
    assert.equal(4, count())
    bulk("StopOnFirstFailure", "e", "a", "f")
    assert.equal(5, count())
    assert.equal(400, (bulk("Sometimes", "g")))
    local item = { Name = "Payments", Reference = "a", SpecificContent = { A = 1 } }
    assert.equal(409, (post("odata/Queues/UiPathODataSvc.AddQueueItem", { itemData = item })))
    item.Reference, item.SpecificContent = "h", { A = { 1 } }
    assert.equal(400, (post("odata/Queues/UiPathODataSvc.AddQueueItem", { itemData = item })))
  end)

  it("transactions are taken by priority, and finished once", function()
    post("odata/QueueDefinitions", { Name = "Work" })
    for _, priority in ipairs { "Low", "High" } do
      post("odata/Queues/UiPathODataSvc.AddQueueItem", { itemData = { Name = "Work", Priority = priority, SpecificContent = { A = 1 } } })
    end
    local _, first = post("odata/Queues/UiPathODataSvc.StartTransaction", { transactionData = { Name = "Work" } })
    assert.equal("High", first.Priority)
    assert.equal(200, (post("odata/Queues/UiPathODataSvc.StartTransaction", { transactionData = { Name = "Work" } })))
    assert.equal(204, (post("odata/Queues/UiPathODataSvc.StartTransaction", { transactionData = { Name = "Work" } })))
    local path = ("odata/Queues(%d)/UiPathODataSvc.SetTransactionResult"):format(first.Id)
    assert.equal(200, (post(path, { transactionResult = { IsSuccessful = true } })))
    assert.equal(409, (post(path, { transactionResult = { IsSuccessful = true } })))
  end)

  it("assets lose on a PUT what is left out", function()
    local _, list = get "odata/Assets?$filter=Name%20eq%20'Desk'&$expand=UserValues"
    assert.equal("A-12", list.value[1].UserValues[1].Value)
    local id = list.value[1].Id
    curl(base .. ("odata/Assets(%d)"):format(id), "-X", "PUT", "-H", authorization, "-H", shared, "-H", "Content-Type: application/json",
      "-d", cjson.encode { Name = "Desk", ValueScope = "Global", ValueType = "Text", StringValue = "x" })
    _, list = get "odata/Assets?$filter=Name%20eq%20'Desk'&$expand=UserValues"
    assert.equal(0, #list.value[1].UserValues)
    -- Neither list has all: the one lacks Secrets, the other user names.
    _, list = get "odata/Assets?$select=Name"
    for _, asset in ipairs(list.value) do assert.not_equal("ApiKey", asset.Name) end
    _, list = get "odata/Assets/UiPath.Server.Configuration.OData.GetFiltered?$filter=Name%20eq%20'SapLogin'"
    assert.equal("", list.value[1].CredentialUsername)
  end)

  describe("storage", function()
    local function access(action, minutes)
      return select(2, get(("odata/Buckets(9002)/UiPath.Server.Configuration.OData.%s?path=a/b.txt%s"):format(action,
        minutes and "&expiryInMinutes=" .. minutes or "")))
    end
    local function put(object, ...)
      return curl(object.Uri, "-X", "PUT", "-d", "bytes", ...)
    end

    it("is another host, whose addresses are signed and want their headers", function()
      local object = access "GetWriteUri"
      assert.equal("PUT", object.Verb)
      assert.equal(sandbox.storage_url, object.Uri:match "^http://[^/]+")
      assert.equal(400, put(object).status)
      local headers = {}
      for i, name in ipairs(object.Headers.Keys) do
        headers[#headers + 1], headers[#headers + 2] = "-H", name .. ": " .. object.Headers.Values[i]
      end
      local unpack = table.unpack or unpack -- luacheck: ignore 143
      assert.equal(201, put(object, unpack(headers)).status)
      object = access "GetReadUri"
      assert.equal("bytes", curl(object.Uri).body)
      local part = curl(object.Uri, "-H", "Range: bytes=1-2")
      assert.same({ 206, "yt" }, { part.status, part.body })
      assert.equal(416, curl(object.Uri, "-H", "Range: bytes=99-").status)
      -- What may be read may not be written, and not under another name.
      assert.equal(403, put(object, unpack(headers)).status)
      assert.equal(403, curl((object.Uri:gsub("b%.txt", "c.txt"))).status)
    end)

    it("takes no token, and no address that has expired", function()
      local object = access "GetReadUri"
      local refused = curl(object.Uri, "-H", authorization)
      assert.equal(403, refused.status)
      assert.is_truthy(refused.body:find("<Code>AuthenticationFailed</Code>", 1, true))
      assert.equal(403, curl(access("GetReadUri", "0").Uri).status)
    end)
  end)
end)

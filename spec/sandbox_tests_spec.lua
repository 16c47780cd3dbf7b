-- How the sandbox's Test Manager and Orchestrator's test sets answer: by curl, so that nothing here depends on the client.

local cjson = require "cjson"
local support = require "spec.support.curl"
local tenant = require "spec.support.tenant"

local unpack = table.unpack or unpack -- luacheck: ignore 113 143

describe("the sandbox's tests", function()
  local sandbox, user, root, project

  -- Sends a request below Test Manager's api/v2.
  local function call(path, body, method, token)
    local words = { "-H", "Authorization: Bearer " .. (token or user.token) }
    if body then
      for _, word in ipairs { "-H", "Content-Type: application/json", "-d", body ~= true and cjson.encode(body) or "" } do
        words[#words + 1] = word
      end
    end
    if method then
      words[#words + 1] = "-X"
      words[#words + 1] = method
    end
    local reply = support.curl(root .. path, unpack(words))
    local decoded, value = pcall(cjson.decode, reply.body)
    reply.json = decoded and value or nil
    return reply
  end

  setup(function()
    sandbox = assert(require("uipath.sandbox").start())
    user = support.user(sandbox)
    root = sandbox.base_url .. "/acme/DefaultTenant/testmanager_/api/v2/"
    project = call "projects/prefix/DEMO".json.id .. "/"
  end)
  teardown(function() sandbox:stop() end)

  local function set_of(key) return call(project .. "testsets/objkey/" .. key).json.id end

  local function start(key)
    return call(project .. "testsets/" .. set_of(key) .. "/startexecute?executionType=automated", true).json.id
  end

  local function state(id) return call(project .. "testexecutions/" .. id .. "/withstats").json end

  local function finished(id)
    return tenant.eventually(function()
      local now = state(id)
      return now.status == "Finished" and now
    end)
  end

  it("run from Pending to Finished", function()
    local id = start "DEMO:42"
    local first = state(id)
    assert.equal("Automated", first.executionType)
    assert.is_true(first.status == "Pending" or first.status == "Running")
    tenant.eventually(function() return state(id).status ~= "Pending" end)
    local last = finished(id)
    assert.same({ 5, 0, 0, 0 }, { last.passed, last.failed, last.none, last.restricted })
    assert.is_string(last.executionFinished)
  end)

  it("end green, red and with lost results", function()
    local ids = {}
    for _, key in ipairs { "DEMO:42", "DEMO:43", "DEMO:44" } do ids[key] = start(key) end
    for key, expected in pairs { ["DEMO:42"] = { 5, 0, 0 }, ["DEMO:43"] = { 8, 3, 0 }, ["DEMO:44"] = { 0, 0, 4 } } do
      local last = finished(ids[key])
      assert.same(expected, { last.passed, last.failed, last.none })
    end
    local logs = call(project .. "testcaselogs/testexecution/" .. ids["DEMO:43"] .. "/paged?top=100").json
    assert.equal(12, logs.paging.total)
    assert.is_false(logs.data[3].hasError) -- a failed test is no error
    assert.equal("Failed", logs.data[3].result)
    local failed = call(project .. "testcaselogs/testexecution/" .. ids["DEMO:43"] .. "/paged?onlyFailed=true").json
    assert.equal(3, #failed.data)
    assert.equal(1, #call(project .. "testcaselogs/" .. logs.data[3].id .. "/assertions").json)
    assert.equal("screenshot.png", call(project .. "attachments/testcaselog/" .. logs.data[3].id .. "/all").json[1].name)
  end)

  it("are listed in both forms of pages", function()
    local sets = call(project .. "testsets?top=2&skip=2").json
    assert.same({ 2, 4, false }, { #sets.data, sets.totalItems, sets.hasNextPage })
    start "DEMO:42"
    local executions = call(project .. "testexecutions?top=1&orderby=created%20desc").json
    assert.equal(1, #executions.data)
    assert.is_true(executions.paging.total >= 1)
    assert.equal("DEMO:42", executions.data[1].testSetObjKey)
    assert.same({ "Smoke" }, { call(project .. "testsets?search=smo").json.data[1].name })
  end)

  it("say no as the service does", function()
    for _, path in ipairs {
      "projects/prefix/NONE", project .. "testsets/objkey/DEMO:1", project .. "testexecutions/0/withstats",
      project .. "testcaselogs/0/assertions",
    } do
      local reply = call(path)
      assert.same({ 400, "itemNotFound" }, { reply.status, reply.json.errorCode }, path)
    end
    assert.equal(400, call(project .. "testsets/" .. set_of "DEMO:42" .. "/startexecute", true).status)
    assert.equal(405, call(project .. "testsets/" .. set_of "DEMO:42" .. "/startexecute", nil, "DELETE").status)
    local reader = user.token_for "TM.TestSets.Read TM.Projects.Read"
    assert.equal(403, call(project .. "testsets/" .. set_of "DEMO:42" .. "/startexecute?executionType=automated", true, nil, reader).status)
  end)

  it("have parameters that are checked before any is changed", function()
    local path = project .. "testsets/" .. set_of "DEMO:42"
    local before = call(path .. "/fetchparameters").json
    assert.equal(400, call(path .. "/bulkoverrideparameters", {
      { id = before[1].id, value = "x" }, { id = "0", value = "y" },
    }, "PUT").status)
    assert.same(before, call(path .. "/fetchparameters").json)
    assert.equal(200, call(path .. "/bulkoverrideparameters", { { id = before[1].id, value = "x" } }, "PUT").status)
    assert.equal("x", call(path .. "/fetchparameters").json[1].value)
  end)

  it("take results of other tools: a finished case wipes a correction, and has one at most", function()
    local case = call(project .. "testcases/objkey/DEMO:7").json.id
    local id = call(project .. "testexecutions", {
      projectId = project:sub(1, -2), testSetId = set_of "DEMO:42", testCaseIds = { case }, name = "other", source = "ThirdParty",
    }).json.id
    assert.equal("Running", state(id).status)
    local within = project .. "testcaselogs/testexecution/" .. id
    local log = call(within .. "/start", { testCaseId = case, runId = 0 }).json.id
    local override = project .. "testcaselogs/" .. log .. "/override-result"
    assert.equal(200, call(override, { currentResult = "Passed", reason = "early" }).status)
    assert.equal(200, call(within .. "/finish", { testCaseId = case, result = "Failed" }).status)
    assert.equal(404, call(override).status)
    assert.equal("Finished", state(id).status)
    assert.equal(200, call(override, { currentResult = "Failed", reason = "because" }).status)
    assert.equal(500, call(override, { currentResult = "Failed", reason = "again" }).status)
    assert.equal("because", call(override).json.reason)
    assert.equal(400, call(within .. "/finish", { testCaseId = case, result = "Fine" }).status)
  end)

  it("of Orchestrator refuse a key that they know", function()
    local shared = "X-UIPATH-OrganizationUnitId: 2001"
    local set = user.call("odata/TestSets?$filter=Name eq 'Order checks'", "-H", shared).json.value[1]
    local path = ("api/TestAutomation/StartTestSetExecutionWithOptions?testSetId=%d"):format(set.Id)
    local body = '{"batchExecutionKey":"11111111-2222-4333-a444-555555555555","triggerType":"ExternalTool"}'
    local id = user.call(path, "-H", shared, "-d", body).json
    assert.is_number(id)
    assert.equal(409, user.call(path, "-H", shared, "-d", body).status)
    local function execution()
      return user.call(("odata/TestSetExecutions(%d)?$expand=TestCaseExecutions($expand=TestCaseAssertions)"):format(id), "-H", shared).json
    end
    local last = tenant.eventually(function()
      local now = execution()
      return now.Status == "Failed" and now
    end)
    assert.equal("Passed", last.TestCaseExecutions[1].Status)
    assert.is_false(last.TestCaseExecutions[2].TestCaseAssertions[1].Succeeded)
    assert.equal(400, user.call("odata/TestSets").status) -- without a folder
  end)
end)

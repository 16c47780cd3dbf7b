-- client.tests: runs of test sets and their verdict, on the sandbox, and through a server that loses and changes what it says.

local interceptor = require "spec.support.interceptor"
local steps = require "spec.support.steps"
local tenant = require "spec.support.tenant"
local uipath = require "uipath"

local sandbox, client

setup(function()
  sandbox = assert(require("uipath.sandbox").start())
  client = uipath.connect(sandbox.options)
end)
teardown(function() sandbox:stop() end)

local POLL = 0.1

-- The options of a run: asks often, and takes more.
local function often(more)
  local options = { poll = POLL }
  for name, value in pairs(more or {}) do options[name] = value end
  return options
end

local function read(path)
  local file = io.open(path, "rb")
  if not file then return nil end
  local text = file:read "*a"
  file:close()
  return text
end

-- A path for a file, with the old one of a former run in it.
local function old_file()
  local path = os.tmpname()
  local file = assert(io.open(path, "w"))
  file:write "an old run, all green"
  file:close()
  return path
end

-- The same, and gone afterwards.
local function junit_path()
  local path = old_file()
  finally(function() os.remove(path) end)
  return path
end

-- Runs a function with a client whose requests go by a server with this rule.
local function through(rule, run, changes)
  local between = interceptor.start(sandbox, rule, changes)
  local ok, problem = pcall(run, uipath.connect(between.options), between)
  between.stop()
  if not ok then error(problem, 0) end
end

describe("a run", function()
  it("is green where every case has passed", function()
    local seen = {}
    local function on_progress(done, total) seen[#seen + 1] = done .. "/" .. total end
    local run = assert(client.tests:run("DEMO:42", often { on_progress = on_progress }))
    assert.is_true(run.passed)
    assert.equal("Finished", run.status)
    assert.same({ total = 5, passed = 5, failed = 0, none = 0, restricted = 0 }, run.counts)
    assert.equal("DEMO/" .. run.id, run.ref)
    assert.equal(sandbox.base_url .. "/acme/DefaultTenant/testmanager_/DEMO/testexecutions/" .. run.id, run.url)
    assert.is_true(run.seconds > 1 and run.seconds < 60)
    assert.equal("5/5", seen[#seen])
    local case = run.cases[2]
    assert.same({ "DEMO:2", "Test case 2", "Passed" }, { case.key, case.name, case.result })
    assert.is_true(case.seconds > 0)
    assert.is_nil(case.reason)
  end)

  it("is red where one has failed, with the assertions' words", function()
    local run = assert(client.tests:run({ project = "DEMO", name = "Regression" }, often()))
    assert.is_false(run.passed)
    assert.same({ total = 12, passed = 8, failed = 3, none = 0, restricted = 1 }, run.counts)
    local case = run.cases[9]
    assert.same({ "Failed", "The total of the invoice is wrong" }, { case.result, case.reason })
    assert.same({
      { message = "The invoice is open", passed = true },
      { message = "Expected total 119.00, but was 100.00 (tax < 19 %)", passed = false },
    }, case.assertions)
    assert.is_nil(run.cases[1].assertions)
  end)

  it("is red where its results were lost, although it is Finished and nothing has failed", function()
    local run = assert(client.tests:run("DEMO:44", often()))
    assert.same({ false, "Finished", 0, 4 }, { run.passed, run.status, run.counts.failed, run.counts.none })
  end)

  it("has the row of a set for a name, too", function()
    local smoke
    for row in client.tests:sets { project = "DEMO" } do
      if row.name == "Smoke" then smoke = row end
    end
    assert.is_true(assert(client.tests:run(smoke, often())).passed)
  end)

  it("can be had again by its ref, its id, and itself", function()
    local run = assert(client.tests:run("DEMO:43", often()))
    for _, ref in ipairs { run.ref, { project = "DEMO", id = run.id }, run } do
      local again = assert(client.tests:result(ref))
      assert.same(run.counts, again.counts)
      assert.equal(run.id, again.id)
      assert.same(run.cases[9].assertions, again.cases[9].assertions)
    end
  end)

  it("runs side by side with others in uipath.map", function()
    local runs = uipath.map({ "DEMO:42", "DEMO:43", "DEMO:44" }, function(key) return client.tests:run(key, often()) end)
    assert.same({ true, false, false }, { runs[1].passed, runs[2].passed, runs[3].passed })
  end)

  it("is done again for the failed cases alone", function()
    local run = assert(client.tests:run("DEMO:43", often()))
    local again = assert(client.tests:rerun(run, often()))
    assert.not_equal(run.id, again.id)
    assert.equal(3, again.counts.total)
    local green = assert(client.tests:run("DEMO:42", often()))
    local nothing, err = client.tests:rerun(green)
    assert.is_nil(nothing)
    assert.equal("usage", err.kind)
  end)

  it("of 1,000 cases takes at most 12 requests for its results, and the assertions of 200", function()
    through("return function() end", function(c, between)
      local path = junit_path()
      local run = assert(c.tests:run("DEMO:45", { poll = 1, junit = path }))
      assert.equal(1000, run.counts.total)
      assert.equal(250, run.counts.failed)
      assert.is_true(between.count "testcaselogs/testexecution/" <= 12)
      assert.equal(200, between.count "/assertions")
      assert.equal(1, between.count "^POST .*startexecute")
      assert.is_nil((between.count "testcases" > 0) or nil)
      local with, without = 0, 0
      for _, case in ipairs(run.cases) do
        if case.assertions then with = with + 1 end
        if case.note then without = without + 1 end
      end
      assert.same({ 200, 50 }, { with, without })
      local _, told = read(path):gsub("its assertions were not fetched", "")
      assert.equal(50, told)
    end)
  end)

  it("is asked for at intervals that grow from 5 to 30 seconds", function()
    local sleep, pauses = uipath.sleep, {}
    finally(function() uipath.sleep = sleep end)
    uipath.sleep = function(seconds)
      pauses[#pauses + 1] = seconds
      return sleep(0.05)
    end
    assert(client.tests:run "DEMO:42")
    assert.equal(5, pauses[1])
    for i = 2, #pauses do assert.is_true(pauses[i] >= pauses[i - 1] and pauses[i] <= 30) end
    assert.equal(30, pauses[#pauses])
  end)

  it("fetches the assertions of as many as are asked for", function()
    local run = assert(client.tests:run("DEMO:43", often { assertions = 1 }))
    assert.is_table(run.cases[3].assertions)
    assert.is_nil(run.cases[9].assertions)
  end)
end)

describe("the annotations of client.tests", function()
  local text = read "src/uipath/library/tests.lua"
  local group = require "uipath.recipes.tests"

  it("name its methods, and no others", function()
    local named, there = {}, {}
    for name in text:gmatch "\nfunction Tests:([%w_]+)%(" do named[name] = true end
    for _, method in ipairs(group.methods) do there[method.name] = true end
    assert.same(there, named)
  end)

  it("name the options of those that wait", function()
    local function fields(class)
      local names = {}
      local lines = assert(text:match("%-%-%-@class " .. class .. "[^\n]*\n(.-)\n\n"), class)
      for name in lines:gmatch "@field ([%w_]+)" do names[name] = true end
      return names
    end
    local expected = {
      run = fields "uipath.TestWaitOptions", rerun = fields "uipath.TestWaitOptions", result = fields "uipath.TestResultOptions",
    }
    for name in pairs(fields "uipath.TestRunOptions") do expected.run[name] = true end
    for _, method in ipairs(group.methods) do
      if expected[method.name] then
        local there = {}
        for name in pairs(method.options) do there[name] = true end
        assert.same(expected[method.name], there, method.name)
      end
    end
  end)
end)

it("client.tests needs the scopes that pipelines have", function()
  assert.same({ "TM.Projects.Read", "TM.TestExecutions", "TM.TestSets" }, uipath.scopes_for "tests.run")
  local poor = uipath.connect(tenant.options(sandbox, { scope = "TM.Projects.Read TM.TestSets.Read" }))
  local run, err = poor.tests:run "DEMO:42"
  assert.is_nil(run)
  assert.equal("forbidden", err.kind)
  assert.is_truthy(err.hint:find("all of tests:run needs TM.Projects.Read TM.TestExecutions TM.TestSets", 1, true), err.hint)
end)

describe("what is wrong with a run", function()
  for words, arguments in pairs {
    ["test_set must be a key"] = { "DEMO" },
    ["test_set must be a table or string"] = false,
    ["unknown option 'tiemout' (did you mean 'timeout'?)"] = { "DEMO:42", { tiemout = 1 } },
    ["poll must be a number of seconds"] = { "DEMO:42", { poll = "often" } },
    ["junit must be a string"] = { "DEMO:42", { junit = 5 } },
  } do
    if arguments then
      it("raises: " .. words, function()
        local ok, message = pcall(client.tests.run, client.tests, arguments[1], arguments[2])
        assert.is_false(ok)
        assert.is_truthy(message:find(words, 1, true), message)
      end)
    end
  end

  it("is told before anything is started", function()
    through("return function() end", function(c, between)
      for _, case in ipairs {
        { "DEMO:142", "not_found", "did you mean 'DEMO:42'" },
        { "DEMOS:42", "not_found", "did you mean 'DEMO'" },
        { { project = "DEMO", name = "Smoky" }, "not_found", "did you mean 'Smoke'" },
      } do
        local run, err = c.tests:run(case[1])
        assert.is_nil(run)
        assert.equal(case[2], err.kind)
        assert.is_truthy(err.message:find(case[3], 1, true), err.message)
      end
      local run, err = c.tests:run("DEMO:42", { junit = "/nowhere/at/all.xml" })
      assert.is_nil(run)
      assert.equal("file", err.kind)
      run, err = c.tests:run("DEMO:42", { parameters = { Enviroment = "x" } })
      assert.is_nil(run)
      assert.is_truthy(err.message:find("did you mean 'Environment'", 1, true))
      run, err = c.tests:run { orchestrator = "Smoke" }
      assert.is_nil(run)
      assert.equal("usage", err.kind)
      assert.equal(0, between.count "^POST .*testmanager")
    end)
  end)

  it("asks for a folder of the project where Test Manager does", function()
    through([[return function(request)
      if request.path:find "startexecute" then
        return { status = 400, body = '{"message":"Please assign folder to project level before executing testcases.",'
          .. '"errorCode":"itemNotFound"}' }
      end
    end]], function(c, between)
      local run, err = c.tests:run("DEMO:42")
      assert.is_nil(run)
      assert.equal("request", err.kind)
      assert.is_truthy(err.hint:find("DEMO has no folder", 1, true))
      assert.equal(1, between.count "startexecute")
    end)
  end)
end)

-- A row for each step at which a run may be told something wrong or nothing: the run is never green, and started once at most.
describe("the verdict is never green", function()
  local cjson_prelude = 'local cjson = require "cjson"\n'

  -- A rule that changes the answers to the paths that match, decoded.
  local function changing(pattern, statements)
    return cjson_prelude .. ([[return function(request)
      if request.method ~= "TOKEN" and request.path:find(%q) then
        return { change = function(body)
          local answer = cjson.decode(body)
          %s
          return cjson.encode(answer)
        end }
      end
    end]]):format(pattern, statements)
  end

  local function answering(pattern, action)
    return ("return function(request) if request.path:find(%q) then return %s end end"):format(pattern, action)
  end

  local STATE, LOGS, START = "/withstats", "/paged", "startexecute"
  local rules = {
    ["None in one row"] = { changing(LOGS, 'answer.data[3].result = "None"'), "any" },
    ["Failed in one row, which the counts do not know"] = { changing(LOGS, 'answer.data[3].result = "Failed"'), "any" },
    ["a result that nobody knows"] = { changing(LOGS, 'answer.data[3].result = "Skipped"'), "any" },
    ["passed in other letters"] = { changing(LOGS, 'answer.data[3].result = "passed"'), "any" },
    ["a row without a result"] = { changing(LOGS, "answer.data[3].result = nil"), "decode" },
    ["a row with a null for its result"] = { changing(LOGS, "answer.data[3].result = cjson.null"), "decode" },
    ["a row without an id"] = { changing(LOGS, "answer.data[3].id = nil"), "decode" },
    ["a row of another run"] = { changing(LOGS, 'answer.data[3].testExecutionId = "11111111-0000-0000-0000-000000000000"'), "decode" },
    ["a row twice"] = { changing(LOGS, "answer.data[3].id = answer.data[2].id"), "decode" },
    ["a row less than was announced"] = { changing(LOGS, "answer.data[3] = table.remove(answer.data)"), "any" },
    ["a row less, and none announced"] = { changing(LOGS, "table.remove(answer.data) answer.paging = nil"), "decode" },
    ["no rows"] = { answering(LOGS, [[{ status = 200, body = '{"data":[],"paging":{"total":0}}' }]]), "any" },
    ["no list"] = { answering(LOGS, [[{ status = 200, body = '{"message":"ok"}' }]]), "decode" },
    ["rows that may not be seen"] = { answering(LOGS, [[{ status = 403, body = '{}' }]]), "forbidden" },
    ["a counted failure that no row has"] = { changing(STATE, "answer.failed, answer.passed = 1, answer.passed - 1"), "decode" },
    ["a counted None that no row has"] = { changing(STATE, "answer.none = answer.none + 1"), "decode" },
    ["no status"] = { changing(STATE, "answer.status = nil"), "decode" },
    ["null for a status"] = { changing(STATE, "answer.status = cjson.null"), "decode" },
    ["a state of another run"] = { changing(STATE, 'answer.id = "11111111-0000-0000-0000-000000000000"'), "decode" },
    ["a state of a run of another set"] = { changing(STATE, 'answer.testSetId = "11111111-0000-0000-0000-000000000000"'), "decode" },
    ["a state that is no object"] = { answering(STATE, [[{ status = 200, body = '"Finished"' }]]), "decode" },
    ["a state that may not be seen"] = { answering(STATE, [[{ status = 403, body = '{}' }]]), "forbidden" },
    ["a start that is refused"] = { answering(START, [[{ status = 403, body = '{}' }]]), "forbidden" },
    ["a start with the id of another set's run"] = {
      changing(START, 'answer.testSetId = "11111111-0000-0000-0000-000000000000"'), "decode",
    },
    ["a run that is Cancelled"] = { changing(STATE, 'answer.status = "Cancelled"'), "any" },
    ["a status that never ends"] = { changing(STATE, 'answer.status = "Cancelling"'), "timeout" },
    ["a set of another key"] = { changing("/objkey/", 'answer.objKey = "DEMO:43"'), "any", set = true },
    ["a set without an id"] = { changing("/testsets", "answer.id = nil if answer.data then answer.data[1].id = nil end"), "decode" },
    ["a project without an id"] = { changing("/projects", "answer.id = nil"), "decode" },
  }
  -- Side by side, since each run takes seconds.
  it("for anything of these", function()
    local list, betweens, paths = {}, {}, {}
    for words in pairs(rules) do list[#list + 1] = words end
    for i, words in ipairs(list) do
      betweens[i] = interceptor.start(sandbox, rules[words][1], { max_attempts = 1 })
      paths[i] = old_file()
    end
    finally(function()
      for i in ipairs(list) do
        betweens[i].stop()
        os.remove(paths[i])
      end
    end)
    local runs, errors = uipath.map(list, function(_, i)
      local c = uipath.connect(betweens[i].options)
      return c.tests:run("DEMO:42", often { junit = paths[i], timeout = 6 * tenant.SLOWER })
    end, { concurrency = 10 })
    for i, words in ipairs(list) do
      local rule, run, err = rules[words], runs[i], errors and errors[i]
      assert.is_true(betweens[i].count "startexecute" <= 1, words)
      -- A set that the address does not give is found in the list.
      if not rule.set then
        if run then
          assert.equal("any", rule[2], words)
          assert.is_false(run.passed, words)
        elseif rule[2] ~= "any" then
          assert.equal(rule[2], err.kind, words .. ": " .. tostring(err))
        end
        local text = read(paths[i])
        assert.is_truthy(text:find("<error ", 1, true) or text:find("<failure ", 1, true), words)
      end
    end
  end)

  it("for None in one of 1,000 rows", function()
    through(cjson_prelude .. [[return function(request)
      if request.path:find "/paged" and request.path:find "skip=600" then
        return { change = function(body)
          local answer = cjson.decode(body)
          for _, row in ipairs(answer.data) do row.result = "Passed" end
          answer.data[42].result = "None"
          return cjson.encode(answer)
        end }
      elseif request.path:find "/paged" then
        return { change = function(body) return (body:gsub('"result":"Failed"', '"result":"Passed"')) end }
      elseif request.path:find "/withstats" then
        return { change = function(body) return (body:gsub('"failed":%d+,', "")) end }
      end
    end]], function(c)
      local run = assert(c.tests:run("DEMO:45", { poll = 0.5 }))
      assert.same({ total = 1000, passed = 999, failed = 0, none = 1, restricted = 0 }, run.counts)
      assert.is_false(run.passed)
      assert.is_truthy(client.tests:junit(run):find('tests="1000" failures="0" errors="1"', 1, true))
    end)
  end)

  it("for rows that have no names, whose names are looked up", function()
    through(cjson_prelude .. [[return function(request)
      if request.path:find "/paged" then
        return { change = function(body) return (body:gsub('"testCase":%b{},', "")) end }
      end
    end]], function(c)
      local run = assert(c.tests:run("DEMO:43", often()))
      assert.is_false(run.passed)
      assert.same({ "DEMO:3", "Test case 3" }, { run.cases[3].key, run.cases[3].name })
    end)
  end)
end)

-- Every step, with every kind of answer that is none. What is only for looking up or for the report may be missing, and nothing else.
describe("no run is green, and none is started twice, where", function()
  local kinds = {
    ["the project"] = { [[request.path:find "/projects"]], needed = true },
    ["the test set"] = { [[request.path:find "/testsets" and request.method == "GET"]], needed = true },
    ["the runs before"] = { [[request.path:find "/testexecutions%?"]] },
    ["the start"] = { [[request.path:find "startexecute"]], needed = true, alone = true },
    ["the state"] = { [[request.path:find "/testexecutions/"]], needed = true },
    ["the results"] = { [[request.path:find "/paged"]], needed = true },
  }
  local answers = {
    "{ refuse = true }", "{ lose = true }", "{ status = 500 }", "{ status = 503 }", "{ status = 403, body = '{}' }", "{ status = 404 }",
    "{ status = 204 }", "{ status = 200 }", "{ status = 200, body = '{}' }", "{ status = 200, body = '[]' }",
    "{ status = 200, body = 'null' }", "{ status = 200, body = '<html>' }", "{ status = 200, body = '{' }",
    "{ status = 200, body = '{\"data\":[]}' }",
  }
  -- Starts at the same time would be those of several pipelines, and one after the other these would take their time.
  local few = { answers[1], answers[2], answers[3], answers[4], answers[5], answers[7], answers[9], answers[12] }
  for words, step in pairs(kinds) do
    it(words .. " cannot be had", function()
      local betweens, answers = {}, step.alone and few or answers -- luacheck: ignore 431
      for i, answer in ipairs(answers) do
        betweens[i] = interceptor.start(sandbox, ("return function(request) if %s then return %s end end"):format(step[1], answer),
          { max_attempts = 1 })
      end
      finally(function()
        for _, between in ipairs(betweens) do between.stop() end
      end)
      local runs, errors = uipath.map(answers, function(_, i)
        return uipath.connect(betweens[i].options).tests:run("DEMO:42", often { timeout = step.alone and 2.5 or 4 })
      end, { concurrency = step.alone and 1 or #answers })
      for i, answer in ipairs(answers) do
        local run = runs[i]
        if step.needed then assert.is_false(run ~= nil and run.passed, words .. ": " .. answer) end
        assert.is_truthy(run or uipath.is_error(errors[i]), answer)
        assert.is_true(betweens[i].count "startexecute" <= 1, answer)
      end
    end)
  end
end)

describe("an outage", function()
  it("of a while does not end the wait", function()
    through([[return function(request)
      if request.path:find "/withstats" and request.number > 2 and request.number < 6 then return { status = 503 } end
    end]], function(c)
      assert.is_true(assert(c.tests:run("DEMO:42", often())).passed)
    end, { max_attempts = 1 })
  end)
end)

describe("a start", function()
  -- Starts the set in the sandbox, as another pipeline does.
  local function ids()
    local list = {}
    for row in client.tests:executions "DEMO:42" do list[#list + 1] = row.id end
    return list
  end

  it("may be answered with the id alone", function()
    through([[local cjson = require "cjson"
    return function(request)
      if request.path:find "startexecute" then
        return { change = function(body) return '"' .. cjson.decode(body).id .. '"' end }
      end
    end]], function(c) assert.is_true(assert(c.tests:run("DEMO:42", often())).passed) end)
  end)

  it("whose answer was lost is neither repeated nor judged, not even as the only new run, which is named", function()
    through([[return function(request)
      if request.path:find "startexecute" then return { lose = true } end
    end]], function(c, between)
      local before = #ids()
      local run, err = c.tests:run("DEMO:42", often())
      assert.is_nil(run)
      assert.is_true(err.uncertain)
      assert.is_false(err.retryable)
      assert.equal(1, between.count "startexecute")
      local now = ids()
      assert.equal(before + 1, #now)
      assert.is_truthy(err.message:find("new since then, but not certainly ours: DEMO/" .. now[1], 1, true), err.message)
      assert.is_truthy(err.hint:find("luipath tests result DEMO/" .. now[1], 1, true), err.hint)
      assert.is_true(assert(client.tests:result("DEMO/" .. now[1], { wait = 30, poll = POLL })).passed)
    end)
  end)

  it("of cases that are done again is neither repeated nor judged, where its answer was lost", function()
    through([[return function(request)
      if request.path:find "re%-execute" then return { lose = true } end
    end]], function(c, between)
      local former = assert(c.tests:run("DEMO:43", often()))
      local run, err = c.tests:rerun(former, often())
      assert.is_nil(run)
      assert.is_true(err.uncertain)
      assert.equal(1, between.count "re%-execute")
      assert.is_nil(err.hint:find(former.id, 1, true))
      assert.is_truthy(err.hint:find("luipath tests result DEMO/", 1, true), err.hint)
    end)
  end)

  it("that never arrived is uncertain", function()
    through([[return function(request)
      if request.path:find "startexecute" then return { status = 502 } end
    end]], function(c, between)
      local run, err = c.tests:run("DEMO:42", often { timeout = 2 })
      assert.is_nil(run)
      assert.is_true(err.uncertain)
      assert.is_truthy(tostring(err):find("may have been started (no new run was seen)", 1, true))
      assert.equal(1, between.count "startexecute")
    end)
  end)

  it("is uncertain where the runs cannot be looked at", function()
    through([[return function(request)
      if request.path:find "startexecute" then return { lose = true } end
      if request.path:find "testexecutions%?" then return { status = 403, body = "{}" } end
    end]], function(c)
      local run, err = c.tests:run("DEMO:42", often())
      assert.is_nil(run)
      assert.is_true(err.uncertain)
    end)
  end)

  -- What a pipeline in a process of its own writes: "judged ID STARTED", or "uncertain MESSAGE".
  local function pipelines(options)
    local pipes, said = {}, {}
    for i = 1, 2 do
      pipes[i] = io.popen(tenant.command(options, ([[
        local started
        local run, err = client.tests:run("DEMO:42", { poll = %s, on_start = function(ref) started = ref end })
        if run then print("judged " .. run.ref .. " " .. started)
        else print((err.uncertain and "uncertain " or "not started ") .. tostring(err)) end
      ]]):format(POLL)) .. " 2>&1")
    end
    for i = 1, 2 do
      said[i] = pipes[i]:read "*a"
      pipes[i]:close()
    end
    table.sort(said)
    return said
  end

  for what, rule in pairs {
    ["after it was done"] = "{ lose = true }", ["before it was done"] = "{ refuse = true }",
    ["and the service says that it has failed"] = "{ status = 500 }",
  } do
    it("of two pipelines at once of which one is lost " .. what .. " is not taken for the other's", function()
      local between = interceptor.start(sandbox, ([[return function(request)
        if request.path:find "startexecute" and request.number == 1 then return %s end
      end]]):format(rule), { max_attempts = 1 })
      finally(between.stop)
      local said = pipelines(between.options)
      local judged, started = said[1]:match "^judged (DEMO/%S+) (DEMO/%S+)\n$"
      assert.is_truthy(judged, said[1])
      assert.equal(started, judged)
      assert.matches("^uncertain .*may have been started", said[2])
      assert.equal(2, between.count "startexecute")
    end)
  end

  it("names none of the runs that the same process has started", function()
    through([[return function(request)
      if request.path:find "startexecute" and request.number == 1 then return { lose = true } end
    end]], function(c, between)
      local runs, errors = uipath.map({ 1, 2 }, function() return c.tests:run("DEMO:42", often()) end)
      local run, err = runs[1] or runs[2], errors[1] or errors[2]
      assert.is_true(run.passed)
      assert.is_true(err.uncertain)
      assert.is_truthy(err.hint:find("luipath tests result DEMO/", 1, true), err.hint)
      assert.is_nil(tostring(err):find(run.id, 1, true), tostring(err))
      assert.equal(2, between.count "startexecute")
    end, { max_attempts = 1 })
  end)
end)

describe("parameters", function()
  local function current()
    local project = assert(client:get "testmanager_/api/v2/projects/prefix/DEMO")
    local set = assert(client:get("testmanager_/api/v2/" .. project.id .. "/testsets/objkey/DEMO:42"))
    local list = assert(client:get("testmanager_/api/v2/" .. project.id .. "/testsets/" .. set.id .. "/fetchparameters"))
    local values = {}
    for _, each in ipairs(list) do values[each.name] = each.value end
    return values
  end
  local before = { Environment = "test", Retries = "0" }

  it("are changed for a run and put back", function()
    local during
    local run = assert(client.tests:run("DEMO:42", often {
      parameters = { Environment = "production", Retries = 3 }, on_progress = function() during = during or current() end,
    }))
    assert.is_true(run.passed)
    assert.same({ Environment = "production", Retries = "3" }, during)
    assert.same(before, current())
  end)

  it("are put back after an error, a raise and the end of the time", function()
    through([[return function(request)
      if request.path:find "startexecute" then return { status = 403, body = "{}" } end
    end]], function(c)
      assert.is_nil((c.tests:run("DEMO:42", often { parameters = { Environment = "x" } })))
    end)
    assert.same(before, current())
    assert.is_false(pcall(client.tests.run, client.tests, "DEMO:42", often {
      parameters = { Environment = "x" }, on_progress = function() error "no more" end,
    }))
    assert.same(before, current())
    local run, err = client.tests:run("DEMO:42", often { parameters = { Environment = "x" }, timeout = 0.3 })
    assert.is_nil(run)
    assert.equal("timeout", err.kind)
    assert.same(before, current())
  end)

  it("that cannot be put back make no green run", function()
    through([[return function(request)
      if request.path:find "bulkoverride" and request.number == 2 then return { status = 400, body = "{}" } end
    end]], function(c)
      local run, err = c.tests:run("DEMO:42", often { parameters = { Environment = "test" } })
      assert.is_nil(run)
      assert.is_true(err.run.passed)
      assert.is_truthy(err.message:find("could not be put back", 1, true))
    end)
  end)
end)

describe("a JUnit file", function()
  it("takes the place of an old one, and is red of a run whose end was not seen", function()
    local path = junit_path()
    local run, err = client.tests:run("DEMO:42", often { junit = path, timeout = 0.6 })
    assert.is_nil(run)
    assert.equal("timeout", err.kind)
    assert.equal("DEMO/" .. err.run.id, err.run.ref)
    assert.is_string(err.run.url)
    assert.is_truthy(err.hint:find("luipath tests result " .. err.run.ref, 1, true))
    local text = read(path)
    local _, errors = text:gsub("<error ", "")
    assert.is_true(errors >= 1 and errors <= 5)
    assert.is_truthy(text:find(err.run.ref, 1, true))
    local again = assert(client.tests:result(err.run.ref, { wait = 20, poll = POLL, junit = path }))
    assert.is_true(again.passed)
    assert.is_truthy(read(path):find('tests="5" failures="0" errors="0"', 1, true))
  end)

  it("says of a Pending run why it may not begin", function()
    through([[return function(request)
      if request.path:find "/withstats" then
        return { change = function(body) return (body:gsub('"status":"%a+"', '"status":"Pending"')) end }
      end
    end]], function(c)
      local run, err = c.tests:run("DEMO:42", often { timeout = 0.5 })
      assert.is_nil(run)
      assert.is_truthy(err.hint:find("needs a folder of Orchestrator, and the folder a robot", 1, true))
    end)
  end)

  it("is there after a look-up that failed, and after a raise", function()
    local path = junit_path()
    assert.is_nil((client.tests:run("DEMO:4711", { junit = path })))
    assert.is_truthy(read(path):find('errors="1"', 1, true))
    assert.is_truthy(read(path):find("there is no test set", 1, true))
    local function interrupt() error("interrupted!", 0) end
    local ok, message = pcall(client.tests.run, client.tests, "DEMO:42", often { junit = path, on_progress = interrupt })
    assert.is_false(ok)
    assert.is_truthy(message:find "^interrupted!; the run goes on; to take it up again: luipath tests result DEMO/%x", message)
    ok, message = pcall(client.tests.run, client.tests, "DEMO:42", often { on_progress = interrupt })
    assert.is_false(ok)
    assert.is_truthy(message:find("luipath tests result DEMO/", 1, true), message)
    assert.is_truthy(read(path):find("the wait was interrupted; the run goes on", 1, true))
  end)

  it("leaves nothing beside itself", function()
    local folder = os.tmpname()
    os.remove(folder)
    tenant.shell("mkdir " .. folder)
    finally(function() tenant.shell("rm -r " .. folder) end)
    assert(client.tests:run("DEMO:42", often { junit = folder .. "/results.xml" }))
    assert.equal("results.xml\n", tenant.shell("ls -A " .. folder))
  end)
end)

describe("lists", function()
  it("are those of test sets, cases and runs", function()
    local keys = {}
    for row in client.tests:sets() do keys[#keys + 1] = row.objKey end
    assert.same({ "DEMO:42", "DEMO:43", "DEMO:44", "DEMO:45" }, keys)
    keys = {}
    for row, number in client.tests:cases "DEMO:42" do keys[number] = row.objKey end
    assert.same({ "DEMO:1", "DEMO:2", "DEMO:3", "DEMO:4", "DEMO:5" }, keys)
    local count = 0
    for _ in client.tests:cases "DEMO:45" do count = count + 1 end
    assert.equal(250, count)
    for row in client.tests:executions "DEMO:42" do assert.equal("DEMO:42", row.testSetObjKey) end
  end)

  it("raise what goes wrong", function()
    local ok, err = pcall(client.tests.cases, client.tests, "DEMO:4711")
    assert.is_false(ok)
    assert.equal("not_found", err.kind)
  end)

  it("of attachments say where each is", function()
    local run = assert(client.tests:run("DEMO:43", often()))
    local list = assert(client.tests:attachments(run.cases[3]))
    assert.equal("screenshot.png", list[1].name)
    local path = os.tmpname()
    finally(function() os.remove(path) end)
    for _, source in ipairs { list[1], list[1].path } do
      assert.equal(14, assert(client:download(source, path)))
      assert.equal("\137PNG of case 3", read(path))
    end
    assert.same({ sandbox.base_url .. "/acme/DefaultTenant/" .. list[1].path, "GET", true },
      { list[1].Uri, list[1].Verb, list[1].RequiresAuth })
    assert.same({}, assert(client.tests:attachments(run.cases[1])))
  end)
end)

describe("a report", function()
  local results = {
    { case = "DEMO:1", result = "Passed" }, { case = "DEMO:2", result = "Failed", reason = "The door is locked" },
    { case = "DEMO:50", result = "None" }, { case = "DEMO:3", result = "Restricted" },
  }

  it("becomes a run", function()
    local run = assert(client.tests:report("DEMO:43", results))
    assert.same({ total = 4, passed = 1, failed = 1, none = 1, restricted = 1 }, run.counts)
    assert.is_false(run.passed)
    assert.equal("The door is locked", run.cases[2].reason)
    local green = assert(client.tests:report("DEMO:42", { results[1] }))
    assert.is_true(green.passed)
  end)

  it("of an unknown case writes nothing", function()
    through("return function() end", function(c, between)
      local run, err = c.tests:report("DEMO:43", { results[1], { case = "DEMO:5000", result = "Passed" } })
      assert.is_nil(run)
      assert.equal("not_found", err.kind)
      assert.is_truthy(err.message:find("DEMO:5000", 1, true))
      assert.equal(0, between.count "^POST .*testmanager")
    end)
  end)

  for words, given in pairs {
    ["got passed (did you mean 'Passed'?)"] = { { case = "DEMO:1", result = "passed" } },
    ["unknown field 'resutl'"] = { { case = "DEMO:1", result = "Passed", resutl = 1 } },
    ["case must be a key"] = { { case = 7, result = "Passed" } },
    ["is there twice"] = { results[1], results[1] },
    ["must not be empty"] = {},
  } do
    it("raises: " .. words, function()
      local ok, message = pcall(client.tests.report, client.tests, "DEMO:43", given)
      assert.is_false(ok)
      assert.is_truthy(message:find(words, 1, true), message)
    end)
  end

  for words, rule in pairs {
    ["the run"] = [[request.method == "POST" and request.path:find "testexecutions$"]],
    ["the start of a case"] = [[request.path:find "/start$" and request.number == 1]],
    ["the end of a case"] = [[request.path:find "/finish$" and request.number == 1]],
    ["the reason"] = [[request.method == "POST" and request.path:find "/override%-result$"]],
  } do
    it("is whole where an answer was lost to " .. words, function()
      through(("return function(request) if %s then return { lose = true } end end"):format(rule), function(c, between)
        local run = assert(c.tests:report("DEMO:43", results))
        assert.same({ total = 4, passed = 1, failed = 1, none = 1, restricted = 1 }, run.counts)
        assert.equal(1, between.count "^POST .*testexecutions$")
      end, { max_attempts = 2 })
    end)
  end
end)

it("a report tells what may have been done, whatever fails, and repeats nothing", function()
  local cases = steps.try_all {
    run = function()
      return client.tests:report("DEMO:43", { { case = "DEMO:2", result = "Failed", reason = "x" } })
    end,
    verify = function(_, log)
      local run = log.results[1]
      if run then assert.same({ total = 1, passed = 0, failed = 1, none = 0, restricted = 0 }, run.counts) end
    end,
  }
  assert.is_true(cases > 20)
end)

describe("Orchestrator's own test sets", function()
  local function inside(options)
    return uipath.connect(options or sandbox.options):folder "Shared"
  end

  it("are run and judged, too", function()
    local run = assert(inside().tests:run({ orchestrator = "Invoice checks" }, often()))
    assert.is_true(run.passed)
    assert.same({ total = 3, passed = 3, failed = 0, none = 0, restricted = 0 }, run.counts)
    assert.equal("orchestrator/" .. ("%d"):format(run.id), run.ref)
    run = assert(client.tests:run({ orchestrator = "Order checks" }, often { folder = "Shared" }))
    assert.is_false(run.passed)
    local case = run.cases[2]
    assert.same({ "Cancel an order", "Failed", "One or more assertions failed" }, { case.name, case.result, case.reason })
    assert.same({ { message = "Cancel an order is as expected", passed = false } }, case.assertions)
    local again = assert(inside().tests:result(run.ref))
    assert.same(run.counts, again.counts)
  end)

  for words, action in pairs { ["lost"] = "{ lose = true }", ["never sent on"] = "{ refuse = true }" } do
    it("are started once, where an answer was " .. words, function()
      through(([[return function(request)
        if request.path:find "WithOptions" and request.number == 1 then return %s end
      end]]):format(action), function(c, between)
        local function count()
          return assert(inside():count("odata/TestSetExecutions"))
        end
        local before = count()
        local run = assert(c:folder("Shared").tests:run({ orchestrator = "Invoice checks" }, often()))
        assert.is_true(run.passed)
        assert.equal(before + 1, count())
        assert.equal(2, between.count "WithOptions")
      end)
    end)
  end

  for words, statement in pairs {
    ["a run that has failed without a failed case"] = 'if answer.Status == "Passed" then answer.Status = "Failed" end',
    ["a case that was cancelled"] = [[if answer.Status == "Passed" then answer.TestCaseExecutions[1].Status = "Cancelled" end]],
  } do
    it("are not green for " .. words, function()
      through(([[return function(request)
        if request.path:find "TestSetExecutions%%(" then
          return { change = function(body)
            local cjson = require "cjson"
            local answer = cjson.decode(body)
            %s
            return cjson.encode(answer)
          end }
        end
      end]]):format(statement), function(c)
        local run = assert(c:folder("Shared").tests:run({ orchestrator = "Invoice checks" }, often()))
        assert.is_false(run.passed)
        assert.is_truthy(client.tests:junit(run):find("<error ", 1, true))
      end)
    end)
  end
end)

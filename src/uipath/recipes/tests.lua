-- client.tests: runs of test sets, in Test Manager or by Orchestrator itself, and their verdict. Test Manager belongs to no folder, so that
-- none goes along; Orchestrator's own sets are in one.

local internal = require "uipath.internal"
local junit = require "uipath.recipes.tests.junit"
local lists = require "uipath.recipes.tests.lists"
local manager = require "uipath.recipes.tests.manager"
local orchestrator = require "uipath.recipes.tests.orchestrator"
local places = require "uipath.recipes.tests.places"
local report = require "uipath.recipes.tests.report"
local shared = require "uipath.recipes.shared"
local start = require "uipath.recipes.tests.start"
local verdict = require "uipath.recipes.tests.verdict"
local waiting = require "uipath.recipes.tests.waiting"

local failure, text, with = shared.failure, shared.text, shared.with
local raise, outside, inside, check_set, read_ref = places.raise, places.outside, places.inside, places.check_set, places.read_ref

local ASSERTIONS = 200
local T = "testmanager_/api/v2/"

-- A run in Test Manager as a target (waiting.lua).
---@param set? table nil: that of a run that has been started
local function target_of(client, project, set, options)
  local call = outside(options.call)
  local target = {
    name = set and set.name, test_set = set and set.key, project = project.prefix,
    pending = ("the project %s needs a folder of Orchestrator, and the folder a robot for tests that is free"):format(project.prefix),
  }
  function target.start(deadline) return start.run(client, project, set, call, deadline) end
  function target.ref(id) return project.prefix .. "/" .. id end
  function target.url(id) return manager.url(project, id) end
  function target.state(id)
    local path = manager.path(project, "testexecutions/" .. id)
    local row, err
    if not target.has_no_stats then row, err = client:get(path .. "/withstats", with(call)) end
    if target.has_no_stats or (row == nil and (err.status == 404 or err.status == 405)) then
      row, err = client:get(path, with(call))
      target.has_no_stats = row ~= nil
    end
    if row == nil then
      if manager.is_missing(err) then err.kind, err.message = "not_found", "there is no run " .. target.ref(id) end
      return nil, err
    end
    local state
    state, err = verdict.state(row, id)
    if not state then return nil, err end
    if set and text(row.testSetId) and row.testSetId ~= set.id then return nil, failure("decode", "the run is one of another test set") end
    target.name = target.name or text(row.name) or text(row.testSetObjKey)
    target.test_set = target.test_set or text(row.testSetObjKey)
    return state
  end
  function target.cases(id, patience)
    return verdict.cases(client, project, id, patience and with(call, { timeout = patience, max_attempts = 1 }) or call)
  end
  function target.run(id, state, cases)
    local row = state.row
    verdict.add_evidence(client, project, cases, options.assertions or ASSERTIONS, row.source == "ThirdParty", call)
    local run = verdict.run({
      id = id, ref = target.ref(id), url = target.url(id), name = target.name, test_set = target.test_set, project = project.prefix,
      status = state.status, row = row, started = text(row.executionStart), ended = text(row.executionFinished),
    }, cases)
    run.test_set_id, run.project_id = text(row.testSetId), project.id
    return run
  end
  function target.results(id, state)
    local cases, err = verdict.final_cases(client, project, id, call, state, function()
      local now, problem = target.state(id)
      if now and not now.is_over then return nil, failure("decode", "the run was over, and goes on again") end
      state = now or state
      return now, problem
    end)
    if not cases then return nil, err end
    return target.run(id, state, cases)
  end
  return target
end

-- Where the test set is that a script means; and what it is called before it was found.
local function find_target(client, reference, options)
  if type(reference) == "table" and reference.orchestrator ~= nil then
    local set, call = orchestrator.set(client, reference.orchestrator, options.call)
    if not set then return nil, call end
    return orchestrator.target(client, set, call)
  end
  local set, project = manager.set(client, reference, outside(options.call))
  if not set then return nil, project end
  return target_of(client, project, set, options), project, set
end

local function called(reference)
  if type(reference) ~= "table" then return tostring(reference) end
  return tostring(reference.objKey or reference.name or reference.orchestrator or reference.ref or reference.id)
end

-- Where a run is that has been started.
local function find_run(client, method, ref, options)
  local name, id = read_ref(method, ref)
  if name == "orchestrator" and id:find "^%d+$" then
    local call, err = inside(client, options.call)
    if not call then return nil, err end
    return orchestrator.target(client, nil, call), tonumber(id)
  end
  local project, err = manager.project(client, name, outside(options.call))
  if not project then return nil, err end
  return target_of(client, project, nil, options), id, project
end

-- ---------------------------------------------------------------------------
-- Running
-- ---------------------------------------------------------------------------

local function deadline_of(options)
  return internal.now() + (options.timeout or waiting.TIMEOUT)
end

-- Changes the set's parameters for the time of a run. What was there before is put back whatever comes of it.
local function with_parameters(client, options, work)
  if not options.parameters then return work(function() return true end) end
  local place, undo = {}, {}
  local function change(project, set)
    if not set then return nil, failure("usage", "only test sets of Test Manager have parameters to change") end
    place.project, place.set = project, set
    return manager.change_parameters(client, project, set, options.parameters, outside(options.call), undo)
  end
  local function restore()
    if not undo.former then return true end
    return manager.restore_parameters(client, place.project, place.set, undo.former, outside(options.call))
  end
  local ok, run, err = pcall(work, change)
  local restored, problem = restore()
  if not ok then error(run, 0) end
  if restored then return run, err end
  if run then
    problem.run = run
    return nil, problem
  end
  err.hint = (err.hint and err.hint .. "; " or "") .. problem.message
  return nil, err
end

local function run(client, reference, options)
  check_set("run", reference)
  local deadline = deadline_of(options)
  return with_parameters(client, options, function(change)
    return waiting.with_junit(options.junit, called(reference), function(context)
      local target, project, set = find_target(client, reference, options)
      if not target then return nil, project end
      context.target = target
      if options.parameters then
        context.is_hasty = true
        local changed, err = change(project, set)
        if not changed then return nil, err end
      end
      return waiting.finish(target, nil, options, deadline, context)
    end)
  end)
end

-- A run as it is now.
local function snapshot(target, id, state)
  local cases, err = target.cases(id)
  if not cases then return nil, err end
  if target.run then return target.run(id, state, cases) end
  local about = { id = id, ref = target.ref(id), name = target.name, test_set = target.test_set, status = state.status, denied = true }
  return verdict.run(about, cases)
end

local function result(client, ref, options)
  read_ref("result", ref)
  return waiting.with_junit(options.junit, called(ref), function(context)
    local target, id = find_run(client, "result", ref, options)
    if not target then return nil, id end
    if options.wait then
      local how = { timeout = options.wait, poll = options.poll, on_progress = options.on_progress }
      return waiting.finish(target, id, how, internal.now() + options.wait, context)
    end
    context.target, context.id = target, id
    local state, err = target.state(id)
    if not state then return nil, err end
    context.state = state
    if state.is_over then return target.results(id, state) end
    return snapshot(target, id, state)
  end)
end

-- Waits until a run that is done again has begun anew: until then it looks as it did before.
local function ignore_former(target, former)
  local state = target.state
  local function ended(row) return tostring(row.executionFinished) end
  function target.state(id)
    local now, err = state(id)
    if now and id == former.id and now.is_over and ended(now.row) == former.ended then now.is_over = false end
    return now, err
  end
end

local function rerun(client, former, options)
  if type(former) ~= "table" or type(former.cases) ~= "table" then raise("rerun", "run must be a run, as tests:run gives it") end
  read_ref("rerun", former)
  local logs = {}
  for _, case in ipairs(former.cases) do
    if case.result == "Failed" then logs[#logs + 1] = case.id end
  end
  if #logs == 0 then return nil, failure("usage", "no case of the run has failed") end
  local deadline = deadline_of(options)
  return waiting.with_junit(options.junit, called(former), function(context)
    local target, id, project = find_run(client, "rerun", former, options)
    if not target then return nil, id end
    if not project then return nil, failure("usage", "Orchestrator's own runs are not done again in part: run the set") end
    local state, err = target.state(id)
    if not state then return nil, err end
    if not state.is_over then return nil, failure("conflict", "the run goes on") end
    local set = { id = text(state.row.testSetId) or "" }
    ignore_former(target, { id = id, ended = tostring(state.row.executionFinished) })
    function target.start(till) return start.again(client, project, set, id, logs, outside(options.call), till) end
    return waiting.finish(target, nil, options, deadline, context)
  end)
end

-- ---------------------------------------------------------------------------
-- Other tools
-- ---------------------------------------------------------------------------

local function send_report(client, reference, results, options)
  check_set("report", reference)
  local wrong = report.objection(results)
  if wrong then raise("report", "results%s%s", wrong:find "^%[" and "" or " ", wrong) end
  if type(reference) == "table" and reference.orchestrator ~= nil then
    return nil, failure("usage", "results of other tools go to Test Manager: Orchestrator takes none")
  end
  return waiting.with_junit(options.junit, called(reference), function(context)
    local target, project, set = find_target(client, reference, options)
    if not target then return nil, project end
    context.target = target
    local execution, err = report.send(client, project, set, results, outside(options.call))
    if not execution then return nil, err end
    context.id = execution.id
    local state
    state, err = target.state(execution.id)
    if not state then return nil, err end
    local done
    if state.is_over then done, err = target.results(execution.id, state) else done, err = snapshot(target, execution.id, state) end
    if not done then return nil, err end
    wrong = report.difference(done, results)
    if not wrong then return done end
    return nil, failure("failed", "the results do not stand in Test Manager as they were sent: " .. wrong, { run = done })
  end)
end

-- ---------------------------------------------------------------------------

-- A request of Test Manager with its scopes, which are known from pipelines that run: hardly any are published.
local function ask(method, path, resource)
  local access = method == "GET" and ".Read" or ".Write"
  return { method, T .. path, scopes = resource .. " or " .. resource .. access }
end

local PROJECT = ask("GET", "projects/prefix/{projectPrefix}", "TM.Projects")
local PROJECTS = ask("GET", "projects", "TM.Projects")
local SETS = ask("GET", "{projectId}/testsets", "TM.TestSets")
local SET = ask("GET", "{projectId}/testsets/objkey/{objKey}", "TM.TestSets")
local START = ask("POST", "{projectId}/testsets/{id}/startexecute", "TM.TestSets")
local STATE = ask("GET", "{projectId}/testexecutions/{id}/withstats", "TM.TestExecutions")
local EXECUTIONS = ask("GET", "{projectId}/testexecutions", "TM.TestExecutions")
local REPORT = ask("POST", "{projectId}/testexecutions", "TM.TestExecutions")
local LOGS = ask("GET", "{projectId}/testcaselogs/testexecution/{testExecutionId}/paged", "TM.TestExecutions")
local AGAIN = ask("POST", "{projectId}/testcaselogs/re-execute", "TM.TestExecutions")
local EVIDENCE = ask("GET", "{projectId}/testcaselogs/{id}/assertions", "TM.TestExecutions")
START.scopes = ("(%s) and (TM.TestExecutions or TM.TestExecutions.Write)"):format(START.scopes)

local JUNIT = { "text", "write the results into this file, which is red wherever the verdict is" }
local EVIDENCE_OPTION = { "number", "of so many failed cases the assertions are fetched: 200" }
local WAIT_OPTIONS = {
  timeout = { "seconds", "how long to wait, 14400 s; the run goes on" },
  poll = { "seconds", "how often to ask; from 5 s on ever more rarely, at last every 30 s" },
  junit = JUNIT, assertions = EVIDENCE_OPTION,
  on_progress = { "function", "called with the cases that are done, all cases, and those that failed" },
  on_start = { "function", "called with the run's ref and url as soon as it has been started" },
}

return {
  name = "tests",
  help = "tests: runs of test sets, their verdict and their results",
  methods = {
    {
      name = "run", help = "runs a test set and waits for its verdict", waits = true,
      arguments = { { "test_set", "string|table" } },
      options = with(WAIT_OPTIONS, { parameters = { "table", "of the set, by name, for everybody while it runs; put back afterwards" } }),
      calls = { PROJECT, SET, EXECUTIONS, START, STATE, LOGS, EVIDENCE },
      run = run,
    },
    {
      name = "result", help = "what came of a run, or how far it is",
      arguments = { { "ref", "string|table" } },
      options = {
        junit = JUNIT, assertions = EVIDENCE_OPTION, wait = { "seconds", "wait so long for its end" }, poll = WAIT_OPTIONS.poll,
        on_progress = WAIT_OPTIONS.on_progress,
      },
      calls = { PROJECT, STATE, LOGS, EVIDENCE },
      run = result,
    },
    {
      name = "rerun", help = "runs the failed cases of a run once more", waits = true,
      arguments = { { "run", "table" } },
      options = WAIT_OPTIONS,
      calls = { PROJECT, EXECUTIONS, AGAIN, STATE, LOGS, EVIDENCE },
      run = rerun,
    },
    {
      name = "junit", help = "a run as the text of a JUnit file",
      arguments = { { "run", "table" } },
      calls = {},
      run = function(_, given)
        if type(given.cases) ~= "table" then raise("junit", "run must be a run, as tests:run gives it") end
        return junit.write(given, waiting.problem_of(given))
      end,
    },
    {
      name = "sets", help = "iterates over the test sets", iterates = true, paging = true,
      arguments = {},
      options = { project = { "text", "of this project alone" } },
      calls = { PROJECTS, PROJECT, SETS },
      run = lists.sets,
    },
    {
      name = "cases", help = "iterates over the test cases of a set", iterates = true,
      arguments = { { "test_set", "string|table" } },
      calls = {
        PROJECT, SET, ask("GET", "{projectId}/testsets/{id}/assignedtestcaseids", "TM.TestSets"),
        ask("GET", "{projectId}/testcases/{id}", "TM.TestCases"),
      },
      run = lists.cases,
    },
    {
      name = "executions", help = "iterates over the runs of a set, the newest first", iterates = true,
      arguments = { { "test_set", "string|table" } },
      calls = { PROJECT, SET, EXECUTIONS },
      run = lists.executions,
    },
    {
      name = "attachments", help = "the files of a case of a run, for client:download",
      arguments = { { "case", "table" } },
      calls = { ask("GET", "{projectId}/attachments/{objectType}/{id}/all", "TM.Attachments") },
      run = lists.attachments,
    },
    {
      name = "report", help = "writes results of another tool as a run",
      arguments = { { "test_set", "string|table" }, { "results", "table" } },
      options = { junit = JUNIT },
      calls = {
        PROJECT, SET, ask("GET", "{projectId}/testcases/objkey/{objKey}", "TM.TestCases"), REPORT,
        ask("POST", "{projectId}/testcaselogs/testexecution/{id}/start", "TM.TestExecutions"),
        ask("POST", "{projectId}/testcaselogs/testexecution/{id}/finish", "TM.TestExecutions"),
        ask("POST", "{projectId}/testcaselogs/{id}/override-result", "TM.TestExecutions"), STATE, LOGS,
      },
      run = send_report,
    },
  },
}

-- client.tests: runs of test sets, in Test Manager or by Orchestrator itself, and their verdict. Test Manager belongs to no folder, so that
-- none goes along; Orchestrator's own sets are in one.

local internal = require "uipath.internal"
local junit = require "uipath.recipes.tests.junit"
local manager = require "uipath.recipes.tests.manager"
local orchestrator = require "uipath.recipes.tests.orchestrator"
local report = require "uipath.recipes.tests.report"
local shared = require "uipath.recipes.shared"
local start = require "uipath.recipes.tests.start"
local verdict = require "uipath.recipes.tests.verdict"
local waiting = require "uipath.recipes.tests.waiting"

local failure, text, with = shared.failure, shared.text, shared.with

local ASSERTIONS = 200
local T = "testmanager_/api/v2/"

-- ---------------------------------------------------------------------------
-- Places
-- ---------------------------------------------------------------------------

local function raise(method, ...)
  internal.raise(("tests:%s: %s"):format(method, (...):format(select(2, ...))))
end

-- The requests' options for Test Manager, which knows no folders.
local function outside(call) return with(call, { folder = false }) end

-- The requests' options for Orchestrator's test sets; an error where no folder is named.
local function inside(client, call)
  if call.folder or (call.folder == nil and internal.option(client, "folder")) or call.headers then return call end
  return nil, failure("usage", "Orchestrator's own test sets are in a folder, and none is named",
    { hint = 'give one: { folder = "Shared" }, or client:folder("Shared"); in the shell --folder Shared' })
end

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
    local call, err = inside(client, options.call)
    if not call then return nil, err end
    local set
    set, err = orchestrator.set(client, reference.orchestrator, call)
    if not set then return nil, err end
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

local function check_set(method, reference)
  local wrong = manager.objection(reference)
  if wrong then raise(method, "test_set %s", wrong) end
end

-- What names a run: its project or "orchestrator", and its id. Raises what does not.
local function read_ref(method, ref)
  if type(ref) == "table" and text(ref.ref) then ref = ref.ref end
  if type(ref) == "table" and text(ref.project) and text(ref.id) then return ref.project, ref.id end
  local project, id = nil, nil
  if type(ref) == "string" then project, id = ref:match "^([%w_-]+)/([%w-]+)$" end
  if not project then raise(method, 'ref must be a run, its ref such as "DEMO/<id>", or { project = "DEMO", id = … }') end
  return project, id
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
-- Lists
-- ---------------------------------------------------------------------------

-- The options of a walk.
local function walk_options(options) return outside(options.call) end

local function sets(client, options)
  local call = walk_options(options)
  if options.project then
    local project, err = manager.project(client, options.project, outside {})
    if not project then return nil, err end
    return client:each(manager.path(project, "testsets"), call)
  end
  local projects, err = client:collect(T .. "projects", outside {})
  if not projects then return nil, err end
  local next_project, rows, number = 1, nil, 0
  return function()
    while true do
      local row = rows and rows()
      if row then
        number = number + 1
        return row, number
      end
      if not projects[next_project] then return nil end
      rows = client:each(manager.path(projects[next_project], "testsets"), with(call))
      next_project = next_project + 1
    end
  end
end

-- An iterator of a list.
local function over(list)
  local number = 0
  return function()
    number = number + 1
    if list[number] ~= nil then return list[number], number end
  end
end

local function cases(client, reference, options)
  check_set("cases", reference)
  if type(reference) == "table" and reference.orchestrator ~= nil then
    local call, err = inside(client, options.call)
    if not call then return nil, err end
    local set
    set, err = orchestrator.set(client, reference.orchestrator, call)
    if set then set, err = client:get(shared.entity("odata/TestSets", set.Id), with(call, { expand = "TestCases($expand=Definition)" })) end
    if not set then return nil, err end
    return over(type(set.TestCases) == "table" and set.TestCases or {})
  end
  local call = outside(options.call)
  local set, project = manager.set(client, reference, call)
  if not set then return nil, project end
  local answer, err = client:get(manager.path(project, "testsets/" .. set.id .. "/assignedtestcaseids"), with(call))
  if answer == nil then return nil, err end
  local ids = type(answer) == "table" and (type(answer.data) == "table" and answer.data or answer)
  if not ids or (ids[1] == nil and next(ids) ~= nil) then return nil, failure("decode", "the cases of the test set are no list") end
  local found, problem = manager.cases(client, project, ids, call)
  local list = {}
  for i, id in ipairs(ids) do
    if not found[id] then return nil, problem or failure("decode", ("the case %s of the test set is not there"):format(tostring(id))) end
    list[i] = found[id]
  end
  return over(list)
end

local function executions(client, reference, options)
  check_set("executions", reference)
  if type(reference) == "table" and reference.orchestrator ~= nil then
    local call, err = inside(client, options.call)
    if not call then return nil, err end
    local set
    set, err = orchestrator.set(client, reference.orchestrator, call)
    if not set then return nil, err end
    return client:each("odata/TestSetExecutions", with(call, { filter = { "TestSetId eq ?", set.Id }, orderby = "Id desc" }))
  end
  local call = outside(options.call)
  local set, project = manager.set(client, reference, call)
  if not set then return nil, project end
  local rows, number = client:each(manager.path(project, "testexecutions"), with(call, { orderby = "created desc" })), 0
  return function()
    for row in rows do
      if row.testSetId == set.id then
        number = number + 1
        return row, number
      end
    end
  end
end

-- An attachment is an access object: it says where it is and that our token is wanted there.
local function attachments(client, case, options)
  if type(case) ~= "table" or not text(case.id) or not text(case.project_id) then
    raise("attachments", "case must be one of a run's cases in Test Manager")
  end
  local project = { id = case.project_id }
  local answer, response = client:get(manager.path(project, ("attachments/testcaselog/%s/all"):format(case.id)), outside(options.call))
  if answer == nil then return nil, response end
  local rows = type(answer) == "table" and (type(answer.data) == "table" and answer.data or answer)
  if not rows or (rows[1] == nil and next(rows) ~= nil) then return nil, failure("decode", "the attachments are no list") end
  local root = tostring(response.url):match "^(.*/)testmanager_/" or ""
  local list = {}
  for i, row in ipairs(rows) do
    if type(row) ~= "table" or not text(row.id) then return nil, failure("decode", "an attachment has no id") end
    list[i] = with(row, {
      path = manager.path(project, ("attachments/%s/download"):format(row.id)),
      Uri = root .. manager.path(project, ("attachments/%s/download"):format(row.id)), Verb = "GET", RequiresAuth = true,
      Headers = { Keys = {}, Values = {} },
    })
  end
  return list
end

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

local PROJECT = { "GET", T .. "projects/prefix/{projectPrefix}" }
local PROJECTS = { "GET", T .. "projects" }
local SETS = { "GET", T .. "{projectId}/testsets" }
local SET = { "GET", T .. "{projectId}/testsets/objkey/{objKey}" }
local STATE = { "GET", T .. "{projectId}/testexecutions/{id}/withstats" }
local EXECUTIONS = { "GET", T .. "{projectId}/testexecutions" }
local LOGS = { "GET", T .. "{projectId}/testcaselogs/testexecution/{testExecutionId}/paged" }
local EVIDENCE = { "GET", T .. "{projectId}/testcaselogs/{id}/assertions" }

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
      calls = { PROJECT, SET, EXECUTIONS, { "POST", T .. "{projectId}/testsets/{id}/startexecute" }, STATE, LOGS, EVIDENCE },
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
      calls = { PROJECT, EXECUTIONS, { "POST", T .. "{projectId}/testcaselogs/re-execute" }, STATE, LOGS, EVIDENCE },
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
      run = sets,
    },
    {
      name = "cases", help = "iterates over the test cases of a set", iterates = true,
      arguments = { { "test_set", "string|table" } },
      calls = {
        PROJECT, SET, { "GET", T .. "{projectId}/testsets/{id}/assignedtestcaseids" }, { "GET", T .. "{projectId}/testcases/{id}" },
      },
      run = cases,
    },
    {
      name = "executions", help = "iterates over the runs of a set, the newest first", iterates = true,
      arguments = { { "test_set", "string|table" } },
      calls = { PROJECT, SET, EXECUTIONS },
      run = executions,
    },
    {
      name = "attachments", help = "the files of a case of a run, for client:download",
      arguments = { { "case", "table" } },
      calls = { { "GET", T .. "{projectId}/attachments/{objectType}/{id}/all" } },
      run = attachments,
    },
    {
      name = "report", help = "writes results of another tool as a run",
      arguments = { { "test_set", "string|table" }, { "results", "table" } },
      options = { junit = JUNIT },
      calls = {
        PROJECT, SET, { "GET", T .. "{projectId}/testcases/objkey/{objKey}" }, { "POST", T .. "{projectId}/testexecutions" },
        { "POST", T .. "{projectId}/testcaselogs/testexecution/{id}/start" },
        { "POST", T .. "{projectId}/testcaselogs/testexecution/{id}/finish" },
        { "POST", T .. "{projectId}/testcaselogs/{id}/override-result" }, STATE, LOGS,
      },
      run = send_report,
    },
  },
}

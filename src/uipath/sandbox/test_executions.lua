--- Runs of Test Manager's test sets. Nothing happens while one runs: what there is to see is worked
--- out from the time that has passed since its start. Results of other tools are stored.

local json = require("uipath.sandbox.json")
local rows = require("uipath.sandbox.rows")
local test_sets = require("uipath.sandbox.test_sets")

local null = json.null

local test_executions = {}

--- Seconds until a robot takes up what has been started.
local PENDING = 0.3

local NO_JOB = "00000000-0000-0000-0000-000000000000"

--- All runs, the oldest first; and what is found by its id.
local list, by_id, logs_by_id, attachments_by_id = {}, {}, {}, {}
local created = 0

local function timestamp(at)
  local whole = math.floor(at)
  return os.date("!%Y-%m-%dT%H:%M:%S", whole) .. (".%03dZ"):format((at - whole) * 1000)
end

local function new_guid(kind)
  created = created + 1
  return rows.guid(kind, created)
end

local function add(execution)
  execution.id, execution.began, execution.run_id = new_guid(21), ngx.now(), 0
  list[#list + 1], by_id[execution.id] = execution, execution
  for _, log in ipairs(execution.logs) do
    log.id, log.execution = new_guid(22), execution
    logs_by_id[log.id] = log
    for _, attachment in ipairs(log.attachments or {}) do attachments_by_id[attachment.id] = attachment end
  end
  return execution
end

--- A log of a case, with what will come of it so many seconds after the start.
local function log_of(case, outcome, from, till, variation)
  local log = { case = case, from = from, till = till, result = outcome.result,
    reason = outcome.reason, assertions = outcome.assertions, job = new_guid(23),
    variation = variation, attachments = {} }
  for index, attachment in ipairs(outcome.attachments or {}) do
    log.attachments[index] = { id = new_guid(24), name = attachment.name, content = attachment.content }
  end
  return log
end

--- Starts a run of a set.
---@param set table  of test_sets.lua
---@param wanted? table<integer, boolean>  positions of the cases to run; all of them otherwise
function test_executions.start(set, wanted)
  local logs, count = {}, set.cases * set.variations
  local share = set.seconds / count
  for position = 1, count do
    if not wanted or wanted[position] then
      local number = (position - 1) % set.cases + 1
      local case = test_sets.case(number, test_sets.project.id, test_sets.project.prefix)
      local variation = set.variations > 1 and math.ceil(position / set.cases) or nil
      local from = PENDING + (position - 1) * share
      local log = log_of(case, set.outcome(position), from, from + share, variation)
      log.position = position
      logs[#logs + 1] = log
    end
  end
  return add { set = set, type = "Automated", source = "TestManager", source_details = "",
    name = set.name, logs = logs, seconds = PENDING + set.seconds }
end

--- Runs the failed cases of a run once more.
function test_executions.start_again(execution)
  local wanted = {}
  for _, log in ipairs(execution.logs) do
    if log.result == "Failed" and log.position then wanted[log.position] = true end
  end
  return test_executions.start(execution.set, wanted)
end

--- Makes a run for the results of another tool.
function test_executions.report(set, cases, name, source, details)
  local logs = {}
  for index, case in ipairs(cases) do logs[index] = { case = case, result = "None", attachments = {} } end
  return add { set = set, type = "Manual", source = source, source_details = details, name = name,
    logs = logs, reported = true }
end

function test_executions.find(id) return by_id[id] end
function test_executions.find_log(id) return logs_by_id[id] end
function test_executions.find_attachment(id) return attachments_by_id[id] end

--- The newest first.
function test_executions.count() return #list end
function test_executions.at(position) return list[#list + 1 - position] end

--- What a log's result is by now.
function test_executions.result(log)
  if log.execution.reported then return log.result end
  return ngx.now() >= log.execution.began + log.till and log.result or "None"
end

function test_executions.status(execution)
  if execution.reported then
    for _, log in ipairs(execution.logs) do
      if not log.finished then return "Running" end
    end
    return "Finished"
  end
  local age = ngx.now() - execution.began
  if age < PENDING then return "Pending" end
  return age < execution.seconds and "Running" or "Finished"
end

local function ended_at(execution)
  if test_executions.status(execution) ~= "Finished" then return nil end
  return execution.reported and execution.ended or execution.began + execution.seconds
end

--- A run as the service shows it.
---@param with_stats? boolean
function test_executions.show(execution, with_stats)
  local ended = ended_at(execution)
  local shown = {
    id = execution.id, name = execution.name, projectId = test_sets.project.id,
    testSetId = execution.set.id, testSetObjKey = execution.set.obj_key,
    status = test_executions.status(execution), executionType = execution.type,
    source = execution.source, sourceDetails = execution.source_details, runId = execution.run_id,
    created = timestamp(execution.began),
    executionStart = timestamp(execution.began),
    executionFinished = ended and timestamp(ended) or null,
  }
  if with_stats then
    local counts = { Passed = 0, Failed = 0, None = 0, Restricted = 0 }
    for _, log in ipairs(execution.logs) do
      local result = test_executions.result(log)
      counts[result] = counts[result] + 1
    end
    shown.passed, shown.failed, shown.none, shown.restricted =
      counts.Passed, counts.Failed, counts.None, counts.Restricted
    shown.isRunningAutomated = shown.status == "Running" and execution.type == "Automated"
  end
  return shown
end

--- A log as the service shows it. That a test has failed is no error of the service's.
function test_executions.show_log(log)
  local execution = log.execution
  local result = test_executions.result(log)
  local from = log.from and execution.began + log.from or log.began
  local till = log.till and execution.began + log.till or log.ended
  if till and till > ngx.now() then till = nil end
  if from and from > ngx.now() then from = nil end
  return {
    id = log.id, testExecutionId = execution.id, testCaseId = log.case.id,
    testCase = { id = log.case.id, objKey = log.case.objKey, name = log.case.name },
    result = result, originalResult = log.original or result,
    resultReason = till and result ~= "Passed" and not log.override and log.reason or "",
    status = till and "Finished" or from and "Running" or "Pending", hasError = false,
    dataVariationIdentifier = log.variation and "data " .. log.variation or null,
    executionStart = from and timestamp(from) or null,
    executionEnd = till and timestamp(till) or null,
    robotName = till and not execution.reported and "robot-1" or null,
    hostMachineName = till and not execution.reported and "test-runner" or null,
    jobKey = log.job or NO_JOB, runId = execution.run_id, executedBy = log.executed_by or null,
    detailLink = log.detail_link or null,
  }
end

--- Notes that another tool has begun a case.
function test_executions.begin_log(log)
  log.began = log.began or ngx.now()
end

--- Notes what came of it. That wipes an override, as the service does.
function test_executions.finish_log(log, result, executed_by, detail_link)
  test_executions.begin_log(log)
  log.result, log.finished, log.ended = result, true, ngx.now()
  log.override, log.original = nil, nil
  log.executed_by, log.detail_link = executed_by, detail_link
  log.execution.ended = log.ended
end

--- Sets a result by hand. A log has at most one such override: false for a second one.
function test_executions.override(log, result, reason)
  if log.override then return false end
  log.override = { id = new_guid(25), currentResult = result, reason = reason }
  log.original, log.result = log.result, result
  return true
end

return test_executions

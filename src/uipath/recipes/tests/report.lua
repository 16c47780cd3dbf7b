-- Results of another tool as a run in Test Manager.

local internal = require "uipath.internal"
local lost = require "uipath.recipes.lost"
local manager = require "uipath.recipes.tests.manager"
local shared = require "uipath.recipes.shared"
local uipath = require "uipath"
local verdict = require "uipath.recipes.tests.verdict"

local failure, text, with = shared.failure, shared.text, shared.with

local report = {}

local RESULTS = { "Passed", "Failed", "None", "Restricted" }
local IS_RESULT = {}
for _, word in ipairs(RESULTS) do IS_RESULT[word] = true end

local TOOL = "uipath (Lua)"
local AT_A_TIME = 4

---What is wrong with a list of results, or nil.
---@return string?
function report.objection(results)
  if type(results) ~= "table" or (results[1] == nil and next(results) ~= nil) then return "must be a list of { case =, result = }" end
  if #results == 0 then return "must not be empty" end
  local seen = {}
  for index, each in ipairs(results) do
    local function wrong(...) return ("[%d] %s"):format(index, (...):format(select(2, ...))) end
    if type(each) ~= "table" then return wrong("must be a table, got %s", type(each)) end
    if type(each.case) ~= "string" or not each.case:find "^[%w_-]+:%d+$" then return wrong 'case must be a key such as "DEMO:7"' end
    if seen[each.case] then return wrong("case %s is there twice", each.case) end
    seen[each.case] = true
    if not IS_RESULT[each.result] then
      local near = type(each.result) == "string" and internal.suggestion(each.result, RESULTS) or ""
      return wrong("result must be Passed, Failed, None or Restricted, got %s%s", tostring(each.result), near)
    end
    if each.reason ~= nil and type(each.reason) ~= "string" then return wrong("reason must be a string, got %s", type(each.reason)) end
    for name in pairs(each) do
      if name ~= "case" and name ~= "result" and name ~= "reason" then
        return wrong("unknown field '%s'%s", tostring(name), internal.suggestion(tostring(name), { "case", "result", "reason" }))
      end
    end
  end
end

-- Makes the run. Its name is ours alone, so that it is found again where the answer was lost.
local function create(client, project, set, cases, call)
  local name = ("%s %s %s"):format(set.name, os.date "!%Y-%m-%d %H:%M:%S", shared.guid():sub(1, 8))
  local ids = {}
  for i, each in ipairs(cases) do ids[i] = each.id end
  local answer, err = client:post(manager.path(project, "testexecutions"), {
    projectId = project.id, testSetId = set.id, testCaseIds = uipath.array(ids), name = name, source = "ThirdParty", sourceDetails = TOOL,
  }, with(call))
  if type(answer) == "table" and text(answer.id) then return answer end
  if answer ~= nil then err = failure("decode", "the answer has no id of the run") end
  return lost.settle(client, err, call, function(options)
    local page = client:get(manager.path(project, "testexecutions"), with(options, { top = 50, orderby = "created desc" }))
    for _, row in ipairs(type(page) == "table" and type(page.data) == "table" and page.data or {}) do
      if type(row) == "table" and row.name == name and text(row.id) then return row end
    end
  end)
end

-- The id of the log that a case has in the run. nil: it has none (yet).
local function log_of(client, project, execution, case, call)
  local rows = client:collect(manager.path(project, ("testcaselogs/testexecution/%s/paged"):format(execution.id)), with(call))
  for _, row in ipairs(rows or {}) do
    if type(row) == "table" and row.testCaseId == case.id and text(row.id) then return row end
  end
end

-- Begins a case, ends it with its result, and adds the reason, which Test Manager has in a correction by hand: one that ends a case
-- wipes those.
local function write(client, project, execution, case, result, call)
  local run_id = type(execution.runId) == "number" and execution.runId or 0
  local base = manager.path(project, "testcaselogs/")
  local within = base .. "testexecution/" .. execution.id
  local log, err = client:post(within .. "/start", { testCaseId = case.id, runId = run_id }, with(call))
  if type(log) ~= "table" or not text(log.id) then
    if log ~= nil then err = failure("decode", "the answer has no id of the log") end
    log, err = lost.settle(client, err, call, function(options) return log_of(client, project, execution, case, options) end)
    if not log then return nil, err end
  end
  -- To end it once more writes the same again.
  local done
  done, err = client:post(within .. "/finish", {
    testCaseId = case.id, result = result.result, hasError = result.result == "Failed", runId = run_id, isPostConditionMet = true,
    executedBy = TOOL,
  }, with(call, { idempotent = true }))
  if done == nil then return nil, err end
  if not text(result.reason) then return true end
  done, err = client:post(base .. log.id .. "/override-result", { currentResult = result.result, reason = result.reason }, with(call))
  if done == nil and lost.is(err) then
    -- A log has one at most: it is there, or it is not.
    done = client:get(base .. log.id .. "/override-result", with(call))
  end
  if done == nil then return nil, err end
  return true
end

---Writes results.
---@return table? execution with id
---@return uipath.Error? err
function report.send(client, project, set, results, call)
  local keys = {}
  for i, each in ipairs(results) do keys[i] = each.case end
  local found, err = manager.cases_by_key(client, project, keys, call)
  if not found then return nil, err end
  local cases = {}
  for i, key in ipairs(keys) do cases[i] = found[key] end
  local execution
  execution, err = create(client, project, set, cases, call)
  if not execution then return nil, err end
  local written, errors = uipath.map(results, function(result, i)
    return write(client, project, execution, cases[i], result, call)
  end, { concurrency = AT_A_TIME })
  for i, each in ipairs(results) do
    if not written[i] then
      err = errors and errors[i] or failure("failed", "it was not written")
      err.message = ("the result of %s was not written: %s"):format(each.case, err.message)
      err.run = { id = execution.id, ref = project.prefix .. "/" .. execution.id, url = manager.url(project, execution.id) }
      return nil, err
    end
  end
  return execution
end

---Whether a run holds the results that were written, and no others.
---@return string? what is wrong
function report.difference(run, results)
  if run.status ~= "Finished" then return "the run is " .. tostring(run.status) end
  if #run.cases ~= #results then return ("the run has %d cases, and %d were written"):format(#run.cases, #results) end
  local counts = verdict.count(results)
  for name, value in pairs(counts) do
    if run.counts[name] ~= value then return "the run has other results than those that were written" end
  end
end

return report

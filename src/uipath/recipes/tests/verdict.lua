-- From what a service says of a run to a verdict. It is green only where everything was seen and all of it has passed: what the verdict
-- needs and does not find is an error.

local manager = require "uipath.recipes.tests.manager"
local shared = require "uipath.recipes.shared"
local uipath = require "uipath"

local failure, text, with = shared.failure, shared.text, shared.with

local verdict = {}

-- The services' counts may lag behind the rows for a moment: so often are both read before they are said to disagree.
local READINGS = 3
local PAUSE = 1

local IS_OVER = { Finished = true, Cancelled = true, Canceled = true }
local COUNTED = { Passed = "passed", Failed = "failed", Restricted = "restricted" }

-- ---------------------------------------------------------------------------
-- Times
-- ---------------------------------------------------------------------------

---Seconds since some day, of a time as JSON has it. nil: it is none.
---@return number?
local function instant(value)
  if type(value) ~= "string" then return nil end
  local year, month, day, hour, minute, second, rest = value:match "^(%d%d%d%d)%-(%d%d)%-(%d%d)T(%d%d):(%d%d):(%d%d%.?%d*)(.*)$"
  if not year then return nil end
  local y, m = tonumber(year), tonumber(month)
  if m <= 2 then y, m = y - 1, m + 12 end
  local days = 365 * y + math.floor(y / 4) - math.floor(y / 100) + math.floor(y / 400)
  days = days + math.floor((153 * (m - 3) + 2) / 5) + tonumber(day)
  local sign, hours, minutes = rest:match "^([+-])(%d%d):?(%d%d)$"
  local offset = sign and (tonumber(hours) * 60 + tonumber(minutes)) * 60 or 0
  return ((days * 24 + tonumber(hour)) * 60 + tonumber(minute)) * 60 + tonumber(second) - (sign == "-" and -offset or offset)
end

verdict.instant = instant

---Seconds between two times; nil where one is missing or they are in the wrong order.
---@return number?
function verdict.between(from, till)
  local first, last = instant(from), instant(till)
  if not first or not last or last < first then return nil end
  return math.floor((last - first) * 1000 + 0.5) / 1000
end

-- ---------------------------------------------------------------------------
-- Test Manager's states and rows
-- ---------------------------------------------------------------------------

local function whole(value)
  return type(value) == "number" and value >= 0 and value % 1 == 0 and value or nil
end

---Whether a run with this status is over.
---@return boolean
function verdict.is_over(status) return IS_OVER[status] or false end

---What is known of a run while it goes on and afterwards.
---@class uipath.tests.State
---@field status string
---@field done? integer
---@field total? integer
---@field failed? integer
---@field counts? table the service's own
---@field row table
---@field is_over boolean

---@param row any the service's answer
---@param id string
---@return uipath.tests.State?
---@return uipath.Error? err
function verdict.state(row, id)
  if type(row) ~= "table" then return nil, failure("decode", "the answer is no run of a test set") end
  -- The address names the run; where the answer does as well, it must be the same.
  if shared.value(row.id) ~= nil and tostring(row.id):lower() ~= id:lower() then
    return nil, failure("decode", "the answer is about another run")
  end
  local status = text(row.status)
  if not status then return nil, failure("decode", "the run has no status") end
  local state = { status = status, row = row, is_over = IS_OVER[status] or false }
  local passed, failed, none, restricted = whole(row.passed), whole(row.failed), whole(row.none), whole(row.restricted)
  if passed and failed and none then
    state.failed, state.done = failed, passed + failed + (restricted or 0)
    state.total = state.done + none
    -- Counts that are all nothing are not counted yet, or never.
    if state.total > 0 then state.counts = { passed = passed, failed = failed, none = none, restricted = restricted } end
  end
  return state
end

-- The case of one log.
local function case_of(row, project)
  local about = type(row.testCase) == "table" and row.testCase or {}
  local result = text(row.result)
  local case = {
    key = text(about.objKey) or text(row.testCaseObjKey),
    name = text(about.name) or text(row.testCaseName) or text(row.automationTestCaseName),
    result = result, seconds = verdict.between(row.executionStart, row.executionEnd),
    url = text(row.detailLink), robot = text(row.robotName) or text(row.hostMachineName), id = row.id, project_id = project.id,
    case_id = text(row.testCaseId) or text(about.id),
    is_overridden = text(row.originalResult) ~= nil and row.originalResult ~= result or nil,
  }
  if result ~= "Passed" then case.reason = text(row.resultReason) or text(row.info) end
  local variation = text(row.dataVariationIdentifier)
  if variation and case.name then case.name = ("%s [%s]"):format(case.name, variation) end
  return case
end

-- What is wrong with a row of a run, or nil.
local function objection(row, id, seen)
  if type(row) ~= "table" then return "it is no object" end
  if not text(row.id) then return "it has no id" end
  if seen[row.id] then return "it came twice" end
  local execution = shared.value(row.testExecutionId)
  if execution ~= nil and tostring(execution):lower() ~= id:lower() then return "it is one of another run" end
  if not text(row.result) then return "it has no result" end
end

-- The logs of a run, all of them.
local function read_rows(client, project, id, call)
  local announced
  local rows, err = client:collect(manager.path(project, "testcaselogs/testexecution/" .. id .. "/paged"),
    with(call, { on_progress = function(_, total) announced = total or announced end }))
  if not rows then return nil, err end
  if announced and announced ~= #rows then
    return nil, failure("decode", ("%d results were announced and %d have come"):format(announced, #rows)), true
  end
  local seen = {}
  for index, row in ipairs(rows) do
    local wrong = objection(row, id, seen)
    if wrong then return nil, failure("decode", ("result %d of the run: %s"):format(index, wrong)), wrong == "it came twice" end
    seen[row.id] = true
  end
  return rows
end

-- The rows by their results.
local function count(cases)
  local counts = { total = #cases, passed = 0, failed = 0, none = 0, restricted = 0 }
  for _, case in ipairs(cases) do
    local name = COUNTED[case.result] or "none"
    counts[name] = counts[name] + 1
  end
  return counts
end
verdict.count = count

-- Names for those that came without.
local function add_names(client, project, cases, call)
  local ids, known = {}, {}
  for _, case in ipairs(cases) do
    if not case.name and case.case_id and not known[case.case_id] then
      known[case.case_id] = true
      ids[#ids + 1] = case.case_id
    end
  end
  if #ids == 0 then return end
  local found = manager.cases(client, project, ids, call)
  for _, case in ipairs(cases) do
    local row = case.case_id and found[case.case_id]
    if row then
      case.name = case.name or text(row.name)
      case.key = case.key or text(row.objKey)
    end
  end
end

-- Whether the service's own counts say the same as the rows.
local function agrees(stats, counts)
  if not stats then return true end
  local restricted = stats.restricted or counts.restricted
  local total = stats.passed + stats.failed + stats.none + restricted
  return stats.passed == counts.passed and stats.failed == counts.failed and total == counts.total
end

---The cases of a run, as they are now.
---@return table[]? cases
---@return uipath.Error? err
function verdict.cases(client, project, id, call)
  local rows, err, may_settle = read_rows(client, project, id, call)
  if not rows then return nil, err, may_settle end
  local cases = {}
  for index, row in ipairs(rows) do cases[index] = case_of(row, project) end
  add_names(client, project, cases, call)
  return cases
end

local function is_green(cases)
  return #cases > 0 and count(cases).passed == #cases
end

---The cases of a run that is over. Where they look green, what the service says in different places must be the same.
---@param state uipath.tests.State
---@param again fun(): uipath.tests.State?, uipath.Error? reads the state anew
---@return table[]? cases
---@return uipath.Error? err
function verdict.final_cases(client, project, id, call, state, again)
  local problem, cases
  for reading = 1, READINGS do
    local err, may_settle
    cases, err, may_settle = verdict.cases(client, project, id, call)
    if cases and agrees(state.counts, count(cases)) then return cases end
    if not cases and not may_settle then return nil, err end
    problem = err or failure("decode", "the service's counts of the run are others than those of its results")
    if reading < READINGS then
      uipath.sleep(PAUSE)
      state, err = again()
      if not state then return nil, err end
    end
  end
  if cases and not is_green(cases) then return cases end
  return nil, problem
end

-- ---------------------------------------------------------------------------
-- What else is known of what failed
-- ---------------------------------------------------------------------------

local WORDS = { passed = true, succeeded = true, success = true, failed = false, error = false }

local function has_passed(row)
  for _, name in ipairs { "succeeded", "passed", "isPassed", "isSuccessful", "hasSucceeded", "success", "Succeeded" } do
    if type(row[name]) == "boolean" then return row[name] end
  end
  return WORDS[tostring(text(row.status) or text(row.result)):lower()]
end

local function assertions_of(answer)
  if type(answer) ~= "table" then return nil end
  local rows = type(answer.data) == "table" and answer.data or type(answer.assertions) == "table" and answer.assertions or answer
  if rows[1] == nil and next(rows) ~= nil then return nil end
  local list = {}
  for index, row in ipairs(rows) do
    if type(row) ~= "table" then return nil end
    list[index] = { message = text(row.message) or text(row.Message), passed = has_passed(row) }
  end
  return list
end

-- Adds the assertions of a failed case, and the reason where the result was written by hand or by another tool.
local function add_evidence(client, project, case, is_reported, call)
  if case.result == "Failed" then
    local answer, err = client:get(manager.path(project, ("testcaselogs/%s/assertions"):format(case.id)), with(call))
    case.assertions = answer ~= nil and assertions_of(answer) or nil
    if not case.assertions then case.note = "its assertions could not be read: " .. tostring(err and err.message or "they are no list") end
  end
  if not case.reason and (case.is_overridden or is_reported) then
    local override = client:get(manager.path(project, ("testcaselogs/%s/override-result"):format(case.id)), with(call))
    case.reason = type(override) == "table" and text(override.reason) or nil
  end
  return true
end

---Adds the assertions of the first failed cases, side by side, and says so of the rest.
---@param most integer
---@param is_reported boolean whether another tool has written the results
function verdict.add_evidence(client, project, cases, most, is_reported, call)
  local first = {}
  for _, case in ipairs(cases) do
    if case.result == "Failed" or (is_reported and case.result ~= "Passed") then
      if #first < most then
        first[#first + 1] = case
      else
        case.note = ("its assertions were not fetched: those of the first %d failed cases are"):format(most)
      end
    end
  end
  uipath.map(first, function(case) return add_evidence(client, project, case, is_reported, call) end)
end

-- ---------------------------------------------------------------------------
-- Runs
-- ---------------------------------------------------------------------------

-- The robots of the cases, each once.
local function robots_of(cases)
  local names, seen = {}, {}
  for _, case in ipairs(cases) do
    if case.robot and not seen[case.robot] then
      seen[case.robot] = true
      names[#names + 1] = case.robot
    end
  end
  return #names > 0 and table.concat(names, ", ") or nil
end

---The run that cases make. `about` has what does not come from them: id, ref, url, name, test_set, project, status, and the times started
---and ended; `denied`: the service itself says that it has not passed.
---@param about table
---@param cases table[]
---@return table run
function verdict.run(about, cases)
  local counts = count(cases)
  for _, case in ipairs(cases) do case.url = case.url or about.url end
  return {
    passed = about.status == "Finished" and counts.total > 0 and counts.passed == counts.total and not about.denied,
    status = about.status, counts = counts, cases = cases, id = about.id, ref = about.ref, url = about.url,
    seconds = verdict.between(about.started, about.ended), started = about.started,
    name = about.name, test_set = about.test_set, project = about.project, robots = robots_of(cases),
  }
end

return verdict

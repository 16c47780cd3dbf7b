-- Orchestrator's own test sets, of Automation Suite and on-premises: the same as a target of a run. The start takes a key of ours along
-- and refuses one that it knows, so that it may be sent again.

local find = require "uipath.recipes.find"
local lost = require "uipath.recipes.lost"
local places = require "uipath.recipes.tests.places"
local shared = require "uipath.recipes.shared"
local uipath = require "uipath"
local verdict = require "uipath.recipes.tests.verdict"

local failure, text, with = shared.failure, shared.text, shared.with

local orchestrator = {}

local TEST_SET = { noun = "test set", set = "odata/TestSets" }
local EXECUTIONS = "odata/TestSetExecutions"
local EXPAND = "TestCaseExecutions($expand=TestCaseAssertions)"
local IS_OVER = { Passed = true, Failed = true, Cancelled = true }
local RESULTS = { Passed = "Passed", Failed = "Failed" }

local function id_of(value)
  if type(value) == "number" and value % 1 == 0 and value > 0 then return value end
  return type(value) == "string" and tonumber(value:match "^%s*(%d+)%s*$") or nil
end

-- The run that has our key.
local function by_batch(client, key, call)
  local answer, err = client:get(EXECUTIONS, with(call, { filter = { "BatchExecutionKey eq ?", uipath.odata.guid(key) }, top = 2 }))
  if not answer then return nil, err end
  local row = type(answer.value) == "table" and answer.value[1]
  return type(row) == "table" and id_of(row.Id) or nil
end

local function start(client, set, call)
  local key = shared.guid()
  local answer, err = client:post("api/TestAutomation/StartTestSetExecutionWithOptions",
    { batchExecutionKey = key, triggerType = "ExternalTool" }, with(call, { query = { testSetId = shared.id(set.Id) }, idempotent = true }))
  local id = id_of(answer)
  if id then return id end
  if answer ~= nil then err = failure("decode", "the answer to the start is no id of a run") end
  if tostring(err.message):find("Test ?Manager") then
    err.hint = "in Automation Cloud test sets run in Test Manager: give the key of one, such as DEMO:42"
  end
  -- A try before this one may have arrived: then the key is known.
  if not lost.is(err) and (err.attempts or 1) < 2 then return nil, err end
  local refused = not lost.is(err)
  if refused then err.uncertain = true end
  return lost.settle(client, err, call, function(options) return by_batch(client, key, options) end)
end

-- The names of the cases by their ids, or {}: the verdict does not need them.
local function names_of(client, set_id, call)
  local set = client:get(shared.entity("odata/TestSets", set_id), with(call, { expand = "TestCases($expand=Definition)" }))
  local names = {}
  for _, case in ipairs(type(set) == "table" and type(set.TestCases) == "table" and set.TestCases or {}) do
    local definition = type(case.Definition) == "table" and case.Definition or {}
    if case.Id then names[case.Id] = text(definition.Name) end
  end
  return names
end

local function assertions_of(rows)
  if type(rows) ~= "table" then return nil end
  local list = {}
  for index, row in ipairs(rows) do list[index] = { message = text(row.Message), passed = shared.value(row.Succeeded) } end
  return list
end

local function case_of(row, names)
  local name = names[row.TestCaseId] or text(row.EntryPointPath) or (row.TestCaseId and "test case " .. shared.id(row.TestCaseId)) or nil
  local variation = text(row.DataVariationIdentifier)
  local result = RESULTS[row.Status] or "None"
  local case = {
    name = name and variation and ("%s [%s]"):format(name, variation) or name, key = row.TestCaseId and shared.id(row.TestCaseId) or nil,
    result = result, seconds = verdict.between(row.StartTime, row.EndTime), robot = text(row.RobotName) or text(row.HostMachineName),
    id = row.Id,
  }
  if result ~= "Passed" then case.reason = text(row.Info) or (result == "None" and row.Status ~= "Pending" and row.Status or nil) end
  if result == "Failed" then case.assertions = assertions_of(row.TestCaseAssertions) end
  return case
end

-- The cases of a run with its rows.
local function cases_of(client, row, call)
  if type(row.TestCaseExecutions) ~= "table" then return nil, failure("decode", "the run has no list of its cases") end
  local names = names_of(client, row.TestSetId, call)
  local cases = {}
  for index, each in ipairs(row.TestCaseExecutions) do
    if type(each) ~= "table" or not text(each.Status) then
      return nil, failure("decode", ("case %d of the run has no status"):format(index))
    end
    cases[index] = case_of(each, names)
  end
  return cases
end

local function count_done(rows)
  local done, failed = 0, 0
  for _, each in ipairs(rows) do
    if type(each) == "table" and IS_OVER[each.Status] then done = done + 1 end
    if type(each) == "table" and each.Status == "Failed" then failed = failed + 1 end
  end
  return done, failed
end

local function read(client, id, expand, call)
  local row, err = client:get(shared.entity(EXECUTIONS, id), with(call, { expand = expand }))
  if row == nil then return nil, err end
  if type(row) ~= "table" or id_of(row.Id) ~= id then
    return nil, failure("decode", "the answer is about another run, or does not say about which")
  end
  if not text(row.Status) then return nil, failure("decode", "the run has no status") end
  return row
end

local function state_of(row)
  local state = { status = row.Status, row = row, is_over = IS_OVER[row.Status] or false }
  if type(row.TestCaseExecutions) == "table" then
    state.total = #row.TestCaseExecutions
    state.done, state.failed = count_done(row.TestCaseExecutions)
  end
  return state
end

---A run of one of Orchestrator's test sets as a target (waiting.lua).
---@param set? table its row; nil: that of a run that has been started
---@return table
function orchestrator.target(client, set, call)
  local target = { name = set and text(set.Name), test_set = set and text(set.Name), pending = "see that the folder has a robot for tests" }
  function target.start() return start(client, set, call) end
  function target.ref(id) return "orchestrator/" .. shared.id(id) end
  function target.url() return nil end
  function target.state(id)
    local row, err = read(client, id, "TestCaseExecutions($select=Id,Status)", call)
    if not row then return nil, err end
    target.name = target.name or text(row.Name)
    return state_of(row)
  end
  function target.results(id, state)
    local row, err = read(client, id, EXPAND, call)
    if not row then return nil, err end
    if row.Status ~= state.status then return nil, failure("decode", "the run is over and goes on all the same") end
    local cases
    cases, err = cases_of(client, row, call)
    if not cases then return nil, err end
    local about = {
      id = id, ref = target.ref(id), name = target.name or text(row.Name), test_set = target.test_set or text(row.Name), row = row,
      status = row.Status == "Cancelled" and "Cancelled" or IS_OVER[row.Status] and "Finished" or row.Status,
      denied = row.Status ~= "Passed", started = row.StartTime, ended = row.EndTime,
    }
    return verdict.run(about, cases)
  end
  function target.cases(id, patience)
    local options = with(call, { timeout = patience, max_attempts = 1 })
    local row, err = read(client, id, EXPAND, options)
    if not row then return nil, err end
    return cases_of(client, row, options)
  end
  return target
end

---The test set that a name, an id or a key means, and the requests' options for it; nil and an error
---where there is none, or no folder is named.
function orchestrator.set(client, reference, call)
  local call_in_folder, err = places.inside(client, call)
  if not call_in_folder then return nil, err end
  local set
  set, err = find.one(client, TEST_SET, reference, call_in_folder)
  return set, set and call_in_folder or err
end

return orchestrator

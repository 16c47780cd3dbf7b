--- What Test Manager's first project holds: test cases, and test sets made of them. What comes of a
--- case in a run is decided here, too: each set has runs of its own kind.

local rows = require("uipath.sandbox.rows")

local test_sets = {}

--- The project whose sets can be run.
test_sets.project = { id = rows.guid(11, 1), name = "Demo", prefix = "DEMO" }

--- Numbers of keys that test sets have; those of the test cases leave them out.
local FIRST_SET, LAST_SET = 42, 45

test_sets.case_count = 250

--- A test case of a project; in all projects the same ones.
---@param number integer  from 1
---@param project_id string
---@param prefix string  of the project
function test_sets.case(number, project_id, prefix)
  local key = number < FIRST_SET and number or number + LAST_SET - FIRST_SET + 1
  return { id = rows.guid(12, number), objKey = prefix .. ":" .. key,
    name = "Test case " .. number, projectId = project_id, description = "",
    created = "2026-01-02T00:00:00Z" }
end

local function passed() return { result = "Passed" } end

local FAILURES = {
  { reason = "The total of the invoice is wrong", assertions = {
    { message = "The invoice is open", succeeded = true },
    { message = "Expected total 119.00, but was 100.00 (tax < 19 %)", succeeded = false },
  } },
  { reason = "Selector not found: <wnd app='sap.exe' />", assertions = {
    { message = "The order \"4711\" is there", succeeded = false },
  } },
  { reason = "The server answered 500", assertions = {} },
}

local function failed(position)
  local failure = FAILURES[math.floor(position / 3) % #FAILURES + 1]
  return { result = "Failed", reason = failure.reason, assertions = failure.assertions,
    attachments = { { name = "screenshot.png", content = "\137PNG of case " .. position } } }
end

--- key: number of the set's key; cases: how many of the project's; variations: runs of each with
--- other data; seconds: that a run takes; outcome: of the case at a position.
local SETS = {
  { key = 42, name = "Smoke", cases = 5, seconds = 1.5, outcome = passed },
  { key = 43, name = "Regression", cases = 12, seconds = 2, outcome = function(position)
    if position == 12 then return { result = "Restricted", reason = "No licence for this case" } end
    return position % 3 == 0 and failed(position) or passed()
  end },
  -- The robot has lost what it was to upload: the run is Finished all the same.
  { key = 44, name = "Lost results", cases = 4, seconds = 1, outcome = function()
    return { result = "None" }
  end },
  { key = 45, name = "Everything", cases = 250, variations = 4, seconds = 3,
    outcome = function(position) return position % 4 == 0 and failed(position) or passed() end },
}

for number, set in ipairs(SETS) do
  set.id = rows.guid(18, number)
  set.obj_key = test_sets.project.prefix .. ":" .. set.key
  set.variations = set.variations or 1
  set.parameters = {
    { id = rows.guid(19, number), name = "Environment", type = "String", value = "test" },
    { id = rows.guid(20, number), name = "Retries", type = "Int32", value = "0" },
  }
end

--- All sets, in the order of their keys.
test_sets.list = SETS

---@return table|nil set  with this id or this key
function test_sets.find(reference)
  for _, set in ipairs(SETS) do
    if set.id == reference or set.obj_key == reference then return set end
  end
end

--- A set as the service shows it.
function test_sets.show(set)
  return { id = set.id, objKey = set.obj_key, name = set.name, description = "",
    projectId = test_sets.project.id, source = "TestManager", numberOfTestCases = set.cases,
    created = "2026-01-03T00:00:00Z" }
end

--- The test case with an id or key, of the project that can be run.
function test_sets.find_case(reference)
  for number = 1, test_sets.case_count do
    local case = test_sets.case(number, test_sets.project.id, test_sets.project.prefix)
    if case.id == reference or case.objKey == reference then return case end
  end
end

return test_sets

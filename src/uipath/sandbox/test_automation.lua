--- Orchestrator's own test sets and their runs, as Automation Suite and on-premises installations
--- have them. What a run has come to is worked out from the time that has passed.

local clock = require("uipath.sandbox.clock")
local json = require("uipath.sandbox.json")
local operations = require("uipath.sandbox.operations")
local problem = require("uipath.sandbox.problem")
local rows = require("uipath.sandbox.rows")
local types = require("uipath.sandbox.types")

local test_automation = {}

--- Seconds until a robot takes up a run, and those that it takes for a case.
local PENDING, CASE = 0.3, 0.3

local sets = rows.stored {
  type = types.TestSetDto, singular = "TestSet", scope = "OR.TestSets", page_cap = 1000,
  per_folder = true, last_id = 8800, guid_kind = 41,
}
rows.sets.TestSets = sets

local executions = rows.stored {
  type = types.TestSetExecutionDto, singular = "TestSetExecution", scope = "OR.TestSetExecutions",
  page_cap = 1000, per_folder = true, last_id = 8900, guid_kind = 42,
}
rows.sets.TestSetExecutions = executions

local all = {}

--- Names of the cases, and whether each passes.
local SETS = {
  { "Invoice checks", { { "Open an invoice", true }, { "Total of an invoice", true }, { "Print", true } } },
  { "Order checks", { { "Open an order", true }, { "Cancel an order", false }, { "Ship an order", true } } },
}

for _, each in ipairs(SETS) do
  for _, path in ipairs { "Shared", "Shared/Finance" } do
    local cases = {}
    for index, case in ipairs(each[2]) do
      cases[index] = { Id = 20000 + index, name = case[1], passes = case[2] }
    end
    sets.insert({ Name = each[1], Description = "", SourceType = "User", TestCaseCount = #cases, Enabled = true,
      CreationTime = "2026-01-01T00:00:00Z", cases = cases }, rows.folder_by_path(path))
  end
end

--- The state of a case that begins so many cases after the first.
local function case_status(execution, position)
  local age = ngx.now() - execution.began - PENDING - (position - 1) * CASE
  if age < 0 then return "Pending" end
  if age < CASE then return "Running" end
  return execution.set.cases[position].passes and "Passed" or "Failed"
end

local function update(execution)
  local age, last = ngx.now() - execution.began - PENDING, #execution.set.cases
  execution.Status = age < 0 and "Pending" or "Running"
  if age >= last * CASE then
    execution.Status = "Passed"
    for position = 1, last do
      if case_status(execution, position) == "Failed" then execution.Status = "Failed" end
    end
    execution.EndTime = clock.timestamp(execution.began + PENDING + last * CASE)
  end
end

function executions.refresh()
  for _, execution in ipairs(all) do update(execution) end
  rows.version = rows.version + 1
end

local function show_case(execution, position)
  local case, status = execution.set.cases[position], case_status(execution, position)
  local from = execution.began + PENDING + (position - 1) * CASE
  local ended = status == "Passed" or status == "Failed"
  return {
    Id = execution.Id * 100 + position, TestSetExecutionId = execution.Id, TestCaseId = case.Id, Status = status,
    StartTime = status ~= "Pending" and clock.timestamp(from) or json.null,
    EndTime = ended and clock.timestamp(from + CASE) or json.null, EntryPointPath = case.name .. ".xaml",
    Info = status == "Failed" and "One or more assertions failed" or json.null, TestCaseType = "TestCase",
    RobotName = ended and "robot-1" or json.null, DataVariationIdentifier = json.null, HasAssertions = ended,
    TestCaseAssertions = json.array(ended and {
      { Id = 1, Message = case.name .. " is as expected", Succeeded = status == "Passed", HasScreenshot = false },
    } or {}),
  }
end

--- A row as an object, with what is beside its own properties.
local function show(set, row, more)
  local shown = {}
  for _, property in ipairs(set.type.properties) do
    local value = row[property]
    if value == nil then value = json.null end
    shown[property] = value
  end
  for name, value in pairs(more) do shown[name] = value end
  return 200, shown
end

operations.add("GET", "odata/TestSetExecutions({})", {
  scope = "OR.TestSetExecutions", access = "Read", folder = true,
  run = function(request)
    local execution = executions.find(request.folder, tonumber(request[1]))
    if not execution then problem.not_found("TestSetExecution") end
    update(execution)
    local more = {}
    if (request.options["$expand"] or ""):find("TestCaseExecutions", 1, true) then
      more.TestCaseExecutions = json.array {}
      for position = 1, #execution.set.cases do
        more.TestCaseExecutions[position] = show_case(execution, position)
      end
    end
    return show(executions, execution, more)
  end,
})

operations.add("GET", "odata/TestSets({})", {
  scope = "OR.TestSets", access = "Read", folder = true,
  run = function(request)
    local set = sets.find(request.folder, tonumber(request[1]))
    if not set then problem.not_found("TestSet") end
    local more = {}
    if (request.options["$expand"] or ""):find("TestCases", 1, true) then
      more.TestCases = json.array {}
      for index, case in ipairs(set.cases) do
        more.TestCases[index] = { Id = case.Id, TestSetId = set.Id, Enabled = true, VersionNumber = "1.0.1",
          Definition = { Id = case.Id, Name = case.name, PackageIdentifier = "Checks" } }
      end
    end
    return show(sets, set, more)
  end,
})

operations.add("POST", "api/TestAutomation/StartTestSetExecutionWithOptions{}", {
  scope = "OR.TestSetExecutions", access = "Write", folder = true,
  run = function(request)
    local set = sets.find(request.folder, tonumber(request.options.testSetId))
    if not set then problem.not_found("TestSet") end
    local body = operations.body()
    local key = operations.value(body.batchExecutionKey) or rows.guid(43, #all + 1)
    for _, execution in ipairs(all) do
      if execution.BatchExecutionKey == key then
        problem.orchestrator(409, 2818, "A test set execution with this batch execution key already exists.")
      end
    end
    local execution = executions.insert({
      Name = set.Name, TestSetId = set.Id, StartTime = clock.timestamp(), Status = "Pending",
      TriggerType = operations.value(body.triggerType) or "Manual", BatchExecutionKey = key, RunId = 1,
      CreationTime = clock.timestamp(), began = ngx.now(), set = set,
    }, request.folder)
    all[#all + 1] = execution
    return 200, ("%d"):format(execution.Id)
  end,
})

return test_automation

-- Lists of client.tests: test sets, their cases and runs, and the files of a case.

local manager = require "uipath.recipes.tests.manager"
local orchestrator = require "uipath.recipes.tests.orchestrator"
local places = require "uipath.recipes.tests.places"
local shared = require "uipath.recipes.shared"

local failure, text, with = shared.failure, shared.text, shared.with
local outside, check_set, raise = places.outside, places.check_set, places.raise

local lists = {}

---Of all projects, or of one.
function lists.sets(client, options)
  local call = outside(options.call)
  if options.project then
    local project, err = manager.project(client, options.project, outside {})
    if not project then return nil, err end
    return client:each(manager.path(project, "testsets"), call)
  end
  local projects, err = manager.projects(client, outside {})
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

---The cases of a set.
function lists.cases(client, reference, options)
  check_set("cases", reference)
  if type(reference) == "table" and reference.orchestrator ~= nil then
    local set, call = orchestrator.set(client, reference.orchestrator, options.call)
    if not set then return nil, call end
    local whole, err = client:get(shared.entity("odata/TestSets", set.Id), with(call, { expand = "TestCases($expand=Definition)" }))
    if not whole then return nil, err end
    return over(type(whole.TestCases) == "table" and whole.TestCases or {})
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

---The runs of a set, the newest first.
function lists.executions(client, reference, options)
  check_set("executions", reference)
  if type(reference) == "table" and reference.orchestrator ~= nil then
    local set, call = orchestrator.set(client, reference.orchestrator, options.call)
    if not set then return nil, call end
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

---The files of a case. Each is an access object: it says where it is and that our token is wanted there.
function lists.attachments(client, case, options)
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

return lists

--- Test Manager's paths for running tests: projects by their prefix, test sets, runs, logs of cases,
--- attachments.

local executions = require("uipath.sandbox.test_executions")
local identity = require("uipath.sandbox.identity")
local json = require("uipath.sandbox.json")
local problem = require("uipath.sandbox.problem")
local test_sets = require("uipath.sandbox.test_sets")

local routes = {}

local PROJECT = test_sets.project.id

--- What Test Manager says of what it does not find: the status is 400, not 404.
local function missing(what)
  problem.raise(400, json.encode { message = what .. " was not found.", errorCode = "itemNotFound" })
end

local function there(value, what)
  return value or missing(what)
end

--- The members of a request's body.
local function body()
  ngx.req.read_body()
  local value = json.decode(ngx.req.get_body_data() or "")
  if type(value) ~= "table" then problem.validation("body", "A JSON object is wanted.") end
  return value
end

local RESULTS = { Passed = true, Failed = true, None = true, Restricted = true }

local function result_of(value, name)
  if not RESULTS[value] then problem.validation(name, "The value is not valid.") end
  return value
end

--- The log of a case in a run: the one that the run has of it.
local function log_of_case(execution, case_id)
  for _, log in ipairs(execution.logs) do
    if log.case.id == case_id then return log end
  end
  return missing("Test case log")
end

local function begins(text, beginning)
  return text:sub(1, #beginning):lower() == beginning:lower()
end

--- The members of a list whose name or key begins with what is searched.
local function search(list, fields)
  local wanted = ngx.req.get_uri_args().search
  if type(wanted) ~= "string" or wanted == "" then return list end
  local found = {}
  for _, each in ipairs(list) do
    for _, field in ipairs(fields) do
      if begins(each[field], wanted) then
        found[#found + 1] = each
        break
      end
    end
  end
  return found
end

--- The order of runs that a request asks for; the oldest come first unless it says otherwise.
local function execution_at(with_stats)
  local newest_first = (ngx.req.get_uri_args().orderby or ""):lower() == "created desc"
  local count = executions.count()
  return count, function(position)
    return executions.show(executions.at(newest_first and position or count + 1 - position), with_stats)
  end
end

local function parameters_of(set)
  local list = json.array {}
  for index, each in ipairs(set.parameters) do
    list[index] = { id = each.id, name = each.name, type = each.type, value = each.value }
  end
  return list
end

local function override_parameters(set)
  local changed = body()
  for _, each in ipairs(changed) do
    local found
    for _, parameter in ipairs(set.parameters) do
      if type(each) == "table" and parameter.id == each.id then found = parameter end
    end
    if not found or type(each.value) ~= "string" then problem.validation("parameters", "A parameter is not known.") end
  end
  for _, each in ipairs(changed) do
    for _, parameter in ipairs(set.parameters) do
      if parameter.id == each.id then parameter.value = each.value end
    end
  end
  return 200, ""
end

local function show_assertions(log)
  local list = json.array {}
  for index, each in ipairs(log.assertions or {}) do
    list[index] = { id = index, message = each.message, succeeded = each.succeeded, hasScreenshot = false }
  end
  return list
end

local function show_attachments(log)
  local list = json.array {}
  for index, each in ipairs(log.attachments) do
    list[index] = { id = each.id, name = each.name, size = #each.content, objectId = log.id }
  end
  return list
end

--- Makes a run that waits for another tool's results.
local function report()
  local wanted = body()
  local set = there(test_sets.find(wanted.testSetId), "Test set")
  local cases = {}
  for index, id in ipairs(type(wanted.testCaseIds) == "table" and wanted.testCaseIds or {}) do
    cases[index] = there(test_sets.find_case(id), "Test case")
  end
  if #cases == 0 then problem.validation("testCaseIds", "The field is required.") end
  local execution = executions.report(set, cases, tostring(wanted.name or set.name),
    tostring(wanted.source or "TestManager"), tostring(wanted.sourceDetails or ""))
  return 201, json.encode(executions.show(execution))
end

local function override(log)
  local wanted = body()
  local result = result_of(wanted.currentResult, "currentResult")
  if not executions.override(log, result, tostring(wanted.reason or "")) then
    problem.raise(500, json.encode { message = "The log has an override.", errorCode = "unknown" })
  end
  return 200, json.encode(log.override)
end

local function finish(execution)
  local wanted = body()
  local log = log_of_case(execution, wanted.testCaseId)
  executions.finish_log(log, result_of(wanted.result, "result"), wanted.executedBy, wanted.detailLink)
  return 200, json.encode(executions.show_log(log))
end

local function begin(execution)
  local log = log_of_case(execution, body().testCaseId)
  executions.begin_log(log)
  return 200, json.encode(executions.show_log(log))
end

--- The logs of a run, in pages.
local function logs(execution, pages)
  local list = execution.logs
  if ngx.req.get_uri_args().onlyFailed == "true" then
    list = {}
    for _, log in ipairs(execution.logs) do
      if executions.result(log) == "Failed" then list[#list + 1] = log end
    end
  end
  return 200, pages.paged(#list, function(position) return executions.show_log(list[position]) end)
end

local function case_ids(set)
  local list = json.array {}
  for number = 1, set.cases do list[number] = test_sets.case(number, PROJECT, test_sets.project.prefix).id end
  return list
end

local function set_of(id) return there(test_sets.find(id), "Test set") end
local function execution_of(id) return there(executions.find(id), "Test execution") end
local function log_with(id) return there(executions.find_log(id), "Test case log") end

local ID = "([%x-]+)"

--- Within the project: method, pattern of the path, scope, what it does. A handler gets what the
--- pattern captures, and then the forms of pages.
local ROUTES = {
  { "GET", "testsets", "TM.TestSets", function(pages)
    local list = search(test_sets.list, { "name", "obj_key" })
    return 200, pages.counted(#list, function(position) return test_sets.show(list[position]) end)
  end },
  { "GET", "testsets/objkey/(.+)", "TM.TestSets", function(key)
    return 200, json.encode(test_sets.show(set_of(key)))
  end },
  { "GET", "testsets/" .. ID, "TM.TestSets", function(id)
    return 200, json.encode(test_sets.show(set_of(id)))
  end },
  { "GET", "testsets/" .. ID .. "/assignedtestcaseids", "TM.TestSets", function(id)
    return 200, json.encode(case_ids(set_of(id)))
  end },
  { "GET", "testsets/" .. ID .. "/fetchparameters", "TM.TestSets", function(id)
    return 200, json.encode(parameters_of(set_of(id)))
  end },
  { "PUT", "testsets/" .. ID .. "/bulkoverrideparameters", "TM.TestSets", function(id)
    return override_parameters(set_of(id))
  end },
  { "POST", "testsets/" .. ID .. "/startexecute", "TM.TestSets", function(id)
    if ngx.req.get_uri_args().executionType ~= "automated" then
      problem.validation("executionType", "Only automated test cases can be run here.")
    end
    return 200, json.encode(executions.show(executions.start(set_of(id))))
  end },
  { "GET", "testcases/objkey/(.+)", "TM.TestCases", function(key)
    return 200, json.encode(there(test_sets.find_case(key), "Test case"))
  end },
  { "GET", "testcases/" .. ID, "TM.TestCases", function(id)
    return 200, json.encode(there(test_sets.find_case(id), "Test case"))
  end },
  { "GET", "testexecutions", "TM.TestExecutions", function(pages)
    return 200, pages.paged(execution_at(false))
  end },
  { "GET", "testexecutions/withstats", "TM.TestExecutions", function(pages)
    return 200, pages.paged(execution_at(true))
  end },
  { "POST", "testexecutions", "TM.TestExecutions", report },
  { "GET", "testexecutions/" .. ID, "TM.TestExecutions", function(id)
    return 200, json.encode(executions.show(execution_of(id)))
  end },
  { "GET", "testexecutions/" .. ID .. "/withstats", "TM.TestExecutions", function(id)
    return 200, json.encode(executions.show(execution_of(id), true))
  end },
  { "POST", "testcaselogs/re-execute", "TM.TestExecutions", function()
    local first = type(body().testCaseLogIds) == "table" and body().testCaseLogIds[1]
    local log = log_with(first)
    return 200, json.encode(executions.show(executions.start_again(log.execution)))
  end },
  { "GET", "testcaselogs/testexecution/" .. ID .. "/paged", "TM.TestExecutions", function(id, pages)
    return logs(execution_of(id), pages)
  end },
  { "POST", "testcaselogs/testexecution/" .. ID .. "/start", "TM.TestExecutions", function(id)
    return begin(execution_of(id))
  end },
  { "POST", "testcaselogs/testexecution/" .. ID .. "/finish", "TM.TestExecutions", function(id)
    return finish(execution_of(id))
  end },
  { "GET", "testcaselogs/" .. ID .. "/assertions", "TM.TestExecutions", function(id)
    return 200, json.encode(show_assertions(log_with(id)))
  end },
  { "GET", "testcaselogs/" .. ID .. "/override-result", "TM.TestExecutions", function(id)
    local found = log_with(id).override
    if not found then problem.raise(404) end
    return 200, json.encode(found)
  end },
  { "POST", "testcaselogs/" .. ID .. "/override-result", "TM.TestExecutions", function(id)
    return override(log_with(id))
  end },
  { "GET", "attachments/%w+/" .. ID .. "/all", "TM.Attachments", function(id)
    return 200, json.encode(show_attachments(log_with(id)))
  end },
  { "GET", "attachments/" .. ID .. "/download", "TM.Attachments", function(id)
    local attachment = there(executions.find_attachment(id), "Attachment")
    return 200, attachment.content, { ["Content-Type"] = "application/octet-stream" }
  end },
}

local function call(handler, first, pages)
  if first == nil then return handler(pages) end
  return handler(first, pages)
end

--- Serves a path of the project; nil: it is none of these.
---@param path string  below `api/v2/<project>/`
---@param facts table  the token's
---@param pages { paged: function, counted: function }
function routes.serve(path, facts, pages)
  local other_method = false
  for _, route in ipairs(ROUTES) do
    local whole = { path:match("^" .. route[2]:gsub("%-", "%%-"):gsub("%[%%x%%%-%]", "[%%x-]") .. "$") }
    if whole[1] ~= nil then
      if route[1] == ngx.req.get_method() then
        local access = route[1] == "GET" and "Read" or "Write"
        if not identity.allows(facts, route[3], access) then problem.forbidden() end
        return call(route[4], whole[1] ~= path and whole[1] or nil, pages)
      end
      other_method = true
    end
  end
  if other_method and ngx.req.get_method() ~= "GET" then problem.raise(405) end
end

--- The project with a prefix; raises what the service says where there is none.
function routes.project(list, prefix)
  for _, project in ipairs(list) do
    if project.projectPrefix:lower() == prefix:lower() then return json.encode(project) end
  end
  return missing("Project")
end

return routes

--- Test Manager: projects and test cases in its first page form, requirements in its second, roles
--- as a bare array. Running tests is in test_routes.lua.

local identity = require("uipath.sandbox.identity")
local json = require("uipath.sandbox.json")
local problem = require("uipath.sandbox.problem")
local rows = require("uipath.sandbox.rows")
local test_routes = require("uipath.sandbox.test_routes")
local test_sets = require("uipath.sandbox.test_sets")

local testmanager = {}

local PAGE_CAP = 100

local PROJECTS, REQUIREMENTS = 3, 230

local function project(number)
  local first = number == 1 and test_sets.project
  return { id = rows.guid(11, number), name = first and first.name or "Project " .. number,
    projectPrefix = first and first.prefix or "P" .. number,
    description = "", created = "2026-01-01T00:00:00Z" }
end

local function projects()
  local list = {}
  for number = 1, PROJECTS do list[number] = project(number) end
  return list
end

local function member(kind, prefix, words)
  return function(number, project_id)
    return { id = rows.guid(kind, number), objKey = prefix .. ":" .. number,
      name = words .. " " .. number, projectId = project_id, description = "",
      created = "2026-01-02T00:00:00Z" }
  end
end

local function test_case(number, project_id)
  for _, each in ipairs(projects()) do
    if each.id == project_id then return test_sets.case(number, project_id, each.projectPrefix) end
  end
end

local requirement = member(13, "REQ", "Requirement")

--- The rows that `top` and `skip` ask for.
local function slice(count, make, project_id)
  local arguments = ngx.req.get_uri_args()
  local function amount(name, default)
    local text = arguments[name]
    if text == nil then return default end
    local number = type(text) == "string" and text:find("^%d+$") and tonumber(text)
    if not number then
      problem.validation(name, "The value '" .. tostring(text) .. "' is not valid.")
    end
    return number
  end
  local top, skip = amount("top", PAGE_CAP), amount("skip", 0)
  if top > PAGE_CAP then
    problem.validation("top", "The field top must be between 0 and " .. PAGE_CAP .. ".")
  end
  local data = json.array {}
  for number = skip + 1, math.min(count, skip + top) do
    data[#data + 1] = make(number, project_id)
  end
  local page = top > 0 and math.floor(skip / top) + 1 or 1
  local pages = top > 0 and math.ceil(count / top) or 0
  return data, page, pages, top
end

--- The form of most lists.
local function paged(count, make, project_id)
  local data, page, pages, size = slice(count, make, project_id)
  return json.encode { data = data, paging = {
    total = count, page = page, pages = pages, pageSize = size, returned = #data,
    previousPage = page > 1, nextPage = page < pages,
  } }
end

--- The form of the requirements.
local function counted(count, make, project_id)
  local data, page, pages = slice(count, make, project_id)
  return json.encode { data = data, totalPages = pages, totalItems = count, currentPage = page,
    maxPageSize = PAGE_CAP, hasPreviousPage = page > 1, hasNextPage = page < pages }
end

local ROLES = json.encode {
  { id = rows.guid(14, 1), name = "Project owner" }, { id = rows.guid(14, 2), name = "Tester" },
}

--- Lists within a project: the scope and what to send.
local LISTS = {
  testcases = { "TM.TestCases", function(id) return paged(test_sets.case_count, test_case, id) end },
  requirements = { "TM.Requirements", function(id)
    return counted(REQUIREMENTS, requirement, id)
  end },
  -- Those of the first project are in test_routes.lua.
  testsets = { "TM.TestSets", function() return counted(0) end },
  testexecutions = { "TM.TestExecutions", function() return paged(0) end },
  ["permissions/project/roles"] = { "TM.Projects", function() return ROLES end },
}

local function require_scope(facts, scope)
  if not identity.allows(facts, scope, "Read") then problem.forbidden() end
end

local function is_project(id)
  for number = 1, PROJECTS do
    if id == rows.guid(11, number) then return true end
  end
  return false
end

--- Serves a path below `testmanager_/`.
---@param path string
---@return integer status
---@return string body
---@return table<string, string>|nil headers
function testmanager.serve(path)
  local facts = identity.authenticate()
  local id, rest = path:match("^api/v2/([%x-]+)/(.+)$")
  if id == test_sets.project.id then
    local status, body, headers = test_routes.serve(rest, facts, { paged = paged, counted = counted })
    if status then return status, body, headers end
  end
  if ngx.req.get_method() ~= "GET" then problem.raise(405) end
  local prefix = path:match("^api/v2/projects/prefix/([^/]+)$")
  if path == "api/v2/projects" or prefix then
    require_scope(facts, "TM.Projects")
    if prefix then return 200, test_routes.project(projects(), prefix) end
    return 200, paged(PROJECTS, project)
  end
  local list = LISTS[rest]
  if not list then problem.raise(404) end
  require_scope(facts, list[1])
  if not is_project(id) then problem.raise(404) end
  return 200, list[2](id)
end

return testmanager

--- Platform Management, the API below `identity_/api/`: users, robot accounts and groups of the
--- organization.

local identity = require("uipath.sandbox.identity")
local json = require("uipath.sandbox.json")
local problem = require("uipath.sandbox.problem")
local rows = require("uipath.sandbox.rows")

local platform = {}

local MAX_TOP, DEFAULT_TOP = 1000, 10

local function user(number)
  return { id = rows.guid(15, number), userName = ("user%04d"):format(number),
    email = ("user%04d@example.com"):format(number), name = "User", surname = tostring(number),
    displayName = "User " .. number, isActive = number % 7 ~= 0, type = "user",
    creationTime = "2026-01-01T00:00:00Z", groupIDs = json.array {} }
end

local function robot_account(number)
  return { id = rows.guid(16, number), name = ("robot%02d"):format(number),
    displayName = "Robot " .. number, creationTime = "2026-01-01T00:00:00Z",
    groupIds = json.array {} }
end

local GROUPS = json.encode {
  { id = rows.guid(17, 1), name = "administrators", type = "builtIn", members = json.array {} },
  { id = rows.guid(17, 2), name = "automation users", type = "builtIn", members = json.array {} },
}

local function amount(arguments, name, default, limit)
  local text = arguments[name]
  if text == nil then return default end
  local number = type(text) == "string" and text:find("^%d+$") and tonumber(text)
  if not number or number > limit then
    problem.validation(name, ("The field %s must be between 0 and %d."):format(name, limit))
  end
  return number
end

--- A page by `top` and `skip`, whose default of 10 rows is the service's.
local function results(count, make)
  local arguments = ngx.req.get_uri_args()
  local top = amount(arguments, "top", DEFAULT_TOP, MAX_TOP)
  local skip = amount(arguments, "skip", 0, 2147483647)
  local list = json.array {}
  for number = skip + 1, math.min(count, skip + top) do list[#list + 1] = make(number) end
  return json.object({ "totalCount", count, "results", list }, 2)
end

--- Lists of an organization: path before its id, scope, what to send.
local LISTS = {
  ["User/users"] = { "PM.User", function() return results(1042, user) end },
  RobotAccount = { "PM.RobotAccount", function() return results(37, robot_account) end },
  Group = { "PM.Group", function() return GROUPS end },
}

--- Serves a path below `identity_/`.
---@param path string
---@return integer status
---@return string body
function platform.serve(path)
  local facts = identity.authenticate()
  if ngx.req.get_method() ~= "GET" then problem.raise(405) end
  local name, partition = path:match("^api/(.+)/([%x-]+)$")
  local list = LISTS[name]
  if not list then problem.raise(404) end
  if not identity.allows(facts, list[1], "Read") then
    problem.identity_forbidden(facts.list, { list[1], list[1] .. ".Read" })
  end
  if partition ~= identity.partition then
    problem.raise(400, json.encode { errorMessage = "InvalidPartition" })
  end
  return 200, list[2]()
end

return platform

-- From a path as users write it, or a whole URL, to the operation's path in the catalogue.

local paths = {}

-- How the services of the catalogue are called in URLs; on-premises, Identity's name has no underscore.
local services = {
  orchestrator_ = "orchestrator_", identity_ = "identity_", identity = "identity_", du_ = "du_",
  testmanager_ = "testmanager_", portal_ = "portal_",
}

local function unescape(text)
  return (text:gsub("%%(%x%x)", function(digits) return string.char(tonumber(digits, 16)) end))
end

---Takes a path or URL apart. What is before a known service (host, organization, tenant) is left out.
---@param text string
---@return string service
---@return string path begins with a slash
function paths.split(text)
  text = text:gsub("[?#].*$", "")
  local url = text:match "^%a[%w+.-]*://[^/]*(.*)$"
  text = unescape((url or text):gsub("/+$", ""))
  if not text:find "^/" then text = "/" .. text end
  local rest = text
  for _ = 1, 4 do
    local segment, behind = rest:match "^/([^/]*)(.*)$"
    if not segment then break end
    local service = services[segment]
    if service and (segment:find "_$" or behind:find "^/api/" or behind:find "^/connect/") then return service, behind end
    if segment:find "_$" then return segment, behind end
    rest = behind
  end
  -- On-premises Orchestrator is at the root of the host, or below any prefix of it.
  local inside = url and (text:match "(/odata/.*)$" or text:match "(/api/.*)$")
    -- As older URLs of the cloud name it: organization and tenant, and no service.
    or text:match "^/[^/]+/[^/]+(/odata/.*)$"
  return "orchestrator_", inside or text
end

---A template without the names of its parameters and in lower case: the same for all names that a path goes by.
---@param template string
---@return string
function paths.skeleton(template)
  return (template:gsub("{[^}]*}", "{}"):lower())
end

-- A Lua pattern for a skeleton: a parameter is anything but a slash; a quoted one may hold even that.
local function pattern_of(skeleton)
  local pattern = skeleton:gsub("[%^%$%(%)%%%.%[%]%*%+%-%?]", "%%%0"):gsub("'{}'", "'.*'"):gsub("{}", "[^/]+")
  return "^" .. pattern .. "$"
end

-- How much of a template is literal: of several that fit, the most literal one is meant.
local function literal_length(skeleton)
  return #skeleton:gsub("{}", "")
end

---@class uipath.PathIndex
---@field values table<string, any> by skeleton
---@field patterns { pattern: string, skeleton: string, literal: integer }[]

---An index of values by skeletons.
---@param values table<string, any>
---@return uipath.PathIndex
function paths.index(values)
  local index = { values = values, patterns = {} }
  for skeleton in pairs(values) do
    if skeleton:find("{", 1, true) then
      table.insert(index.patterns, { pattern = pattern_of(skeleton), skeleton = skeleton, literal = literal_length(skeleton) })
    end
  end
  table.sort(index.patterns, function(one, other)
    if one.literal ~= other.literal then return one.literal > other.literal end
    return one.skeleton < other.skeleton
  end)
  return index
end

---The value of the template that a path fits, or nil. The path may hold values, the names in braces, or `/$count` at its end.
---@param index uipath.PathIndex
---@param path string
---@return any
function paths.find(index, path)
  path = path:gsub("/%$count$", "")
  local exact = index.values[paths.skeleton(path)]
  if exact then return exact end
  path = path:lower()
  for _, each in ipairs(index.patterns) do
    if path:find(each.pattern) then return index.values[each.skeleton] end
  end
end

return paths

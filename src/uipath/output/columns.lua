-- Which members of rows are shown, and in which order: decoded objects have none.

local values = require "uipath.output.values"

local columns = {}

-- What tells rows apart comes first.
local rank = {}
for i, name in ipairs {
  "Id", "id", "objKey", "Name", "name", "DisplayName", "displayName", "userName", "FullyQualifiedName", "fullPath", "ReleaseName", "State",
  "Status", "status", "method", "path", "scopes", "permissions", "Type", "type", "CreationTime", "StartTime", "EndTime", "size",
  "Description", "description", "email",
} do rank[name] = i end

local function before(one, other)
  local here, there = rank[one] or math.huge, rank[other] or math.huge
  if here ~= there then return here < there end
  -- OData's own members come last.
  local annotation, other_annotation = one:find "^@" ~= nil, other:find "^@" ~= nil
  if annotation ~= other_annotation then return other_annotation end
  return one < other
end

---@param names string[] sorted in place: what tells rows apart comes first
---@return string[] names
function columns.sort(names)
  table.sort(names, before)
  return names
end

---The names of all members that rows have. Members of OData itself (`@odata.…`) are left out.
---@param rows table[]
---@param selected? string[] the columns that were asked for: these, in this order
---@return string[]
function columns.of(rows, selected)
  if selected then return selected end
  local seen, names = {}, {}
  for _, row in ipairs(rows) do
    if type(row) == "table" then
      for name in pairs(row) do
        if type(name) == "string" and not seen[name] and not name:find "@odata%." then
          seen[name] = true
          names[#names + 1] = name
        end
      end
    end
  end
  return columns.sort(names)
end

---Whether any row has something to show under the name that fits into a cell.
---@param rows table[]
---@param name string
---@return boolean
function columns.has_content(rows, name)
  for _, row in ipairs(rows) do
    local value = row[name]
    if value ~= nil and value ~= values.null and value ~= "" and type(value) ~= "table" then return true end
  end
  return false
end

return columns

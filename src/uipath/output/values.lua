-- What decoded JSON is: null, arrays, objects, the rows in a reply.

local envelope = require "uipath.envelope"
local uipath = require "uipath"

local values = {}

local null = uipath.null
local array_metatable = getmetatable(uipath.array {})

values.null = null

---@param value any
---@return boolean
function values.is_array(value)
  return type(value) == "table" and (value[1] ~= nil or getmetatable(value) == array_metatable)
end

---Whether a value is a table as decoded JSON is. Of others (a group of recipes, say) each look-up may be
---code, and may raise.
---@param value any
---@return boolean
function values.is_plain(value)
  local metatable = type(value) == "table" and getmetatable(value)
  return type(value) == "table" and (metatable == nil or metatable == array_metatable)
end

---@param value any
---@return boolean
function values.is_object(value)
  return type(value) == "table" and not values.is_array(value)
end

---A number as JSON has it: exact, and `1` rather than `1.0`.
---@param number number
---@return string
function values.number(number)
  return uipath.json.encode(number) or tostring(number)
end

local last_names = {}

-- Whether these are the names of the object's members: rows have those of the row before.
local function are_names(names, object)
  local count = 0
  for name in pairs(object) do
    if type(name) ~= "string" then return false end
    count = count + 1
  end
  if count ~= #names then return false end
  for _, name in ipairs(names) do
    if object[name] == nil then return false end
  end
  return true
end

---The names of an object's members, sorted. The list must not be changed.
---@param object table
---@return string[]
function values.names(object)
  if are_names(last_names, object) then return last_names end
  local names = {}
  for name in pairs(object) do names[#names + 1] = name end
  table.sort(names, function(one, other) return tostring(one) < tostring(other) end)
  if #names > 3 then last_names = names end
  return names
end

---The rows of a reply that is a list.
---@param reply any
---@return table[]? rows nil: the reply is a single value
---@return boolean? more whether there are more rows than these; nil: the reply does not say
---@return integer? total
function values.rows(reply)
  local page = envelope.read(reply)
  if not page then return nil end
  local more = (page.link or page.token) and true or nil
  if page.rows == reply then more = false end
  return page.rows, more, page.total
end

return values

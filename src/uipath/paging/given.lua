-- What the caller says of parameters that a walk sets itself. They may stand in the path, among the
-- options with a `$` or without, or in options.query, and mean the same everywhere.

local internal = require "uipath.internal"

local given = {}

local Given = {}
Given.__index = Given

-- Options whose tables the caller may change while the walk goes on.
local TABLES = { "filter", "select", "expand", "orderby", "query", "headers" }

local function copy(map)
  local result = {}
  for name, value in pairs(map) do result[name] = value end
  return result
end

local function decode(text, plus_is_space)
  if plus_is_space then text = text:gsub("%+", " ") end
  return (text:gsub("%%(%x%x)", function(digits) return string.char(tonumber(digits, 16)) end))
end

-- A parameter's name without the `$` and in lower case, as servers read it.
local function plain(name)
  return type(name) == "string" and name:lower():gsub("^%$", "") or nil
end

---@param path string
---@param options? table
---@return table given with `path` and `options`, copies that are the walk's own
function given.new(path, options)
  local self = setmetatable({ path = path, options = copy(options or {}) }, Given)
  for _, name in ipairs(TABLES) do
    if type(self.options[name]) == "table" then self.options[name] = copy(self.options[name]) end
  end
  self.before, self.query = path:match "^([^?]*)%?(.*)$"
  -- In the query of a whole URL a plus is a space; in a path that somebody writes it is a plus.
  self.plus_is_space = path:find "^%a[%w+.-]*://" ~= nil
  return self
end

-- The places of a parameter: its value in each, and a function that takes it away.
function Given:places(name)
  local places = {}
  for part in (self.query or ""):gmatch "[^&]+" do
    local key, value = part:match "^([^=]*)=?(.*)$"
    if plain(decode(key, self.plus_is_space)) == name then
      places[#places + 1] = {
        value = decode(value, self.plus_is_space), drop = function() self:drop(part) end,
      }
    end
  end
  local function look(map, is_query)
    for key, value in pairs(map) do
      if plain(key) == name then
        places[#places + 1] = {
          value = value, drop = function() map[key] = nil end,
          is_option = not is_query and key == name,
        }
      end
    end
  end
  look(self.options, false)
  if type(self.options.query) == "table" then look(self.options.query, true) end
  return places
end

-- Takes a parameter out of the path.
function Given:drop(part)
  local kept = {}
  for each in self.query:gmatch "[^&]+" do
    if each ~= part then kept[#kept + 1] = each end
  end
  self.query = table.concat(kept, "&")
  self.path = self.before .. (self.query ~= "" and "?" .. self.query or "")
end

---Whether the parameter stands anywhere but under its own name among the options.
---@param name string
---@return boolean
function Given:is_elsewhere(name)
  for _, place in ipairs(self:places(name)) do
    if not place.is_option then return true end
  end
  return false
end

---The parameter's value, wherever it stands; nil: nowhere. Raises if it is there twice.
---@param name string
---@return any
function Given:value(name)
  local places = self:places(name)
  if #places > 1 then internal.raise(("the parameter '$%s' is given twice"):format(name)) end
  return places[1] and places[1].value
end

---The same, and takes it away.
---@param name string
---@return any
function Given:take(name)
  local value = self:value(name)
  for _, place in ipairs(self:places(name)) do place.drop() end
  return value
end

return given

-- A single value for people: members one below the other, what is inside them indented.

local columns = require "uipath.output.columns"
local dates = require "uipath.output.dates"
local lua = require "uipath.output.lua"
local text = require "uipath.output.text"
local values = require "uipath.output.values"

local nested = {}

local DEEPEST = 8
local LONGEST = 50 -- elements of a list inside a value
local INDENT = 2

local function scalar(value, style)
  if value == values.null then return style.dim "null" end
  if type(value) == "number" then return style.cyan(values.number(value)) end
  if type(value) == "boolean" then return style.cyan(tostring(value)) end
  if type(value) == "string" then
    return value == "" and style.dim '""' or text.clean(dates.text(value))
  end
  return style.dim(text.clean(tostring(value)))
end

-- The names of members in the order of columns; keys that are no strings behind them.
local function names_of(object)
  local names, others = {}, {}
  for name in pairs(object) do
    if type(name) == "string" then names[#names + 1] = name else others[#others + 1] = name end
  end
  names = columns.sort(names)
  table.sort(others, function(one, other) return tostring(one) < tostring(other) end)
  for _, name in ipairs(others) do names[#names + 1] = name end
  return names
end

local function is_plain(value)
  if type(value) ~= "table" then return true end
  local metatable = getmetatable(value)
  return type(metatable) == "table" and metatable.__tostring ~= nil or next(value) == nil
end

local function plain(value, style)
  if type(value) ~= "table" then return scalar(value, style) end
  if next(value) == nil and not (getmetatable(value) or {}).__tostring then return values.is_array(value) and "[]" or "{}" end
  return text.clean(tostring(value))
end

local append

local function append_list(lines, list, margin, depth, style, seen)
  for i, value in ipairs(list) do
    if i > LONGEST then
      lines[#lines + 1] = margin .. style.dim(("… %d more"):format(#list - LONGEST))
      return
    end
    if is_plain(value) then
      lines[#lines + 1] = margin .. style.dim "- " .. plain(value, style)
    else
      local first = #lines + 1
      append(lines, value, margin .. "  ", depth + 1, style, seen)
      if lines[first] then lines[first] = margin .. style.dim "- " .. lines[first]:sub(#margin + 3) end
    end
  end
end

local function append_object(lines, object, margin, depth, style, seen)
  local names, longest = names_of(object), 0
  for _, name in ipairs(names) do
    if is_plain(object[name]) then longest = math.max(longest, text.width(text.clean(tostring(name)))) end
  end
  for _, name in ipairs(names) do
    local label, value = text.clean(type(name) == "string" and name or lua.key(name)), object[name]
    if is_plain(value) then
      local gap = (" "):rep(longest - text.width(label) + INDENT)
      lines[#lines + 1] = margin .. style.bold(label) .. gap .. plain(value, style)
    else
      lines[#lines + 1] = margin .. style.bold(label)
      append(lines, value, margin .. (" "):rep(INDENT), depth + 1, style, seen)
    end
  end
end

function append(lines, value, margin, depth, style, seen)
  if seen[value] or depth > DEEPEST then
    lines[#lines + 1] = margin .. style.dim "…"
    return
  end
  seen[value] = true
  local each = values.is_array(value) and append_list or append_object
  each(lines, value, margin, depth, style, seen)
  seen[value] = nil
end

---@param value any
---@param style table<string, fun(text: string): string>
---@return string lines, without the end of the last one
function nested.text(value, style)
  if is_plain(value) then return plain(value, style) end
  local lines = {}
  append(lines, value, "", 1, style, {})
  return table.concat(lines, "\n")
end

return nested

-- JSON for people and for pipes: indented, members in the order of their names.

local text = require "uipath.output.text"
local uipath = require "uipath"
local values = require "uipath.output.values"

local json = {}

local encode = uipath.json.encode

local function unicode_escape(point) return ("\\u%04x"):format(point) end

-- Most texts need no escapes. What a terminal would obey is escaped though JSON does not ask for it: it means the same.
local function scalar(value)
  if type(value) ~= "string" then return assert(encode(value)) end
  if not value:find '[%c"\\\127-\255]' then return '"' .. value .. '"' end
  local quoted = assert(encode(value)):gsub("\127", "\\u007f")
  return text.escape_obeyed(quoted, unicode_escape)
end

local function append(parts, value, indent)
  if type(value) ~= "table" then
    parts[#parts + 1] = scalar(value)
    return
  end
  local inner = indent .. "  "
  if values.is_array(value) then
    if #value == 0 then
      parts[#parts + 1] = "[]"
      return
    end
    for i, each in ipairs(value) do
      parts[#parts + 1] = (i == 1 and "[\n" or ",\n") .. inner
      append(parts, each, inner)
    end
    parts[#parts + 1] = "\n" .. indent .. "]"
    return
  end
  local names = values.names(value)
  if #names == 0 then
    parts[#parts + 1] = "{}"
    return
  end
  for i, name in ipairs(names) do
    parts[#parts + 1] = (i == 1 and "{\n" or ",\n") .. inner .. scalar(name) .. ": "
    append(parts, value[name], inner)
  end
  parts[#parts + 1] = "\n" .. indent .. "}"
end

---@param value any
---@param indent? string of the lines after the first
---@return string
function json.text(value, indent)
  local parts = {}
  append(parts, value, indent or "")
  return table.concat(parts)
end

-- Writers have `value(v)` for a single value, `rows(list)` for each part of a list, and `finish()`.

---@param write fun(text: string)
function json.writer(write)
  local writer, open = {}, false
  function writer.value(value) write(json.text(value) .. "\n") end
  function writer.rows(rows)
    for _, row in ipairs(rows) do
      write((open and ",\n  " or "[\n  ") .. json.text(row, "  "))
      open = true
    end
  end
  function writer.finish() write(open and "\n]\n" or "[]\n") end
  return writer
end

local function append_compact(parts, value)
  if type(value) ~= "table" then
    parts[#parts + 1] = scalar(value)
  elseif values.is_array(value) then
    parts[#parts + 1] = "["
    for i, each in ipairs(value) do
      if i > 1 then parts[#parts + 1] = "," end
      append_compact(parts, each)
    end
    parts[#parts + 1] = "]"
  else
    parts[#parts + 1] = "{"
    for i, name in ipairs(values.names(value)) do
      parts[#parts + 1] = (i > 1 and "," or "") .. scalar(name) .. ":"
      append_compact(parts, value[name])
    end
    parts[#parts + 1] = "}"
  end
end

---JSON in one line, members in the order of their names: the same value is the same text in every run.
---@param value any
---@return string
function json.compact(value)
  local parts = {}
  append_compact(parts, value)
  return table.concat(parts)
end

---One compact line for each row.
---@param write fun(text: string)
function json.lines(write)
  local writer = {}
  function writer.value(value) write(json.compact(value) .. "\n") end
  function writer.rows(rows)
    for _, row in ipairs(rows) do writer.value(row) end
  end
  function writer.finish() end
  return writer
end

return json

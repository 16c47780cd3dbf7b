-- JSON for people and for pipes: indented, members in the order of their names.

local uipath = require "uipath"
local values = require "uipath.output.values"

local json = {}

local encode = uipath.json.encode

-- Most texts need no escapes.
local function scalar(value)
  if type(value) == "string" and not value:find '[%c"\\\127-\255]' then return '"' .. value .. '"' end
  return assert(encode(value))
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

---One compact line for each row.
---@param write fun(text: string)
function json.lines(write)
  local writer = {}
  function writer.value(value) write(assert(encode(value)) .. "\n") end
  function writer.rows(rows)
    for _, row in ipairs(rows) do writer.value(row) end
  end
  function writer.finish() end
  return writer
end

return json

-- Values as a chunk of Lua that returns them.

local text = require "uipath.output.text"
local values = require "uipath.output.values"

local lua = {}

local keywords = {}
for word in ([[and break do else elseif end false for function goto if in local nil not or repeat return then true until while]])
  :gmatch "%a+" do keywords[word] = true end

local escapes = { ["\n"] = "\\n", ["\r"] = "\\r", ["\t"] = "\\t", ["\\"] = "\\\\", ['"'] = '\\"' }

---@param value string
---@return string literal on one line, without controls
function lua.quote(value)
  local quoted = value:gsub('[%c\\"]', function(character) return escapes[character] or ("\\%03d"):format(character:byte()) end)
  quoted = text.escape_obeyed(quoted, function(_, bytes)
    return (bytes:gsub(".", function(byte) return ("\\%03d"):format(byte:byte()) end))
  end)
  return '"' .. quoted .. '"'
end

---@param name any a key
---@return string what stands before the `=` in a table's constructor
function lua.key(name)
  if type(name) == "string" and name:find "^[%a_][%w_]*$" and not keywords[name] then return name end
  return "[" .. (type(name) == "string" and lua.quote(name) or tostring(name)) .. "]"
end

local function append(parts, value, indent)
  if type(value) == "table" then
    local inner, first = indent .. "  ", true
    for _, each in ipairs(value) do
      parts[#parts + 1] = (first and "{\n" or "") .. inner
      append(parts, each, inner)
      parts[#parts + 1] = ",\n"
      first = false
    end
    if not values.is_array(value) then
      for _, name in ipairs(values.names(value)) do
        parts[#parts + 1] = (first and "{\n" or "") .. inner .. lua.key(name) .. " = "
        append(parts, value[name], inner)
        parts[#parts + 1] = ",\n"
        first = false
      end
    end
    parts[#parts + 1] = first and "{}" or indent .. "}"
  elseif value == values.null then
    parts[#parts + 1] = "null"
  elseif type(value) == "string" then
    parts[#parts + 1] = lua.quote(value)
  elseif type(value) == "number" then
    parts[#parts + 1] = values.number(value)
  else
    parts[#parts + 1] = tostring(value)
  end
end

---@param value any
---@param indent? string of the lines after the first
---@return string
function lua.text(value, indent)
  local parts = {}
  append(parts, value, indent or "")
  return table.concat(parts)
end

---@param write fun(text: string)
function lua.writer(write)
  local head = 'local null = require("uipath").null\nreturn '
  local writer, open = {}, false
  function writer.value(value) write(head .. lua.text(value) .. "\n") end
  function writer.rows(rows)
    for _, row in ipairs(rows) do
      write((open and "" or head .. "{\n") .. "  " .. lua.text(row, "  ") .. ",\n")
      open = true
    end
  end
  function writer.finish() write(open and "}\n" or head .. "{}\n") end
  return writer
end

return lua

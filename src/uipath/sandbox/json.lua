--- JSON for the sandbox's replies: members in the order that the service has them, integers written
--- as integers, empty arrays as arrays. lua-cjson, which reads the requests' bodies, can do none of
--- these in every version.

local cjson = require("cjson.safe").new()

local json = { null = ngx.null }

cjson.decode_max_depth(100)

--- A JSON text as Lua values; nil and a message if it is none.
json.decode = cjson.decode

local ARRAY = {}

--- Marks a list so that it is written as an array even when it is empty.
function json.array(list)
  return setmetatable(list, ARRAY)
end

local ESCAPES = { ['"'] = '\\"', ["\\"] = "\\\\", ["\n"] = "\\n", ["\r"] = "\\r", ["\t"] = "\\t" }

local function escape(character)
  return ESCAPES[character] or ("\\u%04x"):format(character:byte())
end

local function encode_string(text)
  if text:find('[%c"\\]') then text = text:gsub('[%c"\\]', escape) end
  return '"' .. text .. '"'
end

--- The shortest text that reads as the same number.
local function encode_number(number)
  if number % 1 == 0 and number > -2 ^ 53 and number < 2 ^ 53 then return ("%d"):format(number) end
  local text = ("%.15g"):format(number)
  return tonumber(text) == number and text or ("%.17g"):format(number)
end

--- Writes a value: a list as an array, another table as an object with its names sorted.
---@return string
function json.encode(value)
  local kind = type(value)
  if kind == "string" then return encode_string(value) end
  if kind == "number" then return encode_number(value) end
  if kind == "boolean" then return value and "true" or "false" end
  if kind ~= "table" then return "null" end
  local parts = {}
  if value[1] ~= nil or getmetatable(value) == ARRAY then
    for index, item in ipairs(value) do parts[index] = json.encode(item) end
    return "[" .. table.concat(parts, ",") .. "]"
  end
  local names = {}
  for name in pairs(value) do names[#names + 1] = name end
  table.sort(names)
  for index, name in ipairs(names) do
    parts[index] = encode_string(name) .. ":" .. json.encode(value[name])
  end
  return "{" .. table.concat(parts, ",") .. "}"
end

--- Writes an object whose members stand one after the other in a list: name, value, name, value.
--- An absent value is written as null.
---@param count integer  members
---@return string
function json.object(members, count)
  local parts = {}
  for index = 1, count do
    parts[index] = '"' .. members[2 * index - 1] .. '":' .. json.encode(members[2 * index])
  end
  return "{" .. table.concat(parts, ",") .. "}"
end

return json

-- The keys of a walk by key: their order, and which are numbers that this Lua has as text.

local uipath = require "uipath"

local keys = {}

-- LuaJIT has whole numbers exactly up to 2^53; beyond, JSON's come as strings of digits.
local MOST_EXACT, MOST_DIGITS = "9007199254740992", "9223372036854775808"
local has_integers = math.type ~= nil -- luacheck: ignore 143

-- Whether a string of digits, without a sign or zeros in front, is greater than another.
local function is_greater(one, other)
  if #one ~= #other then return #one > #other end
  return one > other
end

-- Whether the text is a whole number that only an int64 holds.
local function is_long(text)
  local digits = type(text) == "string" and text:match "^%-?([1-9]%d*)$"
  return digits and is_greater(digits, MOST_EXACT) and not is_greater(digits, MOST_DIGITS) or false
end

-- Whether a key is a whole number that came as text. A text may look like one: then a row with
-- another text tells.
local function is_integer(key, rows, by)
  if has_integers or not is_long(key) then return false end
  for _, row in ipairs(rows) do
    local value = type(row) == "table" and row[by]
    if type(value) == "string" and not is_long(value) then return false end
  end
  return true
end

---Whether a key comes after another, as far as this can be told without the server's order of
---texts.
---@param key any
---@param last any
---@return boolean
function keys.is_beyond(key, last)
  if type(key) == "number" and type(last) == "number" then return key > last end
  if not has_integers and is_long(key) and is_long(last) then
    local negative, was_negative = key:find "^%-" ~= nil, last:find "^%-" ~= nil
    if negative ~= was_negative then return was_negative end
    local digits, last_digits = key:match "%d+", last:match "%d+"
    if negative then return is_greater(last_digits, digits) end
    return is_greater(digits, last_digits)
  end
  return key ~= last
end

---What a filter says for the rows beyond a key. Text stays text, but for what OData writes without
---quotes.
---@param by string the key's name
---@param key any
---@param rows table[] of its page
---@return string? filter nil: none can say it
function keys.beyond(by, key, rows)
  if is_integer(key, rows, by) then return ("%s gt %s"):format(by, key) end
  if type(key) == "string" then
    local ok, marked = pcall(uipath.odata.guid, key)
    if not ok and key:find "^%d%d%d%d%-%d%d%-%d%dT" then
      ok, marked = pcall(uipath.odata.date, key)
    end
    if ok then key = marked end
  end
  local ok, filter = pcall(uipath.odata.filter, by .. " gt ?", key)
  return ok and filter or nil
end

return keys

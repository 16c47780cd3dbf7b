-- What the specs of JSON share: comparing values exactly, and making random ones.

local uipath = require "uipath"
local assert = require "luassert"

local support = {}

---The metatable of arrays that are empty.
support.mark = getmetatable(uipath.array {})

local function canonical_number(number)
  if math.type and math.type(number) == "integer" then return ("%d"):format(number) end
  local text = ("%.17g"):format(number)
  return math.type and not text:find "[.eni]" and text .. ".0" or text
end

---A text that two values share only if they are equal, down to integer or float, -0.0, and what is marked as
---an array. Says what is there, not what JSON would make of it: an array is a table that has items.
local function canonical(value)
  if value == uipath.null then return "null" end
  if type(value) == "number" then return canonical_number(value) end
  if type(value) == "string" then return ("%q"):format(value) end
  if type(value) ~= "table" then return tostring(value) end
  local mark = getmetatable(value)
  if mark ~= nil and mark ~= support.mark then return "table with a metatable" end
  local parts = {}
  for key, item in pairs(value) do parts[#parts + 1] = "[" .. canonical(key) .. "]=" .. canonical(item) end
  table.sort(parts)
  return (mark and next(value) == nil and "array" or "") .. "{" .. table.concat(parts, ",") .. "}"
end
support.canonical = canonical

---Whether two values are the same in the sense of canonical; quicker.
local function same(one, other)
  if type(one) ~= type(other) then return false end
  if type(one) == "number" then
    return one == other and 1 / one == 1 / other and (not math.type or math.type(one) == math.type(other))
  end
  if type(one) ~= "table" then return one == other end
  if next(one) == nil and getmetatable(one) ~= getmetatable(other) then return false end
  for key, value in pairs(one) do
    if not same(value, other[key]) then return false end
  end
  for key in pairs(other) do
    if one[key] == nil then return false end
  end
  return true
end

---Checks that two values are the same in the sense of canonical.
function support.assert_same(expected, actual, what)
  if not same(expected, actual) then assert.equal(canonical(expected), canonical(actual), what) end
end

---A generator of random integers from 1 to n; the same numbers for the same seed in every Lua.
---@return fun(n: integer): integer
function support.random(seed)
  return function(n)
    seed = seed * 16807 % 2147483647
    return seed % n + 1
  end
end

local pieces = {
  "a", "Z", "0", " ", "key", "Value", "_", "/", '"', "\\", "\n", "\t", "\r", "\b", "\f", "\0", "\1", "\31", "\127", "é", "ß", "€",
  "–", "😀", "\u{7FF}", "\u{800}", "\u{FFFF}", "\u{10FFFF}", "\u{E000}", "a rather long piece of text without anything special",
}

---A random string of valid UTF-8.
function support.random_string(random)
  local parts = {}
  for i = 1, random(6) - 1 do parts[i] = pieces[random(#pieces)] end
  return table.concat(parts)
end

---A random finite number: small and large integers, decimals, and doubles of any size.
function support.random_number(random)
  local kind = random(8)
  local sign = random(2) == 1 and 1 or -1
  if kind <= 2 then return sign * (random(1000) - 1) end
  if kind == 3 then return sign * (random(2147483646) * 4194304 + random(4194304)) end -- past 2^52, exact
  if kind == 4 then return sign * (random(100000) / 100) end
  if kind == 5 then return sign * (random(2147483646) + random(2147483646) / 2147483647) end
  if kind == 6 then return sign * ((random(2147483646) / 2147483647 + 0.5) * 2.0 ^ (random(2040) - 1020)) end
  if kind == 7 then return sign * (random(2147483646) * 5e-324) end
  if math.type then return random(2147483646) * 4294967296 * 2 + random(2147483646) * 4 + random(4) end -- any integer
  return sign * 2 ^ 53
end

---A random value as JSON has them, nested at most `depth` levels.
function support.random_value(random, depth)
  local kind = random(depth > 0 and 14 or 9)
  if kind <= 3 then return support.random_number(random) end
  if kind <= 6 then return support.random_string(random) end
  if kind == 7 then return uipath.null end
  if kind <= 9 then return kind == 8 end
  local value = {}
  if kind <= 11 then
    for i = 1, random(6) - 1 do value[i] = support.random_value(random, depth - 1) end
    return next(value) == nil and uipath.array(value) or value
  elseif kind <= 13 then
    for _ = 1, random(6) - 1 do value[support.random_string(random)] = support.random_value(random, depth - 1) end
    return value
  end
  -- Objects that resemble each other: the way of rows.
  local names = {}
  for i = 1, random(5) do names[i] = support.random_string(random) end
  for i = 1, random(12) do
    value[i] = {}
    for _, name in ipairs(names) do
      if random(8) > 1 then value[i][name] = support.random_value(random, depth > 1 and random(2) - 1 or 0) end
    end
  end
  return value
end

return support

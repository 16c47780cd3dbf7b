-- Generated values and documents: there and back, and compared with what others make of them. The generators start
-- from the same seeds every time.

local cjson = require "cjson"
local dkjson = require "dkjson"
local lpeg = require "lpeg"
local uipath = require "uipath"
local support = require "spec.support.json"

---The value or text, of which there must be one.
local function checked(value, err)
  if err ~= nil then error(err, 2) end -- luassert would take most of the time
  return value
end

local function decode(text) return checked(uipath.json.decode(text)) end
local function encode(value) return checked(uipath.json.encode(value)) end

-- Where every instruction takes its time fewer will do, and few where LuaJIT collects at every allocation.
local suite = os.getenv "SUITE"
local slow = suite == "valgrind" or suite == "tsan" or suite == "gc"
local scarce = suite == "gc" and jit ~= nil
local VALUES = scarce and 40 or slow and 4000 or 100000
local DOCUMENTS = scarce and 3 or slow and 50 or 600

---The value as other decoders have it: no integers, no marks of arrays.
local function plain(value)
  if type(value) == "number" then return value + 0.0 end
  if type(value) ~= "table" then return value end
  local copy = {}
  for key, item in pairs(value) do copy[key] = plain(item) end
  return copy
end

---What dkjson makes of a text, with cjson's null.
local function dkjson_decode(text)
  local value, _, message = dkjson.decode(text, 1, uipath.null, nil, nil)
  assert(message == nil, message)
  return value
end

---A document: a value's text as someone else might write it, with spaces, escapes and numbers in all their forms.
local function random_document(random)
  local spaces = { "", "", "", " ", "\n", "\t", "\r\n", "\n        ", "\n                    " }
  local write

  local function space() return spaces[random(#spaces)] end

  local letters = { '\\"', "\\\\", "\\/", "\\b", "\\f", "\\n", "\\r", "\\t", "\\u0041", "\\u00e9", "\\u20AC", "\\ud83d\\uDE00", "\\u0000",
    "a", "b", "long enough to fill more than one block", "é", "€", "😀", "key", " " }
  local function text()
    local parts = {}
    for i = 1, random(5) - 1 do parts[i] = letters[random(#letters)] end
    return '"' .. table.concat(parts) .. '"'
  end

  local function digits(most)
    local parts = {}
    for i = 1, random(most) do parts[i] = random(10) - 1 end
    return table.concat(parts)
  end

  local function number()
    local parts = { random(3) == 1 and "-" or "", random(4) == 1 and "0" or random(9) .. (random(2) == 1 and digits(14) or "") }
    if random(3) == 1 then parts[#parts + 1] = "." .. digits(18) end
    if random(4) == 1 then parts[#parts + 1] = ({ "e", "E", "e+", "E-", "e-" })[random(5)] .. ({ "", "0" })[random(2)] .. random(280) end
    return table.concat(parts)
  end

  local function list(open, close, count, item)
    local parts = {}
    for i = 1, count do parts[i] = space() .. item() .. space() end
    return open .. (count == 0 and space() or table.concat(parts, ",")) .. close
  end

  function write(depth)
    local kind = random(depth > 0 and 10 or 6)
    if kind <= 2 then return number() end
    if kind <= 4 then return text() end
    if kind <= 6 then return ({ "null", "true", "false" })[random(3)] end
    if kind <= 7 then return list("[", "]", random(6) - 1, function() return write(depth - 1) end) end
    if kind <= 8 then
      return list("{", "}", random(6) - 1, function() return text() .. space() .. ":" .. space() .. write(depth - 1) end)
    end
    -- Rows: mostly the same names in the same order.
    local names, separator = {}, space() .. ":" .. space()
    for i = 1, random(6) do names[i] = text() end
    return list("[", "]", random(10), function()
      if random(12) == 1 then return write(depth - 1) end
      local i = 0
      return list("{", "}", #names, function()
        i = random(20) == 1 and random(#names) or i % #names + 1
        return names[i] .. separator .. write(depth - 1)
      end)
    end)
  end
  return space() .. write(4) .. space()
end

describe("generated values", function()
  it(("are the same after encode and decode, %d of them"):format(VALUES), function()
    local random = support.random(20260401)
    for i = 1, VALUES do
      local value = support.random_value(random, i % 3)
      support.assert_same(value, decode(encode(value)))
    end
  end)

  it("as doubles are the same after encode and decode, from any bits", function()
    local random = support.random(99)
    for _ = 1, VALUES / 2 do
      local value = (random(2147483646) * 4194304 + random(4194304)) * 2.0 ^ (random(2046) - 1075)
      if value == value and value < math.huge then support.assert_same(value, decode(encode(value))) end
    end
  end)

  it("are written so that lua-cjson and dkjson read them alike", function()
    local random = support.random(7)
    for i = 1, DOCUMENTS do
      local value = support.random_value(random, i % 4)
      local text = encode { value }
      local expected = plain { value }
      support.assert_same(expected, plain(cjson.decode(text)))
      support.assert_same(expected, plain(dkjson_decode(text)))
    end
  end)

  it("written by lua-cjson and dkjson are read as they read them", function()
    local random = support.random(8)
    for i = 1, DOCUMENTS do
      local value = { support.random_value(random, i % 4) }
      local text = cjson.encode(value)
      support.assert_same(plain(cjson.decode(text)), plain(decode(text)))
      text = dkjson.encode(value, { exception = function() return "null" end })
      support.assert_same(plain(dkjson_decode(text)), plain(decode(text)))
    end
  end)
end)

describe("generated documents", function()
  it("are read as lua-cjson and dkjson read them", function()
    local random = support.random(20260402)
    for _ = 1, DOCUMENTS do
      local text = random_document(random)
      local value = plain(decode(text))
      support.assert_same(plain(cjson.decode(text)), value, text)
      support.assert_same(plain(dkjson_decode(text)), value, text)
    end
  end)

  it("are the same after decode, encode and decode", function()
    local random = support.random(20260403)
    for _ = 1, DOCUMENTS do
      local value = decode(random_document(random))
      support.assert_same(value, decode(encode(value)))
    end
  end)

  it("with errors are taken or refused as the grammar says", function()
    local P, R, S, V = lpeg.P, lpeg.R, lpeg.S, lpeg.V
    local space, hex, more = S " \t\r\n" ^ 0, R("09", "af", "AF"), R "\128\191"
    local unit = P "\\u" * hex * hex * hex * hex -- halves of surrogate pairs, too
    local character = R " \127" - S '"\\' + R "\194\223" * more + "\224" * R "\160\191" * more + R("\225\236", "\238\239") * more * more
      + "\237" * R "\128\159" * more + "\240" * R "\144\191" * more * more + R "\241\243" * more * more * more
      + "\244" * R "\128\143" * more * more + P "\\" * S '"\\/bfnrt' + unit
    local digits = R "09" ^ 1
    local grammar = P {
      space * V "value" * space * -1,
      value = V "string" + V "number" + V "object" + V "array" + "true" + "false" + "null",
      string = '"' * character ^ 0 * '"',
      number = P "-" ^ -1 * ("0" + R "19" * R "09" ^ 0) * ("." * digits) ^ -1 * (S "eE" * S "+-" ^ -1 * digits) ^ -1,
      list = "[" * space * (V "value" * (space * "," * space * V "value") ^ 0 * space) ^ -1 * "]",
      array = V "list",
      member = V "string" * space * ":" * space * V "value",
      object = "{" * space * (V "member" * (space * "," * space * V "member") ^ 0 * space) ^ -1 * "}",
    }
    local random = support.random(20260404)
    local bytes = { '"', "\\", "{", "}", "[", "]", ",", ":", "0", "1", "-", ".", "e", "u", "\0", "\31", "\127", "\128", "\195", "\237",
      "\244", "\255", " ", "\n", "t", "n", "/" }
    local taken, refused = 0, 0
    for _ = 1, DOCUMENTS do
      local text = random_document(random)
      for _ = 1, 10 do
        local at, byte = random(#text), bytes[random(#bytes)]
        local kind = random(4)
        local mutant = kind == 1 and text:sub(1, at - 1) .. text:sub(at + 1) -- one byte less
          or kind == 2 and text:sub(1, at - 1) .. byte .. text:sub(at) -- one more
          or kind == 3 and text:sub(1, at - 1) .. byte .. text:sub(at + 1) -- another one
          or text:sub(1, at) .. text:sub(random(#text)) -- a piece less, or twice
        local value, err = uipath.json.decode(mutant)
        if value == nil and err.message:find("beyond the range of doubles", 1, true) then
          assert.is_truthy(mutant:find "%d[eE.]?%d%d%d")
        else
          local valid = lpeg.match(grammar, mutant) ~= nil
          if valid then taken = taken + 1 else refused = refused + 1 end
          if valid ~= (err == nil) then assert.equal(valid, err or true, mutant) end
        end
      end
    end
    assert.is_true(taken > DOCUMENTS and refused > DOCUMENTS, ("%d taken, %d refused"):format(taken, refused))
  end)
end)

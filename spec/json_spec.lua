-- JSON into Lua values and back: what is taken, what is refused, and in what words.

local uipath = require "uipath"
local texts = require "spec.support.json_texts"
local support = require "spec.support.json"

local decode, encode, null, array = uipath.json.decode, uipath.json.encode, uipath.null, uipath.array
local assert_same = support.assert_same
local exact_integers = math.type ~= nil

---Checks that the text is decoded as this value.
local function expect(value, text)
  local decoded, err = decode(text)
  assert.is_nil(err)
  assert_same(value, decoded)
end

---Checks that the value is not written, for this reason.
local function expect_refused(message, value)
  local text, err = encode(value)
  assert.is_nil(text)
  assert.equal("usage", err.kind)
  assert.equal(message, err.message)
end

---What a program prints in an interpreter of its own.
---@param variables? string environment variables, as a shell takes them
local function run(program, variables)
  local command = (variables or "") .. " " .. require("spec.support.tenant").interpreter .. " - 2>&1 <<'END'\n" .. program .. "\nEND\n"
  local pipe = assert(io.popen(command))
  local output = pipe:read "*a"
  pipe:close()
  return output
end

for category, rows in pairs(texts.accepted) do
  describe("decode takes, of " .. category, function()
    for _, row in ipairs(rows) do
      it(row[1], function() expect(row[3], row[2]) end)
    end
  end)
end

for category, rows in pairs(texts.refused) do
  describe("decode refuses, of " .. category, function()
    for _, row in ipairs(rows) do
      it(row[1], function()
        local value, err = decode(row[2])
        assert.is_nil(value)
        assert.equal("decode", err.kind)
        assert.matches("^line %d+, column %d+: %S", err.message)
      end)
    end
  end)
end

describe("decode", function()
  it("refuses every text that is cut short", function()
    local text = '{"a":[1,-2.5e+3,"b\\n\\u00e9\\ud83d\\ude00é",true,false,null],"c":{}}'
    assert(decode(text))
    for length = 0, #text - 1 do
      local value, err = decode(text:sub(1, length))
      assert.is_nil(value)
      assert.matches("^line 1, column %d+: ", err.message)
    end
  end)

  it("refuses every text of one byte but the digits", function()
    for byte = 0, 255 do
      local digit = byte >= 48 and byte <= 57
      assert.equal(digit and byte - 48 or nil, (decode(string.char(byte))))
    end
  end)

  it("takes strings only", function()
    for _, value in ipairs { 1, {}, true, print } do
      assert.has_error(function() decode(value) end)
    end
    assert.has_error(function() decode() end)
  end)

  it("gives values without metatables, but for the mark of empty arrays", function()
    local value = decode '{"object":{},"empty":[],"array":[1]}'
    assert.is_nil(getmetatable(value))
    assert.is_nil(getmetatable(value.object))
    assert.is_nil(getmetatable(value.array))
    assert.equal(support.mark, getmetatable(value.empty))
  end)

  it("gives cjson's null", function()
    assert.equal(require "cjson".null, decode "null")
    assert.equal(require "cjson".null, uipath.null)
  end)

  it("lets the last of several members of a name win", function()
    expect({ a = 3, b = 2 }, '{"a":1,"b":2,"a":3}')
    expect({ { a = 2 }, { a = 2 }, { a = 2 }, { a = 2 }, { a = 2 }, { a = 2 }, { a = 2 }, { a = 2 } },
      "[" .. ('{"a":1,"a":2},'):rep(7) .. '{"a":1,"a":2}]')
  end)

  it("takes arrays and objects of every size", function()
    for size = 0, 140 do
      local items, members, expected_items, expected_members = {}, {}, {}, {}
      for i = 1, size do
        items[i] = tostring(i)
        members[i] = ('"k%d":%d'):format(i, i)
        expected_items[i] = i
        expected_members["k" .. i] = i
      end
      expect(size == 0 and array {} or expected_items, "[" .. table.concat(items, ",") .. "]")
      expect(expected_members, "{" .. table.concat(members, ",") .. "}")
      local object = "{" .. table.concat(members, ",") .. "}"
      expect({ expected_members, expected_members, expected_members, expected_members, expected_members, expected_members },
        "[" .. (object .. ","):rep(5) .. object .. "]")
    end
  end)

  it("takes strings of every length with an escape at every place", function()
    for length = 0, 70 do
      local plain = ("x"):rep(length)
      for _, piece in ipairs { { "", "" }, { "\\n", "\n" }, { "é", "é" }, { "\\u20ac", "€" }, { "😀", "😀" } } do
        expect({ plain .. piece[2] .. plain }, '["' .. plain .. piece[1] .. plain .. '"]')
        expect({ ("\n"):rep(length) .. piece[2] }, '["' .. ("\\n"):rep(length) .. piece[1] .. '"]')
      end
    end
    local long = ("abc\\n"):rep(100000)
    expect(long:gsub("\\n", "\n"), '"' .. long .. '"')
  end)

  it("takes any indentation", function()
    for width = 0, 40 do
      local indent = "\r\n" .. (" "):rep(width)
      expect({ { a = 1, b = { 2 } } }, indent .. "[" .. indent .. '{"a"' .. indent .. ":" .. indent .. "1" .. indent .. "," .. indent
        .. '"b":[' .. indent .. "2" .. indent .. "]" .. indent .. "}" .. indent .. "]" .. indent)
      expect({ 1 }, ("\t"):rep(width) .. "[" .. ("\n"):rep(width) .. "1 \t" .. indent .. "]")
    end
  end)
end)

describe("rows that differ are decoded right:", function()
  ---Checks that rows, each a list of name, JSON text and value, come out as they are.
  local function expect_rows(rows)
    local written, expected = {}, {}
    for i, row in ipairs(rows) do
      local members, object = {}, {}
      for j = 1, #row, 3 do
        members[#members + 1] = '"' .. row[j] .. '":' .. row[j + 1]
        object[row[j]:gsub("\\n", "\n")] = row[j + 2]
      end
      written[i], expected[i] = "{" .. table.concat(members, ",") .. "}", object
    end
    expect(expected, "[" .. table.concat(written, ",") .. "]")
  end

  it("in the order of their members", function()
    local rows = {}
    for i = 1, 12, 2 do
      rows[i] = { "a", "1", 1, "b", "2", 2, "c", "3", 3 }
      rows[i + 1] = { "c", "3", 3, "b", "2", 2, "a", "1", 1 }
    end
    expect_rows(rows)
  end)

  it("in the members that are absent", function()
    local rows = {}
    for mask = 0, 63 do
      local row = {}
      for bit = 0, 5 do
        if math.floor(mask / 2 ^ bit) % 2 == 1 then
          for _, part in ipairs { "name" .. bit, tostring(mask), mask } do row[#row + 1] = part end
        end
      end
      rows[#rows + 1] = row
    end
    expect_rows(rows)
  end)

  it("in names that begin alike, or have escapes", function()
    local rows = {}
    for i = 1, 40 do
      local name = ("k"):rep(i)
      rows[i] = { name, '"a"', "a", name .. "\\n", '"b"', "b", name .. "x", "1", 1 }
    end
    expect_rows(rows)
  end)

  it("in strings of every length, known or new", function()
    local rows = {}
    for i = 1, 400 do
      local text = ("s"):rep(i % 40) .. i % 7
      rows[i] = { "state", '"' .. text .. '"', text, "other", '"' .. text .. '\\n"', text .. "\n" }
    end
    expect_rows(rows)
  end)

  it("in the kinds of their values", function()
    local rows = {}
    local values = { "1", 1, "2.5", 2.5, '"x"', "x", "null", null, "true", true, "[]", array {}, '{"a":"x"}', { a = "x" },
      '["x"]', { "x" } }
    for i = 1, 64 do
      local at = 2 * (i % 8) + 1
      rows[i] = { "v", values[at], values[at + 1], "w", values[at], values[at + 1] }
    end
    expect_rows(rows)
  end)

  it("in more names than are remembered", function()
    local rows = {}
    for i = 1, 60 do
      rows[i] = {}
      for j = 1, 10 do
        for _, part in ipairs { ("n%d_%d"):format(i, j), '"s"', "s" } do rows[i][#rows[i] + 1] = part end
      end
    end
    for i = 61, 120 do rows[i] = rows[i - 60] end
    expect_rows(rows)
  end)

  it("with rows in rows", function()
    local inner = "[" .. ('{"x":1,"y":"s"},'):rep(6) .. '{"y":"t"}]'
    local function rows() return { { x = 1, y = "s" }, { x = 1, y = "s" }, { x = 1, y = "s" }, { x = 1, y = "s" }, { x = 1, y = "s" },
      { x = 1, y = "s" }, { y = "t" } } end
    local list = {}
    for i = 1, 12 do list[i] = { "x", inner, rows(), "rows", inner, rows() } end
    expect_rows(list)
    expect({ rows(), rows(), rows(), rows(), rows(), rows() }, "[" .. (inner .. ","):rep(5) .. inner .. "]")
  end)
end)

describe("numbers are read as", function()
  local rows = {
    { "0.1", 0.1 }, { "0.30000000000000004", 0.1 + 0.2 }, { "-2.5e-3", -0.0025 },
    { "1e23", 1e23 }, { "8.988465674311580e307", 8.98846567431158e307 },
    { "5e-324", 5e-324 }, { "2.4703282292062327e-324", 0.0 }, { "2.4703282292062328e-324", 5e-324 },
    { "2.2250738585072011e-308", 2.2250738585072011e-308 }, { "2.2250738585072014e-308", 2.2250738585072014e-308 },
    { "1.7976931348623157e308", 1.7976931348623157e308 }, { "1.7976931348623158e308", 1.7976931348623157e308 },
    -- halfway between two doubles: to the even one; a little more: up
    { "9007199254740993.0", 9007199254740992.0 }, { "9007199254740993.00000000000000000000000000000001", 9007199254740994.0 },
    { "9007199254740995.0", 9007199254740996.0 },
    { "1.00000000000000011102230246251565404", 1.0 }, { "1.00000000000000011102230246251565405", 1 + 2 ^ -52 },
    { "0." .. ("0"):rep(400) .. "1e401", 1.0 }, { "1" .. ("0"):rep(400) .. "e-400", 1.0 },
    { "3.14159265358979323846264338327950288419716939937510", 3.141592653589793 },
  }
  for _, row in ipairs(rows) do
    it(row[1]:sub(1, 50), function() expect(row[2], row[1]) end)
  end

  it("integers up to 2^53 on every Lua", function()
    expect({ 9007199254740991, -9007199254740991, 2 ^ 53 == 9007199254740992 }, "[9007199254740991,-9007199254740991,true]")
  end)

  if exact_integers then
    it("64-bit integers, and floats beyond", function()
      expect({ math.maxinteger, math.mininteger, 9007199254740993, math.maxinteger - 1 },
        "[9223372036854775807,-9223372036854775808,9007199254740993,9223372036854775806]")
      expect({ 2.0 ^ 63, -2.0 ^ 63, 1e30, 18446744073709551615.0 },
        "[9223372036854775808,-9223372036854775809,1000000000000000000000000000000,18446744073709551615]")
    end)
  else
    it("strings past 2^53, never rounded", function()
      expect({ 9007199254740992, -9007199254740992 }, "[9007199254740992,-9007199254740992]")
      expect({ "9007199254740993", "-9007199254740993", "9223372036854775807", "100000000000000000000" },
        "[9007199254740993,-9007199254740993,9223372036854775807,100000000000000000000]")
      expect({ ("9"):rep(400) }, "[" .. ("9"):rep(400) .. "]")
    end)
  end

  it("the same in a locale with decimal commas", function()
    local directory = os.tmpname()
    os.remove(directory)
    assert(os.execute(("mkdir %s && cd %s && printf 'LC_NUMERIC\ndecimal_point \",\"\nthousands_sep \".\"\ngrouping 3\nEND LC_NUMERIC\n' "
      .. ">source && localedef -c -i ./source ./comma >log 2>&1; test -f comma/LC_NUMERIC"):format(directory, directory)))
    local output = run([[
      local json = require "uipath".json
      assert(os.setlocale("comma", "numeric"), "no locale")
      assert(jit or tostring(0.5) == "0,5", "no comma")
      local text = "[0.5,0.1234567890123456789012345,1e-30,5e-324,1.7976931348623157e308]"
      print(json.encode(json.decode(text)))]], "ASAN_OPTIONS=detect_leaks=0 LOCPATH=" .. directory) -- the C library loses LOCPATH
    os.execute("rm -r " .. directory)
    assert.equal("[0.5,0.12345678901234568,1e-30,5e-324,1.7976931348623157e+308]\n", output)
  end)
end)

describe("an error of decode tells", function()
  local rows = {
    { "", "line 1, column 1: unexpected end" },
    { "  x", "line 1, column 3: expected a value" },
    { "[1,\n 2,\n   oops]", "line 3, column 4: expected a value" },
    { "[1,\r\n 2,\r\n   oops]", "line 3, column 4: expected a value" },
    { '{"größe": x}', "line 1, column 11: expected a value" }, -- characters, not bytes
    { "[01]", "line 1, column 3: expected ',' or ']'" },
    { "[1.]", "line 1, column 2: invalid number" },
    { "[-x]", "line 1, column 2: invalid number" },
    { "[1e400]", "line 1, column 2: number beyond the range of doubles" },
    { "[1 2]", "line 1, column 4: expected ',' or ']'" },
    { '{"a":1 "b":2}', "line 1, column 8: expected ',' or '}'" },
    { '{"a" 1}', "line 1, column 6: expected ':'" },
    { "{a:1}", "line 1, column 2: expected a member's name in quotes" },
    { '{"a":1,}', "line 1, column 8: expected a member's name in quotes" },
    { "[]]", "line 1, column 3: expected nothing more" },
    { "[\0]", "line 1, column 2: expected a value" },
    { '["a\nb"]', "line 1, column 4: control character in a string" },
    { '["\195"]', "line 1, column 3: invalid UTF-8" },
    { '["ab\\x"]', "line 1, column 5: invalid escape" },
    { '["abc', "line 1, column 6: unexpected end" },
    { ("["):rep(1001), "line 1, column 1001: is nested deeper than 1000 levels" },
    { "[" .. ('{"a":"x"},\n'):rep(9) .. '{"a":"\\q"}]', "line 10, column 7: invalid escape" },
    { "[" .. ('{"a":"x"},\n'):rep(9) .. '{"a" "x"}]', "line 10, column 6: expected ':'" },
  }
  for _, row in ipairs(rows) do
    it(("%q"):format(row[1]:sub(1, 30)), function()
      local value, err = decode(row[1])
      assert.is_nil(value)
      assert.equal(row[2], err.message)
    end)
  end
end)

describe("encode writes", function()
  local rows = {
    { "null", null, "null" },
    { "true", true, "true" },
    { "false", false, "false" },
    { "an integer", -42, "-42" },
    { "zero", 0, "0" },
    { "minus zero", -0.0, "-0.0" },
    { "a fraction", 0.1, "0.1" },
    { "the shortest digits that tell a double", 0.1 + 0.2, "0.30000000000000004" },
    { "a third", 1 / 3, "0.3333333333333333" },
    { "a large double", 1e100, "1e+100" },
    { "the largest double", 1.7976931348623157e308, "1.7976931348623157e+308" },
    { "the smallest double", 5e-324, "5e-324" },
    { "2^-1022", 2 ^ -1022, "2.2250738585072014e-308" },
    { "9.5367431640625e-07", 2 ^ -20, "9.5367431640625e-7" },
    { "0.00001", 0.00001, "0.00001" },
    { "a string", "text", '"text"' },
    { "an empty string", "", '""' },
    { "UTF-8", "größe €😀", '"größe €😀"' },
    { "escapes", '"\\/\b\f\n\r\t', '"\\"\\\\/\\b\\f\\n\\r\\t"' },
    { "control characters", "\0\1\31\127", '"\\u0000\\u0001\\u001f\127"' },
    { "an object", { a = 1 }, '{"a":1}' },
    { "an empty table", {}, "{}" },
    { "an array", { 1, "b", null }, '[1,"b",null]' },
    { "an empty array", array {}, "[]" },
    { "a marked array", array { 1, 2 }, "[1,2]" },
    { "an array's only item", { {} }, "[{}]" },
    { "a table in a table", { a = { { b = array {} } } }, '{"a":[{"b":[]}]}' },
    { "a name with escapes", { ['a"b\n'] = 1 }, '{"a\\"b\\n":1}' },
    { "an empty name", { [""] = 1 }, '{"":1}' },
    { "whole float keys as indexes", { [1.0] = "a", [2.0] = "b" }, '["a","b"]' },
  }
  for _, row in ipairs(rows) do
    it(row[1], function() assert.equal(row[3], encode(row[2])) end)
  end

  it("a table that occurs twice", function()
    local shared = { 1 }
    assert.equal("[[1],[1]]", encode { shared, shared })
  end)

  it("an array filled backwards", function()
    local list = {}
    for i = 100, 1, -1 do list[i] = i end
    assert_same(list, decode(encode(list)))
  end)

  it("1000 levels, but not 1001", function()
    local value = array {}
    for _ = 2, 1000 do value = { value } end
    assert.equal(("["):rep(1000) .. ("]"):rep(1000), encode(value))
    local text, err = encode { value }
    assert.is_nil(text)
    assert.equal("..." .. ("[1]"):rep(20) .. " is nested deeper than 1000 levels", err.message)
    local object = {}
    for _ = 2, 1000 do object = { a = object } end
    assert_same(object, decode(encode(object)))
  end)

  it("without calling metamethods", function()
    local function never() error "called" end
    local strict = { __index = never, __pairs = never, __len = never, __tostring = never, __ipairs = never, __name = "strict" }
    assert.equal('{"a":1}', encode(setmetatable({ a = 1 }, strict)))
    assert.equal("[1,2]", encode(setmetatable({ 1, 2 }, strict)))
    assert.equal("{}", encode(setmetatable({}, strict)))
  end)

  it("strings of every length with an escape at every place", function()
    for length = 0, 70 do
      for _, piece in ipairs { "", "\n", "é", "€", "😀", '"', "\0" } do
        local text = ("x"):rep(length) .. piece .. ("y"):rep(length % 19)
        assert.equal(text, decode(encode(text)))
        text = piece:rep(length) .. "z"
        assert.equal(text, decode(encode(text)))
      end
    end
  end)

  if exact_integers then
    it("integers and floats apart", function()
      assert.equal("[1,1.0,9223372036854775807,-9223372036854775808,1e+300]",
        encode { 1, 1.0, math.maxinteger, math.mininteger, 1e300 })
      assert.equal("[9007199254740993,9007199254740992.0,-9.223372036854776e+18]", encode { 9007199254740993, 2.0 ^ 53, -2.0 ^ 63 })
    end)
  else
    it("whole numbers as integers, as far as they are exact", function()
      assert.equal("[1,9007199254740992,-9007199254740992]", encode { 1.0, 2 ^ 53, -2 ^ 53 })
      assert.equal("[18014398509481984.0,1e+300]", encode { 2 ^ 54, 1e300 })
    end)

    it("LuaJIT's 64-bit integers", function()
      local ffi = require "ffi"
      local least, greatest = ffi.cast("int64_t", -2 ^ 63), ffi.cast("uint64_t", 0) - 1
      assert.equal('[-9223372036854775808,{"a":18446744073709551615}]', encode { least, { a = greatest } })
      local list, members = {}, {}
      for i = 1, 500 do list[i], members["m" .. i] = ffi.cast("int64_t", i), ffi.cast("int64_t", i) end
      assert_same(500, decode(encode(list))[500])
      assert_same(500, decode(encode(members)).m500)
      expect_refused("value[1] is cdata other than an int64_t or uint64_t", { ffi.new("int[2]") })
      expect_refused("value[1] is cdata other than an int64_t or uint64_t", { ffi.cast("float", 1) })
    end)
  end
end)

describe("encode refuses", function()
  local cycle = { rows = { {} } }
  cycle.rows[1].parent = cycle
  local self = {}
  self[1] = self
  local rows = {
    { "NaN", 0 / 0, "value is not a number (NaN)" },
    { "infinity", { a = math.huge }, "value.a is infinite" },
    { "minus infinity", { -math.huge }, "value[1] is infinite" },
    { "a function", { rows = { 1, 2, { Name = print } } }, "value.rows[3].Name is a function" },
    { "a thread", { coroutine.create(print) }, "value[1] is a thread" },
    { "a userdata", { io.stdout }, "value[1] is a userdata" },
    { "a table in itself", self, "value[1] is a table that contains itself" },
    { "a table in a table in itself", cycle, "value.rows[1].parent is a table that contains itself" },
    { "items and members in one", { rows = { { 1, a = 2 } } }, "value.rows[1] mixes array items and named members" },
    { "an array with a hole", { a = { [1] = 1, [3] = 3 } }, "value.a is an array with holes" },
    { "an array without its first item", { [2] = 1 }, "value is an array with holes" },
    { "an index of zero", { [0] = 1 }, "value has a number as a key that is no array index" },
    { "a negative index", { [-1] = 1 }, "value has a number as a key that is no array index" },
    { "a fraction for an index", { [1.5] = 1 }, "value has a number as a key that is no array index" },
    { "an infinite index", { [math.huge] = 1 }, "value is an array with holes" },
    { "a boolean for a name", { [true] = 1 }, "value has a key that is neither a string nor an array index" },
    { "a table for a name", { a = { [{}] = 1 } }, "value.a has a key that is neither a string nor an array index" },
    { "null for a name", { [null] = 1 }, "value has a key that is neither a string nor an array index" },
    { "a marked array with members", array { a = 1 }, "value mixes array items and named members" },
    { "an invalid byte", { a = "x\255" }, "value.a is not valid UTF-8" },
    { "a character cut short", "\226\130", "value is not valid UTF-8" },
    { "a surrogate", { "\237\160\128" }, "value[1] is not valid UTF-8" },
    { "an overlong character", "\192\128", "value is not valid UTF-8" },
    { "an invalid byte after long plain text", ("x"):rep(100) .. "\255", "value is not valid UTF-8" },
    { "an invalid name", { a = { ["\255"] = 1 } }, "value.a has a key that is not valid UTF-8" },
    { "what has names that are none to Lua", { ["a b"] = { ["1"] = { [""] = print } } }, 'value["a b"]["1"][""] is a function' },
  }
  for _, row in ipairs(rows) do
    it(row[1], function() expect_refused(row[3], row[2]) end)
  end

  it("nil", function()
    expect_refused("value is nil (null is uipath.null)", nil)
    assert.has_error(function() encode() end)
  end)
end)

describe("arrays are marked", function()
  it("by uipath.array", function()
    local list = {}
    assert.equal(list, array(list))
    assert.equal("[]", encode(list))
    assert.equal("[]", encode(array()))
    assert.equal('{"a":[]}', encode { a = array {} })
    assert.equal('[[],{}]', encode(decode "[[],{}]"))
  end)

  it("by the marks of a cjson that has them", function()
    local output = run [[
      local one, other = 1, 2
      local empty_array = debug.upvalueid(function() return one end, 1)
      local cjson = { array_mt = {}, empty_array_mt = {}, empty_array = empty_array }
      package.loaded.cjson = cjson
      local uipath = require "uipath"
      print(getmetatable(uipath.array {}) == cjson.array_mt, getmetatable(uipath.json.decode "[]") == cjson.array_mt)
      print(uipath.json.encode { setmetatable({}, cjson.array_mt), setmetatable({}, cjson.empty_array_mt), empty_array,
        uipath.array {}, {} })
      print(select(2, uipath.json.encode { debug.upvalueid(function() return other end, 1) }).message)]]
    assert.equal("true\ttrue\n[[],[],[],[],{}]\nvalue[1] is a userdata\n", output)
  end)

  it("by a stand-in where cjson has none, or is missing", function()
    for _, cjson in ipairs { "{}", "false", "nil" } do
      local output = run([[
        package.loaded.cjson = ]] .. cjson .. [[

        package.preload.cjson = ]] .. (cjson == "nil" and "function() error 'not installed' end" or "nil") .. [[

        local uipath = require "uipath"
        local mark = getmetatable(uipath.array {})
        print(type(mark), getmetatable(uipath.json.decode "[]") == mark, uipath.json.encode { uipath.array {}, {} })]])
      assert.equal("table\ttrue\t[[],{}]\n", output)
    end
  end)
end)

describe("memory", function()
  local document = "[" .. ('{"name":"value","list":[1,2,3],"text":"a\\nb","empty":[]},'):rep(200) .. "null]"

  it("is given back: the collector runs on while texts are decoded and encoded", function()
    for _, work in ipairs {
      function() decode(document) end,
      function() decode(document .. "x") end,
      function() encode(decode(document)) end,
      function() encode { decode(document), print } end,
    } do
      for _ = 1, 5 do work() end
      collectgarbage()
      collectgarbage()
      local before, greatest = collectgarbage "count", 0
      for _ = 1, os.getenv "SUITE" == "gc" and 20 or 300 do
        work()
        greatest = math.max(greatest, collectgarbage "count")
      end
      assert.is_true(collectgarbage "isrunning")
      assert.is_true(greatest < 2 * before + 4000, greatest - before) -- all of it would be 30 MB
      collectgarbage()
      collectgarbage()
      assert.is_true(collectgarbage "count" - before < 100, collectgarbage "count" - before)
    end
  end)

  -- In a process whose heap is small: every allocation is followed by a whole cycle.
  it("holds what is being decoded while the collector is at its most aggressive", function()
    local output = run [[
      local json = require "uipath".json
      local rows = {}
      for i = 1, 45 do
        rows[i] = ('{"Id":%d,"State":"S%d","Name":"n\\n%d","Tags":["x",%d],"empty":[],"Robot":{"Key":"%d"},"k%d":1.5}'):format(
          i, i % 3, i, i, i * 1000, i % 11)
      end
      local text = '{"value":[' .. table.concat(rows, ",") .. '],"text":"' .. ("\\u20ac "):rep(600) .. '"}'
      local function same(one, other)
        if type(one) ~= "table" then return one == other end
        for key, value in pairs(one) do
          if not same(value, other[key]) then return false end
        end
        for key in pairs(other) do
          if one[key] == nil then return false end
        end
        return getmetatable(one) == getmetatable(other)
      end
      local expected = json.decode(text)
      if jit or _VERSION == "Lua 5.3" then
        collectgarbage("setpause", 0)
        collectgarbage("setstepmul", 10000)
      elseif _VERSION == "Lua 5.4" then
        collectgarbage("incremental", 0, 10000, 0)
      else
        collectgarbage("param", "pause", 0)
        collectgarbage("param", "stepmul", 10000)
        collectgarbage("param", "stepsize", 1)
      end
      collectgarbage()
      for _ = 1, 3 do print(same(expected, json.decode(json.encode(json.decode(text))))) end]]
    assert.equal("true\ntrue\ntrue\n", output)
  end)
end)

-- Lua values as OData text: filters, lists and keys. Nothing here reaches the network: what is wrong
-- raises before anything is sent.

local uipath = require "uipath"
local odata = uipath.odata
local null = uipath.null

local guid = "a0b1c2d3-4567-89ab-cdef-0123456789ab"

---Checks that the function raises a message with this in it.
local function expect_raise(fragment, fn, ...)
  local ok, message = pcall(fn, ...)
  assert.is_false(ok)
  assert.is_truthy(tostring(message):find(fragment, 1, true), message)
end

---The literal that a value becomes in a filter.
local function literal(value)
  return odata.filter("?", value)
end

describe("a filter's literal of", function()
  local rows = {
    { "a string", "Faulted", "'Faulted'" },
    { "an empty string", "", "''" },
    { "a quote", "O'Brien", "'O''Brien'" },
    { "quotes alone", "''", "''''''" },
    { "text that tries to get out", "x' or 1 eq 1 or 'a' eq '", "'x'' or 1 eq 1 or ''a'' eq '''" },
    { "a string with a question mark", "what?", "'what?'" },
    { "UTF-8", "Größe 😀", "'Größe 😀'" },
    { "a string that looks like a number", "5", "'5'" },
    { "a string that looks like a GUID", guid, "'" .. guid .. "'" },
    { "an integer", 5, "5" },
    { "a negative integer", -5, "-5" },
    { "zero", 0, "0" },
    { "negative zero", -0.0, "0" },
    { "a float that is whole", 5.0, "5" },
    { "the last exact float", 2 ^ 53, "9007199254740992" },
    { "a large round float", 1e15, "1000000000000000" },
    { "a larger one", 1e18, "1000000000000000000" },
    { "one beyond 64 bits", 1e300, "1e+300" },
    { "a fraction", 2.5, "2.5" },
    { "a fraction without a short binary form", 0.1, "0.1" },
    { "a fraction that needs 17 digits", 0.1 + 0.2, "0.30000000000000004" },
    { "true", true, "true" },
    { "false", false, "false" },
    { "null", null, "null" },
    { "a list", { "a", "b'c", 3 }, "('a','b''c',3)" },
    { "a list of one", { 5 }, "(5)" },
  }
  for _, row in ipairs(rows) do
    it(row[1], function() assert.equal(row[3], literal(row[2])) end)
  end

  if math.type then
    it("the extreme integers", function()
      assert.equal("9223372036854775807", literal(math.maxinteger))
      assert.equal("-9223372036854775808", literal(math.mininteger))
      assert.equal("9007199254740993", literal(9007199254740993))
    end)
  else
    it("LuaJIT's 64-bit integers", function()
      local ffi = require "ffi"
      assert.equal("9007199254740993", literal(ffi.new("int64_t", 9007199254740992) + 1))
      assert.equal("-5", literal(ffi.new("int64_t", -5)))
      assert.equal("18446744073709551615", literal(ffi.new("uint64_t") - 1))
      expect_raise("value 1 has no OData literal", literal, ffi.new("int[1]"))
      expect_raise("value 1 has no OData literal", literal, ffi.new("double", 1))
    end)
  end

  local wrong = {
    { "an infinity", 1 / 0, "value 1 is not a finite number" },
    { "a NaN", 0 / 0, "value 1 is not a finite number" },
    { "a function", print, "value 1 has no OData literal" },
    { "a coroutine", coroutine.create(print), "value 1 has no OData literal" },
    { "a file", io.stdout, "value 1 has no OData literal" },
    { "invalid UTF-8", "Gr\246\223e", "value 1 is not valid UTF-8" },
    { "a line end", "a\nb", "value 1 contains control characters" },
    { "a NUL", "a\0b", "value 1 contains control characters" },
    { "an empty list", {}, "value 1 is a table, but not a list, or an empty one" },
    { "a table with names", { a = 1 }, "value 1 is a table, but not a list, or an empty one" },
    { "a list with names", { 1, a = 1 }, "value 1 is a table, but not a list without holes" },
    { "a list of lists", { { 1 } }, "value 1 is a list within a list" },
    { "a list with a wrong value", { 1, 0 / 0 }, "value 1 is not a finite number" },
  }
  for _, row in ipairs(wrong) do
    it(row[1] .. " raises", function() expect_raise(row[3], literal, row[2]) end)
  end
end)

describe("odata.filter", function()
  it("puts the values in order", function()
    assert.equal("Name eq 'O''Brien' and Id gt 5", odata.filter("Name eq ? and Id gt ?", "O'Brien", 5))
    assert.equal("Id in (1,2,3) or not true", odata.filter("Id in ? or not ?", { 1, 2, 3 }, true))
  end)

  it("leaves text without ? as it is", function()
    assert.equal("State eq 'Faulted'", odata.filter("State eq 'Faulted'"))
    assert.equal("", odata.filter(""))
  end)

  it("knows ? within quotes as text", function()
    assert.equal("Name eq 'what?' and Id eq 5", odata.filter("Name eq 'what?' and Id eq ?", 5))
    assert.equal("Name eq 'isn''t it?' and Id eq 5", odata.filter("Name eq 'isn''t it?' and Id eq ?", 5))
    assert.equal("'?'''5", odata.filter("'?'''?", 5))
  end)

  it("never looks for ? in what it has put in", function()
    assert.equal("a eq '?' and b eq '??'", odata.filter("a eq ? and b eq ?", "?", "??"))
  end)

  it("takes as many values as there are ?", function()
    local many, values = {}, {}
    for i = 1, 300 do many[i], values[i] = "?", i end
    local unpack = table.unpack or unpack
    assert.equal(table.concat(values, " "), odata.filter(table.concat(many, " "), unpack(values)))
  end)

  it("raises when the counts differ", function()
    expect_raise("filter: 2 '?' outside quotes, but 1 value (nil is none", odata.filter, "a eq ? and b eq ?", 1)
    expect_raise("filter: 1 '?' outside quotes, but 2 values", odata.filter, "a eq ? and b eq '?'", 1, 2)
    expect_raise("filter: 0 '?' outside quotes, but 1 value", odata.filter, "a eq 1", 1)
    expect_raise("filter: 1 '?' outside quotes, but 0 values", odata.filter, "a eq ?")
  end)

  it("raises on nil wherever it stands", function()
    expect_raise("filter: value 1 is nil", odata.filter, "a eq ?", nil)
    expect_raise("filter: value 2 is nil", odata.filter, "a eq ? and b eq ? and c eq ?", 1, nil, 3)
    expect_raise("filter: value 3 is nil", odata.filter, "a eq ? and b eq ? and c eq ?", 1, 2, nil)
  end)

  it("raises on a quote that stays open", function()
    expect_raise("filter: a quote (') is not closed", odata.filter, "a eq 'x and b eq ?", 1)
  end)

  it("raises on text that is none", function()
    expect_raise("string expected", odata.filter)
    expect_raise("string expected", odata.filter, 5)
    expect_raise("string expected", odata.filter, { "a eq ?" }, 5)
  end)
end)

describe("odata.integer", function()
  it("is written without quotes, whatever its size", function()
    for _, digits in ipairs { "0", "7", "-7", "9007199254740993", "-9007199254740993", "9223372036854775807", "-9223372036854775808" } do
      assert.equal("Id gt " .. digits, odata.filter("Id gt ?", odata.integer(digits)))
      assert.equal(digits, tostring(odata.integer(digits)))
      assert.equal("(" .. digits .. ")", odata.key(odata.integer(digits)))
      assert.equal("Id in (" .. digits .. ",1)", odata.filter("Id in ?", { odata.integer(digits), 1 }))
    end
    assert.equal("5", tostring(odata.integer(5)))
    assert.equal("9007199254740992", tostring(odata.integer(2 ^ 53)))
  end)

  it("takes what uipath.json.decode gives for such an id", function()
    for _, digits in ipairs { "9007199254740993", "-9007199254740993", "9223372036854775807", "12" } do
      local row = assert(uipath.json.decode('{"Id":' .. digits .. "}"))
      assert.equal("Id eq " .. digits, odata.filter("Id eq ?", odata.integer(row.Id)))
    end
    local ffi = rawget(_G, "jit") and require "ffi"
    if ffi then assert.equal("9007199254740993", tostring(odata.integer(ffi.new("int64_t", 2 ^ 53) + 1))) end
  end)

  it("is nothing else", function()
    for _, text in ipairs { "", "-", "a", "1a", " 1", "1 ", "+1", "1.0", "1e3", "01", "-0", "0x1", "--1", "1\0", "9223372036854775808",
                            "-9223372036854775809", "10000000000000000000", "1 or 1 eq 1" } do
      expect_raise("not an integer of 64 bits", odata.integer, text)
    end
    for _, value in ipairs { 0.5, 2 ^ 70, -2 ^ 70 } do expect_raise("not an integer of 64 bits", odata.integer, value) end
    for _, value in ipairs { 0 / 0, math.huge, true, {}, print } do expect_raise("must be an integer", odata.integer, value) end
    expect_raise("value expected", odata.integer)
  end)
end)

describe("odata.guid", function()
  it("goes without quotes", function()
    assert.equal("Key eq " .. guid, odata.filter("Key eq ?", odata.guid(guid)))
    assert.equal(("Key in (%s,'%s')"):format(guid, guid),
      odata.filter("Key in ?", { odata.guid(guid), guid }))
    assert.equal(guid, tostring(odata.guid(guid)))
  end)

  it("raises on anything else", function()
    local almost = { guid .. "0", "{" .. guid .. "}", (guid:gsub("a", "g")), (guid:gsub("-", "_")) }
    for _, text in ipairs { "", "a0b1c2d3", (table.unpack or unpack)(almost) } do
      expect_raise("not a GUID", odata.guid, text)
    end
    expect_raise("string expected", odata.guid, 5)
    expect_raise("string expected", odata.guid)
  end)
end)

describe("odata.enum", function()
  it("goes without quotes", function()
    for _, text in ipairs {
      "Faulted", "_1", "UiPath.Server.JobState'Faulted'", "JobState'Faulted,Stopped'", "5",
    } do
      assert.equal("State eq " .. text, odata.filter("State eq ?", odata.enum(text)))
    end
  end)

  it("raises on what could be more than a member", function()
    for _, text in ipairs {
      "", "a b", "a'", "a''", "'a'", "a'b", "a'b'c", "a'b,'", "a'b'' or 1 eq 1", "a.", ".a", "a..b",
      "a)", "a\0", "a'b'\0", "Größe",
    } do
      expect_raise("not an enumeration's member", odata.enum, text)
    end
    expect_raise("string expected", odata.enum, 5)
  end)
end)

describe("odata.date", function()
  local rows = {
    { 0, "1970-01-01T00:00:00Z" },
    { -1, "1969-12-31T23:59:59Z" },
    { 951782399, "2000-02-28T23:59:59Z" },
    { 951782400, "2000-02-29T00:00:00Z" },
    { 1709164800, "2024-02-29T00:00:00Z" },
    { 1709251199, "2024-02-29T23:59:59Z" },
    { 1795482123, "2026-11-24T01:02:03Z" },
    { 4107542400, "2100-03-01T00:00:00Z" },
    { -62135596800, "0001-01-01T00:00:00Z" },
    { 253402300799, "9999-12-31T23:59:59Z" },
    { 1795482123.25, "2026-11-24T01:02:03.250Z" },
    { 0.0004, "1970-01-01T00:00:00Z" },
    { 0.9996, "1970-01-01T00:00:01Z" },
    { -0.25, "1969-12-31T23:59:59.750Z" },
    { { year = 2026, month = 11, day = 24 }, "2026-11-24T00:00:00Z" },
    { { year = 2026, month = 1, day = 2, hour = 3, min = 4, sec = 5 }, "2026-01-02T03:04:05Z" },
    { os.date("!*t", 1795482123), "2026-11-24T01:02:03Z" },
  }
  for _, text in ipairs {
    "2026-11-24", "2024-02-29", "2026-11-24T01:02Z", "2026-11-24T01:02:03Z",
    "2026-11-24T01:02:03.1234567Z", "2026-11-24T01:02:03+01:00", "2026-11-24T01:02:03.5-09:30",
    "0001-01-01T00:00:00Z", "9999-12-31T23:59:59Z",
  } do
    rows[#rows + 1] = { text, text }
  end
  for _, row in ipairs(rows) do
    it("gives " .. row[2], function()
      assert.equal(row[2], tostring(odata.date(row[1])))
      assert.equal("CreationTime ge " .. row[2], odata.filter("CreationTime ge ?", odata.date(row[1])))
    end)
  end

  it("agrees with os.date", function()
    for seconds = -2000000000, 6000000000, 12345679 do
      assert.equal(os.date("!%Y-%m-%dT%H:%M:%SZ", seconds), tostring(odata.date(seconds)))
    end
  end)

  it("raises on text that is no date", function()
    for _, text in ipairs {
      -- the form
      "", "2026", "2026-11", "2026-1-2", "26-11-24", "24.11.2026", "2026-11-24 01:02:03Z",
      "2026-11-24T", "2026-11-24T01Z", "2026-11-24T01:02:03z", "2026-11-24T01:02:03Z ",
      "2026-11-24T01:02:03.Z", "2026-11-24T01:02:03.1234567890123Z", "2026-11-24Z",
      "2026-11-24 or 1 eq 1", "2026-11-24\0",
      -- the zone
      "2026-11-24T01:02:03", "2026-11-24T01:02", "2026-11-24T01:02:03+1:00",
      "2026-11-24T01:02:03+0100", "2026-11-24T01:02:03+15:00", "2026-11-24T01:02:03+01:60",
      -- the calendar and the clock
      "2026-13-01", "2026-00-01", "2026-11-31", "2026-11-00", "2026-02-29", "2100-02-29",
      "0000-01-01", "2026-11-24T24:00:00Z", "2026-11-24T01:60:00Z", "2026-11-24T01:02:60Z",
    } do
      expect_raise("not a date like", odata.date, text)
    end
  end)

  it("raises on numbers and tables that are no date", function()
    for _, seconds in ipairs { 1 / 0, -1 / 0, 0 / 0, 253402300800, -62135596801, 1e300 } do
      expect_raise("not a time in the years 1 to 9999", odata.date, seconds)
    end
    expect_raise("a date's month must be a whole number", odata.date, { year = 2026 })
    expect_raise("a date's day must be a whole number", odata.date, { year = 2026, month = 1, day = 1.5 })
    expect_raise("a date's year must be a whole number", odata.date, { year = "2026", month = 1, day = 1 })
    expect_raise("a date's hour must be a whole number", odata.date,
      { year = 2026, month = 1, day = 1, hour = {} })
    expect_raise("there is no such date", odata.date, { year = 2026, month = 2, day = 29 })
    expect_raise("there is no such date", odata.date, { year = 2026, month = 2, day = 1, sec = 60 })
  end)

  it("raises on other types", function()
    expect_raise("must be seconds since 1970", odata.date)
    expect_raise("must be seconds since 1970", odata.date, true)
    expect_raise("must be seconds since 1970", odata.date, odata.guid(guid))
  end)
end)

describe("odata.key", function()
  it("is ready for a path", function()
    assert.equal("(5)", odata.key(5))
    assert.equal("('O''Brien')", odata.key("O'Brien"))
    assert.equal("(" .. guid .. ")", odata.key(odata.guid(guid)))
    assert.equal("('Id:1.0.0')", odata.key("Id:1.0.0"))
    assert.equal("(1,'a',true)", odata.key(1, "a", true))
  end)

  it("is percent-encoded where a path needs it", function()
    assert.equal("('a%2Fb%3Fc%23d%25e%20f')", odata.key("a/b?c#d%e f"))
    assert.equal("('%252E')", odata.key("%2E"))
    assert.equal("('Gr%C3%B6%C3%9Fe%5C%22%7B%7D')", odata.key('Größe\\"{}'))
    assert.equal("('-._~!$&()*+,;=:@')", odata.key("-._~!$&()*+,;=:@"))
  end)

  it("names its parts, in the order of the names", function()
    assert.equal("(assetName='x',robotId='1')", odata.key { robotId = "1", assetName = "x" })
    assert.equal("(identifier=" .. guid .. ")", odata.key { identifier = odata.guid(guid) })
    assert.equal("(a=1,a1=2,b=3,c_d=4)", odata.key { c_d = 4, b = 3, a1 = 2, a = 1 })
  end)

  it("raises on what is no key", function()
    expect_raise("key: no value", odata.key)
    expect_raise("key: a value is nil", odata.key, nil)
    expect_raise("key: a value is nil", odata.key, 1, nil)
    expect_raise("key: a value is null", odata.key, null)
    expect_raise("key: a value is a table", odata.key, 1, { 2 })
    expect_raise("key: a value is a table", odata.key, { a = { 2 } })
    expect_raise("key: a value is null", odata.key, { a = null })
    expect_raise("key: a value is not a finite number", odata.key, 1 / 0)
    expect_raise("key: a value contains control characters", odata.key, "a\nb")
    expect_raise("key: an empty table", odata.key, {})
    expect_raise("key: a table must map names to values", odata.key, { 1 })
    expect_raise("key: a table must map names to values", odata.key, { ["a b"] = 1 })
    expect_raise("key: a table must map names to values", odata.key, { ["1a"] = 1 })
    expect_raise("key: a table must map names to values", odata.key, { [""] = 1 })
  end)
end)

describe("a call's", function()
  local client = uipath.connect { organization = "acme", tenant = "T", access_token = "token" }

  local function get(options)
    return client:get("odata/Jobs", options)
  end

  it("filter raises on what is wrong", function()
    local form = "filter must be a string or a list { text, value, … }"
    expect_raise(form, get, { filter = 5 })
    expect_raise(form, get, { filter = {} })
    expect_raise(form, get, { filter = { 5 } })
    expect_raise(form, get, { filter = { "a eq ?", value = 5 } })
    expect_raise(form, get, { filter = { "a eq ?", 5, [2.5] = 5 } })
    expect_raise(form, get, { filter = { [0] = 5, "a eq ?", 5 } })
    expect_raise(form, get, { filter = { [2] = 5 } })
    expect_raise(form, get, { filter = { "a eq ?", [1e300] = 5 } })
    expect_raise("filter: value 1 has no OData literal", get, { filter = { "a eq ?", print } })
    expect_raise("filter: 1 '?' outside quotes, but 2 values", get, { filter = { "a eq ?", 1, 2 } })
    expect_raise("filter: a quote (') is not closed", get, { filter = { "a eq '?", 1 } })
  end)

  it("filter never loses a value behind a nil", function()
    expect_raise("filter: 1 '?' outside quotes, but 0 values", get, { filter = { "a eq ?", nil } })
    expect_raise("filter: value 1 is nil", get, { filter = { "a eq ? and b eq ?", nil, 2 } })
    expect_raise("filter: value 2 is nil", get, { filter = { "a eq ? and b eq ? and c eq ?", 1, nil, 3 } })
    expect_raise("filter: 1 '?' outside quotes, but 3 values", get, { filter = { "a eq ?", 1, nil, 3 } })
  end)

  it("lists raise on what is wrong", function()
    expect_raise("select is an empty list", get, { select = {} })
    expect_raise("select must be a list, but has other keys", get, { select = { "Id", name = "Name" } })
    expect_raise("select must hold strings and finite numbers only, got table", get,
      { select = { "Id", {} } })
    expect_raise("select must hold strings and finite numbers only, got nil", get,
      { select = { "Id", nil, "Name" } })
    expect_raise("select must be a string, a finite number or a list of them, got boolean", get,
      { select = true })
  end)
end)

-- How values are written: text that no terminal obeys, columns that align, one order of members,
-- dates of one form.

local assert = require "luassert"
local csv = require "uipath.output.csv"
local dates = require "uipath.output.dates"
local json = require "uipath.output.json"
local lua = require "uipath.output.lua"
local nested = require "uipath.output.nested"
local tables = require "uipath.output.table"
local text = require "uipath.output.text"
local uipath = require "uipath"

-- ESC, DEL, C1's CSI, a mark that turns the direction of writing, a byte that is no UTF-8.
local OBEYED = "a\27[31mb\127c\194\155d\226\128\174e"

local function has_controls(written)
  return written:gsub("\n", ""):find "[%c\127]" ~= nil or written:find("\194\155", 1, true) ~= nil
    or written:find("\226\128\174", 1, true) ~= nil
end

-- What a writer of tables writes, and what it notes.
local function written(rows, options)
  local parts, notes = {}, {}
  options = options or {}
  options.note = function(note)
    notes[#notes + 1] = note
    parts[#parts + 1] = "<" .. note .. ">"
  end
  local writer = tables.writer(function(part) parts[#parts + 1] = part end, options)
  writer.rows(rows)
  writer.finish()
  return table.concat(parts), notes
end

describe("text", function()
  it("has the width that a terminal gives it", function()
    for value, width in pairs {
      abc = 3, ["日本語"] = 6, ["한국"] = 4, ["ｆｕｌｌ"] = 8, ["e\204\129"] = 1, ["😀"] = 2, ["🟢"] = 2,
      ["🪣"] = 2, ["✅"] = 2, ["⭐"] = 2, ["à la carte"] = 10, ["नमस्ते"] = 4, ["שָׁלוֹם"] = 4,
      ["\225\132\146\225\133\161\225\134\171"] = 2, ["①②"] = 2, ["a\226\128\139b"] = 2,
    } do assert.equal(width, text.width(value), value) end
  end)

  it("is cut to a width, never in the middle of a character", function()
    assert.same({ "日…", 3 }, { text.cut("日本語", 4) })
    assert.same({ "日本語", 6 }, { text.cut("日本語", 6) })
  end)

  it("wraps between words", function()
    assert.equal("one two\n  three\n  four", text.wrap("one two three four", 9, "  "))
    assert.equal("unbreakableword\nx", text.wrap("unbreakableword x", 5))
    assert.equal("short", text.wrap("short", 80))
  end)

  it("for a terminal keeps lines and tabs, and nothing that would be obeyed", function()
    assert.equal("a\\e[31mb\\x7fc\\xc2\\x9bd\\xe2\\x80\\xaee", text.printable(OBEYED))
    assert.equal("one\n\ttwo é 日\n", text.printable "one\r\n\ttwo é 日\n")
    assert.equal("\\xff", text.printable "\255")
  end)
end)

describe("JSON", function()
  it("in lines has its members in one order", function()
    assert.equal('{"a":{"x":1,"y":[{"p":1,"q":null}]},"b":true,"c":[],"d":{}}', json.compact {
      d = {}, b = true, c = uipath.array {}, a = { y = { { q = uipath.null, p = 1 } }, x = 1 },
    })
  end)

  it("escapes what a terminal would obey, and means the same", function()
    for _, write in ipairs { json.compact, json.text } do
      local value = { [OBEYED] = OBEYED }
      local out = write(value)
      assert.is_false(has_controls(out))
      assert.same(value, assert(uipath.json.decode(out)))
    end
  end)
end)

describe("Lua", function()
  it("escapes what a terminal would obey, and means the same", function()
    local out = lua.text { [OBEYED] = OBEYED }
    assert.is_false(has_controls(out))
    assert.same({ [OBEYED] = OBEYED }, (loadstring or load)("return " .. out)()) -- luacheck: ignore 113
  end)
end)

describe("CSV", function()
  local function lines(rows, options)
    local parts = {}
    csv.writer(function(part) parts[#parts + 1] = part end, options).rows(rows)
    return table.concat(parts)
  end

  it("is guarded against formulas where that is asked for", function()
    local rows = {
      { A = "=1+1" }, { A = "+1" }, { A = "-1" }, { A = "@x" }, { A = "\tx" }, { A = "a=1" }, { A = -1 },
      { A = '=HYPERLINK("x")' },
    }
    assert.equal('A\n\'=1+1\n\'+1\n\'-1\n\'@x\n\'\tx\na=1\n-1\n"\'=HYPERLINK(""x"")"\n',
      lines(rows, { select = { "A" }, guard = true }))
    assert.equal("'=A\n1\n", lines({ { ["=A"] = 1 } }, { select = { "=A" }, guard = true }))
    assert.matches("^A\n=1%+1\n", lines(rows, { select = { "A" } }))
  end)

  it("has nested values in one order, and nothing that a terminal would obey", function()
    assert.equal('A\n"{""x"":1,""y"":2}"\n', lines({ { A = { y = 2, x = 1 } } }, { select = { "A" } }))
    assert.is_false(has_controls(lines({ { [OBEYED] = OBEYED } }, { clean = true, warn = error })))
  end)
end)

describe("dates", function()
  for given, shown in pairs {
    ["2026-11-08T05:35:45.891Z"] = "2026-11-08T05:35:45Z",
    ["2026-11-08T05:35:45.8912345+00:00"] = "2026-11-08T05:35:45Z",
    ["2026-01-01T00:30:00+02:00"] = "2025-12-31T22:30:00Z",
    ["2024-02-29T23:30:00-01:00"] = "2024-03-01T00:30:00Z",
    ["2026-11-08T05:35:45"] = "2026-11-08T05:35:45",
    ["2026-11-08"] = "2026-11-08", ["Main-2026.xaml"] = "Main-2026.xaml",
  } do
    it("look alike: " .. given, function()
      assert.equal(shown, dates.text(given))
      local style = setmetatable({}, { __index = function() return function(part) return part end end })
      assert.equal("At  " .. shown, nested.text({ At = given }, style))
      assert.matches("\n" .. shown:gsub("%p", "%%%0") .. "\n$", (written { { At = given } }))
    end)
  end

  it("stay as they were sent in what programs read", function()
    assert.equal('{"At":"2026-11-08T05:35:45.891Z"}', json.compact { At = "2026-11-08T05:35:45.891Z" })
  end)

  it("of a token are dates, not numbers", function()
    assert.same({ expires_at = "2001-09-09T01:46:40Z", scopes = { "A" } },
      dates.of_token { expires_at = 1e9, scopes = { "A" } })
    assert.same({ expires_at = 1e9 }, dates.of_token { expires_at = 1e9 })
  end)
end)

describe("a table", function()
  it("aligns what is wide", function()
    local out = written { { Id = 1, Name = "日本" }, { Id = 2, Name = "🟢 ok" }, { Id = 3, Name = "e\204\129a" } }
    assert.equal("Id  Name\n 1  日本\n 2  🟢 ok\n 3  e\204\129a\n", out)
    out = written { { A = "日本", B = "x" }, { A = "abcd", B = "y" } }
    assert.equal("A     B\n日本  x\nabcd  y\n", out)
  end)

  it("has its notes behind it", function()
    local rows = {}
    for i = 1, 3 do rows[i] = { Id = i, Name = ("n"):rep(30), Other = ("o"):rep(30) } end
    local out, notes = written(rows, { width = 40 })
    assert.same({ "no room for 1 more column: Other" }, notes)
    assert.matches("\n<no room for 1 more column: Other>$", out)
  end)

  it("of endpoints never cuts the paths, which differ at their ends", function()
    local path = "odata/Jobs/UiPath.Server.Configuration.OData.Start"
    local rows = {}
    for i = 1, 3 do
      rows[i] = { method = "POST", path = path .. i, scopes = ("OR.Jobs "):rep(5), permissions = "Jobs.View" }
    end
    for _, width in ipairs { 200, 80, 60, 20 } do
      for _, selected in ipairs { { "method", "path", "scopes", "permissions" }, false } do
        local out = written(rows, { width = width, select = selected or nil })
        for i = 1, 3 do assert.is_truthy(out:find(path .. i, 1, true), width) end
        for line in out:gsub("<.*>", ""):gmatch "[^\n]+" do
          assert.is_true(text.width(line) <= math.max(width, #path + 9), line)
        end
      end
    end
  end)

  it("shows nothing that a terminal would obey, in names or cells", function()
    assert.is_false(has_controls((written { { [OBEYED] = OBEYED, List = { OBEYED } } })))
  end)
end)

-- Comma-separated values as in RFC 4180, but for lines that end in LF alone: this is for shells.

local columns = require "uipath.output.columns"
local json = require "uipath.output.json"
local text = require "uipath.output.text"
local values = require "uipath.output.values"

local csv = {}

local function content(value, options)
  if type(value) == "table" then return json.compact(value) end
  if type(value) == "number" then return values.number(value) end
  local words = tostring(value)
  -- Spreadsheets take a text that begins so for a formula; an apostrophe tells them that it is none.
  if options.guard and words:find "^[=+@\t\r-]" then words = "'" .. words end
  return words
end

local function cell(value, options)
  if value == nil or value == values.null then return "" end
  local words = content(value, options)
  if options.clean then words = text.clean(words) end
  if words:find '[",\r\n]' then return '"' .. words:gsub('"', '""') .. '"' end
  return words
end

-- An empty line is no row to those who read it.
local function line(cells)
  if #cells == 1 and cells[1] == "" then return '""\n' end
  return table.concat(cells, ",") .. "\n"
end

---The first rows settle the columns; a name that only later rows have is told to `warn`, once.
---@param write fun(text: string)
---@param options { select: string[]?, warn: fun(message: string), guard: boolean?, clean: boolean? } guard: no text is taken for a
---  formula; clean: for a terminal
function csv.writer(write, options)
  local writer, names, known = {}, nil, {}

  local function begin(rows)
    names = columns.of(rows, options.select)
    for _, name in ipairs(names) do known[name] = true end
    local cells = {}
    for i, name in ipairs(names) do cells[i] = cell(name, options) end
    if #cells > 0 then write(line(cells)) end
  end

  local function check_names(row)
    if options.select then return end
    for name in pairs(row) do
      if type(name) == "string" and not known[name] and not name:find "@odata%." then
        known[name] = true
        options.warn(("the column %s is in later rows only, and left out: name the columns with --select"):format(name))
      end
    end
  end

  function writer.rows(rows)
    if not names then begin(rows) end
    for _, row in ipairs(rows) do
      local cells = {}
      if type(row) == "table" then
        check_names(row)
        for i, name in ipairs(names) do cells[i] = cell(row[name], options) end
      else
        cells[1] = cell(row, options)
      end
      write(line(cells))
    end
  end

  function writer.value(value) writer.rows { value } end
  function writer.finish() end
  return writer
end

return csv

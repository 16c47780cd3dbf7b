-- Comma-separated values as in RFC 4180, but for lines that end in LF alone: this is for shells.

local uipath = require "uipath"
local columns = require "uipath.output.columns"
local values = require "uipath.output.values"

local csv = {}

local function cell(value)
  if value == nil or value == values.null then return "" end
  local text
  if type(value) == "table" then text = assert(uipath.json.encode(value))
  elseif type(value) == "number" then text = values.number(value)
  else text = tostring(value) end
  if text:find '[",\r\n]' then return '"' .. text:gsub('"', '""') .. '"' end
  return text
end

-- An empty line is no row to those who read it.
local function line(cells)
  if #cells == 1 and cells[1] == "" then return '""\n' end
  return table.concat(cells, ",") .. "\n"
end

---The first rows settle the columns; a name that only later rows have is told to `warn`, once.
---@param write fun(text: string)
---@param options { select: string[]?, warn: fun(message: string) }
function csv.writer(write, options)
  local writer, names, known = {}, nil, {}

  local function begin(rows)
    names = columns.of(rows, options.select)
    for _, name in ipairs(names) do known[name] = true end
    local cells = {}
    for i, name in ipairs(names) do cells[i] = cell(name) end
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
        for i, name in ipairs(names) do cells[i] = cell(row[name]) end
      else
        cells[1] = cell(row)
      end
      write(line(cells))
    end
  end

  function writer.value(value) writer.rows { value } end
  function writer.finish() end
  return writer
end

return csv

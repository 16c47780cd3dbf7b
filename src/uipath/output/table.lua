-- Rows as a table that fits the terminal.

local columns = require "uipath.output.columns"
local dates = require "uipath.output.dates"
local json = require "uipath.output.json"
local text = require "uipath.output.text"
local values = require "uipath.output.values"

local tables = {}

local GAP = 2
local WIDEST = 40 -- where there are other columns that want to be seen
local NARROWEST = 8 -- to be of any use

local function cell(value)
  if value == nil or value == values.null then return "" end
  if type(value) == "table" then value = json.compact(value) end
  if type(value) == "number" then return values.number(value) end
  if type(value) == "string" then value = dates.text(value) end
  return text.clean(tostring(value))
end

local function is_number(rows, name)
  for _, row in ipairs(rows) do
    local value = row[name]
    if value ~= nil and value ~= values.null and type(value) ~= "number" then return false end
  end
  return true
end

-- Endpoints differ in their paths, at the end; the column is never cut.
local function are_endpoints(rows)
  local first = rows[1]
  return type(first) == "table" and type(first.method) == "string" and type(first.path) == "string"
end

-- The columns that may be shown, with the width of their widest cells.
local function measure(rows, selected)
  local found, endpoints = {}, are_endpoints(rows)
  for _, name in ipairs(columns.of(rows, selected)) do
    if selected or columns.has_content(rows, name) then
      local width = text.width(text.clean(name))
      for _, row in ipairs(rows) do width = math.max(width, text.width(cell(row[name]))) end
      found[#found + 1] = { name = name, width = width, right = is_number(rows, name),
        whole = endpoints and name == "path" }
    end
  end
  return found
end

local function total(shown)
  local sum = -GAP
  for _, column in ipairs(shown) do sum = sum + column.width + GAP end
  return sum
end

-- Takes columns from the left as long as they fit; the last one may be cut to what is left.
local function fit(found, width)
  local shown, hidden, left = {}, {}, width + GAP
  for _, column in ipairs(found) do
    local wanted = math.min(column.width, WIDEST) + GAP
    if not column.whole and (#hidden > 0 or left < math.min(wanted, NARROWEST + GAP)) then
      hidden[#hidden + 1] = column.name
    else
      column.full, column.width = column.width, column.whole and column.width or math.min(wanted, left) - GAP
      left = left - column.width - GAP
      shown[#shown + 1] = column
    end
  end
  -- What is left over goes to those that were cut.
  for _, column in ipairs(shown) do
    local more = math.max(0, math.min(left, column.full - column.width))
    column.width, left = column.width + more, left - more
  end
  return shown, hidden
end

-- All columns that were asked for, the widest ones cut until they fit.
local function squeeze(found, width)
  while total(found) > width do
    local widest = found[1]
    for _, column in ipairs(found) do
      if column.width > widest.width then widest = column end
    end
    if widest.width <= 3 then break end
    widest.width = widest.width - 1
  end
  return found, {}
end

---@param rows table[]
---@param options { width: integer?, select: string[]? } width: of the terminal; nil: any
---@return table[] columns name, width, right
---@return string[] hidden the names of columns for which there is no room
function tables.layout(rows, options)
  local found = measure(rows, options.select)
  if not options.width or total(found) <= options.width then return found, {} end
  if options.select and not are_endpoints(rows) then return squeeze(found, options.width) end
  return fit(found, options.width)
end

local function format_line(layout, cell_of)
  local parts = {}
  for i, column in ipairs(layout) do
    local shown, width = text.cut(cell_of(column), column.width)
    local padding = (" "):rep(column.width - width)
    parts[i] = column.right and padding .. shown or shown .. padding
  end
  return (table.concat(parts, (" "):rep(GAP)):gsub(" +$", ""))
end

---@param layout table[]
---@param bold fun(text: string): string
function tables.head(layout, bold)
  return bold(format_line(layout, function(column) return text.clean(column.name) end))
end

function tables.line(layout, row)
  return format_line(layout, function(column) return cell(row[column.name]) end)
end

local function same(value) return value end

---The first rows settle the layout.
---@param write fun(text: string)
---@param options { width: integer?, select: string[]?, bold: (fun(text: string): string)?, note: fun(message: string) }
function tables.writer(write, options)
  local writer, layout, hidden = {}, nil, {}

  function writer.rows(rows)
    if #rows == 0 then return end
    if not layout then
      if type(rows[1]) ~= "table" then
        local wrapped = {}
        for i, row in ipairs(rows) do wrapped[i] = { value = row } end
        rows = wrapped
      end
      layout, hidden = tables.layout(rows, options)
      write(tables.head(layout, options.bold or same) .. "\n")
    end
    for _, row in ipairs(rows) do
      write(tables.line(layout, type(row) == "table" and row or { value = row }) .. "\n")
    end
  end

  -- A single object: its members one below the other.
  function writer.value(value)
    if type(value) ~= "table" then
      write(cell(value) .. "\n")
      return
    end
    local names, longest = columns.of { value }, 0
    for _, name in ipairs(names) do longest = math.max(longest, text.width(text.clean(name))) end
    for _, name in ipairs(names) do
      local label = text.clean(name)
      local room = options.width and math.max(options.width - longest - GAP, NARROWEST)
      local shown = cell(value[name])
      if room then shown = text.cut(shown, room) end
      write((label .. (" "):rep(longest + GAP - text.width(label)) .. shown):gsub(" +$", "") .. "\n")
    end
  end

  -- Notes come behind the table, not within.
  function writer.finish()
    if #hidden == 0 then return end
    options.note(("no room for %d more column%s: %s"):format(#hidden, #hidden == 1 and "" or "s", table.concat(hidden, ", ")))
  end
  return writer
end

return tables

-- Values at the prompt: lists as tables, single objects by their members, errors in one line.

local dates = require "uipath.output.dates"
local nested = require "uipath.output.nested"
local style = require "uipath.output.style"
local tables = require "uipath.output.table"
local terminal = require "uipath.terminal"
local text = require "uipath.output.text"
local uipath = require "uipath"
local values = require "uipath.output.values"

local show = {}

local function one_line(message)
  -- What is for the shell alone stands at the end of some advice.
  return (text.clean((message:gsub("[%c%s]+", " "):gsub("; in the shell %-%-.*$", ""))))
end

-- The position of a line that has just been typed, or of the command, says nothing.
local function without_position(message)
  return (message:gsub("^prompt:%d+: ", ""):gsub("^[^:%s]*luipath:%d+: ", ""))
end

---An error in one line.
---@param err any
---@return string
function show.failure(err)
  return style.new().red(one_line(without_position(tostring(err))))
end

local function is_response(value)
  return type(value) == "table" and value.status ~= nil and value.headers ~= nil and value.url ~= nil
end

-- Whether all rows are objects, and there are some.
local function are_objects(rows)
  for _, row in ipairs(rows) do
    if not values.is_object(row) then return false end
  end
  return #rows > 0
end

local function footer(rows, total, response, hidden)
  local parts = { #rows == 1 and "1 row" or ("%d rows"):format(#rows) }
  if total and total > #rows then parts[1] = parts[1] .. (" of %d"):format(total) end
  if is_response(response) then parts[#parts + 1] = ("%.2f s"):format(response.elapsed) end
  if #hidden > 0 then parts[#parts + 1] = ("%d more columns"):format(#hidden) end
  return table.concat(parts, " · ")
end

local function list_text(rows, total, response)
  local styles = style.new()
  local layout, hidden = tables.layout(rows, { width = terminal.width() or 80 })
  local lines = { tables.head(layout, styles.bold) }
  for _, row in ipairs(rows) do lines[#lines + 1] = tables.line(layout, row) end
  lines[#lines + 1] = styles.dim(footer(rows, total, response, hidden))
  return table.concat(lines, "\n")
end

local function is_named(value)
  local metatable = type(value) == "table" and getmetatable(value)
  return type(metatable) == "table" and metatable.__tostring ~= nil
end

---One value as the prompt shows it.
---@param value any
---@param response any what came with it
---@return string
function show.text(value, response)
  local styles = style.new()
  if uipath.is_error(value) then return show.failure(value) end
  if type(value) == "string" then return text.printable(value) end
  if is_named(value) then return text.printable(tostring(value)) end
  value = dates.of_token(value)
  local rows, _, total = values.rows(value)
  if rows and are_objects(rows) then return list_text(rows, total, response) end
  if rows and #rows == 0 then return styles.dim "no rows" end
  return nested.text(value, styles)
end

---Prints as `print` does, but to a terminal without what that would obey: what is printed may come from a service.
---@param print fun(...: any)
---@param ... any
function show.print(print, ...)
  if not terminal.is_terminal(1) then return print(...) end
  local words = { ... }
  for i = 1, select("#", ...) do words[i] = text.printable(tostring((select(i, ...)))) end
  print((table.unpack or unpack)(words, 1, select("#", ...))) -- luacheck: ignore 113 143
end

---Shows what a line of code came to: nothing, value and response, nil and error, or any values.
---@param write fun(text: string)
---@param count integer
---@param ... any
function show.results(write, count, ...)
  if count == 0 then return end
  local first, second = ...
  if first == nil and uipath.is_error(second) then
    write(show.failure(second) .. "\n")
  elseif count == 2 and is_response(second) then
    write(show.text(first, second) .. "\n")
    if second.hint then write(style.new().dim(one_line(second.hint)) .. "\n") end
  else
    for i = 1, count do write(show.text((select(i, ...))) .. "\n") end
  end
end

return show

-- luipath get, post, put, patch, delete.

local connection = require "uipath.cli.connection"
local report = require "uipath.cli.report"
local uipath = require "uipath"
local values = require "uipath.output.values"
local waiting = require "uipath.repl.waiting"

local calls = {}

-- The most rows that the service gives in one page.
local function page_cap(path)
  if path:find "QueueItems" then return 100 end
  return path:find "^/?testmanager_/" and 100 or 1000
end

local function read_standard_input() return io.read "*a" end

local function body_of(text)
  if not text then return nil end
  local name = text:match "^@(.*)$"
  if not name then return text end
  if name == "-" then return read_standard_input() end
  local file, problem = io.open(name, "rb")
  if not file then report.usage("--body: " .. problem) end
  file:close()
  return uipath.file(name, { content_type = name:find "%.json$" and "application/json" or nil })
end

---A table of the pairs that an option was given.
---@param pairs_of_strings string[][]
---@param option string for the message where one is there twice
function calls.map_of(pairs_of_strings, option)
  local map = {}
  for _, each in ipairs(pairs_of_strings) do
    if map[each[1]] then report.usage(("%s: %s is there twice"):format(option, each[1])) end
    map[each[1]] = each[2]
  end
  return next(map) and map or nil
end

-- What is for one form of the command alone must not be lost in silence in the others.
local function check_options(parsed)
  if not parsed.all and parsed.page_size then report.usage "--page-size is for --all" end
  if not parsed.all and parsed.by then report.usage "--by is for --all" end
  if parsed.guard and parsed.output ~= "csv" then report.usage "--guard is for --output csv" end
end

local function call_options(parsed)
  local options = {
    query = calls.map_of(parsed.query, "--query"), headers = calls.map_of(parsed.header, "--header"), level = parsed.level,
    max_attempts = parsed.max_attempts, idempotent = parsed.idempotent, body = body_of(parsed.body), count = parsed.count,
  }
  for _, name in ipairs { "filter", "select", "expand", "orderby", "top", "skip", "search", "apply" } do
    options[name] = parsed[name]
  end
  return options
end

local function writer_of(parsed)
  return report.writer(parsed.output, { select = parsed.select, guard = parsed.guard })
end

-- One more row than is wanted is asked for: if it comes, there are more.
local function ask_for_one_more(parsed, options)
  if parsed.method == "GET" and options.top and options.top > 0 and options.top < page_cap(parsed.path) then
    options.top = options.top + 1
    return parsed.top
  end
end

-- Takes the row away that was one too many.
local function drop_last(rows, limit)
  if not limit or #rows <= limit then return false end
  rows[#rows] = nil
  return true
end

local function rows_in_words(number) return number == 1 and "1 row" or number .. " rows" end

local function say_more(rows, more, total, parsed)
  if total and total > #rows + (parsed.skip or 0) then
    report.note(("%s of %d: --all walks all of them"):format(rows_in_words(#rows), total))
  elseif more then
    report.note(rows_in_words(#rows) .. ", and there are more: --all walks them")
  elseif more == nil and #rows > 0 and #rows % page_cap(parsed.path) == 0 then
    report.note(("%d rows, a full page: there may be more (--all)"):format(#rows))
  end
end

local function write_reply(value, parsed, limit)
  if value == true then return end -- no body
  local rows, more, total = values.rows(value)
  if type(value) == "string" then
    report.text(value)
  elseif not rows then
    writer_of(parsed).value(value)
  else
    local dropped = drop_last(rows, limit)
    local writer = writer_of(parsed)
    -- As JSON and as Lua, a reply is what the service sent.
    if report.is_faithful(parsed.output) then
      writer.value(value)
    else
      writer.rows(rows)
      writer.finish()
    end
    if parsed.method == "GET" then say_more(rows, dropped or more, total, parsed) end
  end
end

-- All pages, written as they come.
local function walk(client, parsed, options)
  options.page_size, options.by = parsed.page_size, parsed.by
  local bar = require("uipath.cli.progress").new()
  options.on_progress = bar.update
  local writer = writer_of(parsed)
  local ok, problem = pcall(function()
    for rows in client:pages(parsed.path, options) do
      bar.hide()
      writer.rows(rows)
      bar.show()
    end
  end)
  bar.hide()
  if not ok then error(problem, 0) end
  writer.finish()
  return 0
end

---@param parsed table
---@return integer exit_code
function calls.run(parsed)
  check_options(parsed)
  local client = connection.open(parsed)
  local options = call_options(parsed)
  if parsed.all then return walk(client, parsed, options) end
  local limit = ask_for_one_more(parsed, options)
  local ok, value, response = waiting.run(function() return client:request(parsed.method, parsed.path, options) end)
  if not ok then error(value, 0) end
  if value == nil then return report.failure(response) end
  write_reply(value, parsed, limit)
  if response.hint then report.note(require("uipath.cli.words").of(response.hint)) end
  return 0
end

return calls

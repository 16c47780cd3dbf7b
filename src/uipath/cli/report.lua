-- How luipath writes values to standard output, and says things on standard error.

local output = require "uipath.output"
local style = require "uipath.output.style"
local terminal = require "uipath.terminal"
local text = require "uipath.output.text"
local uipath = require "uipath"
local words = require "uipath.cli.words"

local report = {}

report.EXIT = { refused = 1, usage = 2, network = 3, interrupted = 130 }

local lost

---Flushes standard output. What could not be written once is told every time: a later flush knows nothing of it.
---@return boolean ok
---@return string? problem
function report.flush()
  local ok, problem = io.stdout:flush()
  if not ok then lost = lost or problem end
  return lost == nil, lost
end

---A note, in the order in which things happen. It may quote the service, whose words a terminal must not obey.
---@param message string
function report.note(message)
  report.flush()
  io.stderr:write("luipath: ", (message:gsub("[^\n]+", text.clean)), "\n")
end

---Writes to standard output; that this can fail must not go unnoticed. The last part may fail in uipath.cli, when it is flushed.
---@param part string
function report.write(part)
  local ok, problem = io.stdout:write(part)
  if not ok then error({ output = problem }, 0) end
end

-- Compiled code that finds that a write failed leaves it to the interpreter to do it again, and that
-- succeeds: the C library has dropped what it could not write, so that there is room for more. The
-- failure would be lost.
local jit = rawget(_G, "jit")
if jit then jit.off(report.write) end

---Writes a text that a service has sent: whole into a pipe or file, and to a terminal without what that would obey.
---@param part string
function report.text(part)
  report.write(terminal.is_terminal(1) and text.printable(part) or part)
end

---Ends the command: what was asked for makes no sense. Caught in uipath.cli.
---@param message string
function report.usage(message)
  error({ usage = message }, 0)
end

local codes = { usage = "usage", file = "usage", network = "network", timeout = "network" }

---Says what an error says.
---@param err any an error object
---@return integer exit_code
function report.failure(err)
  if not uipath.is_error(err) then
    report.note(tostring(err))
    return report.EXIT.refused
  end
  err.where = nil -- luipath's own code is of no interest
  report.note(words.of_error(err))
  return report.EXIT[codes[err.kind] or "refused"]
end

local function format_of(name)
  return name or terminal.is_terminal(1) and "table" or "json"
end

---Whether the format shows a reply as it is, and not its rows alone.
---@param name? string
---@return boolean
function report.is_faithful(name)
  local format = format_of(name)
  return format == "json" or format == "lua"
end

---@param name? string the format; nil: a table on a terminal, else JSON
---@param options { select: string[]?, guard: boolean? }
---@return uipath.Writer
function report.writer(name, options)
  return output.writer(format_of(name), report.write, {
    select = options.select, width = terminal.is_terminal(1) and terminal.width() or nil, note = report.note, warn = report.note,
    bold = style.new().bold, guard = options.guard, clean = terminal.is_terminal(1),
  })
end

return report

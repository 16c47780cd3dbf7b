-- What the prompt shows while a call takes its time.

local terminal = require "uipath.terminal"

local waiting = {}

local TICK = 0.5 -- seconds
local PATIENCE = 1 -- seconds before anything is shown

local began, shown = 0, false

-- Any signal may bring us here, and more often than the clock's.
local function draw()
  local seconds = terminal.now() - began
  if seconds < PATIENCE then return end
  io.stdout:flush()
  io.stderr:write(("\r\27[Kwaiting, %d s (Ctrl-C ends it)\r"):format(math.floor(seconds)))
  shown = true
end

---Takes the notice away.
function waiting.hide()
  if not shown then return end
  io.stderr:write "\27[K"
  shown = false
end

---Runs a function as terminal.run does, and shows that a call is being waited for.
---@param chunk function
---@return boolean ok
---@return any ... its results, or what it raised
function waiting.run(chunk)
  if not terminal.is_terminal(2) then return terminal.run(chunk) end
  began = terminal.now()
  terminal.while_waiting(draw)
  terminal.tick(TICK)
  local function finish(...)
    terminal.tick(nil)
    terminal.while_waiting(nil)
    waiting.hide()
    return ...
  end
  return finish(terminal.run(chunk))
end

return waiting

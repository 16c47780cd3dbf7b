-- What the prompt shows while a call takes its time.

local terminal = require "uipath.terminal"

local waiting = {}

local TICK = 0.5 -- seconds
local PATIENCE = 2 -- ticks before anything is shown

local ticks, shown = 0, false

local function draw()
  ticks = ticks + 1
  if ticks < PATIENCE then return end
  io.stdout:flush()
  io.stderr:write(("\r\27[Kwaiting, %d s (Ctrl-C ends it)\r"):format(math.floor(ticks * TICK)))
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
  ticks = 0
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

-- uipath.sleep: waits as a call does.

local internal = require "uipath.internal"

local nginx = type(rawget(_G, "ngx")) == "table" and rawget(_G, "ngx").get_phase and require "uipath.nginx"

local sleeping = {}

-- Blocks this thread alone. Each pass ends soon, and between two of them Lua runs its hooks: Ctrl-C, in lua.c.
local function block(seconds)
  local deadline = internal.now() + seconds
  repeat
    internal.select({}, 0, math.max(0, deadline - internal.now()), {})
  until internal.now() >= deadline
end

---Waits as a call does: blocks with signals let through; in `uipath.map` lets the others go on; in nginx yields to its event loop.
---@param seconds number
---@return true
function sleeping.sleep(seconds)
  if type(seconds) ~= "number" or not (seconds >= 0 and seconds < math.huge) then
    internal.raise("sleep: seconds must be a number from 0, got " .. tostring(seconds))
  end
  local task = internal.this_task()
  if nginx and nginx.sleep(seconds) then
    if task and task.ended then error("the light thread has been ended", 0) end
  elseif task and not task.light then
    coroutine.yield(require("uipath.concurrency").SLEEP, seconds)
  else
    block(seconds)
  end
  return true
end

return sleeping

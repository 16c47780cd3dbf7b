-- Waiting for what takes its time: asking at growing intervals, within a time, through short outages.

local internal = require "uipath.internal"
local uipath = require "uipath"

local wait = {}
wait.__index = wait

local FIRST_PAUSE, LONGEST_PAUSE, GROWTH = 0.25, 15, 1.5
-- An outage of the service that is no longer than this does not end a wait.
local PATIENCE = 300

---@param seconds number for the whole wait
---@return table
function wait.new(seconds)
  local now = internal.now()
  return setmetatable({ deadline = now + seconds, pause = FIRST_PAUSE, answered = now }, wait)
end

---Waits until it is time to ask again; false: the time is over.
---@return boolean
function wait:again()
  local left = self.deadline - internal.now()
  if left <= 0 then return false end
  uipath.sleep(math.min(self.pause, left))
  self.pause = math.min(self.pause * GROWTH, LONGEST_PAUSE)
  return true
end

---An answer came.
function wait:heard()
  self.answered = internal.now()
end

---Whether to go on after an error of a request that only asks.
---@param err uipath.Error
---@return boolean
function wait:forgives(err)
  return err.retryable == true and internal.now() - self.answered < PATIENCE
end

---Something has changed: more may come soon.
function wait:hurry()
  self.pause = FIRST_PAUSE
end

return wait

-- What came of a request whose answer was lost. Nothing that may have been done is ever sent again: it is looked for instead.

local internal = require "uipath.internal"
local shared = require "uipath.recipes.shared"
local uipath = require "uipath"

local lost = {}

-- So long is looked at most, and so often: what was under way may take its time to show.
local LONGEST = 15
local FIRST_PAUSE, LONGEST_PAUSE = 0.25, 4

---Whether what was asked for may have been done although it looks like a failure. The client says so of the network and of what gateways
---answer; an answer of success that cannot be read is one, too.
---@param err uipath.Error
---@return boolean
function lost.is(err)
  return err.uncertain == true or err.kind == "decode" or err.kind == "too_large"
end

---Marks an error: what was asked for may have been done.
---@param err uipath.Error
---@return uipath.Error
function lost.mark(err)
  err.uncertain = true
  err.retryable = false
  err.hint = "it may have been done: look before you do it again"
  return err
end

---What to give for a request that has failed. Where its answer was lost it is looked for, several times.
---@param client uipath.Client
---@param err uipath.Error
---@param call table the options of the request
---@param look? fun(call: table): any, uipath.Error? gives what can only be ours; nil: not there (yet); false: it cannot be known. A second
---  value with nil is an error that says that it has not been done
---@return any value
---@return uipath.Error? err
function lost.settle(client, err, call, look)
  if not lost.is(err) then return nil, err end
  local within = math.min(LONGEST, type(call.timeout) == "number" and call.timeout or internal.option(client, "timeout") or LONGEST)
  local deadline, pause = internal.now() + within, FIRST_PAUSE
  while look do
    local left = math.max(0.5, deadline - internal.now())
    local value, refusal = look(shared.with(call, { timeout = left, max_attempts = 1 }))
    if value then return value end
    if refusal then return nil, refusal end
    if value == false or internal.now() + pause > deadline then break end
    uipath.sleep(pause)
    pause = math.min(pause * 2, LONGEST_PAUSE)
  end
  return nil, lost.mark(err)
end

return lost

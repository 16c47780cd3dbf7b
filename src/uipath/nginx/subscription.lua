-- Many waits in an nginx worker by one connection.
--
-- A cosocket for each wait is most of what a call costs the worker. Where waits come thick, a light
-- thread of its own subscribes to the engine's socket (src/engine/notify.h), hears there which
-- calls are ready, and wakes those who wait for each by a semaphore. It ends when nobody has waited
-- for a moment, or its connection has: then whoever waits still looks after the call in another
-- way.

local internal = require "uipath.internal"
local has_semaphores, semaphores = pcall(require, "ngx.semaphore")

local subscription = {}

-- The phases that have semaphores in every version of nginx's Lua.
local PHASES = { rewrite = true, access = true, content = true, timer = true }

-- So many waits within so many seconds are worth a subscription; so many seconds after an attempt
-- there may be another.
local MANY, WINDOW, PAUSE = 4, 0.1, 1

local CONNECT_MS = 1000
-- The engine says something four times a second. nginx logs a time that is over as an error, so
-- that this must be out of the ordinary.
local SILENCE_MS = 60000
local LONGEST_S = (2 ^ 31 - 1) / 1000
-- Between two lines this often nobody waits, and it ends: the first time somebody may have waited
-- until just now.
local IDLE_TICKS = 2
-- Semaphores are used again.
local MOST_SPARES = 1000

local now, is_exiting = ngx.now, ngx.worker.exiting

-- What is subscribed to: { id =, waiting = }, where waiting[number] = { semaphore =, call =,
-- is_shared = } has who waits for the call of that number. nil: nothing is.
local current
local is_running = false
local window_began, waits, tried = 0, 0, -PAUSE
local spares, spare_count = {}, 0

-- How many wait by the entry. Of those whose request or light thread has been ended nothing else
-- tells.
local function count_waiters(entry)
  return -entry.semaphore:count()
end

-- Wakes all who wait by the entry. Where nobody is left, nobody wants its call any more.
local function wake(entry)
  local number = count_waiters(entry)
  if number > 0 then entry.semaphore:post(number) else internal.unsubscribe(entry.call) end
end

-- Takes out the entries by which nobody waits any more.
local function sweep(waiting)
  for number, entry in pairs(waiting) do
    if count_waiters(entry) == 0 then
      waiting[number] = nil
      internal.unsubscribe(entry.call)
    end
  end
end

-- Hears which calls are ready, until nobody waits.
local function hear(socket, waiting)
  local idle_ticks = 0
  while true do
    local line = socket:receive()
    if not line then return end
    for number in line:gmatch "%d+" do
      local entry = waiting[number]
      if entry then
        waiting[number] = nil
        wake(entry)
      end
    end
    if line == "" then
      sweep(waiting)
      idle_ticks = idle_ticks + 1
    end
    local is_idle = next(waiting) == nil
    if not is_idle or line ~= "" then idle_ticks = 0 end
    -- A worker that is to end waits for this light thread, too.
    if is_idle and (idle_ticks == IDLE_TICKS or is_exiting()) then return end
  end
end

-- The light thread. Whatever ends it, nobody is left waiting.
local function run(premature, address)
  if premature or is_running then return end
  is_running = true
  local waiting = {}
  local ok, problem = pcall(function()
    local socket = ngx.socket.tcp()
    socket:settimeouts(CONNECT_MS, CONNECT_MS, SILENCE_MS)
    local connected = socket:connect(address)
    local id = connected and socket:send "subscribe\n" and tonumber((socket:receive()))
    if id then
      current = { id = id, waiting = waiting }
      hear(socket, waiting)
    end
    current = nil
    socket:close()
  end)
  current = nil
  is_running = false
  for _, entry in pairs(waiting) do wake(entry) end
  if not ok then error(problem, 0) end
end

---Told of a wait that goes another way: begins a subscription where such waits come thick.
---@param address string  of the engine's socket
function subscription.consider(address)
  if current or not has_semaphores then return end
  local time = now()
  if time - window_began > WINDOW then window_began, waits = time, 0 end
  waits = waits + 1
  if waits < MANY or is_running or time - tried < PAUSE or is_exiting() then return end
  tried = time
  ngx.timer.at(0, run, address)
end

-- Gives the entry by which to wait for the call: that of others who wait for it already, or one of
-- its own. nil: there is no semaphore.
local function enter(waiting, number, call)
  local entry = waiting[number]
  if entry then
    entry.is_shared = true
    return entry
  end
  if spare_count > 0 then
    entry, spares[spare_count] = spares[spare_count], nil
    spare_count = spare_count - 1
  else
    local semaphore = semaphores.new()
    if not semaphore then return nil end
    entry = { semaphore = semaphore }
  end
  entry.call = call
  waiting[number] = entry
  return entry
end

---Waits by the subscription.
---@param call userdata
---@param seconds? number
---@param phase string
---@return string|nil state  as uipath.nginx's await; nil: there is no subscription that serves here
function subscription.await(call, seconds, phase)
  local mine = current
  if not mine or not PHASES[phase] then return nil end
  local number = internal.subscribe(call, mine.id)
  if not number then
    local state = internal.state(call)
    return state ~= "waiting" and state or nil
  end
  local waiting = mine.waiting
  local entry = enter(waiting, number, call)
  if not entry then
    internal.stop_telling(call, mine.id)
    return nil
  end
  local semaphore = entry.semaphore
  local woken, problem = semaphore:wait(seconds and math.min(seconds, LONGEST_S) or LONGEST_S)
  if woken then
    if not entry.is_shared and spare_count < MOST_SPARES then
      entry.call = nil
      spare_count = spare_count + 1
      spares[spare_count] = entry
    end
    return internal.state(call)
  end
  -- Others may wait still by the same semaphore.
  if waiting[number] == entry and count_waiters(entry) == 0 then
    waiting[number] = nil
    internal.stop_telling(call, mine.id)
  end
  local state = internal.state(call)
  if state ~= "waiting" then return state end
  return problem == "timeout" and "timeout" or nil
end

return subscription

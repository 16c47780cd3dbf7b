-- Waiting in nginx's Lua: the worker goes on serving meanwhile.
--
-- The engine has a unix socket of its own (src/engine/notify.h) and says on it when a call is
-- ready: a cosocket waits for that, or one cosocket for all where many wait
-- (uipath.nginx.subscription). Where no connection is to be had the call is looked at from time to
-- time. A request or light thread that is ended while it waits takes its cosocket along, by which
-- the engine knows that nobody wants the call any more.

local cancelling = require "uipath.cancelling"
local internal = require "uipath.internal"
local subscription = require "uipath.nginx.subscription"

local nginx = {}

-- The phases in which others can go on while one waits.
local YIELDING = {
  rewrite = true, server_rewrite = true, access = true, content = true, timer = true, preread = true,
  ssl_cert = true, ssl_client_hello = true, ssl_session_fetch = true,
  precontent = true, proxy_ssl_cert = true, proxy_ssl_verify = true,
}

local CONNECT_MS = 1000
-- The engine keeps the time; this is only for one that does not answer at all.
local GRACE_MS = 10000
local LONGEST_MS = 2 ^ 31 - 1
-- A connection without a waiter counts among worker_connections, and nginx does not take it from the pool when clients need one: what a
-- burst has left must not keep them out for long. To connect anew costs little beside a call.
local IDLE_MS = 1000
local POOL_SIZE = 1000

-- Between two looks at a call: a share of the time that it has taken so far, within limits.
local SHORTEST_PAUSE, LONGEST_PAUSE, PAUSE_SHARE = 0.001, 0.02, 0.06

local get_phase, tcp, sleep, log = ngx.get_phase, ngx.socket.tcp, ngx.sleep, ngx.log

local said = {}

-- At the start of nginx nobody waits yet, and at a worker's end nobody waits any more: nothing is wrong there.
local LEVELS = { init = ngx.WARN, init_worker = ngx.WARN, exit_worker = ngx.NOTICE }

-- Says once for each phase that calls stop the worker in it.
local function warn(phase, why)
  if said[phase .. why] then return end
  said[phase .. why] = true
  log(LEVELS[phase] or ngx.ERR, "uipath: a call in the phase ", phase, " blocks the worker until it is done: ", why)
end

-- The phase, if others can go on while the running coroutine waits; if not, the error log says so.
local function can_yield()
  local phase = get_phase()
  if not YIELDING[phase] then
    warn(phase, phase == "exit_worker" and "it ends after that, as the call's timeout allows"
      or "nothing can wait there without blocking (ngx.timer.at can take the call elsewhere)")
    return false
  end
  if not internal.is_yieldable() then
    warn(phase, "it was made within a C function that cannot be left (require, table.sort, string.gsub, …)")
    return false
  end
  return phase
end

---Sleeps while others go on; false, at once, where that cannot be.
---@param seconds number
---@return boolean slept
function nginx.sleep(seconds)
  if not can_yield() then return false end
  sleep(seconds)
  return true
end

-- Waits by a cosocket. Gives the call's state, or nil where that cannot be had.
local function await_notice(call, seconds)
  local address, number = internal.notify(call)
  if address then subscription.consider(address) end
  if not number then return address and internal.state(call) end
  local milliseconds = seconds and math.min(math.ceil(seconds * 1000), LONGEST_MS - GRACE_MS) or 0
  local socket = tcp()
  socket:settimeouts(CONNECT_MS, CONNECT_MS, seconds and milliseconds + GRACE_MS or LONGEST_MS)
  if not socket:connect(address) then return nil end
  local answer = socket:send(number .. " " .. milliseconds .. "\n") and socket:receive(2)
  if not answer then
    -- Not to be kept: an answer that comes late would be the next waiter's.
    socket:close()
    return nil
  end
  socket:setkeepalive(IDLE_MS, POOL_SIZE)
  return answer == "0\n" and "timeout" or internal.state(call)
end

-- Waits by looking again and again.
local function poll(call, seconds)
  local began = internal.now()
  while true do
    -- Drives the engine for a moment, should it have no thread.
    local state = internal.step(call, 0)
    if state ~= "timeout" then return state end
    local waited = internal.now() - began
    if seconds and waited >= seconds then return "timeout" end
    local pause = math.max(SHORTEST_PAUSE, math.min(LONGEST_PAUSE, waited * PAUSE_SHARE))
    sleep(seconds and math.min(pause, seconds - waited) or pause)
  end
end

---Waits until the call is "done" or "asking", has "events", or the time is over ("timeout"); "waiting": look again.
---@param call userdata
---@param seconds? number
---@return string state
function nginx.await(call, seconds)
  local state = internal.state(call)
  if state ~= "waiting" then return state end
  if seconds and seconds <= 0 then return "timeout" end
  local phase = can_yield()
  if not phase then return internal.step(call, seconds) end
  return subscription.await(call, seconds, phase) or await_notice(call, seconds)
    or poll(call, seconds)
end

-- Ends a light thread with those that it has begun, and the calls of all of them. nginx lets only the parent kill a thread: one that a
-- killed thread has begun ends by a raise from its call (see uipath.functions).
local function kill(task)
  task.ended = true
  for child in pairs(task.children) do kill(child) end
  local killed = ngx.thread.kill(task.thread)
  if killed then internal.set_task(task.thread, nil) end
  for call in pairs(task.calls) do internal.cancel(call) end
  if killed then cancelling.clean_up(task) end
end

---The runner of uipath.map and uipath.all in the phases that can wait: worker(1) … worker(count) side by side in light threads, until all
---have returned, or one has returned true or raised: the others are ended then.
---@param count integer
---@param worker fun(number: integer): boolean?
---@return boolean possible  false, with nothing done, where nothing can wait
function nginx.run(count, worker)
  if not can_yield() then return false end
  local parent = internal.this_task()
  local siblings = parent and parent.children or {}
  local tasks = {}

  local function run_one(number)
    local thread = coroutine.running()
    local task = { light = true, thread = thread, calls = setmetatable({}, { __mode = "k" }), children = {} }
    tasks[number], siblings[task] = task, true
    internal.set_task(thread, task)
    local ok, value = pcall(worker, number)
    internal.set_task(thread, nil)
    task.ended = true
    siblings[task] = nil
    return number, ok, value
  end

  -- threads[place] is that of task numbers[place]: what ends is taken out, the last takes its place.
  local threads, numbers, places = {}, {}, {}
  local raised, failure, stopped = false, nil, false
  for number = 1, count do
    local thread, problem = ngx.thread.spawn(run_one, number)
    if not thread then
      raised, failure = true, problem
      break
    end
    threads[number], numbers[number], places[number] = thread, number, number
  end
  while #threads > 0 and not raised and not stopped do
    local _, number, ok, value = ngx.thread.wait(unpack(threads))
    raised, stopped = not ok, ok and value
    if raised then failure = value end
    local place, last = places[number], #threads
    threads[place], numbers[place] = threads[last], numbers[last]
    places[numbers[place]] = place
    threads[last], numbers[last] = nil, nil
  end
  for _, number in ipairs(numbers) do
    local task = tasks[number]
    siblings[task] = nil
    if not task.ended then kill(task) end
  end
  if raised then error(failure, 0) end
  return true
end

return nginx

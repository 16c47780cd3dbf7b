-- Clients that wait in Lua: those that have functions among their options (access_token, on_event, token_store), and all of nginx's. Such
-- a function may yield, call other clients or fail, and nginx's event loop goes on while a coroutine waits, so both must be done from Lua:
-- these are the methods that do so. Everything else is the plain client's.

local callback = require "uipath.callback"
local internal = require "uipath.internal"
local token_store = require "uipath.token_store"

-- Blocks, or in nginx's Lua lets the worker go on.
local in_nginx = type(rawget(_G, "ngx")) == "table" and rawget(_G, "ngx").get_phase
local await = in_nginx and require("uipath.nginx").await or internal.step

-- Ends the call and passes on what a function has raised.
local function give_way(call, err)
  internal.cancel(call)
  error(err, 0)
end

-- Tells on_event, the token store and the call's own on_progress what has happened. A call is not lost because one of the first two
-- fails.
local function tell(call, options, on_progress)
  local on_event, key = options.on_event, options.token_key
  if not on_event and not key and not on_progress then return end
  for _, event in ipairs(internal.events(call)) do
    if event.progress then
      local ok, err = pcall(on_progress, event.done, event.total)
      if not ok then give_way(call, err) end
    elseif event.store then
      token_store.tend(call, options.token_store, key, event)
    -- The events of calls that on_event itself makes would have no end.
    elseif on_event and not callback.is_inside(on_event) then
      local ok, err = callback.call(on_event, event)
      if not ok and callback.is_interruption(err) then give_way(call, err) end
      if not ok then callback.report(on_event, "on_event", err) end
    end
  end
end

-- Why a token function's results are no token, or nil.
local function objection(ok, token, seconds)
  if not ok then return callback.words_of(token) end
  if token == nil then return seconds ~= nil and callback.words_of(seconds) or "it returned nil" end
  if type(token) == "string" and token:find "^%s*[!-~]+%s*$"
    and token:find "%s" then return "it returned a token with blanks or line ends around it" end
  if type(token) ~= "string" or not token:find("^[!-~]+$") then return "it did not return a token" end
  if seconds ~= nil and not (type(seconds) == "number" and seconds > 0 and seconds < 1e9) then
    return "its second result must be the token's lifetime in seconds"
  end
end

-- The tasks that have called an access_token function, by function.
local answering = setmetatable({}, { __mode = "k" })
-- So long does a task wait before it looks whether another has got the token that it needs, too.
local PAUSE = 0.005

-- Answers a call that needs a token.
local function answer(call, options)
  local access_token = options.access_token
  if options.token_key then
    token_store.answer(call, options.token_store, options.token_key)
    return
  end
  if callback.is_inside(access_token) then
    internal.refuse(call, "the access_token function called the client that it is for")
    return
  end
  local task, other = internal.this_task(), answering[access_token]
  if task and not task.light and other and not other.ended then
    return coroutine.yield(require("uipath.concurrency").SLEEP, PAUSE)
  end
  answering[access_token] = task
  local ok, token, seconds = callback.call(access_token)
  answering[access_token] = nil
  if not ok and callback.is_interruption(token) then give_way(call, token) end
  -- As some token services write it, and some token functions hand it on.
  if type(seconds) == "string" then seconds = tonumber(seconds) or seconds end
  local why = objection(ok, token, seconds)
  if why then
    internal.refuse(call, "access_token: " .. why, true)
  else
    internal.give(call, token, seconds)
  end
end

-- Waits until the call is "done" or "asking", has "events", or the time is over ("timeout"). A task lets others go on meanwhile.
local function step(call, deadline)
  local seconds = deadline and math.max(0, deadline - internal.now())
  local task = seconds ~= 0 and internal.this_task()
  local state
  if not task or task.light then
    state = await(call, seconds)
    if task and task.ended then error("the light thread has been ended", 0) end
    return state
  end
  repeat
    coroutine.yield(call, seconds, "without results")
    state = await(call, 0)
    seconds = deadline and math.max(0, deadline - internal.now())
  -- What made it ready may be over by now: another task has got the token.
  until state ~= "timeout" or seconds == 0
  return state
end

-- Waits until the call is done (true), or for some seconds (false), and runs what functions are due.
local function drive(call, seconds, on_progress)
  local options = internal.options(call)
  if not options then return true end
  local deadline = seconds and internal.now() + seconds
  while true do
    local state = step(call, deadline)
    tell(call, options, on_progress)
    if state == "done" then
      if options.token_key then token_store.finish(call) end
      return true
    end
    if state == "timeout" then return false end
    if state == "asking" then answer(call, options) end
  end
end

local function finish(call, on_progress)
  drive(call, nil, on_progress)
  return internal.results(call)
end

local function run(client, method, path, options, body)
  return finish(internal.begin(client, method, path, options, body))
end

local methods = {}
function methods:get(path, options) return run(self, "GET", path, options) end
function methods:delete(path, options) return run(self, "DELETE", path, options) end
function methods:post(path, body, options) return run(self, "POST", path, options, body) end
function methods:put(path, body, options) return run(self, "PUT", path, options, body) end
function methods:patch(path, body, options) return run(self, "PATCH", path, options, body) end
function methods:request(method, path, options) return run(self, internal.method(method), path, options) end
function methods:start(method, path, options) return internal.start(self, internal.method(method), path, options) end
function methods:token() return finish(internal.start_token(self)) end
function methods:access_token() return finish(internal.start_access_token(self)) end

local call_methods = { fd = internal.fd, cancel = internal.cancel }
function call_methods:wait(seconds)
  if seconds ~= nil and not (type(seconds) == "number" and seconds >= 0) then internal.raise("wait: seconds must be a number from 0") end
  drive(self, seconds)
  return internal.results(self)
end
function call_methods:done()
  return drive(self, 0)
end

-- finish: for uipath.files, whose calls are all waited for here.
return { client_methods = methods, call_methods = call_methods, finish = finish }

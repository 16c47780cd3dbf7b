-- Clients that have Lua functions among their options: access_token, on_event. Such a function may yield, call other clients or
-- fail, so it must be called from Lua: these are the methods that do so while they wait. Everything else is the plain client's.

---@param internal table<string, function> steps of a call, from C
---@return table methods of such clients
---@return table methods of their calls
return function(internal)
  -- The resolved options of each call's client.
  local options_of = setmetatable({}, { __mode = "k" })
  -- The coroutines in which an access_token function runs.
  local asking = setmetatable({}, { __mode = "k" })

  local function this_coroutine()
    return coroutine.running() or "main"
  end

  -- Tells on_event what has happened; if that raises, the call is cancelled.
  local function tell(call, on_event)
    if not on_event then return end
    for _, event in ipairs(internal.events(call)) do
      local ok, err = pcall(on_event, event)
      if not ok then
        internal.cancel(call)
        error(err, 0)
      end
    end
  end

  -- Why a token function's results are no token, or nil.
  local function objection(ok, token, seconds)
    if not ok then return tostring(token) end
    if token == nil then return seconds ~= nil and tostring(seconds) or "it returned nil" end
    if type(token) ~= "string" or not token:find("^[!-~]+$") then return "it did not return a token" end
    if seconds ~= nil and not (type(seconds) == "number" and seconds > 0 and seconds < 1e9) then
      return "its second result must be the token's lifetime in seconds"
    end
  end

  -- Answers a call that needs a token.
  local function answer(call, access_token)
    local here = this_coroutine()
    if asking[here] then
      internal.refuse(call, "the access_token function called the client that it is for")
      return
    end
    asking[here] = true
    local ok, token, seconds = pcall(access_token)
    asking[here] = nil
    local why = objection(ok, token, seconds)
    if why then
      internal.refuse(call, "access_token: " .. why)
    else
      internal.give(call, token, seconds)
    end
  end

  -- Waits until the call is done (true), or for some seconds (false), and runs what functions are due.
  local function drive(call, seconds)
    local options = options_of[call]
    local deadline = seconds and internal.now() + seconds
    while true do
      local state = internal.step(call, deadline and math.max(0, deadline - internal.now()))
      tell(call, options.on_event)
      if state == "done" then return true end
      if state == "timeout" then return false end
      if state == "asking" then answer(call, options.access_token) end
    end
  end

  local function begin(client, method, path, options, body)
    local call = internal.start(client, method, path, options, body)
    options_of[call] = internal.options(client)
    return call
  end

  local function run(client, method, path, options, body)
    local call = begin(client, method, path, options, body)
    drive(call)
    return internal.results(call)
  end

  local function run_for_token(client)
    local call = internal.start_token(client)
    options_of[call] = internal.options(client)
    drive(call)
    return call
  end

  local methods = {}
  function methods:get(path, options) return run(self, "GET", path, options) end
  function methods:delete(path, options) return run(self, "DELETE", path, options) end
  function methods:post(path, body, options) return run(self, "POST", path, options, body) end
  function methods:put(path, body, options) return run(self, "PUT", path, options, body) end
  function methods:patch(path, body, options) return run(self, "PATCH", path, options, body) end
  function methods:request(method, path, options) return run(self, internal.method(method), path, options) end
  function methods:start(method, path, options) return begin(self, internal.method(method), path, options) end
  function methods:token() return internal.token(self, run_for_token(self)) end
  function methods:access_token() return internal.access_token(self, run_for_token(self)) end

  local call_methods = { fd = internal.fd, cancel = internal.cancel }
  function call_methods:wait(seconds)
    if not internal.done(self) then drive(self, seconds) end
    return internal.results(self)
  end
  function call_methods:done()
    if not internal.done(self) then drive(self, 0) end
    return internal.done(self)
  end

  return methods, call_methods
end

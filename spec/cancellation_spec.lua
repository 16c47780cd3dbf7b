-- Cancellation and deadlines in every state that a call can be in: told at once, with where it was, and nothing left behind.

local assert = require "luassert"
local tenant = require "spec.support.tenant"
local uipath = require "uipath"

-- More than the network takes of itself; made beforehand, for that takes time.
local LARGE = ("x"):rep(20000000)

local sandbox
local proxies = {}

setup(function() sandbox = assert(require("uipath.sandbox").start()) end)
teardown(function() sandbox:stop() end)
after_each(function()
  for _, proxy in ipairs(proxies) do proxy.stop() end
  proxies = {}
end)

-- A port that takes connections and never answers; each has its own, so that its connection can be
-- awaited.
local function silent()
  proxies[#proxies + 1] = tenant.proxy(1, "stall")
  return proxies[#proxies]
end

local function connect(changes)
  return uipath.connect(tenant.fault_options(sandbox, changes))
end

local function is_asked_for(path)
  return function() return tenant.count(sandbox, path) > 0 end
end

local function was_connected(server)
  return function()
    server.await()
    return true
  end
end

local function orchestrator(path)
  return "/acme/T/orchestrator_/" .. path
end

-- Each gives a call and a condition that tells when it has come to the state, or that waits for it.
-- words: of the message of a time-out.
local states = {
  {
    name = "connecting", words = "connecting", attempts = 1,
    start = function(options)
      local server = silent()
      local client = connect { base_url = "https://127.0.0.1:" .. server.port }
      return client:start("GET", "odata/X", options), was_connected(server)
    end,
  },
  {
    name = "waiting for a proxy", words = "connecting", attempts = 1,
    start = function(options)
      local server = silent()
      local proxy = "http://127.0.0.1:" .. server.port
      local client = connect { base_url = "https://uipath.example", proxy = proxy }
      return client:start("GET", "odata/X", options), was_connected(server)
    end,
  },
  {
    name = "sending a body", words = "waiting for the response", attempts = 1,
    start = function(options)
      local server = silent()
      local client = connect { base_url = "http://127.0.0.1:" .. server.port }
      options.body = LARGE
      return client:start("POST", "odata/X", options), was_connected(server)
    end,
  },
  {
    name = "waiting for a token", words = "waiting for a token", attempts = 0,
    timeout = 2, -- the fetch goes on until then: it may serve the next call
    start = function(options)
      local fault = "stall/" .. tenant.new_key()
      local client = uipath.connect(tenant.token_options(sandbox, fault))
      return client:start("GET", "fault/ok", options), is_asked_for("/token/" .. fault .. "/connect/token")
    end,
  },
  {
    name = "waiting for a function", words = "waiting for a token", attempts = 0,
    start = function(options)
      local given = tenant.fault_options(sandbox)
      given.access_token = function() return "token" end
      local call = uipath.connect(given):start("GET", "fault/ok", options)
      return call, function()
        tenant.await_signal(call)
        return true
      end
    end,
    wait = "none", -- a wait would call the function
  },
  {
    name = "waiting for its turn", words = "waiting for its turn", attempts = 0,
    start = function(options)
      local key = tenant.new_key()
      local client = connect()
      local before = {}
      local longer = { timeout = options.timeout + 3 * tenant.SLOWER }
      for i = 1, 256 do before[i] = client:start("GET", "full_/fault/stall/" .. key, longer) end
      options.level = "tenant"
      return client:start("GET", "full_/fault/ok", options), function() return #before == 256 end
    end,
  },
  {
    name = "waiting for the response", words = "waiting for the response", attempts = 1,
    start = function(options)
      local path = "fault/stall/" .. tenant.new_key()
      return connect():start("GET", path, options), is_asked_for(orchestrator(path))
    end,
  },
  {
    name = "within the headers", words = "in the middle of the response's headers", attempts = 1,
    start = function(options)
      local path = "fault/stall_in_headers/" .. tenant.new_key()
      return connect():start("GET", path, options), is_asked_for(orchestrator(path))
    end,
  },
  {
    name = "within the body", words = "in the middle of the response's body", attempts = 1,
    start = function(options)
      local path = "fault/stall_in_body/" .. tenant.new_key()
      return connect():start("GET", path, options), is_asked_for(orchestrator(path))
    end,
  },
  {
    name = "while bytes keep coming", words = "in the middle of the response's body", attempts = 1,
    start = function(options)
      local path = "fault/trickle/0.01/" .. tenant.new_key()
      return connect():start("GET", path, options), is_asked_for(orchestrator(path))
    end,
  },
  {
    name = "pausing before another attempt", attempts = 1, kind = "server",
    start = function(options)
      local path = "fault/status/503/10/" .. tenant.new_key()
      options.max_attempts = 2
      return connect():start("GET", path, options), is_asked_for(orchestrator(path))
    end,
  },
  {
    name = "held back by RateLimit-Reset", attempts = 0, kind = "rate_limit",
    start = function(options)
      local service = "quota" .. tenant.new_key() .. "_"
      local client = connect()
      assert(client:get(service .. "/fault/quota/1/10/" .. service, { level = "tenant" }))
      options.level = "tenant"
      return client:start("GET", service .. "/fault/ok", options)
    end,
  },
}

-- Whether the sandbox has nothing under way any more.
local function await_quiet()
  tenant.eventually(function() return tenant.control(sandbox, "GET counters").in_flight == 0 end)
end

describe("a call that is cancelled", function()
  for _, state in ipairs(states) do
    it(state.name .. " ends at once", function()
      local seconds = tenant.in_time(tenant.LATE, function()
        local call, has_come = state.start { timeout = (state.timeout or 15) * tenant.SLOWER }
        -- What sends nothing is taken up by whoever waits for it.
        if has_come then tenant.eventually(has_come) else assert.is_nil((call:wait(0.01))) end
        assert.is_false(state.wait ~= "none" and call:done())
        call:cancel()
        local taken, value, err = tenant.timed(call.wait, call)
        assert.is_nil(value)
        assert.equal("cancelled", err.kind)
        assert.equal("the call was cancelled", err.message)
        assert.equal(state.attempts, err.attempts)
        assert.is_nil(err.status)
        assert.is_true(call:done())
        return taken
      end)
      assert.is_true(seconds < tenant.LATE, seconds)
      collectgarbage()
      await_quiet()
    end)
  end

  it("at birth ends at once", function()
    local calls = {}
    for i = 1, 50 do
      calls[i] = connect():start("GET", "fault/stall")
      calls[i]:cancel()
    end
    for _, call in ipairs(calls) do
      local _, err = call:wait()
      assert.equal("cancelled", err.kind)
      assert.equal("the call was cancelled", err.message)
    end
  end)

  it("when it is done keeps its results", function()
    local call = connect():start("GET", "fault/ok")
    local value = assert(call:wait())
    call:cancel()
    assert.equal(value, (call:wait()))
  end)

  it("twice is cancelled once", function()
    local call = connect():start("GET", "fault/stall")
    call:cancel()
    call:cancel()
    assert.equal("cancelled", select(2, call:wait()).kind)
  end)

  it("leaves the others that wait for the same token", function()
    tenant.control(sandbox, "POST settings", { latency = 0.3 })
    local client = uipath.connect(tenant.options(sandbox, { scope = "OR.Machines.Read OR.Jobs.Write" }))
    local calls = {}
    for i = 1, 10 do calls[i] = client:start("GET", "odata/Machines", { top = 1 }) end
    for i = 1, 10, 2 do calls[i]:cancel() end
    for i, call in ipairs(calls) do
      local value, err = call:wait()
      if i % 2 == 0 then assert.is_truthy(value, err) else assert.equal("cancelled", err.kind) end
    end
    tenant.control(sandbox, "POST reset")
  end)

  it("leaves the others that wait for their turn", function()
    local client = connect()
    local calls = {}
    for i = 1, 600 do calls[i] = client:start("GET", "fault/slow/0.05") end
    for i = 2, 600, 3 do calls[i]:cancel() end
    for i, call in ipairs(calls) do
      local value, err = call:wait()
      if i % 3 ~= 2 then assert.is_truthy(value, err) end
    end
  end)
end)

describe("a deadline", function()
  -- What came before the call, such as 256 others, is not its time.
  local most_late = 0.1 + tenant.LATE + 0.3 * tenant.SLOWER

  for _, state in ipairs(states) do
    it(state.name .. " is told in time, and what the call was waiting for", function()
      -- A machine that is slow has not come to the state when a short time is over: it gets a
      -- longer one. The last must do.
      local limit, late, value, err, words
      for _, seconds in ipairs { 0.4, 0.4, 1.6, 1.6, 6.4, 6.4 } do
        limit = seconds
        words = state.words and ("no answer within %g s (%s)"):format(limit, state.words)
        local began = tenant.now()
        local call = state.start { timeout = limit }
        -- Who waits would call the function: a call whose deadline comes later is waited for.
        if state.wait == "none" then
          connect():start("GET", "fault/stall", { timeout = limit + 0.02 }):wait()
        end
        value, err = call:wait()
        late = tenant.now() - began - limit
        local has_come = value == nil and (not words or err.message == words)
        if has_come and err.kind == (state.kind or "timeout") and late < most_late then break end
      end
      assert.is_nil(value)
      assert.equal(state.kind or "timeout", err.kind)
      assert.equal(state.attempts, err.attempts)
      if words then
        assert.equal(words, err.message)
        assert.is_true(err.retryable)
        assert.is_not_nil(err.method)
      end
      assert.is_true(late < most_late, late)
      collectgarbage()
      await_quiet()
    end)
  end

  it("is that of the whole call: attempts and pauses included", function()
    local client = connect()
    local seconds = tenant.in_time(1 + tenant.LATE, function()
      local path = "fault/first/99/" .. tenant.new_key() .. "/status/503"
      local options = { timeout = 1, max_attempts = 99 }
      local taken, value, err = tenant.timed(client.get, client, path, options)
      assert.is_nil(value)
      -- It comes in a pause, or in an attempt.
      local is_server = err.kind == "server" and err.status == 503
      local is_timeout = err.kind == "timeout" and err.message:find "^no answer within 1 s %("
      assert.is_true(is_server or is_timeout, tostring(err))
      -- A second one comes after half a second at most.
      return err.attempts >= 2 and taken or math.huge
    end)
    assert.is_true(seconds < 1 + tenant.LATE, seconds)
  end)

  it("of a wait leaves the call running", function()
    local call = connect():start("GET", "fault/stall")
    local seconds = tenant.in_time(0.1 + tenant.LATE, function()
      local taken, value, err = tenant.timed(call.wait, call, 0.1)
      assert.is_nil(value)
      assert.equal("timeout", err.kind)
      assert.is_true(taken >= 0.1, taken)
      assert.is_false(call:done())
      return taken
    end)
    assert.is_true(seconds < 0.1 + tenant.LATE, seconds)
    call:cancel()
    local slow = connect():start("GET", "fault/slow/0.3")
    slow:wait(0.1)
    assert(slow:wait())
  end)

  it("of a wait is not put off by what happens meanwhile", function()
    local client = connect()
    local seconds = tenant.in_time(0.3 + tenant.LATE, function()
      local busy = {}
      for i = 1, 40 do busy[i] = client:start("GET", "fault/slow/" .. i * 0.04) end
      local call = client:start("GET", "fault/stall")
      local taken = tenant.timed(call.wait, call, 0.3)
      assert.is_true(taken >= 0.3, taken)
      call:cancel()
      for _, each in ipairs(busy) do assert(each:wait()) end
      return taken
    end)
    assert.is_true(seconds < 0.3 + tenant.LATE, seconds)
  end)
end)

-- Tokens: fetched once, shared, renewed ahead of their end, given by functions, refused.

local assert = require "luassert"
local tenant = require "spec.support.tenant"
local uipath = require "uipath"

local sandbox

setup(function() sandbox = assert(require("uipath.sandbox").start({ tls = true })) end)
teardown(function() sandbox:stop() end)

local function token_path(fault)
  return "/token/" .. fault .. "/connect/token"
end

-- A client whose tokens a function gives.
local function with_function(access_token, changes)
  local options = tenant.fault_options(sandbox, changes)
  options.access_token = access_token
  return uipath.connect(options)
end

-- What a server saw of the token that a call was sent with.
local function token_of(echo)
  return echo.headers.authorization:match "^Bearer (%S+)$"
end

describe("a token is fetched", function()
  it("once for 100 calls on a cold cache, which HTTP/2 takes over one connection", function()
    tenant.control(sandbox, "POST reset")
    local output = tenant.run(sandbox.options, [[
      local calls, right = {}, 0
      for i = 1, 100 do calls[i] = client:start("GET", "odata/Jobs", { top = 1, skip = i, orderby = "Id", folder = "Shared" }) end
      local seen = {}
      for i, call in ipairs(calls) do
        local page, response = assert(call:wait())
        assert(response.http_version == "2" and response.attempts == 1)
        local id = page.value[1].Id
        if not seen[id] then right = right + 1 end
        seen[id] = true
      end
      print(right)
    ]])
    assert.equal("100\n", output)
    local counters = tenant.control(sandbox, "GET counters")
    assert.equal(1, counters.token_requests)
    assert.equal(100, counters.data_requests)
    assert.equal(1, counters.connections)
  end)

  it("once for all clients with the same credentials", function()
    local fault = "ok/" .. tenant.new_key()
    local one = uipath.connect(tenant.token_options(sandbox, fault, { scope = "OR.Jobs OR.Machines" }))
    local other = uipath.connect(tenant.token_options(sandbox, fault, { scope = { "OR.Jobs", "OR.Machines" }, tenant = "other" }))
    local value = assert(one:access_token())
    assert.equal(value, other:access_token())
    assert.equal(value, one:with({ timeout = 5, connect_timeout = 7, folder = 3 }):access_token())
    assert.equal(1, tenant.count(sandbox, token_path(fault)))
  end)

  it("anew for another scope, secret or identity URL", function()
    local fault = "ok/" .. tenant.new_key()
    local one = uipath.connect(tenant.token_options(sandbox, fault, { scope = "OR.Jobs" }))
    local value = assert(one:access_token())
    assert.are_not.equal(value, assert(one:with({ scope = "OR.Machines" }):access_token()))
    local _, err = one:with({ client_secret = "not-the-secret" }):access_token()
    assert.equal("invalid_client", err.code)
    assert.are_not.equal(value, assert(one:with({ identity_url = sandbox.fault_url .. "/token/ok/" .. tenant.new_key() }):access_token()))
    assert.equal(value, one:access_token())
    assert.equal(3, tenant.count(sandbox, token_path(fault)))
  end)

  it("as patiently as the call that needs it waits for connections", function()
    local silent = tenant.proxy(1, "stall")
    local patient = uipath.connect(tenant.options(sandbox, {
      identity_url = "https://127.0.0.1:" .. silent.port, max_attempts = 1, connect_timeout = 1,
    }))
    local hasty = patient:with{ connect_timeout = 0.1 }
    for _, case in ipairs { { hasty, 0.1 }, { patient, 1 }, { hasty, 0.1 } } do
      local most = case[2] + tenant.LATE
      local seconds = tenant.in_time(most, function()
        local taken, value, err = tenant.timed(case[1].access_token, case[1])
        assert.is_nil(value)
        assert.equal("network", err.kind)
        assert.is_true(taken >= case[2] - 0.01, taken)
        return taken
      end)
      assert.is_true(seconds < most, seconds)
    end
    silent.stop()
  end)

  it("with its fields percent-encoded, whatever they contain", function()
    local secret = "a b&c=d+e%20f/ü\"'"
    local other = assert(require("uipath.sandbox").start({ client_secret = "a b&c=d+e%20f/\"'" }))
    assert(uipath.connect(other.options):get("odata/Machines", { top = 1 }))
    local _, err = uipath.connect(tenant.options(other, { client_secret = secret })):get("odata/Machines", { top = 1 })
    assert.equal("invalid_client", err.code)
    other:stop()
  end)

  it("again where the endpoint is busy, up to max_attempts", function()
    local busy = "first/2/" .. tenant.new_key() .. "/status/503/0"
    assert(uipath.connect(tenant.token_options(sandbox, busy, { max_attempts = 3 })):get "fault/ok")
    assert.equal(3, tenant.count(sandbox, token_path(busy)))

    local down = "status/503/0/" .. tenant.new_key()
    local _, err = uipath.connect(tenant.token_options(sandbox, down, { max_attempts = 2 })):get "fault/ok"
    assert.equal("auth", err.kind)
    assert.equal(503, err.status)
    assert.is_true(err.retryable)
    assert.matches("try again later", err.hint)
    assert.equal(2, tenant.count(sandbox, token_path(down)))
  end)

  for _, fault in ipairs { "refuse/invalid_client/x", "wrong_url", "html", "not_json", "empty" } do
    it("once for each call, and not in a loop, from an endpoint that answers with " .. fault, function()
      local path = fault .. "/" .. tenant.new_key()
      local client = uipath.connect(tenant.token_options(sandbox, path, { max_attempts = 4 }))
      for _ = 1, 3 do
        local _, err = client:get "fault/ok"
        assert.equal("auth", err.kind)
        assert.equal(0, err.attempts)
      end
      assert.equal(3, tenant.count(sandbox, token_path(path)))
    end)
  end

  it("in vain: all who wait are told", function()
    tenant.control(sandbox, "POST reset")
    tenant.control(sandbox, "POST settings", { latency = 0.5 * tenant.SLOWER })
    local client = uipath.connect(tenant.options(sandbox, { base_url = sandbox.http_url, client_secret = "not-the-secret" }))
    local calls = {}
    for i = 1, 50 do calls[i] = client:start("GET", "odata/Machines", { timeout = 60 + i }) end
    for _, call in ipairs(calls) do
      local _, err = call:wait()
      assert.equal("auth", err.kind)
      assert.equal("invalid_client", err.code)
    end
    assert.equal(1, tenant.control(sandbox, "GET counters").token_requests)
    tenant.control(sandbox, "POST reset")
  end)

  it("in vain from an endpoint whose reply does not end", function()
    local _, err = uipath.connect(tenant.token_options(sandbox, "endless")):get "fault/ok"
    assert.equal("auth", err.kind)
    assert.matches("does not end", err.message)
    assert.matches("identity_url", err.hint)
  end)

  it("in vain from an endpoint that stalls: each call is told at its own deadline", function()
    local latest = tenant.in_time(tenant.LATE, function()
      local client = uipath.connect(tenant.token_options(sandbox, "stall/" .. tenant.new_key()))
      local began, calls, most = tenant.now(), {}, 0
      for i = 1, 5 do calls[i] = client:start("GET", "fault/ok", { timeout = 0.2 * i }) end
      for i, call in ipairs(calls) do
        local _, err = call:wait()
        local late = tenant.now() - began - 0.2 * i
        assert.equal("timeout", err.kind)
        -- The last call's deadline is that of the fetch as well.
        assert.matches(i < 5 and "waiting for a token" or "token", err.message)
        assert.matches(": fetching a token from http://127.0.0.1:%d+/token/stall/[%w_]+/connect/"
          .. "token: timeout: ", tostring(err))
        assert.is_true(late > -0.01, late)
        most = math.max(most, late)
      end
      return most
    end)
    assert.is_true(latest < tenant.LATE, latest)
  end)

  it("in vain where nobody listens", function()
    local client = uipath.connect(tenant.token_options(sandbox, "x", { identity_url = "http://127.0.0.1:1" }))
    local _, err = client:get "fault/ok"
    assert.equal("network", err.kind)
    assert.matches("^fetching a token: ", err.message)
    local said = "/fault/ok: fetching a token from http://127%.0%.0%.1:1/connect/token: network: [^/]+ 127%.0%.0%.1[ :][port ]*1"
    assert.matches(said, tostring(err))
    assert.is_string(err.hint)
    assert.is_true(err.retryable)
  end)

  it("never by way of a redirect", function()
    tenant.control(sandbox, "POST settings", { record = true })
    local _, err = uipath.connect(tenant.token_options(sandbox, "redirect/307/other")):get "fault/ok"
    assert.equal("auth", err.kind)
    for _, request in ipairs(tenant.control(sandbox, "GET requests")) do assert.is_nil(request.uri:find "landed") end
    tenant.control(sandbox, "POST reset")
  end)
end)

describe("a token is renewed", function()
  it("in the background, with no call waiting, and no more once its clients are gone", function()
    local fault = "expires/1/" .. tenant.new_key()
    local client = uipath.connect(tenant.token_options(sandbox, fault))
    local first = assert(client:access_token())
    tenant.eventually(function() return tenant.count(sandbox, token_path(fault)) >= 2 end)
    assert.are_not.equal(first, client:access_token())
    client = nil -- luacheck: ignore
    collectgarbage()
    collectgarbage()
    local count = tenant.count(sandbox, token_path(fault))
    tenant.sleep(1.5)
    assert.is_true(tenant.count(sandbox, token_path(fault)) <= count + 1) -- one may have been under way
  end)

  it("before it ends, so that no call waits for that and none goes out with an old one", function()
    -- The token endpoint takes 0.4 s, the service none; renewal is due at 4 s, the token no longer used at 4.5 s.
    local identity = ("%s/%s/identity_"):format(sandbox.http_url, sandbox.options.organization)
    local tries = 0
    local late = tenant.in_time(0, function()
      tries = tries + 1
      tenant.control(sandbox, "POST settings", { expires_in = 5 })
      local client = uipath.connect(tenant.token_options(sandbox, "ok", {
        identity_url = identity, timeout = 20,
        scope = "OR.Jobs" .. (" OR.Jobs"):rep(tries), -- for a token of its own
      }))
      local first = assert(client:access_token())
      -- The next one is not renewed in its turn: it would count among what the specs below ask for.
      tenant.control(sandbox, "POST settings", { latency = 0.4, expires_in = 3600 })
      local longest, began = 0, tenant.now()
      local last
      repeat
        local seconds, echo = tenant.timed(function() return assert(client:get "fault/echo") end)
        longest, last = math.max(longest, seconds), token_of(echo)
      until last ~= first or tenant.now() - began > 5 * tenant.SLOWER
      local lasted = tenant.now() - began
      tenant.control(sandbox, "POST reset")
      assert.are_not.equal(first, last)
      return math.max(longest - 0.4 * tenant.SLOWER, lasted - 4.9 * tenant.SLOWER)
    end)
    assert.is_true(late < 0, late)
  end)

  it("for a call that has waited for its turn for so long that its token is too old", function()
    local given = 0
    local client = with_function(function()
      given = given + 1
      return "token" .. given, 1
    end)
    local calls = {}
    for i = 1, 256 do calls[i] = client:start("GET", "fault/slow/1.2") end
    local last = client:start("GET", "fault/echo")
    for _, call in ipairs(calls) do assert(call:wait()) end
    assert.equal("token2", token_of(assert(last:wait())))
    assert.equal(2, given)
  end)
end)

describe("a token that is refused", function()
  local function client_for(key)
    return uipath.connect(tenant.options(sandbox, { base_url = sandbox.http_url, scope = "OR.Machines.Read OR." .. key }))
  end

  it("is dropped, and one more fetched, however many calls were sent with it", function()
    local client = client_for "Jobs"
    assert(client:get("odata/Machines", { top = 1 }))
    tenant.control(sandbox, "POST reset")
    tenant.control(sandbox, "POST revoke")
    local calls = {}
    for i = 1, 40 do calls[i] = client:start("GET", "odata/Machines", { top = 1 }) end
    for _, call in ipairs(calls) do
      local _, response = assert(call:wait())
      assert.is_true(response.attempts <= 2)
    end
    assert.equal(1, tenant.control(sandbox, "GET counters").token_requests)
  end)

  it("is dropped for a POST, too: a server that refuses has not acted", function()
    local client = uipath.connect(tenant.options(sandbox, { base_url = sandbox.http_url }))
    assert(client:access_token())
    tenant.control(sandbox, "POST revoke")
    local created, response = assert(client:post("odata/Machines", { Name = "after-401", Type = "Standard" }))
    assert.equal(2, response.attempts)
    assert(client:delete("odata/Machines" .. uipath.odata.key(created.Id)))
  end)

  it("although fresh ends the call: one more token, one more try, no third", function()
    local fault = "unknown/" .. tenant.new_key()
    local client = uipath.connect(tenant.token_options(sandbox, fault, { max_attempts = 4, tenant = sandbox.options.tenant }))
    local value, err = client:get("odata/Machines", { top = 1 })
    assert.is_nil(value)
    assert.equal("auth", err.kind)
    assert.equal(401, err.status)
    assert.equal(2, err.attempts)
    assert.equal("You are not authenticated!", err.message)
    assert.matches("a fresh token was refused, too", err.hint)
    assert.equal(2, tenant.count(sandbox, token_path(fault)))
  end)

  it("was perhaps not the current one: then that is used", function()
    local client = client_for "Folders"
    local slow = client:start("GET", "odata/Machines", { top = 1 })
    assert(slow:wait())
    tenant.control(sandbox, "POST settings", { latency = 0.3 })
    local late = client:start("GET", "odata/Machines", { top = 1 }) -- with the first token, read when that is revoked
    tenant.sleep(0.1)
    tenant.control(sandbox, "POST revoke")
    tenant.control(sandbox, "POST settings", { latency = 0 })
    assert(client:get("odata/Machines", { top = 1 }))
    assert(late:wait())
    assert(client:get("odata/Machines", { top = 1 }))
  end)
end)

describe("a function that gives tokens", function()
  it("is called when there is none, after its token's end and after a 401, and not otherwise", function()
    local given = 0
    local client = with_function(function()
      given = given + 1
      return "token" .. given, 1
    end)
    for _ = 1, 3 do assert.equal("token1", token_of(assert(client:get "fault/echo"))) end
    tenant.sleep(1)
    assert.equal("token2", token_of(assert(client:get "fault/echo")))
    assert(client:get("fault/refused_token/" .. tenant.new_key()))
    assert.equal(3, given)
    assert.equal("token3", client:access_token())
  end)

  it("is called once for calls that are started together", function()
    local given = 0
    local client = with_function(function()
      given = given + 1
      return "token" .. given
    end)
    local calls = {}
    for i = 1, 20 do calls[i] = client:start("GET", "fault/echo") end
    for _, call in ipairs(calls) do assert.equal("token1", token_of(assert(call:wait()))) end
    assert.equal(1, given)
    assert.equal("token1", client:with({ timeout = 5 }):access_token())
  end)

  it("keeps its token until that is refused, if it does not say how long it lasts", function()
    local client = with_function(function() return "forever" end)
    assert.is_nil(assert(client:token()).expires_at)
    assert.equal("function", client:token().source)
  end)

  it("may yield, while other calls go on", function()
    local client = with_function(function()
      assert.equal("go on", coroutine.yield "asking")
      return "yielded", 100
    end)
    local thread = coroutine.create(function() return client:get "fault/echo" end)
    assert.same({ true, "asking" }, { coroutine.resume(thread) })
    local plain = uipath.connect(tenant.fault_options(sandbox))
    assert(plain:get "fault/ok")
    local _, echo = coroutine.resume(thread, "go on")
    assert.equal("yielded", token_of(echo))
  end)

  it("may call us: any client but the one that it is for", function()
    local inner = with_function(function() return "inner" end)
    local outer = with_function(function() return token_of(assert(inner:get "fault/echo")) .. "-outer" end)
    assert.equal("inner-outer", token_of(assert(outer:get "fault/echo")))
  end)

  it("is told at once when it calls its own client, also from a coroutine, and may go on", function()
    local own, refusals = nil, {}
    own = with_function(function()
      local _, err = own:get "fault/echo"
      refusals[1] = err
      _, refusals[2] = coroutine.wrap(function() return own:access_token() end)()
      return "own-token", 100
    end)
    assert.equal("own-token", token_of(assert(own:get "fault/echo")))
    for i = 1, 2 do
      assert.equal("auth", refusals[i].kind)
      assert.matches("called the client that it is for", refusals[i].message)
    end
  end)

  it("may give the lifetime as a numeric string, as some services write it", function()
    local client = with_function(function() return "token", "60" end)
    local token = assert(client:token())
    assert.is_true(math.abs(token.expires_at - os.time() - 60) < 10 * tenant.SLOWER)
  end)

  local failures = {
    { "raises", function() error("no vault", 0) end, "no vault" },
    { "raises an object", function() error(setmetatable({}, { __tostring = function() return "no object" end })) end, "no object" },
    { "raises an object that cannot be shown", function() error(setmetatable({}, { __tostring = error })) end, "cannot be shown" },
    { "returns nil and why", function() return nil, "locked" end, "locked" },
    { "returns nothing", function() end, "it returned nil" },
    { "returns a number", function() return 17 end, "did not return a token" },
    { "returns what cannot be sent", function() return "a\r\nb" end, "did not return a token" },
    { "returns an empty token", function() return "" end, "did not return a token" },
    { "returns a lifetime that is none", function() return "token", "soon" end, "lifetime in seconds" },
    { "returns a lifetime of nothing", function() return "token", 0 end, "lifetime in seconds" },
  }
  for _, row in ipairs(failures) do
    it("and " .. row[1] .. " leads to an auth error that says so, for all who wait", function()
      local client = with_function(row[2])
      local calls = { client:start("GET", "fault/ok"), client:start("GET", "fault/ok") }
      for _, call in ipairs(calls) do
        local value, err = call:wait()
        assert.is_nil(value)
        assert.equal("auth", err.kind)
        assert.matches("^access_token: ", err.message)
        assert.is_truthy(err.message:find(row[3], 1, true), err.message)
      end
      local _, err = client:token()
      assert.equal("auth", err.kind)
    end)
  end

  it("that takes too long loses its call, and serves the next", function()
    local given = 0
    local function late_one()
      given = given + 1
      tenant.sleep(0.5)
      return "late", 100
    end
    local seconds = tenant.in_time(0.5 + tenant.LATE, function()
      given = 0
      local client = with_function(late_one)
      local taken, value, err = tenant.timed(client.get, client, "fault/ok", { timeout = 0.2 })
      assert.is_nil(value)
      assert.equal("timeout", err.kind)
      assert.equal("late", token_of(assert(client:get "fault/echo")))
      assert.equal(1, given)
      return taken
    end)
    assert.is_true(seconds < 0.5 + tenant.LATE, seconds)
  end)

  it("that never goes on does not hold its call beyond the deadline", function()
    local client = with_function(function() coroutine.yield() end)
    local call = client:start("GET", "fault/ok", { timeout = 0.2 })
    local thread = coroutine.create(function() return call:wait() end)
    coroutine.resume(thread)
    assert.equal("suspended", coroutine.status(thread))
    tenant.sleep(0.3)
    assert.is_true(call:done())
    local _, err = call:wait()
    assert.equal("timeout", err.kind)
  end)

  it("is due when the call's descriptor is readable, which it is no longer then", function()
    local client = with_function(function() return "token" end)
    local call = client:start("GET", "fault/stall", { timeout = 0.5 })
    local function is_readable()
      local information = tenant.shell(("cat /proc/%d/fdinfo/%d"):format(tenant.pid(), call:fd()))
      return information:match "eventfd%-count:%s*(%x+)" ~= "0"
    end
    tenant.eventually(is_readable)
    local value, err = call:wait(0)
    assert.is_nil(value)
    assert.equal("timeout", err.kind)
    assert.is_false(is_readable())
    tenant.eventually(is_readable)
    err = select(2, call:wait(0))
    assert.matches("no answer within", err.message)
  end)
end)

describe("client:token", function()
  it("tells when the token ends, what it is good for and where it comes from, and no secret", function()
    local client = uipath.connect(tenant.options(sandbox, { scope = "OR.Jobs OR.Machines.Read" }))
    local token = assert(client:token())
    assert.same({ "OR.Jobs", "OR.Machines.Read" }, token.scopes)
    assert.equal("client_credentials", token.source)
    assert.is_true(math.abs(token.expires_at - os.time() - 3600) <= 20)
    local value = assert(client:access_token())
    for _, each in pairs(token) do assert.are_not.equal(value, each) end

    local fixed = assert(uipath.connect(tenant.fault_options(sandbox, { access_token = value })):token())
    assert.equal("option", fixed.source)
    assert.same(token.scopes, fixed.scopes)
    assert.is_true(math.abs(fixed.expires_at - token.expires_at) <= 2)

    local opaque = assert(uipath.connect(tenant.fault_options(sandbox, { access_token = "rt_0123" })):token())
    assert.same({ scopes = {}, source = "option" }, opaque)
  end)

  it("gives what goes wrong, as calls do", function()
    local client = uipath.connect(tenant.token_options(sandbox, "refuse/invalid_scope/no"))
    for _, method in ipairs { "token", "access_token" } do
      local value, err = client[method](client)
      assert.is_nil(value)
      assert.equal("auth", err.kind)
      assert.equal("invalid_scope", err.code)
      assert.matches("^spec/tokens_spec.lua:%d+: ", tostring(err))
    end
  end)
end)

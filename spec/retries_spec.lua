-- What is sent again, when, and what never is: attempts, pauses, rate limits, redirects.

local assert = require "luassert"
local tenant = require "spec.support.tenant"
local uipath = require "uipath"

local sandbox, client

setup(function()
  sandbox = assert(require("uipath.sandbox").start())
  client = uipath.connect(tenant.fault_options(sandbox))
end)
teardown(function() sandbox:stop() end)

-- A path that gives the fault so many times, then 200.
local function first(count, fault)
  return ("fault/first/%d/%s/%s"):format(count, tenant.new_key(), fault)
end

local function sent_to(path)
  return tenant.count(sandbox, "/acme/T/orchestrator_/" .. path)
end

describe("a call that has met", function()
  -- Faults after which every method, the idempotent ones or none is sent again.
  local always = { "status/429/0", "status/429", "status/503/0" }
  local idempotent = {
    "reset", "reset_in_headers", "reset_in_body", "close", "close_in_headers", "truncated", "truncated_chunked", "bad_chunk",
    "status/408/0", "status/408", "status/502/0", "status/502", "status/503", "status/504/0", "status/504", "gateway/502",
  }
  local never = {
    "status/400", "status/403", "status/404", "status/409", "status/410", "status/422", "status/501", "status/505",
    "invalid_json", "html", "gzip_broken",
  }
  local for_reading = { "status/500/0", "status/500", "gateway/500" }
  local methods = { GET = true, PUT = true, DELETE = true, POST = false, PATCH = false }

  local function specify(faults, is_sent_again)
    for _, fault in ipairs(faults) do
      for method, is_idempotent in pairs(methods) do
        for _, said in ipairs(is_idempotent and { false } or { false, true }) do
          local again = is_sent_again(is_idempotent or said, method)
          -- All are started before the first is waited for: their pauses overlap.
          local path, call
          setup(function()
            local body = is_idempotent and method ~= "PUT" and nil or (method ~= "GET" and method ~= "DELETE") and { a = 1 } or nil
            path = first(1, fault)
            call = client:start(method, path, { max_attempts = 2, body = body, idempotent = said or nil })
          end)
          it(("%s is %s after %s%s"):format(fault, again and "sent again" or "not sent again", method,
            said and " that is said to be idempotent" or ""), function()
            local value, result = call:wait()
            assert.equal(again, value ~= nil, result)
            assert.equal(again and 2 or 1, result.attempts)
            assert.equal(again and 2 or 1, sent_to(path))
          end)
        end
      end
    end
  end

  specify(always, function() return true end)
  specify(idempotent, function(is_idempotent) return is_idempotent end)
  specify(for_reading, function(_, method) return method == "GET" end)
  specify(never, function() return false end)

  -- On a kept connection this may be the end of an earlier response, which is another matter; a process without answers has none.
  it("what does not speak HTTP is not sent again, whatever the method", function()
    local paths, program = {}, {}
    for method in pairs(methods) do
      for _, said in ipairs { false, true } do
        local path = first(1, "not_http")
        paths[#paths + 1] = path
        program[#program + 1] = ([[
          local err = select(2, client:request(%q, %q, { max_attempts = 2, idempotent = %s }))
          print(err.kind, err.attempts, err.retryable)]]):format(method, path, tostring(said))
      end
    end
    local output = tenant.run(tenant.fault_options(sandbox), "do " .. table.concat(program, " end do ") .. " end")
    assert.equal(("network\t1\tfalse\n"):rep(#paths), output)
    for _, path in ipairs(paths) do assert.equal(1, sent_to(path)) end
  end)

  it("a connection that cannot be made is sent again, whatever the method: it was not sent", function()
    local broken = uipath.connect(tenant.fault_options(sandbox, { base_url = "http://127.0.0.1:1", max_attempts = 2 }))
    for _, method in ipairs { "GET", "POST" } do
      local _, err = broken:request(method, "odata/X")
      assert.equal("network", err.kind)
      assert.equal(2, err.attempts)
      assert.is_true(err.retryable)
    end
  end)

  it("its deadline is not sent again, whatever the method", function()
    local path = "fault/stall/" .. tenant.new_key()
    local _, err = client:get(path, { timeout = 0.2, max_attempts = 5 })
    assert.equal("timeout", err.kind)
    assert.equal(1, sent_to(path))
  end)

  it("the end of a kept connection is not repeated behind our back", function()
    local path = "fault/close_reused/" .. tenant.new_key()
    local output = tenant.run(tenant.fault_options(sandbox), ([[
      assert(client:get %q)
      local value, err = client:post(%q, "", { max_attempts = 3 })
      print(value, err.kind, err.attempts)
    ]]):format(path, path))
    assert.equal("nil\tnetwork\t1\n", output)
    assert.equal(2, sent_to(path))
    path = "fault/close_reused/" .. tenant.new_key()
    output = tenant.run(tenant.fault_options(sandbox), ([[
      assert(client:get %q)
      print(select(2, assert(client:get(%q, { max_attempts = 3 }))).attempts)
    ]]):format(path, path))
    assert.equal("2\n", output)
    assert.equal(3, sent_to(path))
  end)
end)

describe("another attempt", function()
  it("is made up to max_attempts, the client's or the call's", function()
    local _, err = client:with({ max_attempts = 3 }):get "fault/status/503/0"
    assert.equal(3, err.attempts)
    _, err = client:get("fault/status/503/0", { max_attempts = 2 })
    assert.equal(2, err.attempts)
    _, err = uipath.connect(tenant.fault_options(sandbox, { max_attempts = false })):get "fault/status/503/0"
    assert.equal(4, err.attempts)
  end)

  it("waits as long as Retry-After says, in seconds or by date", function()
    for fault, least in pairs { ["status/429/1"] = 1, ["status/503/date:2"] = 1 } do
      local seconds = tenant.in_time(2 + tenant.LATE, function()
        local path = first(1, fault)
        local taken, _, response = tenant.timed(client.get, client, path, { max_attempts = 2 })
        assert.equal(2, response.attempts)
        assert.is_true(taken >= least - 0.01, taken)
        return taken
      end)
      assert.is_true(seconds < 2 + tenant.LATE, seconds)
    end
    local delay
    local watched = client:with { on_event = function(event) delay = delay or event.delay end }
    assert(watched:get(first(1, "status/503/date:-5"), { max_attempts = 2 }))
    assert.equal(0, delay)
  end)

  it("else waits twice as long each time, give or take a half", function()
    local delays = {}
    local watched = client:with({ on_event = function(event) delays[#delays + 1] = event.delay end })
    assert(watched:get(first(3, "status/502"), { max_attempts = 4 }))
    assert.equal(3, #delays)
    for i, delay in ipairs(delays) do
      local most = 0.5 * 2 ^ (i - 1)
      assert.is_true(delay >= most / 2 and delay <= most, delay)
    end
  end)

  it("is not waited for past the timeout: the error comes at once, and says how long it would have been", function()
    local seconds, value, err = tenant.in_time(tenant.LATE, function()
      local path = first(1, "status/429/60")
      return tenant.timed(client.get, client, path, { max_attempts = 2, timeout = 5 })
    end)
    assert.is_nil(value)
    assert.equal("rate_limit", err.kind)
    assert.equal(60, err.retry_after)
    assert.equal(1, err.attempts)
    assert.equal("not tried again, because Retry-After (60 s) lies beyond the timeout (5 s): come back then, or allow more time", err.hint)
    assert.is_true(err.retryable)
    assert.is_true(seconds < tenant.LATE, seconds)
  end)

  it("has an event of its own, whoever makes it", function()
    -- libcurl itself repeats what a kept connection turned out too dead for.
    local path = "fault/close_reused/" .. tenant.new_key()
    local output = tenant.run(tenant.fault_options(sandbox), ([[
      local events = {}
      local watched = client:with { on_event = function(event) events[#events + 1] = event end }
      for i = 1, 2 do
        local _, response = assert(watched:get(%q, { max_attempts = 3 }))
        print(response.attempts)
        for i, event in ipairs(events) do
          print(event.type, event.attempt, event.status, event.message, event.elapsed >= 0 and event.elapsed < 5)
        end
        events = {}
      end
    ]]):format(path))
    assert.equal("1\nattempt\t1\t200\tnil\ttrue\n"
      .. "2\nattempt\t1\tnil\tthe kept connection was dead\ttrue\nattempt\t2\t200\tnil\ttrue\n", output)
  end)
end)

describe("RateLimit-Remaining: 0", function()
  local function quota(limit, seconds)
    local service = "quota" .. tenant.new_key() .. "_"
    return service .. "/fault/quota/" .. limit .. "/" .. seconds .. "/" .. service, { level = "tenant" }, service
  end

  it("holds back the next calls to that service until RateLimit-Reset, and no others", function()
    -- How much later than it may be the latest of these came. The reset lies two seconds ahead, of
    -- which a machine that is slow has less left when the calls are held back.
    local late = tenant.in_time(0, function()
      local path, level, service = quota(2, 2)
      assert(client:get(path, level))
      local most = tenant.timed(client.get, client, path, level) - tenant.LATE
      local held = {}
      for i = 1, 3 do held[i] = client:start("GET", service .. "/fault/echo", level) end
      most = math.max(most, tenant.timed(client.get, client, "fault/ok") - tenant.LATE)
      for _, call in ipairs(held) do
        local _, response = assert(call:wait())
        assert.equal(1, response.attempts)
        most = math.max(most, 1 - response.elapsed, response.elapsed - 2 - tenant.LATE)
      end
      return most
    end)
    assert.is_true(late < 0, late)
  end)

  it("ends those at once whose timeout is nearer", function()
    local seconds, value, err = tenant.in_time(tenant.LATE, function()
      local path, level = quota(1, 30)
      assert(client:get(path, level))
      return tenant.timed(client.get, client, path, { level = "tenant", timeout = 5 })
    end)
    assert.is_nil(value)
    assert.equal("rate_limit", err.kind)
    assert.is_true(err.retry_after > 28 and err.retry_after <= 30, err.retry_after)
    assert.equal(0, err.attempts)
    assert.is_true(err.retryable)
    assert.is_true(seconds < tenant.LATE, seconds)
  end)
end)

describe("a redirect", function()
  local function landings()
    local list = {}
    for _, request in ipairs(tenant.control(sandbox, "GET requests")) do
      if request.uri:find "^/landed" then list[#list + 1] = request end
    end
    return list
  end

  before_each(function()
    tenant.control(sandbox, "POST reset")
    tenant.control(sandbox, "POST settings", { record = true })
  end)
  after_each(function() tenant.control(sandbox, "POST reset") end)

  it("is followed within the host, by GET, with the token", function()
    for _, status in ipairs { 301, 302, 303, 307, 308 } do
      for _, where in ipairs { "same", "relative" } do
        local echo, response = assert(client:get(("fault/redirect/%d/%s"):format(status, where)))
        assert.matches("/landed", response.url)
        assert.equal("GET", echo.method)
        assert.equal("Bearer a-fixed-token", echo.headers.authorization)
      end
    end
    assert.equal(10, #landings())
  end)

  it("to another host is not followed, so that no token goes there", function()
    for _, status in ipairs { 301, 302, 303, 307, 308 } do
      for _, method in ipairs { "GET", "POST", "DELETE" } do
        local _, err = client:request(method, ("fault/redirect/%d/other"):format(status))
        assert.equal("redirect", err.kind)
        assert.equal(status, err.status)
        assert.matches("^http://localhost:", err.headers.location)
      end
    end
    assert.same({}, landings())
  end)

  it("of what changes something is not followed", function()
    for _, method in ipairs { "POST", "PUT", "PATCH", "DELETE" } do
      local _, err = client:request(method, "fault/redirect/307/same")
      assert.equal("redirect", err.kind)
    end
    assert.same({}, landings())
  end)

  it("that goes round ends", function()
    local _, err = client:get "fault/redirect/302/loop"
    assert.equal("redirect", err.kind)
    assert.is_true(err.attempts <= 10)
  end)
end)

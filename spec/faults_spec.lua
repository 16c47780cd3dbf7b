-- What happens when the service, the network or the token endpoint misbehaves: one row for each fault.

local assert = require "luassert"
local uipath = require "uipath"

-- Instrumented builds are slower; only bounds of time may know.
local SLOWER = ({ plain = 1, gc = 2 })[os.getenv "SUITE" or "plain"] or 8

local sandbox, client

-- Seconds of wall time, finer than os.time: uipath's own response says how long a call took.
local function options(changes)
  local result = {
    organization = "acme", tenant = "T", base_url = sandbox.fault_url, access_token = "a-fixed-token",
    timeout = 20, max_attempts = 1,
  }
  for name, value in pairs(changes or {}) do result[name] = value end
  return result
end

local keys = 0
local function new_key()
  keys = keys + 1
  return "key" .. keys
end

setup(function()
  sandbox = assert(require("uipath.sandbox").start({ tls = true }))
  client = uipath.connect(options())
end)
teardown(function() sandbox:stop() end)

describe("a call that meets", function()
  -- fault, kind, what the message holds (plain text)
  local rows = {
    { "reset", "network" },
    { "reset_in_headers", "network" },
    { "reset_in_body", "network" },
    { "close", "network" },
    { "close_in_headers", "network" },
    { "truncated", "network" },
    { "truncated_chunked", "network" },
    { "short_length", "decode" },
    { "bad_chunk", "network" },
    { "not_http", "network" },
    { "gzip_broken", "network" },
    { "invalid_json", "decode", "line 2" },
    { "cut_json", "decode", "unexpected end" },
    { "invalid_utf8", "decode", "UTF-8" },
    { "deep/2000", "decode" },
    { "html", "decode", "HTML" },
    { "html_as_json", "decode" },
    { "status/400", "request" },
    { "status/403", "forbidden" },
    { "status/404", "not_found" },
    { "status/408", "timeout" },
    { "status/409", "conflict" },
    { "status/429", "rate_limit" },
    { "status/500", "server" },
    { "status/503", "server" },
    { "gateway/502", "server" },
    { "redirect/302/other", "redirect" },
    { "redirect/302/nowhere", "redirect" },
    { "redirect/302/loop", "redirect" },
  }
  for _, row in ipairs(rows) do
    it(row[1] .. " gives " .. row[2], function()
      local value, err = client:get("fault/" .. row[1] .. "/" .. new_key())
      if row[1]:find "^deep" or row[1]:find "^redirect" or row[1]:find "^status" or row[1]:find "^gateway" then
        value, err = client:get("fault/" .. row[1])
      end
      assert.is_nil(value)
      assert.equal(row[2], err.kind)
      assert.is_string(err.message)
      if row[3] then assert.is_truthy(err.message:find(row[3], 1, true), err.message) end
      assert.matches("^spec/faults_spec.lua:%d+: GET …/fault/", tostring(err))
    end)
  end

  for _, name in ipairs { "endless", "gzip_bomb" } do
    it(name .. " ends at max_response_bytes", function()
      local _, err = uipath.connect(options { max_response_bytes = 1000000 }):get("fault/" .. name)
      assert.equal("too_large", err.kind)
    end)
  end

  for _, name in ipairs { "stall", "stall_in_headers", "stall_in_body", "trickle/0.05", "long_length" } do
    it(name .. " ends at its deadline", function()
      local _, err = client:get("fault/" .. name, { timeout = 0.3 })
      assert.equal("timeout", err.kind)
      assert.matches("no answer within 0.3 s", err.message)
    end)
  end

  it("a deadline is told within 0.2 s", function()
    local call = client:start("GET", "fault/stall", { timeout = 0.3 })
    local value, err = call:wait(0.3 + 0.2 * SLOWER)
    assert.is_nil(value)
    assert.matches("no answer within", err.message)
  end)

  it("a connection that is refused", function()
    local _, err = uipath.connect(options { base_url = "http://127.0.0.1:1" }):get "odata/X"
    assert.equal("network", err.kind)
    assert.is_string(err.hint)
  end)

  it("a host that does not exist, at once", function()
    local _, err = uipath.connect(options { base_url = "https://no-such-host.invalid", max_attempts = 4 }):get "odata/X"
    assert.equal("network", err.kind)
    assert.matches("host", err.hint)
    assert.equal(1, err.attempts)
    assert.is_false(err.retryable)
  end)

  it("certificates that must not be trusted, without a second try", function()
    for _, case in ipairs {
      { sandbox.wrong_host_url, sandbox.ca_file }, { sandbox.expired_url, sandbox.ca_file }, { sandbox.base_url, nil },
    } do
      local _, err = uipath.connect(options { base_url = case[1], ca_file = case[2], max_attempts = 4 }):get "odata/X"
      assert.equal("network", err.kind)
      assert.matches("certificate", err.hint)
      assert.equal(1, err.attempts)
    end
  end)
end)

describe("a call that may be sent again", function()
  local function first(count, fault)
    return ("fault/first/%d/%s/%s"):format(count, new_key(), fault)
  end

  for _, fault in ipairs { "status/408/0", "status/429/0", "status/502/0", "status/503/0", "status/504/0" } do
    it("is, after " .. fault, function()
      local value, response = client:get(first(2, fault), { max_attempts = 3 })
      assert.is_truthy(value, response)
      assert.equal(3, response.attempts)
    end)
  end

  it("is, after broken connections", function()
    for _, fault in ipairs { "reset", "close_in_headers", "truncated" } do
      local value, response = client:get(first(1, fault), { max_attempts = 2 })
      assert.is_truthy(value, response)
      assert.equal(2, response.attempts)
    end
  end)

  it("waits as long as Retry-After says", function()
    local _, response = assert(client:get(first(1, "status/429/1"), { max_attempts = 2 }))
    assert.is_true(response.elapsed >= 1)
  end)

  it("does not wait past its timeout", function()
    local _, err = client:get(first(1, "status/429/60"), { max_attempts = 2, timeout = 5 })
    assert.equal("rate_limit", err.kind)
    assert.equal(60, err.retry_after)
    assert.equal(1, err.attempts)
    assert.is_true(err.retryable)
  end)

  it("is not, after what is final", function()
    for _, status in ipairs { 400, 404, 409, 500, 501 } do
      local _, err = client:get(first(1, "status/" .. status), { max_attempts = 3 })
      assert.equal(status, err.status)
      assert.equal(1, err.attempts)
    end
  end)

  -- method, fault, whether it is sent again
  local rows = {
    { "POST", "status/429/0", true }, { "POST", "status/503/0", true }, { "POST", "status/503", false },
    { "POST", "status/502/0", false }, { "POST", "status/504/0", false }, { "POST", "status/408/0", false },
    { "POST", "reset", false }, { "POST", "close", false }, { "POST", "truncated", false },
    { "PATCH", "status/429/0", true }, { "PATCH", "status/502/0", false }, { "PATCH", "reset", false },
    { "PUT", "status/502/0", true }, { "PUT", "reset", true }, { "DELETE", "status/503/0", true }, { "DELETE", "close", true },
  }
  for _, row in ipairs(rows) do
    it(("is %sfor %s after %s"):format(row[3] and "" or "not ", row[1], row[2]), function()
      local body = row[1] ~= "DELETE" and { a = 1 } or nil
      local value, result = client:request(row[1], first(1, row[2]), { max_attempts = 2, body = body })
      assert.equal(row[3], value ~= nil)
      assert.equal(row[3] and 2 or 1, result.attempts)
    end)
  end

  it("is, for a POST that is said to be idempotent", function()
    local _, response = assert(client:post(first(1, "reset"), { a = 1 }, { max_attempts = 2, idempotent = true }))
    assert.equal(2, response.attempts)
  end)

  it("is not repeated behind our back on a kept connection", function()
    local path = "fault/close_reused/" .. new_key()
    local lonely = uipath.connect(options())
    assert(lonely:get(path))
    local value, err = lonely:post(path, "", { max_attempts = 3 })
    if value == nil then
      assert.equal("network", err.kind)
      assert.equal(1, err.attempts)
    end
  end)
end)

describe("redirects", function()
  it("are followed within the host, by GET", function()
    assert(client:get "fault/redirect/302/same")
    assert(client:get "fault/redirect/307/relative")
    local _, err = client:post("fault/redirect/307/same", { a = 1 })
    assert.equal("redirect", err.kind)
  end)
end)

describe("a token endpoint that answers with", function()
  -- fault, code, what the hint holds
  local rows = {
    { "not_json" }, { "array" }, { "html" }, { "wrong_url", "UnsupportedApiVersion" },
    { "no_token" }, { "empty_token" }, { "number_token" }, { "newline_token" }, { "empty" },
    { "refuse/invalid_client", "invalid_client", "client_secret" }, { "refuse/invalid_scope", "invalid_scope", "scope" },
  }
  for _, row in ipairs(rows) do
    it(row[1] .. " leads to an auth error with a hint, without a second try", function()
      local broken = uipath.connect {
        organization = "acme", tenant = "T", base_url = sandbox.fault_url, identity_url = sandbox.fault_url .. "/token/" .. row[1],
        client_id = sandbox.options.client_id, client_secret = sandbox.options.client_secret,
        scope = sandbox.options.scope, max_attempts = 4, timeout = 20,
      }
      local calls = {}
      for i = 1, 5 do calls[i] = broken:start("GET", "fault/ok") end
      for _, call in ipairs(calls) do
        local value, err = call:wait()
        assert.is_nil(value)
        assert.equal("auth", err.kind)
        assert.is_string(err.hint)
        assert.equal(row[2], err.code)
        if row[3] then assert.is_truthy(err.hint:find(row[3], 1, true)) end
        assert.is_nil(tostring(err):find(sandbox.options.client_secret, 1, true))
        assert.equal(0, err.attempts)
      end
    end)
  end

  for name, seconds in pairs { quoted = 3600, absent = 3600, zero = 3600, negative = 3600, null = 3600, words = 3600, fraction = 3599 } do
    it("expires_in " .. name .. " gives a token for an hour or so", function()
      local odd = uipath.connect {
        organization = "acme", tenant = "T", base_url = sandbox.fault_url, identity_url = sandbox.fault_url .. "/token/" .. name,
        client_id = sandbox.options.client_id, client_secret = sandbox.options.client_secret, scope = sandbox.options.scope,
      }
      local token = assert(odd:token())
      assert.is_true(math.abs(token.expires_at - os.time() - seconds) <= 2)
    end)
  end

  it("a huge expires_in gives a token that lasts", function()
    local odd = uipath.connect {
      organization = "acme", tenant = "T", base_url = sandbox.fault_url, identity_url = sandbox.fault_url .. "/token/huge",
      client_id = sandbox.options.client_id, client_secret = sandbox.options.client_secret, scope = sandbox.options.scope,
    }
    assert.is_true(assert(odd:token()).expires_at > os.time() + 86400)
  end)
end)

describe("a refused token", function()
  it("is renewed once, and the call sent again", function()
    local renewing = uipath.connect {
      organization = "acme", tenant = "T", base_url = sandbox.fault_url, identity_url = sandbox.fault_url .. "/token/ok",
      client_id = sandbox.options.client_id, client_secret = sandbox.options.client_secret, scope = sandbox.options.scope,
    }
    local _, response = assert(renewing:get("fault/refused_token/" .. new_key()))
    assert.equal(2, response.attempts)
    local _, err = renewing:get "fault/status/401"
    assert.equal("auth", err.kind)
    assert.equal(401, err.status)
    assert.equal(2, err.attempts)
  end)

  it("that was given as an option ends the call", function()
    local _, err = client:get "fault/status/401"
    assert.equal("auth", err.kind)
    assert.equal(1, err.attempts)
    assert.is_nil(tostring(err):find("a-fixed-token", 1, true))
  end)
end)

describe("what a server echoes", function()
  it("never brings the token into an error", function()
    local shouting = uipath.connect(options { access_token = "s3cr3t-token" })
    local _, err = shouting:get "fault/status/400/s3cr3t-token"
    assert.is_nil(tostring(err):find("s3cr3t-token", 1, true))
  end)
end)

-- What happens when the service, the network or the token endpoint misbehaves: one row for each fault.

local assert = require "luassert"
local tenant = require "spec.support.tenant"
local uipath = require "uipath"

local sandbox, client

-- A fault that is only noticed when the call's 20 seconds are over has not been noticed.
local GUARD = 15

local function options(changes)
  return tenant.fault_options(sandbox, changes)
end

local new_key = tenant.new_key

setup(function()
  sandbox = assert(require("uipath.sandbox").start({ tls = true }))
  client = uipath.connect(options())
end)
teardown(function() sandbox:stop() end)

describe("a call that meets", function()
  -- fault, kind, what the message holds (plain texts): libcurl's versions have words of their own
  local rows = {
    { "reset", "network", "(before the response)" },
    { "reset_in_headers", "network", "(in the middle of the response's headers)" },
    { "reset_in_body", "network", "(in the middle of the response's body)" },
    { "close", "network", "Empty reply from server (before the response)" },
    { "close_in_headers", "network", "the connection was closed (in the middle of the response's headers)" },
    { "truncated", "network", "(in the middle of the response's body)", "with 35 bytes " },
    { "truncated_chunked", "network", "(in the middle of the response's body)" },
    { "bad_length", "network", "Content-Length" },
    { "bad_chunk", "network", "chunk" },
    { "not_http", "network", "HTTP/0.9" },
    { "gzip_broken", "network", "encoding" },
    { "invalid_json", "decode", "line 2" },
    { "cut_json", "decode", "unexpected end" },
    { "invalid_utf8", "decode", "UTF-8" },
    { "deep/2000", "decode", "deep" },
    { "html", "decode", "HTML" },
    { "html_as_json", "decode", "line 1" },
    { "endless_headers", "too_large", "the response's headers do not end" },
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
      local began = tenant.now()
      local value, err = client:get("fault/" .. row[1])
      local seconds = tenant.now() - began
      assert.is_nil(value)
      assert.equal(row[2], err.kind)
      assert.is_string(err.message)
      for i = 3, #row do assert.is_truthy(err.message:find(row[i], 1, true), err.message) end
      if row[1]:find "html" then assert.matches("sign%-in", err.hint) end
      assert.matches("^spec/faults_spec.lua:%d+: GET …/fault/", tostring(err))
      assert.is_true(seconds < GUARD, seconds)
      if row[2] == "network" or row[2] == "too_large" then assert.same({}, { err.status, err.body, err.headers }) end
    end)
  end

  it("short_length gives decode; what it leaves on its connection is nobody's answer", function()
    local output = tenant.run(options { max_attempts = 3 }, [[
      for i = 1, 20 do
        local _, err = client:get "fault/short_length"
        assert(err.kind == "decode" and err.message:find "unexpected end", err)
        assert(#assert(client:get "fault/ok").value == 2)
      end
    ]])
    assert.equal("", output)
  end)

  for _, name in ipairs { "endless", "gzip_bomb" } do
    it(name .. " ends at max_response_bytes, and takes no more memory than that", function()
      local output, status = tenant.host(options { max_response_bytes = 1000000 }, ([[
        assert(client:get "fault/ok")
        local before = host.memory()
        local _, err = client:get "fault/%s"
        print(err.kind, err.message, err.hint ~= nil, err.body)
        assert(host.memory() < before + 8000 * %d, host.memory() - before)
      ]]):format(name, tenant.SLOWER))
      assert.equal("too_large\tthe response is larger than max_response_bytes\ttrue\tnil\n", output)
      assert.equal(0, status)
    end)
  end

  it("a body of exactly max_response_bytes", function()
    local exact = uipath.connect(options { max_response_bytes = 5000 })
    assert.equal(5000, #assert(exact:get "fault/bytes/5000"))
    assert.equal("too_large", select(2, exact:get "fault/bytes/5001").kind)
  end)

  it("a connection that is refused", function()
    local _, err = uipath.connect(options { base_url = "http://127.0.0.1:1" }):get "odata/X"
    assert.equal("network", err.kind)
    assert.is_string(err.hint)
  end)

  it("a host that does not exist, at the first attempt", function()
    local _, err = uipath.connect(options { base_url = "https://no-such-host.invalid", max_attempts = 4 }):get "odata/X"
    assert.equal("network", err.kind)
    assert.matches("host", err.hint)
    assert.equal(1, err.attempts)
    assert.is_false(err.retryable)
  end)

  it("certificates that must not be trusted, without a second try", function()
    for _, case in ipairs {
      { sandbox.wrong_host_url, sandbox.ca_file, "names another host" }, { sandbox.expired_url, sandbox.ca_file, "out of date" },
      { sandbox.base_url, nil, "unknown authority" },
    } do
      local _, err = uipath.connect(options { base_url = case[1], ca_file = case[2], max_attempts = 4 }):get "odata/X"
      assert.equal("network", err.kind)
      assert.matches("certificate", err.hint)
      assert.is_truthy(err.hint:find(case[3], 1, true), err.hint)
      assert.equal(1, err.attempts)
      assert.is_false(err.retryable)
    end
  end)

  it("what answers, but does not speak TLS", function()
    local _, err = uipath.connect(options { base_url = sandbox.fault_url:gsub("^http:", "https:"), max_attempts = 4 }):get "odata/X"
    assert.equal("network", err.kind)
    assert.matches("does not speak TLS", err.hint)
    assert.equal(1, err.attempts)
    assert.is_false(err.retryable)
  end)

  it("certificates that it is told to take, in silence", function()
    for _, url in ipairs { sandbox.wrong_host_url, sandbox.expired_url, sandbox.base_url } do
      local _, err = uipath.connect(options { base_url = url, insecure = true }):get "odata/X"
      assert.is_not_nil(err.status)
    end
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
        if row[2] == "invalid_scope" then assert.is_truthy(err.hint:find("asked for " .. sandbox.options.scope:sub(1, 300), 1, true)) end
        local url = sandbox.fault_url .. "/token/" .. row[1] .. "/connect/token"
        assert.equal(url, err.token_url)
        assert.is_truthy(tostring(err):find("/fault/ok: fetching a token from " .. url .. ": ", 1, true), tostring(err))
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
      assert.is_true(math.abs(token.expires_at - os.time() - seconds) <= 20)
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

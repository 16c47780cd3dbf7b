-- The sandbox's fault port: how it misbehaves on demand. By curl, so that nothing here depends on the client that it is there to test.

local cjson = require "cjson"
local curl = require("spec.support.curl").curl
local shell = require("spec.support.tenant").shell
local uipath_sandbox = require "uipath.sandbox"

describe("the fault port", function()
  local sandbox

  setup(function() sandbox = assert(uipath_sandbox.start()) end)
  teardown(function() sandbox:stop() end)

  local function fault(path, ...)
    return curl(sandbox.fault_url .. "/acme/DefaultTenant/orchestrator_/fault/" .. path, ...)
  end

  -- How curl ends on each: 8 malformed reply, 18 partial body, 52 nothing came, 56 broken
  -- connection, 61 bad encoding, 28 the time is over.
  for path, exit in pairs {
    ok = 0, reset = 56, reset_in_headers = 56, reset_in_body = 56, close = 52, truncated = 18,
    truncated_chunked = 18, stale = 0, bad_length = 8, bad_chunk = 56, not_http = 1,
    informational = 0, short_length = 0, endless_headers = 56,
  } do
    it("ends " .. path .. " as it should", function()
      assert.equal(exit, fault(path).exit)
    end)
  end

  for path, body in pairs {
    stall = 0, stall_in_headers = 0, stall_in_body = 20, long_length = 55,
  } do
    it("goes no further in " .. path, function()
      -- A machine that is slow has not received it all when a short time is over.
      local reply
      for _, seconds in ipairs { "0.2", "1", "5" } do
        reply = fault(path, "--max-time", seconds)
        if #reply.body >= body then break end
      end
      assert.same({ 28, body }, { reply.exit, #reply.body })
    end)
  end

  for path, least in pairs { endless = 1000000, gzip_bomb = 10000 } do
    it("sends and sends in " .. path, function()
      local reply
      for _, seconds in ipairs { "0.3", "1", "5" } do
        reply = fault(path, "--max-time", seconds, "-H", "Accept-Encoding: gzip")
        assert.equal(28, reply.exit)
        if #reply.body > least then break end
      end
      assert.is_true(#reply.body > least, #reply.body)
    end)
  end

  it("answers broken gzip", function()
    assert.equal(61, fault("gzip_broken", "--compressed").exit)
  end)

  for path, status in pairs {
    no_content = 204, empty = 200, html = 200, invalid_json = 200, invalid_utf8 = 200,
    ["scalar/17"] = 200, ["deep/10"] = 200, integers = 200, ["status/503/7"] = 503,
    ["gateway/502"] = 502, ["error/orchestrator"] = 400, ["error/bulk"] = 200,
    ["error/storage"] = 403, ["error/unauthenticated"] = 401, ["redirect/302/other"] = 302,
    nothing_like_that = 404, ["paging/relative"] = 200, ["paging/dies/1"] = 500,
    ["paging/short/1"] = 200,
  } do
    it("answers " .. path .. " with status " .. status, function()
      assert.equal(status, fault(path).status)
    end)
  end

  it("says when to come back in both forms", function()
    assert.is_truthy(fault("status/429/7").head:find("Retry%-After: 7\r"))
    assert.is_truthy(fault("status/429/date:7").head:find("Retry%-After: %a%a%a, .- GMT\r"))
    assert.is_nil(fault("status/429").head:find("Retry%-After"))
  end)

  it("fails the first requests with a key, then succeeds", function()
    assert.equal(56, fault("first/2/k1/reset").exit)
    assert.equal(503, fault("first/2/k1/status/503").status)
    assert.equal('{"attempt":3}', fault("first/2/k1/reset").body)
    assert.equal(56, fault("first/1/k2/reset").exit)
  end)

  it("refuses the first token that it sees, and no other", function()
    assert.equal(401, fault("refused_token/k", "-H", "Authorization: Bearer one").status)
    assert.equal(200, fault("refused_token/k", "-H", "Authorization: Bearer two").status)
    assert.equal(401, fault("refused_token/k", "-H", "Authorization: Bearer one").status)
  end)

  it("tells of its limits and keeps them", function()
    local first, second = fault("quota/1/60/k"), fault("quota/1/60/k")
    assert.same({ 200, 429 }, { first.status, second.status })
    assert.is_truthy(first.head:find("RateLimit%-Remaining: 0\r"))
    assert.is_truthy(second.head:find("Retry%-After: %d+\r"))
  end)

  it("closes a connection that is used again, and counts both requests", function()
    curl(sandbox.fault_url .. "/control/reset", "-X", "POST")
    local url = sandbox.fault_url .. "/x/fault/close_reused"
    -- curl itself tries once more on a new connection.
    shell("curl -s -o /dev/null -o /dev/null " .. url .. " " .. url)
    local counters = cjson.decode(curl(sandbox.fault_url .. "/control/counters").body)
    assert.same({ 3, 2 }, { counters.data_requests, counters.connections })
  end)

  it("misbehaves as a token endpoint", function()
    local function ask(name)
      return curl(sandbox.fault_url .. "/token/" .. name .. "/connect/token",
        "-d", "grant_type=client_credentials", "-d", "client_id=" .. sandbox.options.client_id,
        "-d", "client_secret=" .. sandbox.options.client_secret)
    end
    for name, expected in pairs {
      ok = '"expires_in":3600,', quoted = '"expires_in":"3600",', zero = '"expires_in":0,',
      huge = '"expires_in":1e300,', ["expires/1.5"] = '"expires_in":1.5,',
      unknown = '"access_token":"eyJhbGciOiJub25lIn0.e30.unknown"', html = "<html>",
      not_json = "access_token=abc", wrong_url = '"error":{"code"',
      ["refuse/invalid_scope"] = '{"error":"invalid_scope"}',
    } do
      assert.is_truthy(ask(name).body:find(expected, 1, true), name)
    end
    assert.is_nil(ask("absent").body:find("expires_in", 1, true))
    assert.same({ 405, 429, 56 }, { ask("wrong_url").status, ask("status/429/1").status,
      ask("reset").exit })
    assert.equal(500, ask("first/1/k/status/500").status)
    assert.equal(200, ask("first/1/k/status/500").status)
  end)

  it("serves the tenant on the side, where its tokens are valid, too", function()
    local reply = curl(sandbox.fault_url .. "/acme/DefaultTenant/orchestrator_/odata/Machines")
    assert.equal(401, reply.status)
  end)
end)

-- How many connections the calls under way share over HTTP/2.

local assert = require "luassert"
local tenant = require "spec.support.tenant"
local uipath = require "uipath"

local ROW = "odata/Machines?$top=1&$skip=%d"

local sandbox

before_each(function() sandbox = assert(require("uipath.sandbox").start { tls = true }) end)
after_each(function() sandbox:stop() end)

local function counters()
  return tenant.control(sandbox, "GET counters")
end

local function start(client, count)
  local calls = {}
  for i = 1, count do calls[i] = client:start("GET", ROW:format(i - 1), { timeout = 280 }) end
  return calls
end

describe("a thousand calls under way over HTTP/2", function()
  for _, case in ipairs {
    { "with a token that is fetched", false },
    { "with a token that is given, so that nothing is known of the server at first", true },
  } do
    it("take few connections, " .. case[1], function()
      local options = tenant.options(sandbox, { timeout = 280 })
      if case[2] then
        local token = uipath.connect(tenant.options(sandbox)):access_token()
        options = tenant.options(sandbox, {
          client_id = false, client_secret = false, scope = false, access_token = token,
        })
      end
      tenant.control(sandbox, "POST reset")
      tenant.control(sandbox, "POST settings", { latency = 0.05 })
      local calls = start(uipath.connect(options), 1000)
      local ids = {}
      for _, call in ipairs(calls) do
        local page, response = assert(call:wait())
        assert.equal("2", response.http_version)
        ids[#ids + 1] = page.value[1] and page.value[1].Id or "none"
      end
      assert.equal(1000, #ids)
      local seen = counters()
      assert.equal(1000, seen.data_requests)
      assert.is_true(seen.connections <= 4, seen.connections)
      assert.is_true(seen.max_in_flight <= 256, seen.max_in_flight)
    end)
  end

  it("wait for no connection while a stream is free", function()
    local client = uipath.connect(tenant.options(sandbox, { timeout = 280 }))
    assert(client:get(ROW:format(0)))
    -- None of them is answered: what the server has is what needed nobody's end to be sent.
    tenant.control(sandbox, "POST settings", { latency = 600 })
    local calls = start(client, 1000)
    tenant.eventually(function() return counters().in_flight == 256 end, 60)
    assert.is_true(counters().connections <= 4)
    -- Those of another service share the connections, and have streams of their own.
    for i = 1, 100 do
      calls[#calls + 1] = client:start("GET", "testmanager_/api/v2/projects?i=" .. i)
    end
    tenant.eventually(function() return counters().in_flight == 356 end, 60)
    assert.is_true(counters().connections <= 4)
    for _, call in ipairs(calls) do call:cancel() end
  end)
end)

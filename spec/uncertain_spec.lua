-- err.uncertain: whether what a failed call asked for may have been done all the same.

local tenant = require "spec.support.tenant"
local uipath = require "uipath"

describe("err.uncertain", function()
  local sandbox, client

  setup(function()
    sandbox = assert(require("uipath.sandbox").start())
    client = uipath.connect(tenant.fault_options(sandbox))
  end)
  teardown(function() sandbox:stop() end)

  -- fault, whether a method that changes things may have acted
  for fault, expected in pairs {
    reset = true, reset_in_body = true, close = true, truncated = true, bad_chunk = true, gzip_broken = true, endless_headers = true,
    ["status/500"] = true, ["status/408"] = true, ["gateway/502"] = true, ["status/503"] = true,
    ["status/400"] = false, ["status/403"] = false, ["status/404"] = false, ["status/409"] = false, ["status/429"] = false,
    ["redirect/302/other"] = false,
  } do
    it(("is %s after %s"):format(tostring(expected), fault), function()
      for _, method in ipairs { "POST", "PATCH", "PUT", "DELETE" } do
        local value, err
        -- A kept connection that a fault before this one has ended may break under a request that has nothing to do with it.
        for _ = 1, 5 do
          value, err = client:request(method, "odata/fault/" .. fault .. "/" .. tenant.new_key())
          if expected or err.kind ~= "network" then break end
        end
        assert.is_nil(value)
        assert.equal(expected or nil, err.uncertain, method .. ": " .. tostring(err))
      end
      local _, err = client:get("odata/fault/" .. fault .. "/" .. tenant.new_key())
      assert.is_nil(err.uncertain)
    end)
  end

  it("is true after a deadline, if the request had been sent", function()
    local _, err = client:post("odata/fault/stall", {}, { timeout = 0.3 * tenant.SLOWER })
    assert.equal("timeout", err.kind)
    assert.is_true(err.uncertain)
    _, err = client:get("odata/fault/stall", { timeout = 0.3 * tenant.SLOWER })
    assert.is_nil(err.uncertain)
  end)

  it("is nil where nothing was sent", function()
    local nowhere = uipath.connect(tenant.fault_options(sandbox, { base_url = "http://127.0.0.1:1" }))
    local _, err = nowhere:post("odata/Anything", {})
    assert.equal("network", err.kind)
    assert.is_nil(err.uncertain)
    local no_token = uipath.connect(tenant.token_options(sandbox, "reset"))
    _, err = no_token:post("odata/Anything", {})
    assert.is_nil(err.uncertain)
    _, err = client:post("https://elsewhere.example/x", {})
    assert.equal("usage", err.kind)
    assert.is_nil(err.uncertain)
  end)

  it("lets a recipe look what came of a request whose answer was lost on a real connection", function()
    -- The sandbox does what it was asked for, and the client's time is over before it says so.
    local real = uipath.connect(tenant.options(sandbox)):folder "Shared"
    assert(real:get "odata/Releases")
    tenant.control(sandbox, "POST settings", { latency = 0.4 * tenant.SLOWER })
    local call = real:start("POST", "odata/Queues/UiPathODataSvc.AddQueueItem", {
      body = { itemData = { Name = "Payments", Reference = "late", SpecificContent = { A = 1 } } }, timeout = 0.2 * tenant.SLOWER,
    })
    local _, err = call:wait()
    tenant.control(sandbox, "POST reset")
    assert.equal("timeout", err.kind)
    assert.is_true(err.uncertain)
    tenant.eventually(function() return real:count("odata/QueueItems", { filter = "Reference eq 'late'" }) == 1 end)
  end)
end)

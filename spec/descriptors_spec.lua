-- A process that has no descriptor to spare: what fails is still told as what it is.

local assert = require "luassert"
local tenant = require "spec.support.tenant"

local sandbox
setup(function() sandbox = assert(require("uipath.sandbox").start()) end)
teardown(function() sandbox:stop() end)

-- Runs a program that may have few descriptors, and takes all of them with exhaust().
local function run(program)
  return tenant.shell("ulimit -n 64; " .. tenant.command(tenant.fault_options(sandbox), [[
    local taken = {}
    function exhaust() repeat local file = io.open "/dev/null" taken[#taken + 1] = file until not file end
    function give_back() for _, file in ipairs(taken) do file:close() end taken = {} end
    assert(client:get "fault/ok") -- there is a connection, which serves on
  ]] .. program))
end

describe("without a descriptor to spare", function()
  for code, kind in pairs {
    ["client:get 'fault/status/404'"] = "not_found", ["client:get 'fault/status/403'"] = "forbidden",
    ["client:get 'fault/status/409'"] = "conflict", ["client:get 'fault/error/orchestrator'"] = "request",
    ["client:post('fault/error/bulk', {})"] = "failed", ["client:get 'fault/invalid_json'"] = "decode",
    ["client:get 'fault/html'"] = "decode", ["client:get 'http://h.example/'"] = "usage",
    ["uipath.json.decode '['"] = "decode", ["client:start('GET', 'fault/stall'):wait(0)"] = "timeout",
    ["client:get('fault/stall', { timeout = 0.1 })"] = "timeout", ["client:collect 'fault/ok'"] = "file",
    ["uipath.map({ 1 }, print)"] = "file",
  } do
    it(("%s is an error of kind %s, by its position"):format(code, kind), function()
      local output = run(([[
        exhaust()
        local value, err = %s
        print(value, err.kind, tostring(err):find(err.where, 1, true), err.where)
      ]]):format(code))
      assert.matches(("^nil\t%s\t1\t%%(command line%%):%%d+\n$"):format(kind), output)
    end)
  end

  it("another server is an error of the network", function()
    local output = run [[
      exhaust()
      local other = client:with { base_url = "http://127.0.0.1:1", max_attempts = 1 }
      local value, err = other:get "odata/X"
      print(value, err.kind)
    ]]
    assert.equal("nil\tnetwork\n", output)
  end)

  it("errors say less, and afterwards say all again", function()
    local output = run [[
      exhaust()
      local _, err = client:get "fault/error/orchestrator"
      print(err.message, err.body)
      give_back()
      _, err = client:get "fault/error/orchestrator"
      print(err.code, err.body.errorCode)
      local ok, raised = pcall(function() for _ in client:each "fault/status/404" do end end)
      print(ok, raised.where)
    ]]
    assert.matches("^status 400\tnil\n1100\t1100\nfalse\t%(command line%):%d+\n$", output)
  end)
end)

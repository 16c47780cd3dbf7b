-- Recipes inside nginx: they wait without holding up the worker.

local nginx = require "spec.support.nginx"
local tenant = require "spec.support.tenant"

describe("recipes in nginx", function()
  local sandbox, server

  setup(function()
    sandbox = assert(require("uipath.sandbox").start())
    local options = {}
    for name, value in pairs(sandbox.options) do options[#options + 1] = ("%s = %q"):format(name, value) end
    server = nginx.start {
      http = ([[init_by_lua_block {
        uipath = require "uipath"
        client = uipath.connect { folder = "Shared", %s }
      }]]):format(table.concat(options, ", ")),
      server = [[
        location /run { content_by_lua_block {
          local output, err = client.jobs:run("Payroll Check", { Seconds = 0.5 })
          ngx.say(output and output.Result or tostring(err))
        } }
        location /files { content_by_lua_block {
          local name = "nginx/" .. ngx.var.arg_name
          assert(client.buckets:upload("Invoices", name, name))
          ngx.say(client.buckets:read("Invoices", name))
        } }
        location /many { content_by_lua_block {
          local rows = {}
          for i = 1, 50 do rows[i] = { Number = i } end
          ngx.say((client.queues:add_many("Invoices", rows, { chunk = 10 })))
        } }
        location /tests { content_by_lua_block {
          local path = os.tmpname()
          local run, err = client.tests:run(ngx.var.arg_set, { poll = 0.1, junit = path })
          os.remove(path)
          ngx.say(run and tostring(run.passed) .. " " .. run.counts.failed .. " " .. #(run.cases[3].assertions or {}) or tostring(err))
        } }
        location /sleep { content_by_lua_block { ngx.say(tostring(uipath.sleep(0.5))) } }
        location /folder { content_by_lua_block { ngx.say(tostring(select(2, client.jobs:start("Payrol Check")))) } }
      ]],
    }
  end)
  teardown(function()
    server:stop()
    sandbox:stop()
  end)

  it("let the worker serve others meanwhile", function()
    local statuses
    local seconds = tenant.in_time(10, function()
      return tenant.timed(function() statuses = server:get_many("/run", 20) end)
    end)
    assert.same({ [200] = 20 }, statuses)
    assert.is_true(seconds < 10)
    seconds = tenant.in_time(5, function()
      return tenant.timed(function() statuses = server:get_many("/sleep", 20) end)
    end)
    assert.same({ [200] = 20 }, statuses)
    assert.is_true(seconds < 5) -- one after the other: 10 s
  end)

  it("give what they give elsewhere", function()
    local _, body = server:get "/run"
    assert.equal("done\n", body)
    _, body = server:get "/files?name=one"
    assert.equal("nginx/one\n", body)
    _, body = server:get "/many"
    assert.equal("50\n", body)
    _, body = server:get "/tests?set=DEMO:42"
    assert.equal("true 0 0\n", body)
    _, body = server:get "/tests?set=DEMO:43"
    assert.equal("false 3 1\n", body)
    _, body = server:get "/folder"
    assert.is_truthy(body:find("there is no process 'Payrol Check' in the folder Shared (did you mean 'Payroll Check'?)", 1, true), body)
  end)

  it("leave nothing in the error log", function()
    local log = server:log()
    for _, level in ipairs { "error", "crit", "alert", "emerg" } do
      assert.is_nil(log:find("[" .. level .. "]", 1, true), log)
    end
  end)
end)

-- What a Lua state without memory comes to, whenever it ends: an error that says so. That nothing is lost by it is for `make test-asan`.

local assert = require "luassert"
local tenant = require "spec.support.tenant"

local sandbox

setup(function() sandbox = assert(require("uipath.sandbox").start()) end)
teardown(function() sandbox:stop() end)

describe("without memory", function()
  -- What comes before, and what memory ends in.
  local rows = {
    { "a client", "", "uipath.connect(options)" },
    { "a client with functions", "options.on_event = print", "uipath.connect(options)" },
    { "a client of a client", "", "client:with { folder = 'Shared', timeout = 5 }" },
    { "a request", "",
      "client:get('fault/ok', { top = 5, filter = { 'a eq ?', 'x' }, query = { a = { 1, 2 } }, headers = { A = 'b' }, folder = 'ü' })" },
    { "rows", "", "client:get 'fault/rows/50'" },
    { "an error", "", "client:get 'fault/error/orchestrator'" },
    { "a page instead of JSON", "", "client:get 'fault/html'" },
    { "JSON that is none", "", "client:get 'fault/invalid_json'" },
    { "a broken connection", "", "client:get 'fault/reset'" },
    { "a failure that a 2xx tells of", "", "client:post('fault/error/bulk', {})" },
    { "a usage error", "", "client:get 'https://example.com/'" },
    { "a body", "", "client:post('fault/echo', { a = { 1, 2, { b = 'x' } } })" },
    { "a multipart body", "",
      "uipath.multipart { { name = 'a', value = 'b' }, { name = 'c', value = uipath.file('x', { filename = 'y' }) } }" },
    { "a call with a multipart body", "local body = uipath.multipart { a = 'b', c = 'd' }", "client:post('fault/echo', body)" },
    { "a call with a file", "local body = uipath.file '/missing'", "client:post('fault/echo', body)" },
    { "a call that is started", "", "local call = client:start('GET', 'fault/ok') call:fd() call:wait() call:wait() tostring(call)" },
    { "a call that is cancelled", "", "local call = client:start('GET', 'fault/stall') call:wait(0) call:cancel() call:wait()" },
    { "a call with functions", "client = client:with { on_event = function() end, access_token = function() return 'x' end }",
      "client:get 'fault/ok'" },
    { "a started call with functions", "client = client:with { on_event = function() end }",
      "local call = client:start('GET', 'fault/ok') call:done() call:wait()" },
    { "a download", "client:download('fault/ok', '/dev/null')", "client:download('fault/bytes/5000', '/dev/null')" },
    { "a download of JSON", "client:download('fault/ok', '/dev/null')", "client:download('fault/ok', '/dev/null', { timeout = 5 })" },
    { "an upload", "client:download('fault/ok', '/dev/null')",
      "client:upload('fault/echo', 'x', { method = 'PUT', on_progress = function() end })" },
    { "a token", "", "client:token()" },
    { "uipath.check", "", "uipath.check(client:get 'fault/error/orchestrator')", "Folder does not exist" },
  }
  for _, row in ipairs(rows) do
    it("it ends well: " .. row[1], function()
      -- LuaJIT's own compiled code does not survive it.
      local output, status = tenant.host(tenant.fault_options(sandbox), ([[
        if jit then jit.off() end
        local options = { organization = "a", access_token = "x" }
        %s
        local function use() %s end
        pcall(use)
        local count, unscathed = 0, 0
        repeat
          local starved, ok, err = host.starve(use, count)
          count = count + 1
          if not starved then unscathed = unscathed + 1 end
          if not ok and not tostring(err):find "not enough memory" and not tostring(err):find(%q) then error(err, 0) end
        until unscathed == 3
        print(count > 5)
      ]]):format(row[2], row[3], row[4] or "nothing"))
      assert.equal("true\n", output)
      assert.equal(0, status)
    end)
  end
end)

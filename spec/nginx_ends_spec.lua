-- Requests of nginx that end while the module works for them: nothing stays behind, nothing stays shut.

local assert = require "luassert"
local nginx = require "spec.support.nginx"
local tenant = require "spec.support.tenant"

assert(os.execute("env -u LUA_PATH -u LUA_CPATH make -s LUA=luajit SANITIZE= module"), "the build for LuaJIT failed")

describe("a request of nginx that ends early", function()
  local sandbox, server

  setup(function() sandbox = assert(require("uipath.sandbox").start()) end)
  teardown(function() sandbox:stop() end)
  after_each(function()
    server:stop()
    tenant.control(sandbox, "POST reset")
  end)

  -- Global functions for the handlers: connect(changes), and the client that it made first.
  local SETUP = [[
    lua_shared_dict tokens 1m;
    lua_check_client_abort on;
    init_by_lua_block {
      uipath = require "uipath"
      function connect(changes)
        local options = { %s }
        for name, value in pairs(changes or {}) do options[name] = value end
        return uipath.connect(options)
      end
      %s
    }
  ]]

  local function start(init, locations, base_url)
    local parts = {}
    for name, value in pairs(sandbox.options) do parts[#parts + 1] = ("%s = %q"):format(name, value) end
    parts[#parts + 1] = ("base_url = %q"):format(base_url or sandbox.fault_url)
    server = nginx.start { http = SETUP:format(table.concat(parts, ", "), init), server = locations }
  end

  -- Asks and hangs up when so many seconds are over.
  local function hang_up(path, seconds)
    assert.equal("", nginx.output_of(("curl -s -m %g %s%s"):format(seconds, server.url, path)))
  end

  it("is freed with all that it waited for side by side", function()
    start("client = connect()", [[
      location /ended { content_by_lua_block {
        ngx.thread.spawn(function() ngx.sleep(0.005) ngx.exit(204) end)
        uipath.map({ 1, 2, 3, 4, 5, 6, 7, 8 }, function() return client:get "odata/fault/stall" end)
      } }
      location /heap { content_by_lua_block {
        for _ = 1, 4 do collectgarbage() end
        ngx.print(math.floor(collectgarbage "count"))
      } }
    ]])
    local function heap_after(requests)
      assert.same({ [204] = requests }, server:get_many("/ended", requests))
      -- Who waits no more is found within a quarter of a second, and then the calls are cancelled.
      tenant.eventually(function() return tenant.control(sandbox, "GET counters").in_flight == 0 end)
      return tonumber((select(2, server:get "/heap")))
    end
    local before = heap_after(100)
    local after = heap_after(300)
    -- In KB; each request had 20 of them.
    assert.is_true(after < before + 1000, before .. " KB became " .. after)
  end)

  it("leaves a token function to those that follow, whose coroutines were its own", function()
    start([[
      client = connect {
        client_id = false, client_secret = false, scope = false,
        access_token = function() ngx.sleep(0.2) return "token", 1 end,
      }
    ]], [[
      location /get { content_by_lua_block {
        local value, err = client:get "odata/fault/echo"
        ngx.print(value and "got" or tostring(err))
      } }
    ]])
    for _ = 1, 5 do hang_up("/get", 0.1) end
    for _ = 1, 5 do assert.same({ 200, "got" }, { server:get "/get" }) end
    assert.is_nil(server:log():find "%[error%]")
  end)

  it("leaves no lock that keeps other workers from a token", function()
    tenant.control(sandbox, "POST settings", { latency = 1 })
    start([[client = connect { token_store = uipath.store.shared_dict "tokens" }]], [[
      location /get { content_by_lua_block {
        local value, err = client:get("odata/Machines", { top = 1 })
        ngx.print(value and #value.value or tostring(err))
      } }
    ]], sandbox.http_url)
    hang_up("/get", 0.5)
    -- The new worker knows nothing but what the dictionary has.
    server:reload()
    local seconds, status, body = tenant.timed(server.get, server, "/get")
    assert.same({ 200, "1" }, { status, body })
    -- A guard: the lock alone would have lasted for 30 s.
    assert.is_true(seconds < 20, seconds)
  end)
end)

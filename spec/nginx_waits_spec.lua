-- Inside nginx: by which connections calls are waited for. Many waits share one, the subscription;
-- few have one each, as have those that the subscription cannot serve.

local assert = require "luassert"
local nginx = require "spec.support.nginx"
local tenant = require "spec.support.nginx_tenant"

describe("in nginx, waits", function()
  setup(tenant.setup)
  teardown(tenant.teardown)
  before_each(tenant.before_each)
  after_each(tenant.after_each)

  local counters, eventually, expect_clean = tenant.counters, tenant.eventually, tenant.expect_clean

  -- A request of /hold has so many calls, which never end: so many are enough for a subscription,
  -- by which so many more are waited for.
  local FIRST, MORE = 4, 4
  local HELD = FIRST + MORE

  -- Counts what is asked for on the engine's socket, and lets the subscription's connection fail.
  local COUNTED = [[
    asked = { subscriptions = 0, ended = 0, questions = 0 }
    local tcp = ngx.socket.tcp
    ngx.socket.tcp = function()
      local socket = tcp()
      local send, receive, close = socket.send, socket.receive, socket.close
      local subscribes, is_subscribed
      function socket:send(data)
        subscribes = data == "subscribe\n"
        if not subscribes then asked.questions = asked.questions + 1 end
        return send(self, data)
      end
      function socket:receive(...)
        local line, problem = receive(self, ...)
        if is_subscribed and fail then return fail() end
        if subscribes and not is_subscribed then
          is_subscribed = true
          asked.subscriptions = asked.subscriptions + 1
        end
        return line, problem
      end
      function socket:close()
        if is_subscribed then asked.ended = asked.ended + 1 end
        return close(self)
      end
      return socket
    end
    client = connect() -- loads uipath.nginx
    function get_slow(seconds) return client:get("odata/fault/slow/" .. seconds) end
  ]]

  -- Has /other run in a phase that the subscription cannot serve.
  local OTHER_PHASE = [[
    local get_phase = ngx.get_phase
    ngx.get_phase = function()
      local phase = get_phase()
      return phase == "content" and ngx.var.uri == "/other" and "precontent" or phase
    end
  ]]

  local LOCATIONS = tenant.SLOW .. ([[
    lua_check_client_abort on;
    location /asked { content_by_lua_block { ngx.print(asked[ngx.var.arg_what]) } }
    location /hold {
      content_by_lua_block {
        local held = {}
        for number = 1, %d do held[number] = number end
        uipath.map(held, function(number)
          while number > %d and asked.subscriptions == 0 do ngx.sleep(0.01) end
          return client:get "odata/fault/stall"
        end, { concurrency = #held })
      }
    }
    location /burst {
      content_by_lua_block {
        local seconds = {}
        for number = 1, 8 do seconds[number] = ngx.var.arg_seconds end
        local results = uipath.map(seconds, get_slow, { concurrency = 8 })
        ngx.print(#results, " ", asked and asked.subscriptions)
      }
    }
  ]]):format(HELD, FIRST)

  local function start(locations, options)
    options = options or {}
    options.init = options.init or COUNTED
    return tenant.start(LOCATIONS .. (locations or ""), options)
  end

  local function asked(server, what)
    local status, body = server:get("/asked?what=" .. what)
    assert.equal(200, status)
    return tonumber(body)
  end

  -- Has calls wait that never end, so that there is a subscription from now on.
  local function hold(server)
    os.execute(("curl -s '%s/hold' >/dev/null 2>&1 &"):format(server.url))
    assert.is_true(eventually(function() return asked(server, "subscriptions") == 1 end))
    assert.is_true(eventually(function() return counters().in_flight >= HELD end))
  end

  -- A server with a subscription, and how many questions there were for that.
  local function start_held(locations, options)
    local server = start(locations, options)
    hold(server)
    return server, asked(server, "questions")
  end

  local function await_end(server)
    assert.is_true(eventually(function() return #server:workers() == 0 end), server:log())
    server:await_end()
  end

  describe("that come one by one", function()
    it("have a connection each", function()
      local server = start()
      for _ = 1, 6 do assert.equal(200, (server:get "/slow?seconds=0.1")) end
      assert.same({ 0, 6 }, { asked(server, "subscriptions"), asked(server, "questions") })
      expect_clean(server)
    end)
  end)

  describe("that are many", function()
    it("share one connection, which ends when they have", function()
      local server, questions = start_held()
      assert.same({ [200] = 50 }, server:get_many("/slow", 50))
      assert.same({ 1, 0 }, { asked(server, "subscriptions"), asked(server, "ended") })
      assert.equal(questions, asked(server, "questions"))
      server:stop()
      server = start()
      assert.same({ 200, "8 1" }, { server:get "/burst?seconds=0.5" })
      assert.is_true(eventually(function() return asked(server, "ended") == 1 end))
      expect_clean(server)
    end)

    it("end in time, with tokens, events, and when what was waited for is over already", function()
      local server, questions = start_held([[
        location /short {
          content_by_lua_block {
            local call = client:start("GET", "odata/fault/slow/0.5")
            local value, err = call:wait(0.05)
            ngx.print(value == nil and err.kind, " ")
            ngx.sleep(1)
            say(call:wait())
          }
        }
        location /functions {
          content_by_lua_block {
            say(functions:get "odata/Machines?$top=1")
            ngx.say(table.concat(events, " "))
          }
        }
      ]], { init = COUNTED .. [[
        events = {}
        functions = connect {
          client_id = false, client_secret = false, scope = false,
          access_token = function() ngx.sleep(0.01) return client:access_token() end,
          on_event = function(event) ngx.sleep(0.001) events[#events + 1] = event.type end,
        }
      ]] })
      assert.same({ 200, "timeout 2\n" }, { server:get "/short" })
      assert.same({ 200, "1\nattempt\n" }, { server:get "/functions" })
      assert.equal(questions, asked(server, "questions"))
      expect_clean(server)
    end)

    it("may be for one call", function()
      local server, questions = start_held [[
        location / {
          content_by_lua_block {
            local call = client:start("GET", "odata/fault/slow/0.5")
            local function wait() return call:wait() end
            local one, two = ngx.thread.spawn(wait), ngx.thread.spawn(wait)
            local three = ngx.thread.spawn(wait)
            ngx.thread.kill(one)
            local _, second = ngx.thread.wait(two)
            local _, third = ngx.thread.wait(three)
            ngx.print(#second.value, " ", #third.value)
          }
        }
      ]]
      assert.same({ 200, "2 2" }, { server:get "/" })
      assert.equal(questions, asked(server, "questions"))
      expect_clean(server)
    end)

    it("share one connection in each Lua state, where every request has its own", function()
      local server = start("lua_code_cache off;", { init = [[
        client = connect()
        function get_slow(seconds) return client:get("odata/fault/slow/" .. seconds) end
      ]] })
      for _ = 1, 5 do assert.same({ 200, "8 nil" }, { server:get "/burst?seconds=0.3" }) end
      expect_clean(server)
    end)
  end)

  describe("that nobody has any more", function()
    it("end with the client that hangs up", function()
      local server = start_held [[
        location /one { content_by_lua_block { client:get "odata/fault/stall" } }
      ]]
      local command = "curl -s -m 0.4 -Z --parallel-immediate --parallel-max 40 '%s/one?[1-40]'"
      nginx.output_of(command:format(server.url) .. " 2>/dev/null")
      assert.equal(HELD + 40, counters().max_in_flight)
      assert.is_true(eventually(function() return counters().in_flight == HELD end))
    end)

    it("end with the client that hangs up after another wait was over in time", function()
      local server, questions = start_held([[
        location /begin {
          content_by_lua_block {
            call = client:start("GET", "odata/fault/stall")
            local _, err = call:wait(0.05)
            ngx.print(err.kind)
          }
        }
        location /other { content_by_lua_block { call:wait() } }
      ]], { init = OTHER_PHASE .. COUNTED })
      assert.same({ 200, "timeout" }, { server:get "/begin" })
      assert.equal(questions, asked(server, "questions"))
      assert.equal(HELD + 1, counters().in_flight)
      nginx.output_of(("curl -s -m 0.4 '%s/other' 2>/dev/null"):format(server.url))
      assert.equal(questions + 1, asked(server, "questions"))
      assert.is_true(eventually(function() return counters().in_flight == HELD end))
    end)

    it("end with their light threads", function()
      local server, questions = start_held [[
        location / { content_by_lua_block {
          local thread = ngx.thread.spawn(function() client:get "odata/fault/stall" end)
          ngx.sleep(0.2)
          ngx.thread.kill(thread)
          ngx.say "killed"
          ngx.flush(true)
          ngx.sleep(60)
        } }
      ]]
      local pipe = io.popen("curl -sN " .. server.url .. "/")
      assert.equal("killed", pipe:read "*l")
      assert.is_true(eventually(function() return counters().in_flight == HELD end))
      assert.equal(questions, asked(server, "questions"))
      server:stop()
      pipe:close()
    end)

    -- One waits by a connection of its own, since there was no subscription yet.
    for _, survivor in ipairs { "one", "other" } do
      it("leave the call to one that waits in another way: " .. survivor, function()
        local server = start [[
          location /begin {
            content_by_lua_block { call = client:start("GET", "odata/fault/slow/3") }
          }
          location /wait { content_by_lua_block { say(call:wait()) } }
        ]]
        server:get "/begin"
        local function wait(options)
          return io.popen(("curl -s %s '%s/wait'"):format(options, server.url))
        end
        local one = wait(survivor == "one" and "" or "-m 1")
        assert.is_true(eventually(function() return asked(server, "questions") == 1 end))
        hold(server)
        local other = wait(survivor == "one" and "-m 0.5" or "")
        local left = survivor == "one" and one or other
        assert.equal("2\n", left:read "*a")
        one:close()
        other:close()
      end)
    end
  end)

  describe("that no subscription can serve", function()
    it("have a connection each in phases without semaphores", function()
      local server, questions = start_held([[
        location /other { content_by_lua_block { say(client:get "odata/fault/slow/0.3") } }
      ]], { init = OTHER_PHASE .. COUNTED })
      assert.same({ [200] = 20 }, server:get_many("/other", 20))
      assert.equal(questions + 20, asked(server, "questions"))
      expect_clean(server)
    end)

    it("have a connection each where nginx has no semaphores", function()
      local server = start("", { init = [[
        package.loaded["ngx.semaphore"] = nil
        package.preload["ngx.semaphore"] = function() error "there are none" end
      ]] .. COUNTED })
      assert.same({ [200] = 20 }, server:get_many("/slow", 20))
      assert.same({ 0, 20 }, { asked(server, "subscriptions"), asked(server, "questions") })
      expect_clean(server)
    end)

    local FAILURES = { closes = [[ return nil, "closed" ]], raises = [[ error "no more" ]] }
    for what, fail in pairs(FAILURES) do
      it("go on by one each when the connection of all " .. what, function()
        local server, questions = start_held([[
          location /fail { content_by_lua_block { fail = function() ]] .. fail .. [[ end } }
          location /heal { content_by_lua_block { fail = nil } }
        ]])
        server:get "/fail"
        assert.is_true(eventually(function()
          return asked(server, "questions") == questions + MORE
        end))
        server:get "/heal"
        assert.is_true(eventually(function()
          assert.same({ [200] = 10 }, server:get_many("/slow", 10))
          return asked(server, "subscriptions") == 2
        end))
        assert.equal(HELD, counters().in_flight)
        if what == "closes" then expect_clean(server) end
      end)
    end
  end)

  describe("do not hold up a worker that is to end", function()
    it("when they are over", function()
      local server = start()
      assert.same({ 200, "8 1" }, { server:get "/burst?seconds=0.5" })
      server:signal "QUIT"
      await_end(server)
      expect_clean(server)
    end)

    it("longer than they last", function()
      local server = start()
      local pipe = io.popen(("curl -s '%s/burst?seconds=1.5'"):format(server.url))
      assert.is_true(eventually(function() return counters().in_flight == 8 end))
      server:signal "QUIT"
      assert.equal("8 1", pipe:read "*a")
      pipe:close()
      await_end(server)
      expect_clean(server)
    end)

    it("when its time is over", function()
      local server = start_held("", { main = "worker_shutdown_timeout 1s;" })
      server:signal "QUIT"
      await_end(server)
      assert.is_true(eventually(function() return counters().in_flight == 0 end))
      local log = server:log()
      assert.is_nil(log:find("[alert]", 1, true), log)
      assert.is_nil(log:find("signal", 1, true), log)
    end)
  end)
end)

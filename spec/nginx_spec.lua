-- Inside nginx: calls let the worker go on, and leave nothing behind, whatever happens to them.

local assert = require "luassert"
local nginx = require "spec.support.nginx"
local tenant = require "spec.support.nginx_tenant"

describe("in nginx", function()
  setup(tenant.setup)
  teardown(tenant.teardown)
  before_each(tenant.before_each)
  after_each(tenant.after_each)

  local control, counters, eventually = tenant.control, tenant.counters, tenant.eventually
  local start, expect_clean, SLOW = tenant.start, tenant.expect_clean, tenant.SLOW

  describe("a call", function()
    it("lets the worker serve others", function()
      local server = start(SLOW)
      assert.same({ [200] = 100 }, server:get_many("/slow", 100))
      assert.equal(100, counters().max_in_flight)
      expect_clean(server)
    end)

    it("waits in every phase that can wait", function()
      local server = start [[
        location /rewrite { rewrite_by_lua_block { say(client:get "odata/Machines?$top=1") ngx.exit(200) } }
        location /access { access_by_lua_block { say(client:get "odata/Machines?$top=2") ngx.exit(200) } }
        location /content { content_by_lua_block { say(client:get "odata/Machines?$top=3") } }
        location /timer {
          content_by_lua_block {
            local semaphore = require("ngx.semaphore").new()
            local value, err
            ngx.timer.at(0, function()
              value, err = client:get "odata/Machines?$top=4"
              semaphore:post()
            end)
            semaphore:wait(10)
            say(value, err)
          }
        }
        location /coroutine {
          content_by_lua_block {
            say(coroutine.wrap(function() return client:get "odata/Machines?$top=5" end)())
          }
        }
      ]]
      for path, rows in pairs { rewrite = "1", access = "2", content = "3", timer = "4", coroutine = "5" } do
        local status, body = server:get("/" .. path)
        assert.equal(200, status)
        assert.equal(rows .. "\n", body)
      end
      expect_clean(server)
    end)

    it("blocks elsewhere, and says so once for each phase", function()
      local server = start([[
        location /filter {
          content_by_lua_block { ngx.say "x" }
          header_filter_by_lua_block { ngx.header["X-Rows"] = #client:get("odata/Machines?$top=2").value }
        }
        location /sort {
          content_by_lua_block {
            local list = { 2, 1 }
            table.sort(list, function(a, b) client:get "odata/Machines?$top=1" return a < b end)
            ngx.say(list[1])
          }
        }
      ]], { init_worker = [[ at_start = assert(client:get "odata/Machines?$top=1") ]] })
      for _ = 1, 3 do
        local reply = nginx.output_of("curl -si " .. server.url .. "/filter")
        assert.truthy(reply:find("X-Rows: 2", 1, true), reply)
      end
      for _ = 1, 2 do
        local _, body = server:get "/sort"
        assert.equal("1\n", body)
      end
      local _, filter = server:log():gsub("a call in the phase header_filter blocks", "")
      local _, sort = server:log():gsub("a call in the phase content blocks", "")
      local _, init_worker = server:log():gsub("a call in the phase init_worker blocks", "")
      assert.same({ 1, 1, 1 }, { filter, sort, init_worker })
    end)

    -- These phases are newer than some nginx that runs this: the name alone decides.
    for _, phase in ipairs { "precontent", "proxy_ssl_cert", "proxy_ssl_verify" } do
      it("lets the worker serve others in the phase " .. phase, function()
        local server = start(SLOW, { init = ([[
          local get_phase = ngx.get_phase
          ngx.get_phase = function()
            local phase = get_phase()
            return phase == "content" and %q or phase
          end
          package.loaded["uipath.nginx"] = nil
          client = connect() -- loads uipath.nginx
        ]]):format(phase) })
        assert.same({ [200] = 20 }, server:get_many("/slow", 20))
        assert.equal(20, counters().max_in_flight)
        expect_clean(server)
      end)
    end

    it("at a worker's end blocks that end, which is no error", function()
      local server = start("", { log_level = "notice", http = [[
        exit_worker_by_lua_block { ngx.log(ngx.NOTICE, "rows: ", #assert(client:get "odata/Machines?$top=2").value) }
      ]] })
      server:signal "QUIT"
      server:await_end()
      local log = server:log()
      assert.truthy(log:find("rows: 2", 1, true), log)
      local line = log:match "[^\n]*a call in the phase exit_worker blocks the worker[^\n]*"
      assert.truthy(line, log)
      assert.truthy(line:find("[notice]", 1, true), line)
      assert.is_nil(line:find("ngx.timer.at", 1, true), line)
      expect_clean(server)
    end)

    it("tells where it was made, and of what went wrong", function()
      local server = start [[
        location / { content_by_lua_block {
          local value, err = client:get "odata/Machines(99999)"
          ngx.say(value == nil and err.kind, " ", tostring(err))
        } }
      ]]
      local _, body = server:get "/"
      assert.matches("^not_found content_by_lua%(nginx.conf:%d+%):2: GET …/odata/Machines%(99999%): 404", body)
    end)

    it("goes on after a wait that was too short", function()
      local server = start [[
        location / { content_by_lua_block {
          local call = client:start("GET", "odata/fault/slow/0.5")
          local value, err = call:wait(0.05)
          ngx.say(value == nil and err.kind, " ", call:done())
          local other = assert(client:get "odata/Machines?$top=1")
          value, err = call:wait()
          ngx.say(#other.value, " ", value and #value.value or tostring(err), " ", call:done())
        } }
      ]]
      for _ = 1, 3 do
        local _, body = server:get "/"
        assert.equal("timeout false\n1 2 true\n", body)
      end
      expect_clean(server)
    end)

    it("asks an access_token function, which may wait itself, and tells on_event", function()
      local server = start([[
        location / { content_by_lua_block {
          say(client:get "odata/Machines?$top=1")
          ngx.say(table.concat(events, " "))
        } }
      ]], { init = [[
        events = {}
        local issuer = connect()
        client = connect {
          client_id = false, client_secret = false, scope = false,
          access_token = function() ngx.sleep(0.01) return issuer:access_token() end,
          on_event = function(event) ngx.sleep(0.001) events[#events + 1] = event.type end,
        }
      ]] })
      local _, body = server:get "/"
      assert.equal("1\nattempt\n", body)
      expect_clean(server)
    end)

    it("is waited for by looking where no socket is to be had", function()
      local server = start(SLOW, { init = [[
        client = connect()
        package.loaded["uipath.nginx"] = nil
        local tcp = ngx.socket.tcp
        ngx.socket.tcp = function()
          return { settimeouts = function() end, connect = function() return nil, "refused" end }
        end
        client = connect() -- loads uipath.nginx
        ngx.socket.tcp = tcp
      ]] })
      assert.same({ [200] = 20 }, server:get_many("/slow", 20))
      assert.equal(20, counters().max_in_flight)
      expect_clean(server)
    end)
  end)

  describe("a set", function()
    it("is walked, page by page", function()
      local server = start [[
        location / { content_by_lua_block {
          local rows = 0
          for _ in client:each("odata/Machines", { page_size = 2 }) do rows = rows + 1 end
          local collected = assert(client:collect("odata/Machines", { page_size = 3 }))
          ngx.say(rows == client:count "odata/Machines", " ", #collected == rows, " ", rows > 6)
        } }
      ]]
      local _, body = server:get "/"
      assert.equal("true true true\n", body)
      expect_clean(server)
    end)
  end)

  describe("functions side by side", function()
    it("overlap, and give what each gave", function()
      local server = start [[
        location /map { content_by_lua_block {
          local results, errors = uipath.map({ 1, 2, 3, 4, 5, 6 }, function(item)
            if item == 3 then return client:get "odata/Machines(99999)" end
            assert(client:get "odata/fault/slow/0.3")
            return item * 10
          end, { concurrency = 3 })
          local parts = {}
          for index = 1, results.n do parts[index] = tostring(results[index]) end
          ngx.say(table.concat(parts, " "), " ", errors[3].kind)
        } }
        location /all { content_by_lua_block {
          local one, two = uipath.all(
            function() return client:get "odata/Machines?$top=1" end,
            function() return uipath.map({ 1, 2 }, function(n) return #client:get("odata/Machines?$top=" .. n).value end)[2] end)
          ngx.say(#one.value, " ", two)
        } }
      ]]
      local _, body = server:get "/map"
      assert.equal("10 20 nil 40 50 60 not_found\n", body)
      assert.equal(3, counters().max_in_flight)
      _, body = server:get "/all"
      assert.equal("1 2\n", body)
      expect_clean(server)
    end)

    it("end the others when one raises or fails", function()
      local server = start [[
        location /raise { content_by_lua_block {
          local ok, err = pcall(uipath.map, { 1, 2, 3 }, function(item)
            if item == 3 then ngx.sleep(0.1) error("no more", 0) end
            return uipath.map({ 1, 2 }, function()
              client:get "odata/fault/stall"
              went_on = true
            end)
          end)
          ngx.sleep(0.1)
          ngx.say(ok, " ", err, " ", tostring(went_on))
        } }
        location /all { content_by_lua_block {
          local value, err = uipath.all(
            function() return client:get "odata/fault/stall" end,
            function() return client:get "odata/Machines(9999)" end)
          ngx.say(tostring(value), " ", err.kind)
        } }
      ]]
      local _, body = server:get "/raise"
      assert.equal("false no more nil\n", body)
      _, body = server:get "/all"
      assert.equal("nil not_found\n", body)
      assert.is_true(eventually(function() return counters().in_flight == 0 end))
      expect_clean(server)
    end)

    it("run one scheduler's way where light threads cannot", function()
      local server = start [[
        location / {
          content_by_lua_block { ngx.say "x" }
          header_filter_by_lua_block {
            local results = uipath.map({ 1, 2, 3 }, function(n) return #client:get("odata/Machines?$top=" .. n).value end)
            ngx.header["X-Rows"] = table.concat(results, ",")
          }
        }
      ]]
      local reply = nginx.output_of("curl -si " .. server.url .. "/")
      assert.truthy(reply:find("X-Rows: 1,2,3", 1, true), reply .. server:log())
    end)
  end)

  describe("a call that nobody waits for any more", function()
    it("ends with the client that hangs up", function()
      local server = start [[
        lua_check_client_abort on;
        location / { content_by_lua_block { client:get "odata/fault/stall" } }
      ]]
      nginx.output_of(("curl -s -m 0.4 -Z --parallel-immediate --parallel-max 40 '%s/?[1-40]' 2>/dev/null"):format(server.url))
      assert.is_true(eventually(function() return counters().in_flight == 0 end))
      assert.equal(40, counters().max_in_flight)
      assert.equal(200, (server:get "/ping"))
    end)

    it("tidies up where a light thread is cancelled", function()
      local server = start [[
        location / { content_by_lua_block {
          local done = 0
          uipath.all(function()
            require("uipath.concurrency").on_cancel(function() done = done + 1 end)
            client:get "odata/fault/stall"
          end, function()
            uipath.sleep(0.05)
            return nil, "enough"
          end)
          ngx.say(done)
        } }
      ]]
      local _, body = server:get "/"
      assert.equal("1\n", body)
    end)

    it("ends with its light thread", function()
      local server = start [[
        location / { content_by_lua_block {
          local thread = ngx.thread.spawn(function() client:get "odata/fault/stall" end)
          ngx.sleep(0.2)
          ngx.thread.kill(thread)
          ngx.say "killed"
          ngx.flush(true)
          ngx.sleep(1)
        } }
      ]]
      local pipe = io.popen("curl -sN " .. server.url .. "/")
      assert.equal("killed", pipe:read "*l")
      assert.is_true(eventually(function() return counters().in_flight == 0 end))
      pipe:close()
    end)
  end)

  describe("tokens", function()
    local MACHINES = [[ location / { content_by_lua_block { say(client:get "odata/Machines?$top=1") } } ]]

    it("are fetched once for each worker", function()
      local server = start(MACHINES)
      assert.same({ [200] = 100 }, server:get_many("/", 100))
      assert.equal(1, counters().token_requests)
      expect_clean(server)
    end)

    local STORED = {
      workers = 3, http = "lua_shared_dict tokens 1m;", reuse_port = true,
      init = [[ client = connect { token_store = uipath.store.shared_dict "tokens" } ]],
    }

    it("are fetched once for all workers with a store", function()
      local server = start(MACHINES, STORED)
      assert.same({ [200] = 100 }, server:get_many("/", 100))
      assert.equal(1, counters().token_requests)
      expect_clean(server)
    end)

    it("are dropped for all workers when one was refused", function()
      local server = start(MACHINES, STORED)
      for round = 1, 3 do
        assert.same({ [200] = 60 }, server:get_many("/", 60))
        assert.equal(round, counters().token_requests)
        assert.is_true(control("revoke", "").revoked > 0)
      end
      expect_clean(server)
    end)

    it("are renewed by one worker, while they serve still", function()
      -- Whether the next token was there before the first one, of so many seconds, was too old: on
      -- a slow machine it is only where that lives for longer.
      local function is_renewed_in_time(life)
        control("reset", "")
        control("settings", ('{"expires_in":%d}'):format(life))
        local server = start([[
          location / { content_by_lua_block { say(client:get "odata/Machines?$top=1") } }
          location /waited { content_by_lua_block { ngx.print(ngx.shared.tokens:get "waited") } }
        ]], {
          workers = 3, http = STORED.http, reuse_port = true,
          init = [[ client = connect {
            token_store = uipath.store.shared_dict "tokens",
            on_event = function(event)
              if event.type == "token" then ngx.shared.tokens:incr("waited", 1, 0) end
            end,
          } ]],
        })
        assert.same({ [200] = 60 }, server:get_many("/", 60))
        local fetched = counters().token_requests
        -- The next one is not renewed in its turn, however long the rest takes.
        control("settings", '{"expires_in":3600}')
        local _, waited = server:get "/waited"
        -- In the last fifth of its life, and before it is too old.
        assert.is_true(eventually(function()
          assert.same({ [200] = 3 }, server:get_many("/", 3))
          return counters().token_requests > fetched
        end, life))
        assert.same({ [200] = 60 }, server:get_many("/", 60))
        local is_in_time = fetched == 1 and waited == select(2, server:get "/waited")
        if is_in_time then assert.equal(2, counters().token_requests) end
        expect_clean(server)
        server:stop()
        return is_in_time
      end
      assert.is_true(is_renewed_in_time(4) or is_renewed_in_time(12) or is_renewed_in_time(36))
    end)

    it("that cannot be had leave no lock behind", function()
      local server = start([[ location / { content_by_lua_block {
        local value, err = client:get "odata/Machines"
        ngx.say(value == nil and err.kind)
      } } ]], { workers = 2, http = STORED.http,
        init = [[ client = connect { client_secret = "wrong", token_store = uipath.store.shared_dict "tokens" } ]] })
      local began = os.time()
      for _ = 1, 4 do
        local _, body = server:get "/"
        assert.equal("auth\n", body)
      end
      assert.is_true(os.time() - began < 30)
      assert.equal(4, counters().token_requests)
    end)

    it("need a dictionary that is there", function()
      local server = start([[ location / { content_by_lua_block {
        local ok, err = pcall(connect, { token_store = uipath.store.shared_dict "elsewhere" })
        ngx.say(ok, " ", err)
      } } ]])
      local _, body = server:get "/"
      assert.matches("^false .*lua_shared_dict elsewhere 1m;", body)
    end)
  end)

  describe("nginx itself", function()
    it("may use a client before it forks", function()
      local server = start([[ location / { content_by_lua_block { say(client:get "odata/Machines?$top=1") } } ]],
        { workers = 2, init = [[ client = connect() in_master = assert(client:get "odata/Machines?$top=2") ]] })
      assert.equal(1, counters().token_requests)
      assert.same({ [200] = 50 }, server:get_many("/", 50))
      assert.is_true(counters().token_requests <= 3)
      server:reload()
      assert.same({ [200] = 50 }, server:get_many("/", 50))
      local log = server:log()
      assert.is_nil(log:find("[alert]", 1, true), log)
      assert.is_nil(log:find("signal", 1, true), log)
    end)

    it("may load its Lua again for every request", function()
      local server = start([[
        lua_code_cache off;
        location / { content_by_lua_block {
          client = client or connect()
          say(client:get "odata/Machines?$top=1")
        } }
      ]], { init = "" })
      local function descriptors()
        return tonumber(nginx.output_of(("ls /proc/%d/fd | wc -l"):format(server:workers()[1])))
      end
      assert.equal(200, (server:get "/"))
      -- Besides these only the connections to the service stay: as many as there were requests at once.
      local most = descriptors() + 10
      for _ = 1, 10 do assert.same({ [200] = 10 }, server:get_many("/", 10)) end
      assert.is_true(eventually(function() return descriptors() <= most end), descriptors() .. " of " .. most)
      assert.equal(1, counters().token_requests)
    end)

    it("has the descriptors of a burst back soon after it", function()
      local server = start(SLOW)
      local function descriptors()
        return tonumber(nginx.output_of(("ls /proc/%d/fd | wc -l"):format(server:workers()[1])))
      end
      assert.equal(200, (server:get "/slow?seconds=0"))
      -- Only the connections to the service stay: those on which the calls were waited for would keep clients out.
      local most = descriptors() + 50
      assert.same({ [200] = 50 }, server:get_many("/slow?seconds=0.5", 50))
      assert.is_true(eventually(function() return descriptors() <= most end), descriptors() .. " of " .. most)
    end)

    it("loses no request over a reload", function()
      local server = start(SLOW, { workers = 2 })
      local urls = server.url .. "/slow?seconds=0.05&[1-400]"
      local pipe = io.popen(("curl -s -m 60 -Z --parallel-max 20 -w '%%{http_code}\\n' -o /dev/null '%s' 2>/dev/null"):format(urls))
      for _ = 1, 3 do server:reload() end
      local statuses = {}
      for line in pipe:lines() do statuses[line] = (statuses[line] or 0) + 1 end
      pipe:close()
      assert.same({ ["200"] = 400 }, statuses)
      expect_clean(server)
    end)

    it("finishes what is in flight before it quits, and leaves nothing behind", function()
      local folder = nginx.output_of("mktemp -d && chmod 777 $(ls -dt /tmp/tmp.* | head -1)")
      local server = start(SLOW, { main = "env TMPDIR=" .. folder .. ";" })
      local pipe = io.popen(("curl -s -w '%%{http_code}' '%s/slow?seconds=1'"):format(server.url))
      assert.is_true(eventually(function() return counters().in_flight == 1 end))
      server:signal "QUIT"
      assert.equal("2\n200", pipe:read "*a")
      pipe:close()
      server:await_end()
      assert.equal("", nginx.output_of("ls -A " .. folder))
      os.execute("rmdir " .. folder)
      expect_clean(server)
    end)

    it("terminates at once, whatever is in flight", function()
      local server = start [[ location / { content_by_lua_block { client:get "odata/fault/stall" } } ]]
      local pipe = io.popen(("curl -s '%s/?[1-20]' -Z --parallel-immediate --parallel-max 20 2>/dev/null"):format(server.url))
      assert.is_true(eventually(function() return counters().in_flight == 20 end))
      local began = os.time()
      server:signal "TERM"
      server:await_end()
      assert.is_true(os.time() - began <= 15)
      pipe:close()
      local log = server:log()
      assert.is_nil(log:find("exited on signal", 1, true), log)
    end)
  end)

  describe("examples/nginx", function()
    -- An nginx that has its Lua module built in, as OpenResty's: it says so, and takes no files of it.
    local BUILT_IN = [[#!/bin/sh
      nginx=%s
      if [ "$*" = -V ]; then $nginx -V 2>&1 | sed 's/--modules-path=[^ ]*//'; exit; fi
      directives='%s'
      count=$#
      while [ $count -gt 0 ]; do
        case $1 in
          -g) directives="$directives $2"; shift 2; count=$((count - 2)) ;;
          *) set -- "$@" "$1"; shift; count=$((count - 1)) ;;
        esac
      done
      exec $nginx "$@" -g "$directives"
    ]]

    -- The module as users build it, by the system's own luajit, and with no tenant of ours in reach.
    local ALONE = [[
      for name in $(env | sed -n 's/^\(UIPATH_[A-Z_]*\)=.*/\1/p') ASAN_OPTIONS UBSAN_OPTIONS TSAN_OPTIONS; do unset $name; done
      PATH=%s$(echo "$PATH" | sed 's|[^:]*/support/bin:||') HOME=%s \
        LUA_PATH="$PWD/src/?.lua;;" LUA_CPATH="$PWD/build/luajit/?.so;;" luajit %s/run.lua </dev/null 2>&1
    ]]

    local function run(path)
      local folder = nginx.output_of "mktemp -d"
      -- A port of this run's own.
      local port = nginx.random_port()
      os.execute(("cp examples/nginx/* %s && sed -i 's/8017/%d/' %s/*"):format(folder, port, folder))
      local output = nginx.output_of(ALONE:format(path(folder), folder, folder))
      os.execute("rm -rf " .. folder)
      return output
    end

    local function expect_replies(output)
      assert.matches('GET /overview%?folder=Shared\n{.*"machines":%[{.*\n%(status 200%)\n', output)
      assert.matches("GET /folders/Shared\nwelcome to Shared\n%(status 200%)\n", output)
      assert.matches("%(status 403%)$", output)
    end

    it("runs on the nginx that is here", function()
      expect_replies(run(function() return "" end))
    end)

    it("runs where the Lua module is built in", function()
      local output = run(function(folder)
        local path = nginx.output_of "PATH=$PATH:/usr/sbin command -v nginx"
        local file = assert(io.open(folder .. "/nginx", "w"))
        file:write(BUILT_IN:format(path, (nginx.load_modules():gsub("\n", " "))))
        file:close()
        os.execute("chmod +x " .. folder .. "/nginx")
        return folder .. ":"
      end)
      expect_replies(output)
    end)
  end)
end)

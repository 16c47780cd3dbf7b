-- What must hold over tens of thousands of requests inside nginx: endurance.lua [SCALE], where SCALE 0.1 is a tenth of them.

local nginx = require "spec.support.nginx"

local scale = tonumber(arg[1] or 1)
local CONNECTIONS = 100
local LOOKS, LOOK_PAUSE_S = 200, 0.05
local LONGEST_HOLD_S = 32

local sandbox = assert(require("uipath.sandbox").start())

local failed = false

local function judge(what, value, kept, limit)
  print(("  %-64s %10s   %s %s"):format(what, tostring(value), kept and "holds:" or "FAILS:", limit))
  failed = failed or not kept
end

local SETUP = [[
  init_by_lua_block {
    uipath = require "uipath"
    function connect(changes)
      local options = { %s }
      for name, value in pairs(changes or {}) do options[name] = value end
      return uipath.connect(options)
    end
    client, service = connect(), %q
    function ours() ngx.print(#assert(client:get "odata/fault/slow/0.02").value) end
    -- The same over a cosocket, as a measure of what reloads do to any request.
    function raw()
      local socket = ngx.socket.tcp()
      socket:settimeouts(1000, 1000, 10000)
      assert(socket:connect("127.0.0.1", %d))
      assert(socket:send "GET /fault/slow/0.02 HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n")
      local length
      for line in function() return assert(socket:receive()) end do
        if line == "" then break end
        length = length or line:match "^Content%%-Length: (%%d+)"
      end
      assert(socket:receive(tonumber(length)))
      socket:setkeepalive(60000, 1000)
      ngx.print "2"
    end
  }
]]

local function start(server, cached)
  local parts = {}
  for name, value in pairs(sandbox.options) do parts[#parts + 1] = ("%s = %q"):format(name, value) end
  parts[#parts + 1] = ("base_url = %q"):format(sandbox.fault_url)
  return nginx.start {
    http = ("lua_socket_pool_size 1000; lua_shared_dict tokens 1m; lua_code_cache %s;\n"):format(cached and "on" or "off")
      .. SETUP:format(table.concat(parts, ", "), sandbox.http_url, sandbox.fault_url:match "%d+$"),
    server = server,
  }
end

local LOCATIONS = [[
  location /ours { content_by_lua_block { ours() } }
  location /raw { content_by_lua_block { raw() } }
  location /held { content_by_lua_block { ngx.print(#assert(client:get("odata/fault/slow/" .. ngx.var.arg_seconds)).value) } }
  location /new { content_by_lua_block { client = connect() ngx.print(#assert(client:get "odata/Machines?$top=1").value) } }
  location /stall { lua_check_client_abort on; content_by_lua_block { client:get "odata/fault/stall" } }
]]

local function resident(pid)
  return tonumber(nginx.output_of(("sed -n 's/VmRSS:[^0-9]*\\([0-9]*\\).*/\\1/p' /proc/%d/status"):format(pid)))
end

-- The worker's descriptors: how many in all, and how many of them are connections of clients, connections to the service, and the engine's
-- ends of those on which calls are waited for.
local function descriptors(server)
  local pid = server:workers()[1]
  local counts = { all = 0, clients = 0, service = 0, waiters = 0 }
  local own = {}
  for link in nginx.output_of(("find /proc/%d/fd -type l -printf '%%l\\n' 2>/dev/null"):format(pid)):gmatch "[^\n]+" do
    counts.all = counts.all + 1
    local inode = link:match "^socket:%[(%d+)%]$"
    if inode then own[inode] = true end
  end
  local function count(kind) counts[kind] = counts[kind] + 1 end
  local port = tonumber(server.url:match "%d+$")
  for line in io.lines(("/proc/%d/net/tcp"):format(pid)) do
    local local_port, state, inode = line:match "%d+: %x+:(%x+) %x+:%x+ (%x+) %S+ %S+ %S+ +%d+ +%d+ (%d+)"
    if own[inode or ""] and state ~= "0A" then -- which listens
      count(tonumber(local_port, 16) == port and "clients" or "service")
    end
  end
  -- State 03 is connected; only the accepting end has a path.
  for line in io.lines(("/proc/%d/net/unix"):format(pid)) do
    if own[line:match "%x+ 03 +(%d+) /" or ""] then count "waiters" end
  end
  return counts
end

local function describe(counts)
  return ("%d descriptors: of clients %d, of waiting calls %d, to the service %d")
    :format(counts.all, counts.clients, counts.waiters, counts.service)
end

local function counter(name)
  return tonumber(nginx.output_of("curl -s " .. sandbox.fault_url .. "/control/counters"):match('"' .. name .. '":(%d+)'))
end

-- Returns when nothing is under way and what is kept for a moment has been let go, as it must be soon: only connections to the service
-- stay. Counts are taken then and not before, or what is about to go would hide as much that stays. Gives the descriptors.
local function await_quiet(server)
  local counts
  for _ = 1, LOOKS do
    counts = descriptors(server)
    -- Once more: what was listed may have gone before it was found out what it was.
    if counts.clients == 0 and counts.waiters == 0 and counter "in_flight" == 0 then return descriptors(server) end
    os.execute("sleep " .. LOOK_PAUSE_S)
  end
  judge("quiet with " .. describe(counts), false, false, "true")
  return counts
end

-- Has as many calls under way at once as the load will have, so that what is kept for each of them is there before anything is counted.
-- Gives the descriptors.
local function warm_up(server)
  local hold = 1
  while true do
    server:get_many("/held?seconds=" .. hold, CONNECTIONS)
    local counts = await_quiet(server)
    if counts.service >= CONNECTIONS then return counts end
    -- The machine was too slow for the last to begin before the first was over.
    hold = hold * 2
    assert(hold <= LONGEST_HOLD_S, describe(counts))
  end
end

-- wrk for some seconds. Gives requests, those not 2xx, and socket errors.
local function wrk(url, connections, seconds)
  local output = nginx.output_of(("wrk -t1 -c%d -d%ds --timeout 10s %s"):format(connections, seconds, url))
  local errors = 0
  for number in (output:match "Socket errors: ([^\n]+)" or ""):gmatch "%d+" do errors = errors + number end
  return tonumber(output:match "(%d+) requests in"), tonumber(output:match "Non%-2xx or 3xx responses: (%d+)" or 0), errors
end

-- Runs at least so many requests. Gives how many were not 2xx, and the descriptors at the end.
local function many(server, path, number)
  local done, bad, counts = 0, 0, nil
  while done < number do
    local requests, failures = wrk(server.url .. path, CONNECTIONS, 5)
    done, bad = done + requests, bad + failures
    -- What this wrk has left under way would be there at once with the requests of the next.
    counts = await_quiet(server)
  end
  return bad, counts
end

local function alerts(server)
  local count = 0
  for line in server:log():gmatch "[^\n]+" do
    -- The one that nginx writes whenever the code cache is off.
    if (line:find "%[alert%]" or line:find "%[crit%]" or line:find "%[emerg%]") and not line:find("lua_code_cache is off", 1, true) then
      count = count + 1
    end
  end
  return count
end

-- Memory after a first part of the requests and after all of them; descriptors after as many at once as there will ever be, and after all.
local function endure(title, path, cached, first, all)
  print(title)
  local server = start(LOCATIONS, cached)
  local pid = server:workers()[1]
  local before = warm_up(server)
  local bad = many(server, path, first * scale)
  local memory = resident(pid)
  local worse, after = many(server, path, (all - first) * scale)
  judge("replies that are not 2xx", bad + worse, bad + worse == 0, "0")
  judge("kilobytes more than after the first part", resident(pid) - memory, resident(pid) - memory <= 2048, "<= 2048")
  print("    before: " .. describe(before))
  print("    after:  " .. describe(after))
  judge("descriptors more than before", after.all - before.all, after.all <= before.all, "<= 0")
  judge("the worker is the same", server:workers()[1] == pid, server:workers()[1] == pid, "true")
  server:stop()
  judge("alerts", alerts(server), alerts(server) == 0, "0")
end

local function reloads(kind)
  local server = start(LOCATIONS, true)
  local pipe = io.popen(("wrk -t1 -c50 -d9s --timeout 10s %s/%s"):format(server.url, kind))
  for _ = 1, 3 do
    os.execute "sleep 2"
    server:reload()
  end
  local output = pipe:read "*a"
  pipe:close()
  local bad = tonumber(output:match "Non%-2xx or 3xx responses: (%d+)" or 0)
  local errors = 0
  for number in (output:match "Socket errors: ([^\n]+)" or ""):gmatch "%d+" do errors = errors + number end
  local log = alerts(server)
  server:signal "QUIT"
  server:await_end()
  local crashed = server:log():find("exited on signal", 1, true) ~= nil
  server:stop()
  return bad, errors, log, crashed
end

print "3 reloads under 50 connections"
local _, raw_errors = reloads "raw"
local bad, errors, log, crashed = reloads "ours"
judge("replies that are not 2xx", bad, bad == 0, "0")
judge("socket errors (raw cosockets: " .. raw_errors .. ")", errors, errors <= raw_errors + 5, "<= raw's + 5")
judge("alerts", log, log == 0, "0")
judge("crashes", crashed, not crashed, "false")

-- Each waits for something else when its client hangs up, and is answered when it does not.
local WAITING = [[
  lua_check_client_abort on;
  location /call { content_by_lua_block { ngx.print(#assert(client:get "odata/fault/slow/0.1").value) } }
  location /map { content_by_lua_block {
    local results = uipath.map({ 1, 2, 3, 4 }, function(i) return client:get("odata/fault/slow/" .. i * 0.04) end)
    ngx.print(#assert(results[4]).value)
  } }
  location /token { content_by_lua_block {
    with_function = with_function or client:with { access_token = function() ngx.sleep(0.05) return "token", 1 end }
    ngx.print(#assert(with_function:get "odata/fault/slow/0.02").value)
  } }
  location /store { content_by_lua_block {
    local stored = connect { scope = ("OR.Jobs "):rep(math.random(40)), token_store = uipath.store.shared_dict "tokens" }
    ngx.print(#assert(stored:get "odata/fault/slow/0.02").value)
  } }
  location /pages { content_by_lua_block {
    local rows = assert(client:with { base_url = service }:collect("odata/Machines", { page_size = 1 }))
    ngx.print(#rows > 2 and 2)
  } }
  location /heap { content_by_lua_block {
    for _ = 1, 4 do collectgarbage() end
    ngx.print(math.floor(collectgarbage "count"))
  } }
]]
local PATHS = { "/call", "/map", "/token", "/store", "/pages" }

local function hang_up(server, rounds)
  for round = 1, rounds do
    for i, path in ipairs(PATHS) do
      local seconds = 0.02 + (round * 7 + i * 3) % 20 * 0.01
      nginx.output_of(("curl -s -m %g -Z --parallel-immediate --parallel-max 50 '%s%s?[1-50]' 2>/dev/null")
        :format(seconds, server.url, path))
    end
  end
  return await_quiet(server), tonumber((select(2, server:get "/heap")))
end

print "5,000 clients that hang up at every moment"
local server = start(WAITING, true)
for _, path in ipairs(PATHS) do server:get(path) end
local before, heap = hang_up(server, math.max(1, 4 * scale))
local after, later_heap = hang_up(server, math.max(1, 20 * scale))
judge("calls under way at the service", counter "in_flight", counter "in_flight" == 0, "0")
-- How many calls were under way at once at most is chance, and so is how many connections are kept.
local before_others, after_others = before.all - before.service, after.all - after.service
print("    before: " .. describe(before))
print("    after:  " .. describe(after))
judge("descriptors more than before, those to the service apart", after_others - before_others, after_others <= before_others, "<= 0")
judge("kilobytes of Lua's heap more than before", later_heap - heap, later_heap - heap <= 1024, "<= 1024")
for _, path in ipairs(PATHS) do
  local status, body = server:get(path)
  judge(path .. " afterwards", body, status == 200 and body == "2", "2")
end
judge("alerts", alerts(server), alerts(server) == 0, "0")
server:stop()

endure("50,000 requests", "/ours", true, 15000, 50000)
endure("3,000 requests with lua_code_cache off", "/new", false, 1000, 3000)

sandbox:stop()
os.exit(failed and 1 or 0)

-- The module inside nginx against hand-written cosockets, in the same run: bench.lua [ROUNDS [SECONDS]]
--
-- Upstream (one worker) answers 2.5 KB of JSON after 50 ms or at once; the front (one worker) gets and decodes it for each request of
-- wrk's. CPU is that of the front's event loop, without the engine's thread, and of its whole process.

local nginx = require "spec.support.nginx"

local rounds, seconds = tonumber(arg[1] or 5), tonumber(arg[2] or 5)
local CONNECTIONS = 100

local UPSTREAM = [[
  lua_code_cache on;
  init_by_lua_block {
    local rows = {}
    for id = 1, 10 do
      rows[id] = ('{"Id":%d,"Name":"row %d","Key":"b1c8d3a0-0000-4000-8000-0000000000%02d","State":"Successful",'
        .. '"CreationTime":"2024-05-01T10:00:00.000Z","ReleaseName":"Invoice_Production","HostMachineName":null,'
        .. '"HasErrors":false,"Priority":"Normal","Reference":"A-%d"}'):format(id, id, id, id * 1001)
    end
    document = '{"@odata.context":"https://cloud.uipath.com/acme/tenant/odata/$metadata#Jobs","@odata.count":10,"value":['
      .. table.concat(rows, ",") .. "]}"
  }
]]

local UPSTREAM_LOCATIONS = [[
    location /acme/T/orchestrator_/slow {
      default_type application/json;
      content_by_lua_block { ngx.sleep(0.05) ngx.header["Content-Length"] = #document ngx.print(document) }
    }
    location /acme/T/orchestrator_/fast {
      default_type application/json;
      content_by_lua_block { ngx.header["Content-Length"] = #document ngx.print(document) }
    }
]]

local upstream = nginx.start { http = UPSTREAM, server = UPSTREAM_LOCATIONS }
local upstream_port = upstream.url:match("%d+$")

local FRONT = ([[
  lua_socket_pool_size 1000;
  init_by_lua_block {
    cjson = require "cjson"
    uipath = require "uipath"
    client = uipath.connect { organization = "acme", tenant = "T", base_url = "http://127.0.0.1:PORT", access_token = "abc" }

    function ours(path)
      local page = assert(client:get(path))
      ngx.print(#page.value)
    end

    -- HTTP/1.1 over a cosocket, as short as it can be.
    function raw(path)
      local socket = ngx.socket.tcp()
      socket:settimeouts(1000, 1000, 10000)
      assert(socket:connect("127.0.0.1", PORT))
      assert(socket:send("GET /acme/T/orchestrator_/" .. path .. " HTTP/1.1\r\nHost: 127.0.0.1:PORT\r\nAccept: application/json\r\n"
        .. "User-Agent: raw\r\nAuthorization: Bearer abc\r\n\r\n"))
      local status = assert(socket:receive())
      assert(status == "HTTP/1.1 200 OK", status)
      local length
      while true do
        local line = assert(socket:receive())
        if line == "" then break end
        length = length or line:match("^Content%-Length: (%d+)")
      end
      local page = cjson.decode(assert(socket:receive(tonumber(length))))
      socket:setkeepalive(60000, 1000)
      ngx.print(#page.value)
    end
  }
]]):gsub("PORT", upstream_port)

local front = nginx.start {
  http = FRONT,
  server = [[
    location /ours/slow { content_by_lua_block { ours "slow" } }
    location /ours/fast { content_by_lua_block { ours "fast" } }
    location /raw/slow { content_by_lua_block { raw "slow" } }
    location /raw/fast { content_by_lua_block { raw "fast" } }
]],
}

-- Nanoseconds of CPU that the front has used: by its event loop, and in all.
local function cpu()
  local pid = front:workers()[1]
  local loop, all = 0, 0
  for line in nginx.output_of(("cd /proc/%d/task && for t in *; do echo $t $(cat $t/schedstat); done"):format(pid)):gmatch("[^\n]+") do
    local task, used = line:match("^(%d+) (%d+)")
    all = all + tonumber(used)
    if tonumber(task) == pid then loop = tonumber(used) end
  end
  return loop, all
end

local UNITS = { us = 0.001, ms = 1, s = 1000 }
local function milliseconds(text)
  local number, unit = text:match("^([%d.]+)(%a+)$")
  return tonumber(number) * UNITS[unit]
end

-- One run. Gives its figures.
local function load_once(kind, speed, with_ping)
  local ping = with_ping and io.popen(("sleep 0.5; wrk --latency -t1 -c1 -d%ds %s/ping"):format(seconds - 1, front.url))
  local loop, all = cpu()
  local output = nginx.output_of(("wrk --latency -t1 -c%d -d%ds %s/%s/%s"):format(CONNECTIONS, seconds, front.url, kind, speed))
  local loop_end, all_end = cpu()
  local requests = tonumber(output:match("(%d+) requests in"))
  local figures = {
    throughput = tonumber(output:match("Requests/sec:%s*([%d.]+)")),
    p50 = milliseconds(output:match("\n%s+50%%%s+(%S+)")), p99 = milliseconds(output:match("\n%s+99%%%s+(%S+)")),
    loop = (loop_end - loop) / requests / 1000, all = (all_end - all) / requests / 1000,
    failures = tonumber(output:match("Non%-2xx or 3xx responses: (%d+)") or 0),
  }
  if ping then
    local text = ping:read("*a")
    ping:close()
    figures.ping = milliseconds(text:match("\n%s+99%%%s+(%S+)"))
  end
  assert(figures.failures == 0, output .. front:log())
  return figures
end

local function median(list, name)
  local values = {}
  for index, figures in ipairs(list) do values[index] = figures[name] end
  table.sort(values)
  return values[math.ceil(#values / 2)]
end

local failed = false

-- Says whether a limit is kept.
local function judge(what, value, kept, limit)
  print(("  %-58s %8.3f   %s %s"):format(what, value, kept and "holds:" or "FAILS:", limit))
  failed = failed or not kept
end

local function compare(title, speed, with_ping)
  print(title)
  local results = { raw = {}, ours = {} }
  -- Once for connections and compiled traces; then in turns, so that whatever else the machine does meets both.
  load_once("raw", speed)
  load_once("ours", speed)
  for round = 1, rounds do
    for _, kind in ipairs(round % 2 == 0 and { "raw", "ours" } or { "ours", "raw" }) do
      table.insert(results[kind], load_once(kind, speed, with_ping))
    end
  end
  print("            req/s      p50 ms   p99 ms   loop us  all us   ping p99 ms")
  for _, kind in ipairs { "raw", "ours" } do
    local list = results[kind]
    print(("  %-6s %8.0f %10.2f %8.2f %9.1f %7.1f %s"):format(kind, median(list, "throughput"), median(list, "p50"), median(list, "p99"),
      median(list, "loop"), median(list, "all"), with_ping and ("%10.3f"):format(median(list, "ping")) or ""))
  end
  local raw, ours = results.raw, results.ours
  local function ratio(name) return median(ours, name) / median(raw, name) end
  return {
    throughput = ratio "throughput", loop = ratio "loop", all = ratio "all",
    ping = with_ping and median(ours, "ping") - median(raw, "ping"),
  }
end

local function judge_ratios(ratios, throughput, loop, all)
  judge("throughput against raw", ratios.throughput, ratios.throughput >= throughput, ">= " .. throughput)
  judge("event loop's CPU per request against raw", ratios.loop, ratios.loop <= loop, "<= " .. loop)
  judge("CPU per request in all against raw", ratios.all, ratios.all <= all, "<= " .. all)
end

judge_ratios(compare("50 ms upstream", "slow"), 0.95, 0.95, 2.1)
judge_ratios(compare("0 ms upstream", "fast"), 0.7, 0.9, 1.6)
local ping = compare("50 ms upstream, one client on /ping beside it", "slow", true).ping
judge("p99 of /ping beyond raw's, ms", ping, ping <= 0.5, "<= 0.5")

front:stop()
upstream:stop()
os.exit(failed and 1 or 0)

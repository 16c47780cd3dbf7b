-- What a process may do to calls under way: threads, ends of all kinds, forks, the collector, clocks that jump, signals.

local assert = require "luassert"
local tenant = require "spec.support.tenant"
local uipath = require "uipath"

local sandbox, client

setup(function()
  sandbox = assert(require("uipath.sandbox").start({ tls = true }))
  client = uipath.connect(tenant.fault_options(sandbox, { timeout = 60 }))
end)
teardown(function() sandbox:stop() end)

-- Checks what a program in a process of its own wrote, and that it ended well.
local function expect(expected, output, status)
  assert.equal(expected, output)
  assert.equal(0, status)
end

-- Waits until the sandbox has nothing under way any more.
local function await_quiet()
  tenant.eventually(function() return tenant.control(sandbox, "GET counters").in_flight == 0 end)
end

describe("two threads, each with a Lua state of its own,", function()
  it("share connections and tokens, and have their own answers", function()
    tenant.control(sandbox, "POST reset")
    local output, status = tenant.host(sandbox.options, [[
      local first = host.thread() * 1000
      for round = 1, 20 do
        local calls = {}
        for i = 1, 10 do
          calls[i] = client:start("GET", "odata/Jobs", { skip = first + round * 10 + i, top = 1, orderby = "Id", folder = "Shared" })
        end
        local before
        for _, call in ipairs(calls) do
          local page = assert(call:wait())
          assert(before == nil or page.value[1].Id > before)
          before = page.value[1].Id
        end
        assert(assert(client:get("odata/Machines", { top = 2 })).value[2])
      end
      client = nil
      collectgarbage()
      print "done"
    ]], 2)
    expect("done\ndone\n", output, status)
    local counters = tenant.control(sandbox, "GET counters")
    assert.equal(1, counters.token_requests)
    assert.equal(440, counters.data_requests)
    assert.equal(1, counters.connections)
  end)

  it("do not wait for each other: one stalls, the other calls, and each is told at its deadline", function()
    local late = tenant.in_time(tenant.LATE, function()
      local output, status = tenant.host(tenant.fault_options(sandbox), ([[
        local began = host.now()
        if host.thread() == 1 then
          local _, err = client:get("fault/stall", { timeout = 0.5 })
          print(err.kind, host.now() - began - 0.5)
        else
          local calls = 0
          repeat
            assert(client:get "fault/ok")
            calls = calls + 1
          until host.now() - began > %g
          print("calls", calls)
        end
      ]]):format(1.5 * tenant.SLOWER), 2)
      assert.equal(0, status, output)
      local seconds, calls = output:match "timeout\t(%S+)\n", output:match "calls\t(%d+)\n"
      assert.is_truthy(seconds and calls, output)
      -- Where the other thread got next to nothing done, it was not in time.
      return tonumber(calls) > 5 and tonumber(seconds) or math.huge
    end)
    assert.is_true(late < tenant.LATE, late)
  end)

  it("leave the other's calls alone when one ends", function()
    local output, status = tenant.host(tenant.fault_options(sandbox), [[
      if host.thread() == 1 then
        for i = 1, 50 do client:start("GET", "fault/stall") end
        return
      end
      for i = 1, 50 do assert(client:get "fault/slow/0.01") end
      print "done"
    ]], 2)
    expect("done\n", output, status)
    await_quiet()
  end)
end)

describe("many", function()
  it("clients share what they can and are collected", function()
    for i = 1, 1000 do
      local each = uipath.connect(tenant.fault_options(sandbox, { access_token = "token" .. i }))
      if i % 50 == 0 then assert.equal("Bearer token" .. i, assert(each:get "fault/echo").headers.authorization) end
    end
  end)

  it("calls are in flight at once: 10,000, each with its own answer", function()
    local calls = {}
    for i = 1, 10000 do calls[i] = client:start("GET", "fault/scalar/" .. i, { timeout = 280 }) end
    for i, call in ipairs(calls) do assert.equal(i, (assert(call:wait()))) end
    assert.is_true(tenant.control(sandbox, "GET counters").max_in_flight <= 256)
  end)
end)

describe("a connection", function()
  it("is not passed on to the programs that the process runs", function()
    local output, status = tenant.run(tenant.fault_options(sandbox), [[
      assert(client:get "fault/ok")
      local file, pipe = io.open "/proc/net/tcp", io.popen "ls -l /proc/self/fd"
      local connections, passed_on, all = file:read "*a", 0, 0
      for number in pipe:read("*a"):gmatch "socket:%[(%d+)%]" do
        if connections:find(" " .. number .. " ", 1, true) then passed_on = passed_on + 1 end
      end
      for number in io.popen("ls -l /proc/$PPID/fd"):read("*a"):gmatch "socket:%[(%d+)%]" do
        if connections:find(" " .. number .. " ", 1, true) then all = all + 1 end
      end
      print(passed_on, all)
    ]])
    expect("0\t1\n", output, status)
  end)

  it("is not taken for standard output where that is closed", function()
    local name = os.tmpname()
    local command = tenant.command(tenant.fault_options(sandbox), ([[
      local ok = client:get "fault/ok"
      print "to nobody"
      io.stderr:write "to nobody"
      local _, response = client:get "fault/ok"
      local file = io.open(%q, "w")
      file:write(tostring(ok ~= nil), " ", tostring(response and response.status))
      file:close()
    ]]):format(name))
    tenant.shell(command .. " <&- >&- 2>&-")
    local file = io.open(name)
    local said = file:read "*a"
    file:close()
    os.remove(name)
    assert.equal("true 200", said)
  end)
end)

describe("a process with calls in flight", function()
  local flying = [[
    local calls = {}
    for i = 1, 20 do calls[i] = client:start("GET", "fault/stall", { timeout = 30 }) end
    client:start("GET", "fault/echo"):wait()
  ]]
  local rows = {
    { "os.exit(3)", 3 },
    { "os.exit(4, true)", 4 },
    { "", 0 },
    { "error 'broken'", 1, "broken" },
    { "coroutine.wrap(function() os.exit(5) end)()", 5 },
    { "calls = nil collectgarbage() os.exit(6, true)", 6 },
    { "os.execute('kill -TERM $PPID') calls[1]:wait()", 128 + 15 },
  }
  for _, row in ipairs(rows) do
    it("ends by " .. (row[1] == "" and "its last line" or row[1]) .. " at once", function()
      local seconds = tenant.in_time(2 * tenant.SLOWER, function()
        local options = tenant.fault_options(sandbox)
        local taken, output, status = tenant.timed(tenant.run, options, flying .. row[1])
        assert.equal(row[2], status)
        if row[3] then
          assert.matches(row[3], output)
        else
          assert.equal("", (output:gsub("Terminated\n", "")))
        end
        return taken
      end)
      assert.is_true(seconds < 2 * tenant.SLOWER, seconds)
      await_quiet()
    end)
  end

  it("ends although others wait for their turn, and would fail at once in it", function()
    local output, status = tenant.run(tenant.fault_options(sandbox), [[
      local other = client:with { access_token = function() return "token" end }
      local calls = {}
      local function start(each, count, ...)
        for i = 1, count do calls[#calls + 1] = each:start(...) end
      end
      start(client, 255, "GET", "fault/stall")
      start(other, 3, "POST", "fault/ok", { body = uipath.file "/missing" })
      start(client, 1, "GET", "fault/stall")
      print((calls[256]:wait(0.2)))
    ]])
    expect("nil\n", output, status)
    await_quiet()
  end)

  it("ends although another thread waits for one of them", function()
    local seconds = tenant.in_time(3 * tenant.SLOWER, function()
      local taken, output, status = tenant.timed(tenant.host, tenant.fault_options(sandbox), [[
        if host.thread() == 1 then
          client:get("fault/stall", { timeout = 30 })
          host.sleep(30)
        end
        client:get "fault/slow/0.1"
        host.exit(7)
      ]], 2)
      assert.equal("", output)
      assert.equal(7, status)
      return taken
    end)
    assert.is_true(seconds < 3 * tenant.SLOWER, seconds)
  end)

  it("may close its Lua state and go on with another", function()
    local output, status = tenant.host(tenant.fault_options(sandbox), ([[
      local state = "package.path, package.cpath = " .. ("%%q, %%q"):format(package.path, package.cpath) .. [=[
        local client = require("uipath").connect{ organization = "acme", tenant = "T", base_url = %q, access_token = "token" }
        for i = 1, 20 do client:start("GET", "fault/stall") end
        client:start("GET", "fault/ok")
        assert(client:get "fault/ok")
      ]=]
      local before
      for i = 1, 10 do
        host.run(state)
        assert(client:get "fault/ok")
        if i == 3 then before = host.descriptors() end
      end
      host.sleep(0.1)
      assert(host.descriptors() <= before + 20, host.descriptors())
      print "done"
    ]]):format(sandbox.fault_url))
    expect("done\n", output, status)
    await_quiet()
  end)
end)

describe("a fork", function()
  it("before the first call gives both an engine of their own", function()
    local output, status = tenant.host(sandbox.options, [[
      local pid = host.fork()
      assert(client:get("odata/Machines", { top = 1 }))
      if pid == 0 then host.exit(11) end
      print(host.wait(pid))
    ]])
    expect("11\n", output, status)
  end)

  it("after the first call leaves the parent's connections, calls and tokens to the parent", function()
    tenant.control(sandbox, "POST reset")
    local output, status = tenant.host(sandbox.options, [[
      assert(client:get("odata/Machines", { top = 1 }))
      local slow = client:start("GET", "odata/Jobs", { top = 1, folder = "Shared" })
      local pid = host.fork()
      if pid == 0 then
        local value, err = slow:wait()
        assert(value ~= nil or err.kind == "cancelled" and err.message:find "fork", err)
        for i = 1, 5 do assert(client:get("odata/Machines", { top = 1 })) end
        slow = nil
        collectgarbage()
        host.exit(12)
      end
      assert(slow:wait())
      for i = 1, 5 do assert(client:get("odata/Machines", { top = 1 })) end
      print(host.wait(pid))
    ]])
    expect("12\n", output, status)
    assert.equal(2, tenant.control(sandbox, "GET counters").token_requests)
  end)

  it("leaves calls behind that wait for a function or have events to tell", function()
    local output, status = tenant.host(tenant.fault_options(sandbox), [[
      local told, asked = 0, 0
      local options = { on_event = function() told = told + 1 end, access_token = function() asked = asked + 1 return "token" end }
      local asking = client:with(options):start("GET", "fault/ok")
      local eventful = client:with({ on_event = options.on_event, max_attempts = 9 }):start("GET", "fault/status/503/1")
      while asked == 0 and not asking:fd() do end
      host.sleep(0.3)
      local pid = host.fork()
      if pid == 0 then
        local _, err = asking:wait()
        assert(err.kind == "cancelled" and asked == 0, err)
        _, err = eventful:wait()
        assert(err.kind == "cancelled" and told > 0, err)
        host.exit(13)
      end
      assert(asking:wait())
      print(host.wait(pid))
      eventful:cancel()
    ]])
    expect("13\n", output, status)
  end)

  it("in the middle of everything never leaves a child stuck", function()
    local output, status = tenant.host(sandbox.options, [[
      local calls, pids = {}, {}
      for round = 1, 20 do
        -- Tokens and connections of their own while the process is copied; loopback is never proxied.
        local other = client:with{ proxy = "http://unused-" .. round .. ".invalid" }
        for i = 1, 5 do calls[#calls + 1] = other:start("GET", "odata/Machines", { top = 1 }) end
        host.sleep(0.0007 * round)
        local pid = host.fork()
        if pid == 0 then
          assert(client:get("odata/Machines", { top = 1 }))
          host.exit(0)
        end
        pids[round] = pid
      end
      for _, call in ipairs(calls) do assert(call:wait()) end
      for _, pid in ipairs(pids) do assert(host.wait(pid) == 0) end
      print "done"
    ]])
    expect("done\n", output, status)
  end)

  it("may end without any handler", function()
    local output, status = tenant.host(tenant.fault_options(sandbox), [[
      local call = client:start("GET", "fault/slow/0.2")
      local pid = host.fork()
      if pid == 0 then host.quit(14) end
      print(host.wait(pid))
      assert(call:wait())
    ]])
    expect("14\n", output, status)
  end)
end)

describe("a call that is collected", function()
  it("is cancelled, in whatever state", function()
    for _, fault in ipairs { "stall", "stall_in_headers", "stall_in_body", "status/503/30" } do
      for _ = 1, 10 do client:start("GET", "fault/" .. fault, { max_attempts = 2 }) end
    end
    local waiting = uipath.connect(tenant.token_options(sandbox, "stall/" .. tenant.new_key(), { timeout = 1 }))
    for _ = 1, 10 do waiting:start("GET", "fault/ok") end
    collectgarbage()
    collectgarbage()
    await_quiet()
  end)

  it("keeps nothing of its client, nor of what it asks", function()
    local kept = setmetatable({}, { __mode = "v" })
    do
      local options = tenant.fault_options(sandbox)
      local calls = {}
      options.on_event = function() return calls end
      local other = uipath.connect(options)
      kept[1], kept[2] = other, options.on_event
      calls[1] = other:start("GET", "fault/stall")
    end
    collectgarbage()
    collectgarbage()
    assert.is_nil(kept[1])
    assert.is_nil(kept[2])
    await_quiet()
  end)
end)

describe("a clock that jumps", function()
  it("changes neither deadlines, nor waits, nor the age of tokens", function()
    tenant.control(sandbox, "POST reset")
    local options = tenant.options(sandbox, { base_url = sandbox.http_url })
    local output, status = tenant.host(options, ([[
      local function late(seconds, began, run)
        run()
        local taken = host.now() - began
        return taken >= seconds - 0.01 and taken < seconds + %g or taken
      end
      local faults = client:with{ base_url = %q, max_attempts = 2, access_token = "token" }
      assert(client:get("odata/Machines", { top = 1 }))
      for _, seconds in ipairs { 86400, -2 * 86400, 1 } do
        local began = host.now()
        local call = faults:start("GET", "fault/stall", { timeout = 0.3 })
        host.jump(seconds)
        assert(math.abs(assert(client:token()).expires_at - os.time() - 3600) < 100)
        assert(client:get("odata/Machines", { top = 1 }))
        print(late(0.3, began, function() assert(select(2, call:wait()).kind == "timeout") end))
      end
      host.jump(12345)
      local began = host.now()
      assert(faults:get("fault/first/1/jump/status/503/date:1"))
      print(host.now() - began < 3)
    ]]):format(0.3 * tenant.SLOWER, sandbox.fault_url))
    expect("true\ntrue\ntrue\ntrue\n", output, status)
    assert.equal(1, tenant.control(sandbox, "GET counters").token_requests)
  end)

  it("because the machine was asleep ends a token: no call goes out with it", function()
    tenant.control(sandbox, "POST reset")
    tenant.control(sandbox, "POST settings", { record = true })
    local output, status = tenant.host(tenant.options(sandbox, { base_url = sandbox.http_url }), [[
      local first = assert(client:access_token())
      assert(client:get("odata/Machines", { top = 1 }))
      host.jump(3600, 3600)
      local _, response = assert(client:get("odata/Machines", { top = 1 }))
      print(response.attempts, client:access_token() ~= first)
    ]])
    expect("1\ttrue\n", output, status)
    assert.equal(2, tenant.control(sandbox, "GET counters").token_requests)
    tenant.control(sandbox, "POST reset")
  end)
end)

describe("Ctrl-C", function()
  -- What waits; `caught` runs it and says when it was interrupted.
  local rows = {
    { "in a script", "client:get 'fault/stall'" },
    { "in a coroutine", "assert(coroutine.resume(coroutine.create(function() client:get 'fault/stall' end)))" },
    { "in a coroutine of a coroutine",
      "coroutine.wrap(function() coroutine.wrap(function() client:start('GET', 'fault/stall'):wait() end)() end)()" },
    { "while the engine's thread drives", [[
      local call = client:start("GET", "fault/stall")
      require("system").sleep(0.02)
      call:wait(20)]] },
    { "in a wait with a limit", "client:start('GET', 'fault/stall'):wait(20)" },
    { "in a pause before another attempt", "client:get('fault/status/503/30', { max_attempts = 2, timeout = 60 })" },
    { "while bytes keep coming", "client:get 'fault/trickle/0.003'" },
    { "while bytes come all the time", [[
      local calls = {}
      for i = 1, 100 do calls[i] = client:start("GET", "fault/trickle/0.001") end
      calls[1]:wait()]] },
    { "while a function waits for another call", [[
      client:with{ access_token = function() return client:get "fault/stall" end }:get "fault/ok"]] },
  }
  for _, row in ipairs(rows) do
    it(row[1] .. " interrupts within 0.1 s", function()
      -- Three times within a second, and once within a tenth. A busy machine gets more tries for it.
      local fastest, timely, round = math.huge, 0, 0
      tenant.in_time(0, function()
        round = round + 1
        local pipe = assert(io.popen("exec " .. tenant.command(tenant.fault_options(sandbox), ([[
          local system = require "system"
          local stat = io.open "/proc/self/stat"
          print(stat:read "*n")
          stat:close()
          -- In a coroutine it is raised first there, then in the script.
          local ok, err = pcall(function() error(select(2, pcall(function() %s end)) or "nothing", 0) end)
          print(system.monotime(), ok, err)
        ]]):format(row[2])) .. " 2>&1"))
        local pid = pipe:read "*n"
        pipe:read "*l"
        tenant.eventually(function() return tenant.control(sandbox, "GET counters").in_flight > 0 or row[1]:find "pause" end)
        tenant.sleep(0.03 * ((round - 1) % 3 + 1))
        local sent = tenant.now()
        os.execute("kill -INT " .. math.floor(pid))
        local said = pipe:read "*a"
        pipe:close()
        local at, what = said:match "^([%d.]+)%s+(.*)$"
        assert.is_truthy(at, said)
        assert.matches("interrupted!", what)
        -- LuaJIT's hook says where: in the script, not in a chunk of ours.
        if jit then assert.matches("%(command line%):%d+: interrupted!", what) end
        local seconds = tonumber(at) - sent
        fastest = math.min(fastest, seconds)
        if seconds < 1 * tenant.SLOWER then timely = timely + 1 end
        await_quiet()
        return timely >= 3 and fastest - 0.1 * tenant.SLOWER or math.huge
      end)
      assert.is_true(timely >= 3, timely)
      assert.is_true(fastest < 0.1 * tenant.SLOWER, fastest)
    end)
  end
end)

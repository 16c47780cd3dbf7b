-- Functions side by side: uipath.map, uipath.all, and the calls made in them.

local assert = require "luassert"
local tenant = require "spec.support.tenant"
local uipath = require "uipath"

local sandbox, client, slow

setup(function()
  sandbox = assert(require("uipath.sandbox").start())
  client = uipath.connect(tenant.options(sandbox))
  slow = uipath.connect(tenant.fault_options(sandbox))
end)
teardown(function() sandbox:stop() end)
before_each(function() tenant.control(sandbox, "POST reset") end)

local function counters()
  return tenant.control(sandbox, "GET counters")
end

local function numbers(count)
  local list = {}
  for index = 1, count do list[index] = index end
  return list
end

local function get_machine(through, number)
  local machine, err = through:get("odata/Machines" .. uipath.odata.key(3000 + number))
  return machine and machine.Id, err
end

-- A call that is never answered, and a condition that tells when the sandbox has it.
local function stall(through)
  return through:get("fault/stall", { timeout = 60 })
end

local function is_quiet()
  return counters().in_flight == 0
end

describe("map", function()
  it("keeps the order, and errors apart", function()
    local results, errors = uipath.map(numbers(14), function(number, index)
      assert.equal(number, index)
      return get_machine(client, number)
    end)
    assert.equal(14, results.n)
    for number = 1, 12 do
      assert.equal(3000 + number, results[number])
      assert.is_nil(errors[number])
    end
    assert.is_nil(results[13])
    assert.equal("not_found", errors[13].kind)
    assert.matches("^spec/concurrency_spec.lua:%d+: GET ", tostring(errors[14]))
  end)

  it("gives no table of errors where there is none", function()
    local results, errors = uipath.map({}, error)
    assert.same({ n = 0 }, results)
    assert.is_nil(errors)
    results, errors = uipath.map({ 1, 2 }, function() end)
    assert.same({ n = 2 }, results)
    assert.is_nil(errors)
    results, errors = uipath.map({ 1, 2, 3 }, function(number) return number > 1 and number or nil, "one" end)
    assert.same({ nil, 2, 3, n = 3 }, results)
    assert.same({ "one" }, errors)
  end)

  for _, case in ipairs { { nil, 8 }, { { concurrency = 3 }, 3 }, { { concurrency = 1 }, 1 } } do
    it(("runs %d at a time"):format(case[2]), function()
      tenant.control(sandbox, "POST settings", { latency = 0.05 })
      local running, most = 0, 0
      local results, errors = uipath.map(numbers(20), function(number)
        running = running + 1
        most = math.max(most, running)
        local id, err = get_machine(client, (number - 1) % 12 + 1)
        running = running - 1
        return id, err
      end, case[1])
      assert.is_nil(errors)
      assert.equal(20, results.n)
      assert.equal(case[2], most)
      assert.equal(case[2], counters().max_in_flight)
    end)
  end

  it("overlaps calls of every kind", function()
    tenant.control(sandbox, "POST settings", { latency = 0.1 * tenant.SLOWER })
    local other = uipath.connect(tenant.options(sandbox, { scope = "OR.Machines" }))
    local seen = uipath.map({
      function() return (other:token()) and "token" end,
      function() return (other:access_token()) and "access_token" end,
      function() return (client:request("GET", "odata/Machines", { top = 1 })) and "request" end,
      function() return (client:start("GET", "odata/Machines", { top = 1 }):wait()) and "start" end,
      function() return (client:count "odata/Machines") and "count" end,
      function() return (client:collect "odata/Folders") and "collect" end,
    }, function(fn) return fn() end)
    assert.same({ "token", "access_token", "request", "start", "count", "collect", n = 6 }, seen)
    assert.equal(5, counters().max_in_flight) -- the token is fetched once
  end)

  it("waits for a call for some seconds only, while the others go on", function()
    local order = {}
    local results = uipath.map({ "short", "long" }, function(name)
      local call = slow:start("GET", name == "short" and "fault/stall" or "fault/slow/0.2")
      local _, err = call:wait(name == "short" and 0.05 or nil)
      order[#order + 1] = name
      return err == nil or err.kind or err
    end)
    assert.equal("timeout", results[1])
    assert.same({ "short", "long" }, order)
  end)

  it("raises what a function raises, and ends the others", function()
    local waits
    local ok, err = pcall(uipath.map, { 1, 2, 3 }, function(number)
      if number == 3 then
        tenant.eventually(function() return counters().in_flight == 2 end)
        error({ "mine" })
      end
      waits = true
      stall(slow)
      waits = "resumed"
    end)
    assert.is_false(ok)
    assert.same({ "mine" }, err)
    assert.is_true(waits)
    tenant.eventually(is_quiet)
  end)

  -- Lua 5.4 and 5.5 have closing values; where there are none, there is no such test.
  if load "local _ <close> = nil" then
    it("closes what a function that raises, or yields, has open", function()
      local closed = 0
      local closing = { __close = function() closed = closed + 1 end }
      local function opening(ending)
        return load(("local closing = ...; return function() local it <close> = setmetatable({}, closing); %s end"):format(ending))(closing)
      end
      assert.is_false((pcall(uipath.map, { 1 }, opening "error 'no more'")))
      assert.equal(1, closed)
      assert.is_false((pcall(uipath.map, { 1 }, opening "coroutine.yield()")))
      assert.equal(2, closed)
    end)
  end

  it("says where a function has raised", function()
    local ok, err = pcall(uipath.map, { 1 }, function() error "broken" end)
    assert.is_false(ok)
    assert.matches("^spec/concurrency_spec.lua:%d+: broken$", err)
  end)

  it("cancels what a function has started that is ended", function()
    local calls = {}
    pcall(uipath.map, { 1, 2 }, function(number)
      if number == 1 then
        calls[1], calls[2] = slow:start("GET", "fault/stall"), slow:start("GET", "fault/stall")
        calls[1]:wait()
      end
      tenant.eventually(function() return counters().in_flight == 2 end)
      error "broken"
    end)
    for _, call in ipairs(calls) do
      local _, err = call:wait(5)
      assert.equal("cancelled", err.kind)
    end
  end)

  it("leaves alone what was started outside", function()
    local call = slow:start("GET", "fault/slow/0.3")
    pcall(uipath.map, { 1, 2 }, function(number)
      if number == 2 then error "broken" end
      call:wait()
    end)
    assert(call:wait())
  end)

  it("may run within itself, and the outer ones go on", function()
    tenant.control(sandbox, "POST settings", { latency = 0.1 })
    local sums = uipath.map(numbers(4), function(number)
      local inner, errors = uipath.map(numbers(3), function(other) return get_machine(client, number + other) end)
      assert.is_nil(errors)
      return inner[1] + inner[2] + inner[3] - 9000
    end)
    assert.same({ 9, 12, 15, 18, n = 4 }, sums)
    assert.equal(12, counters().max_in_flight)
  end)

  it("ends what runs within a function that is ended", function()
    local resumed = false
    collectgarbage("stop") -- or it would cancel them in time
    finally(function() collectgarbage("restart") end)
    local ok, err = pcall(uipath.map, { 1, 2 }, function(number)
      if number == 1 then
        uipath.map({ 1, 2, 3 }, function()
          stall(slow)
          resumed = true
        end)
      end
      -- The inner ones begin while this waits.
      tenant.eventually(function() return get_machine(client, 1) and counters().in_flight == 3 end)
      error("broken", 0)
    end)
    assert.same({ false, "broken" }, { ok, err })
    tenant.eventually(is_quiet)
    assert.is_false(resumed)
  end)

  it("tidies up for a function that is ended, and for no other one", function()
    local on_cancel, done = require("uipath.concurrency").on_cancel, {}
    local function note(word)
      return on_cancel(function() done[#done + 1] = word end)
    end
    note("of no task")() -- there is nothing that could be cancelled
    pcall(uipath.map, { 1, 2, 3 }, function(number)
      if number == 1 then
        note "first"
        note "removed"()
        on_cancel(function() error "its own trouble" end)
        on_cancel(function()
          -- A call blocks here, and works.
          done[#done + 1] = assert(get_machine(client, 1))
        end)
        uipath.all(function()
          note "inner"
          stall(slow)
        end)
      elseif number == 2 then
        return note "has ended by itself" and true
      end
      tenant.eventually(function() return get_machine(client, 1) and counters().in_flight == 1 end)
      error("broken", 0)
    end)
    assert.same({ "inner", 9001, "first" }, { done[1], type(done[2]) == "number" and 9001, done[3] })
    assert.equal(3, #done)
    tenant.eventually(is_quiet)
  end)

  it("passes an inner failure on to its own caller", function()
    local results, errors = uipath.map({ 1, 2 }, function(number)
      local ok, err = pcall(uipath.map, { 1, 2 }, function(other)
        if number == 2 and other == 2 then error("inner", 0) end
        return get_machine(client, other)
      end)
      return ok or nil, err
    end)
    assert.same({ true, nil, n = 2 }, results)
    assert.same({ nil, "inner" }, errors)
  end)

  it("blocks in a coroutine of the user's own", function()
    local results, errors = uipath.map(numbers(3), function(number)
      local id = coroutine.wrap(function()
        local found = get_machine(client, number)
        coroutine.yield(found)
      end)()
      return id, uipath.map({ 1 }, function() return get_machine(client, 1) end)[1]
    end)
    assert.same({ 3001, 3002, 3003, n = 3 }, results)
    assert.is_nil(errors)
    assert.equal(1, counters().max_in_flight)
  end)

  it("may be called from a coroutine that yields afterwards", function()
    local thread = coroutine.wrap(function()
      local results = uipath.map(numbers(2), function(number) return get_machine(client, number) end)
      coroutine.yield(results[2])
    end)
    assert.equal(3002, thread())
  end)

  it("blocks where its functions cannot yield", function()
    local results = uipath.map({ "3001,3002", "3003" }, function(text)
      return (text:gsub("%d+", function(id) return assert(client:get("odata/Machines(" .. id .. ")")).Name end))
    end)
    assert.same({ "VM-BERLIN-01,VM-BERLIN-02", "VM-BERLIN-03", n = 2 }, results)
  end)

  it("tells a function that yields by itself", function()
    local ok, err = pcall(uipath.map, { 1, 2 }, function() coroutine.yield(5) end)
    assert.is_false(ok)
    assert.matches("must not yield", err)
  end)

  it("works for clients with functions among their options", function()
    tenant.control(sandbox, "POST settings", { latency = 0.05 })
    local token = assert(client:access_token())
    local events, fetched = 0, 0
    local other = uipath.connect(tenant.options(sandbox, { client_id = false, client_secret = false, scope = false,
      on_event = function() events = events + 1 end,
      access_token = function()
        fetched = fetched + 1
        return token, 3600
      end }))
    local results, errors = uipath.map(numbers(12), function(number) return get_machine(other, number) end)
    assert.is_nil(errors)
    assert.equal(3012, results[12])
    assert.equal(12, events)
    assert.equal(1, fetched)
    assert.equal(8, counters().max_in_flight)
  end)

  it("lets a token function make calls", function()
    local fetched = 0
    local other = uipath.connect(tenant.options(sandbox, { client_id = false, client_secret = false, scope = false,
      access_token = function()
        fetched = fetched + 1
        return client:access_token()
      end }))
    tenant.control(sandbox, "POST settings", { latency = 0.02 })
    local results, errors = uipath.map(numbers(6), function(number) return get_machine(other, number) end)
    assert.is_nil(errors)
    assert.equal(3006, results[6])
    assert.equal(1, fetched)
  end)

  it("walks pages in each of its functions", function()
    tenant.control(sandbox, "POST settings", { latency = 0.05 * tenant.SLOWER })
    local totals = uipath.map({ 2001, 2002, 2003 }, function(folder)
      local number = 0
      for _ in client:each("odata/QueueItems", { folder = folder }) do number = number + 1 end
      return number
    end)
    assert.same({ 1250, 320, 0, n = 3 }, totals)
    assert.is_true(counters().max_in_flight > 4)
  end)

  it("runs 10,000 functions that make no call", function()
    local results = uipath.map(numbers(10000), function(number) return number * 2 end, { concurrency = 100 })
    assert.equal(20000, results[10000])
  end)

  for _, row in ipairs {
    { "no list", { 5, print }, "the list must be a table" },
    { "no function", { {}, "x" }, "must be a function" },
    { "an unknown option", { {}, print, { concurency = 3 } }, "unknown option 'concurency'" },
    { "a concurrency of nothing", { {}, print, { concurrency = 0 } }, "concurrency must be a whole number from 1" },
    { "options that are none", { {}, print, 8 }, "options must be a table" },
  } do
    it("raises for " .. row[1], function()
      local ok, err = pcall(function() uipath.map(row[2][1], row[2][2], row[2][3]) end)
      assert.is_false(ok)
      assert.matches("^spec/concurrency_spec.lua:%d+: ", err)
      assert.is_truthy(err:find(row[3], 1, true), err)
    end)
  end
end)

describe("all", function()
  it("gives one result of each", function()
    local a, b, c, d = uipath.all(function() return get_machine(client, 1) end, function() return 2, 3 end,
      function() return get_machine(client, 3) end)
    assert.same({ 3001, 2, 3003, nil }, { a, b, c, d })
    assert.equal(0, select("#", uipath.all()))
    assert.equal(2, select("#", uipath.all(function() end, function() end)))
  end)

  it("gives the first error in time, and ends the others", function()
    local resumed = false
    local value, err = uipath.all(function()
      stall(slow)
      resumed = true
    end, function()
      tenant.eventually(function() return counters().in_flight == 1 end)
      return client:get "odata/Machines(1)"
    end)
    assert.is_nil(value)
    assert.equal("not_found", err.kind)
    assert.is_false(resumed)
    tenant.eventually(is_quiet)
  end)

  it("raises what a function raises", function()
    local ok, err = pcall(uipath.all, function() return 1 end, function() error("mine", 0) end)
    assert.same({ false, "mine" }, { ok, err })
    ok, err = pcall(function() uipath.all(print, 5) end)
    assert.is_false(ok)
    assert.matches("^spec/concurrency_spec.lua:%d+: all: argument 2 must be a function", err)
  end)
end)

describe("a script in a map", function()
  it("ends at once by Ctrl-C, with all its calls", function()
    local began = tenant.now()
    local output, status = tenant.run(tenant.fault_options(sandbox), [[
      local pid = io.open("/proc/self/stat"):read "*n"
      os.execute(("(sleep 0.3; kill -INT %d) &"):format(pid))
      uipath.map({ 1, 2, 3 }, function() return client:get("fault/stall", { timeout = 60 }) end)
    ]])
    assert.are_not.equal(0, status)
    assert.matches("interrupted!", output)
    assert.is_true(tenant.now() - began < 30, output)
    tenant.eventually(is_quiet)
  end)
end)

-- client.jobs: starting, waiting, output, stopping, logs; and what becomes of faults on the way.

local steps = require "spec.support.steps"
local tenant = require "spec.support.tenant"
local uipath = require "uipath"

local PAYROLL = "Payroll Check"

describe("client.jobs", function()
  local sandbox, client, shared

  setup(function()
    sandbox = assert(require("uipath.sandbox").start())
    client = uipath.connect(tenant.options(sandbox))
    shared = client:folder "Shared"
  end)
  teardown(function() sandbox:stop() end)

  -- The jobs of a reference, which tells how often something was started.
  local function started(reference)
    return assert(shared:collect("odata/Jobs", { filter = { "Reference eq ?", reference } }))
  end

  it("starts a process by its name, id, key and row", function()
    local row = shared:get("odata/Releases", { filter = { "Name eq ?", PAYROLL } }).value[1]
    for _, process in ipairs { PAYROLL, row.Id, row.Key, row, { name = PAYROLL } } do
      local job, jobs = assert(shared.jobs:start(process))
      assert.equal("Pending", job.State)
      assert.equal(PAYROLL, job.ReleaseName)
      assert.equal(1, #jobs)
    end
  end)

  it("says how the job is to be", function()
    local job, jobs = assert(shared.jobs:start(PAYROLL, { Month = 5 }, {
      count = 3, reference = "said", priority = "High", runtime = "Unattended", environment = { A = 1, B = "x" },
      fields = { EntryPointPath = "Other.xaml" },
    }))
    assert.equal(3, #jobs)
    assert.equal("said", job.Reference)
    assert.equal("High", job.JobPriority)
    assert.equal("A=1\nB=x", job.EnvironmentVariables)
    assert.equal("Other.xaml", job.EntryPointPath)
    assert.same({ Month = 5 }, uipath.json.decode(job.InputArguments))
    assert.equal(30, assert(shared.jobs:start(PAYROLL, nil, { priority = 30 })).SpecificPriorityValue)
  end)

  it("runs a process: its output and its job", function()
    local output, job = assert(shared.jobs:run(PAYROLL, { Month = 6 }))
    assert.equal(6, output.Month)
    assert.equal("Successful", job.State)
  end)

  it("takes what another recipe gives", function()
    local ended = client.jobs:wait(shared.jobs:start(PAYROLL, { Seconds = 0.1 }))
    assert.same({ Seconds = 0.1, Result = "done" }, client.jobs:output(ended))
  end)

  it("tells a fault with the robot's own words", function()
    local output, err = shared.jobs:run(PAYROLL, { Fault = "Order 4711 is locked" })
    assert.is_nil(output)
    assert.equal("failed", err.kind)
    assert.is_truthy(err.message:find("Order 4711 is locked", 1, true))
    assert.equal("Faulted", err.job.State)
  end)

  it("waits for all of a list and tells each change", function()
    local _, jobs = assert(shared.jobs:start(PAYROLL, nil, { count = 3 }))
    local changes = {}
    local ended = assert(shared.jobs:wait(jobs, { on_change = function(job) changes[#changes + 1] = job.State end }))
    for i = 1, 3 do
      assert.equal(jobs[i].Id, ended[i].Id)
      assert.equal("Successful", ended[i].State)
    end
    local last = {}
    for i = #changes - 2, #changes do last[#last + 1] = changes[i] end
    assert.same({ "Successful", "Successful", "Successful" }, last)
  end)

  it("tells which of a list has failed when all have ended", function()
    local bad, good = assert(shared.jobs:start(PAYROLL, { Fault = true })), assert(shared.jobs:start(PAYROLL))
    local ended, err = shared.jobs:wait { bad, good }
    assert.is_nil(ended)
    assert.equal(bad.Id, err.job.Id)
    assert.equal("Successful", err.jobs[2].State)
  end)

  it("ends a wait when its time is over, and the job goes on", function()
    local job = assert(shared.jobs:start(PAYROLL, { Seconds = 60 }))
    local ended, err = shared.jobs:wait(job.Key, { timeout = 1 })
    assert.is_nil(ended)
    assert.equal("timeout", err.kind)
    assert.equal(job.Id, err.job.Id)
    assert.is_true(shared.jobs:stop(job.Id, { kill = true }))
    ended, err = shared.jobs:wait(job)
    assert.is_nil(ended)
    assert.equal("failed", err.kind)
    assert.equal("Stopped", err.job.State)
  end)

  it("says why a job does not go on", function()
    local suspended = assert(shared.jobs:start(PAYROLL, { Suspend = true }))
    tenant.eventually(function() return shared:get(("odata/Jobs(%d)"):format(suspended.Id)).State == "Suspended" end)
    local _, err = shared.jobs:wait(suspended, { timeout = 0 })
    assert.is_truthy(err.hint:find "waits for a person or another job")
    -- There is no machine in that folder.
    local archive = client:folder "Archive"
    assert(archive:post("odata/Releases", { Name = "Lonely", ProcessKey = "PayrollCheck", ProcessVersion = "1.0.1" }))
    _, err = archive.jobs:run("Lonely", nil, { timeout = 0 })
    assert.equal("timeout", err.kind)
    assert.is_truthy(err.hint:find("TemplateNoHostsAvailable", 1, true), err.hint)
    assert.equal("Pending", err.job.State)
  end)

  it("gives {} where there is no output, and says what an older robot may have done", function()
    local job = { Id = 1, State = "Successful", OutputArguments = uipath.null, OutputFile = uipath.null, OrganizationUnitId = 2001 }
    local output, note = client.jobs:output(job)
    assert.same({}, output)
    assert.is_truthy(note:find "10,000")
  end)

  it("restarts what has ended", function()
    local job = assert(shared.jobs:start(PAYROLL))
    local again, err = shared.jobs:restart(job)
    assert.is_nil(again)
    assert.equal("conflict", err.kind)
    assert(shared.jobs:wait(job))
    again = assert(shared.jobs:restart(job))
    assert.is_true(again.Id > job.Id)
  end)

  it("stops a list, jobs of several folders among it", function()
    local one = assert(shared.jobs:start(PAYROLL, { Seconds = 60 }))
    local other = assert(client.jobs:start(PAYROLL, { Seconds = 60 }, { folder = "Shared/Finance" }))
    assert.is_true(client.jobs:stop { one, other })
    local _, err = client.jobs:wait { one, other }
    assert.equal("Stopped", err.jobs[1].State)
    assert.equal("Stopped", err.jobs[2].State)
  end)

  it("reads the log, and follows it until the job has ended", function()
    local job = assert(shared.jobs:start(PAYROLL))
    local followed = {}
    for line in shared.jobs:logs(job, { follow = true }) do followed[#followed + 1] = line.Message end
    assert.same({ PAYROLL .. " execution started", "half of it is done", PAYROLL .. " execution ended" }, followed)
    local read = {}
    for line in shared.jobs:logs(job.Key) do read[#read + 1] = line.Message end
    assert.same(followed, read)
    local errors = {}
    for line in shared.jobs:logs(job.Id, { filter = "Level eq 'Error'" }) do errors[#errors + 1] = line end
    assert.same({}, errors)
  end)

  it("iterates over jobs with the options of each", function()
    local count = 0
    for job in shared.jobs:each { filter = { "State eq ?", "Faulted" }, limit = 7 } do
      assert.equal("Faulted", job.State)
      count = count + 1
    end
    assert.equal(7, count)
  end)

  it("uses a row in the folder that it says", function()
    local job = assert(client.jobs:start(PAYROLL, nil, { folder = "Shared/Finance" }))
    assert.equal("Successful", assert(client.jobs:wait(job)).State)
  end)

  it("works side by side", function()
    local states = uipath.map({ 1, 2, 3, 4 }, function(number)
      local output = shared.jobs:run(PAYROLL, { Number = number })
      return output and output.Number
    end)
    assert.same({ 1, 2, 3, 4, n = 4 }, states)
  end)

  describe("refuses", function()
    it("what has no folder, before anything is sent", function()
      for _, run in ipairs {
        function() return client.jobs:start(PAYROLL) end, function() return client.jobs:run(PAYROLL) end,
        function() return client.jobs:wait(5) end, function() return client.jobs:stop(5) end,
        function() return client.jobs:restart(5) end, function() return client.jobs:output(5) end,
      } do
        local log = steps.run(run)
        assert.is_nil(log.results[1])
        assert.equal("usage", log.results[2].kind)
        assert.equal(0, #log)
      end
      for _, run in ipairs { function() return client.jobs:each() end, function() return client.jobs:logs(5) end } do
        local ok, err = pcall(run)
        assert.is_false(ok)
        assert.equal("usage", err.kind)
      end
    end)

    it("a name that is not there, with the nearest ones", function()
      local job, err = shared.jobs:start "Payrol Check"
      assert.is_nil(job)
      assert.equal("not_found", err.kind)
      assert.is_truthy(err.message:find("the folder Shared", 1, true))
      assert.is_truthy(err.message:find("'Payroll Check'", 1, true))
    end)

    it("a name that two have, with their ids", function()
      local finance = client:folder "Shared/Finance"
      -- The service does not heed case: both are hits of the name in a third spelling.
      assert(finance:post("odata/Releases", { Name = "Twice", ProcessKey = "PayrollCheck", ProcessVersion = "1.0.1" }))
      local rows = { { Id = 71, Name = "TWICE" }, { Id = 72, Name = "twice" } }
      local log = steps.run(function() return finance.jobs:start "Twice" end, 1, function() return { value = rows } end)
      assert.equal("usage", log.results[2].kind)
      assert.is_truthy(log.results[2].message:find("71, 72", 1, true))
    end)

    it("mistakes of the script, by raising, with the nearest name", function()
      local function raises(words, run)
        local ok, message = pcall(run)
        assert.is_false(ok)
        assert.is_truthy(tostring(message):find(words, 1, true), tostring(message))
        assert.is_truthy(tostring(message):find("recipes_jobs_spec.lua:", 1, true), tostring(message))
      end
      raises("did you mean 'reference'?", function() shared.jobs:start(PAYROLL, nil, { refernce = "x" }) end)
      raises("unknown option 'count'", function() shared.jobs:run(PAYROLL, nil, { count = 2 }) end)
      raises("did you mean 'start'?", function() shared.jobs:strat(PAYROLL) end)
      raises("count must be a whole number", function() shared.jobs:start(PAYROLL, nil, { count = 0 }) end)
      raises("priority must be", function() shared.jobs:start(PAYROLL, nil, { priority = "Hihg" }) end)
      raises("input must be a table", function() shared.jobs:start(PAYROLL, "Month=5") end)
      raises("is a list", function() shared.jobs:start(PAYROLL, { 1, 2 }) end)
      raises("process must be a name", function() shared.jobs:start() end)
      raises("job must be an id", function() shared.jobs:wait "not a key" end)
      raises("called with a colon", function() shared.jobs.start(PAYROLL) end)
      raises("unknown option 'fliter'", function()
        for _ in shared.jobs:each { fliter = "x" } do end -- luacheck: ignore 542
      end)
    end)
  end)

  describe("never does twice what may have been done", function()
    local number, hasty = 0, nil
    setup(function() hasty = shared:with { timeout = 2 * tenant.SLOWER } end)

    local function new_reference()
      number = number + 1
      return "lost-" .. number
    end

    it("when it starts a job", function()
      local cases = steps.try_all {
        prepare = new_reference,
        run = function(reference) return hasty.jobs:start(PAYROLL, nil, { reference = reference }) end,
        verify = function(reference, log, fault, step)
          local found, job = started(reference), log.results[1]
          if not step.changes then return end
          assert.equal(fault == "answer_lost" and 1 or 0, #found)
          -- What was started is found by its own key.
          if fault == "answer_lost" then assert.equal(found[1].Id, job.Id) else assert.is_nil(job) end
        end,
      }
      assert.equal(8, cases)
    end)

    it("when it starts several", function()
      local reference = new_reference()
      local log = steps.run(function() return hasty.jobs:start(PAYROLL, nil, { reference = reference, count = 4 }) end, 2,
        steps.FAULTS.answer_lost)
      assert.equal(4, #log.results[2])
      assert.equal(4, #started(reference))
    end)

    it("when the service does not filter by the key", function()
      local reference, collect = new_reference(), nil
      local methods = debug.getmetatable(client).methods
      local log = steps.run(function()
        collect = methods.collect
        rawset(methods, "collect", function(self, path, options)
          if tostring(options.filter[1]):find "BatchExecutionKey" then return client:get "odata/Jobs?$filter=Nothing eq 1" end
          return collect(self, path, options)
        end)
        return hasty.jobs:start(PAYROLL, nil, { reference = reference })
      end, 2, steps.FAULTS.answer_lost)
      assert.equal(started(reference)[1].Id, log.results[1].Id)
    end)

    it("when only the process's key is known, and the service does not filter", function()
      local reference = new_reference()
      local key = shared:get("odata/Releases", { filter = { "Name eq ?", PAYROLL } }).value[1].Key
      local methods = debug.getmetatable(client).methods
      local log = steps.run(function()
        local collect = methods.collect
        rawset(methods, "collect", function(self, path, options)
          if options.filter and tostring(options.filter[1]):find "BatchExecutionKey" then
            return client:get "odata/Jobs?$filter=Nothing eq 1"
          end
          return collect(self, path, options)
        end)
        return hasty.jobs:start(key, nil, { reference = reference })
      end, 1, steps.FAULTS.answer_lost)
      assert.equal(started(reference)[1].Id, log.results[1].Id)
    end)

    it("when a key of the caller's own cannot tell its jobs from others", function()
      local log = steps.run(function()
        return hasty.jobs:start(PAYROLL, nil, { fields = { BatchExecutionKey = "11111111-2222-4333-8444-555555555555" } })
      end, 2, steps.FAULTS.answer_lost)
      assert.is_nil(log.results[1])
      assert.is_true(log.results[2].uncertain)
      assert.is_truthy(log.results[2].hint:find("may have been done", 1, true))
    end)

    it("when fewer have been started than were asked for", function()
      local log = steps.run(function() return hasty.jobs:start(PAYROLL, nil, { count = 2 }) end, 2, function(send)
        local answer = send()
        table.remove(answer.value)
        return answer
      end)
      local err = log.results[2]
      assert.equal("failed", err.kind)
      assert.equal(1, #err.jobs)
    end)

    it("when it stops and restarts", function()
      assert.equal(4, steps.try_all {
        prepare = function() return assert(hasty.jobs:start(PAYROLL, { Seconds = 30 })) end,
        run = function(job) return hasty.jobs:stop(job, { kill = true }) end,
      })
      local ended = assert(hasty.jobs:wait(assert(hasty.jobs:start(PAYROLL, { Seconds = 0.1 }))))
      assert.equal(4, steps.try_all { run = function() return hasty.jobs:restart(ended) end })
    end)

    it("when it runs one", function()
      local cases = steps.try_all {
        prepare = new_reference,
        run = function(reference) return hasty.jobs:run(PAYROLL, { Seconds = 0.1 }, { reference = reference }) end,
        verify = function(reference) assert.is_true(#started(reference) <= 1) end,
      }
      assert.equal(12, cases)
    end)

    it("through an outage while it waits", function()
      local job = assert(hasty.jobs:start(PAYROLL, { Seconds = 0.1 }))
      for at = 1, 2 do
        local log = steps.run(function() return hasty.jobs:wait(job) end, at, steps.FAULTS.request_lost)
        assert.is_table(log.results[1], tostring(log.results[2]))
      end
    end)
  end)
end)

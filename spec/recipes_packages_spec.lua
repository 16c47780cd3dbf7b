-- client.packages, client.processes, client.schedules; and what becomes of faults on the way.

local steps = require "spec.support.steps"
local tenant = require "spec.support.tenant"
local uipath = require "uipath"

describe("client.packages", function()
  local sandbox, client, shared, hasty, directory
  local numbers = 0

  setup(function()
    sandbox = assert(require("uipath.sandbox").start())
    client = uipath.connect(tenant.options(sandbox))
    shared = client:folder "Shared"
    hasty = shared:with { timeout = 2 * tenant.SLOWER }
    directory = os.tmpname()
    os.remove(directory)
    assert(os.execute("mkdir " .. directory))
  end)
  teardown(function()
    os.execute("rm -r " .. directory)
    sandbox:stop()
  end)

  local function write(id, version, content)
    local path = ("%s/%s.%s.nupkg"):format(directory, id, version)
    local file = assert(io.open(path, "wb"))
    file:write(content or "PK")
    file:close()
    return path
  end

  local function new_id()
    numbers = numbers + 1
    return "Package.Number" .. numbers
  end

  -- A package with these versions.
  local function published(...)
    local id = new_id()
    for _, version in ipairs { ... } do assert(shared.packages:publish(write(id, version))) end
    return id
  end

  it("publishes a file, once", function()
    local id = new_id()
    local path = write(id, "1.2.3")
    assert.same({ Id = id, Version = "1.2.3", Key = id .. ":1.2.3" }, shared.packages:publish(path))
    local package, err = shared.packages:publish(path)
    assert.is_nil(package)
    assert.equal("conflict", err.kind)
    assert.is_nil(err.uncertain)
    package, err = shared.packages:publish(directory .. "/missing.1.0.0.nupkg")
    assert.is_nil(package)
    assert.equal("file", err.kind)
  end)

  it("takes what the answer says of the file, whatever the status", function()
    for status, kind in pairs { Conflict = "conflict", BadRequest = "failed", Forbidden = "failed", InternalServerError = "failed" } do
      -- The fourth request, behind folder, feed and versions.
      local log = steps.run(function() return shared.packages:publish(write(new_id(), "1.0.0")) end, 4, function()
        return { value = { { Key = "X:1.0.0", Status = status, Body = "the reason" } } }
      end)
      assert.is_nil(log.results[1])
      assert.equal(kind, log.results[2].kind)
      assert.is_truthy(log.results[2].message:find("the reason", 1, true))
    end
  end)

  it("lists versions, and says that a package is not there", function()
    local id = published("1.0.0", "1.10.0", "1.9.0")
    local versions = assert(shared.packages:versions(id))
    assert.equal("1.10.0", versions[1].Version)
    assert.equal(3, #versions)
    local found, err = shared.packages:versions(id .. "x")
    assert.is_nil(found)
    assert.equal("not_found", err.kind)
    assert.is_truthy(err.message:find(id, 1, true))
  end)

  it("works in the feed of the folder where it has one, else in the tenant's", function()
    local production, id = client:folder "Production", new_id()
    assert(production.packages:publish(write(id, "3.0.0")))
    assert.equal("3.0.0", assert(client:folder("Production/Übersicht 東京").packages:versions(id))[1].Version)
    assert.is_nil((shared.packages:versions(id)))
    assert.is_nil((client.packages:versions(id)))
    assert.is_not_nil(assert(client.packages:versions "PayrollCheck")[1])
    local process = assert(production.packages:deploy(id))
    assert.equal("3.0.0", process.ProcessVersion)
    assert.is_string(process.FeedId)
  end)

  it("downloads a version", function()
    local id = new_id()
    assert(shared.packages:publish(write(id, "1.0.0", "PK of " .. id)))
    local path = directory .. "/down"
    assert.equal(6 + #id, (shared.packages:download(id, "1.0.0", path)))
    local file = assert(io.open(path))
    assert.equal("PK of " .. id, file:read "*a")
    file:close()
    local bytes, err = shared.packages:download(id, "1.0.1", path)
    assert.is_nil(bytes)
    assert.equal("not_found", err.kind)
    assert.is_truthy(err.message:find("the latest: 1.0.0", 1, true))
  end)

  it("deploys: makes the process, updates it, or leaves it as it is", function()
    local id = published("1.0.0", "1.1.0")
    local process = assert(shared.packages:deploy(id, "1.0.0"))
    assert.equal("1.0.0", process.ProcessVersion)
    assert.equal(id, process.Name)
    local same = assert(shared.packages:deploy(id))
    assert.equal(process.Id, same.Id)
    assert.equal("1.1.0", same.ProcessVersion)
    local log = steps.run(function() return shared.packages:deploy(id, "1.1.0") end)
    assert.equal("1.1.0", log.results[1].ProcessVersion)
    for _, step in ipairs(log) do assert.is_false(step.changes) end
    assert.equal("1.0.0", assert(shared.packages:rollback(id)).ProcessVersion)
    local _, err = shared.packages:deploy(id, "2.0.0")
    assert.equal("not_found", err.kind)
    assert.is_truthy(err.message:find("1.1.0, 1.0.0", 1, true))
  end)

  it("changes nothing else of a process", function()
    local id = published("1.0.0", "1.1.0")
    local process = assert(shared.packages:deploy(id, "1.0.0"))
    assert(shared:patch(("odata/Releases(%d)"):format(process.Id), { Description = "mine", SpecificPriorityValue = 80 }))
    process = assert(shared.packages:deploy(id))
    assert.equal("mine", process.Description)
    assert.equal(80, process.SpecificPriorityValue)
  end)

  it("asks which of two processes is meant", function()
    local id = published("1.0.0", "1.1.0")
    for _, name in ipairs { id .. " a", id .. " b" } do
      assert(shared:post("odata/Releases", { Name = name, ProcessKey = id, ProcessVersion = "1.0.0" }))
    end
    local process, err = shared.packages:deploy(id)
    assert.is_nil(process)
    assert.equal("usage", err.kind)
    assert.is_truthy(err.message:find(id .. " a", 1, true))
    assert.equal(id .. " b", assert(shared.packages:deploy(id, "1.1.0", { name = id .. " b" })).Name)
    process, err = shared.packages:deploy(id, "1.1.0", { name = id .. " c" })
    assert.is_nil(process)
    assert.equal("not_found", err.kind)
  end)

  it("needs a folder only where it deploys", function()
    for _, run in ipairs {
      function() return client.packages:deploy "PayrollCheck" end, function() return client.packages:rollback "Payroll Check" end,
    } do
      local log = steps.run(run)
      assert.equal("usage", log.results[2].kind)
      assert.equal(0, #log)
    end
  end)

  it("never does twice what may have been done", function()
    steps.try_all {
      prepare = new_id,
      run = function(id) return hasty.packages:publish(write(id, "1.0.0")) end,
      verify = function(id, log, fault, step)
        if not step.changes then return end
        local found = shared.packages:versions(id)
        assert.equal(fault == "answer_lost", found ~= nil)
        if found then assert.equal(id .. ":1.0.0", log.results[1].Key) end
      end,
    }
    steps.try_all {
      prepare = function() return published "1.0.0" end, run = function(id) return hasty.packages:deploy(id) end,
      verify = function(id) assert.is_true(#assert(shared:collect("odata/Releases", { filter = { "ProcessKey eq ?", id } })) <= 1) end,
    }
    steps.try_all {
      prepare = function()
        local id = published("1.0.0", "1.1.0")
        assert(shared.packages:deploy(id, "1.0.0"))
        return id
      end,
      run = function(id) return hasty.packages:deploy(id) end,
    }
    steps.try_all {
      prepare = function()
        local id = published("1.0.0", "1.1.0")
        assert(shared.packages:deploy(id, "1.0.0"))
        assert(shared.packages:deploy(id))
        return id
      end,
      run = function(id) return hasty.packages:rollback(id) end,
    }
  end)

  it("does not take a version for its own that was there before", function()
    local id = published "1.0.0"
    local log = steps.run(function() return hasty.packages:publish(write(id, "1.0.0")) end, 4, steps.FAULTS.answer_lost)
    assert.is_nil(log.results[1])
    assert.is_true(log.results[2].uncertain)
  end)

  it("client.processes lists what a folder can run", function()
    local names = {}
    for process in client.processes:each { folder = "Shared/HR" } do names[process.Name] = true end
    assert.is_true(names["Payroll Check"])
  end)

  it("client.schedules are enabled and disabled", function()
    local function state() return shared:get("odata/ProcessSchedules", { filter = "Name eq 'Payroll on Mondays'" }).value[1].Enabled end
    assert.is_false(state())
    assert.is_true(shared.schedules:enable "Payroll on Mondays")
    assert.is_true(state())
    assert.is_true(shared.schedules:disable "Payroll on Mondays")
    assert.is_false(state())
    local count = 0
    for _ in shared.schedules:each() do count = count + 1 end
    assert.equal(2, count)
    local done, err = shared.schedules:enable "Payroll on Monday"
    assert.is_nil(done)
    assert.equal("not_found", err.kind)
    -- One that is refused shows in the body of an answer that is none.
    local log = steps.run(function() return shared.schedules:enable "Daily at 6" end, 2, function()
      return { ["8501"] = { message = "the process is not there", errorCode = 1002 } }, { status = 207 }
    end)
    assert.equal("failed", log.results[2].kind)
    steps.try_all { run = function() return hasty.schedules:enable "Daily at 6" end }
  end)
end)

-- client.buckets and client.exports, and long arguments of jobs: what is in files; and what becomes of faults on the way.

local steps = require "spec.support.steps"
local tenant = require "spec.support.tenant"
local uipath = require "uipath"

describe("client.buckets", function()
  local sandbox, client, shared, hasty, path

  setup(function()
    sandbox = assert(require("uipath.sandbox").start())
    client = uipath.connect(tenant.options(sandbox))
    shared = client:folder "Shared"
    hasty = shared:with { timeout = 2 * tenant.SLOWER }
    path = os.tmpname()
  end)
  teardown(function()
    os.remove(path)
    sandbox:stop()
  end)

  local function content()
    local file = assert(io.open(path, "rb"))
    local text = file:read "*a"
    file:close()
    return text
  end

  it("puts, lists, fetches and deletes files", function()
    assert.is_true(shared.buckets:upload("Invoices", "in/ä b?.txt", "one"))
    assert.equal("one", shared.buckets:read("Invoices", "in/ä b?.txt"))
    assert.is_true(shared.buckets:upload("Invoices", "in/ä b?.txt", "two"))
    assert.equal(3, shared.buckets:download("Invoices", "in/ä b?.txt", path))
    assert.equal("two", content())
    assert.is_true(shared.buckets:upload("Invoices", "out/copy", uipath.file(path)))
    local found = {}
    for row in shared.buckets:files("Invoices", { prefix = "in/" }) do found[#found + 1] = { row.fullPath, row.size } end
    assert.same({ { "in/ä b?.txt", 3 } }, found)
    assert.is_true(shared.buckets:delete("Invoices", "in/ä b?.txt"))
    local text, err = shared.buckets:read("Invoices", "in/ä b?.txt")
    assert.is_nil(text)
    assert.equal("not_found", err.kind)
  end)

  it("leaves no temporary file where a read is cancelled", function()
    local tmpname, temporary = os.tmpname, nil
    finally(function() os.tmpname = tmpname end) -- luacheck: ignore 122
    os.tmpname = function() -- luacheck: ignore 122
      temporary = tmpname()
      return temporary
    end
    local _, err = uipath.all(function() return shared.buckets:read("Reports", "in/report-0002.csv") end, function()
      while not temporary do uipath.sleep(0.001) end
      return nil, "enough"
    end)
    assert.equal("enough", err)
    assert.is_nil((io.open(temporary)))
  end)

  it("lists buckets, and all files of a full one", function()
    local names = {}
    for bucket in shared.buckets:each() do names[#names + 1] = bucket.Name end
    assert.same({ "Reports", "Invoices", "Archive" }, names)
    local count = 0
    for _ in shared.buckets:files "Reports" do count = count + 1 end
    assert.equal(1234, count)
  end)

  it("knows a bucket by name, id, key and row", function()
    local row = shared:get("odata/Buckets", { filter = "Name eq 'Reports'" }).value[1]
    for _, bucket in ipairs { "Reports", row.Id, row.Identifier, row } do
      assert.equal(1002, #assert(shared.buckets:read(bucket, "in/report-0002.csv")))
    end
    local text, err = shared.buckets:read("Report", "x")
    assert.is_nil(text)
    assert.is_truthy(err.message:find("'Reports'", 1, true))
  end)

  it("tells of progress, eight at a time", function()
    local names = {}
    for row in shared.buckets:files("Reports", { limit = 8 }) do names[#names + 1] = row.fullPath end
    local sizes = uipath.map(names, function(name)
      local told
      local text = shared.buckets:read("Reports", name, { on_progress = function(done) told = done end })
      return told == #text and told
    end)
    for i = 1, 8 do assert.equal(1000 + i, sizes[i]) end
  end)

  it("sends no token to the storage, and what it wants in headers", function()
    tenant.control(sandbox, "POST settings", { record = true })
    assert(shared.buckets:upload("Invoices", "seen", "x"))
    assert(shared.buckets:read("Invoices", "seen"))
    local port, seen = tonumber(sandbox.storage_url:match ":(%d+)$"), 0
    for _, request in ipairs(tenant.control(sandbox, "GET requests")) do
      if request.port == port then
        seen = seen + 1
        assert.is_nil(request.headers.authorization)
        if request.method == "PUT" then assert.equal("BlockBlob", request.headers["x-ms-blob-type"]) end
      end
    end
    assert.equal(2, seen)
    tenant.control(sandbox, "POST reset")
  end)

  it("gives the service's no", function()
    local done, err = shared.buckets:upload("Archive", "x", "y")
    assert.is_nil(done)
    assert.is_truthy(err.message:find "read%-only")
    done, err = client.buckets:upload("Invoices", "x", "y")
    assert.is_nil(done)
    assert.equal("usage", err.kind)
  end)

  it("never does twice what may have been done", function()
    steps.try_all { run = function() return hasty.buckets:upload("Invoices", "once", "1") end }
    steps.try_all { run = function() return hasty.buckets:read("Reports", "in/report-0002.csv") end }
    steps.try_all {
      prepare = function() return assert(shared.buckets:upload("Invoices", "gone", "1")) end,
      run = function() return hasty.buckets:delete("Invoices", "gone") end,
    }
  end)

  describe("client.exports", function()
    it("waits for the file and fetches it", function()
      local bytes = assert(shared.exports:save("Jobs", path, { filter = { "State eq ?", "Faulted" }, orderby = "Id desc" }))
      assert.equal(bytes, #content())
      assert.is_truthy(content():find("^Key,StartTime,"))
      assert.is_nil(content():find("Successful", 1, true))
      -- Audit logs are the tenant's.
      assert.is_true(assert(client.exports:save("AuditLogs", path)) > 1000)
      local _, lines = content():gsub("\r\n", "")
      assert.equal(251, lines)
      assert.is_true(assert(shared.exports:save("QueueItems", path, { queue = "Invoices" })) > 1000)
      assert.is_true(assert(shared.exports:save("RobotLogs", path)) > 0)
    end)

    it("ends when its time is over, and leaves the old file", function()
      assert(client.exports:save("AuditLogs", path))
      local before = content()
      local bytes, err = client.exports:save("AuditLogs", path, { timeout = 0.1 })
      assert.is_nil(bytes)
      assert.equal("timeout", err.kind)
      assert.equal(before, content())
    end)

    it("tells that one has failed", function()
      local log = steps.run(function() return client.exports:save("AuditLogs", path) end, 2, function()
        return { Id = 1, Status = "Failed" }
      end)
      assert.equal("failed", log.results[2].kind)
    end)

    it("needs a folder and a queue where the kind has one", function()
      local bytes, err = client.exports:save("Jobs", path)
      assert.is_nil(bytes)
      assert.equal("usage", err.kind)
      assert.has_error(function() shared.exports:save("QueueItems", path) end)
      assert.has_error(function() shared.exports:save("Jobs", path, { queue = "Invoices" }) end)
      local ok, message = pcall(function() shared.exports:save("Job", path) end)
      assert.is_false(ok)
      assert.is_truthy(message:find("did you mean 'Jobs'?", 1, true))
      local _, missing = shared.exports:save("QueueItems", path, { queue = "Invoicse" })
      assert.equal("not_found", missing.kind)
    end)

    it("is started once", function()
      local quick = client:with { timeout = 2 * tenant.SLOWER }
      steps.try_all { run = function() return quick.exports:save("AuditLogs", path) end }
    end)
  end)

  it("long input and output of jobs go by way of attachments", function()
    local input = {}
    for i = 1, 400 do input["Name" .. i] = ("v"):rep(40) .. i end
    local output, job = assert(shared.jobs:run("Payroll Check", input))
    assert.is_string(job.InputFile)
    assert.is_string(job.OutputFile)
    input.Result = "done"
    assert.same(input, output)
    input.Result = nil
    local started = 0
    steps.try_all {
      run = function() return hasty.jobs:start("Payroll Check", input) end,
      verify = function(_, log)
        if log.results[1] then started = started + 1 end
      end,
    }
    assert.is_true(started > 0)
  end)
end)

-- client.queues: adding one and many, transactions; and what becomes of faults on the way.

local steps = require "spec.support.steps"
local tenant = require "spec.support.tenant"
local uipath = require "uipath"

local BULK = "odata/Queues/UiPathODataSvc.BulkAddQueueItems"

describe("client.queues", function()
  local sandbox, client, shared, hasty
  local numbers = 0

  setup(function()
    sandbox = assert(require("uipath.sandbox").start())
    client = uipath.connect(tenant.options(sandbox))
    shared = client:folder "Shared"
    hasty = shared:with { timeout = 2 * tenant.SLOWER }
  end)
  teardown(function() sandbox:stop() end)

  -- The name of an empty queue.
  local function new_queue(unique)
    numbers = numbers + 1
    local name = "Queue " .. numbers
    assert(shared:post("odata/QueueDefinitions", { Name = name, EnforceUniqueReference = unique or false }))
    return name
  end

  local function references(queue)
    local found = {}
    for item in shared.queues:each(queue) do found[#found + 1] = item.Reference end
    table.sort(found)
    return found
  end

  local function rows(first, last)
    local list = {}
    for number = first, last do list[#list + 1] = { No = ("N%05d"):format(number) } end
    return list
  end

  local BY_NO = { field = "No" }

  it("adds an item with all that can be said of it", function()
    local queue = new_queue(true)
    local item = assert(shared.queues:add(queue, { Invoice = "I-1", Amount = 12.5, Paid = false, Note = uipath.null }, {
      reference = "I-1", priority = "High", defer = "2026-01-01", due = 1767225600, risk = { year = 2026, month = 1, day = 2, hour = 0 },
      progress = "new",
    }))
    assert.equal("I-1", item.Reference)
    assert.equal("High", item.Priority)
    assert.equal("new", item.Progress)
    assert.equal(12.5, item.SpecificContent.Amount)
    assert.is_truthy(item.DueDate:find "^2026%-01%-01T00:00:00")
    local _, err = shared.queues:add(queue, { Invoice = "I-1" }, { reference = "I-1" })
    assert.equal("conflict", err.kind)
    assert.equal(1, shared.queues:count(queue))
  end)

  it("says that a queue is not there, with the nearest names", function()
    for _, run in ipairs {
      function() return shared.queues:add("Invoces", { A = 1 }) end, function() return shared.queues:take "Invoces" end,
      function() return shared.queues:add_many("Invoces", { { A = 1 } }) end, function() return shared.queues:count "Invoces" end,
    } do
      local value, err = run()
      assert.is_nil(value)
      assert.equal("not_found", err.kind)
      assert.is_truthy(err.message:find("'Invoices'", 1, true), err.message)
    end
    local ok, err = pcall(function() return shared.queues:each "Invoces" end)
    assert.is_false(ok)
    assert.equal("not_found", err.kind)
  end)

  it("raises on content that is not flat, and on mistakes", function()
    local function raises(words, run)
      local ok, message = pcall(run)
      assert.is_false(ok)
      assert.is_truthy(tostring(message):find(words, 1, true), tostring(message))
    end
    raises("'Lines' is a table", function() shared.queues:add("Invoices", { Lines = { 1 } }) end)
    raises("item 2 must be flat: 'Lines'", function() shared.queues:add_many("Invoices", { { A = 1 }, { Lines = {} } }) end)
    raises("item 1 has no field 'Nr'", function() shared.queues:add_many("Invoices", { { A = 1 } }, { reference = { field = "Nr" } }) end)
    raises("did you mean 'reference'?", function() shared.queues:add("Invoices", {}, { referense = "x" }) end)
    raises('"until_failure"', function() shared.queues:add_many("Invoices", {}, { commit = "until_falure" }) end)
    raises("priority must be", function() shared.queues:add("Invoices", {}, { priority = "high" }) end)
    raises("at most 128 characters", function() shared.queues:add("Invoices", {}, { reference = ("ü"):rep(129) }) end)
    raises("must be a date", function() shared.queues:add("Invoices", {}, { due = "tomorrow" }) end)
    raises("must be a list", function() shared.queues:add_many("Invoices", { A = 1 }) end)
    raises("business goes with error", function() shared.queues:finish(5, { business = true }) end)
  end)

  it("adds many in requests of the size that is asked for", function()
    local queue = new_queue(true)
    local log = steps.run(function()
      return shared.queues:add_many(queue, rows(1, 250), { reference = BY_NO, chunk = 100, priority = function(_, index)
        return index % 2 == 0 and "Low" or "High"
      end })
    end)
    assert.same({ 250 }, log.results)
    assert.equal(4, #log)
    assert.equal(250, #references(queue))
    assert.equal("Low", shared:get("odata/QueueItems", { filter = { "Reference eq ?", "N00002" } }).value[1].Priority)
  end)

  it("begins a new request before one has more than 5 MB", function()
    local queue, big = new_queue(), ("x"):rep(400 * 1024)
    local log = steps.run(function()
      local left = 20
      return shared.queues:add_many(queue, function()
        left = left - 1
        if left >= 0 then return { Big = big } end
      end)
    end)
    assert.equal(20, log.results[1])
    assert.equal(3, #log)
  end)

  it("tells every item that is not there", function()
    local queue = new_queue(true)
    assert.equal(2, shared.queues:add_many(queue, rows(1, 2), { reference = BY_NO }))
    -- All of a request or none of it.
    local added, failures = shared.queues:add_many(queue, rows(2, 7), { reference = BY_NO, chunk = 3 })
    assert.equal(3, added)
    assert.equal(3, #failures)
    assert.equal("DuplicateReference", failures[1].code)
    assert.equal(1, failures[1].index)
    assert.same({ No = "N00002" }, failures[1].content)
    assert.equal("NotAdded", failures[2].code)
    assert.equal("NotAdded", failures[3].code)
    -- Each for itself.
    added, failures = shared.queues:add_many(queue, rows(2, 8), { reference = BY_NO, commit = "each" })
    assert.equal(3, added)
    local indexes = {}
    for i, failure in ipairs(failures) do indexes[i] = failure.index end
    assert.same({ 1, 4, 5, 6 }, indexes)
  end)

  it("ends at the first failure if told so", function()
    local queue = new_queue(true)
    assert(shared.queues:add(queue, {}, { reference = "N00004" }))
    local added, err = shared.queues:add_many(queue, rows(1, 9), { reference = BY_NO, commit = "until_failure", chunk = 3 })
    assert.is_nil(added)
    assert.equal("failed", err.kind)
    assert.equal(3, err.added)
    assert.equal(7, err.index)
    assert.equal("DuplicateReference", err.failures[1].code)
    assert.equal(3, #err.failures)
    assert.equal(4, #references(queue))
  end)

  -- Answers of other makings than the sandbox's.
  local function with_answer(answer, options)
    local log = steps.run(function() return shared.queues:add_many("Invoices", rows(1, 3), options) end, 2, function() return answer end)
    return log.results[1], log.results[2]
  end

  it("knows a failed item by what the answer repeats, where it is not counted", function()
    local added, failures = with_answer({ Success = false, Message = "no", FailedItems = {
      { Ordinal = uipath.null, ErrorCode = "DuplicateReference", ErrorMessage = "twice", Reference = "N00002" },
    } }, { commit = "each", reference = BY_NO })
    assert.equal(2, added)
    assert.equal(2, failures[1].index)
    assert.equal(1, #failures)
  end)

  it("counts from one where the answer does", function()
    local added, failures = with_answer({ Success = false, FailedItems = { { Ordinal = 3, ErrorCode = "X", ErrorMessage = "y" } } },
      { commit = "each" })
    assert.equal(2, added)
    assert.equal(3, failures[1].index)
  end)

  it("names all of a request where nothing tells which of it", function()
    local entry = { Ordinal = uipath.null, ErrorCode = "X", ErrorMessage = "y" }
    local added, failures = with_answer({ Success = false, FailedItems = { entry } }, { commit = "each" })
    assert.equal(0, added)
    assert.equal(3, #failures)
    assert.equal("X", failures[3].code)
  end)

  it("does not take an answer without a verdict for a success", function()
    local added, err = with_answer { something = "else" }
    assert.is_nil(added)
    assert.is_true(err.uncertain)
    assert.same({ from = 1, to = 3 }, err.unknown)
  end)

  it("tells how far it has come when an iterator fails in the middle", function()
    local queue, left = new_queue(), 5
    local added, err = shared.queues:add_many(queue, function()
      left = left - 1
      if left < 0 then return { Bad = {} } end
      return { Left = left }
    end, { chunk = 2 })
    assert.is_nil(added)
    assert.equal("usage", err.kind)
    assert.equal(4, err.added)
    assert.equal(5, err.index)
    assert.has_error(function()
      shared.queues:add_many(queue, function() error("at once", 0) end)
    end, "at once")
  end)

  it("adds 100,000 rows in memory that does not grow with them", function()
    local queue, number, held = new_queue(), 0, {}
    local added, failures = shared.queues:add_many(queue, function()
      number = number + 1
      if number > 100000 then return nil end
      if number % 10000 == 0 then
        collectgarbage()
        held[#held + 1] = collectgarbage "count"
      end
      return { Number = number, Customer = "Müller & Söhne", Amount = number / 100 }
    end)
    assert.equal(100000, added)
    assert.is_nil(failures)
    -- Kept, 80,000 rows would be some 20 MB.
    assert.is_true(held[9] - held[1] < 1024, ("%.0f KB"):format(held[9] - held[1]))
  end)

  it("takes items as transactions and finishes them", function()
    local queue = new_queue()
    assert.equal(uipath.null, shared.queues:take(queue))
    assert.equal(3, shared.queues:add_many(queue, rows(1, 3)))
    local item = assert(shared.queues:take(queue))
    assert.is_true(client.queues:finish(item, { output = { Done = 1 } }))
    item = assert(shared.queues:take(queue))
    assert.is_true(shared.queues:finish(item.Id, { error = "no such customer", business = true }))
    local row = shared:get(("odata/QueueItems(%d)"):format(item.Id))
    assert.equal("Failed", row.Status)
    assert.equal("BusinessException", row.ProcessingExceptionType)
    local done, err = shared.queues:finish(item)
    assert.is_nil(done)
    assert.equal("conflict", err.kind)
    assert.equal(1, shared.queues:count(queue, { filter = "Status eq 'Successful'" }))
  end)

  describe("never does twice what may have been done", function()
    it("when it adds with a unique reference: the item is found", function()
      local queue = new_queue(true)
      steps.try_all {
        prepare = function()
          numbers = numbers + 1
          return "once-" .. numbers
        end,
        run = function(reference) return hasty.queues:add(queue, { A = reference }, { reference = reference }) end,
        verify = function(reference, log, fault)
          local found = assert(shared:collect("odata/QueueItems", { filter = { "Reference eq ?", reference } }))
          assert.equal(fault == "answer_lost" and 1 or 0, #found)
          if fault == "answer_lost" then assert.equal(found[1].Id, log.results[1].Id) end
        end,
      }
    end)

    it("when it adds with a reference that somebody has had before", function()
      local queue = new_queue(true)
      assert(shared.queues:add(queue, { A = 1 }, { reference = "theirs" }))
      local log = steps.run(function() return hasty.queues:add(queue, { A = 2 }, { reference = "theirs" }) end, 1, steps.FAULTS.answer_lost)
      assert.is_nil(log.results[1])
      assert.is_true(log.results[2].uncertain or log.results[2].kind == "conflict")
      -- One of long ago is no doubt theirs.
      local old = { Id = 5, Reference = "theirs", CreationTime = "2020-01-01T00:00:00Z", SpecificContent = { A = 2 } }
      local methods, get = debug.getmetatable(client).methods, nil
      log = steps.run(function()
        get = methods.get
        rawset(methods, "get", function(self, path, options)
          local value, response = get(self, path, options)
          if path == "odata/QueueItems" then value = { value = { old } } end
          return value, response
        end)
        return hasty.queues:add(queue, { A = 2 }, { reference = "theirs" })
      end, 1, steps.FAULTS.answer_lost)
      assert.equal("conflict", log.results[2].kind)
    end)

    it("when it adds otherwise, takes, finishes", function()
      local queue = new_queue()
      steps.try_all { run = function() return hasty.queues:add(queue, { A = 1 }, { reference = "often" }) end }
      -- Where a reference may be there several times it is not looked for again and again.
      local log = steps.run(function() return shared.queues:add(queue, { A = 1 }, { reference = "often" }) end, 1, steps.FAULTS.answer_lost)
      assert.is_true(log.results[2].uncertain)
      assert.equal(2, #log)
      steps.try_all { run = function() return hasty.queues:add(queue, { A = 1 }) end }
      steps.try_all { run = function() return hasty.queues:take(queue) end }
      steps.try_all {
        prepare = function()
          assert(shared.queues:add(queue, { A = 1 }))
          return assert(shared.queues:take(queue))
        end,
        run = function(item) return hasty.queues:finish(item) end,
      }
    end)

    it("when it adds many", function()
      local queue = new_queue()
      steps.try_all {
        run = function() return hasty.queues:add_many(queue, rows(1, 5), { chunk = 2 }) end,
        verify = function(_, log, fault, step)
          local value, err = log.results[1], log.results[2]
          if not step.changes then return end
          assert.is_nil(value)
          local at = 0
          for i, each in ipairs(log) do
            if each.faulty then at = i - 1 end
          end
          assert.equal((at - 1) * 2, err.added)
          local first = (at - 1) * 2 + 1
          if fault:find "_lost" then
            assert.same({ from = first, to = math.min(first + 1, 5) }, err.unknown)
            assert.equal(math.min(first + 2, 6), err.index)
          else
            assert.is_nil(err.unknown)
            assert.equal(first, err.index)
          end
          assert.equal(at + 1, #log)
        end,
      }
    end)

    it("when the service refuses one request for what it holds: the later ones are sent", function()
      local queue = new_queue()
      local log = steps.run(function() return hasty.queues:add_many(queue, rows(1, 5), { chunk = 2 }) end, 2, function()
        return hasty:post(BULK, { queueName = queue, commitType = "?", queueItems = {} })
      end)
      assert.equal(3, log.results[1])
      assert.equal(2, #log.results[2])
      assert.equal(1009, log.results[2][1].code)
    end)
  end)
end)

-- What a walk through a collection has under way before its first page comes, and what it leaves in
-- memory behind it.

local assert = require "luassert"
local tenant = require "spec.support.tenant"
local uipath = require "uipath"

local SHARED = 2001 -- the folder with 25,017 jobs

local sandbox, client

setup(function()
  sandbox = assert(require("uipath.sandbox").start())
  client = uipath.connect(tenant.options(sandbox))
end)
teardown(function() sandbox:stop() end)
before_each(function() tenant.control(sandbox, "POST reset") end)

-- Walks, and checks that it sent so many requests and no more. Gives the rows that it delivered.
local function expect_requests(expected, each, path, options)
  assert(each:token())
  tenant.control(sandbox, "POST reset")
  -- All that are sent at once are there before the first one is answered.
  tenant.control(sandbox, "POST settings", { latency = 0.2 * tenant.SLOWER })
  local rows = 0
  for _ in each:each(path, options) do rows = rows + 1 end
  local sent
  tenant.eventually(function()
    sent = tenant.control(sandbox, "GET counters").data_requests
    return sent >= expected
  end)
  assert.equal(expected, sent)
  return rows
end

describe("a list of one page", function()
  for _, case in ipairs {
    { "is asked for alone", {}, {}, 1 },
    { "is asked for alone where the prefetch is the client's", { prefetch = 8 }, {}, 1 },
    { "costs the requests that its call's own prefetch asked for", {}, { prefetch = 5 }, 5 },
    { "is asked for alone with a prefetch of one", {}, { prefetch = 1 }, 1 },
    { "is asked for alone where its limit is a page", {}, { prefetch = 5, limit = 1000 }, 1 },
    { "costs no more than its limit is long", {}, { prefetch = 5, limit = 2500 }, 3 },
    { "is asked for alone where it is walked by key", {}, { prefetch = 5, by = "Id" }, 1 },
  } do
    it(case[1], function()
      local each = client:with(case[2])
      local rows = expect_requests(case[4], each, "odata/Machines", case[3])
      assert.is_true(rows > 0 and rows < 1000)
    end)
  end
end)

it("a walk with a prefetch of its own delivers all rows in order", function()
  local before, number = 0, 0
  local options = { folder = SHARED, prefetch = 8, page_size = 700, select = "Id", orderby = "Id" }
  for row in client:each("odata/Jobs", options) do
    assert.is_true(row.Id > before)
    before, number = row.Id, number + 1
  end
  assert.equal(25017, number)
end)

it("a walk with a prefetch of its own goes on by the links that it meets", function()
  local rows = {}
  tenant.control(sandbox, "POST settings", { next_link = "absolute", page_size = 100 })
  for row in client:each("odata/Jobs", { folder = SHARED, prefetch = 3, limit = 450 }) do
    assert.is_nil(rows[row.Id])
    rows[row.Id], rows[#rows + 1] = true, row.Id
  end
  assert.equal(450, #rows)
end)

describe("the rows of pages that are behind", function()
  -- What a program prints on its walk through four pages of four hundred rows: its heap is its own,
  -- and would be left alone by the collector.
  local function output_of(program)
    local output, status = tenant.run(tenant.options(sandbox, { folder = SHARED }), [[
      collectgarbage()
      set_pause = function(pause)
        if _VERSION == "Lua 5.5" then return collectgarbage("param", "pause", pause) end
        return collectgarbage("setpause", pause)
      end
      set_pause(1000)
      local weak = setmetatable({}, { __mode = "v" })
      -- How many of these rows are still there.
      local function count(first, last)
        local number = 0
        for index = first, last do number = number + (weak[index] and 1 or 0) end
        return number
      end
    ]] .. program)
    assert.equal(0, status, output)
    return output
  end

  local WALK = [[
    local kept = {}
    for row, index in client:each("odata/Jobs", { page_size = 400, limit = 1600 }) do
      weak[index] = row
      if keep then kept[index] = row end
      if index == 1201 then print(count(1, 400), count(401, 800)) end
    end
  ]]

  it("are taken away before the next page is read, and the collector stays as it was", function()
    assert.equal("0\t0\n1000\n", output_of(WALK .. "print(set_pause(200))"))
  end)

  it("stay where the loop has kept them", function()
    assert.equal("400\t400\n1600\n", output_of("keep = true" .. WALK .. "print(#kept)"))
  end)

  it("stay where the collector was stopped", function()
    assert.equal("400\t400\nfalse\n", output_of([[collectgarbage "stop"]] .. WALK
      .. [[print(collectgarbage "isrunning")]]))
  end)

  it("stay where they are little beside the rest of the heap", function()
    assert.equal("400\t400\n", output_of([[
      local heap = {}
      for i = 1, 200000 do heap[i] = { i } end
    ]] .. WALK))
  end)
end)

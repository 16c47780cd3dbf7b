-- Connections that servers end, break and mix up: what is sent again, and what is never sent twice.

local assert = require "luassert"
local odd_server = require "spec.support.odd_server"
local tenant = require "spec.support.tenant"
local uipath = require "uipath"

local server, client
local others = {} -- further servers of a spec

-- Starts a server for one spec, and a client for it.
local function start(mode, is_plain, changes)
  server = odd_server.start(mode, is_plain)
  for name, value in pairs(changes or {}) do server.options[name] = value end
  client = uipath.connect(server.options)
end

local function stop()
  local counts = server.stop()
  server = nil
  return counts
end

after_each(function()
  if server then stop() end
  for i = #others, 1, -1 do table.remove(others, i).stop() end
end)
teardown(odd_server.clean)

local function post()
  return client:post("odata/X", { n = 1 })
end

local both = { { "plain HTTP", true }, { "TLS", false } }

describe("a kept connection over", function()
  for _, case in ipairs(both) do
    local name, is_plain = case[1], case[2]

    it(name .. " serves a thousand calls in turn", function()
      start("keep", is_plain)
      for _ = 1, 1000 do assert.equal("yours", assert(post()).value) end
      assert.same({ connection = 1, request = 1000 }, stop())
    end)

    it(name .. " that the server has closed is not used, for a POST neither", function()
      local events = {}
      local function on_event(event) events[#events + 1] = event.status end
      start("close", is_plain, { max_attempts = 1, on_event = on_event })
      for _ = 1, 5 do
        local value, response = post()
        assert.equal("yours", assert(value, response).value)
        assert.equal(1, response.attempts)
        server.await "closed"
      end
      assert.same({ 200, 200, 200, 200, 200 }, events)
      assert.same({ connection = 5, request = 5, closed = 5 }, stop())
    end)

    it(name .. " with a response too many is not used", function()
      start("extra", is_plain)
      for i = 1, 4 do
        local value, response = client:request(i % 2 == 0 and "POST" or "GET", "odata/X")
        assert.equal("yours", assert(value, response).value)
        assert.equal(1, response.attempts)
        server.await "extra"
      end
      assert.same({ connection = 4, request = 4, extra = 4 }, stop())
    end)

    it(name .. " with a response too many that came with the first is not used", function()
      start("split", is_plain)
      for i = 1, 4 do
        local value, response = client:request(i % 2 == 0 and "POST" or "GET", "odata/X")
        assert.equal("yours", assert(value, response).value)
        server.await "extra"
      end
      assert.same({ connection = 4, request = 4, extra = 4 }, stop())
    end)

    it(name .. " that closes without an answer to a POST is the end of that POST", function()
      for _, mode in ipairs { "die", "midway" } do
        start(mode, is_plain)
        assert(post())
        local value, err = post()
        assert.is_nil(value)
        assert.equal("network", err.kind)
        assert.equal(1, err.attempts)
        assert.matches("may have acted", err.hint)
        assert.same({ connection = 1, request = mode == "die" and 2 or 1 }, stop())
      end
    end)

    it(name .. " that closes without an answer to a GET: the GET is sent once more", function()
      start("die", is_plain)
      assert(client:get "odata/X")
      local value, response = client:get "odata/X"
      assert.equal("yours", assert(value, response).value)
      assert.equal(2, response.attempts)
      assert.same({ connection = 2, request = 3 }, stop())
    end)

    it(name .. " that closes without an answer to a DELETE: what it did is uncertain", function()
      start("done", is_plain)
      assert(client:get "odata/X")
      local value, err = client:delete "odata/X(1)"
      assert.is_nil(value)
      assert.equal(404, err.status)
      assert.equal(2, err.attempts)
      assert.is_true(err.uncertain)
      assert.same({ connection = 2, request = 3 }, stop())
    end)

    it(name .. " that is not used any more costs a file's body nothing", function()
      local name_of_file = os.tmpname()
      local file = assert(io.open(name_of_file, "w"))
      file:write(("0123456789"):rep(30000))
      file:close()
      for _, body in ipairs {
        uipath.file(name_of_file),
        uipath.multipart { { name = "file", value = uipath.file(name_of_file) } },
      } do
        start("close", is_plain, { max_attempts = 1 })
        for _ = 1, 3 do
          local value, response = client:post("odata/X", body)
          assert.equal("yours", assert(value, response).value)
          server.await "closed"
        end
        assert.same({ connection = 3, request = 3, closed = 3 }, stop())
      end
      os.remove(name_of_file)
    end)

    it(name .. " is left for another as often as need be, within the time of the call", function()
      start("close", is_plain)
      local list = {}
      for i = 1, 12 do list[i] = i end
      for _ = 1, 3 do
        local _, errors = uipath.map(list, post, { concurrency = 12 })
        assert.is_nil(errors)
        for _ = 1, 12 do server.await "closed" end
      end
      assert.same({ connection = 36, request = 36, closed = 36 }, stop())
    end)
  end

  it("TLS that brings a session ticket between two calls harms neither", function()
    start "ticket"
    for _ = 1, 3 do
      assert.equal("yours", assert(post()).value)
      server.await "ticket"
    end
    assert.equal(3, stop().request)
  end)
end)

describe("a response that ends with its connection", function()
  it("is whole where the server says good-bye", function()
    for _, case in ipairs(both) do
      start("whole", case[2])
      assert.equal("yours", assert(client:get "odata/X").value)
      assert.equal("yours", assert(post()).value)
      stop()
    end
  end)

  it("is cut off where TLS ends without", function()
    start("cut", false, { max_attempts = 2 })
    local value, err = client:get "odata/X"
    assert.is_nil(value)
    assert.equal("network", err.kind)
    assert.matches("in the middle of the response's body", err.message)
    assert.is_nil(err.body)
    value, err = post()
    assert.is_nil(value)
    assert.equal("network", err.kind)
    assert.matches("may have acted", err.hint)
    assert.equal(3, stop().request)
  end)
end)

describe("over HTTP/2", function()
  local function map(count, call)
    local list = {}
    for i = 1, count do list[i] = i end
    return uipath.map(list, call or post, { concurrency = count })
  end

  it("streams that the server refuses are sent again, whatever the method", function()
    for _, method in ipairs { "GET", "POST", "PATCH" } do
      start("h2_refuse 5", false, { max_attempts = 2 })
      local results, errors = map(4, function()
        return client:request(method, "odata/X", { body = method ~= "GET" and { n = 1 } or nil })
      end)
      assert.is_nil(errors)
      for i = 1, 4 do assert.equal("yours", results[i].value) end
      assert.equal(9, stop().request)
    end
  end)

  it("each refusal is told as an attempt, and counts for none of max_attempts", function()
    local messages = {}
    local function on_event(event) messages[#messages + 1] = event.message or event.status end
    start("h2_refuse 3", false, { max_attempts = 1, on_event = on_event })
    local value, response = post()
    assert.equal("yours", assert(value, response).value)
    assert.equal(4, response.attempts)
    local refused = "the server refused it unprocessed"
    assert.same({ refused, refused, refused, 200 }, messages)
    assert.equal(4, stop().request)
  end)

  it("a refused stream of a connection that was used before is sent again", function()
    for _, call in ipairs { post, function() return client:get "odata/X" end } do
      start("h2_used", false, { max_attempts = 2 })
      for attempts = 1, 3 do
        local value, response = call()
        assert.equal("yours", assert(value, response).value)
        assert.equal(attempts == 2 and 2 or 1, response.attempts)
      end
      assert.same({ connection = 2, request = 4 }, stop())
    end
  end)

  it("a refusal is not taken for one of a later request", function()
    -- Whether sending or receiving meets the reset first is a matter of chance.
    for _, mode in ipairs { "never", "h2_never", "h2_never", "h2_never", "h2_never" } do
      local refusing = odd_server.start "h2_used"
      others[1] = refusing
      server = odd_server.start(mode)
      -- In a process of its own, where libcurl has one handle for all.
      local output = tenant.run(refusing.options, ([[
        for _ = 1, 2 do assert(client:get "odata/X") end
        local value, err = client:with { base_url = %q }:post("odata/X", { n = 1 })
        print(value, err.hint)
      ]]):format(server.options.base_url))
      assert.matches("^nil\tthe server may have acted", output)
      assert.equal(1, stop().request)
      assert.equal(3, table.remove(others).stop().request)
    end
  end)

  it("what is refused with a file's body is sent again whole", function()
    local name = os.tmpname()
    local file = assert(io.open(name, "w"))
    file:write(("0123456789"):rep(3000))
    file:close()
    for _, body in ipairs {
      uipath.file(name), uipath.multipart { { name = "file", value = uipath.file(name) } },
    } do
      for _, mode in ipairs { "h2_refuse 2", "h2_used" } do
        start(mode, false, { max_attempts = 1 })
        for _ = 1, 2 do
          local value, response = client:post("odata/X", body)
          assert.equal("yours", assert(value, response).value)
          assert.equal(30, math.floor(value.length / 1000))
        end
        assert.equal(mode == "h2_used" and 3 or 4, stop().request)
      end
    end
    os.remove(name)
  end)

  it("a server that refuses all is a network error in the end", function()
    start("h2_refuse all", false, { max_attempts = 2 })
    local value, err = post()
    assert.is_nil(value)
    assert.equal("network", err.kind)
    assert.matches("refused the request unprocessed", err.message)
    assert.is_true(err.retryable)
    assert.is_nil(err.hint)
    assert.is_nil(err.uncertain)
    assert.is_true(stop().request <= 2 * 16)
  end)

  it("streams above GOAWAY's last one are sent again, and no others", function()
    start "h2_below"
    local results, errors = map(4)
    assert.is_nil(errors)
    for i = 1, 4 do assert.equal("yours", results[i].value) end
    assert.equal(6, stop().request)
  end)

  it("a stream that GOAWAY does not declare untouched is not sent twice", function()
    start "h2_above"
    assert(post())
    local value, err = post()
    assert.is_nil(value)
    assert.equal("network", err.kind)
    assert.matches("may have acted", err.hint)
    assert.equal(1, err.attempts)
    assert.equal(2, stop().request)
  end)

  it("a connection that breaks without a word: a POST is not sent twice, a GET is", function()
    start "h2_drop"
    assert(post())
    local value, err = post()
    assert.is_nil(value)
    assert.equal("network", err.kind)
    assert.matches("may have acted", err.hint)
    assert.equal(2, stop().request)

    start "h2_drop"
    assert(client:get "odata/X")
    assert(client:get "odata/X")
    assert.equal(3, stop().request)
  end)

  for mode, word in pairs { h2_reset = "INTERNAL_ERROR", h2_cancel = "CANCEL" } do
    it("a stream that is reset with " .. word .. " may have been processed", function()
      start(mode, false, { max_attempts = 3 })
      local value, err = post()
      assert.is_nil(value)
      assert.equal("network", err.kind)
      assert.matches(word, err.message)
      assert.matches("may have acted", err.hint)
      assert.equal(1, err.attempts)
      assert.equal("yours", assert(client:get "odata/X").value)
      stop()
    end)
  end

  it("a stream that is refused after its headers is not sent twice", function()
    start("h2_late", false, { max_attempts = 3 })
    local value, err = post()
    assert.is_nil(value)
    assert.equal("network", err.kind)
    assert.equal(1, stop().request)
  end)

  for _, mode in ipairs { "h2_garbage", "h2_rapid" } do
    it("what breaks the protocol (" .. mode .. ") is a network error after max_attempts", function()
      start(mode, false, { max_attempts = 3 })
      local value, err = client:get "odata/X"
      assert.is_nil(value)
      assert.equal("network", err.kind)
      assert.is_truthy(err.message:find "HTTP/2" or err.message:find "PROTOCOL_ERROR", err.message)
      assert.is_true(err.attempts <= 3)
      value, err = post()
      assert.is_nil(value)
      assert.equal("network", err.kind)
      assert.matches("may have acted", err.hint)
      assert.is_true(stop().request <= 4)
    end)
  end
end)

describe("a process with few descriptors", function()
  -- Runs a program with no more descriptors than that.
  local function run(limit, options, program)
    local command = tenant.command(options, program)
    return tenant.shell(("ulimit -n %d; %s"):format(limit, command))
  end

  it("waits for more streams than it may have descriptors, without spinning", function()
    server = odd_server.start "h2_silent"
    server.options.timeout = 2
    local output = run(60, server.options, [[
      local calls = {}
      local began = os.clock()
      for i = 1, 100 do calls[i] = client:start("GET", "odata/X") end
      for _, call in ipairs(calls) do
        local _, err = call:wait()
        assert(err.kind == "timeout", err)
      end
      local seconds = os.clock() - began
      print(seconds < 1 * ]] .. tenant.SLOWER .. [[ and "calm" or seconds)
    ]])
    assert.equal("calm\n", output)
  end)

  it("ends calls for which there is none with an error, at once", function()
    server = odd_server.start("keep", true)
    server.options.max_attempts = 1
    local output = run(20, server.options, [[
      assert(client:get "odata/X")
      local files = {}
      while true do
        local file = io.open "/dev/null"
        if not file then break end
        files[#files + 1] = file
      end
      local calls, failed = {}, 0
      for i = 1, 20 do calls[i] = client:start("POST", "odata/X", { body = { n = 1 } }) end
      for _, call in ipairs(calls) do
        local value, err = call:wait()
        if not value then
          failed = failed + 1
          assert(err.kind == "network" and err.retryable and err.hint, err)
        end
      end
      print(failed > 0 and failed < 20 and "some" or failed)
      for _, file in ipairs(files) do file:close() end
      assert(client:post("odata/X", { n = 1 }))
    ]])
    assert.equal("some\n", output)
  end)
end)

it("what a call costs is bounded by its time, however often it is refused", function()
  start("h2_refuse all", false, { max_attempts = 1000, timeout = 1 })
  local seconds, _, err = tenant.timed(post)
  assert.is_truthy(err.kind == "network" or err.kind == "timeout", err)
  assert.is_true(seconds < 1 + 10 * tenant.SLOWER, seconds)
end)

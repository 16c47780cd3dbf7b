-- Calls end to end against the sandbox: values, responses, options, errors, tokens.

local assert = require "luassert"
local tenant = require "spec.support.tenant"
local uipath = require "uipath"

describe("a client", function()
  local sandbox, client

  setup(function()
    sandbox = assert(require("uipath.sandbox").start())
    client = uipath.connect(sandbox.options)
  end)
  teardown(function() sandbox:stop() end)

  local function with(changes)
    local options = {}
    for name, value in pairs(sandbox.options) do options[name] = value end
    for name, value in pairs(changes) do options[name] = value end
    return uipath.connect(options)
  end

  describe("gets", function()
    it("a page of rows, and the response beside it", function()
      local page, response = assert(client:get("odata/Machines", { top = 2, orderby = "Id" }))
      assert.equal(2, #page.value)
      assert.equal(200, response.status)
      assert.equal(1, response.attempts)
      assert.is_true(response.elapsed >= 0)
      assert.matches("^application/json", response.headers["Content-Type"])
      assert.equal(response.headers["content-type"], response.headers["CONTENT-TYPE"])
      assert.matches("odata/Machines%?%$orderby=Id&%$top=2$", response.url)
      assert.equal("1.1", response.http_version)
    end)

    it("integers as integers", function()
      local page = assert(client:get("odata/Machines", { top = 1.0 }))
      assert.matches("^%d+$", tostring(page.value[1].Id))
    end)

    it("the same whatever the path begins with", function()
      local organization, name = sandbox.options.organization, sandbox.options.tenant
      for _, path in ipairs {
        "odata/Machines", "/odata/Machines", "orchestrator_/odata/Machines",
        ("/%s/%s/orchestrator_/odata/Machines"):format(organization, name),
        ("%s/%s/%s/orchestrator_/odata/Machines"):format(sandbox.base_url, organization, name),
      } do
        local page = assert(client:get(path, { top = 1 }))
        assert.equal(1, #page.value)
      end
    end)

    it("rows by a filter whose values are quoted by type", function()
      local page = assert(client:get("odata/Machines", { filter = { "Name eq ?", "LAPTOP-O'BRIEN" } }))
      assert.equal(1, #page.value)
      assert.equal("LAPTOP-O'BRIEN", page.value[1].Name)
    end)

    it("what lies in a folder, named in any way", function()
      local folders = assert(client:get "odata/Folders").value
      for _, name in ipairs { "Id", "Key", "FullyQualifiedName" } do
        local page = assert(client:get("odata/Jobs", { top = 1, folder = folders[1][name] }))
        assert.equal(1, #page.value)
        assert(client:folder(folders[1][name]):get("odata/Jobs", { top = 1 }))
      end
    end)
  end)

  describe("tells", function()
    it("what was not found, in one line that begins with the caller", function()
      local value, err = client:get "odata/Machines(99999)"
      assert.is_nil(value)
      assert.is_true(uipath.is_error(err))
      assert.equal("not_found", err.kind)
      assert.equal(404, err.status)
      assert.equal("GET", err.method)
      assert.matches("^spec/calls_spec.lua:%d+: GET …/odata/Machines%(99999%): 404 not found: ", tostring(err))
      assert.is_nil(tostring(err):find "\n")
      assert.equal("x" .. tostring(err), "x" .. err)
    end)

    it("that a folder is needed", function()
      local _, err = client:get "odata/Jobs"
      assert.equal(400, err.status)
      assert.equal("request", err.kind)
      assert.equal(1101, err.code)
      assert.matches("folder", err.hint)
    end)

    it("that a scope is missing", function()
      local _, err = with({ scope = "OR.Jobs" }):get "odata/Machines"
      assert.equal("forbidden", err.kind)
      assert.equal("You are not authorized!", err.message)
      assert.matches("the token has OR.Jobs", err.hint)
    end)

    it("that the credentials are wrong, without the secret", function()
      local _, err = with({ client_secret = "not-the-secret" }):get "odata/Machines"
      assert.equal("auth", err.kind)
      assert.equal("invalid_client", err.code)
      assert.matches("client_secret", err.hint)
      assert.is_nil(tostring(err):find("not-the-secret", 1, true))
    end)

    it("that another host gets no token", function()
      local origin = sandbox.options.base_url
      for _, url in ipairs {
        "https://elsewhere.example/odata/Machines", "ftp://elsewhere.example/", "https://", origin .. "@elsewhere.example/",
        (origin:gsub("://", "://user@")),
      } do
        local value, err = client:get(url)
        assert.is_nil(value, url)
        assert.equal("usage", err.kind)
      end
    end)

    it("that nobody listens", function()
      local _, err = with({ base_url = "http://127.0.0.1:1", max_attempts = 1 }):get "odata/Machines"
      assert.equal("network", err.kind)
      assert.is_true(err.retryable)
    end)
  end)

  describe("raises", function()
    local rows = {
      { "a misspelt option", function() client:get("odata/Machines", { fliter = "x" }) end, "did you mean 'filter'" },
      { "a path that is no string", function() client:get(5) end, "path must be a string" },
      { "an empty path", function() client:get "/" end, "must not be empty" },
      { "a fragment", function() client:get "odata/Machines#1" end, "#" },
      { "a dot segment", function() client:get "odata/../Machines" end, "dot segment" },
      { "a line break in a path", function() client:get "odata/Machines\r\nX: y" end, "control" },
      { "a NUL in a path", function() client:get "odata/Machines\0" end, "control" },
      { "a parameter that is given twice", function() client:get("odata/Machines?$top=1", { top = 2 }) end, "twice" },
      { "a body with GET", function() client:request("GET", "odata/Machines", { body = {} }) end, "no body" },
      { "a line break in a header", function() client:get("odata/Machines", { headers = { A = "b\r\nc" } }) end, "control" },
      { "a header that is not the caller's", function() client:get("odata/Machines", { headers = { authorization = "x" } }) end,
        "by the client itself" },
      { "a line break in a folder", function() client:folder "a\nb" end, "control" },
      { "fractions of rows", function() client:get("odata/Machines", { top = 1.5 }) end, "whole number" },
      { "a time-out of nothing", function() client:get("odata/Machines", { timeout = 0 }) end, "timeout" },
      { "a level that does not exist", function() client:get("odata/Machines", { level = "host" }) end, "level" },
      { "a body that cannot be JSON", function() client:post("odata/Machines", { print }) end, "body" },
      { "a method that is none", function() client:request("GE T", "odata/Machines") end, "method" },
    }
    for _, row in ipairs(rows) do
      it(row[1], function()
        local ok, message = pcall(row[2])
        assert.is_false(ok)
        assert.is_truthy(tostring(message):find(row[3], 1, true), message)
      end)
    end
  end)

  it("writes, changes and deletes", function()
    local created = assert(client:post("odata/Machines", { Name = "spec-machine", Type = "Standard" }))
    assert.equal("spec-machine", created.Name)
    local path = "odata/Machines" .. uipath.odata.key(created.Id)
    assert(client:patch(path, { Name = "spec-machine-2" }))
    assert.equal("spec-machine-2", assert(client:get(path)).Name)
    assert.is_true((assert(client:delete(path))))
    local _, err = client:get(path)
    assert.equal(404, err.status)
  end)

  it("leaves nulls out when told to", function()
    local kept = assert(client:get("odata/Machines", { top = 50 }))
    local dropped = assert(client:with({ nulls = "drop" }):get("odata/Machines", { top = 50 }))
    local nulls = 0
    for _, row in ipairs(kept.value) do
      for _, value in pairs(row) do if value == uipath.null then nulls = nulls + 1 end end
    end
    assert.is_true(nulls > 0)
    for _, row in ipairs(dropped.value) do
      for _, value in pairs(row) do assert.is_false(value == uipath.null) end
    end
  end)

  it("ends a call that is larger than allowed", function()
    local _, err = client:with({ max_response_bytes = 100 }):get "odata/Machines"
    assert.equal("too_large", err.kind)
  end)

  it("shows itself without its secret", function()
    local text = tostring(client)
    assert.is_truthy(text:find(sandbox.options.organization, 1, true))
    assert.is_truthy(text:find(sandbox.base_url, 1, true))
    assert.is_nil(text:find(sandbox.options.client_secret, 1, true))
    for folder, shown in pairs { ["Shared/"] = "Shared", [5] = "5" } do
      assert.equal((text:gsub("%)$", ", folder " .. shown .. ")")), tostring(client:folder(folder)))
    end
  end)

  describe("has a token", function()
    it("that it describes", function()
      local token = assert(client:token())
      assert.equal("client_credentials", token.source)
      assert.is_true(token.expires_at > os.time() + 3000 and token.expires_at <= os.time() + 3600)
      assert.is_true(#token.scopes > 0)
      assert.is_nil(token.access_token)
    end)

    it("that it gives out when asked", function()
      local value = assert(client:access_token())
      assert.equal(value, assert(with({}):access_token()))
      assert.equal(value, assert(with({ access_token = value, client_id = false, client_secret = false, scope = false }):access_token()))
    end)

    it("from a function, which may yield", function()
      local calls = 0
      local value = assert(client:access_token())
      local other = with({ client_id = false, client_secret = false, scope = false, access_token = function()
        calls = calls + 1
        coroutine.yield "fetching"
        return value, 3600
      end })
      local thread = coroutine.create(function() return other:get("odata/Machines", { top = 1 }) end)
      assert.same({ true, "fetching" }, { coroutine.resume(thread) })
      local _, page = coroutine.resume(thread)
      assert.equal(1, #page.value)
      assert(coroutine.wrap(function() return other:get("odata/Machines", { top = 1 }) end)())
      assert.equal(1, calls)
    end)

    it("from a function, however soon it ends", function()
      local value, asked = assert(client:access_token()), 0
      local other = with({ client_id = false, client_secret = false, scope = false, timeout = 5, access_token = function()
        asked = asked + 1
        return value, 0.0001
      end })
      assert(other:get("odata/Machines", { top = 1 }))
      assert.equal(1, asked)
    end)

    it("or the reason why the function has none", function()
      local failing = with({ client_id = false, client_secret = false, scope = false, access_token = function() error("no vault", 0) end })
      local _, err = failing:get "odata/Machines"
      assert.equal("auth", err.kind)
      assert.matches("no vault", err.message)
    end)

    it("never from a function that calls its own client", function()
      local own
      own = with({ client_id = false, client_secret = false, scope = false, access_token = function()
        return assert(own:access_token())
      end })
      local _, err = own:get "odata/Machines"
      assert.equal("auth", err.kind)
      assert.matches("called the client that it is for", err.message)
    end)
  end)

  it("tells on_event of attempts and token fetches", function()
    local events = {}
    local watched = with({ scope = "OR.Machines.Read", on_event = function(event) events[#events + 1] = event end })
    assert(watched:get("odata/Machines", { top = 1 }))
    assert.equal(2, #events)
    assert.same({ "token", sandbox.base_url .. "/acme/identity_/connect/token", 200 }, { events[1].type, events[1].url, events[1].status })
    assert.same({ "attempt", "GET", 200 }, { events[2].type, events[2].method, events[2].status })
  end)

  describe("starts calls that", function()
    it("run side by side", function()
      local calls = {}
      for i = 1, 100 do calls[i] = client:start("GET", "odata/Machines", { top = 1, skip = i % 5 }) end
      for _, call in ipairs(calls) do
        local page = assert(call:wait())
        assert.equal(1, #page.value)
        assert.is_true(call:done())
      end
    end)

    it("give the same results again", function()
      local call = client:start("GET", "odata/Machines", { top = 1 })
      local first = assert(call:wait())
      assert.equal(first, (call:wait()))
    end)

    it("are not waited for less than no time, with the user's position", function()
      for _, through in ipairs { client, with { on_event = function() end } } do
        local call = through:start("GET", "odata/Machines")
        for _, seconds in ipairs { -1, "soon" } do
          local ok, message = pcall(function() return (call:wait(seconds)) end)
          assert.is_false(ok)
          assert.matches("^spec/calls_spec.lua:%d+: ", message)
        end
      end
    end)

    it("can be cancelled", function()
      local call = client:start("GET", "odata/Machines")
      call:cancel()
      local value, err = call:wait()
      assert.is_true(value ~= nil or err.kind == "cancelled")
    end)

    it("have a descriptor", function()
      local call = client:start("GET", "odata/Machines")
      assert.is_true(call:fd() >= 0)
      assert(call:wait())
    end)
  end)
end)

describe("a finalizer", function()
  -- Objects are finalized in the reverse order of their making: what was made first has the client and the call last.
  local program = [[
    local finalizer = _VERSION == "Lua 5.1" and newproxy(true) or {}
    local metatable = getmetatable(finalizer) or {}
    metatable.__gc = function(self) print(select(2, pcall(self.run))) end
    metatable.__index = metatable
    if _VERSION ~= "Lua 5.1" then setmetatable(finalizer, metatable) end
    client = client:with { %s }
    local call = client:start("GET", "identity_/x")
    kept = { finalizer, client, call }
    metatable.run = function() %s end
  ]]
  local rows = {
    { "return client:get 'identity_/x'", "the client has been collected" },
    { "return client:with { timeout = 1 }", "the client has been collected" },
    { "return client:start('GET', 'identity_/x')", "the client has been collected" },
    { "return client:token()", "the client has been collected" },
    { "return tostring(client)", "uipath.client (a at http://127.0.0.1:1)" },
    { "return call:wait()", "the call has been collected" },
    { "call:cancel() return call:done()", "true" },
    { "return call:fd()", "no descriptor is to be had for this call" },
    { "return tostring(call)", "uipath.call (over)" },
  }
  for _, options in ipairs { "", "on_event = function() end" } do
    for _, row in ipairs(rows) do
      it(("may still have what was collected: %s (%s)"):format(row[1], options), function()
        local given = { organization = "a", access_token = "x", base_url = "http://127.0.0.1:1" }
        local output, status = tenant.run(given, program:format(options, row[1]))
        assert.is_truthy(output:find(row[2], 1, true), output)
        assert.equal(0, status)
      end)
    end
  end
end)

describe("uipath.check", function()
  it("passes values on", function() assert.equal(5, (uipath.check(5))) end)
  it("raises a string with the caller's position", function()
    local ok, message = pcall(function() uipath.check(nil, "broken") end)
    assert.is_false(ok)
    assert.matches("^spec/calls_spec.lua:%d+: broken$", message)
  end)
end)

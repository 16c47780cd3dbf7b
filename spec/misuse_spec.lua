-- Whatever a script does with what it is given, at whatever time, harms neither it nor the process.

local assert = require "luassert"
local tenant = require "spec.support.tenant"
local uipath = require "uipath"

local sandbox, client

setup(function()
  sandbox = assert(require("uipath.sandbox").start())
  client = uipath.connect(tenant.fault_options(sandbox))
end)
teardown(function() sandbox:stop() end)

describe("the failure of a user's function", function()
  local BROKEN = [[
    local broken = setmetatable({}, { __tostring = function() error "no words" end })
    local odd = setmetatable({}, { __tostring = function() return {} end })
  ]]

  it("is told in words even where its error has none", function()
    for _, name in ipairs { "broken", "odd" } do
      local output, status = tenant.run({ base_url = sandbox.fault_url, organization = "o", tenant = "T", access_token = "t" }, BROKEN
        .. ([[
        local options = { base_url = %q, organization = "o", tenant = "T", profile = false, access_token = "t" }
        options.on_event = function() error(%s, 0) end
        print((uipath.connect(options):get "fault/ok").value[1].Id)
        options.on_event, options.access_token = nil, function() error(%s, 0) end
        print(select(2, uipath.connect(options):get "fault/ok").kind)
        options.access_token = function() return nil, %s end
        print(select(2, uipath.connect(options):get "fault/ok").kind)
        options.access_token, options.client_id, options.client_secret = nil, "a", "b"
        local function fail() error(%s, 0) end
        options.token_store = { load = fail, save = fail, drop = fail }
        print(select(2, uipath.connect(options):get "fault/ok").message)
      ]]):format(sandbox.fault_url, name, name, name, name))
      assert.equal("uipath: on_event failed: it failed with a table that cannot be shown\n1\nauth\nauth\n"
        .. "token_store.load: it failed with a table that cannot be shown\n", output)
      assert.equal(0, status)
    end
  end)

  it("is no hindrance where nothing can be written", function()
    local output, status = tenant.run(tenant.fault_options(sandbox), [[
      local own = client:with { on_event = function() error "x" end }
      io.stderr = nil
      print((own:get "fault/ok").value[1].Id)
    ]])
    assert.same({ "1\n", 0 }, { output, status })
  end)
end)

describe("getmetatable", function()
  it("gives nothing of calls and clients that could be called at the wrong time", function()
    local with_function = client:with { on_event = function() end }
    for _, each in ipairs { client, with_function, client:start("GET", "fault/ok"), with_function:start("GET", "fault/ok") } do
      assert.equal("string", type(getmetatable(each)))
      assert.is_false(pcall(setmetatable, each, {}))
    end
  end)

  it("of the debug library, which gives all, leads to errors at worst", function()
    local output, status = tenant.run(tenant.fault_options(sandbox), [[
      local debug = require "debug"
      local function collect(object)
        local gc = debug.getmetatable(object).__gc
        gc(object)
        gc(object)
      end
      for _, each in ipairs { client, client:with { on_event = function() end } } do
        for _, path in ipairs { "fault/ok", "fault/stall" } do
          local call = each:start("GET", path)
          collect(call)
          print(call:done(), (pcall(call.wait, call)), (pcall(call.fd, call)), tostring(call))
          call:cancel()
        end
        collect(each)
        print(pcall(each.get, each, "fault/ok"))
        print(pcall(each.token, each))
      end
      collectgarbage()
    ]])
    assert.equal(0, status, output)
    assert.equal(4, select(2, output:gsub("true\tfalse\tfalse\tuipath%.call %(over%)", "")), output)
    assert.equal(4, select(2, output:gsub("the client has been collected", "")), output)
  end)
end)

describe("a client that a finalizer makes", function()
  -- Makes an object whose finalizer runs the function.
  local FINALIZER = [=[
    function finalize(fn)
      if not newproxy then return setmetatable({}, { __gc = fn }) end
      local proxy = newproxy(true)
      getmetatable(proxy).__gc = fn
      return proxy
    end
  ]=]
  local MAKES = [=[
    local connect = require("uipath").connect
    local options = { organization = "acme", tenant = "T", base_url = "http://127.0.0.1:1" } -- nobody listens there
    options.client_id, options.client_secret = "id", tostring({}) .. os.clock() .. ("s"):rep(2 ^ 20)
    secretive = connect(options)
    options.client_id, options.client_secret, options.access_token = nil, nil, "t"
    client = connect(options)
    call = client:start("GET", "odata/X?x=" .. ("s"):rep(2 ^ 20))
    pcall(client.get, client, "odata/X", { max_attempts = 1 })
  ]=]

  local function grown(before, after)
    local output, status = tenant.host(tenant.fault_options(sandbox), ([[
      local paths = ("package.path, package.cpath = %%q, %%q\n"):format(package.path, package.cpath)
      local text = paths .. %q
      for _ = 1, 3 do host.run(text) end
      local allocated = select(2, host.memory())
      for _ = 1, 20 do host.run(text) end
      print(select(2, host.memory()) - allocated)
    ]]):format(FINALIZER .. before .. 'require "uipath"\n' .. after), 1, "MALLOC_ARENA_MAX=1")
    assert.equal(0, status, output)
    return assert(tonumber(output), output)
  end

  it("while the state closes is freed with it", function()
    local function made(times) return "kept = finalize(function() " .. MAKES:rep(times) .. " end)\n" end
    -- Older than the module, and younger: finalizers run from the newest to the oldest.
    assert.is_true(grown("", made(1)) < 5000)
    assert.is_true(grown(made(1), "") < 5000)
    assert.is_true(grown(made(1), made(2)) < 5000)
  end)

  it("in the middle of the script is like any other", function()
    local output, status = tenant.run(tenant.fault_options(sandbox), FINALIZER .. [[
      local ids = {}
      for _ = 1, 10 do
        finalize(function()
          local own = uipath.connect { organization = "acme", tenant = "T", base_url = client and ]] .. ("%q"):format(sandbox.fault_url)
          .. [[, access_token = "t" }
          ids[#ids + 1] = own:start("GET", "fault/ok")
        end)
      end
      collectgarbage()
      collectgarbage()
      for _, call in ipairs(ids) do assert(call:wait()) end
      print(#ids >= 9)
    ]])
    assert.same({ "true\n", 0 }, { output, status })
  end)
end)

describe("a uipath.file or uipath.multipart", function()
  it("that was changed is checked when it is used", function()
    local name = os.tmpname()
    local rows = {
      { "path", nil, "path must be a string" }, { "path", 5, "path must be a string" }, { "path", "", "path must not be empty" },
      { "path", "a\0b", "control" }, { "path", {}, "path must be a string" }, { "content_type", 5, "content_type must be a string" },
      { "content_type", "a\r\nX: b", "control" },
    }
    for _, row in ipairs(rows) do
      local file = uipath.file(name)
      file[row[1]] = row[2]
      for _, body in ipairs { file, uipath.multipart { { name = "a", value = file } } } do
        local ok, message = pcall(client.post, client, "fault/echo", body)
        assert.is_false(ok)
        assert.is_truthy(message:find(row[3], 1, true), message)
      end
    end
    for _, change in ipairs {
      function(parts) parts[1].name = nil end, function(parts) parts[1].value = nil end, function(parts) parts[1].value = {} end,
      function(parts) parts[1].name = "a\n" end, function(parts) parts[1] = 5 end, function(parts) parts[1] = nil end,
      function(parts) parts[1].filename = "x" end, function(parts) parts[1].value.filename = 5 end,
    } do
      local parts = uipath.multipart { { name = "a", value = uipath.file(name) } }
      change(parts)
      local ok, message = pcall(client.post, client, "fault/echo", parts)
      assert.is_false(ok)
      assert.equal("string", type(message))
    end
    os.remove(name)
  end)
end)

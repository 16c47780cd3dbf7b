-- Hosts that put the module's Lua files out of reach after they have loaded it: haproxy's chroot is one.

local assert = require "luassert"
local tenant = require "spec.support.tenant"

local sandbox

setup(function() sandbox = assert(require("uipath.sandbox").start()) end)
teardown(function() sandbox:stop() end)

-- From here on nothing more can be loaded, and what has been stays.
local LOSE = [[
  package.path, package.cpath = "", ""
  local searchers = package.searchers or package.loaders
  for i = #searchers, 1, -1 do searchers[i] = nil end
  assert(not pcall(require, "uipath.repl"))
]]

local function expect(expected, output, status)
  assert.equal(expected, output)
  assert.equal(0, status)
end

-- The parts that are not for hosts, but for nginx's, which is for nginx alone.
local LEFT_OUT = { cli = true, library = true, output = true, repl = true, sandbox = true, nginx = true }

describe("uipath.preload", function()
  it("loads every Lua file but those of prompt, command and sandbox", function()
    local names = {}
    for path in tenant.shell("cd src && find uipath -name '*.lua'"):gmatch "[^\n]+" do
      local name = path:gsub("%.lua$", ""):gsub("/", ".")
      local part = name:match "^uipath%.(%w+)"
      if not LEFT_OUT[part] then names[#names + 1] = ("%q"):format(name) end
    end
    assert.is_true(#names > 15)
    local output, status = tenant.run(sandbox.options, ([[
      print(uipath.preload())
      for _, name in ipairs { %s } do
        if not package.loaded[name] then print(name) end
      end
    ]]):format(table.concat(names, ", ")))
    expect("true\n", output, status)
  end)

  it("raises where a file cannot be had", function()
    local output, status = tenant.run(sandbox.options, LOSE .. "print(pcall(uipath.preload))")
    assert.matches("^false\tmodule 'uipath%.errors' not found", output)
    assert.equal(0, status)
  end)

  -- What calls came to, with all that they load.
  local WORK = [[
    local faults = client:with { base_url = %q, max_attempts = 1, access_token = "token" }
    local function told(value, err) print(value == nil and err.kind, (tostring(err):gsub("^.-: ", ""))) end
    told(client:get "odata/Machines(99999)")
    local _, forbidden = faults:get "odata/fault/status/403"
    print(forbidden.kind, forbidden.hint ~= nil)
    told(client:get "http://127.0.0.2/odata/Machines")
    told(uipath.json.decode "[")
    local rows = 0
    for _ in client:each("odata/Machines", { page_size = 3 }) do rows = rows + 1 end
    print(rows == client:count "odata/Machines", rows == #client:collect "odata/Machines")
    print(table.concat(uipath.map({ 1, 2 }, function(n) return #client:get("odata/Machines", { top = n }).value end), " "))
    print(#uipath.all(function() return client:get("odata/Machines", { top = 2 }) end).value)
    print((client:can("GET", "odata/Machines")), #client:describe "odata/Machines" > 0)
    print(#uipath.endpoints "^GET odata/Jobs$")
    print(uipath.scopes_for({ { "GET", "odata/Machines" } })[1])
    print(client:token().source, type(uipath.store.file "/nowhere/tokens"))
    local nothing = function() end
    local own = client:with {
      access_token = function() return client:access_token() end,
      client_id = false, client_secret = false, scope = false,
      token_store = { load = nothing, save = nothing, drop = nothing },
    }
    print(#assert(own:get("odata/Machines", { top = 1 })).value)
  ]]

  local DONE = table.concat({
    "not_found\tGET …/odata/Machines(99999): 404 not found: Machine does not exist.",
    "forbidden\ttrue", "usage\t", "decode\t", "true\ttrue", "1 2", "2", "true\ttrue", "1",
    "OR.Machines.Read", "client_credentials\ttable", "1", "",
  }, "\n")

  -- The words of these are other specs'.
  local function without_words(output)
    return (output:gsub("usage\t[^\n]*", "usage\t"):gsub("decode\t[^\n]*", "decode\t"))
  end

  it("lets all go on when no file is within reach any more", function()
    local work = WORK:format(sandbox.fault_url)
    local before = tenant.run(sandbox.options, work)
    assert.equal(DONE, without_words(before))
    expect(before, tenant.run(sandbox.options, "uipath.preload()" .. LOSE .. work))
  end)

  -- As root, and where that may change its root: else there is no such spec.
  if os.execute "chroot / true 2>/dev/null" == (_VERSION == "Lua 5.1" and 0 or true) then
    it("lets all go on in another root", function()
      local folder = tenant.shell "mktemp -d":match "%S+"
      local output, status = tenant.host(sandbox.options, ([[
        uipath.preload()
        assert(host.chroot(%q))
        assert(not pcall(require, "uipath.repl"))
      ]]):format(folder) .. WORK:format(sandbox.fault_url), 1, "ASAN_OPTIONS=detect_leaks=0") -- there is no /proc to find leaks by
      os.execute("rmdir " .. folder)
      assert.equal(DONE, without_words(output))
      assert.equal(0, status)
    end)
  end
end)

describe("without uipath.preload, files out of reach are", function()
  local UNREACHABLE = "^file\t%(command line%):%d+: file: a Lua file of uipath is out of reach: "
    .. "module 'uipath%.[%l_]+' not found:? — "
    .. "uipath%.preload%(%) loads all of them before the root or the user changes\n$"

  local function told(code)
    return tenant.run(tenant.options(sandbox, { max_attempts = 1 }), LOSE .. ([[
      local faults = client:with { base_url = %q }
      local value, err = %s
      print(value == nil and uipath.is_error(err) and err.kind, err)
    ]]):format(sandbox.fault_url, code))
  end

  for _, code in ipairs {
    "uipath.map({ 1 }, function() return 1 end)", "uipath.all(function() return 1 end)", "uipath.endpoints()",
    "uipath.scopes_for { { 'GET', 'odata/Machines' } }", "client:collect 'odata/Machines'", "client:count 'odata/Machines'",
    "client:can('GET', 'odata/Machines')", "client:describe 'odata/Machines'", "client:token()",
  } do
    it("nil and an error of " .. code, function()
      local output, status = told(code)
      assert.matches(UNREACHABLE, output)
      assert.equal(0, status)
    end)
  end

  for code, expected in pairs {
    ["client:get 'odata/Machines(99999)'"] =
      "^not_found\t%(command line%):%d+: not_found: status 404 — no more can be told: module ",
    ["faults:get 'odata/fault/status/403'"] =
      "^forbidden\t%(command line%):%d+: forbidden: status 403 — ",
    ["faults:get 'odata/fault/status/503/0'"] = "^server\t",
    ["faults:get 'odata/fault/status/409'"] = "^conflict\t",
    ["faults:get 'odata/fault/status/429/0'"] = "^rate_limit\t",
    ["faults:get 'odata/fault/redirect/302/other'"] = "^redirect\t",
    ["faults:get('odata/fault/stall', { timeout = 0.2 })"] =
      "^timeout\t%(command line%):%d+: timeout: [^\n]* — ",
    ["faults:get 'odata/fault/reset'"] =
      "^network\t%(command line%):%d+: network: [^\n]* — ",
    ["faults:post 'odata/fault/error/multi_status'"] =
      "^failed\t[^\n]*: failed: the service has answered that it, or a part of it, was not done",
    ["faults:get 'odata/fault/html'"] = "^decode\t",
    ["client:get 'http://127.0.0.2/odata/Machines'"] = "^usage\t",
    ["uipath.json.decode '['"] = "^decode\t%(command line%):%d+: decode: ",
    ["client:start('GET', 'odata/Machines'):wait(0)"] = "^timeout\t",
  } do
    it("no hindrance to the error of " .. code, function()
      local output, status = told(code)
      assert.matches(expected, output)
      assert.equal(0, status)
    end)
  end

  it("an error that loops raise", function()
    local raising = { "client:each 'odata/Machines'", "client:pages 'odata/Machines'", "uipath.store.file()" }
    for _, code in ipairs(raising) do
      local output, status = told("select(2, pcall(function() return " .. code .. " end))")
      assert.matches("^false\tnil\n$", output)
      assert.equal(0, status)
      output, status = told("nil, select(2, pcall(function() return " .. code .. " end))")
      assert.matches(UNREACHABLE, output)
      assert.equal(0, status)
    end
  end)

  it("no leak of a secret", function()
    local output, status = tenant.run(sandbox.options, LOSE .. ([[
      local echo = client:with { access_token = "odata", base_url = %q, max_attempts = 1 }
      local _, err = echo:get "odata/fault/error/orchestrator"
      print(err.url:find("odata", 1, true), err.body, err.headers, err._token, err._secret, err._scope)
    ]]):format(sandbox.fault_url))
    expect("nil\tnil\tnil\tnil\tnil\tnil\n", output, status)
  end)

  it("found again by the next error", function()
    local output, status = tenant.run(sandbox.options, [[
      local path, err = package.path, nil
      package.path = ""
      err = select(2, client:get "odata/Machines(99999)")
      print(err.message, pcall(uipath.map, { 1 }, print))
      package.path = path
      print(select(2, client:get "odata/Machines(99999)").message, uipath.map({ 1 }, tostring)[1])
      print((tostring(err):gsub("^.-: ", "", 1):gsub(" — .*", "")))
    ]])
    assert.matches("^status 404\ttrue\tnil\t[^\n]*out of reach[^\n]*\nMachine does not exist%.\t1\n"
      .. "GET …[^\n]*: 404 not found: status 404\n$", output)
    assert.equal(0, status)
  end)

  it("no hindrance to an error whose hint they hold", function()
    local output, status = tenant.run(sandbox.options, ([[
      assert(not client:get "odata/Machines(99999)")
      %s
      local err = select(2, client:with { base_url = %q }:get "odata/fault/status/403")
      print(err.kind, err.hint)
    ]]):format(LOSE, sandbox.fault_url))
    expect("forbidden\tnil\n", output, status)
  end)
end)

-- ---------------------------------------------------------------------------
-- The examples, in their hosts. Where a host is not here, or has another Lua than a build that is
-- here, there is no such spec.
-- ---------------------------------------------------------------------------

-- Whether there is a build of the module for a Lua, brought up to date.
local function has_build(lua)
  if not io.open("build/" .. lua .. "/uipath.so") then return false end
  local command = "env -u LUA_PATH -u LUA_CPATH flock build/%s make -s LUA=%s SANITIZE= module"
  local built = os.execute(command:format(lua, lua))
  assert(built == true or built == 0, "the build for " .. lua .. " failed")
  return true
end

-- A command that runs another in an environment that has the module for a Lua and names the tenant.
local function in_environment(lua, options, command)
  local here = tenant.shell "pwd":match "[^\n]+"
  local variables = {
    HOME = "/nonexistent", PATH = os.getenv "PATH" .. ":/usr/sbin",
    LUA_PATH = here .. "/src/?.lua;;", LUA_CPATH = ("%s/build/%s/?.so;;"):format(here, lua),
    UIPATH_ORGANIZATION = options.organization, UIPATH_TENANT = options.tenant,
    UIPATH_CLIENT_ID = options.client_id, UIPATH_CLIENT_SECRET = options.client_secret,
    UIPATH_AUTH_SCOPES = options.scope, UIPATH_URI = options.base_url,
  }
  local words = {}
  for name, value in pairs(variables) do words[#words + 1] = name .. "=" .. tenant.quoted(value) end
  return "env -i " .. table.concat(words, " ") .. " " .. command
end

local haproxy = tenant.shell "PATH=$PATH:/usr/sbin haproxy -vv"
local haproxy_lua = "lua" .. (haproxy:match "Built with Lua version : Lua (5%.%d)" or "")

if haproxy_lua ~= "lua" and has_build(haproxy_lua) then
  describe("examples/haproxy", function()
    local slow
    setup(function() slow = assert(require("uipath.sandbox").start { latency = 1 }) end)
    teardown(function() slow:stop() end)

    -- Runs a check with the address of a haproxy, whose root is another where that may be.
    local function with_haproxy(changes, check)
      local folder = tenant.shell "mktemp -d":match "%S+"
      local port = require("spec.support.nginx").random_port()
      tenant.shell(("cp examples/haproxy/* %s && mkdir %s/root && sed -i 's/8018/%d/' %s/haproxy.cfg")
        :format(folder, folder, port, folder))
      if tenant.shell "chroot / echo yes" == "yes\n" then
        tenant.shell(("sed -i 's|# chroot [^ ]*|chroot %s/root|' %s/haproxy.cfg"):format(folder, folder))
        assert.equal("1\n", tenant.shell(("grep -c '^ *chroot' %s/haproxy.cfg"):format(folder)))
      end
      local command = in_environment(haproxy_lua, tenant.options(slow, changes),
        ("haproxy -f %s/haproxy.cfg"):format(folder))
      local pipe = assert(io.popen(("echo $$; exec %s 2>%s/log"):format(command, folder)))
      local pid = pipe:read "*l"
      local url = "http://127.0.0.1:" .. port
      local ok, problem = pcall(function()
        tenant.eventually(function() return tenant.shell("curl -s " .. url .. "/up") == "up\n" end)
        check(url)
      end)
      os.execute("kill " .. pid)
      pipe:close()
      local log = tenant.shell("cat " .. folder .. "/log")
      os.execute("rm -rf " .. folder)
      assert(ok, tostring(problem) .. "\n" .. log)
      return log
    end

    it("replies, and serves others while a call waits", function()
      with_haproxy({}, function(url)
        -- This one fetches the token as well.
        assert.matches("^%[{.*VM%-BERLIN%-01.*}%]$", tenant.shell("curl -s " .. url .. "/machines"))
        local pipe = io.popen("curl -s -w ' %{time_total}' " .. url .. "/machines")
        tenant.eventually(function() return tenant.control(slow, "GET counters").in_flight == 1 end)
        assert.equal("up\n", tenant.shell("curl -s " .. url .. "/up"))
        assert.equal(1, tenant.control(slow, "GET counters").in_flight) -- still
        assert.matches("%] [1-9]", pipe:read "*a")
        pipe:close()
      end)
    end)

    it("tells of what goes wrong, in another root, too", function()
      local log = with_haproxy({ client_secret = "wrong" }, function(url)
        assert.equal('{"error":"auth"} 502', tenant.shell("curl -s -w ' %{http_code}' " .. url .. "/machines"))
      end)
      assert.matches("invalid_client", log)
    end)
  end)
end

if tenant.shell "command -v nvim" ~= "" and has_build "luajit" then
  describe("examples/neovim", function()
    -- Runs :Machines in a Neovim whose timer counts; gives what the buffer has at once and in the end.
    local function machines(options)
      local name = os.tmpname()
      local file = assert(io.open(name, "w"))
      file:write [[
        vim.cmd "luafile examples/neovim/machines.lua"
        local ticks = 0
        local timer = (vim.uv or vim.loop).new_timer()
        timer:start(10, 10, function() ticks = ticks + 1 end)
        vim.cmd "Machines"
        local function first() return vim.api.nvim_buf_get_lines(0, 0, 1, true)[1] end
        io.stdout:write(first(), "\n")
        vim.wait(30000, function() return not first():find "^asking " end, 10)
        io.stdout:write(first(), "\n", ticks, " ticks\n")
      ]]
      file:close()
      local command = in_environment("luajit", options,
        ("nvim --headless -u NONE -i NONE -c 'luafile %s' -c 'qall!'"):format(name))
      local output = tenant.shell("timeout 60 " .. command .. " </dev/null")
      os.remove(name)
      return output
    end

    it("shows rows, and Neovim goes on meanwhile", function()
      local slow = assert(require("uipath.sandbox").start { latency = 0.3 })
      local output = machines(slow.options)
      slow:stop()
      local ticks = output:match "^asking uipath%.client [^\n]*\n3%d+\t%S+\n(%d+) ticks\n"
      assert.is_truthy(ticks, output)
      assert.is_true(tonumber(ticks) > 3, output)
    end)

    it("shows what goes wrong", function()
      local output = machines(tenant.options(sandbox, { client_secret = "wrong" }))
      assert.matches("^asking [^\n]*\n[^\n]*invalid_client[^\n]*\n", output)
    end)
  end)
end

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
      ]]):format(folder) .. WORK:format(sandbox.fault_url))
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
      "^file\t[^\n]*: file: the service has answered, but whether it tells of a failure",
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

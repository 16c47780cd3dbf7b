-- Every script in examples/ runs as it stands: on the sandbox that it starts by itself, and on a tenant that the environment names.

local assert = require "luassert"
local tenant = require "spec.support.tenant"

-- Each script's arguments, and what must be among the lines that it prints (Lua patterns).
local scripts = {
  ["list_machines.lua"] = { lines = { "^3001%s+VM%-BERLIN%-01$", "^3007%s+LAPTOP%-O'BRIEN$" } },
  ["faulted_jobs.lua"] = { lines = { "^ *%d+  Shared: Order Import$", "^ *%d+  Production: .+$" } },
  ["disable_machines.lua"] = { arguments = "'^VM%-BERLIN'", lines = { "^VM%-BERLIN%-03%s+disabled$" } },
  ["check_folders.lua"] = { lines = { "^Shared +LOOK +1 waiting +4 running +%d+ faulted$", "^Archive +good +0 waiting" } },
}

local sandbox
setup(function() sandbox = assert(require("uipath.sandbox").start()) end)
teardown(function() sandbox:stop() end)

-- Makes the sandbox the default profile of a home folder.
local function write_profile(home)
  local given = sandbox.options
  assert.equal("", tenant.shell("mkdir " .. home .. "/.uipath"))
  local file = assert(io.open(home .. "/.uipath/config", "w"))
  file:write(([[
profiles:
  - name: default
    uri: %s
    organization: %s
    tenant: %s
    auth: { clientId: "%s", clientSecret: "%s", scopes: "%s" }
]]):format(given.base_url, given.organization, given.tenant, given.client_id, given.client_secret, given.scope))
  file:close()
  tenant.shell("chmod 600 " .. home .. "/.uipath/config")
end

local function names()
  local list = {}
  for name in tenant.shell("cd examples && ls *.lua"):gmatch("[^\n]+") do list[#list + 1] = name end
  return list
end

-- Runs a script with nothing in the environment that names a tenant but what is given. Gives what it
-- wrote, of both kinds.
local function run(name, environment)
  local command = ("env -u UIPATH_CLIENT_ID -u UIPATH_PAT -u UIPATH_ACCESS_TOKEN HOME=/nonexistent LUA_PATH=%s LUA_CPATH=%s %s"):format(
    tenant.quoted(package.path), tenant.quoted(package.cpath), environment)
  command = ("%s %s examples/%s %s"):format(command, tenant.interpreter, name, scripts[name].arguments or "")
  local output = tenant.shell(command .. "; echo \"status $?\"")
  local text, status = output:match("^(.*)status (%d+)\n$")
  assert.equal("0", status, output)
  return text
end

local function expect_lines(name, output)
  for _, pattern in ipairs(scripts[name].lines) do
    local found = false
    for line in output:gmatch("[^\n]+") do found = found or line:find(pattern) ~= nil end
    assert.is_true(found, pattern .. " in:\n" .. output)
  end
end

describe("examples", function()
  for _, name in ipairs(names()) do
    it("have " .. name .. ", which is short, and runs on the sandbox", function()
      assert.is_table(scripts[name], "spec/examples_spec.lua does not know " .. name)
      local _, lines = assert(io.open("examples/" .. name)):read("*a"):gsub("\n", "")
      assert.is_true(lines < 25, lines)
      local output = run(name, "UIPATH_CLIENT_ID= UIPATH_PAT=")
      expect_lines(name, output)
      assert.is_truthy(output:find("This is the bundled sandbox", 1, true), output)
    end)

    it("have " .. name .. ", which runs on the tenant that a profile alone names", function()
      tenant.control(sandbox, "POST reset")
      local home = tenant.shell("mktemp -d"):match "%S+"
      write_profile(home)
      local output = run(name, "HOME=" .. home)
      tenant.shell("rm -r " .. home)
      expect_lines(name, output)
      assert.is_nil(output:find("sandbox", 1, true), output)
      assert.is_truthy(output:find("This is acme/DefaultTenant at " .. sandbox.options.base_url
        .. ", as 'uri' of profile 'default' in " .. home .. "/.uipath/config says.", 1, true), output)
      assert.is_true(tenant.control(sandbox, "GET counters").data_requests > 0)
    end)

    it("have " .. name .. ", which runs on the tenant that the environment names", function()
      tenant.control(sandbox, "POST reset")
      local given = sandbox.options
      expect_lines(name, run(name, table.concat({
        "UIPATH_URI=" .. given.base_url, "UIPATH_ORGANIZATION=" .. given.organization, "UIPATH_TENANT=" .. given.tenant,
        "UIPATH_CLIENT_ID=" .. given.client_id, "UIPATH_CLIENT_SECRET=" .. given.client_secret,
        "UIPATH_AUTH_SCOPES=" .. tenant.quoted(given.scope),
      }, " ")))
      assert.is_true(tenant.control(sandbox, "GET counters").data_requests > 0)
    end)
  end

  it("raise, and start no sandbox, where a tenant is named by halves or its profile cannot be read", function()
    local prefix = ("env -u UIPATH_CLIENT_ID -u UIPATH_PAT LUA_PATH=%s LUA_CPATH=%s HOME=%s ")
    local function message(home, environment, program)
      return tenant.shell(prefix:format(tenant.quoted(package.path), tenant.quoted(package.cpath), home) .. environment
        .. " " .. tenant.interpreter .. " -e " .. tenant.quoted(program))
    end
    local connect = 'require("uipath.sandbox").connect()'
    local output = message("/nonexistent", "UIPATH_ORGANIZATION=acme", connect)
    assert.matches("%(command line%):1: missing credentials", output)
    local home = tenant.shell("mktemp -d"):match "%S+"
    write_profile(home)
    output = message(home, "", 'package.preload.lyaml = function() error "none" end ' .. connect)
    tenant.shell("rm -r " .. home)
    assert.matches("%(command line%):1: missing credentials", output)
    assert.is_truthy(output:find("is YAML, which takes the module lyaml", 1, true), output)
    assert.matches('unknown option', message("/nonexistent", "", 'require("uipath.sandbox").connect{ fliter = 1 }'))
  end)

  it("change what they say they change", function()
    local client = require("uipath").connect(tenant.options(sandbox))
    for machine in client:each("odata/Machines", { filter = { "startswith(Name,?)", "VM-BERLIN" } }) do
      assert.equal(0, machine.UnattendedSlots)
    end
    assert.equal(2, client:count("odata/Machines", { filter = "UnattendedSlots gt 2" }))
  end)
end)

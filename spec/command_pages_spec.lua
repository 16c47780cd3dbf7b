-- luipath get --all: every page, written as it comes.

local assert = require "luassert"
local command = require "spec.support.command"
local uipath = require "uipath"

describe("luipath get --all", function()
  local sandbox, environment, run, output_of, machines

  setup(function()
    sandbox = assert(require("uipath.sandbox").start())
    environment = command.environment(sandbox)
    run, output_of = command.runner(environment)
    machines = #assert(uipath.connect(sandbox.options):get("odata/Machines", { top = 1000 })).value
  end)
  teardown(function() sandbox:stop() end)

  it("writes the rows of all pages, in all formats", function()
    local words = "get odata/Machines --all --page-size 5 --orderby Id --select Id -o "
    local _, lines = output_of(words .. "jsonl"):gsub("\n", "")
    assert.equal(machines, lines)
    _, lines = output_of(words .. "csv"):gsub("\n", "")
    assert.equal(machines + 1, lines)
    _, lines = output_of(words .. "table"):gsub("\n", "")
    assert.equal(machines + 1, lines)
    assert.equal(machines, #assert(uipath.json.decode((output_of(words .. "json")))))
    assert.equal(machines, #assert((loadstring or load)((output_of(words .. "lua"))))()) -- luacheck: ignore 113
  end)

  it("ends after --top rows, and walks by a key with --by", function()
    local _, lines = output_of("get odata/Jobs --folder Shared --all --top 1500 --select Id -o jsonl"):gsub("\n", "")
    assert.equal(1500, lines)
    _, lines = output_of("get odata/Machines --all --by Id --page-size 7 -o jsonl"):gsub("\n", "")
    assert.equal(machines, lines)
  end)

  it("writes an empty list where there are no rows", function()
    assert.equal("[]\n", (output_of "get odata/Machines --all --filter Id~eq~0 -o json"))
    assert.equal("", (output_of "get odata/Machines --all --filter Id~eq~0 -o jsonl"))
  end)

  it("ends with 1 when the service says no on the way", function()
    local result = run("get odata/Machines --all", { UIPATH_AUTH_SCOPES = "OR.Jobs" })
    assert.equal(1, result.code)
    assert.matches("^luipath: GET …/odata/Machines: 403 forbidden", result.errors)
  end)

  it("stops asking for pages when they can no longer be written", function()
    local tenant = require "spec.support.tenant"
    local variables = {}
    for name, value in pairs(environment) do variables[#variables + 1] = ("%s='%s'"):format(name, value) end
    local function expect_stop(interpreter, format)
      tenant.control(sandbox, "POST reset")
      local words = "get odata/Jobs --folder Shared --all --page-size 100 -o " .. format
      local pipe = assert(io.popen(("%s %s src/luipath %s 2>&1 >/dev/full"):format(
        table.concat(variables, " "), interpreter, words)))
      assert.matches("^luipath: standard output: ", pipe:read "*a")
      pipe:close()
      local paths = tenant.control(sandbox, "GET counters").paths
      local asked = 0
      for path, count in pairs(paths) do
        if path:find "odata/Jobs" then asked = asked + count end
      end
      assert.is_true(asked > 0 and asked < 20, asked)
    end
    expect_stop(tenant.interpreter, "jsonl")
    -- LuaJIT compiles what has run often, and here what has run once; compiled code must find it
    -- out as well. Which parts it compiles differs from run to run.
    if jit then
      for _ = 1, 3 do
        for _, format in ipairs { "jsonl", "csv", "table" } do expect_stop("luajit -Ohotloop=1", format) end
      end
    end
  end)

  -- The peak of the process in kilobytes, when so many jobs are written.
  local function peak_of(rows, format)
    local script = os.tmpname()
    local file = assert(io.open(script, "w"))
    file:write [[
      require("uipath.cli")(arg)
      io.stderr:write(io.open("/proc/self/status"):read("*a"):match("VmHWM:%s*(%d+)"))]]
    file:close()
    local result = run(("get odata/Jobs --folder Shared --all --top %d -o %s"):format(rows, format), nil, { script = script })
    os.remove(script)
    return tonumber(result.errors)
  end

  it("streams", function()
    -- All rows of both fill the window; what is kept of each would be tens of megabytes. Sanitizers keep what has been freed.
    local allowed = (os.getenv "SUITE" or "plain") == "plain" and 12000 or 400000
    for _, format in ipairs { "jsonl", "csv" } do
      local small, large = peak_of(6000, format), peak_of(24000, format)
      assert.is_true(large - small < allowed, ("%s: %d kB, then %d kB"):format(format, small, large))
    end
  end)

  it("shows on a terminal how far it is", function()
    local Terminal = require "spec.support.terminal"
    local slow = assert(require("uipath.sandbox").start { latency = 0.2 })
    local variables = { HOME = "/nonexistent", TERM = "screen-256color", LUA_PATH = package.path, LUA_CPATH = package.cpath }
    for name, value in pairs(environment) do variables[name] = value end
    variables.UIPATH_URI = slow.base_url
    local terminal = Terminal.start {
      command = (os.getenv "LUA" or "lua5.4")
        .. " src/luipath get odata/Jobs --folder Shared --all --top 6000 --select Id -o jsonl >/dev/null",
      environment = variables, width = 100,
    }
    finally(function()
      terminal:stop()
      slow:stop()
    end)
    terminal:await "%[#+%.*%] %d+ of %d+ rows"
    terminal:await "^exit code 0$" -- and cleans up
  end)
end)

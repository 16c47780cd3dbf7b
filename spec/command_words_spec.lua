-- luipath as a new user meets it: advice in the shell's own words, output that is the same in every
-- run, nothing on the terminal that a service could have put there, paths that Tab completes.

local answers = require "spec.support.answers"
local assert = require "luassert"
local command = require "spec.support.command"
local Terminal = require "spec.support.terminal"
local uipath = require "uipath"

local LUA = os.getenv "LUA" or "lua5.4"
local OBEYED = "a\27[31mb\127c\194\155d\226\128\174e"

describe("luipath", function()
  local sandbox, environment, run, output_of

  setup(function()
    sandbox = assert(require("uipath.sandbox").start())
    environment = command.environment(sandbox)
    run, output_of = command.runner(environment)
  end)
  teardown(function() sandbox:stop() end)

  local nothing = {
    UIPATH_CLIENT_ID = "", UIPATH_CLIENT_SECRET = "", UIPATH_AUTH_SCOPES = "", UIPATH_ORGANIZATION = "",
  }

  describe("advises in the shell's words:", function()
    for words, advice in pairs {
      ["get odata/Jobs"] = "give a folder: %-%-folder Shared\n$",
      ["describe odata/Nothing"] = "luipath endpoints PATTERN lists what is",
      ["describe odata/Machnes"] = "did you mean odata/Machines%?",
      ["get odata/Machnes"] = "there is no such path: did you mean odata/Machines%?",
      ["get odata/Machines --all --by Id --orderby Id"] = "^luipath: %-%-by and %-%-orderby exclude each other",
      ["get odata/Machines --all --by Id --skip 1"] = "^luipath: %-%-by and %-%-skip exclude each other\n",
      ["get odata/Machines --all --by Id --select Name"] = "^luipath: %-%-by: %-%-select must contain 'Id'\n",
      ["get odata/Machines --all --by a~b"] = "^luipath: %-%-by must be the name of a property",
      ["get odata/Machines --all --page-size 0"] = "^luipath: %-%-page%-size must be a whole number from 1\n",
      ["get odata/Machines --all --query $top=5"] = "give %-%-top, %-%-page%-size and %-%-skip instead",
      ["get odata/Machines --max-attempts 0"] = "^luipath: %-%-max%-attempts must be",
      ["get odata/Machines --folder "] = "needs an argument",
      ["get https://elsewhere.example/odata/Machines"] = "host and port as UIPATH_URI",
    } do
      it(words, function()
        local result = run(words)
        assert.matches(advice, result.errors:gsub("requires an argument", "needs an argument"), nil)
        for _, script in ipairs { "{ ", "client:", "uipath%.", "%.lua", "luipath:%d" } do
          assert.is_nil(result.errors:find(script), result.errors)
        end
      end)
    end

    it("what is missing to connect", function()
      local said = run("get odata/Machines", nothing).errors
      assert.matches("set the variables UIPATH_CLIENT_ID and UIPATH_CLIENT_SECRET, or UIPATH_PAT; or name a profile", said)
      assert.is_nil(said:find "option")
      said = run("get odata/Machines", { UIPATH_ORGANIZATION = "" }).errors
      assert.matches("missing %-%-organization %(or the variable UIPATH_ORGANIZATION%)", said)
    end)

    it("but leaves what a service says as it is", function()
      local words = require "uipath.cli.words"
      assert.equal("base_url = 5; top must be 3", words.of_error(setmetatable({
        kind = "request", message = "base_url = 5; top must be 3", status = 400,
      }, { __tostring = function(err) return err.message end })))
      assert.equal("try --level organization", words.of 'try { level = "organization" }')
      assert.equal("or with UIPATH_INSECURE=1", words.of "or with insecure = true")
    end)
  end)

  it("refuses what would be lost in silence", function()
    for words, said in pairs {
      ["get odata/Machines --page-size 5"] = "%-%-page%-size is for %-%-all",
      ["get odata/Machines --by Id"] = "%-%-by is for %-%-all",
      ["get odata/Machines --guard -o json"] = "%-%-guard is for %-%-output csv",
    } do
      local result = run(words)
      assert.equal(2, result.code)
      assert.matches(said, result.errors)
    end
  end)

  it("writes lines of JSON with their members in one order", function()
    local words = "get odata/Machines --orderby Id --top 2 -o jsonl"
    local first = output_of(words)
    for _ = 1, 3 do assert.equal(first, (output_of(words))) end
    local names = {}
    for name in first:match "^{(.-)}\n":gmatch '"(%a+)":' do names[#names + 1] = name end
    local sorted = { (table.unpack or unpack)(names) } -- luacheck: ignore 113 143
    table.sort(sorted)
    assert.same(sorted, names)
  end)

  it("shows the token's date alike in all formats", function()
    for _, format in ipairs { "json", "jsonl", "csv", "lua", "table" } do
      assert.matches("%d%d%d%d%-%d%d%-%d%dT%d%d:%d%d:%d%dZ", (output_of("token -o " .. format)))
    end
  end)

  it("marks what was removed where it lists endpoints", function()
    assert.matches("^method,path,scopes,permissions,removed\n", (output_of "endpoints odata/Alerts -o csv"))
    assert.matches(",2025%-09\n", (output_of "endpoints odata/Alerts -o csv"))
  end)

  describe("with a service that has crafted its reply", function()
    local server, variables
    setup(function()
      server = answers.start {
        { match = "odata/Text", body = OBEYED .. "\n", headers = { ["Content-Type"] = "text/plain" } },
        { match = "skip=", body = { value = uipath.array {} } },
        { match = "odata/Rows", body = { value = { { Name = OBEYED, [OBEYED] = "x" }, { Name = "=1+1" } } } },
        { match = "odata/Wide", body = { value = { { Name = "日本", State = "A" }, { Name = "abcd", State = "B" } } } },
        { match = "odata/Error", status = 400, body = { message = OBEYED } },
      }
      variables = {}
      for name, value in pairs(environment) do variables[name] = value end
      variables.UIPATH_URI, variables.UIPATH_IDENTITY_URI = server.url, sandbox.base_url .. "/identity_"
    end)
    teardown(function() server.stop() end)

    -- The bytes that the words of luipath write to a terminal, which `script` makes.
    local function at_terminal(words)
      local name = os.tmpname()
      local list = { "env -i HOME=/nonexistent TERM=xterm", ("PATH='%s'"):format(os.getenv "PATH"),
        ("LUA_PATH='%s' LUA_CPATH='%s'"):format(package.path, package.cpath) }
      for key, value in pairs(variables) do list[#list + 1] = ("%s='%s'"):format(key, value) end
      for _, key in ipairs { "ASAN_OPTIONS", "LSAN_OPTIONS", "UBSAN_OPTIONS", "TSAN_OPTIONS" } do
        if os.getenv(key) then list[#list + 1] = ("%s='%s'"):format(key, os.getenv(key)) end
      end
      list[#list + 1] = LUA .. " src/luipath " .. words
      local line = table.concat(list, " "):gsub("'", "'\\''")
      os.execute(("script -q -e -c '%s' %s >/dev/null </dev/null"):format(line, name))
      local file = assert(io.open(name, "rb"))
      local bytes = file:read "*a":gsub("^Script started[^\n]*\n", ""):gsub("\nScript done.*$", "\n")
      file:close()
      os.remove(name)
      return bytes
    end

    for _, words in ipairs {
      "get odata/Text", "get odata/Rows -o table", "get odata/Rows -o json", "get odata/Rows -o jsonl",
      "get odata/Rows -o csv", "get odata/Rows -o lua", "get odata/Error", "get odata/Rows --all -o csv",
      "get odata/Rows", "get odata/Text --all",
    } do
      it("shows it on a terminal without what that would obey: " .. words, function()
        local bytes = at_terminal(words):gsub("\27%[%d*m", ""):gsub("\27%[K", "")
        assert.is_truthy(#bytes > 0)
        assert.is_nil(bytes:gsub("[\r\n\t]", ""):find "[%c\127]", bytes)
        assert.is_nil(bytes:find("\194\155", 1, true))
        assert.is_nil(bytes:find("\226\128\174", 1, true))
      end)
    end

    it("gives it to a pipe as it is", function()
      assert.equal(OBEYED .. "\n", (output_of("get odata/Text", variables)))
      local line = (output_of("get odata/Rows -o jsonl", variables)):match "^[^\n]+"
      assert.equal(OBEYED, assert(uipath.json.decode(line)).Name)
    end)

    it("guards CSV where that is asked for", function()
      assert.matches("\n'=1%+1\n$", (output_of("get odata/Rows --select Name -o csv --guard", variables)))
      assert.matches("\n'=1%+1\n$", (output_of("get odata/Rows --select Name -o csv --guard --all", variables)))
      assert.matches("\n=1%+1\n$", (output_of("get odata/Rows --select Name -o csv", variables)))
    end)

    it("aligns what is wide", function()
      assert.equal("Name  State\n日本  A\nabcd  B\n", (output_of("get odata/Wide --select Name,State -o table", variables)))
    end)
  end)

  describe("on a terminal", function()
    local terminal
    after_each(function()
      if terminal then terminal:stop() end
      terminal = nil
    end)

    local function open(words, width, more)
      local variables = { HOME = "/nonexistent", TERM = "screen-256color", LUA_PATH = package.path, LUA_CPATH = package.cpath }
      for name, value in pairs(environment) do variables[name] = value end
      for name, value in pairs(more or {}) do variables[name] = value end
      terminal = Terminal.start {
        command = LUA .. " src/luipath " .. words, environment = variables, width = width, height = 60,
      }
      return terminal:await "exit code %d+$"
    end

    it("says behind the table that there is more, and what had no room", function()
      local screen = open("get odata/Machines --top 3 --orderby Id", 80)
      local head, table_end, notes = screen:find "^ *Id ", screen:find "3003", screen:find "luipath: "
      assert.is_truthy(head and table_end and notes)
      assert.is_true(table_end < notes)
      assert.matches("3003[^\n]*\nluipath: no room for [^\n]*\n", screen)
      assert.matches("\nluipath: 3 rows, and there are more: %-%-all walks them\nexit code 0$", screen)
    end)

    it("keeps the paths of endpoints whole", function()
      local screen = open("endpoints odata/Jobs/", 80)
      assert.is_truthy(screen:find("odata/Jobs/UiPath.Server.Configuration.OData.StartJobs", 1, true))
      assert.is_truthy(screen:find("odata/Jobs/UiPath.Server.Configuration.OData.StopJobs", 1, true))
    end)

    it("wraps its help between words", function()
      local screen = open("get --help", 60)
      for line in screen:gmatch "[^\n]+" do
        if not line:find "^ *%-o" then assert.is_true(#line <= 60, line) end
      end
      local said = screen:match "table %(the default.-csv or lua"
      assert.is_truthy(said and said:find "\n")
    end)
  end)

  describe("completes paths in", function()
    it("bash", function()
      local script = os.tmpname()
      local file = assert(io.open(script, "w"))
      file:write((output_of("completion bash", nothing)))
      file:close()
      finally(function() os.remove(script) end)
      local function completed(...)
        local words = {}
        for i, word in ipairs { ... } do words[i] = "'" .. word .. "'" end
        local pipe = assert(io.popen(([[bash -c '. "$0"; COMP_WORDS=("$@"); COMP_CWORD=$#; ((COMP_CWORD--)); _luipath; ]]
          .. [[echo "${COMPREPLY[*]}"' %s %s]]):format(script, table.concat(words, " "))))
        local line = pipe:read "*l"
        pipe:close()
        return line
      end
      assert.equal("odata/Machines odata/Machines/", completed("luipath", "get", "odata/Mach"))
      assert.equal("odata/Machines odata/Machines/", completed("luipath", "--sandbox", "get", "--all", "odata/Mach"))
      assert.equal("identity_/", completed("luipath", "get", "iden"))
      assert.equal("odata/Jobs/UiPath.Server.Configuration.OData.StartJobs",
        completed("luipath", "post", "odata/Jobs/UiPath.Server.Configuration.OData.StartJ"))
      assert.equal("odata/Machines odata/Machines/", completed("luipath", "describe", "odata/Mach"))
      assert.equal("--filter", completed("luipath", "get", "--fil"))
      assert.equal("", completed("luipath", "get", "odata/Alert")) -- removed from the cloud
      assert.equal("", completed("luipath", "token", "odata/Mach"))
      assert.equal("", completed("luipath", "get", "--filter", "odata/Mach"))
    end)

    it("zsh and fish", function()
      local script = output_of("completion zsh", nothing)
      assert.is_truthy(script:find('": :_luipath_list_get"', 1, true))
      assert.matches("\n_luipath_list_get%(%) {.-\n    odata/Machines\n", script)
      script = output_of("completion fish", nothing)
      assert.matches("seen_command get' %-f %-a '[^'\n]* odata/Machines ", script)
    end)
  end)
end)

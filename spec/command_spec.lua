-- luipath in the shell: what it prints, what it says beside, and its exit codes.

local assert = require "luassert"
local command = require "spec.support.command"
local uipath = require "uipath"

describe("luipath", function()
  local sandbox, environment, run, output_of

  setup(function()
    sandbox = assert(require("uipath.sandbox").start())
    environment = command.environment(sandbox)
    run, output_of = command.runner(environment)
  end)
  teardown(function() sandbox:stop() end)

  describe("get writes", function()
    local words = "get odata/Machines --orderby Id --select Id,Name,Description --top 3 --output "

    it("JSON, as the service sent it", function()
      local reply = assert(uipath.json.decode((output_of(words .. "json"))))
      assert.equal(3, #reply.value)
      assert.equal(3001, reply.value[1].Id)
      assert.matches("odata/%$metadata#Machines", reply["@odata.context"])
      assert.equal(output_of(words .. "json"), (output_of((words:gsub("%-%-output ", ""))))) -- the default in a pipe
    end)

    it("lines of JSON", function()
      local lines = 0
      for line in output_of(words .. "jsonl"):gmatch "[^\n]+" do
        lines = lines + 1
        assert.equal(3000 + lines, assert(uipath.json.decode(line)).Id)
      end
      assert.equal(3, lines)
    end)

    it("CSV", function()
      assert.equal("Id,Name,Description\n3001,VM-BERLIN-01,Runs unattended robots\n3002,VM-BERLIN-02,Runs unattended robots\n"
        .. "3003,VM-BERLIN-03,\n", (output_of(words .. "csv")))
      local text = {}
      require("uipath.output.csv").writer(function(part) text[#text + 1] = part end, { select = { "a,b", "c" } }).rows {
        { ["a,b"] = 'say "so"', c = "two\nlines" }, { ["a,b"] = uipath.null, c = { 1, "x" } }, { ["a,b"] = false, c = 2.5 },
      }
      require("uipath.output.csv").writer(function(part) text[#text + 1] = part end, { select = { "a" } }).rows { { a = uipath.null } }
      assert.equal('a\n""\n', table.concat(text, "", #text - 1)) -- a line that is empty would be no row
      text[#text], text[#text - 1] = nil, nil
      assert.equal('"a,b",c\n"say ""so""","two\nlines"\n,"[1,""x""]"\nfalse,2.5\n', table.concat(text))
    end)

    it("Lua that gives the same back", function()
      local text = output_of(words .. "lua")
      local reply = assert((loadstring or load)(text))() -- luacheck: ignore 113
      assert.equal(3002, reply.value[2].Id)
      assert.equal(uipath.null, reply.value[3].Description)
    end)

    it("a table, of any width in a pipe", function()
      assert.equal("  Id  Name          Description\n3001  VM-BERLIN-01  Runs unattended robots\n"
        .. "3002  VM-BERLIN-02  Runs unattended robots\n3003  VM-BERLIN-03\n", (output_of(words .. "table")))
      assert.is_true(#output_of("get odata/Machines --top 1 -o table"):match "^[^\n]*" > 200)
    end)

    it("a single object in all formats", function()
      local path = "get odata/Machines(3001) --select Id,Name -o "
      assert.equal(3001, assert(uipath.json.decode((output_of(path .. "json")))).Id)
      local line = output_of(path .. "jsonl")
      assert.matches("^[^\n]+\n$", line)
      assert.equal(3001, assert(uipath.json.decode(line)).Id)
      assert.equal("Id,Name\n3001,VM-BERLIN-01\n", (output_of(path .. "csv")))
      assert.matches("^Id +3001\nName +VM%-BERLIN%-01\n", (output_of(path .. "table")))
    end)
  end)

  describe("says on stderr", function()
    it("when there are more rows", function()
      local _, errors = output_of "get odata/Machines --top 3 -o csv"
      assert.equal("luipath: 3 rows, and there are more: --all walks them\n", errors)
      _, errors = output_of "get odata/Machines --top 3 --count -o csv"
      assert.matches("^luipath: 3 rows of %d+: %-%-all walks all of them\n$", errors)
      _, errors = output_of "get odata/Jobs --folder Shared -o csv"
      assert.matches("^luipath: 1000 rows, a full page: there may be more", errors)
    end)

    it("nothing when there are not", function()
      local output, errors = output_of "get odata/Machines --top 500 -o jsonl"
      assert.equal("", errors)
      local _, rows = output:gsub("\n", "")
      output, errors = output_of("get odata/Machines -o jsonl --top " .. rows)
      assert.equal("", errors)
      assert.equal(rows, select(2, output:gsub("\n", "")))
    end)

    it("why there may be no folders", function()
      local _, errors = output_of("get odata/Folders -o csv", { UIPATH_URI = sandbox.fault_url .. "/fault/rows/0",
        UIPATH_IDENTITY_URI = sandbox.base_url .. "/identity_", UIPATH_AUTH_SCOPES = "OR.Folders.Read" })
      assert.matches("sees no folders", errors)
    end)

    it("nothing that a terminal would obey", function()
      local said = run("endpoints \27]0;title\7").errors
      assert.equal("luipath: no endpoint of the catalogue matches \\e]0;title\\x07\n", said)
    end)

    it("which columns come too late to be shown", function()
      -- The second row has a member more than the first page knows of; see the sandbox's faults.
      local csv, said, text = require "uipath.output.csv", {}, {}
      local writer = csv.writer(function(part) text[#text + 1] = part end, { warn = function(message) said[#said + 1] = message end })
      writer.rows { { a = 1 } }
      writer.rows { { a = 2, b = 3 }, { a = 4, b = 5 } }
      assert.equal("a\n1\n2\n4\n", table.concat(text))
      assert.equal(1, #said)
      assert.matches("the column b ", said[1])
    end)
  end)

  describe("post, patch, put and delete", function()
    it("take a body as text, from a file, from standard input", function()
      local created = assert(uipath.json.decode((output_of 'post odata/Machines --body {"Name":"shell-1","Type":"Standard"} -o json')))
      assert.equal("shell-1", created.Name)
      local path = "odata/Machines(" .. created.Id .. ")"
      local name = os.tmpname()
      local file = assert(io.open(name, "w"))
      file:write '{"Name":"shell-2"}'
      file:close()
      output_of("patch " .. path .. " --header Content-Type:~application/json --body @" .. name)
      os.remove(name)
      assert.equal("shell-2", assert(uipath.json.decode((output_of("get " .. path)))).Name)
      output_of("patch " .. path .. " --body @-", nil, { input = '{"Name":"shell-3"}' })
      assert.equal("shell-3", assert(uipath.json.decode((output_of("get " .. path)))).Name)
      assert.equal("", (output_of("delete " .. path)))
      assert.equal(1, run("get " .. path).code)
    end)

    it("end with 2 when there is no such file", function()
      local result = run "post odata/Machines --body @/nonexistent/body.json"
      assert.equal(2, result.code)
      assert.matches("^luipath: %-%-body: /nonexistent/body.json", result.errors)
    end)
  end)

  describe("passes on", function()
    it("filters, folders and any other parameter", function()
      assert.equal("Name\nLAPTOP-O'BRIEN\n", (output_of "get odata/Machines --filter Name~eq~'LAPTOP-O''BRIEN' --select Name -o csv"))
      assert.matches("^Id\n%d+\n$", (output_of "get odata/Jobs --folder Shared --top 1 --select Id -o csv"))
      local reply = assert(uipath.json.decode((output_of("get odata/fault/echo --query a=b=c --query d=~e --header X-Test:~yes",
        { UIPATH_URI = sandbox.fault_url, UIPATH_IDENTITY_URI = sandbox.base_url .. "/identity_" }))))
      assert.matches("a=b%%3Dc", reply.uri)
      assert.matches("d=%%20e", reply.uri)
      assert.equal("yes", reply.headers["x-test"])
    end)

    it("a folder's id as a number", function()
      local folder = assert(uipath.connect(sandbox.options):get "odata/Folders").value[1]
      assert.matches("^Id\n%d+\n$", (output_of("get odata/Jobs --top 1 --select Id -o csv --folder " .. folder.Id)))
    end)

    it("a body that is no JSON as it is", function()
      local output = output_of("get odata/fault/text", { UIPATH_URI = sandbox.fault_url,
        UIPATH_IDENTITY_URI = sandbox.base_url .. "/identity_" })
      assert.equal("plain text\n", output)
    end)
  end)

  describe("ends with", function()
    local rows = {
      { 1, "get odata/Nothing", nil, "^luipath: GET …/odata/Nothing: 404 not found — no such path, or no such tenant: case counts\n$" },
      { 1, "get odata/Machines", { UIPATH_AUTH_SCOPES = "OR.Jobs" },
        "403 forbidden: You are not authorized! — needs OR.Machines or OR.Machines.Read; the token has OR.Jobs" },
      { 1, "get odata/Machines", { UIPATH_CLIENT_SECRET = "wrong" }, "invalid_client" },
      { 2, "get odata/Machines --fliter x", nil, "unknown option '%-%-fliter'\nDid you mean '%-%-filter'%?" },
      { 2, "get", nil, "missing argument 'path'" },
      { 2, "got odata/Machines", nil, "unknown command 'got'" },
      { 2, "get odata/Machines --top many", nil, "'many' is no whole number" },
      { 2, "get odata/Machines --query a=1 --query a=2", nil, "^luipath: %-%-query: a is there twice\n$" },
      { 2, "get odata/Machines --output xml", nil, "must be one of" },
      { 2, "get odata/Machines#1", nil, "#" },
      { 2, "get https://elsewhere.example/odata/Machines", nil, "usage" },
      { 2, "get odata/Machines", { UIPATH_CLIENT_ID = "", UIPATH_CLIENT_SECRET = "", UIPATH_AUTH_SCOPES = "" },
        "missing credentials.*\nTo try things out: luipath %-%-sandbox" },
      { 2, "get odata/Machines --profile nobody", nil, "there is no profile 'nobody'" },
      { 2, "get odata/Machines", { UIPATH_CALL_TIMEOUT = "soon" }, "variable UIPATH_CALL_TIMEOUT must be a number" },
      { 3, "get odata/Machines", { UIPATH_URI = "http://127.0.0.1:1", UIPATH_MAX_ATTEMPTS = "1" }, "network" },
      { 3, "get odata/fault/slow/9 --timeout 0.2", "fault", "timeout" },
    }
    for _, row in ipairs(rows) do
      it(("%d after %s"):format(row[1], row[2]), function()
        local changes = row[3] == "fault" and { UIPATH_URI = sandbox.fault_url, UIPATH_IDENTITY_URI = sandbox.base_url .. "/identity_" }
          or row[3]
        local result = run(row[2], changes)
        assert.equal(row[1], result.code, result.errors)
        assert.equal("", result.output)
        assert.matches(row[4], result.errors)
        assert.is_nil(result.errors:find("stack traceback", 1, true))
        assert.is_nil(result.errors:find(sandbox.options.client_secret, 1, true))
      end)
    end
  end)

  it("ends with 130 after Ctrl-C, and shows that it is waiting until then", function()
    local Terminal = require "spec.support.terminal"
    local variables = { HOME = "/nonexistent", TERM = "screen-256color", LUA_PATH = package.path, LUA_CPATH = package.cpath }
    for name, value in pairs(environment) do variables[name] = value end
    variables.UIPATH_URI, variables.UIPATH_IDENTITY_URI = sandbox.fault_url, sandbox.base_url .. "/identity_"
    local terminal = Terminal.start {
      command = (os.getenv "LUA" or "lua5.4") .. " src/luipath get odata/fault/slow/60", environment = variables, width = 100,
    }
    finally(function() terminal:stop() end)
    terminal:await "^waiting, %d+ s %(Ctrl%-C ends it%)$"
    terminal:press "C-c"
    assert.is_nil(terminal:await "exit code 130$":find "traceback")
  end)

  it("ends with 1 when its output cannot be written, a note follows or not", function()
    local variables = {}
    for name, value in pairs(environment) do variables[#variables + 1] = ("%s='%s'"):format(name, value) end
    for _, words in ipairs { "endpoints", "get odata/Machines --top 1 --select Id" } do
      local code = os.tmpname()
      os.execute(("{ env %s %s src/luipath %s >/dev/full; echo $? >%s; } 2>/dev/null")
        :format(table.concat(variables, " "), os.getenv "LUA" or "lua5.4", words, code))
      local file = assert(io.open(code))
      assert.equal("1\n", file:read "*a", words)
      file:close()
      os.remove(code)
    end
  end)

  describe("token", function()
    it("tells what it is good for, and nothing secret", function()
      local output = output_of("token -o json", { UIPATH_AUTH_SCOPES = "OR.Jobs OR.Machines.Read" })
      local token = assert(uipath.json.decode(output))
      assert.same({ "OR.Jobs", "OR.Machines.Read" }, token.scopes)
      assert.equal("client_credentials", token.source)
      output = output_of("token -o table", { UIPATH_AUTH_SCOPES = "OR.Jobs OR.Machines.Read" })
      assert.matches("^scopes +OR.Jobs OR.Machines.Read\nexpires_at +%d+%-%d+%-%d+T", output)
    end)

    it("is printed when asked for", function()
      local token = output_of("token --access-token"):gsub("\n$", "")
      assert.matches("^[%w._-]+$", token)
      output_of("get odata/Machines", { UIPATH_PAT = token, UIPATH_CLIENT_ID = "", UIPATH_CLIENT_SECRET = "", UIPATH_AUTH_SCOPES = "" })
    end)
  end)

  it("can says yes, no, or why it cannot know", function()
    assert.same({ code = 0, output = "yes\n", errors = "" }, run("can GET odata/Machines"))
    assert.same({ code = 1, output = "no: needs OR.Machines or OR.Machines.Read\n", errors = "" },
      run("can GET odata/Machines", { UIPATH_AUTH_SCOPES = "OR.Jobs" }))
    local result = run "can GET odata/Nothing"
    assert.equal(2, result.code)
    assert.matches("not in the catalogue", result.errors)
  end)

  it("endpoints and describe need no tenant", function()
    local nothing = { UIPATH_CLIENT_ID = "", UIPATH_CLIENT_SECRET = "", UIPATH_AUTH_SCOPES = "", UIPATH_ORGANIZATION = "" }
    assert.matches("\nPOST    odata/Jobs/UiPath.Server.Configuration.OData.StartJobs +OR.Jobs or OR.Jobs.Write  Jobs.Create\n",
      (output_of("endpoints odata/jobs/ -o table", nothing)))
    assert.matches("^method,path,scopes,permissions\nGET,odata/Machines,", (output_of("endpoints ^GET~odata/Machines$ -o csv", nothing)))
    assert.equal(1, run("endpoints nothing-like-it", nothing).code)
    assert.matches("^GET odata/Machines\n  scopes       OR.Machines or OR.Machines.Read\n", (output_of("describe odata/Machines", nothing)))
    local rows = assert(uipath.json.decode((output_of("describe odata/Machines -o json", nothing))))
    assert.equal("POST", rows[2].method)
    assert.equal(2, run("describe odata/Nothing", nothing).code)
  end)

  it("sandbox runs a tenant until Ctrl-C", function()
    local file = os.tmpname()
    local pipe = assert(io.popen(("%s src/luipath sandbox 2>%s & echo $!; wait"):format(os.getenv "LUA" or "lua5.4", file)))
    local pid = pipe:read "*l"
    local variables = {}
    repeat
      local name, value = assert(pipe:read "*l"):match "^export (%S+)='(.*)'$"
      variables[name] = value
    until name == "UIPATH_AUTH_SCOPES"
    assert.matches("^Id\n3001\n$", (output_of("get odata/Machines --top 1 --select Id --orderby Id -o csv", variables)))
    os.execute("kill -INT " .. pid)
    assert.equal("", pipe:read "*a") -- it has ended
    pipe:close()
    os.remove(file)
    assert.equal(3, run("get odata/Machines --timeout 1", variables).code)
  end)

  it("has a tenant at hand with --sandbox, before the command or behind it", function()
    local nothing = {
      UIPATH_CLIENT_ID = "", UIPATH_CLIENT_SECRET = "", UIPATH_AUTH_SCOPES = "", UIPATH_ORGANIZATION = "", UIPATH_URI = "",
    }
    assert.equal("Id\n3001\n", (output_of("--sandbox get odata/Machines --top 1 --select Id --orderby Id -o csv", nothing)))
    assert.equal("Id\n3001\n", (output_of("get odata/Machines --sandbox --top 1 --select Id --orderby Id -o csv", nothing)))
  end)

  it("completes its words in the shells", function()
    for shell, pattern in pairs { bash = "complete %-F _luipath", zsh = "#compdef luipath", fish = "complete %-c luipath" } do
      local script = output_of("completion " .. shell)
      assert.matches(pattern, script)
      assert.matches("filter", script)
    end
    local complete = "bash -c 'eval \"$(cat)\"; COMP_WORDS=(luipath get --fil); COMP_CWORD=2; _luipath; echo ${COMPREPLY[@]}'"
    local pipe = assert(io.popen(complete .. " <<'END'\n" .. output_of "completion bash" .. "\nEND\n"))
    assert.equal("--filter\n", pipe:read "*a")
    pipe:close()
  end)

  it("tells its version and its options", function()
    assert.equal(uipath._VERSION .. "\n", (output_of "--version"))
    assert.matches("Exit codes: 0, 1 the service said no, 2 usage, 3 network", (output_of "--help"))
    assert.matches("%-%-filter", (output_of "get --help"))
  end)

  it("reads code where a prompt has nobody to ask", function()
    assert.equal("2\nx\n", (output_of("", nil, { input = "1 + 1\nfor _, v in ipairs { 'x' } do\nprint(v)\nend\n" })))
    assert.matches("GET …/odata/Nothing: 404 not found", (output_of("", nil, { input = "client:get 'odata/Nothing'" })))
  end)
end)

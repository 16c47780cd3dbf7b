-- The prompt as a person uses it: in a real terminal, keys typed, the screen read.

local assert = require "luassert"
local tenant = require "spec.support.tenant"
local Terminal = require "spec.support.terminal"

local LUA = os.getenv "LUA" or "lua5.4"

-- ThreadSanitizer passes a signal on when the program next calls the C library, for memory for instance.
local ENDLESS = os.getenv "SUITE" == "tsan" and "while true do local _ = {} end" or "while true do end"

describe("the prompt", function()
  local sandbox, home, terminal

  setup(function()
    sandbox = assert(require("uipath.sandbox").start())
    home = os.tmpname()
    os.remove(home)
    assert(os.execute("mkdir " .. home))
  end)
  teardown(function()
    sandbox:stop()
    os.execute("rm -r " .. home)
  end)
  after_each(function()
    if terminal then terminal:stop() end
    terminal = nil
  end)

  -- Opens the prompt and waits for it.
  local function open(options)
    options = options or {}
    local environment = {
      HOME = home, TERM = "screen-256color", LC_ALL = "C.UTF-8", LUA_PATH = package.path, LUA_CPATH = package.cpath,
      UIPATH_URI = sandbox.base_url, UIPATH_ORGANIZATION = sandbox.options.organization, UIPATH_TENANT = sandbox.options.tenant,
      UIPATH_CLIENT_ID = sandbox.options.client_id, UIPATH_CLIENT_SECRET = sandbox.options.client_secret,
      UIPATH_AUTH_SCOPES = sandbox.options.scope, UIPATH_PROFILE = "", UIPATH_PAT = "",
    }
    for name, value in pairs(options.environment or {}) do environment[name] = value end
    terminal = Terminal.start {
      command = options.command or LUA .. " src/luipath", width = options.width or 100, height = options.height or 40,
      environment = environment,
    }
    terminal:await(options.ready or "\nuipath>$")
    return terminal
  end

  -- Enters a line, and gives the screen when what it comes to is there and the prompt is back.
  local function entering(line, pattern)
    terminal:enter(line)
    return terminal:await(pattern .. "[^\n]*\nuipath>$")
  end

  -- Code that makes a call which is not answered for a minute.
  local function stalled()
    return ('client:with{ base_url = "%s", identity_url = "%s/identity_" }:get "odata/fault/slow/60"'):format(
      sandbox.fault_url, sandbox.base_url)
  end

  describe("shows", function()
    it("where it is, and values of all kinds", function()
      assert.matches("acme/DefaultTenant at http://127", open():screen())
      assert.matches("\n2\ntwo\nnil\na\n  %- 3\nb  %[%]\nuipath>$",
        entering("1 + 1, 'two', nil, { a = { 3 }, b = uipath.array{} }", "%[%]"))
    end)

    it("a client's groups of recipes by their names", function()
      open()
      assert.matches("\nuipath.jobs of uipath.client %(acme/DefaultTenant at [^)]+%)\nuipath>$", entering("client.jobs", "uipath.jobs of"))
      assert.matches("\n3\nuipath>$", entering("1 + 2", "\n3"))
    end)

    it("lists as tables, and single objects by their members", function()
      open()
      local screen = entering("client:get('odata/Machines', { top = 2, orderby = 'Id' })", "2 rows")
      assert.matches("\n  Id  Name          Type      Description", screen)
      assert.matches("\n3001  VM%-BERLIN%-01  Standard  Runs unattended robots", screen)
      assert.matches("\n2 rows · %d.%d%d s · %d+ more columns\n", screen)
      screen = entering("_.value[1]", "UnattendedSlots")
      assert.matches("\nId +3001\nName +VM%-BERLIN%-01\n", screen)
      assert.matches("\nTags +%[%]\n", screen)
    end)

    it("tables as wide as the window", function()
      local line = "client:get('odata/Machines', { top = 1 })"
      for _, width in ipairs { 40, 200 } do
        open { width = width }
        local longest = 0
        for row in entering(line, "1 row"):gmatch "[^\n]+" do
          assert.is_true(#row:gsub("[\128-\191]", "") <= width, row)
          if row:find "^  Id" then longest = #row:gsub("[\128-\191]", "") end
        end
        assert.is_true(longest > width - 20, longest)
        terminal:stop()
      end
      open { width = 200 }
      terminal:resize(50, 40)
      for row in entering(line, "1 row"):gmatch "[^\n]+" do assert.is_true(#row:gsub("[\128-\191]", "") <= 50, row) end
    end)

    it("errors in one line, raised or returned", function()
      open { width = 300 }
      assert.matches("\nGET …/odata/Nothing: 404 not found — no such path, or no such tenant: case counts\nuipath>$",
        entering("client:get 'odata/Nothing'", "no such tenant"))
      assert.matches("\nunknown option 'fliter' %(did you mean 'filter'%?%)\nuipath>$",
        entering("client:get('odata/Jobs', { fliter = 1 })", "did you mean"))
      assert.matches("\nunexpected symbol near '='\nuipath>$", entering("x = = 1", "unexpected"))
      assert.matches("\nattempt to [^\n]+\nuipath>$", entering("nil + 1", "attempt"))
      assert.matches("\nneeds a table: table: 0x%x+\nuipath>$", entering("error(setmetatable({}, {__tostring = function(t) return "
        .. "'needs a table: ' .. 'table: 0x1' end}))", "needs a table: table"))
    end)

    it("what a terminal would obey as escapes", function()
      open()
      assert.matches("\na\\e%[31mb\\x07\nuipath>$", entering([[ "a\27[31mb\7" ]], "x07"))
      assert.matches("\nx  \\e%]0;t\\x07\nuipath>$", entering([[ { x = "\27]0;t\7" } ]], "x07"))
    end)

    it("no more of a huge value than can be read", function()
      open { height = 80 }
      assert.matches("\n… 450 more\nuipath>$",
        entering("(function() local t = {} for i = 1, 500 do t[i] = i end return t end)()", "more"))
      assert.matches("\nself\n  …\nuipath>$", entering("(function() local t = {} t.self = t return t end)()", "…"))
    end)

    it("the catalogue's help", function()
      open()
      local screen = entering('help "odata/Jobs"', "folder")
      assert.matches("\nGET odata/Jobs\n  scopes       OR.Jobs or OR.Jobs.Read\n  permissions  Jobs.View\n", screen)
      assert.matches("%$top:int32", screen)
      assert.matches("\n  POST   odata/Jobs/UiPath.Server.Configuration.OData.StartJobs\n", entering('help "startjobs"', "StartJobs"))
      assert.matches("client:get%(", entering("help", "Ctrl%-D"))
    end)
  end)

  describe("reads", function()
    it("code of several lines", function()
      open()
      terminal:enter "for i = 1, 2 do"
      terminal:await "\n     >>$"
      terminal:enter "print('line ' .. i)"
      terminal:await "%.%. i%)\n     >>$"
      assert.matches("\nline 1\nline 2\nuipath>$", entering("end", "line 2"))
    end)

    it("UTF-8, letter by letter", function()
      open()
      terminal:type "'Größe 日本"
      terminal:await "日本$"
      terminal:press("BSpace", "BSpace", "BSpace", "BSpace", "BSpace")
      terminal:await "'Grö$"
      assert.matches("\nGrö!\nuipath>$", entering("!'", "\nGrö!"))
    end)

    it("what was typed before, in this session and the last", function()
      -- Of its own: a prompt of another test may end, and write its file, only now.
      local folder = home .. "/history"
      assert(os.execute("mkdir " .. folder))
      open { environment = { HOME = folder } }
      entering("'kept' .. 1", "kept1")
      entering("'client_secret' .. 2", "secret2")
      entering("'CredentialPassword' .. 3", "Password3")
      terminal:press "Up"
      terminal:await "uipath> 'kept' .. 1$"
      terminal:press("C-c", "C-d")
      terminal:await "exit code 0"
      terminal:stop()
      open { environment = { HOME = folder } }
      terminal:press "Up"
      terminal:await "uipath> 'kept' .. 1$"
      local file = assert(io.popen("stat -c %a " .. folder .. "/.luipath_history; cat " .. folder .. "/.luipath_history"))
      local history = file:read "*a"
      file:close()
      assert.matches("^600\n", history)
      assert.is_nil(history:find "secret")
      assert.is_nil(history:find "Password")
    end)

    it("its end: Ctrl-D, exit", function()
      open()
      terminal:press "C-d"
      terminal:await "exit code 0"
      terminal:stop()
      open()
      terminal:enter "exit"
      terminal:await "exit code 0"
    end)
  end)

  describe("completes", function()
    before_each(function() open { width = 120 } end)

    -- typed, what Tab makes of it
    local rows = {
      { "a method", "client:fol", "client:folder" },
      { "a name of the module", "uipath.scop", "uipath.scopes_for" },
      { "a service", 'client:get "du', 'client:get "du_/api/framework/projects' },
      { "up to what only the caller knows", 'client:get "identity_/api/Gr', 'client:get "identity_/api/Group/' },
      { "an entity set", 'client:get("odata/Mach', 'client:get("odata/Machines' },
      { "behind a key", 'client:get("odata/Jobs(5', 'client:get("odata/Jobs(5)' },
      { "an action", 'client:post("odata/Jobs/UiPath.Server.Configuration.OData.StartJ',
        'client:post("odata/Jobs/UiPath.Server.Configuration.OData.StartJobs"' },
      { "an option", 'client:get("odata/Jobs", { fil', 'client:get("odata/Jobs", { filter' },
    }
    for _, row in ipairs(rows) do
      it(row[1], function()
        terminal:type(row[2])
        terminal:press "Tab"
        terminal:await("\nuipath> " .. row[3]:gsub("%p", "%%%0") .. "$")
        terminal:type "!" -- right behind it
        terminal:await("\nuipath> " .. row[3]:gsub("%p", "%%%0") .. "!$")
      end)
    end

    it("fields of the last reply", function()
      entering("client:get('odata/Machines', { top = 1 })", "1 row")
      terminal:type "_.value[1].LicenseK"
      terminal:press "Tab"
      terminal:await "uipath> _.value%[1%].LicenseKey$"
      terminal:press "C-c"
      terminal:await "%^C\nuipath>$"
      terminal:type "client:get('odata/Machines', { select = 'Unattended"
      terminal:press "Tab"
      terminal:await "select = 'UnattendedSlots'$"
    end)

    it("with a list where there are several", function()
      terminal:type "client:p"
      terminal:press("Tab", "Tab")
      terminal:await "client:patch +client:post +client:put *\nuipath> client:p$"
    end)
  end)

  describe("on Ctrl-C", function()
    it("ends a call that is not answered, which it says is waited for", function()
      open { width = 200 }
      local seconds = tenant.in_time(tenant.SLOWER, function()
        terminal:enter(stalled())
        terminal:await "waiting, %d+ s %(Ctrl%-C ends it%)$"
        local taken, screen = tenant.timed(function()
          terminal:press "C-c"
          return terminal:await "\ninterrupted\nuipath>$"
        end)
        assert.is_nil(screen:find "waiting")
        terminal:press "C-l"
        terminal:await "^uipath>$"
        return taken
      end)
      assert.is_true(seconds < tenant.SLOWER, seconds)
      assert.matches("\n2\nuipath>$", entering("1 + 1", "\n2"))
    end)

    it("ends calls side by side, and pages that are walked", function()
      open { width = 200 }
      for _, code in ipairs {
        "uipath.map({ 1, 2 }, function() return " .. stalled() .. " end)",
        ('client:with{ base_url = "%s", identity_url = "%s/identity_" }:collect "odata/fault/slow/60"'):format(
          sandbox.fault_url, sandbox.base_url),
      } do
        terminal:enter(code)
        terminal:await "waiting, %d+ s %(Ctrl%-C ends it%)$"
        terminal:press "C-c"
        terminal:await "\ninterrupted\nuipath>$"
        assert.matches("\n2\nuipath>$", entering("1 + 1", "\n2"))
      end
    end)

    it("ends a loop", function()
      open()
      for _, loop in ipairs {
        -- The error is swallowed wherever it is raised in here, but for the one that comes when it has gone on for too long.
        "while true do pcall(function() " .. ENDLESS .. " end) end",
        ENDLESS, "coroutine.wrap(function() " .. ENDLESS .. " end)()", (ENDLESS:gsub("end$", "pcall(error) end")),
        "while true do client:can('GET', 'odata/Jobs') end",
      } do
        terminal:enter("print 'begun' " .. loop)
        terminal:await "\nbegun$"
        terminal:press "C-c"
        terminal:await "%^C\ninterrupted\nuipath>$"
        terminal:press "C-l"
        terminal:await "^uipath>$"
      end
    end)

    it("drops a line that is half typed, and its lines before", function()
      open()
      terminal:type "print('half"
      terminal:await "print%('half$"
      terminal:press "C-c"
      terminal:await "print%('half%^C\nuipath>$"
      terminal:enter "for i = 1, 2 do"
      terminal:await ">>$"
      terminal:type "print"
      terminal:await ">> print$"
      terminal:press "C-c"
      terminal:await ">> print%^C\nuipath>$"
      assert.matches("\n3\nuipath>$", entering("1 + 2", "\n3"))
    end)

    it("gives a fresh line at an empty prompt, as often as it comes", function()
      open()
      terminal:press "C-c"
      terminal:await "\nuipath> %^C\nuipath>$"
      terminal:press "C-c"
      terminal:await "\nuipath> %^C\nuipath> %^C\nuipath>$"
      assert.matches("\n3\nuipath>$", entering("1 + 2", "\n3"))
    end)

    it("leaves nothing behind", function()
      open()
      local pid = entering("for line in io.lines('/proc/self/stat') do print('pid ' .. line:match '%d+') end", "pid %d+")
        :match "\npid (%d+)\n"
      -- What waits for the collector, such as the file that told the number, is not what is looked for.
      local function descriptors()
        entering("collectgarbage() .. 'collected'", "0collected")
        return tenant.shell("ls /proc/" .. pid .. "/fd")
      end
      terminal:press "C-c"
      terminal:await "\nuipath> %^C\nuipath>$"
      local before = descriptors()
      for _ = 1, 3 do
        terminal:press "C-l"
        terminal:await "^uipath>$"
        terminal:press "C-c"
        terminal:await "^uipath> %^C\nuipath>$"
      end
      assert.equal(before, descriptors())
    end)
  end)

  describe("colours", function()
    it("what it shows", function()
      open()
      entering("client:get 'odata/Nothing'", "not found")
      assert.is_truthy(terminal:coloured_screen():find "\27%[31mGET")
    end)

    it("nothing where NO_COLOR is set", function()
      open { environment = { NO_COLOR = "1" } }
      entering("client:get 'odata/Nothing'", "not found")
      entering("client:get('odata/Machines', { top = 1 })", "1 row")
      assert.is_nil(terminal:coloured_screen():find "\27")
    end)

    it("nothing where it is not a terminal that reads", function()
      open { command = "sh -c \"echo 'client:get [[odata/Nothing]] 1 + 1' | tr '\\n' ' ' | " .. LUA .. " src/luipath >" .. home
        .. "/out 2>&1\"", ready = "exit code 0" }
      local file = assert(io.open(home .. "/out"))
      local output = file:read "*a"
      file:close()
      assert.is_nil(output:find "\27")
      assert.is_truthy(#output > 0)
    end)
  end)

  it("works without readline", function()
    local folder = home .. "/without"
    assert(os.execute("mkdir " .. folder))
    local file = assert(io.open(folder .. "/readline.lua", "w"))
    file:write "error 'not there'"
    file:close()
    open { environment = { LUA_PATH = folder .. "/?.lua;" .. package.path } }
    assert.matches("\n3\nuipath>$", entering("1 + 2", "\n3"))
    terminal:type "half"
    terminal:await "half$"
    terminal:press "C-c"
    terminal:await "half%^C\nuipath>$"
    -- What was typed is on the screen before it runs.
    terminal:enter("print 'begun' " .. ENDLESS)
    terminal:await "\nbegun$"
    terminal:press "C-c"
    terminal:await "\ninterrupted\nuipath>$"
    terminal:press "C-d"
    terminal:await "exit code 0"
  end)

  it("has a tenant of its own with --sandbox", function()
    open { command = LUA .. " src/luipath --sandbox", environment = { UIPATH_URI = "", UIPATH_CLIENT_ID = "" } }
    entering("client:get('odata/Machines', { top = 1 })", "1 row")
  end)

  it("says what is missing where it cannot connect", function()
    open { environment = { UIPATH_CLIENT_ID = "", UIPATH_CLIENT_SECRET = "", UIPATH_AUTH_SCOPES = "" }, ready = "exit code 2" }
    assert.matches("missing credentials", terminal:screen())
    assert.matches("luipath %-%-sandbox", terminal:screen())
  end)

  it("lends its helpers to plain Lua", function()
    open { command = LUA .. " -i -l uipath.repl", ready = "\n>$" }
    -- Before Lua 5.3, only what begins with "=" is shown.
    terminal:enter((LUA == "luajit" and "=" or "") .. "client:get('odata/Machines', { top = 1 })")
    terminal:await "\n1 row [^\n]*\n>$"
    terminal:enter 'help "odata/Jobs"'
    terminal:await "\nGET odata/Jobs\n"
  end)
end)

-- The prompt as a new user meets it: help on names, what Tab offers for rows, and replies that a
-- service has crafted.

local answers = require "spec.support.answers"
local assert = require "luassert"
local completion = require "uipath.repl.completion"
local Terminal = require "spec.support.terminal"
local uipath = require "uipath"

local LUA = os.getenv "LUA" or "lua5.4"
local OBEYED = "a\27[31mb\127c\194\155d\226\128\174e"

describe("the prompt", function()
  local server, terminal

  setup(function()
    local crafted = {
      Name = OBEYED, Id = 1, ["x') os.execute('touch /tmp/y"] = 1, ["a b"] = 2, ["end"] = 3,
      CreationTime = "2026-11-08T05:35:45.8912345+00:00",
    }
    server = answers.start {
      { match = "odata/Machines", body = { value = { crafted } } },
      { match = "odata/Jobs", body = { value = { { Id = 5, ReleaseName = "r", StartTime = "2026-11-08T05:35:45Z" } } } },
      { match = "odata/Text", body = OBEYED, headers = { ["Content-Type"] = "text/plain" } },
      { match = "odata/Folderless", status = 400, body = { message = "A folder is required", errorCode = 1101 } },
    }
  end)
  teardown(function() server.stop() end)
  after_each(function()
    if terminal then terminal:stop() end
    terminal = nil
  end)

  local function open(width)
    terminal = Terminal.start {
      command = LUA .. " src/luipath", width = width or 110, height = 60,
      environment = {
        HOME = "/nonexistent", TERM = "screen-256color", LC_ALL = "C.UTF-8", LUA_PATH = package.path,
        LUA_CPATH = package.cpath, UIPATH_URI = server.url, UIPATH_ORGANIZATION = "acme",
        UIPATH_TENANT = "T", UIPATH_PAT = "a-fixed-token", UIPATH_PROFILE = "", NO_COLOR = "1",
      },
    }
    terminal:await "\nuipath>$"
  end

  local function entering(line, pattern)
    terminal:enter(line)
    return terminal:await(pattern .. "[^\n]*\nuipath>$")
  end

  describe("helps", function()
    for _, line in ipairs { "help client", 'help "client"', "help(client)", "  help client  " } do
      it("with " .. line, function()
        open()
        local screen = entering(line, "report")
        assert.matches("\nclient.jobs +start, wait, ", screen)
        assert.matches("\nclient:get%(path, options%) +Reads what is at a path", screen)
        assert.matches("\nclient:each%(path, options%) +Iterates", screen)
      end)
    end

    for _, line in ipairs { "help client:each", "help client.each", 'help "client:each"', "help(client.each)" } do
      it("with one method: " .. line, function()
        open()
        local screen = entering(line, "gives ")
        assert.matches("\nclient:each%(path, options%) +Iterates", screen)
        assert.matches("\n  page_size +rows a request", screen)
        assert.matches("\n  filter +OData", screen)
      end)
    end

    it("with a group of recipes, and one of them", function()
      open()
      assert.matches("\nclient.jobs:run%(process, input, options%) +Starts", entering("help client.jobs", "logs"))
      assert.matches("\n  process +", entering("help client.jobs.run", "gives "))
    end)

    it("with the module, and its functions", function()
      open()
      assert.matches("\nuipath.map%(list, fn, options%) +Runs", entering("help uipath", "jobs.run"))
      assert.matches("\n  on_event +", entering("help uipath.connect", "gives "))
    end)

    it("with a path, quoted or not", function()
      open()
      for _, line in ipairs { 'help "odata/Jobs"', "help odata/Jobs" } do
        assert.matches("\nGET odata/Jobs\n  scopes       OR.Jobs or OR.Jobs.Read\n", entering(line, "folder"))
        terminal:press "C-l"
        terminal:await "^uipath>$"
      end
      assert.matches("did you mean odata/Machines%?", entering("help odata/Machnes", "did you mean"))
    end)

    it("and stays a name of Lua", function()
      open()
      assert.matches("\n5\nuipath>$", entering("help = 5 return help", "\n5"))
    end)

    it("in lines that are parted between words", function()
      open(60)
      for _, line in ipairs { "help", 'help "odata/Jobs"', "help client:each" } do
        local screen = entering(line, line == "help" and "prompt%." or line:find "Jobs" and "folder" or "gives ")
        for row in screen:gmatch "[^\n]+" do assert.is_true(#row <= 60, row) end
        -- A word that was cut would go on at the beginning of a line.
        for row in screen:gmatch "\n(%l%w*)" do
          assert.is_truthy(({ client = true, uipath = true, help = true, ["for"] = true, prompt = true })[row], row)
        end
        terminal:press "C-l"
        terminal:await "^uipath>$"
      end
    end)
  end)

  describe("shows", function()
    it("nothing of a service's that a terminal would obey, printed by code either", function()
      open()
      local shown = "a\\e%[31mb\\x7fc\\xc2\\x9bd\\xe2\\x80\\xaee"
      assert.matches("\n" .. shown .. "\n", entering("client:get 'odata/Text'", "xaee"))
      terminal:press "C-l"
      terminal:await "^uipath>$"
      assert.matches("\n" .. shown .. "\t?", entering("print((client:get 'odata/Text'))", "xaee"))
      assert.matches("\n +1 +" .. shown, entering("client:get 'odata/Machines'", "1 row"))
      assert.matches("Name +" .. shown, entering("_.value[1]", "touch"))
    end)

    it("dates alike in tables and single objects", function()
      open()
      assert.matches("2026%-11%-08T05:35:45Z", entering("client:get 'odata/Machines'", "1 row"))
      assert.matches("CreationTime +2026%-11%-08T05:35:45Z\n", entering("_.value[1]", "touch"))
      assert.matches("expires_at +%d+%-%d%d%-%d%dT%d%d:%d%d:%d%dZ\n",
        entering("{ scopes = {}, expires_at = 1764000000 }", "expires_at"))
    end)

    it("advice for scripts, without that for the shell", function()
      open(200)
      local screen = entering("client:get 'odata/Folderless'", "folder")
      assert.matches('give a folder: { folder = "Shared" }', screen)
      assert.is_nil(screen:find("in the shell", 1, true))
    end)
  end)

  describe("on Tab", function()
    it("offers a row's own fields, whatever came last", function()
      open()
      entering("jobs = client:get 'odata/Jobs' return 'done'", "done")
      entering("client:get 'odata/Machines'", "1 row")
      terminal:type "jobs.value[1].Rel"
      terminal:press "Tab"
      terminal:await "jobs.value%[1%].ReleaseName$"
      terminal:press "C-c"
      terminal:await "%^C\nuipath>$"
      terminal:type "for _, job in ipairs(jobs.value) do print(job.Rel"
      terminal:press "Tab"
      terminal:await "print%(job.ReleaseName$"
    end)

    it("never inserts a key that is no name", function()
      open()
      entering("client:get 'odata/Machines'", "1 row")
      for _, line in ipairs { "_.value[1].", "row.", "client:get('odata/Machines', { select = '" } do
        terminal:type(line)
        terminal:press("Tab", "Tab")
        local screen = terminal:await "CreationTime +%S*Id +[^\n]*Name[^\n]*\nuipath> [^\n]+$"
        local offered = screen:match "CreationTime +%S*Id +[^\n]*\nuipath> [^\n]+$"
        assert.is_nil(offered:find("os.execute", 1, true))
        terminal:press "C-c"
        terminal:await "%^C\nuipath>$"
        terminal:press "C-l"
        terminal:await "^uipath>$"
      end
    end)
  end)
end)

describe("completion", function()
  local function complete(line)
    return completion.complete(line, line:match "[^%s\"'`@$><=;|&{(]*$")
  end

  after_each(function()
    rawset(_G, "jobs", nil)
    rawset(_G, "machines", nil)
  end)

  it("knows the rows of a loop and of a list's element", function()
    rawset(_G, "jobs", { value = uipath.array { { Id = 1, ReleaseName = "r" } } })
    rawset(_G, "machines", uipath.array { { Name = "m", LicenseKey = "k" } })
    completion.remember(jobs, { url = "https://h/o/t/orchestrator_/odata/Jobs?$top=1" }) -- luacheck: ignore 113
    completion.remember(machines, { url = "https://h/o/t/orchestrator_/odata/Machines" }) -- luacheck: ignore 113
    for line, found in pairs {
      ["for _, j in ipairs(jobs.value) do print(j."] = { "j.Id", "j.ReleaseName" },
      ["for i, j in ipairs( machines ) do print(i, j."] = { "j.LicenseKey", "j.Name" },
      ["local one = jobs.value[1] print(one."] = { "one.Id", "one.ReleaseName" },
      ["for job in client:each \"odata/Jobs\" do print(job."] = { "job.Id", "job.ReleaseName" },
      ["for job, i in client:each('odata/Jobs', { top = 1 }) do print(job."] = { "job.Id", "job.ReleaseName" },
      ["for x in client:each 'odata/Other' do print(x."] = {},
      ["machines[1].L"] = { "machines[1].LicenseKey" },
      ["unknown.L"] = { "unknown.LicenseKey" },
      ["client:get('odata/Jobs', { select = 'R"] = { "ReleaseName" },
      ["client:get('odata/Machines', { orderby = 'L"] = { "LicenseKey" },
    } do assert.same(found, complete(line), line) end
  end)

  it("offers no key that is no name, none that is a word of Lua, and none that is endless", function()
    rawset(_G, "machines", uipath.array { {
      Good = 1, ["x') evil('"] = 1, ["a.b"] = 1, ["\27[A"] = 1, ["end"] = 1, [("n"):rep(1000)] = 1, ["é"] = 1,
    } })
    completion.remember(machines) -- luacheck: ignore 113
    assert.same({ "machines[1].Good" }, complete "machines[1].")
    assert.same({ "unknown.Good" }, complete "unknown.")
    assert.same({ "Good", "end" }, complete "client:get('odata/Other', { select = '")
  end)
end)

-- luipath tests …: what it writes, where, and how it ends.

local assert = require "luassert"
local command = require "spec.support.command"
local interceptor = require "spec.support.interceptor"
local tenant = require "spec.support.tenant"
local Terminal = require "spec.support.terminal"

local sandbox, run, output_of

setup(function()
  sandbox = assert(require("uipath.sandbox").start())
  run, output_of = command.runner(command.environment(sandbox))
end)
teardown(function() sandbox:stop() end)

local function read(path)
  local file = io.open(path, "rb")
  local text = file and file:read "*a"
  if file then file:close() end
  return text
end

-- A path for a file that is gone afterwards, with this in it.
local function file_with(text)
  local path = os.tmpname()
  local file = assert(io.open(path, "wb"))
  file:write(text)
  file:close()
  finally(function() os.remove(path) end)
  return path
end

describe("luipath tests run", function()
  it("ends with 0 where the run is green, and says so", function()
    local path = file_with "old"
    local output, errors = output_of("tests run DEMO:42 --poll 0.1 --junit " .. path)
    assert.equal("", output)
    assert.is_truthy(errors:find("luipath: started DEMO/", 1, true))
    assert.is_truthy(errors:find("luipath: Smoke is green: 5 of 5 passed\n", 1, true))
    assert.is_truthy(read(path):find('tests="5" failures="0" errors="0"', 1, true))
  end)

  it("ends with 1 where it is red, with the words of the assertions", function()
    local markdown = file_with ""
    local result = run("tests run Regression --project DEMO --poll 0.1 --markdown " .. markdown)
    assert.equal(1, result.code)
    assert.is_truthy(result.output:find "DEMO:9 +Test case 9 +Failed +Expected total 119%.00, but was 100%.00 %(tax < 19 %%%)\n")
    assert.is_nil(result.output:find("DEMO:1 ", 1, true))
    assert.is_truthy(result.errors:find("Regression is red: 8 of 12 passed, 3 failed, 1 restricted", 1, true))
    local text = read(markdown)
    assert.is_truthy(text:find("### ❌ Regression is red", 1, true))
    assert.is_truthy(text:find("| Test case 9 (DEMO:9) | Failed | Expected total 119.00, but was 100.00 (tax &lt; 19 %) |", 1, true))
  end)

  it("ends with 1 where results were lost", function()
    local result = run "tests run DEMO:44 --poll 0.1"
    assert.equal(1, result.code)
    assert.is_truthy(result.errors:find("0 of 4 passed, 4 without a result", 1, true))
  end)

  it("tells GitHub Actions", function()
    local summary = file_with "before\n"
    local result = run("tests run DEMO:43 --poll 0.1 --github", { GITHUB_STEP_SUMMARY = summary })
    assert.equal(1, result.code)
    assert.is_truthy(result.output:find("::error title=Test case 9::Expected total 119.00, but was 100.00 (tax < 19 %25)\n", 1, true))
    assert.is_truthy(result.output:find("::warning title=Test case 12::No licence for this case\n", 1, true))
    assert.is_truthy(read(summary):find("before\n### ❌ Regression is red", 1, true))
  end)

  it("writes a run as JSON", function()
    local output = output_of "tests run DEMO:42 --poll 0.1 -o json"
    local value = assert(require("uipath").json.decode(output))
    assert.is_true(value.passed)
    assert.equal(5, #value.cases)
  end)

  it("ends with 4 where the time was over, and says how to go on; the run is taken up again", function()
    local path = file_with "old"
    local result = run("tests run DEMO:42 --poll 0.1 --timeout 0.5 --junit " .. path)
    assert.equal(4, result.code)
    local ref = result.errors:match "luipath tests result (DEMO/[%x-]+)"
    assert.is_string(ref)
    assert.is_truthy(read(path):find("<error ", 1, true))
    local early = run("tests result " .. ref)
    if early.code ~= 0 then
      assert.equal(4, early.code)
      assert.is_truthy(early.errors:find("the run goes on", 1, true))
    end
    local _, errors = output_of("tests result " .. ref .. " --wait 60 --poll 0.1 --junit " .. path)
    assert.is_truthy(errors:find("Smoke is green", 1, true))
    assert.is_nil(read(path):find("<error ", 1, true))
  end)

  it("ends with 3 where the network fails, and leaves a red file", function()
    local path = file_with "old"
    local result = run("tests run DEMO:42 --junit " .. path, { UIPATH_URI = "http://127.0.0.1:1", UIPATH_MAX_ATTEMPTS = "1" })
    assert.equal(3, result.code)
    assert.is_truthy(read(path):find('errors="1"', 1, true))
  end)

  for words, code in pairs {
    ["tests run DEMO"] = 2, ["tests run"] = 2, ["tests run DEMO:42 --parameter x"] = 2,
    ["tests run DEMO:42 --parameter A=1 --parameter A=2"] = 2,
    ["tests run DEMO:42 --timeout soon"] = 2, ["tests run DEMO:42 --junit /nowhere/x.xml"] = 2, ["tests result 5"] = 2,
    ["tests walk"] = 2, ["tests run Smoke --orchestrator"] = 2, ["tests run DEMO:4711"] = 1, ["tests result DEMO/4711"] = 1,
    ["tests run Nothing --orchestrator --folder Shared"] = 1,
  } do
    it("ends with " .. code .. " for: " .. words, function()
      local result = run(words)
      assert.equal(code, result.code, result.errors)
      assert.is_truthy(result.errors:find("%S"))
      assert.is_nil(result.errors:find("traceback", 1, true))
    end)
  end

  it("changes parameters while it says so", function()
    local _, errors = output_of "tests run DEMO:42 --poll 0.1 --parameter Environment=production"
    assert.is_truthy(errors:find("changes the test set for everybody", 1, true))
  end)

  it("runs Orchestrator's own sets", function()
    assert.equal(1, run("tests run Order~checks --orchestrator --folder Shared --poll 0.1").code)
    local _, errors = output_of "tests run Invoice~checks --orchestrator --folder Shared --poll 0.1"
    assert.is_truthy(errors:find("Invoice checks is green: 3 of 3 passed", 1, true))
  end)

  it("does the failed cases again", function()
    local first = run "tests run DEMO:43 --poll 0.1"
    local result = run("tests rerun " .. first.errors:match "started (DEMO/[%x-]+)" .. " --poll 0.1")
    assert.equal(1, result.code)
    assert.is_truthy(result.errors:find("0 of 3 passed, 3 failed", 1, true))
  end)

  it("never starts what may have been started", function()
    local between = interceptor.start(sandbox, [[return function(request)
      if request.path:find "startexecute" then return { status = 502 } end
    end]])
    local result = run("tests run DEMO:42 --timeout 2", { UIPATH_URI = between.options.base_url })
    local starts = between.count "startexecute"
    between.stop()
    assert.same({ 1, 1 }, { result.code, starts })
    assert.is_truthy(result.errors:find("may have been started", 1, true))
  end)
end)

describe("on a terminal, luipath tests run", function()
  local terminal
  after_each(function()
    if terminal then terminal:stop() end
    terminal = nil
  end)

  local function start(words)
    local environment = command.environment(sandbox)
    environment.LUA_PATH, environment.LUA_CPATH, environment.HOME = package.path, package.cpath, "/nonexistent"
    terminal = Terminal.start { command = tenant.interpreter .. " src/luipath " .. words, environment = environment, width = 120 }
  end

  it("has one line that lives", function()
    start "tests run DEMO:43 --poll 0.1"
    terminal:await "%[##*%.+%] %d+ of 12 done, %d failed, %d+ s"
    local screen = terminal:await "exit code 1"
    assert.is_nil(screen:find("done,", 1, true), screen)
    assert.is_truthy(screen:find("Regression is red", 1, true))
  end)

  it("leaves the run going after Ctrl-C, with a red file and the way back", function()
    local path = file_with "old"
    start("tests run DEMO:45 --poll 0.1 --junit " .. path)
    terminal:await "%d+ of 1000 done"
    terminal:press "C-c"
    local screen = terminal:await "exit code 130"
    local ref = screen:gsub("\n", ""):match "luipath tests result (DEMO/[%x-]+)"
    assert.is_string(ref, screen)
    local text = read(path)
    assert.is_truthy(text:find("the wait was interrupted; the run goes on", 1, true), text)
    assert.is_truthy(text:find("<error ", 1, true))
    local result = run("tests result " .. ref:sub(1, #"DEMO/" + 36) .. " --wait 60 --poll 0.1 --assertions 0")
    assert.equal(1, result.code)
    assert.is_truthy(result.errors:find("750 of 1000 passed, 250 failed", 1, true))
  end)
end)

describe("luipath tests report", function()
  it("ends with 0 where all has passed", function()
    local path = file_with '{"case":"DEMO:1","result":"Passed"}'
    local _, errors = output_of("tests report DEMO:43 --from " .. path)
    assert.is_truthy(errors:find("Regression is green: 1 of 1 passed", 1, true))
  end)

  it("takes JSON lines", function()
    local path = file_with '{"case":"DEMO:1","result":"Passed"}\n\n{"case":"DEMO:2","result":"Failed","reason":"The door is locked"}\n'
    local result = run("tests report DEMO:43 --from " .. path)
    assert.equal(1, result.code, result.errors) -- red is red
    assert.is_truthy(result.output:find "DEMO:2 +Test case 2 +Failed +The door is locked")
    assert.is_truthy(result.errors:find("1 of 2 passed, 1 failed", 1, true))
  end)

  it("takes a JUnit file, with keys in the names or the names of the set's cases", function()
    local path = file_with [==[
<?xml version="1.0"?>
<!-- of another tool -->
<testsuite name="x > y">
  <testcase name="opens [DEMO:1]" classname="a.b" time="1"/>
  <testcase name="prints (DEMO:2)" classname='a > b'><failure message="no &lt;paper&gt; &#228;&#x20AC;">trace</failure></testcase>
  <testcase name="Test case 3"><error><![CDATA[a <b> & c]]></error></testcase>
  <testcase name="Test case 4"><skipped/></testcase>
  <testcase name="opens twice DEMO:1" ><failure>second time</failure></testcase>
</testsuite>]==]
    local result = run("tests report DEMO:43 -o json --from " .. path)
    assert.equal(1, result.code, result.errors) -- red is red
    local cases = {}
    for _, case in ipairs(assert(require("uipath").json.decode(result.output)).cases) do
      cases[case.key] = case.result .. " " .. (case.reason or "")
    end
    assert.same({
      ["DEMO:1"] = "Failed second time", ["DEMO:2"] = "Failed no <paper> ä€", ["DEMO:3"] = "Failed a <b> & c", ["DEMO:4"] = "None ",
    }, cases)
  end)

  it("takes what it has written itself", function()
    local path = file_with ""
    run("tests run DEMO:43 --poll 0.1 --junit " .. path)
    local result = run("tests report DEMO:43 --from " .. path)
    assert.equal(1, result.code, result.errors) -- red is red
    assert.is_truthy(result.errors:find("8 of 12 passed, 3 failed, 1 without a result", 1, true), result.errors)
  end)

  for words, text in pairs {
    ["is no JUnit file"] = "<html></html>", ["ends in the middle"] = "<testsuite><testcase name='DEMO:1'",
    ["it ends in the middle"] = "<testsuite><testcase name='DEMO:1'>",
    ["has no test cases"] = "<testsuite/>", ["have neither a key such as DEMO:7"] = "<testsuite><testcase name='x'/></testsuite>",
    ["line 2: "] = '{"case":"DEMO:1","result":"Passed"}\nnonsense', ["result must be Passed"] = '{"case":"DEMO:1","result":"passed"}',
    ["must not be empty"] = "",
  } do
    it("ends with 2 where the file " .. words, function()
      local result = run("tests report DEMO:43 --from " .. file_with(text))
      assert.equal(2, result.code, result.errors)
      assert.is_truthy(result.errors:find(words, 1, true), result.errors)
    end)
  end

  it("ends with 1 for an unknown case", function()
    local result = run("tests report DEMO:43 --from " .. file_with '{"case":"DEMO:5000","result":"Passed"}')
    assert.equal(1, result.code)
    assert.is_truthy(result.errors:find("there is no test case DEMO:5000", 1, true))
  end)
end)

describe("luipath tests", function()
  it("lists sets, cases and runs", function()
    assert.is_truthy(output_of("tests sets -o csv"):find("DEMO:42,Smoke,", 1, true))
    assert.is_truthy(output_of("tests cases Smoke --project DEMO -o csv"):find("DEMO:5,Test case 5,", 1, true))
    assert.is_truthy(output_of("tests executions DEMO:42 -o csv"):find("^id,status,created,executionFinished"))
  end)

  it("has help for each verb", function()
    for _, verb in ipairs { "run", "result", "rerun", "report", "sets", "cases", "executions" } do
      assert.is_truthy(output_of("tests " .. verb .. " --help"):find("luipath tests " .. verb, 1, true))
    end
    assert.is_truthy(output_of("completion bash"):find("tests", 1, true))
  end)
end)

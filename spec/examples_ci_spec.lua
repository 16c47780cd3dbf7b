-- examples/ci, as far as a machine without GitHub, GitLab and Jenkins can check them: they are read, and their commands run on the sandbox.

local assert = require "luassert"
local command = require "spec.support.command"
local lyaml = require "lyaml"
local tenant = require "spec.support.tenant"

local function read(path)
  local file = assert(io.open(path))
  local text = file:read "*a"
  file:close()
  return text
end

local SCOPES = "TM.Projects.Read TM.TestSets TM.TestExecutions"

-- What is installed must be what the project needs.
local function check_installation(text)
  local packages = read "spec/support/packages"
  local names = assert(text:gsub("\\\n", " "):match "apt%-get install %-y %-%-no%-install%-recommends ([^\n]+)")
  local count = 0
  for name in names:gmatch "%S+" do
    count = count + 1
    if name ~= "git" and name ~= "ca-certificates" then
      assert.is_truthy((" " .. packages:gsub("[%s|+\"]+", " ") .. " "):find(" " .. name .. " ", 1, true), name)
    end
  end
  assert.is_true(count > 8)
  assert.is_truthy(text:find("git clone --depth 1 https://github.com/uipath-lua/uipath.git", 1, true))
  assert.is_truthy(text:find "make %-C %S+ install")
end

describe("examples/ci", function()
  local sandbox, folder

  setup(function()
    sandbox = assert(require("uipath.sandbox").start())
    folder = os.tmpname()
    os.remove(folder)
    assert.equal("", tenant.shell("mkdir -p " .. folder .. "/bin"))
    local file = assert(io.open(folder .. "/bin/luipath", "w"))
    file:write(("#!/bin/sh\nexec %s %s/src/luipath \"$@\"\n"):format(tenant.interpreter, tenant.shell "pwd":gsub("\n", "")))
    file:close()
    tenant.shell("chmod +x " .. folder .. "/bin/luipath")
  end)
  teardown(function()
    sandbox:stop()
    tenant.shell("rm -r " .. folder)
  end)

  -- Runs a step as a runner does, on the sandbox, with the variables of the example. Gives its status and what it wrote.
  local function run_step(script, variables)
    local environment = command.environment(sandbox)
    environment.PATH = folder .. "/bin:" .. os.getenv "PATH"
    environment.LUA_PATH, environment.LUA_CPATH, environment.HOME = package.path, package.cpath, "/nonexistent"
    environment.UIPATH_AUTH_SCOPES = SCOPES
    -- What a sanitizer's run is told, which is no part of a runner's environment.
    for _, name in ipairs { "ASAN_OPTIONS", "LSAN_OPTIONS", "UBSAN_OPTIONS", "TSAN_OPTIONS" } do
      environment[name] = os.getenv(name)
    end
    for name, value in pairs(variables) do environment[name] = value end
    local words = {}
    for name, value in pairs(environment) do words[#words + 1] = tenant.quoted(name .. "=" .. value) end
    local output = tenant.shell(("cd %s && rm -f results.xml; env -i %s sh -ec %s; echo \"status $?\""):format(folder,
      table.concat(words, " "), tenant.quoted(script)))
    return tonumber(output:match "status (%d+)\n$"), output
  end

  -- The step is green for a green set and red for a red one, and leaves a file.
  local function check_step(script, variables)
    for set, expected in pairs { ["DEMO:42"] = 0, ["DEMO:43"] = 1 } do
      variables.TEST_SET = set
      local status, output = run_step(script .. " --poll 0.2", variables)
      assert.equal(expected, status, output)
      local text = read(folder .. "/results.xml")
      assert.equal(expected == 1, text:find("<failure ", 1, true) ~= nil)
    end
  end

  it("has a workflow for GitHub", function()
    local workflow = lyaml.load(read "examples/ci/github.yml")
    local job = workflow.jobs.tests
    assert.equal(SCOPES, job.env.UIPATH_AUTH_SCOPES)
    for name, value in pairs(job.env) do
      if name ~= "UIPATH_AUTH_SCOPES" then assert.is_truthy(value:find "^%${{ .+ }}$", name) end
    end
    assert.is_truthy(job.env.UIPATH_CLIENT_SECRET:find("secrets.", 1, true))
    check_installation(job.steps[1].run)
    check_step(job.steps[2].run, { GITHUB_STEP_SUMMARY = folder .. "/summary.md" })
    assert.is_truthy(read(folder .. "/summary.md"):find("Regression is red", 1, true))
    assert.equal("always()", job.steps[3]["if"])
    assert.equal("results.xml", job.steps[3].with.path)
  end)

  it("has a job for GitLab", function()
    local job = lyaml.load(read "examples/ci/gitlab-ci.yml")["uipath-tests"]
    assert.equal(SCOPES, job.variables.UIPATH_AUTH_SCOPES)
    check_installation(table.concat(job.before_script, "\n"))
    assert.equal(1, #job.script)
    check_step(job.script[1], {})
    assert.is_truthy(read(folder .. "/results.md"):find("### ", 1, true))
    assert.same({ "always", "results.xml" }, { job.artifacts.when, job.artifacts.reports.junit })
  end)

  it("has a Jenkinsfile", function()
    local text = read "examples/ci/Jenkinsfile"
    local depth = 0
    for bracket in text:gsub("'''.-'''", ""):gmatch "[{}]" do depth = depth + (bracket == "{" and 1 or -1) end
    assert.equal(0, depth)
    assert.is_truthy(text:find("UIPATH_AUTH_SCOPES = '" .. SCOPES .. "'", 1, true))
    local scripts = {}
    -- Groovy reads two backslashes as one.
    for script in text:gmatch "sh '''\n(.-)%s*'''" do scripts[#scripts + 1] = (script:gsub("\\\\", "\\")) end
    assert.equal(2, #scripts)
    check_installation(scripts[1])
    check_step(scripts[2], { UIPATH_APP_USR = sandbox.options.client_id, UIPATH_APP_PSW = sandbox.options.client_secret })
    assert.is_truthy(text:find("always { junit 'results.xml' }", 1, true))
  end)
end)

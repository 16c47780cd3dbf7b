-- What all groups of recipes have in common: where they are found, how they are described, checked and completed.

local steps = require "spec.support.steps"
local tenant = require "spec.support.tenant"
local uipath = require "uipath"
local recipes = require "uipath.recipes"

describe("recipes", function()
  local sandbox, client

  setup(function()
    sandbox = assert(require("uipath.sandbox").start())
    client = uipath.connect(tenant.options(sandbox))
  end)
  teardown(function() sandbox:stop() end)

  local groups = debug.getmetatable(uipath.connect {
    base_url = "http://127.0.0.1:1", organization = "o", tenant = "t", access_token = "none",
  }).groups

  it("are fields of every client, whichever way it waits", function()
    for _, each in ipairs { client, client:with { on_event = function() end }, client:folder "Shared" } do
      for _, name in ipairs(groups) do
        assert.equal(name, recipes.describe(name).name)
        assert.is_table(each[name])
      end
      assert.is_nil(each.nothing)
      assert.equal("function", type(each.get))
    end
  end)

  it("are listed once", function()
    local listed = {}
    for _, name in ipairs(recipes.names()) do listed[name:match "^%a+"] = true end
    for _, name in ipairs(groups) do assert.is_true(listed[name], name) end
    local count = 0
    for _ in pairs(listed) do count = count + 1 end
    assert.equal(#groups, count)
  end)

  it("say of each method what it takes, and which requests it makes", function()
    for _, name in ipairs(recipes.names()) do
      local method = recipes.find(name)
      assert.is_truthy(method.help:find "^%l", name)
      assert.is_function(method.run)
      assert.is_true(#method.calls > 0 or name == "tests.junit") -- which asks nobody
      for _, argument in ipairs(method.arguments) do assert.is_string(argument[1], name) end
      for option, facts in pairs(method.options or {}) do assert.is_string(facts[2], name .. " " .. option) end
      for _, call in ipairs(method.calls) do
        assert.is_truthy(require("uipath.catalogue").find(call[1], call[2]), name .. ": " .. call[1] .. " " .. call[2])
      end
    end
  end)

  it("tell the scopes that they need", function()
    assert.same({ "OR.Execution.Read", "OR.Jobs" }, uipath.scopes_for "jobs.run")
    assert.same({ "OR.Queues" }, uipath.scopes_for "queues.add_many")
    for _, name in ipairs(recipes.names()) do assert.is_table(uipath.scopes_for(name), name) end
    local ok, message = pcall(uipath.scopes_for, "jobs.rnu")
    assert.is_false(ok)
    assert.is_truthy(message:find("did you mean 'jobs.run'?", 1, true))
  end)

  it("tell after a 403 what all of their requests need", function()
    local poor = uipath.connect(tenant.options(sandbox, { scope = "OR.Execution.Read" })):folder "Shared"
    local job, err = poor.jobs:run "Payroll Check"
    assert.is_nil(job)
    assert.equal("forbidden", err.kind)
    assert.is_truthy(err.hint:find("needs OR.Jobs or OR.Jobs.Write", 1, true), err.hint)
    assert.is_truthy(err.hint:find("all of jobs:run needs OR.Execution.Read OR.Jobs", 1, true), err.hint)
  end)

  it("use a queue in the folder that it says", function()
    local log = steps.run(function()
      return client.exports:save("QueueItems", "/dev/null", { queue = { Id = 6001, OrganizationUnitId = 2001 }, timeout = 0 })
    end)
    assert.equal("timeout", log.results[2].kind)
    assert.equal(2001, log[1].options.folder)
  end)

  it("fetch what a row lacks", function()
    local shared = client:folder "Shared"
    local function id_of(set, name) return { Id = shared:get(set, { filter = { "Name eq ?", name } }).value[1].Id } end
    local process, queue = id_of("odata/Releases", "Payroll Check"), id_of("odata/QueueDefinitions", "Payments")
    assert.equal("Payroll Check", assert(shared.jobs:start(process)).ReleaseName)
    assert.equal("row", assert(shared.queues:add(queue, { A = 1 }, { reference = "row" })).Reference)
    assert.equal(1, (shared.queues:add_many(queue, { { A = 1 } }, { reference = "row 2" })))
    assert.is_table(shared.queues:take(queue))
    assert.equal("EUR", (shared.assets:get(id_of("odata/Assets", "Currency"))))
    assert.equal("robot", (shared.assets:credential(id_of("odata/Assets", "SapLogin"))))
  end)

  it("are loaded by preload", function()
    local output = tenant.run(tenant.options(sandbox), [[
      uipath.preload()
      package.path = ""
      local ok, err = pcall(function() return client.jobs:start("X", nil, { folder = "Shared" }) end)
      print(ok)
      for _, name in ipairs(require("debug").getmetatable(client).groups) do print(pcall(function() return client[name] end)) end
    ]])
    assert.is_nil(output:find("false", 1, true), output)
    assert.is_truthy(output:find "true", output)
  end)

  it("are completed at the prompt", function()
    rawset(_G, "client", client)
    local completion = require "uipath.repl.completion"
    local words = table.concat(completion.complete("client.jo", "client.jo"), " ")
    assert.equal("client.jobs", words)
    words = completion.complete("client.jobs:st", "client.jobs:st")
    assert.same({ "client.jobs:start", "client.jobs:stop" }, words)
    rawset(_G, "client", nil)
  end)

  it("take the options of a call", function()
    local headers
    tenant.control(sandbox, "POST settings", { record = true })
    assert(client.folders:find("Shared", { headers = { ["X-Mine"] = "1" }, timeout = 10, max_attempts = 2 }))
    for _, request in ipairs(tenant.control(sandbox, "GET requests")) do
      if request.uri:find "Folders" then headers = request.headers end
    end
    tenant.control(sandbox, "POST reset")
    assert.equal("1", headers["x-mine"])
    assert.is_nil(headers["x-uipath-folderpath"])
  end)

  it("take a folder from the headers, too", function()
    local headers = { ["X-UIPATH-FolderPath"] = "Shared" }
    assert(client.assets:get("Currency", { headers = headers }))
    local _, err = client.assets:get("Currency", { folder = false })
    assert.equal("usage", err.kind)
    _, err = client:folder("Shared").assets:get("Currency", { folder = false })
    assert.equal("usage", err.kind)
  end)

  it("are found in folders: by path, id, key, and all of them", function()
    local folder = assert(client.folders:find "Shared/Finance")
    for _, ref in ipairs { "/Shared/Finance", folder.Id, folder.Key, folder, { name = "Shared/Finance" } } do
      assert.equal(folder.Id, assert(client.folders:find(ref)).Id)
    end
    local found, err = client.folders:find "Shared/Finanse"
    assert.is_nil(found)
    assert.equal("not_found", err.kind)
    assert.is_truthy(err.message:find("'Shared/Finance'", 1, true))
    found, err = client.folders:find(9999)
    assert.is_nil(found)
    assert.equal("not_found", err.kind)
    local count = 0
    for _ in client:folder("Shared").folders:each { filter = "startswith(FullyQualifiedName, 'Shared')" } do count = count + 1 end
    assert.equal(3, count)
    steps.try_all { run = function() return client.folders:find "Shared" end }
  end)

  it("are read with nulls left out as well", function()
    local dropping = client:with { nulls = "drop", folder = "Shared" }
    assert.equal("done", (assert(dropping.jobs:run("Payroll Check", { Seconds = 0.1 }))).Result)
    assert.equal(uipath.null, (dropping.assets:get "Desk"))
    assert(dropping.assets:set("Currency", "EUR"))
  end)
end)

describe("uipath.sleep", function()
  it("waits as long as is said, and lets others go on", function()
    local seconds = tenant.timed(uipath.sleep, 0.2)
    assert.is_true(seconds >= 0.199)
    seconds = tenant.in_time(0.55, function()
      return tenant.timed(function() uipath.map({ 1, 2, 3 }, function() return uipath.sleep(0.2) end) end)
    end)
    assert.is_true(seconds >= 0.199 and seconds < 0.55)
    assert.is_true(uipath.sleep(0))
  end)

  it("raises on what is no time", function()
    for _, wrong in ipairs { -1, 0 / 0, math.huge, "1", false } do
      local ok, message = pcall(uipath.sleep, wrong)
      assert.is_false(ok)
      assert.is_truthy(message:find("recipes_spec.lua:", 1, true))
    end
  end)
end)

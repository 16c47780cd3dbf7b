-- The catalogue where it is older than the cloud: what has been removed since, and paths that are
-- one letter away from one that is there.

local answers = require "spec.support.answers"
local assert = require "luassert"
local uipath = require "uipath"

describe("the catalogue", function()
  local function described(path)
    local client = uipath.connect { organization = "a", tenant = "t", access_token = "x" }
    return assert(client:describe(path))
  end

  for path, date in pairs {
    ["odata/Alerts"] = "2025-09", ["odata/OrganizationUnits(5)"] = "2025-09",
    ["odata/Assets/UiPath.Server.Configuration.OData.GetRobotAsset(robotId='1',assetName='a')"]
      = "2026-04-14",
    ["odata/TestSets"] = "2026-04-30", ["odata/TestSetExecutions(5)"] = "2026-04-30",
    ["api/TestAutomation/StartTestSetExecution"] = "2026-04-30",
  } do
    it("marks " .. path, function()
      local found = described(path)
      for _, row in ipairs(found) do assert.equal(date, row.removed) end
      assert.is_truthy(tostring(found):find("removed " .. date, 1, true))
      assert.is_truthy(require("uipath.repl.help").describe(found):find(date, 1, true))
    end)
  end

  it("marks nothing that only begins alike", function()
    for _, path in ipairs {
      "odata/Assets", "odata/Folders", "odata/TestDataQueues",
      "odata/Assets/UiPath.Server.Configuration.OData.GetRobotAssetByNameForRobotKey",
    } do assert.is_nil(described(path)[1].removed) end
    for _, row in ipairs(uipath.endpoints "testmanager_/") do assert.is_nil(row.removed) end
  end)

  it("is completed without what was removed", function()
    local completion = require "uipath.repl.completion"
    local function offers(start, wanted)
      for _, each in ipairs(completion.complete('client:get "' .. start, start)) do
        if each:find(wanted, 1, true) then return true end
      end
      return false
    end
    assert.is_true(offers("odata/A", "odata/Assets"))
    assert.is_false(offers("odata/A", "odata/Alerts"))
    assert.is_false(offers("odata/O", "odata/OrganizationUnits"))
    assert.is_false(offers("odata/Test", "odata/TestSets"))
  end)

  local near = {
    { "odata/Machnes", "odata/Machines", "a letter is missing" },
    { "odata/Machiness", "odata/Machines", "one is too many" },
    { "odata/Mochines", "odata/Machines", "one is another" },
    { "odata/Mahcines", "odata/Machines", "two have changed places" },
    { "odata/Job(5)", "odata/Jobs(5)", "there is a key" },
    { "odta/Jobs", "odata/Jobs", "it is in the middle" },
    { "testmanger_/api/v2/projects", "testmanager_/api/v2/projects", "it is the service" },
    { "identity_/api/Grup/x", "identity_/api/Group/x", "it is another service's" },
  }
  for _, row in ipairs(near) do
    it("knows what is meant where " .. row[3], function()
      assert.equal(row[2], require("uipath.catalogue").nearest(row[1]))
    end)
  end

  it("does not guess further", function()
    for _, path in ipairs {
      "odata/Jobs", "odata/Nothing", "odata/Machns", "odta/Job", "odata", "odata/Alert", "x", "",
      "testmanger_/api/v2/project", ("odata/"):rep(500), "odata/" .. ("a"):rep(1e6),
    } do assert.is_nil(require("uipath.catalogue").nearest(path), path:sub(1, 40)) end
  end)

  it("says what is meant where it is asked for a misspelt path", function()
    local client = uipath.connect { organization = "a", tenant = "t", access_token = "x" }
    local _, err = client:describe "odata/Machnes"
    assert.equal("did you mean odata/Machines?", err.hint)
  end)
end)

describe("a 404", function()
  local server, client
  setup(function()
    server = answers.start {
      { match = "odata/Jobs(5)", status = 404, body = '{"message":"Job does not exist.","errorCode":1002}' },
      { match = "page", status = 404, body = "<html></html>", headers = { ["Content-Type"] = "text/html" } },
      { match = "/", status = 404, headers = {} },
    }
    client = uipath.connect {
      base_url = server.url, organization = "acme", tenant = "T", access_token = "a-fixed-token",
      profile = false,
    }
  end)
  teardown(function() server.stop() end)

  local function hint_of(path)
    local _, err = client:get(path)
    assert.equal("not_found", err.kind)
    return err.hint
  end

  it("of what was removed says since when, and what there is instead", function()
    assert.equal("it was removed from Automation Cloud in 2025-09", hint_of "odata/Alerts")
    assert.equal("it was removed from Automation Cloud in 2025-09; instead there is odata/Folders",
      hint_of "odata/OrganizationUnits(3)")
    assert.matches("2026%-04%-14; instead there is POST .*GetRobotAssetByNameForRobotKey",
      hint_of "odata/Assets/UiPath.Server.Configuration.OData.GetRobotAsset(robotId='1',assetName='x')")
    assert.matches("2026%-04%-30; instead there is Test Manager", hint_of "odata/TestSets")
    local _, err = client:post("api/TestAutomation/StartTestSetExecution", {})
    assert.matches("2026%-04%-30", err.hint)
  end)

  it("of a path that is one letter away from another names that", function()
    assert.equal("there is no such path: did you mean odata/Machines?", hint_of "odata/Machnes?$top=1")
    assert.equal("there is no such path: did you mean odata/Jobs?", hint_of "odata/jobs")
    assert.equal("there is no such path: did you mean odata/Jobs(5)?", hint_of "odata/jobs(5)")
    assert.equal("there is no such path: did you mean testmanager_/api/v2/projects?",
      hint_of "testmanager_/api/v2/project")
  end)

  it("of a thing that is not there says nothing of paths", function()
    assert.is_nil(hint_of "odata/Jobs(5)")
  end)

  it("of any other path is as it was", function()
    assert.equal("no such path, or no such tenant: case counts", hint_of "odata/Nothing")
    assert.equal("check base_url, organization and tenant", hint_of "odata/page")
  end)
end)

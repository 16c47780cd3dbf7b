-- client.assets: values of all types; what is not named stays as it is; and what becomes of faults on the way.

local steps = require "spec.support.steps"
local tenant = require "spec.support.tenant"
local uipath = require "uipath"

describe("client.assets", function()
  local sandbox, client, shared, hasty
  local numbers = 0

  setup(function()
    sandbox = assert(require("uipath.sandbox").start())
    client = uipath.connect(tenant.options(sandbox))
    shared = client:folder "Shared"
    hasty = shared:with { timeout = 2 * tenant.SLOWER }
  end)
  teardown(function() sandbox:stop() end)

  local function new_name()
    numbers = numbers + 1
    return "Asset " .. numbers
  end

  local function whole(name)
    return shared:get("odata/Assets/UiPath.Server.Configuration.OData.GetFiltered",
      { filter = { "Name eq ?", name }, expand = "UserValues" }).value[1]
  end

  it("gives values by their types", function()
    assert.equal("EUR", (shared.assets:get "Currency"))
    assert.equal(3, (shared.assets:get "RetryLimit"))
    assert.equal(false, (shared.assets:get "DryRun"))
    assert.same({ test = "https://test.example", prod = "https://prod.example" }, (shared.assets:get "Endpoints"))
    local value, asset = shared.assets:get "Desk"
    assert.equal(uipath.null, value)
    assert.equal("PerRobot", asset.ValueScope)
    local _, row = shared.assets:get "Currency"
    for _, ref in ipairs { row.Id, row.Key, row, { name = "Currency" } } do assert.equal("EUR", (shared.assets:get(ref))) end
  end)

  it("reads credentials and secrets, and says how where it does not", function()
    local username, password, asset = shared.assets:credential "SapLogin"
    assert.same({ "robot", "sap-password" }, { username, password })
    assert.is_nil(asset.CredentialPassword)
    local secret
    secret, asset = shared.assets:secret "ApiKey"
    assert.equal("api-secret", secret)
    assert.is_nil(asset.SecretValue)
    for name, method in pairs { SapLogin = "credential", ApiKey = "secret" } do
      local value, err = shared.assets:get(name)
      assert.is_nil(value)
      assert.equal("usage", err.kind)
      assert.is_truthy(err.message:find("client.assets:" .. method, 1, true))
    end
    local _, err = shared.assets:credential "Currency"
    assert.equal("usage", err.kind)
    _, err = shared.assets:secret "SapLogin"
    assert.is_truthy(err.message:find("client.assets:credential", 1, true))
    -- Only robots read that one.
    _, err = shared.assets:credential "OldLogin"
    assert.equal("request", err.kind)
  end)

  it("says that one is not there, with the nearest names", function()
    for _, run in ipairs {
      function() return shared.assets:get "Curency" end, function() return shared.assets:credential "Curency" end,
      function() return shared.assets:delete "Curency" end, function() return shared.assets:set(99, "x") end,
    } do
      local value, err = run()
      assert.is_nil(value)
      assert.equal("not_found", err.kind)
    end
    local _, err = shared.assets:secret "Curency"
    assert.is_truthy(err.message:find("'Currency'", 1, true))
  end)

  it("makes an asset by the value's type, and sets it anew", function()
    for _, case in ipairs {
      { "Text", "one", "two" }, { "Integer", 1, -2 }, { "Bool", true, false },
      { "KeyValueList", { a = "1", b = "2" }, { a = "3" } },
    } do
      local name = new_name()
      for position = 2, 3 do
        local asset = assert(shared.assets:set(name, case[position], { description = "number " .. position }))
        assert.equal(case[1], asset.ValueType)
        assert.equal("number " .. position, asset.Description)
        assert.same(case[position], (shared.assets:get(name)))
      end
      assert.is_true(shared.assets:delete(name))
      assert.equal("not_found", select(2, shared.assets:get(name)).kind)
    end
  end)

  it("sets credentials and secrets", function()
    local name = new_name()
    for _, password in ipairs { "first", "second" } do
      local asset = assert(shared.assets:set(name, { username = "me", password = password }))
      assert.is_nil(tostring(uipath.json.encode(asset)):find(password, 1, true))
      assert.equal(password, (select(2, shared.assets:credential(name))))
    end
    name = new_name()
    assert(shared.assets:set(name, { secret = "s1" }))
    assert(shared.assets:set(name, { secret = "s2" }))
    assert.equal("s2", (shared.assets:secret(name)))
  end)

  it("takes another type where it is said", function()
    local name = new_name()
    assert.equal("Text", assert(shared.assets:set(name, 5, { type = "Text" })).ValueType)
    assert.equal("5", (shared.assets:get(name)))
    assert.equal("HttpConnectionString", assert(shared.assets:set(new_name(), "https://x", { type = "HttpConnectionString" })).ValueType)
  end)

  it("changes no type, and nothing else of an asset", function()
    local asset, err = shared.assets:set("Currency", 5)
    assert.is_nil(asset)
    assert.equal("usage", err.kind)
    assert.equal("EUR", (shared.assets:get "Currency"))
    -- The users' own values and the description stay.
    local before = whole "Desk"
    assert(shared.assets:set("Desk", "B-1"))
    local after = whole "Desk"
    assert.same(before.UserValues, after.UserValues)
    assert.equal("PerRobot", after.ValueScope)
    assert.equal("B-1", (shared.assets:get "Desk"))
  end)

  it("does not empty the passwords that it cannot read", function()
    local folder = client:folder "Shared/Finance"
    local row = select(3, folder.assets:credential "SapLogin")
    -- One user's own password is in the asset, and read back empty.
    local own = { UserId = 11, ValueType = "Credential", CredentialUsername = "u", CredentialPassword = "", Id = 1 }
    local log = steps.run(function() return folder.assets:set(row.Id, { username = "robot", password = "new" }) end, 2, function(send)
      local asset = send()
      asset.UserValues = { own }
      return asset
    end)
    assert.is_table(log.results[1])
    assert.equal("new", (select(2, folder.assets:credential "SapLogin")))
    local kept = folder:get(("odata/Assets(%d)"):format(row.Id), { expand = "UserValues" }).UserValues[1]
    assert.equal("u", kept.CredentialUsername)
    assert.is_nil(kept.CredentialPassword)
  end)

  it("changes nothing where the users' values are not in the answer", function()
    local id = whole("Desk").Id
    local log = steps.run(function() return shared.assets:set(id, "C-3") end, 2, function(send)
      local asset = send()
      asset.UserValues = nil
      return asset
    end)
    assert.is_nil(log.results[1])
    assert.equal(2, #log)
  end)

  it("copies a value from another place as it is given", function()
    assert(shared.assets:set("Copied", shared.assets:get "Currency"))
    assert.equal("EUR", (shared.assets:get "Copied"))
  end)

  it("iterates over all of them, Secrets too", function()
    local names = {}
    for asset in shared.assets:each() do names[asset.Name] = asset.ValueType end
    assert.equal("Secret", names.ApiKey)
    assert.equal("Credential", names.SapLogin)
  end)

  it("raises on what no asset holds", function()
    local function raises(words, run)
      local ok, message = pcall(run)
      assert.is_false(ok)
      assert.is_truthy(tostring(message):find(words, 1, true), tostring(message))
    end
    raises("is a fraction", function() shared.assets:set("X", 1.5) end)
    raises("32 bits", function() shared.assets:set("X", 2 ^ 31) end)
    raises("value must be given", function() shared.assets:set "X" end)
    raises("a Credential is", function() shared.assets:set("X", { username = "u" }) end)
    raises("key-value list", function() shared.assets:set("X", { 1, 2 }) end)
    raises("no value of a Bool", function() shared.assets:set("X", "true", { type = "Bool" }) end)
    raises("did you mean 'description'?", function() shared.assets:set("X", "y", { descripton = "z" }) end)
  end)

  it("needs a folder", function()
    local log = steps.run(function() return client.assets:get "Currency" end)
    assert.equal("usage", log.results[2].kind)
    assert.equal(0, #log)
  end)

  it("never does twice what may have been done", function()
    steps.try_all {
      prepare = new_name, run = function(name) return hasty.assets:set(name, "v") end,
      verify = function(name, _, fault, step)
        if step.changes then assert.equal(fault == "answer_lost", whole(name) ~= nil) end
      end,
    }
    steps.try_all { run = function() return hasty.assets:set("Currency", "EUR") end }
    steps.try_all { run = function() return hasty.assets:credential "SapLogin" end }
    steps.try_all {
      prepare = function()
        local name = new_name()
        assert(shared.assets:set(name, "v"))
        return name
      end,
      run = function(name) return hasty.assets:delete(name) end,
    }
  end)
end)

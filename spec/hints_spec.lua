-- What errors advise: scopes and permissions after a 403, and why there may be no folders.

local assert = require "luassert"
local uipath = require "uipath"

describe("a hint", function()
  local sandbox
  setup(function() sandbox = assert(require("uipath.sandbox").start()) end)
  teardown(function() sandbox:stop() end)

  -- changes: false unsets
  local function client_with(changes)
    local options = {}
    for name, value in pairs(sandbox.options) do options[name] = value end
    for name, value in pairs(changes) do options[name] = value end
    return uipath.connect(options)
  end

  -- A client that gets the same reply whatever it asks for.
  local function misbehaving(fault, scope)
    return client_with {
      base_url = sandbox.fault_url .. "/fault/" .. fault, identity_url = sandbox.base_url .. "/identity_", scope = scope,
    }
  end

  local function hint_of(call, ...)
    local value, err = call(...)
    assert.is_nil(value)
    assert.is_nil(tostring(err):find "\n")
    return err.hint, err
  end

  it("says what a 403 needs, what the token has and what the role must allow", function()
    local client = client_with { scope = "OR.Jobs" }
    local hint, err = hint_of(client.get, client, "odata/Machines")
    assert.equal("needs OR.Machines or OR.Machines.Read; the token has OR.Jobs; the role needs Machines.View", hint)
    assert.matches("403 forbidden: You are not authorized! — needs OR.Machines or OR.Machines.Read; the token has OR.Jobs", tostring(err))
  end)

  it("tells reading from writing", function()
    local client = client_with { scope = "OR.Machines.Read" }
    assert.equal("needs OR.Machines or OR.Machines.Write; the token has OR.Machines.Read; the role needs Machines.Create",
      (hint_of(client.post, client, "odata/Machines", { Name = "x" })))
  end)

  it("repeats what Identity says it wants", function()
    local client = client_with { base_url = sandbox.fault_url, identity_url = sandbox.base_url .. "/identity_", scope = "OR.Jobs" }
    assert.matches("^needs PM.RobotAccount or PM.RobotAccount.Read; the token has OR.Jobs",
      (hint_of(client.get, client, "odata/fault/error/identity_scope")))
    assert.matches("^needs IdentityServerApi", (hint_of(client.get, client, "odata/fault/error/identity_oauth")))
  end)

  it("does not blame scopes that suffice", function()
    -- The same refusal for every path: only the catalogue tells them apart.
    local client = misbehaving("error/forbidden", "OR.Machines.Read")
    assert.equal("the token's scopes suffice; the role needs Machines.View", (hint_of(client.get, client, "odata/Machines")))
    assert.equal("not open to external applications: it takes a user's sign-in",
      (hint_of(client.get, client, "api/FoldersNavigation/GetAllFoldersForCurrentUser")))
  end)

  it("names both scopes that buckets may want", function()
    local client = client_with { scope = "OR.Jobs" }
    assert.matches("^needs OR.Administration or OR.Administration.Read %(newer tenants: OR.Buckets%)",
      (hint_of(client.get, client, "api/Buckets/9001/ListFiles", { folder = "Shared" })))
  end)

  it("is there for a path that the catalogue does not know", function()
    local client = misbehaving("error/forbidden", "OR.Machines.Read")
    assert.equal("the token has OR.Machines.Read; the application's role in the tenant and folder must allow it too",
      (hint_of(client.get, client, "api/Nothing")))
  end)

  describe("about folders that are not there", function()
    local function no_folders(scope, options)
      local _, response = assert(misbehaving("rows/0", scope):get("odata/Folders", options))
      return response.hint
    end

    it("says that the token is good, and what to try", function()
      local hint = no_folders "OR.Folders.Read OR.Jobs"
      assert.matches("sees no folders with the scopes OR.Folders.Read OR.Jobs", hint)
      assert.matches("OR.Default", hint)
    end)

    it("is not given where a filter, or a page behind the last one, may be the reason", function()
      assert.is_nil(no_folders("OR.Folders.Read", { filter = "Id eq 0" }))
      assert.is_nil(no_folders("OR.Folders.Read", { skip = 10 }))
    end)

    it("is not given when there are folders", function()
      local _, response = assert(client_with({}):get "odata/Folders")
      assert.is_nil(response.hint)
    end)
  end)
end)

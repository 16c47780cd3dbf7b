-- Error objects: what the services' bodies become, hints, how they show themselves, uipath.check.

local assert = require "luassert"
local tenant = require "spec.support.tenant"
local uipath = require "uipath"

local sandbox, client

setup(function()
  sandbox = assert(require("uipath.sandbox").start())
  client = uipath.connect(tenant.fault_options(sandbox))
end)
teardown(function() sandbox:stop() end)

describe("the body", function()
  -- shape, kind, status, message, code, the beginning of the trace id
  local rows = {
    { "orchestrator", "request", 400, "Folder does not exist or the user does not have access to the folder.", 1100, "00-f9ec7b24" },
    { "folder_required", "request", 400, "A folder is required for this action", 1101, "00-f9ec7b24" },
    { "conflict", "conflict", 409, "Package already exists.", 1004 },
    { "forbidden", "forbidden", 403, "You are not authorized!" },
    { "identity_scope", "forbidden", 403, "Scope(s) 'OR.Folders.Read,PM.Group.Read' is(are) invalid. "
      .. "Expect to have 'PM.RobotAccount' or 'PM.RobotAccount.Read'. " },
    { "identity_oauth", "forbidden", 403, "OAuth authorization failed. 'IdentityServerApi' scope not found." },
    { "validation", "request", 400, "One or more validation errors occurred. entityType: The value 'x' is not valid.", nil, "00-01234567" },
    { "pascal_case", "not_found", 404, "Cannot resolve users=[..]" },
    { "partition", "request", 400, "InvalidPartition" },
    { "bulk", "failed", 200, "User name 'a' is already taken.", "DuplicateUserName" },
    { "multi_status", "failed", 207, "B:1.0.0: Package already exists." },
    { "maestro", "request", 400, "The instance is not running.", nil, "00-01234567" },
    { "data_fabric", "request", 400, "Entity not found", nil, "0HMV:00000001" },
    { "wrong_url", "request", 405, "The HTTP resource that matches the request URI does not support HTTP method 'POST'.",
      "UnsupportedApiVersion" },
    { "storage", "forbidden", 403, "Server failed to authenticate the request.", "AuthenticationFailed" },
    { "html", "not_found", 404, "404 Not Found" },
    { "text", "request", 400, "Bad Request" },
    { "empty", "server", 500, "internal server error" },
  }
  for _, row in ipairs(rows) do
    it("of the shape " .. row[1] .. " becomes message, code and trace_id", function()
      local value, err = client:post("fault/error/" .. row[1], {})
      assert.is_nil(value)
      assert.is_true(uipath.is_error(err))
      assert.same({ row[2], row[3], row[4], row[5] }, { err.kind, err.status, err.message, err.code })
      assert.equal(row[6], err.trace_id and row[6] and err.trace_id:sub(1, #row[6]))
      assert.equal("POST", err.method)
      assert.equal(1, err.attempts)
      assert.is_truthy(err.url:find("/fault/error/" .. row[1], 1, true))
      if row[1] ~= "empty" then assert.is_not_nil(err.body) end
      assert.is_not_nil(err.headers["Content-Length"])
      assert.is_nil(tostring(err):find "\n")
    end)
  end

  it("is there decoded, or as the text that it is", function()
    local _, err = client:get "fault/error/orchestrator"
    assert.equal(1100, err.body.errorCode)
    _, err = client:get "fault/error/text"
    assert.equal("Bad Request", err.body)
  end)

  it("of a 2xx tells of failures for what changes things only", function()
    assert(client:get "fault/error/bulk")
    assert(client:post("fault/echo", { result = { succeeded = false } }))
  end)

  it("that is no JSON although it says so is an error with the text, and where it is wrong", function()
    local _, err = client:get "fault/invalid_json"
    assert.equal("decode", err.kind)
    assert.equal(200, err.status)
    assert.matches("line 2, column", err.message)
    assert.equal('{"value":[{"Id":1},\n  {"Id":}]}', err.body)
  end)

  it("that is an HTML page with status 200 is an error with a hint", function()
    local _, err = client:get "fault/html"
    assert.equal("decode", err.kind)
    assert.matches("HTML", err.message)
    assert.matches("base_url", err.hint)
  end)
end)

describe("a hint", function()
  it("tells the scopes that are needed and held, and of the role, where Identity names them", function()
    local options = tenant.options(sandbox, { base_url = sandbox.fault_url, scope = "OR.Jobs" })
    local _, err = uipath.connect(options):get "fault/error/identity_scope"
    assert.matches("needs PM.RobotAccount or PM.RobotAccount.Read; the token has OR.Jobs; ", err.hint, 1, true)
    assert.matches("role", err.hint)
    _, err = uipath.connect(options):get "fault/error/identity_oauth"
    assert.matches("needs IdentityServerApi", err.hint, 1, true)
  end)

  local rows = {
    { "fault/error/orchestrator", "folder" },
    { "fault/error/folder_required", "folder" },
    { "fault/error/html", "base_url" },
    { "fault/status/400", "filter" },
    { "fault/redirect/302/other", "no token goes to another host" },
    { "fault/redirect/302/loop", "go on and on" },
    { "fault/redirect/302/nowhere", "does not say where" },
    { "fault/not_http", "does not speak HTTP" },
  }
  for _, row in ipairs(rows) do
    it("for " .. row[1] .. " speaks of " .. row[2], function()
      local _, err = client:get(row[1])
      assert.is_truthy(err.hint:find(row[2], 1, true), err.hint)
      assert.is_truthy(tostring(err):find(" — " .. err.hint, 1, true))
    end)
  end

  it("says of a POST that may have been done that it may", function()
    for _, fault in ipairs { "reset", "truncated", "status/502", "status/504/0" } do
      local _, err = client:post("fault/" .. fault, {}, { max_attempts = 3 })
      assert.equal(1, err.attempts)
      assert.matches("the server may have acted on it", err.hint)
    end
    local _, err = client:post("fault/stall", {}, { timeout = 0.2 })
    assert.matches("the server may have acted on it", err.hint)
    _, err = client:get("fault/status/502")
    assert.is_nil(err.hint)
  end)
end)

describe("an error about a folder", function()
  local GUID = "a0b1c2d3-4567-89ab-cdef-0123456789ab"
  local rows = {
    { "Nowhere", 'the path "Nowhere"' }, { "Größe/x", 'the path "Größe/x"' }, { "Nowhere/", 'the path "Nowhere"' },
    { "Größe//", 'the path "Größe"' }, { "7", 'the path "7" (an id would be a number, without quotes)' }, { 7, "the id 7" },
    { GUID, "the key " .. GUID },
  }
  for _, row in ipairs(rows) do
    it(("says how %s of type %s was sent"):format(row[1], type(row[1])), function()
      for _, each in ipairs { client:folder(row[1]), client } do
        local _, err = each:get("fault/error/orchestrator", each == client and { folder = row[1] } or nil)
        local advice = ": check that it is there, and that the application is assigned to it"
        assert.equal("the folder was sent as " .. row[2] .. advice, err.hint)
        assert.is_nil(err._folder)
      end
    end)
  end

  it("says how to name one where none was named", function()
    for _, shape in ipairs { "orchestrator", "folder_required" } do
      local _, err = client:get("fault/error/" .. shape)
      assert.equal('give a folder: { folder = "Shared" }, or client:folder("Shared"); in the shell --folder Shared', err.hint)
    end
  end)
end)

describe("an error", function()
  it("does not repeat in words what the status says", function()
    local rows = {
      empty = "500 internal server error", text = "400 bad request", html = "404 not found — check base_url, organization and tenant",
    }
    for shape, words in pairs(rows) do
      local _, err = client:get("fault/error/" .. shape)
      assert.equal(("GET …/fault/error/%s: %s"):format(shape, words), (tostring(err):gsub("^spec/errors_spec.lua:%d+: ", "")))
      assert.is_string(err.message)
    end
  end)

  it("of a path that is not there, without a word, says what may be wrong", function()
    local there = uipath.connect(tenant.options(sandbox))
    for _, each in ipairs { there, there:with { tenant = "defaulttenant" } } do
      local _, err = each:get "odata/Nothing"
      assert.equal(404, err.status)
      assert.is_nil(err.body)
      assert.matches("404 not found — no such path, or no such tenant: case counts$", tostring(err))
    end
  end)

  it("shows itself in one line: where, what was called, what the server said, what to do", function()
    local _, err = client:get("fault/error/folder_required", { query = { secret = "hidden" } })
    local line = require("debug").getinfo(1, "l").currentline - 1
    assert.equal("spec/errors_spec.lua:" .. line .. ": GET …/fault/error/folder_required: 400 bad request: "
      .. "A folder is required for this action — " .. err.hint, tostring(err))
    assert.equal("spec/errors_spec.lua:" .. line, err.where)
    assert.equal("failed: " .. tostring(err), "failed: " .. err)
  end)

  it("keeps to one line whatever the server says", function()
    local _, err = client:get "fault/gateway/502"
    assert.is_nil(tostring(err):find "[\r\n]")
  end)

  it("says whether the same call may succeed later", function()
    local rows = {
      ["status/408"] = true, ["status/429"] = true, ["status/500"] = true, ["status/501"] = false, ["status/503"] = true,
      ["status/400"] = false, ["status/404"] = false, ["reset"] = true, ["error/bulk"] = false,
    }
    for fault, retryable in pairs(rows) do
      local _, err = client:post("fault/" .. fault, {})
      assert.equal(retryable, err.retryable, fault)
    end
  end)

  it("says when to come back", function()
    local _, err = client:get "fault/status/503/17"
    assert.equal(17, err.retry_after)
    _, err = client:get "fault/status/503/date:30"
    assert.is_true(err.retry_after > 27 and err.retry_after <= 30)
    _, err = client:get "fault/status/503/later"
    assert.is_nil(err.retry_after)
  end)

  it("of a call of usage names the call and carries no status", function()
    local value, err = client:get "https://elsewhere.example/odata/Machines"
    assert.is_nil(value)
    assert.equal("usage", err.kind)
    assert.is_nil(err.status)
    assert.equal("GET", err.method)
    local call = client:start("GET", "https://elsewhere.example/odata/Machines")
    assert.is_true(call:fd() >= 0)
    err = select(2, call:wait())
    assert.equal("usage", err.kind)
  end)

  it("is no error object when it is something else", function()
    for _, each in ipairs { "text", 5, true, {}, client } do assert.is_false(uipath.is_error(each)) end
    assert.is_false(uipath.is_error(nil))
    local _, err = uipath.json.decode "{"
    assert.is_true(uipath.is_error(err))
  end)
end)

describe("uipath.check", function()
  it("passes on what it gets unless that is nil, false included", function()
    assert.same({ n = 3, 1, nil, "b" }, { n = select("#", uipath.check(1, nil, "b")), uipath.check(1, nil, "b") })
    assert.is_false(uipath.check(false))
    assert.is_true(uipath.check(true))
    assert.equal(200, select(2, uipath.check(client:get "fault/ok")).status)
  end)

  it("raises a string that begins with the caller's position, said once", function()
    local line = require("debug").getinfo(1, "l").currentline + 1
    local ok, message = pcall(function() uipath.check(client:get "fault/status/404") end)
    assert.is_false(ok)
    assert.equal("string", type(message))
    assert.equal(("spec/errors_spec.lua:%d: GET …/fault/status/404: 404 not found: Status 404 was asked for."):format(line), message)
  end)

  it("raises whatever the error is", function()
    for _, err in ipairs { "text", 17, setmetatable({}, { __tostring = function() return "object" end }) } do
      local ok, message = pcall(uipath.check, nil, err)
      assert.is_false(ok)
      assert.is_truthy(message:find(tostring(err), 1, true))
    end
    local ok, message = pcall(uipath.check, nil)
    assert.is_false(ok)
    assert.matches("no value, and no error", message)
  end)
end)

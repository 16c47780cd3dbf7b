-- Requests at their edges, as the server gets them: no body, blank headers, files that are none, numbers without fractions.

local assert = require "luassert"
local tenant = require "spec.support.tenant"
local uipath = require "uipath"

local sandbox, client

setup(function()
  sandbox = assert(require("uipath.sandbox").start())
  client = uipath.connect(tenant.fault_options(sandbox))
end)
teardown(function() sandbox:stop() end)

-- What the server got of a request.
local function echo(method, options)
  return assert(client:request(method, "fault/echo", options))
end

-- A file that is there until the process ends or the next call.
local function with_file(content, use)
  local path = os.tmpname()
  local file = assert(io.open(path, "wb"))
  file:write(content)
  file:close()
  use(path)
  os.remove(path)
end

describe("a request without a body", function()
  for _, method in ipairs { "POST", "PUT", "PATCH" } do
    it("says so, and calls it no form: " .. method, function()
      local got = echo(method)
      assert.equal("0", got.headers["content-length"])
      assert.is_nil(got.headers["content-type"])
    end)
  end

  for _, method in ipairs { "GET", "DELETE", "OPTIONS" } do
    it("has no length where there could be none: " .. method, function()
      local got = echo(method)
      assert.is_nil(got.headers["content-length"])
      assert.is_nil(got.headers["content-type"])
    end)
  end

  it("has the Content-Type that it is given", function()
    assert.equal("application/json", echo("POST", { headers = { ["content-type"] = "application/json" } }).headers["content-type"])
  end)
end)

describe("a header", function()
  it("of blanks is there, and empty", function()
    for _, value in ipairs { "", " ", "   " } do
      assert.equal("", echo("GET", { headers = { ["X-Blank"] = value } }).headers["x-blank"], "'" .. value .. "'")
    end
  end)
end)

describe("a folder", function()
  local names = { "organizationunitid", "folderkey", "folderpath", "folderpath-encoded" }

  -- The headers by which a request names a folder.
  local function folders_of(got)
    local found = {}
    for _, name in ipairs(names) do found[#found + 1] = got.headers["x-uipath-" .. name] end
    return found
  end

  it("of the call's own headers takes the place of the client's", function()
    local shared = client:folder "Shared"
    for i, name in ipairs(names) do
      local got = assert(shared:get("fault/echo", { headers = { ["X-UIPATH-" .. name] = tostring(i) } }))
      assert.same({ tostring(i) }, folders_of(got))
    end
    assert.same({ "Shared" }, folders_of(assert(shared:get("fault/echo", { headers = { ["X-Other"] = "1" } }))))
  end)

  it("must not be named twice", function()
    local ok, message = pcall(client.get, client, "fault/echo", { folder = 5, headers = { ["x-uipath-folderpath"] = "Shared" } })
    assert.is_false(ok)
    assert.matches("the folder is given twice", message)
  end)
end)

describe("a tenant of the call's own headers takes the place of the client's", function()
  it("on premises", function()
    local standalone = client:with { deployment = "standalone" }
    assert.equal("T", assert(standalone:get("fault/echo")).headers["x-uipath-tenantname"])
    local got = assert(standalone:get("fault/echo", { headers = { ["X-UIPATH-TenantName"] = "other" } }))
    assert.equal("other", got.headers["x-uipath-tenantname"])
  end)
end)

describe("a number in the query", function()
  local rows = {
    { 5, "5" }, { 5.0, "5" }, { -5.0, "-5" }, { 2.5, "2.5" }, { 2 ^ 53, "9007199254740992" }, { -2 ^ 53, "-9007199254740992" },
    { 2 ^ 62, "4611686018427387904" },
  }
  for _, row in ipairs(rows) do
    it("is written without a needless fraction: " .. row[2], function()
      assert.matches("%?n=" .. row[2]:gsub("%p", "%%%0") .. "$", echo("GET", { query = { n = row[1] } }).uri)
      assert.equal(row[2], echo("GET", { headers = { ["X-N"] = row[1] } }).headers["x-n"])
    end)
  end

  for _, value in ipairs { 0 / 0, math.huge, -math.huge } do
    it("must be finite: " .. value, function()
      local ok, message = pcall(client.get, client, "fault/echo", { query = { n = value } })
      assert.is_false(ok)
      assert.matches("query.n is not a finite number", message, 1, true)
    end)
  end
end)

describe("a limit of a call is checked as uipath.connect's:", function()
  local rows = {
    { { timeout = math.huge }, "option 'timeout' must be a positive number of seconds, at most 1000000" },
    { { timeout = 0 }, "option 'timeout' must be a positive number of seconds" },
    { { timeout = 0 / 0 }, "option 'timeout' must be a positive number of seconds" },
    { { timeout = "5" }, "option 'timeout' must be a number, got string" },
    { { timeout = false }, "option 'timeout' must be a number, got boolean" },
    { { max_attempts = 0 }, "option 'max_attempts' must be a whole number, at least 1" },
    { { max_attempts = 1.5 }, "option 'max_attempts' must be a whole number" },
    { { max_attempts = 0 / 0 }, "option 'max_attempts' must be a whole number" },
    { { top = 0 / 0 }, "top must be a whole number from 0" },
  }
  for _, row in ipairs(rows) do
    it(row[2], function()
      local ok, message = pcall(client.get, client, "fault/echo", row[1])
      assert.is_false(ok)
      assert.is_truthy(message:find(row[2], 1, true), message)
    end)
  end

  it("as many attempts as there", function()
    assert(echo("GET", { max_attempts = 5000, timeout = 1e6 }))
    assert(client:with { max_attempts = 5000, timeout = 1e6 })
  end)
end)

describe("a file as the body", function()
  it("is sent as it is", function()
    with_file("a\0b\r\n", function(path)
      local got = echo("POST", { body = uipath.file(path) })
      assert.equal("a\0b\r\n", got.body)
      assert.equal("application/octet-stream", got.headers["content-type"])
      assert.equal("5", got.headers["content-length"])
    end)
  end)

  it("may be empty", function()
    with_file("", function(path)
      local got = echo("PUT", { body = uipath.file(path, { content_type = "text/plain" }) })
      assert.equal("0", got.headers["content-length"])
      assert.equal("text/plain", got.headers["content-type"])
    end)
  end)

  -- Kinds of what is no file of a known size, made at the path by a shell command.
  local rows = {
    { "missing", "true", "No such file or directory" },
    { "a directory", "mkdir %s", "not a regular file" },
    { "a pipe that nobody writes to", "mkfifo %s", "not a regular file" },
    { "a device", "ln -s /dev/zero %s", "not a regular file" },
  }
  for _, row in ipairs(rows) do
    for _, form in ipairs { "body", "part" } do
      it("must not be " .. row[1] .. ", nor a part", function()
        local path = os.tmpname()
        os.remove(path)
        assert.equal("", tenant.shell(row[2]:format(path)))
        local body = uipath.file(path)
        if form == "part" then body = uipath.multipart { { name = "file", value = body } } end
        local seconds, value, err = tenant.in_time(1 * tenant.SLOWER, function()
          local call = client:start("POST", "fault/echo", { body = body })
          return tenant.timed(call.wait, call, 5)
        end)
        os.execute("rm -rf " .. path)
        assert.is_nil(value)
        assert.equal("file", err.kind)
        assert.is_truthy(err.message:find(row[3], 1, true), err.message)
        assert.is_true(seconds < 1 * tenant.SLOWER)
      end)
    end
  end

  it("must not become shorter while it is sent", function()
    local path = os.tmpname()
    assert.equal("", tenant.shell("truncate -s 64M " .. path))
    -- A server that reads only when the file has become shorter: most of it cannot have been sent by then.
    local server = assert(require("socket").bind("127.0.0.1", 0))
    local _, port = server:getsockname()
    local call = uipath.connect(tenant.fault_options(sandbox, { base_url = "http://127.0.0.1:" .. port })):start("POST", "api/X",
      { body = uipath.file(path), timeout = 5, max_attempts = 1 })
    local connection = assert(server:accept())
    assert(connection:receive "*l")
    assert.equal("", tenant.shell("truncate -s 0 " .. path))
    connection:settimeout(5)
    while connection:receive(65536) do end -- luacheck: ignore 542
    local _, err = call:wait()
    connection:close()
    server:close()
    os.remove(path)
    assert.equal("file", err.kind)
    assert.matches("it has become shorter", err.message)
  end)
end)

describe("a multipart body", function()
  it("has the parts in their order", function()
    local got = echo("POST", { body = uipath.multipart { { name = "b", value = "2" }, { name = "a", value = "1" } } })
    assert.matches('^%-%-.-name="b"\r\n\r\n2\r\n%-%-.-name="a"\r\n\r\n1\r\n', got.body)
  end)

  it("has all parts of a table of names", function()
    local got = echo("POST", { body = uipath.multipart { a = "1", b = "2", c = "3" } })
    for name, value in pairs { a = "1", b = "2", c = "3" } do
      assert.is_truthy(got.body:find(('name="%s"\r\n\r\n%s\r\n'):format(name, value), 1, true), got.body)
    end
  end)

  local part = { name = "a", value = "b" }
  local rows = {
    { "nothing", {}, "at least one part" },
    { "a list with a hole", { [1] = part, [3] = part }, "part" },
    { "a list that begins at 2", { [2] = part }, "part" },
    { "a list and names", { part, b = "c" }, "not both" },
    { "keys of another kind", { [true] = part }, "list without holes" },
    { "a part that is no table", { "b" }, "part 1 must be a table" },
    { "a part without a name", { { value = "b" } }, "a part's name must be a string" },
    { "a part without a value", { { name = "b" } }, "a part's value must be a string or a uipath.file" },
    { "what belongs to uipath.file", { { name = "a", value = "b", filename = "c" } }, "unknown field of a part 'filename'" },
    { "a misspelt field", { { nmae = "a", value = "b" } }, "did you mean 'name'" },
  }
  for _, row in ipairs(rows) do
    it("is not made of " .. row[1], function()
      local ok, message = pcall(uipath.multipart, row[2])
      assert.is_false(ok)
      assert.is_truthy(message:find(row[3], 1, true), message)
    end)
  end
end)

describe("a sign-in page", function()
  it("is told as such even where nothing says that it is HTML", function()
    local server = assert(require("socket").bind("127.0.0.1", 0))
    local _, port = server:getsockname()
    local client_of_it = uipath.connect(tenant.fault_options(sandbox, { base_url = "http://127.0.0.1:" .. port }))
    local call = client_of_it:start("GET", "api/X", { timeout = 5 })
    local connection = assert(server:accept())
    repeat until connection:receive "*l" == ""
    connection:send "HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n\n<!DOCTYPE html><html></html>"
    connection:close()
    server:close()
    local value, err = call:wait()
    assert.is_nil(value)
    assert.equal("decode", err.kind)
    assert.matches("sign%-in", err.hint)
  end)
end)

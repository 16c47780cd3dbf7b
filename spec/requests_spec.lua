-- What goes over the wire: headers, queries and bodies as the server gets them.

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
        local call = client:start("POST", "fault/echo", { body = body })
        local seconds, value, err = tenant.timed(call.wait, call, 5)
        os.execute("rm -rf " .. path)
        assert.is_nil(value)
        assert.equal("file", err.kind)
        assert.is_truthy(err.message:find(row[3], 1, true), err.message)
        assert.is_true(seconds < 1 * tenant.SLOWER)
      end)
    end
  end

  it("must not become shorter while it is sent", function()
    -- The kernel says 4096 bytes of its own files, and gives a few.
    local _, err = client:post("fault/echo", uipath.file "/sys/devices/system/cpu/online", { timeout = 5 })
    assert.equal("file", err.kind)
    assert.matches("it has become shorter", err.message)
  end)
end)

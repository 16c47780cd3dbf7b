-- Responses that come compressed, as a server of the specs' own sends them byte for byte.

local assert = require "luassert"
local socket = require "socket"
local tenant = require "spec.support.tenant"
local uipath = require "uipath"

-- The text as one gzip member.
local function packed(text)
  local plain, gzip = os.tmpname(), os.tmpname()
  local file = assert(io.open(plain, "wb"))
  file:write(text)
  file:close()
  assert.equal("", tenant.shell(("gzip -9 -n -c %s >%s"):format(plain, gzip)))
  file = assert(io.open(gzip, "rb"))
  local bytes = file:read "*a"
  file:close()
  os.remove(plain)
  os.remove(gzip)
  return bytes
end

-- Gives what a call returns that is answered with this body and headers (none given: gzip's), and the request. status and method are the
-- server's and the call's.
local function answered(body, headers, changes, status, method)
  local server = assert(socket.bind("127.0.0.1", 0))
  local _, port = server:getsockname()
  local options = {
    organization = "acme", tenant = "T", base_url = "http://127.0.0.1:" .. port, access_token = "a", timeout = 10, max_attempts = 3,
  }
  for name, value in pairs(changes or {}) do options[name] = value end
  local call = uipath.connect(options):start(method or "GET", "odata/X")
  server:settimeout(10)
  local connection = assert(server:accept())
  local request = {}
  for line in function() return connection:receive "*l" end do
    if line == "" then break end
    request[#request + 1] = line
  end
  connection:send(("HTTP/1.1 %s\r\n%sContent-Length: %d\r\n\r\n%s"):format(status or "200 OK",
    headers or "Content-Type: application/json\r\nContent-Encoding: gzip\r\n", #body, method == "HEAD" and "" or body))
  local value, result = call:wait()
  connection:close()
  server:close()
  return value, result, table.concat(request, "\n")
end

local JSON = "Content-Type: application/json\r\n"
local TEXT = '{"value":[1,2,3]}'

describe("a compressed response", function()
  it("is asked for, and read", function()
    local value, response, request = answered(packed(TEXT))
    assert.same({ 1, 2, 3 }, value.value)
    assert.equal("gzip", response.headers["content-encoding"])
    assert.is_truthy(request:find("Accept-Encoding: gzip", 1, true))
    assert.same({ 1, 2, 3 }, answered(packed(TEXT), JSON .. "content-encoding:  GZip \r\n").value)
    assert.same({ 1, 2, 3 }, answered(packed(TEXT), JSON .. "Content-Encoding: x-gzip\r\n").value)
  end)

  it("of several members is read to its end", function()
    assert.same({ 1, 2, 3 }, answered(packed(TEXT:sub(1, 5)) .. packed(TEXT:sub(6))).value)
  end)

  it("is read whatever its size", function()
    for _, length in ipairs { 10, 16384, 300000, 5000000 } do
      local text = ("a"):rep(length)
      assert.equal(text, answered(packed('"' .. text .. '"')))
    end
  end)

  it("tells an error's own words", function()
    local _, err = answered(packed '{"message":"no such thing","errorCode":1002}', nil, nil, "404 Not Found")
    assert.equal("not_found", err.kind)
    assert.equal("no such thing", err.message)
    assert.equal(1002, err.code)
  end)

  it("may have no body", function()
    assert.is_true(answered("", nil))
    assert.is_true(answered(packed(TEXT), nil, nil, nil, "HEAD"))
  end)

  it("may say that it is not", function()
    assert.same({ 1, 2, 3 }, answered(TEXT, JSON .. "Content-Encoding: identity\r\n").value)
    assert.same({ 1, 2, 3 }, answered(TEXT, JSON .. "Content-Encoding:\r\n").value)
  end)

  it("is none where what is said is no coding, and gzip's where that stands beside it", function()
    for _, name in ipairs { "utf-8", "UTF-8", "none", "binary", "text/html", "7bit", "utf-8, identity", "identity,, none", ";" } do
      assert.same({ 1, 2, 3 }, answered(TEXT, JSON .. "Content-Encoding: " .. name .. "\r\n").value)
      assert.same({ 1, 2, 3 }, answered(packed(TEXT), JSON .. "Content-Encoding: gzip, " .. name .. "\r\n").value)
      local lines = JSON .. "Content-Encoding: gzip\r\nContent-Encoding: " .. name .. "\r\n"
      assert.same({ 1, 2, 3 }, answered(packed(TEXT), lines).value)
    end
  end)

  local broken = "the response's content encoding is broken: its body is no gzip, or is not whole"
  local unknown = "the response has a content encoding that was not asked for"
  local rows = {
    { "is no gzip", TEXT, nil, broken },
    { "is cut short", packed(TEXT):sub(1, -6), nil, broken },
    { "is cut short by a byte", packed(TEXT):sub(1, -2), nil, broken },
    { "goes on after its end", packed(TEXT) .. "rest", nil, broken },
    { "has another encoding than gzip", TEXT, JSON .. "Content-Encoding: br\r\n", unknown },
    { "was compressed twice", packed(packed(TEXT)), JSON .. "Content-Encoding: gzip, gzip\r\n", unknown },
    { "was compressed in two ways", TEXT, JSON .. "Content-Encoding: deflate\r\nContent-Encoding: gzip\r\n", unknown },
    { "has a newer encoding", TEXT, JSON .. "Content-Encoding: zstd\r\n", unknown },
  }
  for _, row in ipairs(rows) do
    it("that " .. row[1] .. " is an error, and not tried again", function()
      -- Kept whole until its end, and unpacked as it comes: where little is allowed.
      for _, most in ipairs { 1000000, 1000 } do
        local value, err = answered(row[2], row[3], { max_response_bytes = most })
        assert.is_nil(value)
        assert.equal("network", err.kind)
        assert.equal(row[4], err.message)
        assert.equal(1, err.attempts)
        assert.is_false(err.retryable)
      end
    end)
  end

  it("that cannot be read leaves an error's status what it is", function()
    for _, headers in ipairs { JSON .. "Content-Encoding: gzip\r\n", "Content-Type: text/html\r\nContent-Encoding: br\r\n" } do
      for status, kind in pairs { ["404 Not Found"] = "not_found", ["403 Forbidden"] = "forbidden", ["500 Oops"] = "server" } do
        local value, err = answered(TEXT, headers, { max_attempts = 1 }, status)
        assert.is_nil(value)
        assert.equal(kind, err.kind)
        assert.equal(tonumber(status:sub(1, 3)), err.status)
      end
      -- It is tried again as any other; the server answers no more than once.
      local _, err = answered(TEXT, headers .. "Retry-After: 60\r\n", nil, "503 Service Unavailable")
      assert.equal("server", err.kind)
      assert.equal(60, err.retry_after)
    end
  end)

  it("is counted as it is unpacked", function()
    local text = '"' .. ("a"):rep(4998) .. '"'
    for _, most in ipairs { 5000, 10 ^ 7 } do
      assert.equal(4998, #answered(packed(text), nil, { max_response_bytes = most }))
    end
    for _, most in ipairs { 4999, 30, 1 } do
      local _, err = answered(packed(text), nil, { max_response_bytes = most })
      assert.equal("too_large", err.kind)
    end
    -- As long as all of it may fit, however well it was compressed, it is unpacked in one go.
    local long = '"' .. ("a"):rep(999998) .. '"'
    assert.equal(999998, #answered(packed(long), nil, { max_response_bytes = 10 ^ 6 }))
    assert.equal("too_large", select(2, answered(packed(long .. " "), nil, { max_response_bytes = 10 ^ 6 })).kind)
  end)

  it("that is far larger than it looks does not make other calls late, and can be cancelled", function()
    local member = packed((" "):rep(2 ^ 20))
    -- Under valgrind it takes long over less.
    local body = member:rep(os.getenv "SUITE" == "valgrind" and 40 or 240)
    local server = assert(socket.bind("127.0.0.1", 0))
    local _, port = server:getsockname()
    local client = uipath.connect {
      organization = "acme", tenant = "T", base_url = "http://127.0.0.1:" .. port, access_token = "a", timeout = 60, max_attempts = 1,
    }
    server:settimeout(10)
    local large = client:start("GET", "odata/X")
    local connection = assert(server:accept())
    repeat until connection:receive "*l" == ""
    local late = client:start("GET", "odata/X", { timeout = 0.05 })
    connection:send(("HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: %d\r\n\r\n"):format(#body) .. body)
    -- Order tells it, on a slow machine and on a fast one: unpacking all takes more than ten times as
    -- long as the other call may. How little is unpacked at once is for spec/unit/transfer_test.c.
    assert.equal("timeout", select(2, late:wait()).kind)
    assert.is_false(large:done())
    large:cancel()
    local value, err = large:wait()
    assert.is_nil(value)
    assert.equal("cancelled", err.kind)
    connection:close()
    server:close()
  end)
end)

-- Whatever a server says in an error, telling of it costs no more than its bytes, harms no terminal or log, and shows no secret.

local assert = require "luassert"
local replies = require "spec.support.replies"
local tenant = require "spec.support.tenant"
local uipath = require "uipath"

local server

setup(function() server = replies.start() end)
teardown(function() server:stop() end)

local function error_of(answer, changes)
  server:answer(answer)
  local value, err = server:client(changes):post("odata/Anything", {})
  assert.is_nil(value)
  return err
end

describe("a quarter of a megabyte that was made to keep patterns busy", function()
  local function filled(piece) return piece:rep(math.floor(2 ^ 18 / #piece)) end

  local texts = {
    "<Message>", "<title", "<title>", "<", "<a ", "<m:message", "<Message><Code><RequestId>", "&#", "&lt", " ", "\n", "\194\133", "?",
      "?a=b&",
    "https://a/?", "Expect to have ", "a b ", '"password":', '"password" ', "client_secret=", "secret-", '"', "\\\"", "'", "a", "\255",
      "\0",
    "-", ".", "_", "client_secre",
    "eyJ", "eyJa.", "eyJ.", "rt_", "rt_0123456789",
  }
  for _, piece in ipairs(texts) do
    it(("%q"):format(piece) .. ", as a text, takes no longer than others", function()
      for _, status in ipairs { 400, 403 } do
        local body = (status == 403 and "<html>Expect to have token password secret " or "token password secret ") .. filled(piece)
        tenant.in_time(3 * tenant.SLOWER, function()
          return (tenant.timed(function()
            local err = error_of({ status = status, body = body, type = "text/html" }, { timeout = 60 * tenant.SLOWER })
            assert.equal(status, err.status)
            assert.is_true(#tostring(err) <= 2048)
          end))
        end)
      end
    end)
  end

  local documents = {
    messages = '{"message":"' .. filled "a " .. '"}',
    spaces = '{"message":"' .. filled " " .. '"}',
    lists = '{"errors":[' .. filled '"a",' .. '""]}',
    objects = "[" .. filled '{"code":"a","description":"b"},' .. "{}]",
    secrets = '{"message":"' .. filled "the-very-secret " .. '"}',
    almost = '{"message":"' .. filled "the-very-secre " .. '"}',
    depth = ('{"error":'):rep(900) .. '"x"' .. ("}"):rep(900),
  }
  local fields = {}
  for i = 1, 50000 do fields[i] = ('"f%d":["wrong"]'):format(50000 - i) end
  documents.fields = '{"errors":{' .. table.concat(fields, ",") .. "}}"
  for what, body in pairs(documents) do
    it("as JSON, " .. what .. ", neither", function()
      tenant.in_time(5 * tenant.SLOWER, function()
        return (tenant.timed(function()
          local err = error_of({ status = 400, body = body }, { access_token = "the-very-secret", timeout = 60 * tenant.SLOWER })
          assert.equal(400, err.status)
          assert.is_nil(tostring(err):find "very%-secret")
        end))
      end)
    end)
  end

  it("of header fields that come again and again, neither", function()
    local lines = ("x:abc\n"):rep(30000):gsub("\n$", ""):gsub("\n", "\r\n")
    tenant.in_time(3 * tenant.SLOWER, function()
      return (tenant.timed(function()
        local err = error_of { status = 403, type = false, headers = { lines } }
        assert.equal(30000 * 5 - 2, #err.headers.x)
      end))
    end)
  end)

  it("of a header field, neither", function()
    for _, piece in ipairs { "a=", "a", "a,", '"', " ", "Bearer " } do
      local err = error_of { status = 403, type = false, headers = { "WWW-Authenticate: " .. piece:rep(math.floor(100000 / #piece)) } }
      assert.equal("forbidden", err.kind)
    end
  end)
end)

describe("tostring of an error", function()
  local function expect_harmless(err)
    local line = tostring(err)
    assert.is_true(#line <= 2048, #line)
    assert.is_nil(line:find "%c")
    assert.is_nil(line:find "\194[\128-\159]")
    assert.is_nil(line:find "\226\128[\168-\174]")
    return line
  end

  it("is bounded, ends in whole characters, and keeps what to do", function()
    for _, word in ipairs { "x", "ü", "€", "😀" } do
      for shift = 0, 3 do
        local err = error_of { status = 400, body = '{"message":"' .. ("a"):rep(shift) .. word:rep(5000) .. '","errorCode":1101}' }
        local line = expect_harmless(err)
        assert.is_true(require("uipath").json.encode(line) ~= nil)
        assert.is_true(#line > 1500)
        assert.matches("give a folder", line)
      end
    end
  end)

  it("has no control characters, of either set", function()
    local said = "a\27[31m\\u001b[1m\\u0007b\\u0085c\\u009b2Jd\\u2028e\\u202ef\\u0000g"
    local line = expect_harmless(error_of { status = 400, body = said, type = "text/plain" })
    assert.is_truthy(line)
    line = expect_harmless(error_of { status = 400, body = '{"message":"' .. said:gsub("\27", "\\u001b") .. '"}' })
    assert.matches("a %[31m %[1m b c 2Jd e f g", line)
  end)

  it("is text, whatever the bytes", function()
    for _, bytes in ipairs { "M\252ller \155 2J", "\195", "\237\160\128", "\248\136\128\128\128", "a\0b" } do
      local line = expect_harmless(error_of { status = 400, body = bytes, type = "text/plain" })
      assert.is_true(uipath.json.encode(line) ~= nil, line)
    end
    assert.matches("M%?ller %? 2J", tostring(error_of { status = 400, body = "M\252ller \155 2J", type = "text/plain" }))
  end)

  it("is harmless, too, where its own Lua files are out of reach", function()
    server:answer { status = 400, body = "{}" }
    local output, status = tenant.run({ base_url = server.url, organization = "acme", tenant = "T", access_token = "a-token" }, [[
      package.path = ""
      local _, err = client:start("GET", "odata/X", { headers = { A = "b" } }):wait()
      err.message = ("a\27\194\155\n"):rep(1000)
      local line = tostring(err)
      print(#line <= 2048, line:find "%c" == nil, line:find "\194[\128-\159]" == nil, err.kind)
    ]])
    assert.same({ "true\ttrue\ttrue\trequest\n", 0 }, { output, status })
  end)
end)

describe("an error shows no secret", function()
  -- Everything that the value holds, keys too.
  local function all_of(value, parts, seen)
    parts, seen = parts or {}, seen or {}
    if type(value) ~= "table" then parts[#parts + 1] = tostring(value) return parts end
    if seen[value] then return parts end
    seen[value] = true
    parts[#parts + 1] = tostring(value)
    for key, each in pairs(value) do
      parts[#parts + 1] = tostring(key)
      all_of(each, parts, seen)
    end
    return parts
  end

  local function expect_hidden(err, secret)
    assert.is_nil(table.concat(all_of(err), "\n"):find(secret, 1, true))
  end

  it("that is one by its name", function()
    for _, name in ipairs { "client_secret", "clientSecret", "ClientSecret", "access_token", "refresh_token", "id_token", "password",
      "Password",
                            "CredentialPassword", "SecretValue", "client_assertion" } do
      local err = error_of { status = 400, body = ('{"message":"No","request":{"a":[{"%s":"hidden-word"}],"name":"seen"}}'):format(name) }
      expect_hidden(err, "hidden-word")
      assert.same({ "***", "seen" }, { err.body.request.a[1][name], err.body.request.name })
      err = error_of { status = 400, body = ('broken {"%s" : "hidden-word\\"hidden-word","name":"seen"'):format(name), type = "text/plain" }
      expect_hidden(err, "hidden-word")
      assert.matches('"name":"seen"', err.body, 1, true)
    end
    local err = error_of { status = 400, body = "a=1&client_secret=hidden-word&b=2; password=hidden-word", type = "text/plain" }
    expect_hidden(err, "hidden-word")
    assert.matches("a=1&client_secret=***&b=2", err.body, 1, true)
  end)

  it("that is one by its form", function()
    for _, token in ipairs { "eyJhbGciOiJub25lIn0.eyJzdWIiOiJ4In0.hidden-word_x", "rt_0123456789ABCDEF0123456789ABCDEF01" } do
      for _, body in ipairs { ('{"message":"No: %s.","a":["%s"]}'):format(token, token), "<html>Bearer " .. token .. "</html>", token } do
        expect_hidden(error_of { status = 400, body = body }, token:sub(-8))
      end
    end
    assert.equal("eyJ and rt_1 are short", error_of({ status = 400, body = "eyJ and rt_1 are short", type = "text/plain" }).body)
  end)

  it("but the words about one are seen", function()
    local err = error_of { status = 400,
      body = '{"title":"Not valid.","errors":{"Password":"It is too short.","ClientSecret":["Too long."]}}' }
    assert.equal("Not valid. ClientSecret: Too long. Password: It is too short.", err.message)
    err = error_of { status = 400, body = '{"message":"No","password":123456789}' }
    assert.equal("***", err.body.password)
  end)

  it("in the query of a signed address", function()
    local address = "https://a.example/c/b?sv=1&sig=hidden%2Bword&se=2"
    for _, each in ipairs { address, "http://b/c?X-Amz-Signature=hidden%2Bword", "https://c/d?a=b&Signature=hidden%2Bword&c" } do
      local err = error_of { status = 400, body = ('{"message":"See %s.","Uri":"%s","other":"http://x/?a=b"}'):format(each, each) }
      expect_hidden(err, "hidden%2Bword")
      assert.equal(each:match "^[^?]*" .. "?***", err.body.Uri)
      assert.equal("http://x/?a=b", err.body.other)
      err = error_of { status = 400, body = "<html><a href='" .. each .. "'>x</a> http://x/?a=b", type = "text/html" }
      expect_hidden(err, "hidden%2Bword")
      assert.matches("http://x/?a=b", err.body, 1, true)
      err = error_of { status = 302, type = false, headers = { "Location: " .. each } }
      expect_hidden(err, "hidden%2Bword")
    end
  end)

  it("that is the client's, in part either", function()
    for before = 1980, 2020 do
      local body = ('{"message":"%sthe-very-long-token"}'):format(("a"):rep(before))
      expect_hidden(error_of({ status = 400, body = body }, { access_token = "the-very-long-token" }), "the-v")
    end
  end)

  it("that is the client's, as a key either", function()
    local err = error_of { status = 400, body = '{"message":"No","echo":{"x-the-token-y":{"the-token":["the-token"]}}}' }
    assert.same({ ["x-the-token-y"] = { ["the-token"] = { "the-token" } } }, err.body.echo)
    err = error_of({ status = 400, body = '{"message":"No","echo":{"x-the-token-y":{"the-token":["the-token"]}}}' },
      { access_token = "the-token" })
    assert.same({ ["x-***-y"] = { ["***"] = { "***" } } }, err.body.echo)
  end)
end)

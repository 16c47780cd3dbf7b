-- Answers that are right in substance and odd in form: what gateways and services get wrong, and what each is taken for.

local assert = require "luassert"
local replies = require "spec.support.replies"
local uipath = require "uipath"

local server, client

setup(function()
  server = replies.start()
  client = server:client()
end)
teardown(function() server:stop() end)

describe("text/html whose body is JSON", function()
  it("is read as JSON", function()
    for _, kind in ipairs { "text/html", "text/html; charset=utf-8", "TEXT/HTML", "application/xhtml+xml" } do
      for body, value in pairs { ['{"value":[1]}'] = { value = { 1 } }, [' \r\n[1,2]'] = { 1, 2 }, ["17"] = 17, ['"a"'] = "a",
        ["true"] = true,
                                 ['\239\187\191{"a":1}'] = { a = 1 } } do
        server:answer { body = body, type = kind }
        assert.same(value, (client:get "odata/X"))
      end
    end
  end)

  it("with a status that is an error, too", function()
    server:answer { status = 400, body = ' {"message":"No.","errorCode":5}', type = "text/html" }
    local _, err = client:get "odata/X"
    assert.same({ "No.", 5 }, { err.message, err.code })
    assert.same({ message = "No.", errorCode = 5 }, err.body)
  end)

  it("and what is a page, or neither, is an error", function()
    for _, body in ipairs { "<html></html>", " <!DOCTYPE html>", "<p>{}", "OK then", '{"a":', "[object Object]" } do
      server:answer { body = body, type = "text/html" }
      local value, err = client:get "odata/X"
      assert.is_nil(value)
      assert.equal("decode", err.kind)
      assert.equal(body, err.body)
    end
  end)

  it("of another type stays a text", function()
    server:answer { body = '{"a":1}', type = "text/plain" }
    assert.equal('{"a":1}', (client:get "odata/X"))
  end)
end)

describe("304", function()
  it("is told as what it is", function()
    for _, headers in ipairs { {}, { "Location: /acme/T/orchestrator_/odata/Y" } } do
      server:answer { status = 304, type = false, headers = headers }
      server:requests()
      local value, err = client:get("odata/X", { headers = { ["If-None-Match"] = '"1"' } })
      assert.is_nil(value)
      assert.same({ "redirect", 304, "not modified", false }, { err.kind, err.status, err.message, err.retryable })
      assert.matches("304 not modified — the resource is as it was", tostring(err))
      assert.equal(1, #server:requests())
    end
  end)
end)

describe("the fields of a trailer", function()
  local HEAD = "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nX-A: head\r\nTransfer-Encoding: chunked\r\nConnection: close\r\n\r\n"

  it("are not in headers", function()
    server:answer_raw(HEAD .. '7\r\n{"a":1}\r\n0\r\nX-A: trailer\r\nX-B: trailer\r\nHTTP/1.1 500 Oops: 1\r\nRetry-After: 5\r\n\r\n')
    local value, response = assert(client:get "odata/X")
    assert.same({ a = 1 }, value)
    assert.equal(200, response.status)
    assert.equal("head", response.headers["x-a"])
    assert.is_nil(response.headers["X-B"])
    assert.is_nil(response.headers["Retry-After"])
  end)

  it("end", function()
    server:answer_raw(HEAD .. '7\r\n{"a":1}\r\n0\r\n' .. ("X-B: " .. ("x"):rep(1000) .. "\r\n"):rep(1000) .. "\r\n")
    local value, err = client:get "odata/X"
    assert.is_nil(value)
    assert.equal("too_large", err.kind)
    assert.equal("the response's headers do not end", err.message)
  end)

  it("leave alone the head behind a 100 or 103", function()
    server:answer_raw("HTTP/1.1 100 Continue\r\nX-B: no\r\n\r\nHTTP/1.1 103 Early Hints\r\nX-B: no\r\n\r\n" .. HEAD
      .. '7\r\n{"a":1}\r\n0\r\n\r\n')
    local _, response = assert(client:get "odata/X")
    assert.equal("head", response.headers["x-a"])
    assert.is_nil(response.headers["X-B"])
  end)
end)

describe("a field that comes again", function()
  it("is joined to one", function()
    server:answer { body = "{}", headers = { "X-A: 1", "x-a:", "X-B: b", "X-A:  2 ", "x-c: c", "X-A: 3" } }
    local _, response = assert(client:get "odata/X")
    assert.same({ "1, , 2, 3", "b", "c" }, { response.headers["X-A"], response.headers["x-b"], response.headers["X-C"] })
  end)
end)

describe("a token reply", function()
  it("may have its scopes as a list", function()
    server:answer { body = '{"access_token":"t","expires_in":3600,"scope":["OR.Jobs","OR.Folders.Read"]}' }
    local token = assert(server:client({ access_token = false, client_id = "scopes", client_secret = "as-a-list" }):token())
    assert.same({ "OR.Folders.Read", "OR.Jobs" }, (function() table.sort(token.scopes) return token.scopes end)())
  end)
end)

describe("a nextLink to our host by another scheme or port", function()
  it("is followed at the address that is ours", function()
    for _, link in ipairs { "https://127.0.0.1/acme/T/orchestrator_/odata/X?page=2",
      "http://127.0.0.1:1/acme/T/orchestrator_/odata/X?page=2" } do
      server:requests()
      server:answer { body = ('{"value":[{"Id":1}],"@odata.nextLink":"%s"}'):format(link) }
      local rows = {}
      for row in client:each "odata/X" do
        rows[#rows + 1] = row.Id
        server:answer { body = '{"value":[{"Id":2}]}' }
      end
      assert.same({ 1, 2 }, rows)
      local requests = server:requests()
      assert.matches("^GET /acme/T/orchestrator_/odata/X%?page=2 ", requests[2])
    end
  end)

  it("to another host is none that a token goes to", function()
    server:answer { body = '{"value":[{"Id":1}],"@odata.nextLink":"http://127.0.0.2/acme/T/orchestrator_/odata/X?page=2"}' }
    local ok, err = pcall(function() for _ in client:each "odata/X" do end end) -- luacheck: ignore 542
    assert.is_false(ok)
    assert.equal("usage", err.kind)
    assert.is_true(uipath.is_error(err))
  end)
end)

-- The server's own words come through, in whatever form a service, a framework, a gateway or a storage has them.

local assert = require "luassert"
local replies = require "spec.support.replies"

local server, client

setup(function()
  server = replies.start()
  client = server:client()
end)
teardown(function() server:stop() end)

local function error_of(answer, method)
  server:answer(answer)
  local value, err = client:request(method or "POST", "odata/Anything")
  assert.is_nil(value)
  return err
end

describe("the words of", function()
  -- what, body, message, code
  local rows = {
    { "an envelope with details", '{"message":"Your request is not valid!","errorCode":0,"success":false,"error":{"code":0,"message":"Your '
      .. 'request is not valid!","details":"Found:\\r\\n - The name is missing.\\r\\n","validationErrors":[{"message":"The name '
        .. 'is missing.",'
      .. '"members":["name"]}]},"__abp":true}', "Your request is not valid! Found:\r\n - The name is missing." },
    { "an envelope with validation errors alone",
      '{"message":"Not valid!","error":{"message":"Not valid!","details":null,"validationErrors":'
      .. '[{"message":"It is required.","members":["Reference"]},{"message":"Too long.","members":null}]}}',
      "Not valid! Reference: It is required.; Too long." },
    { "an envelope whose details say nothing", '{"message":"You are not authorized!","error":{"message":"You are not authorized!",'
      .. '"details":"You are not allowed to perform this operation."}}', "You are not authorized!" },
    { "a list of details", '{"message":"Validation failed","errorCode":1009,"details":[{"message":"It is required.","target":"Name"},'
      .. '{"message":"Name is too long.","target":"Name"}]}', "Validation failed: Name: It is required.; Name is too long.", 1009 },
    { "details with fields", '{"message":"No","details":{"Name":["a","b"],"Key":["c"]}}', "No: Key: c: Name: a; b" },
    { "an exception", '{"Message":"An error has occurred.","ExceptionMessage":"Skip needs an order.","ExceptionType":"System.X",'
      .. '"StackTrace":"at X"}', "An error has occurred. Skip needs an order." },
    { "an exception within one", '{"Message":"An error has occurred.","ExceptionMessage":"See the inner exception for details.",'
      .. '"InnerException":{"Message":"An error has occurred.","ExceptionMessage":"No disk."}}', "An error has occurred. No disk." },
    { "a route that is not there", '{"Message":"No resource was found.","MessageDetail":"No type has that name."}',
      "No resource was found. No type has that name." },
    { "a model's state", '{"Message":"The request is invalid.","ModelState":{"job.Name":["It is required."]}}',
      "The request is invalid. job.Name: It is required." },
    { "OData",
      '{"error":{"code":"","message":"An error has occurred.","innererror":{"message":"No such property.","type":"x","stacktrace":"y",'
      .. '"internalexception":{"message":"At place 5.","type":"z","stacktrace":""}}}}',
        "An error has occurred. No such property. At place 5." },
    { "OData with details", '{"error":{"code":"Bad","message":"Bad query","details":[{"code":"1","message":"No order","target":"$skip"}]}}',
      "Bad query: $skip: No order", "Bad" },
    { "OData of old", '{"odata.error":{"code":"5","message":{"lang":"en-US","value":"No such set."}}}', "No such set.", "5" },
    { "a list of errors", '[{"code":"DuplicateName","description":"The name is in use."},{"code":"Short","description":"Too short."}]',
      "The name is in use.; Too short.", "DuplicateName" },
    { "a list of texts", '["The name is in use.","Too short."]', "The name is in use.; Too short." },
    { "problem details", '{"type":"about:blank","title":"Not possible","status":400,"detail":"The queue is full."}',
      "Not possible: The queue is full." },
    { "problem details with fields", '{"title":"Not valid.","errors":{"b":["Second."],"a":["First.","Again."],"":["All."]}}',
      "Not valid. All. a: First.; Again. b: Second." },
    { "places in the request", '{"detail":[{"loc":["body","name"],"msg":"field required","type":"missing"}]}',
      "body.name: field required" },
    { "a plain detail", '{"detail":"Not here"}', "Not here" },
    { "several messages", '{"message":["One.","Two."]}', "One. Two." },
    { "errors by name", '{"errors":[{"propertyName":"Key","errorMessage":"It is empty."}]}', "Key: It is empty." },
    { "a refused bulk operation", '{"result":{"succeeded":false,"errors":[{"code":"InvalidUserName","description":"No such name."}]}}',
      "No such name.", "InvalidUserName" },
    { "OAuth", '{"error":"invalid_request","error_description":"No grant."}', "No grant.", "invalid_request" },
    { "an error as text", '{"error":"Entity not found"}', "Entity not found" },
    { "a gateway with a fault", '{"fault":{"faultstring":"Quota is used up","detail":{"errorcode":"policies.Quota"}}}',
      "Quota is used up" },
    { "a code alone", '{"errorCode":"itemNotFound"}', "itemNotFound", "itemNotFound" },
    { "what says the same twice", '{"message":"No.","error":{"message":"No.","details":"No."},"errors":["No."]}', "No." },
    { "several error messages", '{"errorMessages":["One.","Two."]}', "One.; Two." },
    { "nothing", '{"message":null,"error":{"message":"  ","details":[]},"errors":{}}', "bad request" },
  }
  for _, row in ipairs(rows) do
    it(row[1], function()
      local err = error_of { status = 400, body = row[2] }
      assert.same({ "request", row[3], row[4] }, { err.kind, (err.message:gsub("%s+$", "")), err.code })
    end)
  end

  local documents = {
    { "OData's XML",
      '<?xml version="1.0"?><m:error xmlns:m="urn:x"><m:code>Bad</m:code><m:message xml:lang="en">No &lt;order&gt;.</m:message>'
      .. "<m:innererror><m:message>At &#36;skip.</m:message></m:innererror></m:error>", "No <order>. At $skip.", "Bad" },
    { "XML of Web API", "<Error><Message>An error has occurred.</Message><ExceptionMessage>No disk.</ExceptionMessage></Error>",
      "An error has occurred. No disk." },
    { "a storage", '<?xml version="1.0"?><Error><Code>AuthenticationFailed</Code><Message>Not signed.\nRequestId:7</Message>'
      .. "<RequestId>abc</RequestId></Error>", "Not signed.\nRequestId:7", "AuthenticationFailed", "abc" },
    { "SOAP", "<s:Envelope><s:Body><s:Fault><faultcode>x</faultcode><faultstring>No action.</faultstring></s:Fault></s:Body></s:Envelope>",
      "No action." },
    { "XML with raw text", "<Error><Message><![CDATA[a < b & c]]></Message></Error>", "a < b & c" },
    { "a bare text in XML", '<string xmlns="urn:x">No queue.</string>', "No queue." },
    { "problem details in XML", "<problem><title>Not possible</title><detail>The queue is full.</detail></problem>",
      "Not possible: The queue is full." },
    { "a page without a title", "<html><body><h1>Request &amp; refusal</h1><p>x</p></body></html>", "Request & refusal" },
    { "a page", "<!DOCTYPE html><HTML><head><TITLE>Too busy</TITLE></head><body>x</body></HTML>", "Too busy" },
  }
  for _, row in ipairs(documents) do
    it(row[1], function()
      local err = error_of { status = 400, body = row[2], type = "application/xml" }
      assert.same({ row[3], row[4], row[5] }, { err.message, err.code, err.trace_id })
    end)
  end

  it("a short text", function() assert.equal("Go away.", error_of({ status = 400, body = "Go away.", type = "text/plain" }).message) end)

  it("a long text are its first line", function()
    local body = "\r\nUnhandled exception: no disk\r\n" .. ("  at Frame\n"):rep(1000)
    local err = error_of { status = 500, body = body, type = "text/plain" }
    assert.equal("Unhandled exception: no disk", err.message)
    assert.equal(body, err.body)
  end)

  it("an answer without any are those of the status", function()
    assert.equal("bad request", error_of({ status = 400, type = false }).message)
  end)
end)

describe("header fields that say why are read:", function()
  local challenge = 'WWW-Authenticate: Basic realm="a, b", Bearer realm="x" , error="insufficient_scope", '
    .. 'error_description="More is needed.", scope="OR.Assets OR.Jobs"'

  it("the challenge of a 403 without a body", function()
    local err = error_of { status = 403, type = false, headers = { challenge } }
    assert.same({ "forbidden", "More is needed.", "insufficient_scope" }, { err.kind, err.message, err.code })
    assert.matches("^needs OR.Assets and OR.Jobs;", err.hint)
  end)

  it("that of a 401", function()
    local err = error_of { status = 401, type = false, headers = {
      'WWW-Authenticate: Bearer error="invalid_token", error_description="The token expired at 10:00"' } }
    assert.same({ "auth", "The token expired at 10:00", "invalid_token" }, { err.kind, err.message, err.code })
    assert.matches("access_token has expired", err.hint)
  end)

  it("and of a 401 the scopes that it wants", function()
    local err = error_of { status = 401, type = false,
      headers = { 'WWW-Authenticate: Bearer error="insufficient_scope", scope="OR.A OR.B"' } }
    assert.matches("^needs OR.A and OR.B; ", err.hint)
  end)

  it("beside the body's words", function()
    local err = error_of { status = 403, body = '{"message":"No.","errorCode":3}', headers = { challenge } }
    assert.same({ "No. More is needed.", 3 }, { err.message, err.code })
  end)

  it("the methods that a path takes", function()
    assert.equal("this path takes GET, POST", error_of({ status = 405, body = "{}", headers = { "Allow: GET, POST" } }, "PUT").hint)
  end)

  it("a storage's code", function()
    assert.equal("AuthenticationFailed", error_of({ status = 403, type = false,
      headers = { "x-ms-error-code: AuthenticationFailed" } }).code)
  end)

  it("and what is broken does no harm", function()
    for _, field in ipairs { "Bearer", "", '"', "=", "Bearer error=", 'Bearer error="x', "Bearer ,,, a=b=c", ("a=,"):rep(5000),
      "Bearer \128=\255" } do
      local err = error_of { status = 403, type = false, headers = { "WWW-Authenticate: " .. field } }
      assert.equal("forbidden", err.kind)
    end
  end)
end)

describe("what another than the service says", function()
  local PAGE = "<!DOCTYPE html><html><head><title>Access denied</title></head><body>Blocked. Ray ID: 1</body></html>"

  it("is told from what the service says", function()
    for _, body in ipairs { PAGE, "\239\187\191 \r\n<html><body>No</body></html>", "error code: 1020" } do
      local err = error_of({ status = 403, body = body, type = "text/html", headers = { "Server: shield" } }, "GET")
      assert.matches("not the service's own answer", err.hint)
      assert.matches("(Server: shield)", err.hint, 1, true)
      assert.is_nil(err.hint:find "role")
      assert.is_nil(err.hint:find "scope")
    end
    for field, bodies in pairs {
      ["Server: AkamaiGHost"] = { "", PAGE }, ["Server: awselb/2.0"] = { "", PAGE }, ["Server: FortiWeb"] = { "", PAGE },
      ["cf-mitigated: challenge"] = { "", '{"message":"Forbidden"}' },
      ["X-Squid-Error: ERR_ACCESS_DENIED 0"] = { "", '{"message":"Forbidden"}' },
    } do
      for _, body in ipairs(bodies) do
        local err = error_of({ status = 403, body = body, headers = { field } }, "GET")
        assert.matches("not the service's own answer", err.hint)
      end
    end
    assert.matches("sign%-in of its own", error_of({ status = 511, body = PAGE, type = "text/html" }).hint)
    assert.equal("Access denied", error_of({ status = 403, body = PAGE, type = "text/html" }).message)
    assert.matches("not the service's own", error_of({ status = 401, body = PAGE, type = "text/html" }).hint)
    assert.matches("not the service's own", error_of({ status = 413, body = PAGE, type = "text/html" }).hint)
  end)

  it("and what the service says is the service's", function()
    for _, answer in ipairs { { body = '{"message":"You are not authorized!"}', headers = { "Server: cloudflare" } }, { type = false },
      { body = '{"message":"You are not authorized!","errorCode":0}', headers = { "Server: FortiWeb" } },
      { body = '"No."' },
                              { body = "<m:error xmlns:m='x'><m:message>No.</m:message></m:error>", type = "application/xml" } } do
      answer.status = 403
      assert.matches("role", error_of(answer, "GET").hint)
    end
  end)

  it("does not hide that a path is gone, or misspelt", function()
    server:answer { status = 404, body = PAGE, type = "text/html" }
    for path, word in pairs { ["odata/Alerts"] = "removed", ["odata/Machine"] = "did you mean", ["odata/x/y"] = "check base_url" } do
      local _, err = client:get(path)
      assert.is_truthy(err.hint:find(word, 1, true), path .. ": " .. tostring(err.hint))
    end
  end)

  it("is a storage where it is one", function()
    local err = error_of { status = 403, body = "<Error><Code>AccessDenied</Code><Message>Expired</Message></Error>",
      type = "application/xml" }
    assert.matches("the storage refuses it", err.hint)
  end)

  it("is a gateway that wants another way of signing in", function()
    local err = error_of { status = 401, body = PAGE, type = "text/html", headers = { "WWW-Authenticate: Negotiate",
      "WWW-Authenticate: NTLM" } }
    assert.matches("asks for Negotiate, NTLM, and not for a token", err.hint)
  end)

  it("is a proxy, with the methods that it offers", function()
    local tunnel = server:client { base_url = "https://elsewhere.example", proxy = server.url }
    local fields = { { "Negotiate", 'Basic realm="p"' }, { "NTLM", "Negotiate" }, { 'Basic realm="p"' } }
    for index, wanted in ipairs { "(it offers %s)", "asks for %s, which is not known here: only Basic is", "(it offers %s)" } do
      local lines, names = {}, {}
      for i, field in ipairs(fields[index]) do lines[i], names[i] = "Proxy-Authenticate: " .. field, field:match "^%S+" end
      local err = error_of { status = 407, type = false, headers = lines }
      assert.is_truthy(err.hint:find(wanted:format(table.concat(names, ", ")), 1, true), err.hint)
      err = select(2, tunnel:get "odata/X")
      assert.equal("network", err.kind)
      for _, name in ipairs(names) do assert.is_truthy(err.hint:find(name, 1, true), err.hint) end
      assert.equal(wanted:find "only Basic" ~= nil, err.hint:find "only Basic" ~= nil)
    end
    server:answer { status = 502, type = false }
    assert.matches("could not make the connection", select(2, tunnel:get "odata/X").hint)
    server:answer { status = 403, type = false }
    assert.matches("does not allow", select(2, tunnel:get "odata/X").hint)
  end)
end)

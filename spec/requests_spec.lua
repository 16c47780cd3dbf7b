-- What goes over the wire for what a caller asks, and what comes back: every option of a call and of a client that has to do with it.

local assert = require "luassert"
local tenant = require "spec.support.tenant"
local uipath = require "uipath"

local sandbox, client

setup(function()
  sandbox = assert(require("uipath.sandbox").start({ tls = true }))
  client = uipath.connect(tenant.fault_options(sandbox))
end)
teardown(function() sandbox:stop() end)

local function connect(changes)
  return uipath.connect(tenant.fault_options(sandbox, changes))
end

-- A path with an echo at its end, for paths that mean something.
local ECHO = "fault/echo"

describe("the query of a call", function()
  -- options, query on odata/… paths, query elsewhere; false: the same without `$`
  local rows = {
    { { filter = "Name eq 'a b'" }, "$filter=Name%20eq%20%27a%20b%27", false },
    { { filter = { "Name eq ? and Id gt ?", "O'B", 5 } }, "$filter=Name%20eq%20%27O%27%27B%27%20and%20Id%20gt%205", false },
    { { select = "Id" }, "$select=Id", false },
    { { select = { "Id", "Name" } }, "$select=Id%2CName", false },
    { { expand = { "Robot", "Release" } }, "$expand=Robot%2CRelease", false },
    { { orderby = { "Name desc", "Id" } }, "$orderby=Name%20desc%2CId", false },
    { { top = 5 }, "$top=5", false },
    { { skip = 10.0 }, "$skip=10", false },
    { { count = true }, "$count=true", false },
    { { search = "ü" }, "$search=%C3%BC", false },
    { { apply = "groupby((State))" }, "$apply=groupby%28%28State%29%29", false },
    { { ["$top"] = 5 }, "$top=5", "$top=5" },
    { { ["$levels"] = { "a", "b" } }, "$levels=a%2Cb", "$levels=a%2Cb" },
    { { query = { sortOrder = "asc" } }, "sortOrder=asc", "sortOrder=asc" },
    { { query = { a = true } }, "a=true", "a=true" },
    { { query = { n = 2 ^ 53 } }, "n=9007199254740992", "n=9007199254740992" },
    { { query = { from = uipath.odata.date(0) } }, "from=1970-01-01T00%3A00%3A00Z", "from=1970-01-01T00%3A00%3A00Z" },
    { { query = { states = { uipath.odata.enum "Faulted", "Running" } } }, "states=Faulted%2CRunning", "states=Faulted%2CRunning" },
    { { query = { n = 0.5 } }, "n=0.5", "n=0.5" },
    { { query = { l = { 1, "b" } } }, "l=1%2Cb", "l=1%2Cb" },
    { { query = { ["a b&"] = "+#%" } }, "a%20b%26=%2B%23%25", "a%20b%26=%2B%23%25" },
  }
  for index, row in ipairs(rows) do
    it("is " .. row[2] .. " of row " .. index, function()
      local echo = assert(client:get("odata/" .. ECHO, row[1]))
      assert.equal("/acme/T/orchestrator_/odata/fault/echo?" .. row[2], echo.uri)
      echo = assert(client:get("testmanager_/api/v2/" .. ECHO, row[1]))
      assert.equal("/acme/T/testmanager_/api/v2/fault/echo?" .. (row[3] or row[2]:sub(2)), echo.uri)
    end)
  end

  it("has its $ where Orchestrator's OData is named as the cloud's older URLs do, without a service", function()
    for _, path in ipairs { "acme/T/odata/", "/acme/T/odata/", sandbox.fault_url .. "/acme/U/odata/" } do
      local echo = assert(client:get(path .. ECHO, { select = "Id", top = 5 }))
      assert.equal("/" .. path:match "acme/.*" .. "fault/echo?$select=Id&$top=5", echo.uri)
    end
    assert.equal("/acme/T/api/fault/echo?top=5", assert(client:get("acme/T/api/" .. ECHO, { top = 5 })).uri)
  end)

  it("comes after that of the path, and gives nothing twice", function()
    assert.equal("/acme/T/orchestrator_/odata/fault/echo?$skip=1&x=%20&$top=2",
      assert(client:get("odata/" .. ECHO .. "?$skip=1&x=%20", { top = 2 })).uri)
    for path, options in pairs {
      ["odata/X?$top=1"] = { top = 2 }, ["odata/X?top=1"] = { top = 2 }, ["odata/X?%24top=1"] = { ["$top"] = 2 },
      ["odata/X?a=1"] = { query = { a = 2 } }, ["odata/X"] = { top = 1, ["$top"] = 1 }, ["odata/Y"] = { top = 1, query = { ["$top"] = 1 } },
    } do
      local ok, message = pcall(client.get, client, path, options)
      assert.is_false(ok, path)
      assert.matches("twice", message)
    end
  end)

  it("names what is wrong, and the type that it got", function()
    for _, case in ipairs {
      { { query = { from = {} } }, "query.from is an empty list" },
      { { query = { from = print } }, "query.from must be a string, number or boolean, got function" },
      { { query = { from = { {} } } }, "query.from must hold strings and finite numbers only, got table" },
      { { query = { from = uipath.null } }, "query.from must be a string, number or boolean, got userdata" },
      { { headers = { A = {} } }, "the header A must be a string, got table" },
      { { filter = { "a eq ?" } }, "1 '?' outside quotes, but 0 values" },
      { { filter = { "a eq 1", 1 } }, "0 '?' outside quotes, but 1 value" }, { 5, "the options must be a table, got number" },
    } do
      local ok, message = pcall(client.get, client, "odata/X", case[1])
      assert.is_false(ok)
      assert.is_truthy(message:find(case[2], 1, true), message)
    end
    local ok, message = pcall(client.get, client)
    assert.is_false(ok)
    assert.is_truthy(message:find("the path must be a string, got nil", 1, true), message)
  end)
end)

describe("the address of a call", function()
  local BASE, GUID = "http://127.0.0.1", "11111111-2222-3333-4444-555555555555"
  -- options, path, level, what is asked for
  local rows = {
    { {}, "odata/fault/echo", nil, "/acme/T/orchestrator_/odata/fault/echo" },
    { {}, "/api/fault/echo", nil, "/acme/T/orchestrator_/api/fault/echo" },
    { {}, "testmanager_/fault/echo", nil, "/acme/T/testmanager_/fault/echo" },
    { {}, "identity_/api/fault/echo", nil, "/acme/identity_/api/fault/echo" },
    { {}, "portal_/fault/echo", nil, "/acme/portal_/fault/echo" },
    { {}, "orgaudit_/fault/echo", nil, "/acme/orgaudit_/fault/echo" },
    { {}, "lrm/fault/echo", nil, "/acme/lrm/fault/echo" },
    { {}, "new_/fault/echo", "organization", "/acme/new_/fault/echo" },
    { {}, "portal_/fault/echo", "tenant", "/acme/T/portal_/fault/echo" },
    { {}, "acme/T/du_/fault/echo", nil, "/acme/T/du_/fault/echo" },
    { {}, "a b/ü/fault/echo", nil, "/acme/T/orchestrator_/a%20b/%C3%BC/fault/echo" },
    { {}, "a%2Fb/fault/echo", nil, "/acme/T/orchestrator_/a%2Fb/fault/echo" },
    { { deployment = "suite" }, "odata/fault/echo", nil, "/acme/T/orchestrator_/odata/fault/echo" },
    { { deployment = "suite" }, "identity_/api/fault/echo", nil, "/identity_/api/fault/echo" },
    { { deployment = "standalone" }, "odata/fault/echo", nil, "/odata/fault/echo" },
    { { deployment = "standalone" }, "identity_/api/fault/echo", nil, "/identity/api/fault/echo" },
    { { organization = "a b", tenant = GUID }, "odata/fault/echo", nil, "/a%20b/" .. GUID .. "/orchestrator_/odata/fault/echo" },
  }
  for _, row in ipairs(rows) do
    it(("%s is %s%s"):format(row[2], row[4], row[1].deployment and " with deployment " .. row[1].deployment or ""), function()
      local echo, response = assert(connect(row[1]):get(row[2], { level = row[3] }))
      assert.equal(row[4], echo.uri)
      assert.equal(sandbox.fault_url .. row[4], response.url)
    end)
  end

  it("may be a whole URL of the same origin, and of no other", function()
    assert.equal("/x/fault/echo", assert(client:get(sandbox.fault_url .. "/x/fault/echo")).uri)
    local identity = connect { identity_url = sandbox.http_url .. "/identity_" }
    assert.equal(404, select(2, identity:get(sandbox.http_url .. "/identity_/api/X")).status)
    local https = sandbox.fault_url:gsub("^http", "https")
    for _, url in ipairs { BASE .. ":1/x", sandbox.http_url .. "/x", https .. "/x", "http://example.com/x" } do
      local value, err = client:get(url)
      assert.is_nil(value)
      assert.equal("usage", err.kind)
    end
  end)

  it("of the tenant is a header on premises", function()
    assert.equal("T", assert(connect({ deployment = "standalone" }):get(ECHO)).headers["x-uipath-tenantname"])
    assert.equal("M%C3%BCller", assert(connect({ deployment = "standalone", tenant = "Müller" }):get(ECHO)).headers["x-uipath-tenantname"])
    assert.is_nil(assert(client:get(ECHO)).headers["x-uipath-tenantname"])
  end)

  it("needs a tenant for services of tenants only", function()
    local without = connect { tenant = false }
    assert(without:get("identity_/" .. ECHO))
    local value, err = without:get(ECHO)
    assert.is_nil(value)
    assert.equal("usage", err.kind)
    assert.matches("tenant", err.message)
  end)

  it("of the token endpoint follows from the deployment, or is identity_url's", function()
    local credentials = { access_token = false, client_id = sandbox.options.client_id, client_secret = sandbox.options.client_secret }
    for deployment, path in pairs { cloud = "/acme/identity_", suite = "/identity_", standalone = "/identity" } do
      local changes = { deployment = deployment }
      for name, value in pairs(credentials) do changes[name] = value end
      tenant.control(sandbox, "POST reset")
      connect(changes):token()
      assert.equal(1, tenant.count(sandbox, path .. "/connect/token"), deployment)
    end
  end)
end)

describe("the folder of a call", function()
  local GUID = "11111111-2222-3333-4444-555555555555"
  local function folder_headers(echo)
    local found = {}
    for name, value in pairs(echo.headers) do
      if name:find "^x%-uipath%-" then found[name:sub(10)] = value end
    end
    return found
  end
  -- folder, the headers that it becomes
  local rows = {
    { 17, { organizationunitid = "17" } },
    { GUID, { folderkey = GUID } },
    { "Shared/Finance", { folderpath = "Shared/Finance" } },
    { "Shared/", { folderpath = "Shared" } },
    { "Größe", { ["folderpath-encoded"] = "RwByAPYA3wBlAA==" } },
    { "/Shared", { ["folderpath-encoded"] = "LwBTAGgAYQByAGUAZAA=" } },
  }
  for _, row in ipairs(rows) do
    it("is a header for " .. row[1] .. ", given with the call or the client", function()
      assert.same(row[2], folder_headers(assert(client:get(ECHO, { folder = row[1] }))))
      assert.same(row[2], folder_headers(assert(client:folder(row[1]):get(ECHO))))
      assert.same(row[2], folder_headers(assert(connect({ folder = row[1] }):get(ECHO))))
      assert.same(row[2], folder_headers(assert(connect({ folder = 5 }):get(ECHO, { folder = row[1] }))))
    end)
  end

  it("is none where false unsets it", function()
    local other = client:folder(5)
    assert.same({}, folder_headers(assert(other:get(ECHO, { folder = false }))))
    assert.same({}, folder_headers(assert(other:folder(false):get(ECHO))))
    assert.same({ organizationunitid = "5" }, folder_headers(assert(other:get(ECHO))))
  end)
end)

describe("the headers of a call", function()
  it("are what the client needs, and the caller's own", function()
    local headers = assert(client:get(ECHO, { headers = { ["X-Own"] = "a b", ["X-Number"] = 5, ["X-Empty"] = "" } })).headers
    assert.equal("Bearer a-fixed-token", headers.authorization)
    assert.equal("application/json", headers.accept)
    assert.matches("^lua%-uipath/", headers["user-agent"])
    assert.matches("gzip", headers["accept-encoding"])
    assert.equal("a b", headers["x-own"])
    assert.equal("5", headers["x-number"])
    assert.equal("", headers["x-empty"])
    assert.is_nil(headers["content-type"])
    assert.is_nil(headers.expect)
  end)

  it("may be the caller's where the client has a default", function()
    local headers = assert(client:get(ECHO, { headers = { accept = "text/csv", ["User-Agent"] = "mine" } })).headers
    assert.equal("text/csv", headers.accept)
    assert.equal("mine", headers["user-agent"])
  end)
end)

describe("the body of a call", function()
  local function file_with(text)
    local name = os.tmpname()
    local file = assert(io.open(name, "wb"))
    file:write(text)
    file:close()
    return name
  end

  for _, method in ipairs { "post", "put", "patch" } do
    it("of " .. method .. " is a table as JSON, or a string as it is", function()
      local echo = assert(client[method](client, ECHO, { a = 1, list = uipath.array {} }))
      assert.equal(method:upper(), echo.method)
      assert.equal("application/json", echo.headers["content-type"])
      assert.same({ a = 1, list = {} }, (assert(uipath.json.decode(echo.body))))
      echo = assert(client[method](client, ECHO, "a,b\n\0", { headers = { ["content-type"] = "text/csv" } }))
      assert.equal("text/csv", echo.headers["content-type"])
      assert.equal("a,b\n\0", echo.body)
      echo = assert(client[method](client, ECHO, "{}"))
      assert.equal("application/json", echo.headers["content-type"])
    end)

    it("of " .. method .. " may be nothing, and says so", function()
      local echo = assert(client[method](client, ECHO))
      assert.equal("", echo.body)
      assert.equal("0", echo.headers["content-length"])
      assert.is_nil(echo.headers["content-type"])
    end)
  end

  it("goes into the options with request, delete and start", function()
    assert.equal("[1]", assert(client:request("put", ECHO, { body = { 1 } })).body)
    assert.equal("[1]", assert(client:delete(ECHO, { body = { 1 } })).body)
    assert.equal("[1]", assert(client:start("patch", ECHO, { body = { 1 } }):wait()).body)
    assert.equal("", assert(client:delete(ECHO)).body)
  end)

  it("may be a file, streamed, with its length announced", function()
    local name = file_with(("x"):rep(200000))
    local echo = assert(client:put(ECHO, uipath.file(name)))
    assert.equal("200000", echo.headers["content-length"])
    assert.equal("application/octet-stream", echo.headers["content-type"])
    assert.equal(("x"):rep(200000), echo.body)
    echo = assert(client:post(ECHO, uipath.file(name, { content_type = "text/plain" })))
    assert.equal("text/plain", echo.headers["content-type"])
    assert.equal(2, select(2, assert(client:put("fault/first/1/" .. tenant.new_key() .. "/status/503/0", uipath.file(name),
      { max_attempts = 2 }))).attempts)
    os.remove(name)
  end)

  it("that is a file which cannot be read is an error of kind file, before anything is sent", function()
    for _, path in ipairs { "/nonexistent/file", "/" } do
      for _, body in ipairs { uipath.file(path), uipath.multipart { a = uipath.file(path) } } do
        local value, err = client:post(ECHO, body)
        assert.is_nil(value)
        assert.equal("file", err.kind)
        assert.is_truthy(err.message:find(path, 1, true))
        assert.is_false(err.retryable)
      end
    end
  end)

  it("may be multipart/form-data", function()
    local name = file_with "the file"
    local echo = assert(client:post(ECHO, uipath.multipart {
      { name = "first", value = "1" },
      { name = "file", value = uipath.file(name, { filename = "a.nupkg", content_type = "application/zip" }) },
    }))
    local boundary = echo.headers["content-type"]:match "^multipart/form%-data; boundary=(%S+)$"
    assert.is_string(boundary)
    local expected = table.concat({
      "--" .. boundary, 'Content-Disposition: form-data; name="first"', "", "1",
      "--" .. boundary, 'Content-Disposition: form-data; name="file"; filename="a.nupkg"', "Content-Type: application/zip", "", "the file",
      "--" .. boundary .. "--", "",
    }, "\r\n")
    assert.equal(expected, echo.body)
    os.remove(name)
  end)
end)

describe("the value of a call", function()
  it("is what the body is", function()
    assert.same({ value = { { Id = 1, Name = "one" }, { Id = 2, Name = "two" } } }, (assert(client:get "fault/ok")))
    assert.equal(17, (assert(client:get "fault/scalar/17")))
    assert.equal("a", (assert(client:get 'fault/scalar/"a"')))
    assert.is_false((client:get "fault/scalar/false"))
    assert.equal(uipath.null, (assert(client:get "fault/scalar/null")))
    assert.equal("plain text\n", (assert(client:get "fault/text")))
    assert.equal(1000, #(assert(client:get "fault/bytes/1000")))
    assert.is_true((assert(client:get "fault/no_content")))
    assert.is_true((assert(client:get "fault/empty")))
    assert.is_true((assert(client:request("HEAD", "fault/ok"))))
    assert.same({ value = { { Id = 1, Name = "one" }, { Id = 2, Name = "two" } } }, (assert(client:get "fault/informational")))
  end)

  it("has its nulls as the client says", function()
    local text = 'fault/scalar/{"a":null,"b":[null]}'
    assert.same({ a = uipath.null, b = { uipath.null } }, (assert(client:get(text))))
    assert.same({ b = { uipath.null } }, (assert(client:with({ nulls = "drop" }):get(text))))
  end)
end)

describe("the response of a call", function()
  it("has status, headers, url, attempts, elapsed and http_version", function()
    local elapsed, response = tenant.in_time(0.1 + tenant.LATE, function()
      local _, response = assert(client:get("fault/slow/0.1", { query = { a = 1 } }))
      return response.elapsed, response
    end)
    assert.equal(200, response.status)
    assert.equal("application/json; charset=utf-8", response.headers["CONTENT-type"])
    assert.is_nil(response.headers["X-Not-There"])
    assert.equal(sandbox.fault_url .. "/acme/T/orchestrator_/fault/slow/0.1?a=1", response.url)
    assert.equal(1, response.attempts)
    assert.is_true(elapsed >= 0.099 and elapsed < 0.1 + tenant.LATE, elapsed)
    assert.equal("1.1", response.http_version)
    assert.equal("2", select(2, assert(uipath.connect(sandbox.options):get("odata/Machines", { top = 1 }))).http_version)
    assert.equal(204, select(2, assert(client:get "fault/no_content")).status)
  end)
end)

describe("a client", function()
  it("trusts the authorities of ca_file, of ca_dir, or of the environment", function()
    local directory = tenant.shell "mktemp -d":match "%S+"
    tenant.shell(("sh -c 'cp %s %s/$(openssl x509 -hash -noout -in %s).0'"):format(
      sandbox.ca_file, directory, sandbox.ca_file))
    assert(uipath.connect(tenant.options(sandbox, { ca_file = false, ca_dir = directory })):get("odata/Machines", { top = 1 }))
    local program = [[print(client:get("odata/Machines", { top = 1 }) and "trusted")]]
    local given = tenant.options(sandbox, { ca_file = false })
    for variable, value in pairs { SSL_CERT_FILE = sandbox.ca_file, SSL_CERT_DIR = directory } do
      assert.equal("trusted\n", tenant.shell(("env %s=%s %s"):format(variable, value, tenant.command(given, program))))
    end
    os.execute("rm -r " .. directory)
  end)

  it("that is given certificates that cannot be read says so", function()
    local empty = tenant.shell "mktemp -d":match "%S+"
    local hints = {
      [{ ca_file = "/nonexistent.pem" }] = "ca_file (or SSL_CERT_FILE) No such file or directory: /nonexistent.pem",
      [{ ca_file = "/dev/null" }] = "ca_file (or SSL_CERT_FILE) holds no PEM certificates: /dev/null",
      [{ ca_file = false, ca_dir = "/nonexistent:" .. empty }] = "ca_dir (or SSL_CERT_DIR) is no directory of certificates "
        .. "under their hashes, as `openssl rehash` makes them: /nonexistent:" .. empty,
    }
    for changes, hint in pairs(hints) do
      changes.max_attempts = 4
      local _, err = uipath.connect(tenant.options(sandbox, changes)):get "odata/Machines"
      assert.equal("network", err.kind)
      assert.equal(hint, err.hint)
      assert.is_false(err.retryable)
    end
    os.execute("rmdir " .. empty)
    local output = tenant.shell("env SSL_CERT_DIR=/nowhere " .. tenant.command(tenant.options(sandbox, { ca_file = false }),
      "print(select(2, client:get 'odata/Machines').hint)"))
    assert.matches("SSL_CERT_DIR.*: /nowhere", output)
  end)

  it("gives up a connection after connect_timeout, and tries again", function()
    local silent = tenant.proxy(1, "stall")
    local most = 0.9 + 2 * tenant.LATE
    local impatient = connect {
      base_url = "https://127.0.0.1:" .. silent.port, connect_timeout = 0.2, max_attempts = 2,
    }
    local seconds = tenant.in_time(most, function()
      local taken, value, err = tenant.timed(impatient.get, impatient, "odata/X")
      assert.is_nil(value)
      assert.equal("network", err.kind)
      assert.equal(2, err.attempts)
      assert.is_true(err.retryable)
      assert.is_true(taken > 0.4, taken)
      return taken
    end)
    silent.stop()
    assert.is_true(seconds < most, seconds)
  end)

  it("made by client:with shares connections and tokens, and differs in what is named", function()
    tenant.control(sandbox, "POST reset")
    local output = tenant.run(tenant.options(sandbox, { base_url = sandbox.http_url }), [[
      assert(client:get("odata/Machines", { top = 1 }))
      local other = client:with{ timeout = 5, folder = "Shared" }
      assert(other:get("odata/Jobs", { top = 1 }))
      local _, err = client:get("odata/Jobs", { top = 1 })
      print(err.code, other)
    ]])
    assert.matches("^1101\tuipath.client %(acme/DefaultTenant at http://127.0.0.1:%d+, folder Shared%)\n$", output)
    local counters = tenant.control(sandbox, "GET counters")
    assert.same({ 1, 1 }, { counters.token_requests, counters.connections })
  end)
end)

-- What the options of uipath.connect and client:with may be.

local support = require "spec.support.options"
local connect, expect, expect_raise = support.connect, support.expect, support.expect_raise

local complete = { UIPATH_ORGANIZATION = "acme", UIPATH_PAT = "token" }

describe("uipath.connect", function()
  it("fills in the defaults", function()
    local resolved = assert(support.resolve
      "uipath.connect{ organization = 'acme', client_id = 'i', client_secret = 's' }")
    assert.same({
      organization = "acme", client_id = "i", client_secret = "s",
      base_url = "https://cloud.uipath.com", deployment = "cloud", nulls = "keep", insecure = "false",
      timeout = "100", connect_timeout = "10", max_attempts = "4", max_response_bytes = "268435456",
      prefetch = "4", no_proxy = "localhost,127.0.0.0/8,127.0.0.1,::1",
    }, resolved)
  end)

  it("reads all of it from the environment when called without options", function()
    expect({ organization = "acme", access_token = "token" }, "uipath.connect()", complete)
    expect({ organization = "acme", access_token = "token" }, "uipath.connect(nil)", complete)
  end)

  describe("takes", function()
    local rows = {
      { "organization = 'a b'", "organization", "a b" },
      { "tenant = 'DefaultTenant'", "tenant", "DefaultTenant" },
      { "base_url = 'https://uipath.example/prefix//'", "base_url", "https://uipath.example/prefix" },
      { "base_url = 'http://127.0.0.1:8080'", "base_url", "http://127.0.0.1:8080" },
      { "base_url = 'http://localhost'", "base_url", "http://localhost" },
      { "base_url = 'http://uipath.example', insecure = true", "base_url", "http://uipath.example" },
      { "identity_url = 'https://id.example/'", "identity_url", "https://id.example" },
      { "deployment = 'suite'", "deployment", "suite" },
      { "access_token = function() end", "access_token", "function" },
      { "scope = '  OR.Jobs   OR.Machines.Read '", "scope", "OR.Jobs OR.Machines.Read" },
      { "scope = { 'OR.Jobs', 'OR.Read OR.Assets' }", "scope", "OR.Jobs OR.Read OR.Assets" },
      { "scope = ''", "scope", nil },
      { "scope = {}", "scope", nil },
      { "folder = 5", "folder", "5" },
      { "folder = 'Größe'", "folder", "Größe" },
      { "timeout = 0.5", "timeout", "0.5" },
      { "timeout = 1e6", "timeout", "1000000" },
      { "connect_timeout = 3", "connect_timeout", "3" },
      { "max_attempts = 1", "max_attempts", "1" },
      { "max_response_bytes = 2^40", "max_response_bytes", "1099511627776" },
      { "prefetch = 8", "prefetch", "8" },
      { "ca_file = '/a.pem', ca_dir = '/b'", "ca_file", "/a.pem" },
      { "ca_file = '/a.pem', ca_dir = '/b'", "ca_dir", "/b" },
      { "proxy = 'http://user:pass@proxy.example:3128'", "proxy", "http://user:pass@proxy.example:3128" },
      { "insecure = true", "insecure", "true" },
      { "nulls = 'drop'", "nulls", "drop" },
      { "on_event = print", "on_event", "function" },
    }
    for _, row in ipairs(rows) do
      it(row[1], function() expect({ [row[2]] = row[3] or false }, connect(row[1])) end)
    end
  end)

  describe("raises on", function()
    local control = "must not contain control characters"
    local rows = {
      -- names
      { "fodler = 'x'", "unknown option 'fodler' (did you mean 'folder'?)" },
      { "clientId = 'x'", "unknown option 'clientId' (did you mean 'client_id'?)" },
      { "client_secrets = 's3cr3t'", "unknown option 'client_secrets' (did you mean 'client_secret'?)" },
      { "max_atempts = 3", "unknown option 'max_atempts' (did you mean 'max_attempts'?)" },
      { "TIMEOUT = 3", "unknown option 'TIMEOUT' (did you mean 'timeout'?)" },
      { "secret = 's3cr3t'", "unknown option 'secret' (did you mean 'client_secret'?)" },
      { "deploy = 'suite'", "unknown option 'deploy' (did you mean 'deployment'?)" },
      { "max_bytes = 5", "unknown option 'max_bytes' (did you mean 'max_response_bytes'?)" },
      { "timeout_ms = 5", "unknown option 'timeout_ms' (did you mean 'timeout'?)" },
      { "colour = 5", "unknown option 'colour'" },
      { "url = 'x'", "unknown option 'url' (did you mean 'base_url'?)" },
      { "Response_Bytes = 5", "unknown option 'Response_Bytes' (did you mean 'max_response_bytes'?)" },
      { "ponse = 5", "unknown option 'ponse'" },
      { "no_proxy = 'x'", "unknown option 'no_proxy'" },
      { "colour = 'red'", "unknown option 'colour'" },
      { "['timeout\\0'] = 3", "unknown option 'timeout" },
      { "'acme'", "options are given by name, got a number as a key" },
      { "[true] = 'x'", "options are given by name, got a boolean as a key" },
      -- types
      { "organization = 5", "option 'organization' must be a string, got number" },
      { "tenant = {}", "option 'tenant' must be a string, got table" },
      { "base_url = 5", "option 'base_url' must be a string, got number" },
      { "identity_url = true", "option 'identity_url' must be a string, got boolean" },
      { "deployment = 5", "option 'deployment' must be 'cloud', 'suite' or 'standalone'" },
      { "access_token = 5", "option 'access_token' must be a string or a function, got number" },
      { "scope = 5", "option 'scope' must be a string or a list of strings, got number" },
      { "scope = { read = 'OR.Jobs' }", "option 'scope' must be a list without holes" },
      { "scope = { 5 }", "option 'scope' must hold strings only" },
      { "folder = {}", "option 'folder' must be a folder's id (a number), key (a GUID) or path" },
      { "timeout = '5'", "option 'timeout' must be a number, got string" },
      { "connect_timeout = {}", "option 'connect_timeout' must be a number, got table" },
      { "max_attempts = '3'", "option 'max_attempts' must be a number, got string" },
      { "max_response_bytes = true", "option 'max_response_bytes' must be a number, got boolean" },
      { "prefetch = print", "option 'prefetch' must be a number, got function" },
      { "token_store = 'redis'", "option 'token_store' must be a table, got string" },
      { "ca_file = 5", "option 'ca_file' must be a string, got number" },
      { "ca_dir = 5", "option 'ca_dir' must be a string, got number" },
      { "proxy = true", "option 'proxy' must be a string, got boolean" },
      { "insecure = 'yes'", "option 'insecure' must be a boolean, got string" },
      { "insecure = 1", "option 'insecure' must be a boolean, got number" },
      { "nulls = true", "option 'nulls' must be 'keep' or 'drop'" },
      { "on_event = {}", "option 'on_event' must be a function, got table" },
      { "profile = 5", "option 'profile' must be a string, got number" },
      { "tenant = uipath.null", "option 'tenant' must be a string, got" },
      -- values
      { "organization = ''", "option 'organization' must not be empty" },
      { "organization = 'a/b'", "option 'organization' must be a name without '/'" },
      { "organization = '..'", "option 'organization' must be a name without '/'" },
      { "tenant = 'a/b'", "option 'tenant' must be a name without '/'" },
      { "deployment = 'Cloud'", "option 'deployment' must be 'cloud', 'suite' or 'standalone'" },
      { "access_token = ''", "option 'access_token' must not be empty" },
      { "access_token = 'Bearer s3cr3t'", "option 'access_token' must be the token alone" },
      { "access_token = 's3cr3t\\195\\182'", "option 'access_token' must be the token alone" },
      { "base_url = 'cloud.uipath.com'", "option 'base_url': it must begin with https://" },
      { "base_url = 'ftp://cloud.uipath.com'", "option 'base_url': it must begin with https://" },
      { "base_url = 'https://me:s3cr3t@cloud.uipath.com'",
        "option 'base_url': it must not hold a user or password" },
      { "base_url = 'https://cloud.uipath.com?a=b'", "option 'base_url': it must not hold a query" },
      { "base_url = 'http://uipath.example'", "option 'base_url' must begin with https://" },
      { "identity_url = 'http://id.example'", "option 'identity_url' must begin with https://" },
      { "base_url = 'https://uipath.example/acme/DefaultTenant/'",
        "option 'base_url': it must end before the organization and tenant, which are options of their own" },
      { "base_url = 'https://uipath.example/Acme'", "option 'base_url': it must end before the organization" },
      { "organization = false, base_url = 'https://uipath.example/acme'",
        "missing option 'organization' (variable UIPATH_ORGANIZATION); base_url does not hold it" },
      { "identity_url = 'https://id.example/identity_/connect/token'",
        "option 'identity_url': it must end before /connect/token, which is added" },
      { "folder = ''", "option 'folder' must not be empty" },
      { "folder = '//'", "option 'folder' must be more than '/'" },
      { "folder = 0", "option 'folder': a folder's id is a whole number from 1" },
      { "folder = -1", "option 'folder': a folder's id is a whole number from 1" },
      { "folder = 1.5", "option 'folder': a folder's id is a whole number from 1" },
      { "folder = 0/0", "option 'folder': a folder's id is a whole number from 1" },
      { "folder = 1e300", "option 'folder': a folder's id is a whole number from 1" },
      { "folder = 'Gr\\246\\223e'", "option 'folder' is not valid UTF-8" },
      { "timeout = 0", "option 'timeout' must be a positive number of seconds" },
      { "timeout = -1", "option 'timeout' must be a positive number of seconds" },
      { "timeout = 1/0", "option 'timeout' must be a positive number of seconds" },
      { "timeout = 0/0", "option 'timeout' must be a positive number of seconds" },
      { "connect_timeout = 0", "option 'connect_timeout' must be a positive number of seconds" },
      { "max_attempts = 0", "option 'max_attempts' must be a whole number, at least 1" },
      { "max_attempts = 1.5", "option 'max_attempts' must be a whole number, at least 1" },
      { "max_attempts = 2^31", "option 'max_attempts' must be a whole number, at least 1" },
      { "max_response_bytes = 0", "option 'max_response_bytes' must be a whole number, at least 1" },
      { "max_response_bytes = 2^54", "option 'max_response_bytes' must be a whole number, at least 1" },
      { "prefetch = 0", "option 'prefetch' must be a whole number, at least 1" },
      { "nulls = 'nil'", "option 'nulls' must be 'keep' or 'drop'" },
      { "proxy = ''", "option 'proxy' must not be empty" },
      { "proxy = 'ftp://me:s3cr3t@proxy.example:21'", "option 'proxy' must be of the form http://user:password@host:port, but its scheme" },
      { "proxy = 'http//me:s3cr3t@proxy.example/x'", "but its host is not well-formed" },
      { "proxy = 'http://me:s3 cr3t@proxy.example'", "but it must not hold spaces" },
      { "proxy = 'http://me:s3cr3t@proxy.example:port'", "but its port is no number from 1 to 65535" },
      { "proxy = 'http://me:s3cr3t@proxy.example:65536'", "but its port is no number from 1 to 65535" },
      { "proxy = 'me:s3cr3t@proxy.example:0'", "but its port is no number from 1 to 65535" },
      { "proxy = 'http://me:s3cr3t@:3128'", "but it has no host" },
      { "proxy = 'http://me:s3cr3t@[::1:3128'", "but its host's bracket is not closed" },
      { "profile = 'staging'", "there is no profile 'staging': no file /nonexistent/.uipath/config" },
      { "client_id = 'i'", "option 'access_token' and option 'client_id' exclude each other" },
      { "client_secret = 's3cr3t'", "option 'access_token' and option 'client_secret' exclude each other" },
      -- control characters
      { "organization = 'a\\rb'", "option 'organization' " .. control },
      { "tenant = 'a\\0b'", "option 'tenant' " .. control },
      { "access_token = 's3cr3t\\n'", "option 'access_token' " .. control },
      { "access_token = false, client_id = 'i\\n', client_secret = 's'",
        "option 'client_id' " .. control },
      { "access_token = false, client_id = 'i', client_secret = 's3cr3t\\n'",
        "option 'client_secret' " .. control },
      { "scope = 'OR.Jobs\\nOR.Assets'", "option 'scope' must be words separated by spaces" },
      { "scope = { 'OR.Jobs\\0' }", "option 'scope' must be words separated by spaces" },
      { "base_url = 'https://a\\r\\nb'", "option 'base_url' " .. control },
      { "identity_url = 'https://a\\0b'", "option 'identity_url' " .. control },
      { "folder = 'a\\nb'", "option 'folder' " .. control },
      { "ca_file = 'a\\0b'", "option 'ca_file' " .. control },
      { "ca_dir = 'a\\nb'", "option 'ca_dir' " .. control },
      { "proxy = 'http://me:s3cr3t@proxy\\n'", "option 'proxy' " .. control },
      { "profile = 'a\\127'", "option 'profile' " .. control },
    }
    for _, row in ipairs(rows) do
      it(row[1], function() expect_raise(row[2], connect(row[1])) end)
    end

    it("anything but a table", function()
      expect_raise("options must be a table, got string", "uipath.connect('acme')", complete)
      expect_raise("options must be a table, got boolean", "uipath.connect(false)", complete)
    end)
  end)

  describe("says what is missing:", function()
    it("the organization", function()
      expect_raise("missing option 'organization' (variable UIPATH_ORGANIZATION)",
        "uipath.connect{ access_token = 'token' }")
      expect({ organization = false, deployment = "standalone" },
        "uipath.connect{ deployment = 'standalone', access_token = 'token' }")
    end)

    it("the credentials", function()
      expect_raise("missing credentials", "uipath.connect{ organization = 'acme' }")
      expect_raise("missing option 'client_secret' (variable UIPATH_CLIENT_SECRET)",
        "uipath.connect{ organization = 'acme', client_id = 'i' }")
      expect_raise("missing option 'client_id' (variable UIPATH_CLIENT_ID)",
        "uipath.connect{ organization = 'acme', client_secret = 's3cr3t' }")
    end)

    it("never the tenant", function()
      expect({ tenant = false }, connect())
    end)
  end)
end)

describe("client:with", function()
  local function with(options, changes)
    return ("uipath.connect{ organization = 'acme', %s }:with{ %s }"):format(options, changes)
  end
  local credentials = "client_id = 'i', client_secret = 's', scope = 'OR.Jobs'"

  it("differs in the options named only", function()
    expect({
      organization = "acme", tenant = "X", timeout = "5", client_id = "i", client_secret = "s",
      scope = "OR.Jobs", folder = "F",
    }, with(credentials .. ", folder = 'F'", "tenant = 'X', timeout = 5"))
  end)

  it("leaves the client as it was", function()
    expect({ timeout = "100", folder = false }, "client", nil,
      "client = " .. connect() .. " client:with{ timeout = 5, folder = 'F' }")
  end)

  it("does not look at the environment", function()
    local variables = { UIPATH_CALL_TIMEOUT = "7" }
    expect({ timeout = "5" }, with("access_token = 't', timeout = 5", "folder = 'F'"), variables)
    expect({ timeout = "100" }, with("access_token = 't', timeout = 5", "timeout = false"), variables)
  end)

  it("exchanges one kind of credentials for the other", function()
    expect({ access_token = "t", client_id = false, client_secret = false },
      with(credentials, "access_token = 't'"))
    expect({ access_token = false, client_id = "j", client_secret = "u" },
      with("access_token = 't'", "client_id = 'j', client_secret = 'u'"))
    expect({ client_id = "i", client_secret = "new" }, with(credentials, "client_secret = 'new'"))
  end)

  it("puts the default back where false unsets", function()
    expect(
      { timeout = "100", folder = false, nulls = "keep", insecure = "false", scope = false },
      with(credentials .. ", timeout = 5, folder = 'F', nulls = 'drop', insecure = true",
        "timeout = false, folder = false, nulls = false, insecure = false, scope = false"))
  end)

  it("keeps NO_PROXY with the environment's proxy, and drops it with another", function()
    local variables = { HTTPS_PROXY = "p", NO_PROXY = "host" }
    local loopback = "localhost,127.0.0.0/8,127.0.0.1,::1"
    expect({ proxy = "p", no_proxy = loopback .. ",host" },
      with("access_token = 't'", "timeout = 5"), variables)
    expect({ proxy = "q", no_proxy = loopback }, with("access_token = 't'", "proxy = 'q'"), variables)
    expect({ proxy = false, no_proxy = loopback }, with("access_token = 't'", "proxy = false"), variables)
  end)

  for changes, message in pairs {
    ["fodler = 'F'"] = "unknown option 'fodler' (did you mean 'folder'?)",
    ["'F'"] = "options are given by name, got a number as a key",
    ["timeout = 0"] = "option 'timeout' must be a positive number of seconds",
    ["access_token = 's3cr3t', client_id = 'i'"] =
      "option 'access_token' and option 'client_id' exclude each other",
    ["organization = false"] = "missing option 'organization'",
    ["client_id = false"] = "missing option 'client_id'",
    ["client_id = false, client_secret = false"] = "missing credentials",
    ["access_token = false, client_secret = false"] = "missing option 'client_secret'",
    ["base_url = 'http://uipath.example'"] = "option 'base_url' must begin with https://",
    ["profile = 'staging'"] = "option 'profile' is for uipath.connect",
  } do
    it("raises on " .. changes, function() expect_raise(message, with(credentials, changes)) end)
  end

  it("raises when `insecure` goes and a plain http:// URL stays", function()
    expect_raise("option 'base_url' must begin with https://",
      with("access_token = 't', insecure = true, base_url = 'http://uipath.example'", "insecure = false"))
    expect_raise("option 'identity_url' must begin with https://",
      with("access_token = 't', insecure = true, identity_url = 'http://id.example'", "insecure = false"))
  end)

  it("raises on anything but a table", function()
    expect_raise("table", connect() .. ":with('F')")
    expect_raise("table", connect() .. ":with()")
  end)
end)

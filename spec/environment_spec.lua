-- Where the options of uipath.connect come from: themselves or the environment. Profiles have a spec of their own.

local support = require "spec.support.options"
local connect, expect, expect_raise = support.connect, support.expect, support.expect_raise

local complete = { UIPATH_ORGANIZATION = "acme", UIPATH_PAT = "token" }

---The variables of a complete environment and some more.
local function environment(more)
  local variables = {}
  for name, value in pairs(complete) do variables[name] = value end
  for name, value in pairs(more) do variables[name] = value or nil end
  return variables
end

describe("the environment", function()
  local rows = {
    { "UIPATH_ORGANIZATION", "other", "organization" },
    { "UIPATH_TENANT", "T", "tenant" },
    { "UIPATH_AUTH_SCOPES", " OR.Jobs  OR.Assets", "scope", "OR.Jobs OR.Assets" },
    { "UIPATH_PAT", "rt_1", "access_token" },
    { "UIPATH_URI", "https://uipath.example/", "base_url", "https://uipath.example" },
    { "UIPATH_IDENTITY_URI", "https://id.example", "identity_url" },
    { "UIPATH_DEPLOYMENT", "suite", "deployment" },
    { "UIPATH_FOLDER_PATH", "Shared/Finance", "folder" },
    { "UIPATH_FOLDER_KEY", "a0b1c2d3-4567-89ab-cdef-0123456789ab", "folder" },
    { "UIPATH_CALL_TIMEOUT", "2.5", "timeout" },
    { "UIPATH_MAX_ATTEMPTS", "7", "max_attempts" },
    { "SSL_CERT_FILE", "/a.pem", "ca_file" },
    { "SSL_CERT_DIR", "/certs", "ca_dir" },
    { "HTTPS_PROXY", "proxy.example:3128", "proxy" },
    { "https_proxy", "proxy.example:3128", "proxy" },
    { "UIPATH_INSECURE", "1", "insecure", "true" },
    { "UIPATH_INSECURE", "true", "insecure", "true" },
    { "UIPATH_INSECURE", "yes", "insecure", "false" },
    { "UIPATH_INSECURE", "True", "insecure", "false" },
    { "UIPATH_INSECURE", "0", "insecure", "false" },
    -- empty is unset
    { "UIPATH_TENANT", "", "tenant", false },
    { "UIPATH_CALL_TIMEOUT", "", "timeout", "100" },
    { "UIPATH_URI", "", "base_url", "https://cloud.uipath.com" },
    { "UIPATH_URL", "", "base_url", "https://cloud.uipath.com" },
    -- not for https
    { "http_proxy", "proxy.example", "proxy", false },
    { "HTTP_PROXY", "proxy.example", "proxy", false },
  }
  for _, row in ipairs(rows) do
    it(("%s=%s gives %s"):format(row[1], row[2], row[3]), function()
      local expected = row[4]
      if expected == nil then expected = row[2] end
      expect({ [row[3]] = expected }, "uipath.connect()", environment { [row[1]] = row[2] })
    end)
  end

  it("gives client credentials", function()
    expect({ client_id = "i", client_secret = "s", scope = "OR.Jobs", access_token = false },
      "uipath.connect{ organization = 'acme' }",
      { UIPATH_CLIENT_ID = "i", UIPATH_CLIENT_SECRET = "s", UIPATH_AUTH_SCOPES = "OR.Jobs" })
  end)

  it("names a variable whose value is wrong", function()
    for name, case in pairs {
      UIPATH_CALL_TIMEOUT = { "abc", "must be a number" },
      UIPATH_MAX_ATTEMPTS = { "1.5", "must be a whole number, at least 1" },
      UIPATH_DEPLOYMENT = { "clowd", "must be 'cloud', 'suite' or 'standalone'" },
      UIPATH_ORGANIZATION = { "a/b", "must be a name without '/'" },
      UIPATH_TENANT = { "a\r", "must not contain control characters" },
      UIPATH_PAT = { "s3cr3t\n", "must not contain control characters" },
      UIPATH_AUTH_SCOPES = { "a\tb", "must be words separated by spaces" },
      UIPATH_FOLDER_PATH = { "a\nb", "must not contain control characters" },
      UIPATH_URI = { "http://uipath.example", "must begin with https://" },
      UIPATH_IDENTITY_URI = { "http://id.example", "must begin with https://" },
      UIPATH_URL = { "cloud.uipath.com/s3cr3t", "must be of the form https://host/organization/tenant" },
      SSL_CERT_FILE = { "a\n", "must not contain control characters" },
      HTTPS_PROXY = { "http://me:s3cr3t@proxy\n", "must not contain control characters" },
      https_proxy = { "gopher://me:s3cr3t@proxy", "must be of the form http://user:password@host:port, but its scheme" },
      NO_PROXY = { "a\nb", "must not contain control characters" },
    } do
      expect_raise(("variable %s %s"):format(name, case[2]), "uipath.connect()",
        environment { [name] = case[1] })
    end
  end)

  it("has numbers as digits only, in every locale", function()
    for _, text in ipairs {
      "1e3", "0x10", " 5", "5 ", "-5", "+5", "1,5", ".5", "5.", "1.2.3", "inf", "nan", "1234567890123456",
    } do
      expect_raise("variable UIPATH_CALL_TIMEOUT must be a number", "uipath.connect()",
        environment { UIPATH_CALL_TIMEOUT = text })
    end
    expect_raise("variable UIPATH_CALL_TIMEOUT must be a positive number of seconds", "uipath.connect()",
      environment { UIPATH_CALL_TIMEOUT = "0" })
  end)

  it("does not matter where an option is given", function()
    expect({ timeout = "5", folder = "A" }, connect "timeout = 5, folder = 'A'",
      { UIPATH_CALL_TIMEOUT = "abc", UIPATH_FOLDER_PATH = "B" })
  end)

  it("is read in a fixed order where two variables say the same", function()
    expect({ access_token = "pat" }, "uipath.connect()",
      { UIPATH_ORGANIZATION = "acme", UIPATH_PAT = "pat", UIPATH_ACCESS_TOKEN = "token" })
    expect({ access_token = "token" }, "uipath.connect()",
      { UIPATH_ORGANIZATION = "acme", UIPATH_ACCESS_TOKEN = "token" })
    expect({ folder = "A/B" }, "uipath.connect()",
      environment { UIPATH_FOLDER_PATH = "A/B", UIPATH_FOLDER_KEY = "a0b1c2d3-4567-89ab-cdef-0123456789ab" })
    expect({ proxy = "lower" }, connect(), { https_proxy = "lower", HTTPS_PROXY = "upper" })
    expect({ proxy = "upper" }, connect(), { https_proxy = "", HTTPS_PROXY = "upper" })
  end)

  it("prefers a token that is ready to client credentials", function()
    expect({ access_token = "token", client_id = false, client_secret = false }, "uipath.connect()",
      environment { UIPATH_CLIENT_ID = "i", UIPATH_CLIENT_SECRET = "s" })
  end)

  describe("UIPATH_URL", function()
    local function expect_url(expected, url, more)
      local variables = { UIPATH_PAT = "token", UIPATH_URL = url }
      for name, value in pairs(more or {}) do variables[name] = value end
      expect(expected, "uipath.connect()", variables)
    end

    it("gives host, organization and tenant", function()
      expect_url({ base_url = "https://uipath.example:8443", organization = "o", tenant = "t" },
        "https://uipath.example:8443/o/t")
      expect_url({ base_url = "https://uipath.example", organization = "o", tenant = "t" },
        "https://uipath.example/o/t/orchestrator_/")
    end)

    it("may end earlier", function()
      expect_url({ organization = "o", tenant = false }, "https://uipath.example/o")
      expect_url({ organization = "acme", tenant = "T", base_url = "https://uipath.example" },
        "https://uipath.example/", { UIPATH_ORGANIZATION = "acme", UIPATH_TENANT = "T" })
      expect_raise("missing option 'organization'", "uipath.connect()",
        { UIPATH_PAT = "token", UIPATH_URL = "https://uipath.example" })
    end)

    it("gives way to the variable for one of them", function()
      expect_url({ base_url = "https://other.example", organization = "acme", tenant = "T" },
        "https://uipath.example/o/t",
        { UIPATH_URI = "https://other.example", UIPATH_ORGANIZATION = "acme", UIPATH_TENANT = "T" })
    end)
  end)
end)

describe("the credentials", function()
  local stray = {
    UIPATH_PAT = "stray", UIPATH_CLIENT_ID = "stray", UIPATH_CLIENT_SECRET = "stray",
    UIPATH_AUTH_SCOPES = "stray",
  }

  it("come whole from the options once these name one", function()
    expect({ client_id = "i", client_secret = "s", scope = false, access_token = false },
      "uipath.connect{ organization = 'acme', client_id = 'i', client_secret = 's' }", stray)
    expect({ access_token = "token", client_id = false, client_secret = false, scope = false },
      connect(), stray)
  end)

  it("are not completed from another source", function()
    expect_raise("missing option 'client_secret'",
      "uipath.connect{ organization = 'acme', client_id = 'i' }", stray)
    expect_raise("missing credentials",
      "uipath.connect{ organization = 'acme', scope = 'OR.Jobs' }", stray)
    expect_raise("missing option 'client_secret'",
      "uipath.connect{ organization = 'acme' }", { UIPATH_CLIENT_ID = "i" })
  end)

  it("come from the environment, but for what `false` unsets", function()
    expect({ client_id = "stray", client_secret = "stray", access_token = false },
      "uipath.connect{ organization = 'acme', access_token = false }", stray)
    expect({ access_token = "stray", scope = false },
      "uipath.connect{ organization = 'acme', scope = false }", stray)
  end)
end)

describe("the address", function()
  local stray = {
    UIPATH_URI = "https://stray.example", UIPATH_IDENTITY_URI = "https://id.stray.example",
    UIPATH_DEPLOYMENT = "suite", UIPATH_ORGANIZATION = "strayed", UIPATH_TENANT = "T",
    UIPATH_URL = "https://url.example/o/t",
  }

  it("comes whole from the options once these name a part", function()
    expect({
      organization = "acme", base_url = "https://cloud.uipath.com", identity_url = false,
      deployment = "cloud",
    }, connect(), stray)
  end)

  it("lacking only the tenant or the organization, takes that from the next source", function()
    expect({ organization = "acme", tenant = "T" }, connect(), stray)
    expect({ organization = "strayed", tenant = "X", base_url = "https://cloud.uipath.com" },
      "uipath.connect{ tenant = 'X', access_token = 'token' }", stray)
    expect({ organization = "strayed", tenant = "T", base_url = "https://mine.example" },
      "uipath.connect{ base_url = 'https://mine.example', access_token = 'token' }", stray)
    expect({ tenant = "t" }, connect(), { UIPATH_URL = "https://url.example/o/t" })
  end)

  it("comes from the environment, but for what `false` unsets", function()
    expect({ base_url = "https://stray.example", identity_url = false, deployment = "suite", tenant = false },
      "uipath.connect{ access_token = 'token', identity_url = false, tenant = false }", stray)
    expect({ base_url = "https://cloud.uipath.com" },
      "uipath.connect{ access_token = 'token', base_url = false }", stray)
  end)

  it("does not look at a variable that it does not need", function()
    expect({ base_url = "https://cloud.uipath.com" }, connect "tenant = 'X'", { UIPATH_URL = "nonsense" })
  end)
end)

describe("the certificates", function()
  local stray = { SSL_CERT_FILE = "/stray.pem", SSL_CERT_DIR = "/stray" }
  it("come from one source, so that no stray bundle joins what the script names", function()
    expect({ ca_dir = "/mine", ca_file = false }, connect "ca_dir = '/mine'", stray)
    expect({ ca_file = "/mine.pem", ca_dir = false }, connect "ca_file = '/mine.pem'", stray)
    expect({ ca_file = "/stray.pem", ca_dir = "/stray" }, connect(), stray)
  end)

  it("of a client are replaced together", function()
    expect({ ca_file = "/mine.pem", ca_dir = false }, connect() .. ":with{ ca_file = '/mine.pem' }", stray)
  end)
end)

describe("false", function()
  local stray = {
    UIPATH_FOLDER_PATH = "F", UIPATH_CALL_TIMEOUT = "abc", UIPATH_MAX_ATTEMPTS = "9",
    SSL_CERT_FILE = "/a", SSL_CERT_DIR = "/b", HTTPS_PROXY = "proxy", NO_PROXY = "host",
    UIPATH_INSECURE = "1", UIPATH_PROFILE = "staging",
  }
  it("unsets an option, whatever the environment says", function()
    local expected = {
      folder = false, timeout = "100", max_attempts = "4", ca_file = false, ca_dir = false, proxy = false,
      no_proxy = "localhost,127.0.0.0/8,127.0.0.1,::1", insecure = "false", profile = false,
    }
    local options = {}
    for name in pairs(expected) do
      if name ~= "no_proxy" then options[#options + 1] = name .. " = false" end
    end
    expect(expected, connect(table.concat(options, ", ")), stray)
  end)
end)

describe("no_proxy", function()
  local loopback = "localhost,127.0.0.0/8,127.0.0.1,::1"

  it("always holds loopback", function()
    expect({ no_proxy = loopback }, connect "proxy = 'proxy.example'")
    expect({ no_proxy = loopback .. ",intra.example,10.0.0.0/8" }, connect(),
      { HTTPS_PROXY = "proxy.example", NO_PROXY = "intra.example,10.0.0.0/8" })
    expect({ no_proxy = loopback .. ",lower" }, connect(), { no_proxy = "lower", NO_PROXY = "upper" })
  end)

  it("is libcurl's * as it stands", function()
    expect({ no_proxy = "*" }, connect(), { HTTPS_PROXY = "proxy.example", NO_PROXY = "*" })
  end)

  it("goes with the environment's proxy, not with the script's", function()
    expect({ no_proxy = loopback, proxy = "mine" }, connect "proxy = 'mine'", { NO_PROXY = "*" })
  end)
end)

-- Profiles: the official command line tool's ~/.uipath/config as a source of options.

local assert = require "luassert"
local support = require "spec.support.options"

local config = [[
profiles:
  - name: default
    organization: first
    tenant: T1
    uri: https://uipath.example/
    auth:
      clientId: id-1
      clientSecret: s3cr3t
      scopes: OR.Jobs OR.Machines.Read
  - name: staging
    organization: 2024
    tenant: 1e5
    insecure: true
    uri: http://uipath.example
    auth:
      pat: rt_s3cr3t
      uri: https://id.example/identity_
    parameter:
      folder-id: 5
    header:
      x-other: y
  - name: half
    organization: acme
    auth:
      clientId: id-3
  - name: tenant-only
    tenant: T4
  - name: wrong
    organization: acme
    insecure: perhaps
    uri: uipath.example
    auth: { pat: s3cr3t, clientId: ~ }
  - name: empty
    organization: ""
    auth: { clientId: "", pat: }
]]

describe("a profile", function()
  local home

  -- Writes the file, with permissions as chmod takes them.
  local function write(text, mode)
    local file = assert(io.open(home .. "/.uipath/config", "w"))
    file:write(text)
    file:close()
    assert(os.execute(("chmod %s %s/.uipath/config"):format(mode or "600", home)))
  end

  before_each(function()
    home = os.tmpname()
    os.remove(home)
    assert(os.execute("mkdir -p " .. home .. "/.uipath"))
    write(config)
  end)
  after_each(function() os.execute("rm -r " .. home) end)

  local function environment(more)
    local variables = { HOME = home }
    for name, value in pairs(more or {}) do variables[name] = value end
    return variables
  end

  local function expect(expected, expression, variables, setup) support.expect(expected, expression, environment(variables), setup) end

  local function expect_raise(fragment, expression, variables, setup)
    support.expect_raise(fragment, expression, environment(variables), setup)
  end

  it("named default is taken where nothing else is said", function()
    expect({ organization = "first", tenant = "T1", base_url = "https://uipath.example", client_id = "id-1", client_secret = "s3cr3t",
      scope = "OR.Jobs OR.Machines.Read", profile = false }, "uipath.connect()")
  end)

  it("can be named by option or variable, and its values are text", function()
    local expected = { organization = "2024", tenant = "1e5", insecure = "true", base_url = "http://uipath.example", folder = "5",
      access_token = "rt_s3cr3t", identity_url = "https://id.example/identity_", client_id = false, profile = "staging" }
    expect(expected, "uipath.connect{ profile = 'staging' }")
    expect(expected, "uipath.connect()", { UIPATH_PROFILE = "staging" })
    expect({ organization = "2024" }, "uipath.connect{ profile = 'staging' }", { UIPATH_PROFILE = "half" })
  end)

  it("can be turned off", function()
    expect_raise("missing credentials", "uipath.connect{ profile = false }")
  end)

  describe("comes after options and environment,", function()
    it("with the credentials as one group", function()
      expect({ client_id = "mine", client_secret = "m", scope = false, organization = "first" },
        "uipath.connect{ client_id = 'mine', client_secret = 'm' }")
      expect({ access_token = "token", client_id = false, scope = false, organization = "first" }, "uipath.connect()",
        { UIPATH_PAT = "token" })
    end)

    it("with the address as another, which organization and tenant may complete", function()
      expect({ organization = "acme", tenant = "T1", base_url = "https://cloud.uipath.com", client_id = "id-1" },
        "uipath.connect{ organization = 'acme' }")
      expect({ organization = "first", tenant = "T", base_url = "https://cloud.uipath.com" }, "uipath.connect()", { UIPATH_TENANT = "T" })
      expect({ organization = "acme", tenant = "T4" }, support.connect "profile = 'tenant-only'")
    end)

    it("and single options one by one", function()
      expect({ folder = "Shared", insecure = "true" }, "uipath.connect{ profile = 'staging', folder = 'Shared' }")
    end)
  end)

  it("without a value is as if it were not there", function()
    expect({ organization = "acme", access_token = "token" }, support.connect "profile = 'empty'")
    expect_raise("missing credentials", "uipath.connect{ profile = 'empty' }")
  end)

  describe("is named where a value is wrong:", function()
    local rows = {
      { "uipath.connect{ profile = 'wrong' }", "'insecure' of profile 'wrong' in %s must be a boolean, got string" },
      { "uipath.connect{ profile = 'wrong', insecure = false }", "'uri' of profile 'wrong' in %s" },
      { "uipath.connect{ profile = 'half' }",
        "missing option 'client_secret' (variable UIPATH_CLIENT_SECRET): 'auth.clientId' of profile 'half' in %s is given" },
      { "uipath.connect{ profile = 'nobody' }",
        "there is no profile 'nobody' in %s (it has: default, staging, half, tenant-only, wrong, empty)" },
    }
    for _, row in ipairs(rows) do
      it(row[1], function() expect_raise(row[2]:format(home .. "/.uipath/config"), row[1]) end)
    end

    it("one from the environment names the variable", function()
      expect_raise("missing option 'client_secret' (variable UIPATH_CLIENT_SECRET): variable UIPATH_CLIENT_ID is given", "uipath.connect()",
        { UIPATH_CLIENT_ID = "i" })
    end)
  end)

  describe("that cannot be read", function()
    it("is named with line and column, and not quoted", function()
      for _, text in ipairs { "a: b: s3cr3t", "a: *s3cr3t", "a: !!int s3cr3t", "profiles: s3cr3t", "profiles: [s3cr3t]", "[s3cr3t" } do
        write(text)
        expect_raise(home .. "/.uipath/config:", "uipath.connect()")
      end
      write "profiles:\n  - name: default\n   oops: x"
      expect_raise(home .. "/.uipath/config:3:4: ", "uipath.connect()")
    end)

    it("need not be there unless it is named", function()
      write ""
      expect({ organization = "acme" }, support.connect())
      expect_raise("there is no profile 'default'", support.connect "profile = 'default'")
      os.remove(home .. "/.uipath/config")
      expect({ organization = "acme" }, support.connect())
      expect_raise("there is no profile 'staging': no file " .. home .. "/.uipath/config", support.connect "profile = 'staging'")
    end)

    local no_yaml = "package.preload.lyaml = function() error('module not found') end"
    it("for want of lyaml is said where it matters", function()
      expect({ organization = "acme" }, support.connect(), nil, no_yaml)
      expect_raise("which takes the module lyaml", "uipath.connect()", nil, no_yaml)
      expect_raise("which takes the module lyaml", "uipath.connect{ profile = 'staging' }", nil, no_yaml)
    end)
  end)

  it("loads lyaml only where there is a file", function()
    local setup = "package.preload.lyaml = function() print 'loaded' os.exit(0) end"
    os.remove(home .. "/.uipath/config")
    expect({ organization = "acme" }, support.connect(), nil, setup)
  end)

  describe("in a file that others can read", function()
    -- What the process says on stderr; support.resolve joins it to its output.
    local function warning(expression)
      local ok, output = pcall(support.resolve, expression, environment())
      return ok and "" or tostring(output)
    end

    it("gets a warning, once", function()
      write(config, "644")
      local said = warning "uipath.connect() and uipath.connect()"
      assert.is_truthy(said:find("warning: " .. home .. "/.uipath/config can be read by others", 1, true), said)
      assert.is_nil(said:find("warning.*warning"))
      assert.is_nil(said:match "^[^\n]*s3cr3t")
      write(config, "640")
      assert.is_truthy(warning "uipath.connect()":find("chmod 600", 1, true))
    end)

    it("gets none when it is private, or not asked for", function()
      assert.equal("", warning "uipath.connect()")
      write(config, "644")
      assert.equal("", warning "uipath.connect{ profile = false, organization = 'a', access_token = 't' }")
    end)
  end)
end)

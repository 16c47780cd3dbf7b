-- Proxies: CONNECT for https, with authentication, and what goes around them.

local assert = require "luassert"
local tenant = require "spec.support.tenant"
local uipath = require "uipath"

-- The sandbox's certificate for this name is served on a port of its own; the proxy connects everything to that.
local HOST = "elsewhere.invalid"

local sandbox, proxy

local function port_of(url)
  return tonumber(url:match ":(%d+)$")
end

setup(function() sandbox = assert(require("uipath.sandbox").start({ tls = true })) end)
teardown(function() sandbox:stop() end)

-- Starts a proxy of that mode for what follows; stop gives its requests.
local function start(mode)
  proxy = tenant.proxy(port_of(sandbox.wrong_host_url), mode)
  return proxy.stop
end

local function options(changes)
  local given = tenant.options(sandbox, { base_url = "https://" .. HOST, proxy = "http://127.0.0.1:" .. proxy.port, max_attempts = 1 })
  for name, value in pairs(changes or {}) do given[name] = value end
  return given
end

describe("a proxy", function()
  it("is asked to CONNECT, once for the token and all calls; they go through it sealed", function()
    local stop = start()
    local output = tenant.run(options(), [[
      local page, response = assert(client:get("odata/Machines", { top = 2 }))
      print(#page.value, response.http_version, #assert(client:get("odata/Machines", { top = 1 })).value)
    ]])
    assert.equal("2\t2\t1\n", output)
    local requests = stop()
    assert.equal(1, #requests)
    assert.matches("^CONNECT elsewhere%.invalid:443 HTTP/1%.1|", requests[1])
    assert.is_nil(requests[1]:lower():find "authorization")
  end)

  it("is told user and password where they are given", function()
    local stop = start "dXNlcjpwQC9zcw==" -- user:p@/ss
    for _, password in ipairs { "p%40%2Fss", "p@/ss" } do
      local given = options { proxy = "http://user:" .. password .. "@127.0.0.1:" .. proxy.port }
      assert.equal("1\n", (tenant.run(given, [[print(#assert(client:get("odata/Machines", { top = 1 })).value)]])))
    end
    local requests = stop()
    assert.equal(2, #requests)
    for _, request in ipairs(requests) do
      assert.matches("|Proxy%-Authorization: Basic dXNlcjpwQC9zcw==|", request)
      assert.is_nil(request:find "Bearer")
    end
  end)

  it("that wants another user is an error with a hint, not tried again, and without the password", function()
    local stop = start "dXNlcjpwYXNz"
    for _, user in ipairs { "", "user:n0t-the-password@" } do
      local client = uipath.connect(options { proxy = "http://" .. user .. "127.0.0.1:" .. proxy.port, max_attempts = 4 })
      local _, err = client:get("odata/Machines", { top = 1 })
      assert.equal("network", err.kind)
      assert.matches("the proxy asks for", err.hint)
      assert.is_false(err.retryable)
      assert.is_nil(tostring(err):find("n0t-the-password", 1, true))
    end
    assert.equal(2, #stop())
  end)

  it("that refuses is an error that says so", function()
    local stop = start "refuse"
    local _, err = uipath.connect(options { max_attempts = 4 }):get("odata/Machines", { top = 1 })
    assert.equal("network", err.kind)
    assert.matches("403", err.message)
    assert.matches("the proxy does not allow", err.hint)
    assert.equal(1, #stop())
  end)

  it("that is not there is an error that names it", function()
    local stop = start()
    stop()
    local _, err = uipath.connect(options()):get("odata/Machines", { top = 1 })
    assert.equal("network", err.kind)
    assert.matches("^the proxy does not answer", err.hint)
    assert.is_nil(err.hint:find "base_url")
    _, err = uipath.connect(options { proxy = "http://no-such-proxy.invalid:3128" }):get("odata/Machines", { top = 1 })
    assert.equal("network", err.kind)
    assert.matches("proxy", err.hint)
    assert.is_false(err.retryable)
  end)

  it("is given whole requests where there is no TLS, and insecure = true allows that", function()
    tenant.control(sandbox, "POST reset")
    tenant.control(sandbox, "POST settings", { record = true })
    local client = uipath.connect(tenant.options(sandbox, {
      base_url = "http://uipath.example", insecure = true, proxy = "http://user:pass@127.0.0.1:" .. port_of(sandbox.http_url),
    }))
    assert(client:get("odata/Machines", { top = 1 }))
    local requests = tenant.control(sandbox, "GET requests")
    assert.equal(2, #requests)
    for _, request in ipairs(requests) do
      assert.equal("uipath.example", request.headers.host)
      assert.equal("Basic dXNlcjpwYXNz", request.headers["proxy-authorization"])
    end
    tenant.control(sandbox, "POST reset")
  end)

  it("is never asked for what is on the loopback", function()
    for _, host in ipairs { "127.0.0.1", "localhost", "127.0.0.2" } do
      local url = sandbox.http_url:gsub("127%.0%.0%.1", host)
      local client = uipath.connect(tenant.fault_options(sandbox, { base_url = url, proxy = "http://127.0.0.1:1" }))
      local _, err = client:get "odata/Machines"
      if url:find "0%.0%.2" then assert.matches("127%.0%.0%.2[ :][port ]*%d", err.message) else assert.equal(404, err.status) end
    end
  end)
end)

describe("the environment's proxy", function()
  local program = [[
    local value, err = client:get("odata/Machines", { top = 1 })
    print(value and "fetched" or err.hint:match "host name" or err)
  ]]

  -- Runs the program with variables, without the proxy as an option.
  local function run(variables, changes)
    local given = options { proxy = false }
    given.proxy = nil
    for name, value in pairs(changes or {}) do given[name] = value end
    local words = { "env" }
    for name, value in pairs(variables) do
      words[#words + 1] = name .. "=" .. tenant.quoted(value:gsub("PROXY", "127.0.0.1:" .. proxy.port))
    end
    return tenant.shell(table.concat(words, " ") .. " " .. tenant.command(given, program))
  end

  it("is that of HTTPS_PROXY, with user and password, but for what NO_PROXY names", function()
    local stop = start "dXNlcjpwYXNz"
    local url = "http://user:pass@PROXY"
    assert.equal("fetched\n", run { HTTPS_PROXY = url })
    assert.equal("fetched\n", run { https_proxy = url })
    assert.equal("fetched\n", run { HTTPS_PROXY = "PROXY", https_proxy = url })
    assert.equal("fetched\n", run { HTTPS_PROXY = url, NO_PROXY = "other.invalid,127.0.0.1" })
    for _, except in ipairs { "elsewhere.invalid", ".invalid", "other.example, elsewhere.invalid", "*" } do
      assert.equal("host name\n", run { HTTPS_PROXY = url, NO_PROXY = except })
      assert.equal("host name\n", run { HTTPS_PROXY = url, no_proxy = except })
    end
    assert.equal("host name\n", run({ HTTPS_PROXY = url }, { proxy = false }))
    assert.equal(4, #stop())
  end)

  it("is not that of HTTP_PROXY or ALL_PROXY", function()
    local stop = start()
    assert.equal("host name\n", run { HTTP_PROXY = "http://PROXY", http_proxy = "http://PROXY", ALL_PROXY = "http://PROXY" })
    assert.equal(0, #stop())
  end)
end)

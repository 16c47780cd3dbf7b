-- Which certificates of authorities are read for a connection, and how often.

local assert = require "luassert"
local tenant = require "spec.support.tenant"
local uipath = require "uipath"

local sandbox, folder

-- Has an authority sign what the command asks it to.
local function sign(name, issuer, extension, request)
  local command = ("cd %s && %s -out NAME.csr && echo %s >NAME.ext && "
    .. "openssl x509 -req -in NAME.csr -CA ISSUER.pem "
    .. "-CAkey ISSUER.key -CAcreateserial -days 2 -extfile NAME.ext -out NAME.pem")
    :format(folder, request, extension)
  tenant.shell((command:gsub("NAME", name):gsub("ISSUER", issuer)))
end

-- An authority, which may be signed by another: NAME.pem and NAME.key in the folder.
local function make_authority(name, issuer)
  local request = "openssl req -newkey rsa:2048 -nodes -keyout NAME.key -subj /CN=NAME"
  if issuer then
    sign(name, issuer, "basicConstraints=critical,CA:TRUE", request)
  else
    local command = ("cd %s && %s -x509 -days 2 -out NAME.pem"):format(folder, request)
    tenant.shell((command:gsub("NAME", name)))
  end
end

-- A directory that has this certificate under its hash.
local function directory_of(file)
  local command = "d=$(mktemp -d %s/XXXXXX) && cp %s $d/ca.pem && openssl rehash $d && echo $d"
  return tenant.shell(command:format(folder, file)):match "%S+"
end

setup(function()
  sandbox = assert(require("uipath.sandbox").start { tls = true })
  folder = tenant.shell "mktemp -d":match "%S+"
  make_authority "other"
end)
teardown(function()
  sandbox:stop()
  tenant.shell("rm -r " .. folder)
end)
before_each(function() tenant.control(sandbox, "POST reset") end)

-- The authority's certificate, and after it so much text that who reads it must have read it.
local BUNDLE_BYTES = 4 * 1024 * 1024
local function write_bundle()
  local certificate = assert(io.open(sandbox.ca_file)):read "*a"
  local path = folder .. "/bundle.pem"
  local file = assert(io.open(path, "w"))
  local line = ("#"):rep(63) .. "\n"
  file:write(certificate, line:rep(math.ceil((BUNDLE_BYTES - #certificate) / #line)))
  file:close()
  return path
end

-- How often a process reads the bundle that makes several connections at once.
local function reads_of(certificates)
  tenant.control(sandbox, "POST settings", { latency = 0.2 * tenant.SLOWER })
  certificates.timeout = 280
  local output, status = tenant.run(tenant.options(sandbox, certificates), [[
    local function read_bytes()
      for line in io.lines "/proc/self/io" do
        local bytes = line:match "^rchar: (%d+)"
        if bytes then return tonumber(bytes) end
      end
    end
    local before, calls = read_bytes(), {}
    for i = 1, 250 do calls[i] = client:start("GET", "odata/Machines?$top=1&$skip=" .. i) end
    for _, call in ipairs(calls) do assert(call:wait()) end
    print(read_bytes() - before)
  ]])
  assert.equal(0, status, output)
  assert.is_true(tenant.control(sandbox, "GET counters").connections >= 3)
  return math.floor(tonumber(output) / BUNDLE_BYTES)
end

describe("a bundle of certificates", function()
  local bundle
  setup(function()
    bundle = write_bundle()
    -- A file that was changed within a second is read each time.
    local written = tenant.now()
    tenant.eventually(function() return tenant.now() > written + 1.1 end)
  end)

  it("is read once for all connections of a process", function()
    assert.equal(1, reads_of { ca_file = bundle })
  end)

  it("is not read where a directory that is there too vouches for the server", function()
    assert.equal(0, reads_of { ca_file = bundle, ca_dir = directory_of(sandbox.ca_file) })
  end)

  it("is read once where the directory has other authorities", function()
    assert.equal(1, reads_of { ca_file = bundle, ca_dir = directory_of(folder .. "/other.pem") })
  end)

  it("is read once beside a directory without certificates", function()
    assert.equal(1, reads_of { ca_file = bundle, ca_dir = folder })
  end)

  it("is read once by calls that begin at once and know nothing of the server", function()
    local token = uipath.connect(sandbox.options):access_token()
    assert.equal(1, reads_of {
      ca_file = bundle, ca_dir = directory_of(folder .. "/other.pem"), access_token = token,
      client_id = false, client_secret = false, scope = false,
    })
  end)

  it("is read anew where it was changed", function()
    local path = folder .. "/changing.pem"
    local options = tenant.options(sandbox, { ca_file = path, max_attempts = 1 })
    local output, status = tenant.run(options, ([[
      local function write(from)
        local source, file = assert(io.open(from)), assert(io.open(%q, "w"))
        file:write(source:read "*a")
        file:close()
        source:close()
      end
      local function try()
        local page, err = client:get "odata/Machines?$top=1"
        print(page and "trusted" or err.kind)
      end
      write(%q)
      try()
      write(%q)
      try()
    ]]):format(path, folder .. "/other.pem", sandbox.ca_file))
    assert.equal("network\ntrusted\n", output)
    assert.equal(0, status)
  end)
end)

describe("a file that is of no use is told of although the directory would do:", function()
  for name, hint in pairs {
    ["/nonexistent.pem"] = "No such file or directory", ["/dev/null"] = "holds no PEM certificates",
    ["/etc/passwd"] = "holds no PEM certificates",
  } do
    it(name, function()
      local directory = directory_of(sandbox.ca_file)
      local options = tenant.options(sandbox, { ca_file = name, ca_dir = directory })
      local _, err = uipath.connect(options):get "odata/Machines"
      assert.equal("network", err.kind)
      assert.matches(hint, err.hint)
    end)
  end
end)

describe("a server that no certificate vouches for", function()
  it("is refused, with the words that one of them alone would have", function()
    local other = folder .. "/other.pem"
    local function failure(certificates)
      return select(2, uipath.connect(tenant.options(sandbox, certificates)):get "odata/Machines")
    end
    local alone = failure { ca_file = other }
    local both = failure { ca_file = other, ca_dir = directory_of(other) }
    assert.equal("network", both.kind)
    assert.equal(alone.hint, both.hint)
    assert.equal(alone.attempts, both.attempts)
    assert.is_false(both.retryable)
  end)
end)

describe("a server whose chain is known in parts", function()
  it("is trusted: the file has the root, the directory what it signed, or the reverse", function()
    make_authority "root"
    make_authority("middle", "root")
    sign("leaf", "middle", "subjectAltName=IP:127.0.0.1",
      "openssl req -newkey rsa:2048 -nodes -keyout NAME.key -subj /CN=NAME")
    local server = "cd %s && exec openssl s_server -accept 127.0.0.1:0 "
      .. "-cert leaf.pem -key leaf.key -www"
    local pid = tenant.shell(("(%s) >%s/server.log 2>&1 </dev/null & echo $!")
      :format(server:format(folder), folder)):match "%d+"
    finally(function() tenant.shell("kill " .. pid) end)
    local port = tenant.eventually(function()
      return tenant.shell(("cat %s/server.log"):format(folder)):match "ACCEPT 127.0.0.1:(%d+)"
    end)
    local function failure(certificates)
      certificates.base_url = "https://127.0.0.1:" .. port
      certificates.client_id, certificates.client_secret, certificates.scope = false, false, false
      certificates.access_token, certificates.max_attempts = "token", 1
      return select(2, uipath.connect(tenant.options(sandbox, certificates)):get "odata/Machines")
    end
    -- What answers there is no tenant: its page is no JSON, which is known once it is trusted.
    local root, middle = folder .. "/root.pem", folder .. "/middle.pem"
    local other = folder .. "/other.pem"
    assert.equal("network", failure { ca_file = other, ca_dir = directory_of(other) }.kind)
    assert.equal("decode", failure { ca_file = middle, ca_dir = directory_of(root) }.kind)
    assert.equal("decode", failure { ca_file = root, ca_dir = directory_of(middle) }.kind)
  end)
end)

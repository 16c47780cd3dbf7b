-- Token stores: asked before the token endpoint, told what was fetched and refused. In nginx: see nginx_spec.

local assert = require "luassert"
local tenant = require "spec.support.tenant"
local uipath = require "uipath"

local sandbox

setup(function() sandbox = assert(require("uipath.sandbox").start()) end)
teardown(function() sandbox:stop() end)
before_each(function() tenant.control(sandbox, "POST reset") end)

local function token_requests() return tenant.control(sandbox, "GET counters").token_requests end

local function connect(store, changes)
  local options = tenant.options(sandbox, changes)
  options.token_store = store
  return uipath.connect(options)
end

-- A store in a table, which remembers what was asked of it.
local function new_store()
  local store = { entries = {}, log = {} }
  local function note(...) store.log[#store.log + 1] = table.concat({ ... }, " ") end
  function store.load(key)
    note "load"
    store.key = key
    local entry = store.entries[key]
    if entry then return entry[1], entry[2] end
  end
  function store.save(key, token, expires_at)
    note "save"
    store.entries[key] = { token, expires_at }
  end
  function store.drop(key, token)
    note "drop"
    if store.entries[key] and store.entries[key][1] == token then store.entries[key] = nil end
  end
  return store
end

local function output_of(command) return (tenant.shell(command):gsub("\n$", "")) end

local function get(client) return assert(client:get("odata/Machines", { top = 1 })) end

describe("a token store", function()
  it("is asked first, gets what was fetched, and is left alone while that serves", function()
    local store = new_store()
    local client = connect(store)
    get(client)
    get(client)
    assert.same({ "load", "save" }, store.log)
    local entry = store.entries[store.key]
    assert.equal(entry[1], client:access_token())
    assert.is_true(math.abs(entry[2] - os.time() - 3600) <= 20)
    assert.equal("client_credentials", client:token().source)
  end)

  it("spares the token request when it has a token", function()
    local store = new_store()
    get(connect(store))
    local other = new_store()
    other.entries = store.entries
    get(connect(other))
    assert.same({ "load" }, other.log)
    assert.equal(1, token_requests())
  end)

  it("knows tokens by a hash that is the same everywhere and holds no secret", function()
    local store = new_store()
    get(connect(store))
    assert.matches("^%x+$", store.key)
    assert.equal(64, #store.key)
    local other = new_store()
    connect(other, { client_secret = "another" }):get "odata/Machines"
    assert.equal(store.key, other.key)
    connect(other, { scope = "OR.Machines" }):get "odata/Machines"
    assert.not_equal(store.key, other.key)
  end)

  it("loses the token that was refused, and the call is sent again with another", function()
    local store = new_store()
    local client = connect(store)
    get(client)
    tenant.control(sandbox, "POST revoke")
    local _, response = assert(client:get("odata/Machines", { top = 1 }))
    assert.equal(2, response.attempts)
    assert.same({ "load", "save", "drop", "load", "save" }, store.log)
  end)

  it("is not believed when it brings back what was refused", function()
    local store = new_store()
    store.drop = function() end
    local client = connect(store)
    get(client)
    tenant.control(sandbox, "POST revoke")
    get(client)
    assert.equal(2, token_requests())
  end)

  it("is not believed when its token has expired", function()
    local store = new_store()
    store.load = function() return "old", os.time() - 1 end
    get(connect(store))
    assert.equal(1, token_requests())
  end)

  it("gives a token that is refused no more than one chance", function()
    local store = new_store()
    get(connect(store))
    store.entries[store.key] = { "made-up", os.time() + 1000 }
    local other = new_store()
    other.entries = store.entries
    local _, response = assert(connect(other):get("odata/Machines", { top = 1 }))
    assert.equal(2, response.attempts)
    assert.same({ "load", "drop", "load", "save" }, other.log)
  end)

  it("is asked for a later token when the one at hand is near its end, and nobody waits for that", function()
    tenant.control(sandbox, "POST settings", { expires_in = 3 })
    local store, waited = new_store(), 0
    local client = connect(store, { on_event = function(event) if event.type == "token" then waited = waited + 1 end end })
    get(client)
    assert.equal(1, waited)
    -- Again and again, so that one comes in the last fifth of its life and before the last tenth.
    tenant.eventually(function()
      get(client)
      return #store.log >= 4
    end)
    assert.same({ "load", "save", "load", "save" }, store.log)
    assert.equal(1, waited)
  end)

  it("takes a later token from the store without fetching one", function()
    tenant.control(sandbox, "POST settings", { expires_in = 3 })
    local store = new_store()
    local client = connect(store)
    local first = client:access_token()
    tenant.control(sandbox, "POST settings", { expires_in = 3600 })
    local another = new_store()
    get(connect(another))
    store.entries = another.entries
    tenant.eventually(function() return client:access_token() ~= first end)
    assert.equal(another.entries[store.key][1], client:access_token())
    assert.equal(2, token_requests())
  end)

  it("serves calls that were started, and uipath.map", function()
    local store = new_store()
    local client = connect(store)
    local calls = {}
    for i = 1, 5 do calls[i] = client:start("GET", "odata/Machines?$top=" .. i) end
    for i = 5, 1, -1 do assert.equal(i, #assert(calls[i]:wait()).value) end
    local results = uipath.map({ 1, 2, 3 }, function(n) return #assert(client:get("odata/Machines", { top = n })).value end)
    assert.same({ 1, 2, 3, n = 3 }, results)
    assert.equal(1, token_requests())
  end)

  it("that fails to load refuses the call; one that fails otherwise is made do without", function()
    local store = new_store()
    store.load = function() error("the shelf is empty", 0) end
    local value, err = connect(store):get "odata/Machines"
    assert.is_nil(value)
    assert.equal("auth", err.kind)
    assert.matches("token_store%.load: the shelf is empty", err.message)
    local output = tenant.run(sandbox.options, [[
      client = client:with { token_store = { load = function() end, save = function() error("full", 0) end, drop = function() end } }
      print(#assert(client:get "odata/Machines?$top=1").value)
    ]])
    assert.equal("uipath: token_store.save failed: full\n1\n", output)
  end)

  it("with locks lets one fetch", function()
    local store = new_store()
    store.lock = function() store.log[#store.log + 1] = "lock" return true end
    store.unlock = function() store.log[#store.log + 1] = "unlock" end
    get(connect(store))
    assert.same({ "load", "lock", "load", "save", "unlock" }, store.log)
    store.log = {}
    local value = connect(store, { client_secret = "wrong", scope = "OR.Machines" }):get "odata/Machines"
    assert.is_nil(value)
    assert.same({ "load", "lock", "load", "unlock" }, store.log)
  end)

  it("is not needed with a token of one's own", function()
    local store = new_store()
    local client = connect(store, { client_id = false, client_secret = false, scope = false, access_token = "x" })
    assert.equal("option", client:token().source)
    assert.same({}, store.log)
  end)
end)

describe("uipath.store.file", function()
  local folder

  before_each(function() folder = output_of "mktemp -d" end)
  after_each(function() os.execute("rm -rf " .. folder) end)

  it("keeps tokens for the next process, readable by nobody else", function()
    local path = folder .. "/new/folder/tokens"
    for _ = 1, 2 do
      local output = tenant.run(sandbox.options, ([[
        client = client:with { token_store = uipath.store.file %q }
        print(#assert(client:get "odata/Machines?$top=1").value)
      ]]):format(path))
      assert.equal("1\n", output)
    end
    assert.equal(1, token_requests())
    assert.equal("600 700", output_of(("stat -c %%a %s %s/new"):format(path, folder)):gsub("\n", " "))
    assert.equal("tokens", output_of("ls " .. folder .. "/new/folder"))
  end)

  it("holds several, and loses only the one that was refused", function()
    local store = uipath.store.file(folder .. "/tokens")
    local expires_at = os.time() + 100
    store.save("one", "token-1", expires_at)
    store.save("two", "token-2", nil)
    store.save("old", "token-3", os.time() - 1)
    store.drop("one", "another")
    assert.same({ "token-1", expires_at }, { store.load "one" })
    store.drop("one", "token-1")
    assert.is_nil((store.load "one"))
    assert.equal("token-2", (store.load "two"))
    assert.is_nil((store.load "old"))
  end)

  it("keeps what several processes write at once", function()
    local path = folder .. "/tokens"
    local program = ([[
      local store = uipath.store.file %q
      for i = 1, 40 do store.save(("writer%%d-%%d"):format(NUMBER, i), "token", os.time() + 100) end
    ]]):format(path)
    local commands = {}
    for number = 1, 4 do
      commands[number] = tenant.command(sandbox.options, (program:gsub("NUMBER", number))) .. " &"
    end
    assert.equal("", tenant.shell(table.concat(commands, "\n") .. "\nwait"))
    local store = uipath.store.file(path)
    for number = 1, 4 do
      for i = 1, 40 do assert.equal("token", (store.load(("writer%d-%d"):format(number, i)))) end
    end
    assert.equal("tokens\n", tenant.shell("ls -A " .. folder))
  end)

  it("does without entries whose time is none", function()
    local path = folder .. "/tokens"
    local file = assert(io.open(path, "w"))
    file:write "one 99999999999999999999 token-1\ntwo 99999999999 token-2\nthree 12 \nnonsense"
    file:close()
    local store = uipath.store.file(path)
    assert.is_nil((store.load "one"))
    assert.same({ "token-2", 99999999999 }, { store.load "two" })
    store.save("four", "token-4", nil)
    assert.equal("four  token-4\ntwo 99999999999 token-2\n", tenant.shell("cat " .. path))
  end)

  it("leaves alone what is no regular file, and waits for none", function()
    tenant.shell("mkfifo " .. folder .. "/fifo")
    for path, words in pairs {
      [folder .. "/fifo"] = "it is not a regular file", ["/dev/full"] = "it is not a regular file", [folder] = "Is a directory",
    } do
      local store = uipath.store.file(path)
      assert.is_nil((store.load "one"))
      assert.has_error(function() store.save("one", "token", nil) end, ("cannot write %s: %s"):format(path, words))
    end
    assert.equal("fifo\n", tenant.shell("ls -A " .. folder))
  end)

  it("says what it cannot write", function()
    local store = uipath.store.file "/dev/null/tokens"
    assert.is_nil((store.load "one"))
    assert.has_error(function() store.save("one", "token", nil) end, "cannot write /dev/null/tokens: Not a directory")
  end)
end)

describe("uipath.store.shared_dict", function()
  it("is for nginx alone", function()
    assert.error_matches(function() connect(uipath.store.shared_dict "tokens") end, "works in nginx's Lua only")
  end)
end)

describe("uipath.store.redis", function()
  local folder, port

  setup(function()
    folder = output_of "mktemp -d"
    -- The package of tools has the server, too, under the name by which it checks files.
    os.execute(("ln -s $(command -v redis-check-rdb) %s/redis-server"):format(folder))
    for choice = 1, 20 do
      port = 20000 + (tenant.pid() * 7 + choice * 131) % 12000
      local arguments = ("--port %d --bind 127.0.0.1 --requirepass s3cr3t --save '' --daemonize yes --pidfile %s/pid"):format(port, folder)
      os.execute(("cd %s && ./redis-server %s >/dev/null"):format(folder, arguments))
      for _ = 1, 50 do
        if output_of(("redis-cli -p %d -a s3cr3t --no-auth-warning ping 2>&1"):format(port)) == "PONG" then return end
        tenant.sleep(0.05)
      end
    end
    error "redis did not start"
  end)
  teardown(function() os.execute(("kill $(cat %s/pid); rm -rf %s"):format(folder, folder)) end)

  local function redis(words)
    return output_of(("redis-cli -p %d -a s3cr3t --no-auth-warning %s"):format(port, words))
  end

  it("shares tokens between processes, until they expire", function()
    for _ = 1, 2 do
      local output = tenant.run(sandbox.options, ([[
        client = client:with { token_store = uipath.store.redis { port = %d, password = "s3cr3t" } }
        print(#assert(client:get "odata/Machines?$top=1").value)
      ]]):format(port))
      assert.equal("1\n", output)
    end
    assert.equal(1, token_requests())
    local key = redis "keys 'uipath:*'"
    assert.matches("^uipath:token:%x+$", key)
    assert.is_true(tonumber(redis("ttl " .. key)) > 3500)
  end)

  it("drops only the token that was refused, and locks for one at a time", function()
    local store = uipath.store.redis { port = port, password = "s3cr3t", prefix = "test:", database = 1 }
    local expires_at = os.time() + 100
    store.save("one", "token-1", expires_at)
    store.drop("one", "another")
    assert.same({ "token-1", expires_at }, { store.load "one" })
    store.drop("one", "token-1")
    assert.is_nil((store.load "one"))
    assert.is_true(store.lock("one", 10))
    assert.is_false(store.lock("one", 10))
    store.unlock "one"
    assert.is_true(store.lock("one", 10))
  end)

  it("costs a fetch and not the call when it is away, and never tells the password", function()
    local output = tenant.run(sandbox.options, [[
      client = client:with { token_store = uipath.store.redis { port = 1, password = "s3cr3t" } }
      print(#assert(client:get "odata/Machines?$top=1").value)
    ]])
    assert.equal("uipath: token_store.save failed: redis at 127.0.0.1:1: connection refused\n1\n", output)
    local store = uipath.store.redis { port = port, password = "wr0ng" }
    local ok, err = pcall(store.save, "one", "token", nil)
    assert.is_false(ok)
    assert.matches("WRONGPASS", err)
    assert.is_nil(err:find("wr0ng", 1, true))
  end)

  it("takes away its own lock alone", function()
    local store = uipath.store.redis { port = port, password = "s3cr3t", prefix = "locks:" }
    assert.is_true(store.lock("one", 10))
    redis "set locks:lock:one another"
    store.unlock "one"
    assert.equal("another", redis "get locks:lock:one")
    redis "del locks:lock:one"
    assert.is_true(store.lock("one", 10))
    store.unlock "one"
    assert.equal("", redis "get locks:lock:one")
  end)

  it("speaks TLS, with the host that the certificate is for alone", function()
    if not pcall(require, "ssl") then
      assert.error_matches(function() connect(uipath.store.redis { tls = true }) end, "needs LuaSec")
      return
    end
    tenant.shell(([[
      cd %s
      openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 2 -keyout key.pem -out here.pem \
        -subj /CN=here -addext subjectAltName=IP:127.0.0.1
      openssl req -x509 -key key.pem -days 2 -out elsewhere.pem -subj /CN=elsewhere -addext subjectAltName=DNS:elsewhere]]):format(folder))
    local words = "config set tls-auth-clients no tls-key-file %s/key.pem tls-cert-file %s/%s.pem tls-ca-cert-file %s/%s.pem tls-port %d"
    local tls_port = port + 1
    local function store(ca)
      return uipath.store.redis { port = tls_port, password = "s3cr3t", tls = true, ca_file = folder .. "/" .. ca .. ".pem", prefix = ca }
    end
    assert.equal("OK", redis(words:format(folder, folder, "here", folder, "here", tls_port)))
    store("here").save("one", "token-1", nil)
    assert.equal("token-1", (store("here").load "one"))
    assert.error_matches(function() store("elsewhere").save("one", "token-1", nil) end, "certificate verify failed")
    assert.equal("OK", redis(words:format(folder, folder, "elsewhere", folder, "elsewhere", tls_port)))
    assert.error_matches(function() store("elsewhere").save("one", "token-1", nil) end, "the certificate names another host")
  end)

  it("is another for other options", function()
    local store = uipath.store.redis { port = port, password = "s3cr3t" }
    assert.equal(store, uipath.store.redis { port = port, password = "s3cr3t" })
    assert.not_equal(store, uipath.store.redis { port = port, password = "n3w" })
    assert.not_equal(store, uipath.store.redis { port = port, password = "s3cr3t", timeout = 3 })
  end)

  it("names options that it does not know", function()
    assert.error_matches(function() uipath.store.redis { hots = "x" } end, "unknown option 'hots'")
  end)
end)

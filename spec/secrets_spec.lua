-- Nothing secret in what anybody may print: errors, events, tostring, the process's own output.

local assert = require "luassert"
local tenant = require "spec.support.tenant"
local uipath = require "uipath"

local CLIENT_SECRET = "cl1ent&s3cret/+="
local TOKEN = "eyJhbGciOiJub25lIn0.t0k3n-of-the-option.c2ln"
local PASSWORD = "pr0xy-passw0rd"

-- No text may hold any of these, in whatever case.
local forbidden = {
  CLIENT_SECRET, "cl1ent%26s3cret", TOKEN, "t0k3n-of", PASSWORD, "dXNlcjpwcjB4eS1wYXNzdzByZA", -- user:pr0xy-passw0rd
  "Authorization:", "Bearer ey", "Bearer rt_",
}

local sandbox

setup(function() sandbox = assert(require("uipath.sandbox").start({ tls = true, client_secret = CLIENT_SECRET })) end)
teardown(function() sandbox:stop() end)

-- Checks a value and everything in it, keys included.
local function expect_no_secret(value, seen)
  seen = seen or {}
  if type(value) == "table" and not seen[value] then
    seen[value] = true
    for key, each in pairs(value) do
      expect_no_secret(key, seen)
      expect_no_secret(each, seen)
    end
    expect_no_secret(tostring(value), seen)
  elseif type(value) == "userdata" then
    expect_no_secret(tostring(value), seen)
  elseif type(value) == "string" then
    for _, secret in ipairs(forbidden) do
      assert.is_nil(value:lower():find(secret:lower(), 1, true), value)
    end
  end
end

-- What client credentials fetch is a secret, too.
local function forbid_token_of(client)
  local token = assert(client:access_token())
  forbidden[#forbidden + 1] = token
  forbidden[#forbidden + 1] = token:match "^[^.]+%.[^.]+%."
end

local faults = {
  "reset", "reset_in_body", "close", "truncated", "stall", "stall_in_body", "not_http", "bad_chunk", "gzip_broken", "endless",
  "invalid_json", "cut_json", "html", "html_as_json", "status/400", "status/401", "status/403", "status/404", "status/408", "status/409",
  "status/429", "status/500", "status/503/0", "gateway/502", "redirect/302/other", "redirect/302/loop", "redirect/302/nowhere",
  "error/orchestrator", "error/forbidden", "error/unauthenticated", "error/identity_scope", "error/identity_oauth", "error/validation",
  "error/bulk", "error/multi_status", "error/storage", "error/html", "error/data_fabric",
}

local token_faults = {
  "not_json", "array", "html", "wrong_url", "no_token", "empty_token", "number_token", "newline_token", "empty", "endless", "stall",
  "reset",
  "refuse/invalid_client", "refuse/invalid_scope", "status/401", "status/503/0", "gateway/502", "redirect/302/other", "unknown", "opaque",
}

describe("no secret is", function()
  it("in any error or event of a call, in tostring of what it has to do with", function()
    local events = {}
    local client = uipath.connect(tenant.fault_options(sandbox, {
      access_token = TOKEN, max_attempts = 2, max_response_bytes = 100000, on_event = function(event) events[#events + 1] = event end,
    }))
    expect_no_secret(tostring(client))
    for _, fault in ipairs(faults) do
      for _, method in ipairs { "GET", "POST" } do
        local call = client:start(method, "fault/" .. fault, { timeout = 0.7 })
        expect_no_secret(tostring(call))
        local value, result = call:wait()
        if value == nil then assert.is_true(uipath.is_error(result)) end
        expect_no_secret(result)
        expect_no_secret(tostring(call))
      end
    end
    assert.is_true(#events > 2 * #faults)
    expect_no_secret(events)
  end)

  it("in any error or event about a token", function()
    local events = {}
    for _, fault in ipairs(token_faults) do
      local client = uipath.connect(tenant.token_options(sandbox, fault, {
        max_attempts = 2, timeout = 0.7, on_event = function(event) events[#events + 1] = event end, tenant = sandbox.options.tenant,
      }))
      for _, name in ipairs { "token", "get" } do
        local value, result = client[name](client, "odata/Machines")
        if name == "get" then assert.is_nil(value) end
        expect_no_secret(value)
        expect_no_secret(result)
      end
      expect_no_secret(tostring(client))
    end
    assert.is_true(#events > 0)
    expect_no_secret(events)
  end)

  it("in what a server echoes of it", function()
    local client = uipath.connect(tenant.options(sandbox, { base_url = sandbox.fault_url }))
    forbid_token_of(client)
    local token = forbidden[#forbidden - 1]
    local _, err = client:get('fault/scalar/{"echo":"' .. token)
    assert.equal("decode", err.kind)
    assert.equal('{"echo":"***', err.body)
    expect_no_secret(err)
    -- A secret that goes into the path of a token endpoint as it is.
    local other = assert(require("uipath.sandbox").start({ client_secret = "pla1n-secret" }))
    forbidden[#forbidden + 1] = "pla1n-secret"
    for _, fault in ipairs { "refuse/pla1n-secret", "refuse/access_denied/pla1n-secret" } do
      local given = tenant.token_options(other, fault, { identity_url = other.fault_url .. "/token/" .. fault })
      err = select(2, uipath.connect(given):get "fault/ok")
      assert.equal("auth", err.kind)
      assert.is_truthy((err.code .. err.message):find("***", 1, true))
      expect_no_secret(err)
    end
    other:stop()
  end)

  it("in an error or the output of a process that goes through a proxy, whatever libcurl would say of it", function()
    local proxy = tenant.proxy(tonumber(sandbox.wrong_host_url:match ":(%d+)$"), "dXNlcjpwcjB4eS1wYXNzdzByZA==")
    local url = "http://user:" .. PASSWORD .. "@127.0.0.1:" .. proxy.port
    local given = tenant.options(sandbox, { base_url = "https://elsewhere.invalid", proxy = url })
    local output, status = tenant.run(given, [[
      assert(client:get("odata/Machines", { top = 1 }))
      assert(client:get("odata/Machines", { top = 1 }))
      print(client, select(2, client:get "odata/Nothing"))
      print(select(2, client:with{ timeout = 0.001, connect_timeout = 7 }:get "odata/Machines"))
    ]])
    assert.equal(0, status)
    assert.is_truthy(output:find "uipath.client")
    expect_no_secret(output)
    proxy.stop()
    local events = {}
    local passwords = { PASSWORD, "a@" .. PASSWORD, PASSWORD .. "/@x", "a/" .. PASSWORD, PASSWORD .. "%2F%40", "#" .. PASSWORD .. "?" }
    local proxies = { "http://user:%s@127.0.0.1:" .. proxy.port, "http://user:%s@no-such-proxy.invalid:1", "socks5://user:%s@127.0.0.1:1" }
    for _, password in ipairs(passwords) do
      for _, broken in ipairs(proxies) do
        local _, err = uipath.connect(tenant.options(sandbox, {
          base_url = "https://elsewhere.invalid", proxy = broken:gsub("%%s", (password:gsub("%%", "%%%%"))), max_attempts = 1,
          on_event = function(event) events[#events + 1] = event end,
        })):get "odata/X"
        assert.equal("network", err.kind)
        expect_no_secret(err)
      end
    end
    assert.is_true(#events > 0)
    expect_no_secret(events)
  end)

  it("in what others see of the processes of a sandbox", function()
    -- While it starts and afterwards.
    local seen, listing = tenant.shell "mktemp":match "%S+", "cat /proc/[0-9]*/cmdline 2>/dev/null | tr '\\0' ' '"
    local watcher = assert(io.popen(("while [ -e %s ]; do %s; done; %s"):format(seen, listing, listing)))
    local secret = ("unseen %d %d"):format(tenant.pid(), os.time()) -- this run's, and no other's
    local other = assert(require("uipath.sandbox").start({ client_secret = secret }))
    os.remove(seen)
    local text = watcher:read "*a"
    watcher:close()
    other:stop()
    assert.is_truthy(text:find("uipath-sandbox", 1, true))
    assert.is_nil(text:find(secret, 1, true))
  end)

  it("in what uipath.connect raises", function()
    for _, options in ipairs {
      { client_secret = CLIENT_SECRET, client_id = 5 }, { client_secret = CLIENT_SECRET .. "\n", client_id = "id" },
      { access_token = TOKEN .. "\n" }, { access_token = "Bearer " .. TOKEN }, { access_token = TOKEN, client_secret = CLIENT_SECRET },
      { access_token = TOKEN, organization = 5 }, { acces_token = TOKEN },
      { access_token = TOKEN, proxy = "http://user:" .. PASSWORD .. "@a\nb" },
      { access_token = TOKEN, proxy = "ftp://user:" .. PASSWORD .. "@proxy.example" },
      { access_token = TOKEN, proxy = PASSWORD .. ":p@h:x" },
      { access_token = TOKEN, base_url = "https://user:" .. PASSWORD .. "@uipath.example" },
    } do
      options.organization = options.organization or "acme"
      local ok, message = pcall(uipath.connect, options)
      assert.is_false(ok)
      assert.is_nil(message:find("t0k3n", 1, true))
      assert.is_nil(message:find("s3cret", 1, true))
      assert.is_nil(message:find(PASSWORD, 1, true))
    end
  end)

  it("written by libcurl: what it says goes to a callback of ours alone", function()
    local root = package.searchpath("uipath.sandbox", package.path):match "^(.*)/uipath/sandbox%.lua$" -- luacheck: ignore 143
    local function grep(what) return tenant.shell(("cd %s && grep -roE '%s' ."):format(tenant.quoted(root), what)) end
    -- In one place it is made to speak, where the callback has been set before.
    assert.equal("", grep "CURLOPT_STDERR")
    assert.equal("./engine/words.c:CURLOPT_DEBUGFUNCTION, callback\n", grep "CURLOPT_DEBUGFUNCTION[^)]*")
    assert.equal("./engine/words.c:CURLOPT_VERBOSE\n", grep "CURLOPT_VERBOSE")
    assert.equal("./engine/words.c:if (is_listening)\n", grep "if .is_listening.")
    -- The callback looks at nothing but lines, and keeps none.
    local file = assert(io.open(root .. "/engine/sending.c"))
    local callback = file:read("*a"):match "\nstatic int on_words%(.-\n}\n"
    file:close()
    assert.is_truthy(callback:find("if (type != CURLINFO_TEXT) return 0;", 1, true))
    local _, uses = callback:gsub("text", "")
    assert.equal(2, uses) -- its parameter, and what words_read is asked
    -- And it writes nothing where a call goes right, wrong or on and on, over HTTP/1.1 and HTTP/2.
    local output = tenant.run(tenant.options(sandbox, { max_attempts = 2 }), ([[
      assert(client:get("odata/Machines", { top = 1 }))
      client:get "odata/Nothing"
      local faults = client:with{ base_url = %q, timeout = 0.5 }
      for _, fault in ipairs { "ok", "reset", "truncated", "stall", "not_http", "redirect/302/other" } do faults:get("fault/" .. fault) end
    ]]):format(sandbox.fault_url))
    assert.equal("", output)
  end)
end)

-- For specs inside nginx: one whose Lua has clients of a sandbox that this starts, at its fault
-- port.

local assert = require "luassert"
local json = require("uipath").json
local nginx = require "spec.support.nginx"

local support = {}

local sandbox, servers

-- The module for nginx's Lua; another file of specs may build it at the same time.
local BUILD = [[
  mkdir -p build
  exec flock build/nginx-specs env -u LUA_PATH -u LUA_CPATH make -s LUA=luajit SANITIZE= module
]]
assert(os.execute(BUILD), "the build for LuaJIT failed")

---Before all specs of a file.
function support.setup()
  sandbox = assert(require("uipath.sandbox").start())
end

---After them.
function support.teardown()
  sandbox:stop()
end

---Before each spec.
function support.before_each()
  servers = {}
  support.control("reset", "")
end

---After each spec.
function support.after_each()
  for _, server in ipairs(servers) do server:stop() end
end

---Asks the sandbox or, with a body, tells it something. Gives its answer.
---@param action string
---@param body? string
---@return table
function support.control(action, body)
  local data = body and "-d '" .. body .. "'" or ""
  local command = ("curl -s %s %s/control/%s"):format(data, sandbox.fault_url, action)
  return assert(json.decode(nginx.output_of(command)))
end

---@return table
function support.counters()
  return support.control "counters"
end

---Looks until the check holds, for some seconds at most (and so many more): for what another
---process does in its own time.
---@param check fun(): any
---@param more? number
function support.eventually(check, more)
  for _ = 1, 200 + (more or 0) * 20 do
    if check() then return true end
    os.execute("sleep 0.05")
  end
  return check()
end

-- Global functions for the handlers: connect(changes), at the fault port, and what they say.
local SETUP = [[
  uipath = require "uipath"
  function connect(changes)
    local options = %s
    for name, value in pairs(changes or {}) do options[name] = value end
    return uipath.connect(options)
  end
  function say(value, err)
    ngx.say(type(value) == "table" and #value.value or tostring(value or err))
  end
]]

local function setup_code()
  local parts = {}
  for name, value in pairs(sandbox.options) do
    parts[#parts + 1] = ("%s = %q"):format(name, value)
  end
  parts[#parts + 1] = ("base_url = %q"):format(sandbox.fault_url)
  return SETUP:format("{ " .. table.concat(parts, ", ") .. " }")
end

---Starts nginx. Its Lua has `client`, unless options.init says otherwise.
---@param server string locations
---@param options? table  those of spec.support.nginx's start, and init: Lua code
---@return spec.nginx
function support.start(server, options)
  options = options or {}
  local started = nginx.start {
    workers = options.workers, log_level = options.log_level, init_worker = options.init_worker,
    main = options.main, reuse_port = options.reuse_port,
    server = server,
    http = ("init_by_lua_block { %s %s }\n%s")
      :format(setup_code(), options.init or "client = connect()", options.http or ""),
  }
  servers[#servers + 1] = started
  return started
end

---@param server spec.nginx
function support.expect_clean(server)
  local log = server:log()
  for _, level in ipairs { "error", "crit", "alert", "emerg" } do
    assert.is_nil(log:find("[" .. level .. "]", 1, true), log)
  end
end

support.SLOW = [[
  location /slow {
    content_by_lua_block { say(client:get("odata/fault/slow/" .. (ngx.var.arg_seconds or "0.3"))) }
  }
]]

return support

-- For specs that talk to a sandbox: clients for it, its control port, time, and programs in processes of their own.

local cjson = require "cjson"
local socket = require "socket"
local system = require "system"

local tenant = {}

-- Instrumented builds and a collector at its most aggressive are slower; only bounds of time may know.
tenant.SLOWER = ({ plain = 1, gc = 2, asan = 4, tsan = 8, valgrind = 30, coverage = 10 })[os.getenv "SUITE" or "plain"]

-- How late after an event or a deadline a caller may be told of it, in seconds.
tenant.LATE = 0.5 * tenant.SLOWER

-- The interpreter that runs this spec.
tenant.interpreter = os.getenv "LUA" or (jit and "luajit" or _VERSION:lower():gsub(" ", ""))

---@return number seconds of a clock that never jumps
function tenant.now()
  return system.monotime()
end

tenant.sleep = system.sleep

---@return integer this process's id
function tenant.pid()
  local stat = assert(io.open "/proc/self/stat")
  local pid = stat:read "*n"
  stat:close()
  return math.floor(pid)
end

---Runs a function and measures it.
---@return number seconds
---@return any ... the function's results
function tenant.timed(run, ...)
  local began = tenant.now()
  local function measured(...)
    return tenant.now() - began, ...
  end
  return measured(run(...))
end

-- So long a busy machine may make each try late before that counts as ours, in seconds.
local BUSY = 60 * tenant.SLOWER

---Runs a function that gives how long something took, until that is less than so many seconds: a
---busy machine makes it late again and again, a fault of ours each time. What else is expected must
---hold each time.
---@param bound number seconds
---@param run fun(): number, ...
---@return number seconds
---@return any ... the function's further results
function tenant.in_time(bound, run)
  local began = tenant.now()
  local function tried(seconds, ...)
    if seconds < bound or tenant.now() - began > BUSY then return seconds, ... end
    return tried(run())
  end
  return tried(run())
end

---Waits until a call is done or wants something of the program, without driving it.
---@param call uipath.Call
function tenant.await_signal(call)
  local watched = { getfd = function() return call:fd() end }
  assert(#socket.select({ watched }, {}, 10 * tenant.SLOWER) == 1, "it has not come about")
end

---Options for the sandbox's tenant; `false` leaves one out.
---@param sandbox uipath.sandbox.Sandbox
---@param changes? table
---@return table
function tenant.options(sandbox, changes)
  local options = {}
  for name, value in pairs(sandbox.options) do options[name] = value end
  for name, value in pairs(changes or {}) do
    if value == false then options[name] = nil else options[name] = value end
  end
  return options
end

---Options for the sandbox's fault port with a token that needs no fetching.
function tenant.fault_options(sandbox, changes)
  local options = {
    organization = "acme", tenant = "T", base_url = sandbox.fault_url, access_token = "a-fixed-token", timeout = 20, max_attempts = 1,
  }
  for name, value in pairs(changes or {}) do
    if value == false then options[name] = nil else options[name] = value end
  end
  return options
end

---Options for the fault port with client credentials and a token endpoint that misbehaves: a path of token_faults.lua.
function tenant.token_options(sandbox, fault, changes)
  local options = tenant.fault_options(sandbox, {
    access_token = false, identity_url = sandbox.fault_url .. "/token/" .. fault, client_id = sandbox.options.client_id,
    client_secret = sandbox.options.client_secret, scope = sandbox.options.scope,
  })
  for name, value in pairs(changes or {}) do
    if value == false then options[name] = nil else options[name] = value end
  end
  return options
end

local keys = 0

---A word that no other spec of this process uses: it keeps paths of the fault port apart.
function tenant.new_key()
  keys = keys + 1
  return "key" .. keys
end

---@return string the word as the shell must have it
function tenant.quoted(word)
  return "'" .. word:gsub("'", "'\\''") .. "'"
end

---Runs a shell command.
---@return string what it wrote, errors included
function tenant.shell(command)
  local pipe = assert(io.popen("{ " .. command .. "; } 2>&1"))
  local output = pipe:read("*a")
  pipe:close()
  return output
end

---Asks the sandbox's control port, by curl: nothing of ours is in the way.
---@param sandbox uipath.sandbox.Sandbox
---@param action string such as "GET counters" or "POST settings"
---@param body? table
---@return table
function tenant.control(sandbox, action, body)
  local method, name = action:match("^(%u+) (%w+)$")
  local command = ("curl -sS -X %s --data-binary %s %s/control/%s"):format(
    method, tenant.quoted(body and cjson.encode(body) or ""), sandbox.fault_url, name)
  return cjson.decode(tenant.shell(command))
end

---How often the sandbox has been asked for a path since its last reset.
function tenant.count(sandbox, path)
  return tenant.control(sandbox, "GET counters").paths[path] or 0
end

---Waits until a condition holds.
---@param condition fun(): any
---@param seconds? number default 10
---@return any what the condition gave
function tenant.eventually(condition, seconds)
  local deadline = tenant.now() + (seconds or 10) * tenant.SLOWER
  while true do
    local result = condition()
    if result then return result end
    assert(tenant.now() < deadline, "it has not come about")
    tenant.sleep(0.01)
  end
end

-- A Lua table constructor for a flat table.
local function literal(fields)
  local parts = {}
  for name, value in pairs(fields) do
    parts[#parts + 1] = name .. "=" .. (type(value) == "string" and ("%q"):format(value) or tostring(value))
  end
  return "{" .. table.concat(parts, ",") .. "}"
end

-- A program that comes after `uipath` and `client` have been made.
local function with_prelude(options, program)
  return ([[
    package.path, package.cpath = %q, %q
    uipath = require "uipath"
    client = uipath.connect(%s)
    io.stdout:setvbuf "line"
  ]]):format(package.path, package.cpath, literal(options)) .. program
end

---A command that runs a program in a process of its own, where `uipath` and `client` are there.
---@param options table for uipath.connect: a flat table without functions
---@param program string Lua
---@return string
function tenant.command(options, program)
  return tenant.interpreter .. " -e " .. tenant.quoted(with_prelude(options, program))
end

-- What a command writes, of both kinds, and its status: 128 + n for signal n.
local function run(command)
  local output = tenant.shell(command .. "; echo \"status $?\"")
  local before, status, after = output:match("^(.*)status (%d+)\n(.*)$")
  return before .. after, tonumber(status)
end

---Runs a program in a process of its own.
---@return string output
---@return integer status
function tenant.run(options, program)
  return run(tenant.command(options, program))
end

---The path of one of the programs in spec/support.
function tenant.program(name)
  return os.getenv "SUITE_BUILD" .. "/support/" .. name
end

---Starts spec/support/proxy.c in front of a port.
---@param port integer
---@param mode? string
---@return { port: integer, stop: fun(): string[], await: fun() } proxy stop gives the requests that
---it got; await waits for a connection
function tenant.proxy(port, mode)
  local command = ("exec %s %d %s"):format(tenant.program "proxy", port, tenant.quoted(mode or ""))
  local pipe = assert(io.popen(command))
  local pid, own_port = pipe:read("*l"):match "^ready (%d+) (%d+)$"
  local proxy = { port = math.floor(tonumber(own_port)) }
  -- Of mode stall: it says so as soon as it has one.
  function proxy.await()
    assert(pipe:read "*l" == "connection", "it has no connection")
  end
  function proxy.stop()
    os.execute("kill " .. pid)
    local requests = {}
    for line in pipe:lines() do requests[#requests + 1] = line end
    pipe:close()
    return requests
  end
  return proxy
end

---Runs a program in spec/support/host.c, which gives it the functions of `host`.
---@param threads? integer each runs the program in a Lua state of its own
---@param variables? string environment variables, as a shell takes them before a command
---@return string output
---@return integer status
function tenant.host(options, program, threads, variables)
  local name = os.tmpname()
  local file = assert(io.open(name, "w"))
  file:write(with_prelude(options, program))
  file:close()
  local text, status = run(("%s %s %s --threads %d %s")
    :format(variables or "", os.getenv "WRAPPER" or "", tenant.program "host", threads or 1, name))
  os.remove(name)
  return text, status
end

return tenant

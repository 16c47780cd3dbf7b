--- The bundled tenant: an imitation of UiPath's cloud services that runs in nginx with its Lua
--- module, on free ports of 127.0.0.1, for trying things out and for testing one's own scripts.
---
---     local sandbox = assert(require("uipath.sandbox").start())
---     local client = require("uipath").connect(sandbox.options)
---     …
---     sandbox:stop()
---
--- A sandbox that is not stopped ends with the process that started it, however that ends, and
--- leaves nothing behind. It is held by this module until then: no reference needs to be kept.

local configuration = require("uipath.sandbox.configuration")
local supervisor = require("uipath.sandbox.supervisor")

local sandboxes = {}

--- Attempts to find ports that nobody else takes in the same moment.
local MAX_PORT_CHOICES = 20

--- Ports are chosen below the range from which Linux takes those of outgoing connections.
local FIRST_PORT, LAST_PORT = 10240, 32767

---@class uipath.sandbox.Options
---@field organization? string  default "acme"
---@field tenant? string  default "DefaultTenant"
---@field client_id? string  the App ID that the sandbox accepts
---@field client_secret? string  the App Secret that goes with it
---@field scope? string  the scopes that the client asks for; default: all that the sandbox knows
---@field expires_in? integer  the lifetime of a token in seconds, default 3600
---@field latency? number  seconds that every reply of the tenant is held back, default 0
---@field page_size? integer  the server ends its pages after so many rows and sends a nextLink
---@field tls? boolean  serve https (HTTP/2 and HTTP/1.1) as well, and let the client use that

---@class uipath.sandbox.Sandbox
---@field options table  goes into `uipath.connect`
---@field base_url string  of the tenant: https with `tls = true`, http otherwise
---@field http_url string  of the tenant by plain http
---@field storage_url string  of the host that keeps the files of buckets and exports
---@field fault_url string  of the port that misbehaves and of `/control`
---@field ca_file? string  certificate of the authority that vouches for the server, with `tls`
---@field wrong_host_url? string  of a server whose certificate names another host, with `tls`
---@field expired_url? string  of a server whose certificate has expired, with `tls`
---@field folder string  private folder with nginx's configuration and error log
---@field pid integer  of nginx
local Sandbox = {}
Sandbox.__index = Sandbox

function Sandbox:__tostring()
  return "uipath sandbox at " .. self.base_url
end

--- The sandboxes that run, so that none is collected while a client still uses its address.
local running = {}

--- Ends a sandbox and returns when its process and its folder are gone. Further calls do nothing.
function Sandbox:stop()
  if not running[self] then return end
  running[self] = nil
  -- A line and not only the end of file: another child of this process may hold the pipe open.
  self._starter:write("stop\n")
  self._starter:close()
  self._output:read("*a")
  self._output:close()
end

--- What went wrong at run time, in the shape of the errors of `uipath`.
local Failure = {}
Failure.__index = Failure

function Failure:__tostring()
  return self.message
end

local function failure(message)
  return setmetatable({ kind = "failed", message = "sandbox: " .. message }, Failure)
end

--- How nginx recognises the process that started it: its id and, as ids are used again, the time of
--- its start.
---@return string|nil identity
local function own_identity()
  local file = io.open("/proc/self/stat")
  if not file then return nil end
  local pid, rest = file:read("*a"):match("^(%d+) %(.*%) (.*)$")
  file:close()
  local fields = {}
  for field in rest:gmatch("%S+") do fields[#fields + 1] = field end
  return pid .. " " .. fields[20]
end

--- Random numbers that leave the generator of `math.random` to its user.
---@return fun(first: integer, last: integer): integer
local function random_source()
  local file = assert(io.open("/dev/urandom", "rb"))
  return function(first, last)
    local a, b, c = file:read(3):byte(1, 3)
    return first + (a * 65536 + b * 256 + c) % (last - first + 1)
  end
end

--- Chooses a different port for each name.
local function choose_ports(names, random)
  local ports, taken = {}, {}
  for _, name in ipairs(names) do
    local port
    repeat port = random(FIRST_PORT, LAST_PORT) until not taken[port]
    taken[port] = true
    ports[name] = port
  end
  return ports
end

--- The folder below which the sandbox's own modules are found.
local function module_root()
  -- Lua 5.1 has no searchpath, LuaJIT has.
  local path = assert(package.searchpath("uipath.sandbox", package.path)) -- luacheck: ignore 143
  return path:match("^(.*)/uipath/sandbox%.lua$") or "."
end

--- Reads what the supervisor and nginx say until nginx is ready.
---@return table|nil started  folder and pid
---@return string|nil problem  what was said instead
---@return boolean|nil collision  a port was taken
local function await_ready(output)
  local said, folder = {}, nil
  for line in output:lines() do
    local pid = line:match("^ready (%d+)$")
    if pid then return { folder = folder, pid = tonumber(pid) } end
    if line:find("^folder ") then
      folder = line:match("^folder (.*)$")
    elseif line:find("failed (98:", 1, true) then
      return { folder = folder }, line, true
    else
      said[#said + 1] = line
    end
  end
  return nil, table.concat(said, "\n")
end

--- What to do about a module in C that nginx's LuaJIT has not found. A package of Debian's helps only
--- a LuaJIT that looks in Debian's folder; OpenResty has its own LuaJIT, which looks elsewhere.
---@param module string
---@param said string  with the places where it was looked for
---@return string
local function explain_missing(module, said)
  local folders, first, own = {}, nil, false
  for folder in said:gmatch("no file '([^'\n]*)/" .. module .. "%.so'") do
    if folder:find("^/usr/lib/[^/]+/lua/5%.1$") then
      return ("nginx's Lua needs %s: apt-get install lua-%s"):format(module, module)
    end
    if folder:find("^/") then folders[#folders + 1] = folder end
    -- LuaRocks has /usr/local for its own; any other tree must be named.
    local root = folder:match("^(/.*)/lib/lua/5%.1$")
    if root then
      first = first or root
      own = own or root == "/usr/local"
    end
  end
  local tree = first and not own and "--tree " .. first .. " " or ""
  return ("nginx's Lua needs %s: luarocks --lua-version 5.1 %sinstall %s%s"):format(module, tree, module,
    #folders > 0 and " (this nginx looks for it in " .. table.concat(folders, ", ") .. ")" or "")
end

--- Turns the words of nginx and the supervisor into what a user can do about it.
local function explain(said)
  local missing = said:match("missing (%S+)")
  if missing == "openssl" then
    return "openssl is needed for tls: apt-get install openssl"
  elseif missing == "nginx" or said:find('unknown directive "lua', 1, true) then
    return "nginx with its Lua module is needed: "
      .. "apt-get install nginx-light libnginx-mod-http-lua"
  elseif missing then
    return missing .. " is needed: apt-get install coreutils util-linux"
  end
  local module = said:match("module '([^']+)' not found")
  if module == "cjson" or module == "lpeg" then return explain_missing(module, said) end
  return "nginx did not start: " .. (said ~= "" and said or "it ended without a word")
end

--- Starts one supervisor with the ports given.
---@return table|nil started  folder, pid, starter and output
---@return string|nil problem
---@return boolean|nil collision  nothing is wrong, but other ports must be chosen
local function launch(options, ports, identity)
  local path = os.tmpname() -- nobody else may read it
  local file = assert(io.open(path, "w"))
  file:write(configuration.text(options, ports, identity))
  file:close()
  local output = assert(io.popen(supervisor.command {
    configuration = path,
    root = module_root(),
    tls = options.tls,
    keep_lua_path = rawget(_G, "jit") ~= nil,
  }, "r"))
  local started, problem, collision = await_ready(output)
  os.remove(path) -- in case that it has not come to that
  if not started then
    output:close()
    return nil, problem
  end
  local starter = io.open(started.folder .. "/starter", "w")
  if not starter then
    output:close()
    return nil, "the sandbox was ended while it started"
  end
  starter:setvbuf("no")
  started.starter, started.output = starter, output
  if not collision then return started end
  starter:write("stop\n")
  starter:close()
  output:read("*a")
  output:close()
  return nil, problem, true
end

--- Starts a sandbox. Raises on options that do not exist or have a wrong type.
---@param options? uipath.sandbox.Options
---@return uipath.sandbox.Sandbox|nil sandbox
---@return table|nil error  with kind and message: what is missing on this machine
function sandboxes.start(options)
  options = configuration.complete(options)
  local identity = own_identity()
  if not identity then return nil, failure("Linux's /proc is needed") end
  local random = random_source()
  local started, problem, collision
  for _ = 1, MAX_PORT_CHOICES do
    local ports = choose_ports(configuration.port_names(options), random)
    started, problem, collision = launch(options, ports, identity)
    if started then
      local sandbox = setmetatable({
        folder = started.folder, pid = started.pid,
        _starter = started.starter, _output = started.output,
      }, Sandbox)
      configuration.describe(sandbox, options, ports)
      running[sandbox] = true
      return sandbox
    end
    if not collision then break end
  end
  return nil, failure(collision and "no free port was found" or explain(problem))
end

--- The options of a sandbox's client with what the caller's own options add to them.
local function merged(options, given)
  local all = {}
  for name, value in pairs(options) do all[name] = value end
  for name, value in pairs(given or {}) do
    if value ~= false or all[name] == nil then all[name] = value end
  end
  return all
end

--- A client of the tenant that the options, the environment or a profile name; where none of them
--- names one, of a sandbox that ends with this process. Says on standard error which of them it is,
--- so that nobody takes the one for the other. Raises what `uipath.connect` raises, and why a
--- sandbox cannot be started.
---@param options? uipath.ConnectOptions
---@return uipath.Client client
---@return uipath.sandbox.Sandbox|nil sandbox  where the client is one's
function sandboxes.connect(options)
  local uipath = require("uipath")
  local function connected(with) -- or raises, as if the caller had called uipath.connect
    local ok, client = pcall(uipath.connect, with)
    return ok and client or error(client, 3)
  end
  local known, origin = pcall(require("uipath.internal").tenant_origin, options)
  if not known then error(origin, 2) end
  if origin then
    local client = connected(options)
    local tenant = tostring(client):match("%((.*)%)$")
    io.stderr:write(("This is %s, as %s says.\n"):format(tenant, origin))
    return client
  end
  local sandbox, err = sandboxes.start()
  if not sandbox then error(tostring(err), 2) end
  local client = connected(merged(sandbox.options, options))
  io.stderr:write("This is the bundled sandbox: no option, UIPATH_* variable or profile names a tenant.\n")
  return client, sandbox
end

return sandboxes

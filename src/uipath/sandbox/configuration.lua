--- What a sandbox is started with: its options, and the nginx.conf made from them.

local configuration = {}

--- Every scope that the sandbox's endpoints ask for; `X` stands for `X`, `X.Read` and `X.Write`.
local RESOURCES = {
  "OR.Machines", "OR.Jobs", "OR.Folders", "OR.Queues", "OR.Administration", "OR.Execution",
  "OR.Assets", "OR.Monitoring", "OR.Audit",
  "OR.TestSets", "OR.TestSetExecutions",
  "TM.Projects", "TM.Requirements", "TM.TestCases", "TM.Users",
  "TM.TestSets", "TM.TestExecutions", "TM.Attachments",
  "PM.User", "PM.Group", "PM.RobotAccount",
}

local DEFAULTS = {
  organization = "acme",
  tenant = "DefaultTenant",
  client_id = "3d5a7c1e-0f7b-4c55-9b1e-2f6f0c9d8a11",
  client_secret = "sandbox-secret",
  scope = table.concat(RESOURCES, " "),
  expires_in = 3600,
  latency = 0,
  page_size = false,
  tls = false,
}

local function is_segment(value)
  return type(value) == "string" and value:find("^[%w._~-]+$") ~= nil
end

local function is_printable(value)
  return type(value) == "string" and value:find("^[\32-\126]+$") ~= nil
end

local function is_amount(value)
  return type(value) == "number" and value >= 0 and value < 1e9
end

local function is_count(value)
  return type(value) == "number" and value >= 1 and value % 1 == 0
end

local function is_boolean(value)
  return type(value) == "boolean"
end

--- What each option must be: a test and its words.
local RULES = {
  organization = { is_segment, "letters, digits and ._~-" },
  tenant = { is_segment, "letters, digits and ._~-" },
  client_id = { is_printable, "printable text" },
  client_secret = { is_printable, "printable text" },
  scope = { is_printable, "scopes with spaces between them" },
  expires_in = { is_amount, "seconds" },
  latency = { is_amount, "seconds" },
  page_size = { is_count, "a whole number of rows" },
  tls = { is_boolean, "true or false" },
}

local function suggestion(name)
  local names = {}
  for known in pairs(RULES) do names[#names + 1] = known end
  table.sort(names)
  require "uipath"
  return type(name) == "string" and require("uipath.internal").suggestion(name, names) or ""
end

--- Checks options and adds the defaults. Raises at the caller of `start` what is wrong with them.
---@param options? table
---@return table complete
function configuration.complete(options)
  local complete = {}
  for name, value in pairs(DEFAULTS) do complete[name] = value end
  if options == nil then return complete end
  if type(options) ~= "table" then error("the options of a sandbox are a table", 3) end
  for name, value in pairs(options) do
    local rule = RULES[name]
    if not rule then
      error("unknown option '" .. tostring(name) .. "' of a sandbox" .. suggestion(name), 3)
    elseif not rule[1](value) then
      error("option '" .. name .. "' of a sandbox must be " .. rule[2], 3)
    end
    complete[name] = value
  end
  return complete
end

--- The names of the ports that a sandbox with these options listens on.
function configuration.port_names(options)
  local names = { "http", "fault", "storage" }
  if options.tls then
    for _, name in ipairs { "tls", "wrong_host", "expired" } do names[#names + 1] = name end
  end
  return names
end

--- Gives a sandbox the fields that tell its user where it is.
function configuration.describe(sandbox, options, ports)
  sandbox.http_url = "http://127.0.0.1:" .. ports.http
  sandbox.fault_url = "http://127.0.0.1:" .. ports.fault
  sandbox.storage_url = "http://127.0.0.1:" .. ports.storage
  sandbox.base_url = sandbox.http_url
  if options.tls then
    sandbox.base_url = "https://127.0.0.1:" .. ports.tls
    sandbox.wrong_host_url = "https://127.0.0.1:" .. ports.wrong_host
    sandbox.expired_url = "https://127.0.0.1:" .. ports.expired
    sandbox.ca_file = sandbox.folder .. "/ca.crt"
  end
  sandbox.options = {
    base_url = sandbox.base_url,
    organization = options.organization,
    tenant = options.tenant,
    client_id = options.client_id,
    client_secret = options.client_secret,
    scope = options.scope,
    ca_file = sandbox.ca_file,
  }
end

--- A Lua table constructor for a flat table, as text for nginx's configuration.
local function literal(fields)
  local names = {}
  for name in pairs(fields) do names[#names + 1] = name end
  table.sort(names)
  local parts = {}
  for _, name in ipairs(names) do
    local value = fields[name]
    local text = type(value) == "string" and ("%q"):format(value) or tostring(value)
    parts[#parts + 1] = name .. " = " .. text
  end
  return "{ " .. table.concat(parts, ", ") .. " }"
end

-- One process serves everything, so that the tenant's rows and tokens are plain Lua tables in it.
-- nginx reads the paths below its prefix, the private folder; only what its build would else put
-- into /var is named here.
local MAIN = [[
daemon off;
master_process off;
pid nginx.pid;
error_log error.log warn;
events { worker_connections 4096; }
http {
  access_log off;
  server_tokens off;
  client_body_temp_path body;
  proxy_temp_path proxy;
  fastcgi_temp_path fastcgi;
  uwsgi_temp_path uwsgi;
  scgi_temp_path scgi;
  client_max_body_size 64m;
  client_body_buffer_size 1m;
  large_client_header_buffers 4 32k;
  keepalive_requests 1000000;
  tcp_nodelay on;
  gzip on;
  gzip_comp_level 1;
  gzip_min_length 1000;
  gzip_proxied any;
  gzip_types application/json application/xml text/plain; # and text/html always
  ssl_protocols TLSv1.2 TLSv1.3;
  ssl_session_cache builtin:1000;
  lua_package_path "@ROOT@/?.lua;;";
  lua_socket_log_errors off;
  lua_max_running_timers 64;
  # nginx would go on without what cannot be loaded, and the starter would wait for good.
  init_worker_by_lua_block {
    local ok, problem = pcall(function() require("uipath.sandbox.server").begin(%s) end)
    if not ok then
      io.stdout:write(tostring(problem), "\n")
      io.stdout:flush()
      os.exit(1)
    end
  }
  log_by_lua_block { require("uipath.sandbox.server").finish() }
%s}]]

local TENANT = [[
  server {
    listen 127.0.0.1:%d %s;
%s    location / { content_by_lua_block { require("uipath.sandbox.server").tenant() } }
  }
]]

-- A connection that is closed with status 444 is reset, not ended in order: see faults.lua.
local FAULTS = [[
  server {
    listen 127.0.0.1:%d;
    reset_timedout_connection on;
    lingering_close off;
    location / { content_by_lua_block { require("uipath.sandbox.server").faults() } }
    location /control/ { content_by_lua_block { require("uipath.sandbox.server").control() } }
  }
]]

-- What it answers is a file as it is stored, however large.
local STORAGE = [[
  server {
    listen 127.0.0.1:%d;
    gzip off;
    client_max_body_size 2g;
    location / { content_by_lua_block { require("uipath.sandbox.server").storage() } }
  }
]]

local CERTIFICATE = [[
    ssl_certificate %s.crt;
    ssl_certificate_key %s.key;
]]

--- The text of nginx.conf, but for the modules to load and the modules' root (@ROOT@), which the
--- supervisor fills in.
---@param options table  complete options
---@param ports table<string, integer>
---@param starter string  process id and start time of the process that starts the sandbox
---@return string
function configuration.text(options, ports, starter)
  local settings = {
    organization = options.organization, tenant = options.tenant,
    client_id = options.client_id, client_secret = options.client_secret,
    resources = table.concat(RESOURCES, " "),
    expires_in = options.expires_in, latency = options.latency, page_size = options.page_size,
    starter = starter, storage_port = ports.storage,
  }
  local servers = { TENANT:format(ports.http, "", ""), FAULTS:format(ports.fault), STORAGE:format(ports.storage) }
  if options.tls then
    for _, name in ipairs { "tls", "wrong_host", "expired" } do
      local certificate = name == "tls" and "server" or name
      servers[#servers + 1] = TENANT:format(ports[name], "ssl http2",
        CERTIFICATE:format(certificate, certificate))
    end
  end
  return MAIN:format(literal(settings), table.concat(servers))
end

return configuration

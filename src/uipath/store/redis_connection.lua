-- Connections to a Redis server: cosockets in nginx, LuaSocket's elsewhere, with LuaSec for TLS.

local connection = {}

local IDLE_MS, POOL_SIZE = 60000, 100

-- The system's authorities, where options name none.
local CA_DIR = "/etc/ssl/certs"

local ngx = rawget(_G, "ngx")
local in_nginx = type(ngx) == "table" and ngx.get_phase

---Why a server cannot be connected to from here, or nil.
---@param options table
---@return string? problem
function connection.check(options)
  if in_nginx then
    if options.ca_file then return "in nginx lua_ssl_trusted_certificate takes the place of redis' ca_file" end
  elseif not pcall(require, "socket") then
    return "uipath.store.redis needs LuaSocket outside nginx"
  elseif options.tls and not pcall(require, "ssl") then
    return "uipath.store.redis with tls = true needs LuaSec outside nginx"
  end
end

---@return string word that no other process has
function connection.unique()
  local file = assert(io.open("/dev/urandom", "rb"))
  local bytes = file:read(16)
  file:close()
  return (bytes:gsub(".", function(byte) return ("%02x"):format(byte:byte()) end))
end

-- Whether a certificate's name, which may begin with "*.", is that of the host.
local function is_name_of(name, host)
  name, host = name:lower(), host:lower()
  if name == host then return true end
  return name:find("^%*%.[^*]+$") ~= nil and host:match("^[^.]+(%..+)$") == name:sub(2)
end

-- Whether the certificate is the host's: LuaSec checks who has signed it, and not for whom.
local function is_for(certificate, host)
  for _, extension in pairs(certificate:extensions() or {}) do
    for _, kind in ipairs { "dNSName", "iPAddress" } do
      for _, name in ipairs(extension[kind] or {}) do
        if is_name_of(name, host) then return true end
      end
    end
  end
  return false
end

local function encrypted(socket, options)
  local ssl = require "ssl"
  local settings = { mode = "client", protocol = "any", verify = "peer", options = { "all", "no_sslv3", "no_tlsv1", "no_tlsv1_1" } }
  if options.ca_file then settings.cafile = options.ca_file else settings.capath = CA_DIR end
  local wrapped, problem = ssl.wrap(socket, settings)
  if not wrapped then
    socket:close()
    error(problem, 0)
  end
  wrapped:settimeout(options.timeout)
  wrapped:sni(options.host)
  local shaken
  shaken, problem = wrapped:dohandshake()
  if not shaken then
    wrapped:close()
    error("TLS: " .. problem, 0)
  end
  local certificate = wrapped:getpeercertificate()
  if not certificate or not is_for(certificate, options.host) then
    wrapped:close()
    error("TLS: the certificate names another host", 0)
  end
  return wrapped
end

local function open_in_nginx(options)
  local socket = ngx.socket.tcp()
  socket:settimeout(options.timeout * 1000)
  -- Of the password a digest: a connection that one password has opened is not for another.
  local pool = ("uipath:%s:%s:%d:%s:%s:%d"):format(options.tls and "rediss" or "redis", options.host, options.port,
    options.username or "", ngx.md5(options.password or ""), options.database)
  local connected, problem = socket:connect(options.host, options.port, { pool = pool })
  if not connected then error(problem, 0) end
  local is_new = socket:getreusedtimes() == 0
  if is_new and options.tls then
    local shaken
    shaken, problem = socket:sslhandshake(nil, options.host, true)
    if not shaken then error("TLS: " .. problem, 0) end
  end
  return socket, is_new
end

---Opens a connection, or takes a kept one; raises what goes wrong.
---@param options table
---@return table socket
---@return boolean is_new
function connection.open(options)
  if in_nginx then return open_in_nginx(options) end
  local socket, problem = require("socket").tcp()
  if not socket then error(problem, 0) end
  socket:settimeout(options.timeout)
  local connected
  connected, problem = socket:connect(options.host, options.port)
  if not connected then
    socket:close()
    error(problem, 0)
  end
  return options.tls and encrypted(socket, options) or socket, true
end

---Keeps the connection for later where that can be, or closes it.
function connection.keep(socket)
  if socket.setkeepalive then socket:setkeepalive(IDLE_MS, POOL_SIZE) else socket:close() end
end

return connection

-- Tokens in a Redis server, for processes on many machines. The connection is a cosocket in nginx and LuaSocket's elsewhere; of the
-- protocol (RESP 2) there is what a few commands need.

local KNOWN = { host = "string", port = "number", password = "string", username = "string", database = "number", prefix = "string",
  timeout = "number" }
local IDLE_MS, POOL_SIZE = 60000, 100

-- Deletes the key if it has this very value: DROP key value.
local DELETE_IF_EQUAL = "if redis.call('GET', KEYS[1]) == ARGV[1] then return redis.call('DEL', KEYS[1]) end return 0"

-- By all options: the same store for all clients of a Lua state.
local stores = {}

local in_nginx = type(rawget(_G, "ngx")) == "table" and rawget(_G, "ngx").get_phase

-- Opens a connection. Gives it and whether it is new.
local function connect(options)
  local socket
  if in_nginx then
    local ngx = rawget(_G, "ngx")
    socket = ngx.socket.tcp()
    socket:settimeout(options.timeout * 1000)
    local pool = ("uipath:%s:%d:%s:%d"):format(options.host, options.port, options.username or "", options.database)
    local connected, problem = socket:connect(options.host, options.port, { pool = pool })
    if not connected then error(problem, 0) end
    return socket, socket:getreusedtimes() == 0
  end
  local problem
  socket, problem = require("socket").tcp()
  if not socket then error(problem, 0) end
  socket:settimeout(options.timeout)
  local connected
  connected, problem = socket:connect(options.host, options.port)
  if not connected then error(problem, 0) end
  return socket, true
end

local function command(...)
  local parts = { ("*%d\r\n"):format(select("#", ...)) }
  for _, word in ipairs { ... } do
    word = tostring(word)
    parts[#parts + 1] = ("$%d\r\n%s\r\n"):format(#word, word)
  end
  return table.concat(parts)
end

-- One reply: text, a number, or nil.
local function read_reply(socket)
  local line, problem = socket:receive "*l"
  if not line then error(problem, 0) end
  local kind, rest = line:sub(1, 1), line:sub(2)
  if kind == "-" then error(rest, 0) end
  if kind == "+" then return rest end
  if kind == ":" then return tonumber(rest) end
  if kind ~= "$" then error("not a reply of Redis", 0) end
  local length = tonumber(rest)
  if length < 0 then return nil end
  local text
  text, problem = socket:receive(length + 2)
  if not text then error(problem, 0) end
  return text:sub(1, length)
end

local function exchange(options, socket, is_new, ...)
  local function run(...)
    local sent, problem = socket:send(command(...))
    if not sent then error(problem, 0) end
    return read_reply(socket)
  end
  if is_new and options.password then
    if options.username then run("AUTH", options.username, options.password) else run("AUTH", options.password) end
  end
  if is_new and options.database ~= 0 then run("SELECT", options.database) end
  return run(...)
end

-- Runs one command; raises what goes wrong, without the password.
local function run(options, ...)
  local connected, socket, is_new = pcall(connect, options)
  if not connected then error(("redis at %s:%d: %s"):format(options.host, options.port, tostring(socket)), 0) end
  local ok, reply = pcall(exchange, options, socket, is_new, ...)
  if ok and socket.setkeepalive then socket:setkeepalive(IDLE_MS, POOL_SIZE) else socket:close() end
  if not ok then error(("redis at %s:%d: %s"):format(options.host, options.port, tostring(reply)), 0) end
  return reply
end

local function new(options, identity)
  local store = { identity = identity }

  -- Why it cannot be used, or nil; asked by uipath.connect.
  function store.check()
    if not in_nginx and not pcall(require, "socket") then return "uipath.store.redis needs LuaSocket outside nginx" end
  end

  function store.load(key)
    -- A server that is away costs a fetch and not the call.
    local ok, value = pcall(run, options, "GET", options.prefix .. "token:" .. key)
    if not ok or not value then return nil end
    local expires_at, token = value:match "^(%d*) (%S+)$"
    return token, tonumber(expires_at)
  end

  local function value_of(token, expires_at)
    return ("%s %s"):format(expires_at and ("%d"):format(expires_at) or "", token)
  end

  function store.save(key, token, expires_at)
    local name = options.prefix .. "token:" .. key
    if not expires_at then
      run(options, "SET", name, value_of(token))
      return
    end
    local seconds = math.floor(expires_at - os.time())
    if seconds > 0 then run(options, "SET", name, value_of(token, expires_at), "EX", ("%d"):format(seconds)) end
  end

  function store.drop(key, token)
    local current, expires_at = store.load(key)
    if current ~= token then return end
    run(options, "EVAL", DELETE_IF_EQUAL, 1, options.prefix .. "token:" .. key, value_of(token, expires_at))
  end

  function store.lock(key, seconds)
    -- Without the server there is nobody to be shut out.
    local ok, reply = pcall(run, options, "SET", options.prefix .. "lock:" .. key, 1, "NX", "EX", ("%d"):format(seconds))
    return not ok or reply == "OK"
  end

  function store.unlock(key)
    -- If that fails it expires.
    pcall(run, options, "DEL", options.prefix .. "lock:" .. key)
  end

  return store
end

---@param given? uipath.RedisOptions
---@return uipath.TokenStore
return function(given)
  if given ~= nil and type(given) ~= "table" then error("redis: the options must be a table, not a " .. type(given), 3) end
  local options = { host = "127.0.0.1", port = 6379, database = 0, prefix = "uipath:", timeout = 1 }
  for name, value in pairs(given or {}) do
    if not KNOWN[name] then
      error(("redis: unknown option '%s' (there are host, port, username, password, database, prefix and timeout)")
        :format(tostring(name)), 3)
    end
    if type(value) ~= KNOWN[name] then error(("redis: %s must be a %s, not a %s"):format(name, KNOWN[name], type(value)), 3) end
    options[name] = value
  end
  local identity = ("redis %s:%d/%d %s%s"):format(options.host, options.port, options.database, options.username or "", options.prefix)
  local key = ("%s\n%s\n%s"):format(identity, options.password or "", options.timeout)
  stores[key] = stores[key] or new(options, identity)
  return stores[key]
end

-- Tokens in a Redis server, for processes on many machines. Of the protocol (RESP 2) there is what a few commands need.

local connection = require "uipath.store.redis_connection"

local KNOWN = { host = "string", port = "number", password = "string", username = "string", database = "number", prefix = "string",
  timeout = "number", tls = "boolean", ca_file = "string" }
-- Deletes the key if it has this very value: DROP key value.
local DELETE_IF_EQUAL = "if redis.call('GET', KEYS[1]) == ARGV[1] then return redis.call('DEL', KEYS[1]) end return 0"

-- By all options: the same store for all clients of a Lua state.
local stores = {}

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
  local connected, socket, is_new = pcall(connection.open, options)
  if not connected then error(("redis at %s:%d: %s"):format(options.host, options.port, tostring(socket)), 0) end
  local ok, reply = pcall(exchange, options, socket, is_new, ...)
  if ok then connection.keep(socket) else socket:close() end
  if not ok then error(("redis at %s:%d: %s"):format(options.host, options.port, tostring(reply)), 0) end
  return reply
end

local function new(options, identity)
  local store = { identity = identity }

  -- Why it cannot be used, or nil; asked by uipath.connect.
  function store.check()
    return connection.check(options)
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

  -- What the locks of this Lua state have as their values.
  local owner
  function store.lock(key, seconds)
    owner = owner or connection.unique()
    -- Without the server there is nobody to be shut out.
    local ok, reply = pcall(run, options, "SET", options.prefix .. "lock:" .. key, owner, "NX", "EX", ("%d"):format(seconds))
    return not ok or reply == "OK"
  end

  function store.unlock(key)
    -- If that fails it expires.
    if owner then pcall(run, options, "EVAL", DELETE_IF_EQUAL, 1, options.prefix .. "lock:" .. key, owner) end
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
      error(("redis: unknown option '%s' (there are host, port, username, password, database, prefix, timeout, tls and ca_file)")
        :format(tostring(name)), 3)
    end
    if type(value) ~= KNOWN[name] then error(("redis: %s must be a %s, not a %s"):format(name, KNOWN[name], type(value)), 3) end
    options[name] = value
  end
  if options.ca_file and not options.tls then error("redis: ca_file is for tls = true", 3) end
  local identity = ("%s %s:%d/%d %s%s"):format(options.tls and "rediss" or "redis", options.host, options.port, options.database,
    options.username or "", options.prefix)
  local key = ("%s\n%s\n%s\n%s"):format(identity, options.password or "", options.timeout, options.ca_file or "")
  stores[key] = stores[key] or new(options, identity)
  return stores[key]
end

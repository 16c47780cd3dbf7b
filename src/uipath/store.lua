-- Where tokens are kept beyond the process: stores for the option token_store.

local store = {}

---A dictionary that all workers of an nginx share: `lua_shared_dict NAME 1m;`.
---@param name string
---@return uipath.TokenStore
function store.shared_dict(name)
  return require("uipath.store.shared_dict")(name)
end

---A file that is readable by its owner alone, made when it is first needed.
---@param path? string  `uipath/tokens` in $XDG_CACHE_HOME or ~/.cache
---@return uipath.TokenStore
function store.file(path)
  return require("uipath.store.file")(path)
end

---A Redis server, for processes on many machines. In nginx by a cosocket, elsewhere by LuaSocket. When it is away calls fetch for
---themselves.
---@param options? uipath.RedisOptions
---@return uipath.TokenStore
function store.redis(options)
  return require("uipath.store.redis")(options)
end

return { store = store }

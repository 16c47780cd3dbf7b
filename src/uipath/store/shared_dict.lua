-- Tokens in an nginx's shared dictionary: what one worker has fetched serves all.

local PREFIX, LOCK_PREFIX = "uipath:token:", "uipath:lock:"

-- By name: the same store for all clients of a Lua state.
local stores = {}

local function new(name)
  local ngx = rawget(_G, "ngx")
  local dict = ngx and ngx.shared and ngx.shared[name]
  local store = { identity = "shared_dict " .. name }

  -- Why it cannot be used, or nil; asked by uipath.connect.
  function store.check()
    if not ngx or not ngx.shared then return "uipath.store.shared_dict works in nginx's Lua only" end
    if not dict then
      return ("there is no shared dictionary '%s': put `lua_shared_dict %s 1m;` into nginx's http block"):format(name, name)
    end
  end

  function store.load(key)
    local value = dict:get(PREFIX .. key)
    if not value then return nil end
    local expires_at, token = value:match("^(%S*) (.+)$")
    return token, tonumber(expires_at)
  end

  function store.save(key, token, expires_at)
    local seconds = expires_at and expires_at - ngx.time() or 0 -- 0: for good
    if seconds < 0 then return end
    local saved, problem = dict:set(PREFIX .. key, ("%s %s"):format(expires_at or "", token), seconds)
    if not saved then error(("the shared dictionary '%s' does not take a token: %s"):format(name, problem), 0) end
  end

  function store.drop(key, token)
    local value = dict:get(PREFIX .. key)
    if value and value:sub(-#token - 1) == " " .. token then dict:delete(PREFIX .. key) end
  end

  -- What the locks of this worker have as their values.
  local owner
  function store.lock(key, seconds)
    owner = owner or ("%d %d"):format(ngx.worker.pid(), math.random(2 ^ 31))
    return dict:add(LOCK_PREFIX .. key, owner, seconds) == true
  end

  function store.unlock(key)
    if dict:get(LOCK_PREFIX .. key) == owner then dict:delete(LOCK_PREFIX .. key) end
  end

  return store
end

---@param name string
---@return uipath.TokenStore
return function(name)
  if type(name) ~= "string" or name == "" then error("shared_dict: the name must be that of a lua_shared_dict", 3) end
  stores[name] = stores[name] or new(name)
  return stores[name]
end

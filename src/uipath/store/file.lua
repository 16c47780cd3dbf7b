-- Tokens in a file of the user's own: what one run of a script has fetched serves the next.

local internal = require "uipath.internal"

-- By path: the same store for all clients of a Lua state.
local stores = {}

local function default_path()
  local cache = os.getenv "XDG_CACHE_HOME"
  if cache and cache:find "^/" then return cache .. "/uipath/tokens" end
  local home = os.getenv "HOME"
  return home and home ~= "" and home .. "/.cache/uipath/tokens"
end

local function new(path)
  local store = { identity = "file " .. (path or "") }

  -- The file's lines, "key expires_at token" each, as a table from keys to the rest. Those that have expired are left out.
  local function read()
    local entries = {}
    local file = io.open(path)
    if not file then return entries end
    for line in file:lines() do
      local key, expires_at, token = line:match "^(%S+) (%d*) (%S+)$"
      expires_at = tonumber(expires_at)
      if key and (not expires_at or expires_at > os.time()) then entries[key] = { token = token, expires_at = expires_at } end
    end
    file:close()
    return entries
  end

  -- Two that write at once lose one of the entries at most, which is then fetched again.
  local function write(entries)
    local lines = {}
    for key, entry in pairs(entries) do
      lines[#lines + 1] = ("%s %s %s\n"):format(key, entry.expires_at and ("%d"):format(entry.expires_at) or "", entry.token)
    end
    table.sort(lines)
    local written, problem = internal.write_private(path, table.concat(lines))
    if not written then error(problem, 0) end
  end

  -- Why it cannot be used, or nil; asked by uipath.connect.
  function store.check()
    if not path then return "uipath.store.file needs a path, as neither XDG_CACHE_HOME nor HOME is set" end
  end

  function store.load(key)
    local entry = read()[key]
    if entry then return entry.token, entry.expires_at end
  end

  function store.save(key, token, expires_at)
    local entries = read()
    entries[key] = { token = token, expires_at = expires_at and math.floor(expires_at) }
    write(entries)
  end

  function store.drop(key, token)
    local entries = read()
    if not entries[key] or entries[key].token ~= token then return end
    entries[key] = nil
    write(entries)
  end

  return store
end

---@param path? string
---@return uipath.TokenStore
return function(path)
  if path ~= nil and (type(path) ~= "string" or path == "" or path:find "%c") then error("file: the path must be a string", 3) end
  path = path or default_path()
  stores[path or ""] = stores[path or ""] or new(path)
  return stores[path or ""]
end

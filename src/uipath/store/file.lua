-- Tokens in a file of the user's own: what one run of a script has fetched serves the next.

local internal = require "uipath.internal"

-- Of a time in seconds; what has more is no time, and no number that could be written again.
local MOST_DIGITS = 12

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

  -- The file's lines, "key expires_at token" each, as a table from keys to the rest. Those that have
  -- expired are left out, and so are those whose time is none.
  local function entries_of(text)
    local entries = {}
    for key, digits, token in text:gmatch "(%S+) (%d*) (%S+)\n" do
      local expires_at = tonumber(digits)
      if digits == "" or #digits <= MOST_DIGITS and expires_at > os.time() then
        entries[key] = { token = token, expires_at = expires_at }
      end
    end
    return entries
  end

  local function text_of(entries)
    local lines = {}
    for key, entry in pairs(entries) do
      lines[#lines + 1] = ("%s %s %s\n"):format(key, entry.expires_at and ("%d"):format(entry.expires_at) or "", entry.token)
    end
    table.sort(lines)
    return table.concat(lines)
  end

  -- change gets the entries, and gives whether they are other ones then.
  local function update(change)
    local written, problem = internal.update_private(path, function(text)
      local entries = entries_of(text)
      return change(entries) and text_of(entries) or nil
    end)
    if not written then error(problem, 0) end
  end

  -- Why it cannot be used, or nil; asked by uipath.connect.
  function store.check()
    if not path then return "uipath.store.file needs a path, as neither XDG_CACHE_HOME nor HOME is set" end
  end

  function store.load(key)
    -- A file that cannot be read costs a fetch and not the call; save says what is wrong with it.
    local entry = entries_of(internal.read_private(path) or "")[key]
    if entry then return entry.token, entry.expires_at end
  end

  function store.save(key, token, expires_at)
    update(function(entries)
      entries[key] = { token = token, expires_at = expires_at and math.floor(expires_at) }
      return true
    end)
  end

  function store.drop(key, token)
    update(function(entries)
      if not entries[key] or entries[key].token ~= token then return false end
      entries[key] = nil
      return true
    end)
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

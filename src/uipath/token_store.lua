-- What a token store (options.token_store) does for a call: it is asked before the token endpoint, gets what was fetched, and loses what
-- was refused. The engine asks and tells; this is the owner's side.
--
-- A store has load(key), save(key, token, expires_at) and drop(key, token). One that also has lock(key, seconds), which gives true to one
-- caller at a time, and unlock(key), which takes away that caller's lock and no other's, makes many processes that start at once fetch one
-- token: who has the lock fetches, the others look again. A holder that is killed leaves its lock for its seconds, and others do not wait
-- for that: a request of nginx whose client hangs up is such a holder.

local callback = require "uipath.callback"
local internal = require "uipath.internal"

local in_nginx = type(rawget(_G, "ngx")) == "table" and rawget(_G, "ngx").get_phase
-- Sleeps while others go on, or gives false where that cannot be.
local sleep = in_nginx and require("uipath.nginx").sleep or function() return false end

local token_store = {}

local LOCK_SECONDS = 30
-- A token is fetched within this time, or whoever waits for it fetches one as well.
local LONGEST_WAIT = 2
local FIRST_PAUSE, LONGEST_PAUSE = 0.001, 0.05

-- The calls whose owner has locked the store until the token is there, each with its store and key.
local holders = setmetatable({}, { __mode = "k" })

-- Raises what ends the script, when it was that and no failure which ended the function.
local function pass_interruption(call, ok, err)
  if ok or not callback.is_interruption(err) then return end
  internal.cancel(call)
  error(err, 0)
end

-- Calls save, drop, lock or unlock, whose failures are reported once and then made do without.
local function use(call, store, name, ...)
  local ok, result = callback.call(store[name], ...)
  pass_interruption(call, ok, result)
  if not ok then callback.report(store[name], "token_store." .. name, result) end
  return ok and result
end

-- What the store has: a token and the seconds that it has left (nil: not known), or nil.
---@return string? problem
---@return string? token
---@return number? seconds
local function look(call, store, key)
  local ok, token, expires_at = callback.call(store.load, key)
  pass_interruption(call, ok, token)
  if not ok then return callback.words_of(token) end
  if token == nil then return nil end
  if type(token) ~= "string" or not token:find("^[!-~]+$") then return "it did not return a token" end
  if expires_at ~= nil and type(expires_at) ~= "number" then return "its second result must be the time of expiry, a number" end
  local seconds = expires_at and expires_at - os.time()
  if seconds and seconds <= 0 then return nil end
  return nil, token, seconds and math.min(seconds, 1e8)
end

local function unlock(call, store, key)
  holders[call] = nil
  if store.unlock then use(call, store, "unlock", key) end
end

-- Whether the caller may fetch: nobody else does, or the store knows no locks.
local function lock(call, store, key)
  return not store.lock or use(call, store, "lock", key, LOCK_SECONDS) == true
end

---Answers a call that needs a token.
---@param call userdata
---@param store table
---@param key string
function token_store.answer(call, store, key)
  if callback.is_inside(store.load) then
    internal.refuse(call, "token_store.load called the client that it is for")
    return
  end
  local pause = FIRST_PAUSE
  local has_lock = false
  local began = internal.now()
  while true do
    local problem, token, seconds = look(call, store, key)
    if problem then
      internal.refuse(call, "token_store.load: " .. problem)
    elseif token then
      internal.give(call, token, seconds)
    end
    if problem or token then
      if has_lock then unlock(call, store, key) end
      return
    end
    if has_lock or not store.lock then break end
    has_lock = lock(call, store, key)
    -- With the lock it is looked once more: who had it before may have saved since. Without it there is a token soon, if one can wait.
    if not has_lock then
      if internal.now() - began >= LONGEST_WAIT or not sleep(pause) then break end
      pause = math.min(pause * 2, LONGEST_PAUSE)
      if internal.state(call) ~= "asking" then return end
    end
  end
  if has_lock then holders[call] = { store = store, key = key } end
  internal.fetch(call)
end

---Does what an event of a call asks for.
---@param event { store: "save"|"drop"|"renew", token: string, expires_at: integer? }
function token_store.tend(call, store, key, event)
  if event.store == "drop" then
    use(call, store, "drop", key, event.token)
  elseif event.store == "save" then
    use(call, store, "save", key, event.token, event.expires_at)
    unlock(call, store, key)
  elseif not callback.is_inside(store.load) then
    -- The token serves still, so that nobody waits: another process may have a later one already, or be about to.
    local _, token, seconds = look(call, store, key)
    if token and token ~= event.token then internal.give(call, token, seconds)
    elseif lock(call, store, key) then internal.fetch(call) end
  end
end

---The call is done: without a token, if its lock is held still.
function token_store.finish(call)
  local held = holders[call]
  if held then unlock(call, held.store, held.key) end
end

return token_store

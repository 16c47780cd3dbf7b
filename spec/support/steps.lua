-- For specs of recipes: what requests a recipe makes, and what it does when one of them goes wrong. A fault replaces one request of all
-- that clients of this process make, as the network would.

local uipath = require "uipath"
local internal = require "uipath.internal" -- which comes with the module

local steps = {}

-- Methods of a client that make a request themselves.
local PLAIN = { "get", "post", "put", "patch", "delete", "request", "collect", "count", "upload", "download" }

-- What changes nothing, though it is no GET.
local READING = { "GetRobotAssetByNameForRobotKey", "ValidateExistingJob" }

local function method_of(name, first)
  if name == "request" then return first end
  if name == "collect" or name == "count" or name == "download" then return "GET" end
  return name == "upload" and "PUT" or name:upper()
end

local function changes(method, path)
  if method == "GET" then return false end
  for _, word in ipairs(READING) do
    if path:find(word, 1, true) then return false end
  end
  return true
end

local function failure(fields)
  return nil, internal.error("network", "the connection broke (before the response)", fields)
end

---How a request fails: not at all sent, lost on its way there, or lost on its way back.
steps.FAULTS = {
  unsent = function() return failure { retryable = true } end,
  request_lost = function(_, step) return failure { uncertain = step.changes or nil, retryable = true } end,
  answer_lost = function(send, step)
    send()
    return failure { uncertain = step.changes or nil, retryable = true }
  end,
  forbidden = function() return nil, internal.error("forbidden", "You are not authorized!", { status = 403 }) end,
}

---Runs a function and notes the requests that it makes. The n-th of them has the fault.
---@param run fun(): any, any
---@param at? integer
---@param fault? fun(send: function, step: table): any, any
---@return table log { { method =, path =, changes = }, … }, with `results` { value, err }
function steps.run(run, at, fault)
  local methods = debug.getmetatable(uipath.connect {
    base_url = "http://127.0.0.1:1", organization = "o", tenant = "t", access_token = "none",
  }).methods
  local log, originals, depth = {}, {}, 0
  for _, name in ipairs(PLAIN) do
    local original = methods[name]
    originals[name] = original
    rawset(methods, name, original and function(client, ...)
      -- What a method does by another one is one step.
      if depth > 0 then return original(client, ...) end
      local first, second = ...
      local method = method_of(name, first)
      local path = name == "request" and second or first
      path = type(path) == "table" and "storage" or path
      local options = select((name == "post" or name == "request") and 3 or 2, ...)
      local step = { method = method, path = path, changes = changes(method, path), options = options }
      log[#log + 1] = step
      local arguments, count = { ... }, select("#", ...)
      local function send()
        depth = depth + 1
        local function done(ok, ...)
          depth = depth - 1
          if not ok then error((...), 0) end
          return ...
        end
        return done(pcall(original, client, (table.unpack or unpack)(arguments, 1, count))) -- luacheck: ignore 143
      end
      if #log == at then
        step.faulty = true
        return fault(send, step)
      end
      return send()
    end)
  end
  local results = { pcall(run) }
  for name, original in pairs(originals) do rawset(methods, name, original) end
  if not results[1] then error(results[2], 0) end
  log.results = { results[2], results[3] }
  return log
end

-- How often each change was asked for.
local function counts(log)
  local found = {}
  for _, step in ipairs(log) do
    if step.changes then
      local name = step.method .. " " .. step.path:gsub("%x+%-%x+%-%x+%-%x+%-%x+", "#"):gsub("%d+", "#")
      found[name] = (found[name] or 0) + 1
    end
  end
  return found
end

---Runs a recipe with each fault at each of its requests. None of its changes may be sent more often than when all goes well; what may have
---been done and is not told by a value must be told as uncertain.
---@param recipe { prepare?: (fun(): any), run: fun(prepared: any): (any, any), verify?: fun(prepared: any, log: table, fault: string) }
---@return integer cases how many were tried
function steps.try_all(recipe)
  local function prepared() return recipe.prepare and recipe.prepare() or nil end
  local state = prepared()
  local good = steps.run(function() return recipe.run(state) end)
  assert(good.results[1] ~= nil, "without a fault: " .. tostring(good.results[2]))
  local allowed, cases = counts(good), 0
  -- Of the many requests that wait for something one is as good as the others.
  local function repeats(at)
    local before = good[at - 1]
    return before and not good[at].changes and before.method == good[at].method and before.path == good[at].path
  end
  for at = 1, #good do
    for name, fault in pairs(repeats(at) and {} or steps.FAULTS) do
      state = prepared()
      local log = steps.run(function() return recipe.run(state) end, at, fault)
      local what = ("%s at %s %s"):format(name, good[at].method, good[at].path)
      for change, count in pairs(counts(log)) do
        assert(count <= (allowed[change] or 0), ("%s: %s was sent %d times"):format(what, change, count))
      end
      local value, err = log.results[1], log.results[2]
      local lost = good[at].changes and name:find "_lost"
      if value == nil then
        assert(uipath.is_error(err), what .. ": no error object")
        if lost then assert(err.uncertain == true, what .. ": not said to be uncertain: " .. tostring(err)) end
        if not good[at].changes and err.uncertain then error(what .. ": a request that only reads is no uncertainty") end
        if name == "unsent" or name == "forbidden" then assert(not err.uncertain, what .. ": nothing was done") end
      end
      if recipe.verify then recipe.verify(state, log, name, good[at]) end
      cases = cases + 1
    end
  end
  return cases
end

return steps

-- Calls of the functions that users give among their options: they may fail, yield, call clients, or be where we are already.

local callback = {}

local ngx = rawget(_G, "ngx")

-- The functions that are at work, each with the coroutines in which it is. In nginx a coroutine comes with
-- the request that it runs for: one that ends while the function waits leaves its coroutine here, and nginx
-- uses the coroutine again.
local at_work = setmetatable({}, { __mode = "k" })
-- The functions whose failure has been reported.
local has_failed = setmetatable({}, { __mode = "k" })

-- What tells this request from others, or true where there is none.
local function request()
  if not ngx or not ngx.get_phase then return true end
  local ok, context = pcall(function() return ngx.ctx end)
  return ok and context or true
end

---@param option function
---@return boolean ok
---@return any ... its results, or what it raised
function callback.call(option, ...)
  local here = coroutine.running() or "main"
  local coroutines = at_work[option] or setmetatable({}, { __mode = "kv" })
  at_work[option], coroutines[here] = coroutines, request()
  local function over(...)
    coroutines[here] = nil
    return ...
  end
  return over(pcall(option, ...))
end

---Whether we are inside the function: it is at work in this coroutine, or in one that waits for this one.
function callback.is_inside(option)
  local here, this_request = coroutine.running() or "main", request()
  for each, its_request in pairs(at_work[option] or {}) do
    local is_here = each == here or each == "main" or coroutine.status(each) == "normal"
    if is_here and its_request == this_request then return true end
  end
  return false
end

---Whether a function was ended by lua's own handler of Ctrl-C: that is meant for the script, and not the function's failure.
function callback.is_interruption(err)
  return type(err) == "string" and err:find("interrupted!$") ~= nil
end

---What somebody's error says, whatever its own __tostring may do.
---@param err any
---@return string
function callback.words_of(err)
  local ok, words = pcall(tostring, err)
  return ok and type(words) == "string" and words or "it failed with a " .. type(err) .. " that cannot be shown"
end

---Says that a function has failed, the first time that it does: a call is not lost because of that.
---@param option function
---@param name string
function callback.report(option, name, err)
  if has_failed[option] then return end
  has_failed[option] = true
  local words = callback.words_of(err)
  if ngx and ngx.log then
    ngx.log(ngx.ERR, "uipath: ", name, " failed: ", words)
  else
    pcall(function() io.stderr:write("uipath: ", name, " failed: ", words, "\n") end) -- it may be closed
  end
end

return callback

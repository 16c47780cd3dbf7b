-- Notes which lines of the module's Lua files run: loaded first of all (LUA_INIT; in nginx by the wrapper
-- of spec/support/coverage). Each line is written at its first run, so that a process which is killed
-- loses nothing.

local FOLDER = os.getenv "COVERAGE" or "@FOLDER@"

local output, seen = nil, {}

-- The file's name from uipath/ on, or false for what is none of ours. By the chunk's source.
local names = setmetatable({}, {
  __index = function(self, source)
    local name = source:match "^@.*/src/(uipath/.+%.lua)$" or source:match "^@.*/lua/(uipath/.+%.lua)$"
      or source:match "^@src/(uipath/.+%.lua)$" or false
    self[source] = name
    return name
  end,
})

local function hook(_, line)
  local name = names[debug.getinfo(2, "S").source]
  if not name then return end
  local lines = seen[name]
  if not lines then
    lines = {}
    seen[name] = lines
  end
  if lines[line] then return end
  lines[line] = true
  if not output then
    output = io.open(("%s/%s"):format(FOLDER, tostring(lines):gsub("%W", "") .. os.time() .. tostring(os.clock()):gsub("%W", "")), "a")
    if not output then return end
    output:setvbuf "line"
  end
  output:write(name, ":", line, "\n")
end

local jit = rawget(_G, "jit")
if jit then
  jit.off() -- compiled code calls no hooks
else
  -- Each coroutine has a hook of its own here.
  local create = coroutine.create
  local function create_hooked(run)
    local thread = create(run)
    debug.sethook(thread, hook, "l")
    return thread
  end
  coroutine.create = create_hooked -- luacheck: ignore 122
  function coroutine.wrap(run) -- luacheck: ignore 122
    local thread = create_hooked(run)
    local function pass(ok, ...)
      if not ok then error(..., 0) end
      return ...
    end
    return function(...) return pass(coroutine.resume(thread, ...)) end
  end
end
debug.sethook(hook, "l")

-- The collector between the pages of a walk.

local heap = {}

-- A larger heap is left to the collector: to go through it at once would take as long as a page.
local MOST_CLEARED_KB = 16 * 1024

-- Lua 5.2's; not every Lua of 5.1's kind can tell whether the user has stopped the collector.
local can_ask = pcall(collectgarbage, "isrunning")

-- Sets how many hundredths of what it has left the collector lets the heap become before it begins
-- anew; gives what that was. Lua 5.5 has another name for it.
local function set_pause(hundredths)
  if _VERSION == "Lua 5.5" then return collectgarbage("param", "pause", hundredths) end
  return collectgarbage("setpause", hundredths)
end

-- Collects, and leaves the heap alone after that until it is half as large again as it was. Gives
-- its size then, expected_kb or so.
local function collect_all(before_kb, expected_kb)
  local pause = set_pause(math.floor(math.min(150 * before_kb / expected_kb, 1000)))
  local ok, err = pcall(collectgarbage) -- in Lua 5.3 and LuaJIT a finalizer may raise
  set_pause(pause)
  if not ok then error(err, 0) end
  local after_kb = collectgarbage "count"
  -- The rows are kept: the heap may become as large as the user has it.
  if after_kb > 2 * expected_kb then collectgarbage() end
  return after_kb
end

---The rows of the pages that were delivered are garbage now, unless the loop has kept them. Taken
---away at once, while they are in the processor's cache, they cost a half of what the collector
---takes when it goes after them between those that are being made. That holds where they are most
---of the heap: what else a program has is not to be gone through for each page.
---@param walk { least_kb: number? }
function heap.clear(walk)
  if not can_ask or not collectgarbage "isrunning" then return end
  local before = collectgarbage "count"
  walk.least_kb = walk.least_kb or before
  if before < 2 * walk.least_kb or before > MOST_CLEARED_KB then return end
  walk.least_kb = collect_all(before, walk.least_kb)
end

return heap

-- Collects as often as the collector can: what is not anchored is gone at once.
if _VERSION == "Lua 5.1" then
  -- The next cycle begins as soon as one is over. At 0 the collector's debt grows without end, and LuaJIT's compiled code (2.1 of
  -- Debian 12) now and then stays with it for good: seen in luassert's loops, without a module of ours.
  collectgarbage("setpause", 100)
  collectgarbage("setstepmul", 10000)
elseif _VERSION == "Lua 5.3" then
  collectgarbage("setpause", 0)
  collectgarbage("setstepmul", 10000)
elseif _VERSION == "Lua 5.4" then
  collectgarbage("incremental", 0, 10000, 0)
else
  collectgarbage("param", "pause", 0)
  collectgarbage("param", "stepmul", 10000)
  collectgarbage("param", "stepsize", 1)
end

-- Collects as often as the collector can: what is not anchored is gone at once.
if _VERSION == "Lua 5.1" then
  collectgarbage("setpause", 0)
  collectgarbage("setstepmul", 10000)
else
  collectgarbage("incremental", 0, 10000, 0)
end

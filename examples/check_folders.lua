-- Looks at all folders side by side: how many jobs wait, run, and have faulted in the last hour.
-- The tenant is yours where UIPATH_* or a profile names one (see list_machines.lua), else the
-- bundled sandbox.
local uipath = require "uipath"

local client = require("uipath.sandbox").connect()

local hour_ago = uipath.odata.date(os.time() - 60 * 60)
local folders = assert(client:collect("odata/Folders", { select = { "Id", "FullyQualifiedName" } }))
local reports = uipath.map(folders, function(folder)
  local function count(...) return client:count("odata/Jobs", { folder = folder.Id, filter = { ... } }) end
  local pending, running, faulted = uipath.all(
    function() return count("State eq ?", "Pending") end,
    function() return count("State eq ?", "Running") end,
    function() return count("State eq ? and EndTime gt ?", "Faulted", hour_ago) end)
  if not pending then return tostring(running) end
  return ("%-6s %4d waiting %4d running %4d faulted"):format(faulted == 0 and "good" or "LOOK", pending, running, faulted)
end)
for index, folder in ipairs(folders) do print(("%-28s %s"):format(folder.FullyQualifiedName, reports[index])) end

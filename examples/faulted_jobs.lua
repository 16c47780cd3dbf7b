-- Reports the faulted jobs of the last day by folder and process. The tenant is yours where
-- UIPATH_* or a profile names one (see list_machines.lua), else the bundled sandbox.
local uipath = require "uipath"

local client = require("uipath.sandbox").connect()

local yesterday = uipath.odata.date(os.time() - 24 * 60 * 60)
local faulted, processes = {}, {}
for folder in client:each("odata/Folders", { select = { "Id", "FullyQualifiedName" } }) do
  local filter = { "State eq ? and EndTime gt ?", "Faulted", yesterday }
  for job in client:each("odata/Jobs", { folder = folder.Id, filter = filter, select = { "Id", "ReleaseName" } }) do
    local process = folder.FullyQualifiedName .. ": " .. job.ReleaseName
    if not faulted[process] then processes[#processes + 1] = process end
    faulted[process] = (faulted[process] or 0) + 1
  end
end
table.sort(processes, function(a, b) return faulted[a] > faulted[b] or (faulted[a] == faulted[b] and a < b) end)
for _, process in ipairs(processes) do print(("%6d  %s"):format(faulted[process], process)) end

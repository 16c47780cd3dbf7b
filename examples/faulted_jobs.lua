-- Reports the faulted jobs of the last day by folder and process: of your tenant when UIPATH_* is set (see list_machines.lua), else of
-- the bundled sandbox.
local uipath = require "uipath"

local function is_set(name) return (os.getenv(name) or "") ~= "" end
local is_mine = is_set "UIPATH_CLIENT_ID" or is_set "UIPATH_PAT" or is_set "UIPATH_ACCESS_TOKEN"
local client = uipath.connect(not is_mine and assert(require("uipath.sandbox").start()).options or nil)

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

--- Processes, `odata/Releases` to the service: a version of a package, ready to run in a folder.

local clock = require("uipath.sandbox.clock")
local json = require("uipath.sandbox.json")
local operations = require("uipath.sandbox.operations")
local packages = require("uipath.sandbox.packages")
local problem = require("uipath.sandbox.problem")
local rows = require("uipath.sandbox.rows")
local types = require("uipath.sandbox.types")

local processes = rows.stored {
  type = types.ReleaseDto, singular = "Process", scope = "OR.Execution", page_cap = 1000,
  per_folder = true, last_id = 7000, guid_kind = 6,
}
rows.sets.Releases = processes

--- The versions that a process had before.
local history = setmetatable({}, { __mode = "k" })

local function set_version(process, version)
  local versions = packages.versions(packages.feed_of(rows.folder_by_id(process.OrganizationUnitId)), process.ProcessKey)
  process.ProcessVersion = version
  process.IsLatestVersion = #versions > 0 and versions[#versions].Version == version
  process.LastModificationTime = clock.timestamp()
  processes.touch()
end

local function check_version(folder, package, version)
  if not packages.find(packages.feed_of(folder), package, version) then
    problem.orchestrator(404, 1670, ("Package %s with version %s does not exist."):format(package, version))
  end
end

--- What a process has; of one that is changed what it keeps.
function processes.complete(body, before, folder)
  for _, name in ipairs { "ProcessKey", "ProcessVersion" } do operations.member(body, name, "string") end
  check_version(folder, body.ProcessKey, body.ProcessVersion)
  if before and before.ProcessVersion ~= body.ProcessVersion then
    history[before] = history[before] or {}
    table.insert(history[before], before.ProcessVersion)
  end
  local complete = {
    IsProcessDeleted = false, ProcessType = "Process", SupportsMultipleEntryPoints = true,
    RequiresUserInteraction = false, IsAttended = false, IsCompiled = true, AutoUpdate = false,
    HiddenForAttendedUser = false, JobPriority = "Normal", SpecificPriorityValue = 45,
    TargetFramework = "Portable", RemoteControlAccess = "None", CreationTime = clock.timestamp(),
    Tags = json.array {},
  }
  for property in pairs(types.ReleaseDto.kinds) do
    if operations.value(body[property]) ~= nil then complete[property] = body[property] end
  end
  local versions = packages.versions(packages.feed_of(folder), complete.ProcessKey)
  complete.IsLatestVersion = versions[#versions].Version == complete.ProcessVersion
  return complete
end

--- The process of a folder by its key or its name.
function processes.named(folder, key, name)
  local count, row_at = processes.rows(folder)
  for position = 1, count do
    local row = row_at(position)
    if (key and row.Key == key:lower()) or (not key and row.Name == name) then return row end
  end
end

for _, branch in ipairs(rows.tree) do
  if packages.feed_of(branch.folder) == "tenant" and branch.folder.DisplayName ~= "Archive" then
    for number, name in ipairs(rows.processes) do
      local process = processes.complete({ Name = name, ProcessKey = name:gsub(" ", ""),
        ProcessVersion = "1.0." .. number, Description = "" }, nil, branch.folder)
      -- The generated jobs are of these.
      if branch == rows.tree[1] then process.Key = rows.guid(6, number) end
      processes.insert(process, branch.folder)
    end
  end
end

local ACTION = "odata/Releases({})/UiPath.Server.Configuration.OData."

local function action(name, run)
  operations.add("POST", ACTION .. name, {
    scope = "OR.Execution", access = "Write", folder = true,
    run = function(request)
      local process = processes.find(request.folder, tonumber(request[1]))
      if not process then problem.not_found("Process") end
      run(process, request)
      return 200, { value = process.Id * 10 + #(history[process] or {}) }
    end,
  })
end

local function update(process, version)
  if process.ProcessVersion == version then return end
  history[process] = history[process] or {}
  table.insert(history[process], process.ProcessVersion)
  set_version(process, version)
end

action("UpdateToSpecificPackageVersion", function(process, request)
  local version = operations.member(operations.body(), "packageVersion", "string")
  check_version(request.folder, process.ProcessKey, version)
  update(process, version)
end)

action("UpdateToLatestPackageVersion", function(process, request)
  local versions = packages.versions(packages.feed_of(request.folder), process.ProcessKey)
  update(process, versions[#versions].Version)
end)

action("RollbackToPreviousReleaseVersion", function(process)
  local before = table.remove(history[process] or {})
  if not before then
    problem.orchestrator(400, 1675, "The process has no previous version.")
  end
  set_version(process, before)
end)

return processes

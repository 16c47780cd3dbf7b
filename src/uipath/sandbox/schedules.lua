--- Schedules: the triggers of processes that time sets off.

local json = require("uipath.sandbox.json")
local operations = require("uipath.sandbox.operations")
local problem = require("uipath.sandbox.problem")
local processes = require("uipath.sandbox.processes")
local rows = require("uipath.sandbox.rows")
local types = require("uipath.sandbox.types")

local schedules = rows.stored {
  type = types.ProcessScheduleDto, singular = "Schedule", scope = "OR.Jobs", page_cap = 1000,
  per_folder = true, last_id = 8500, guid_kind = 32,
}
rows.sets.ProcessSchedules = schedules

function schedules.complete(body, _, folder)
  local complete = { Enabled = true, TimeZoneId = "UTC", StartStrategy = 1, UseCalendar = false, RunAsMe = false,
    Tags = json.array {}, StartProcessCron = "0 0 6 1/1 * ? *" }
  for property in pairs(types.ProcessScheduleDto.kinds) do
    if operations.value(body[property]) ~= nil then complete[property] = body[property] end
  end
  local process = processes.find(folder, complete.ReleaseId) or processes.named(folder, nil, complete.ReleaseName)
  if not process then problem.not_found("Process") end
  complete.ReleaseId, complete.ReleaseKey, complete.ReleaseName = process.Id, process.Key, process.Name
  complete.PackageName = process.ProcessKey
  return complete
end

for _, path in ipairs { "Shared", "Shared/Finance" } do
  local folder = rows.folder_by_path(path)
  schedules.insert(schedules.complete({ Name = "Daily at 6", ReleaseName = "Daily Report" }, nil, folder), folder)
  schedules.insert(schedules.complete({ Name = "Payroll on Mondays", ReleaseName = "Payroll Check",
    Enabled = false }, nil, folder), folder)
end

operations.add("POST", "odata/ProcessSchedules/UiPath.Server.Configuration.OData.SetEnabled", {
  scope = "OR.Jobs", access = "Write", folder = true,
  run = function(request)
    local body, chosen = operations.body(), {}
    local enabled = operations.member(body, "enabled", "boolean")
    for index, id in ipairs(operations.member(body, "scheduleIds", "table")) do
      chosen[index] = schedules.find(request.folder, id)
      if not chosen[index] then problem.not_found("Schedule") end
    end
    for _, schedule in ipairs(chosen) do schedule.Enabled = enabled end
    schedules.touch()
    return 200, { value = true }
  end,
})

return schedules

--- Exports: lists as files, made in the background and fetched from the storage. And the audit log.

local clock = require("uipath.sandbox.clock")
local json = require("uipath.sandbox.json")
local operations = require("uipath.sandbox.operations")
local problem = require("uipath.sandbox.problem")
local query = require("uipath.sandbox.query")
local rows = require("uipath.sandbox.rows")
local storage = require("uipath.sandbox.storage")
local types = require("uipath.sandbox.types")

local exports = { list = {} }

local STARTING_SECONDS, WORKING_SECONDS = 0.3, 0.6
local MOST_ROWS = 100000

local audit = rows.stored {
  type = types.AuditLogDto, singular = "AuditLog", scope = "OR.Audit", page_cap = 1000, last_id = 0, guid_kind = 40,
}
rows.sets.AuditLogs = audit
for number = 1, 250 do
  audit.insert {
    ServiceName = "UiPath.Orchestrator", MethodName = number % 2 == 0 and "CreateAsset" or "StartJobs",
    Component = number % 2 == 0 and "Assets" or "Jobs", DisplayName = "robot-" .. number % 5,
    EntityId = number, OperationText = ('User "admin" did number %d'):format(number), UserName = "admin",
    ExecutionTime = clock.timestamp(ngx.time() - (250 - number) * 600), Action = number % 2 == 0 and "Create" or "StartJob",
  }
end

local function cell(value)
  if value == json.null or value == nil then return "" end
  local text = type(value) == "table" and json.encode(value) or tostring(value)
  if text:find('[",\r\n]') then text = '"' .. text:gsub('"', '""') .. '"' end
  return text
end

--- The rows as CSV.
local function csv(set, chosen)
  local lines = { table.concat(set.type.properties, ",") }
  for _, row in ipairs(chosen) do
    local cells = {}
    for column, property in ipairs(set.type.properties) do cells[column] = cell(set.read(row, property)) end
    lines[#lines + 1] = table.concat(cells, ",")
  end
  return table.concat(lines, "\r\n") .. "\r\n"
end

local function path_of(export) return ("exports/%d.csv"):format(export.Id) end

--- Starts an export of the rows that a request's options choose.
---@param keep? fun(row: any): boolean  which of them at all
local function export(request, set, name, kind, keep)
  if set.refresh then set.refresh() end
  local chosen, count, row_at = {}, query.choose(set, request.folder, request.options)
  for position = 1, math.min(count, MOST_ROWS) do
    local row = row_at(position)
    if not keep or keep(row) then chosen[#chosen + 1] = row end
  end
  local made = { Id = #exports.list + 1, Name = ("%s-%s.csv"):format(name, os.date("!%Y%m%d")), Type = kind,
    RequestedAt = clock.timestamp(), at = ngx.now(), content = csv(set, chosen) }
  exports.list[made.Id] = made
  return made
end

local function shown(made)
  local age, status = ngx.now() - made.at, "New"
  if age >= STARTING_SECONDS then status = "InProgress" end
  if age >= STARTING_SECONDS + WORKING_SECONDS then status = "Completed" end
  if status == "Completed" and made.content then
    storage.put(path_of(made), made.content, "text/csv")
    made.size, made.content, made.executed = #made.content, nil, clock.timestamp()
  end
  return json.object({ "Id", made.Id, "Name", made.Name, "Type", made.Type, "Status", status,
    "RequestedAt", made.RequestedAt, "ExecutedAt", made.executed or json.null, "Size", made.size or json.null }, 7)
end

for _, each in ipairs {
  { "Jobs", "Jobs", "OR.Jobs", true }, { "RobotLogs", "Logs", "OR.Monitoring", true },
  { "AuditLogs", "OrchestratorAudit", "OR.Audit", false },
} do
  local name, kind, scope, folder = each[1], each[2], each[3], each[4]
  operations.add("POST", "odata/" .. name .. "/UiPath.Server.Configuration.OData.Export{}", {
    scope = scope, access = "Write", folder = folder,
    run = function(request) return 200, shown(export(request, rows.sets[name], name, kind)) end,
  })
end

operations.add("POST", "odata/QueueDefinitions({})/UiPathODataSvc.Export", {
  scope = "OR.Queues", access = "Write", folder = true,
  run = function(request)
    local queue = rows.sets.QueueDefinitions.find(request.folder, tonumber(request[1]))
    if not queue then problem.not_found("Queue") end
    local set = rows.sets.QueueItems
    return 200, shown(export(request, set, "QueueItems", "Queues", function(row)
      return set.read(row, "QueueDefinitionId") == queue.Id
    end))
  end,
})

local function export_of(request)
  local made = exports.list[tonumber(request[1]) or 0]
  if not made then problem.not_found("Export") end
  return made
end

operations.add("GET", "odata/Exports({})", {
  scope = "OR.Administration", access = "Read",
  run = function(request) return 200, shown(export_of(request)) end,
})

operations.add("GET", "odata/Exports({})/UiPath.Server.Configuration.OData.GetDownloadLink", {
  scope = "OR.Administration", access = "Read",
  run = function(request)
    local made = export_of(request)
    if made.content then problem.orchestrator(400, 2602, "The export is not completed.") end
    return 200, storage.access(path_of(made), "GET")
  end,
})

return exports

-- client.exports: lists as files, made by the service: audit logs, robots' logs, jobs, queue items.

local find = require "uipath.recipes.find"
local lost = require "uipath.recipes.lost"
local shared = require "uipath.recipes.shared"
local wait = require "uipath.recipes.wait"

local with, failure, value = shared.with, shared.failure, shared.value

local QUEUE = { noun = "queue", set = "odata/QueueDefinitions" }
local ACTION = "/UiPath.Server.Configuration.OData."
local WAIT_SECONDS = 3600

-- Each kind: the request that starts it, and whether it is of a folder.
local KINDS = {
  Jobs = { path = "odata/Jobs" .. ACTION .. "Export", folder = true },
  RobotLogs = { path = "odata/RobotLogs" .. ACTION .. "Export", folder = true },
  AuditLogs = { path = "odata/AuditLogs" .. ACTION .. "Export", folder = false, query = { auditedService = "Orchestrator" } },
  QueueItems = { folder = true },
}

-- Where the export of a kind is started, and its options.
local function start_of(client, kind, options)
  local call = with(options.call, { filter = options.filter, orderby = options.orderby, query = KINDS[kind].query })
  if kind ~= "QueueItems" then return KINDS[kind].path, call end
  local queue, err = find.one(client, QUEUE, options.queue, options.call)
  if not queue then return nil, err end
  return shared.entity("odata/QueueDefinitions", queue.Id) .. "/UiPathODataSvc.Export", call
end

-- Waits until the service has made the file. Gives true.
local function await(client, export, call, waiting)
  while true do
    local latest, err = client:get(shared.entity("odata/Exports", export.Id), call)
    if latest then
      waiting:heard()
      export = latest
      if export.Status == "Completed" then return true end
      if export.Status == "Failed" then
        return nil, failure("failed", ("the export %s has failed"):format(shared.id(export.Id)), { export = export })
      end
      if export.Status ~= "New" and export.Status ~= "InProgress" then
        return nil, failure("decode", "the export's Status is not known: " .. tostring(export.Status), { export = export })
      end
    elseif not waiting:forgives(err) then
      return nil, err
    end
    if not waiting:again() then
      return nil, failure("timeout", ("the export %s is %s, and the time is over"):format(shared.id(export.Id), tostring(export.Status)),
        { export = export, hint = "it goes on: allow more time, or fewer rows by a filter", retryable = true })
    end
  end
end

local function save(client, kind, file, options)
  if (kind == "QueueItems") ~= (options.queue ~= nil) then shared.raise('exports:save: "QueueItems" and the option queue go together') end
  local facts, waiting = KINDS[kind], wait.new(options.timeout or WAIT_SECONDS)
  if not facts.folder then options.call.folder = false end
  local path, call = start_of(client, kind, options)
  if not path then return nil, call end
  local export, err = client:request("POST", path, call)
  if export == nil then return lost.settle(client, err, options.call) end
  if type(export) ~= "table" or value(export.Id) == nil then
    return nil, lost.mark(failure("decode", "the answer does not tell the export that was started"))
  end
  local ready
  ready, err = await(client, export, options.call, waiting)
  if not ready then return nil, err end
  local link = shared.entity("odata/Exports", export.Id) .. ACTION .. "GetDownloadLink"
  return client:download(link, file, with(options.call, { on_progress = options.on_progress }))
end

local KIND_NAMES = { "AuditLogs", "Jobs", "QueueItems", "RobotLogs" }

return {
  name = "exports",
  help = "exports: lists as files",
  methods = {
    {
      name = "save", help = "has the service make a file of a list, waits for it and fetches it", waits = true,
      -- Only audit logs are not of a folder.
      folder = function(kind) return KINDS[kind] ~= nil and KINDS[kind].folder end,
      arguments = { { "kind", KIND_NAMES }, { "file", "text", complete = "files" } },
      options = {
        queue = { "name", "whose items, for QueueItems" },
        filter = { "string|table", "as of a call" }, orderby = { "string|table", "as of a call" },
        timeout = { "seconds", "for the whole, default 3600" }, on_progress = { "function", "called with the bytes done and in all" },
      },
      calls = {
        { "POST", KINDS.Jobs.path }, { "POST", KINDS.RobotLogs.path }, { "POST", KINDS.AuditLogs.path },
        { "POST", "odata/QueueDefinitions(1)/UiPathODataSvc.Export" }, { "GET", "odata/QueueDefinitions" },
        { "GET", "odata/Exports(1)" }, { "GET", "odata/Exports(1)" .. ACTION .. "GetDownloadLink" },
      },
      run = save,
    },
  },
}

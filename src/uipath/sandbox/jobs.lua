--- Jobs that are started here. They run by themselves: Pending for a moment, Running for a second or
--- so, then Successful. Some arguments of a job say otherwise, for trying things out: `Fault` (the
--- robot's words, or true) ends it Faulted, `Suspend` (true) has it wait for a person, `Seconds` is
--- how long it runs. In the folder Archive there is no machine, and jobs stay Pending.

local attachments = require("uipath.sandbox.attachments")
local clock = require("uipath.sandbox.clock")
local json = require("uipath.sandbox.json")
local operations = require("uipath.sandbox.operations")
local problem = require("uipath.sandbox.problem")
local processes = require("uipath.sandbox.processes")
local rows = require("uipath.sandbox.rows")
local types = require("uipath.sandbox.types")

local timestamp, value = clock.timestamp, operations.value

local jobs = rows.behind(rows.sets.Jobs, { last_id = 2000000, guid_kind = 33 })

local logs = rows.stored {
  type = types.LogDto, singular = "Log", scope = "OR.Monitoring", page_cap = 1000, per_folder = true,
  last_id = 0, guid_kind = 34,
}
rows.sets.RobotLogs = logs

local PENDING_SECONDS, RUNNING_SECONDS, STOPPING_SECONDS = 0.3, 1, 0.5
local WITHOUT_MACHINES = "Archive"
--- What is longer goes by way of an attachment.
local LONGEST_ARGUMENTS = 10000
local MOST_JOBS = 10000

local FINAL = { Successful = true, Faulted = true, Stopped = true }

--- What is to become of the jobs that have not ended: the time of the next change, and the change.
local plans = {}

local function log(job, level, message)
  logs.insert({
    Level = level, WindowsIdentity = "acme\\robot-1", ProcessName = job.ReleaseName,
    TimeStamp = timestamp(), Message = message, JobKey = job.Key, RobotName = "robot-1",
    HostMachineName = "VM-BERLIN-01", MachineId = 3001, RuntimeType = job.RuntimeType,
    RawMessage = json.encode { message = message, level = level, jobId = job.Key },
  }, rows.folder_by_id(job.OrganizationUnitId))
end

local function plan(job, seconds, change)
  plans[job] = { at = ngx.now() + seconds, change = change }
end

local function finish(job, state, info)
  job.State, job.Info, job.EndTime = state, info or json.null, timestamp()
  plans[job] = nil
end

local function arguments_of(job)
  local text = value(job.InputFile) and attachments.content(job.InputFile) or value(job.InputArguments)
  local arguments = text and json.decode(text)
  return type(arguments) == "table" and arguments or {}
end

local function end_well(job, arguments)
  local output = { Result = "done" }
  for name, each in pairs(arguments) do output[name] = each end
  local text = json.encode(output)
  if #text > LONGEST_ARGUMENTS then
    job.OutputFile = attachments.add("output.json", text)
  else
    job.OutputArguments = text
  end
  log(job, "Info", job.ReleaseName .. " execution ended")
  finish(job, "Successful", "Job completed")
end

local function end_badly(job, words)
  log(job, "Error", words)
  job.ErrorCode = "Robot"
  job.JobError = { code = "Robot.Faulted", title = "The workflow has failed", detail = words,
    category = "User", status = json.null }
  finish(job, "Faulted", words)
end

local function run(job)
  local arguments = arguments_of(job)
  job.State, job.StartTime = "Running", timestamp()
  job.HostMachineName, job.LocalSystemAccount = "VM-BERLIN-01", "robot-1"
  log(job, "Info", job.ReleaseName .. " execution started")
  if arguments.Suspend then
    plan(job, RUNNING_SECONDS, function() job.State, plans[job] = "Suspended", nil end)
    return
  end
  local seconds = tonumber(arguments.Seconds) or RUNNING_SECONDS
  plan(job, seconds / 2, function()
    log(job, "Info", "half of it is done")
    plan(job, seconds / 2, function()
      local fault = arguments.Fault
      if fault and fault ~= json.null then
        end_badly(job, type(fault) == "string" and fault or "Object reference not set to an instance of an object.")
      else
        end_well(job, arguments)
      end
    end)
  end)
end

--- Does what is due.
local function refresh()
  for _ = 1, 4 do
    local due = {}
    for job, next_step in pairs(plans) do
      if next_step.at <= ngx.now() then due[#due + 1] = job end
    end
    if #due == 0 then return end
    table.sort(due, function(a, b) return a.Id < b.Id end)
    for _, job in ipairs(due) do plans[job].change(job) end
    rows.version = rows.version + 1
  end
end
rows.sets.Jobs.refresh, logs.refresh = refresh, refresh

local function start(folder, process, facts)
  local job = {
    State = "Pending", JobPriority = value(facts.JobPriority) or "Normal",
    SpecificPriorityValue = value(facts.SpecificPriorityValue) or 45, Source = "Manual",
    SourceType = "Manual", BatchExecutionKey = facts.BatchExecutionKey, CreationTime = timestamp(),
    ReleaseName = process.Name, Type = "Unattended", InputArguments = value(facts.InputArguments),
    InputFile = value(facts.InputFile), EnvironmentVariables = value(facts.EnvironmentVariables),
    HasMediaRecorded = false, HasVideoRecorded = false, RuntimeType = value(facts.RuntimeType) or "Unattended",
    RequiresUserInteraction = false, ReleaseVersionId = process.Id + 1000,
    EntryPointPath = value(facts.EntryPointPath) or "Main.xaml", Reference = value(facts.Reference) or "",
    ProcessType = "Process", ResumeOnSameContext = false, RemoteControlAccess = "None",
    Release = { Id = process.Id, Key = process.Key, Name = process.Name, ProcessKey = process.ProcessKey,
      ProcessVersion = process.ProcessVersion, IsLatestVersion = process.IsLatestVersion,
      IsProcessDeleted = false, ProcessType = "Process" },
  }
  jobs.insert(job, folder)
  if folder.FullyQualifiedName ~= WITHOUT_MACHINES then plan(job, PENDING_SECONDS, run) end
  return job
end

--- Raises what is wrong with the arguments of a start.
local function check_arguments(facts)
  local text = value(facts.InputArguments)
  if text and (type(text) ~= "string" or type(json.decode(text)) ~= "table") then
    problem.bad_body("The input arguments are not a JSON object.")
  elseif text and #text > LONGEST_ARGUMENTS then
    problem.bad_body("The field InputArguments must be a string with a maximum length of 10000.")
  elseif value(facts.InputFile) and not attachments.content(facts.InputFile) then
    problem.not_found("Attachment")
  elseif #(value(facts.Reference) or "") > 128 then
    problem.bad_body("The field Reference must be a string with a maximum length of 128.")
  end
end

local ACTIONS = "odata/Jobs/UiPath.Server.Configuration.OData."

--- The jobs' rows as a list of the reply.
local function shown(request, list)
  local parts = {}
  for index, job in ipairs(list) do
    parts[index] = operations.entity(request, rows.sets.Jobs, "Jobs", job):gsub('^{"@odata.context":"[^"]*",', "{")
  end
  return '{"@odata.context":' .. json.encode(request.base .. "/odata/$metadata#Jobs") .. ',"value":['
    .. table.concat(parts, ",") .. "]}"
end

operations.add("POST", ACTIONS .. "StartJobs", {
  scope = "OR.Jobs", access = "Write", folder = true,
  run = function(request)
    local facts = operations.member(operations.body(), "startInfo", "table")
    local process = processes.named(request.folder, value(facts.ReleaseKey), value(facts.ReleaseName))
    if not process then problem.not_found("Process") end
    check_arguments(facts)
    local count = value(facts.JobsCount) or 1
    if type(count) ~= "number" or count < 1 or count > MOST_JOBS then
      problem.bad_body("The field JobsCount must be between 1 and 10000.")
    end
    facts.BatchExecutionKey = value(facts.BatchExecutionKey) or rows.guid(35, ngx.now() * 1000)
    local started = {}
    for index = 1, count do started[index] = start(request.folder, process, facts) end
    return 201, shown(request, started)
  end,
})

--- The job of a folder by its id; raises where there is none, or it is none of those started here.
local function job_of(request, id)
  local job = rows.sets.Jobs.find(request.folder, tonumber(id))
  if not job then problem.not_found("Job") end
  if type(job) ~= "table" then problem.orchestrator(409, 1411, "The job is in a state in which this cannot be done.") end
  return job
end

local function stop(job, strategy)
  if FINAL[job.State] then return end
  if job.State == "Pending" or job.State == "Suspended" then
    finish(job, "Stopped", "Job stopped")
    return
  end
  job.State = strategy == "Kill" and "Terminating" or "Stopping"
  plan(job, strategy == "Kill" and 0 or STOPPING_SECONDS, function()
    log(job, "Info", job.ReleaseName .. " execution stopped")
    finish(job, "Stopped", "Job stopped")
  end)
end

operations.add("POST", ACTIONS .. "StopJobs", {
  scope = "OR.Jobs", access = "Write", folder = true,
  run = function(request)
    refresh()
    local body, chosen = operations.body(), {}
    if body.strategy ~= "SoftStop" and body.strategy ~= "Kill" then problem.bad_body("The strategy field is not valid.") end
    for index, id in ipairs(operations.member(body, "jobIds", "table")) do chosen[index] = job_of(request, id) end
    for _, job in ipairs(chosen) do stop(job, body.strategy) end
    jobs.touch()
    return 200, ""
  end,
})

operations.add("POST", ACTIONS .. "RestartJob", {
  scope = "OR.Jobs", access = "Write", folder = true,
  run = function(request)
    refresh()
    local job = job_of(request, operations.member(operations.body(), "jobId", "number"))
    if not FINAL[job.State] then problem.orchestrator(409, 1671, "A job that has not ended cannot be restarted.") end
    local process = processes.find(request.folder, job.Release.Id)
    if not process then problem.not_found("Process") end
    local again = start(request.folder, process, job)
    return 200, operations.entity(request, rows.sets.Jobs, "Jobs", again)
  end,
})

operations.add("GET", ACTIONS .. "GetByKey(identifier={})", {
  scope = "OR.Jobs", access = "Read", folder = true,
  run = function(request)
    refresh()
    local set, key = rows.sets.Jobs, request[1]:lower()
    local count, row_at = set.rows(request.folder)
    for position = count, 1, -1 do
      local row = row_at(position)
      if set.read(row, "Key") == key then return 200, operations.entity(request, set, "Jobs", row) end
    end
    return problem.not_found("Job")
  end,
})

operations.add("POST", "odata/Jobs({})/UiPath.Server.Configuration.OData.ValidateExistingJob", {
  scope = "OR.Jobs", access = "Write", folder = true,
  run = function(request)
    job_of(request, request[1])
    local valid = request.folder.FullyQualifiedName ~= WITHOUT_MACHINES
    return 200, {
      IsValid = valid,
      Errors = json.array(valid and {} or { "No machine is connected to a template of this folder." }),
      ErrorCodes = json.array(valid and {} or { "TemplateNoHostsAvailable" }),
    }
  end,
})

return jobs

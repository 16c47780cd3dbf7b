--- The long sets, jobs and queue items. A row is its number, and nothing is stored: every property
--- is worked out from the number when it is read, so that the same row always reads the same.

local clock = require("uipath.sandbox.clock")
local json = require("uipath.sandbox.json")
local rows = require("uipath.sandbox.rows")
local types = require("uipath.sandbox.types")

local null, guid, timestamp = json.null, rows.guid, clock.timestamp

--- The newest rows are as old as the sandbox: there are always jobs of "the last day".
local newest = ngx.time()

--- Seconds between the creation of a row and that of the next.
local INTERVAL = 60

--- A number between 0 and limit - 1 that depends on nothing but its arguments.
local function scatter(number, salt, limit)
  return (number * 7919 + salt * 104729 + number % 89 * salt) % 1000003 % limit
end

local function pick(list, number, salt)
  return list[scatter(number, salt, #list) + 1]
end

local function constant(value)
  return function() return value end
end

--- Completes a set whose rows are the numbers 1, 2, …, shared out to the folders in the order of
--- rows.tree.
---@param set table  type, singular, scope, page_cap, first_id
---@param share string  the member of rows.tree's entries that counts its rows
---@param values table<string, fun(number: integer, age: integer, folder: table): any>
---  each property from the number, the seconds since the row was made, and its folder
local function define(set, share, values)
  local ranges, by_folder, total = {}, {}, 0
  for index, branch in ipairs(rows.tree) do
    local range = { first = total + 1, last = total + branch[share], folder = branch.folder }
    ranges[index], by_folder[branch.folder] = range, range
    total = range.last
  end
  local first_id = set.first_id

  values.Id = function(number) return first_id + number - 1 end
  values.OrganizationUnitId = function(_, _, folder) return folder.Id end
  values.OrganizationUnitFullyQualifiedName = function(_, _, folder)
    return folder.FullyQualifiedName
  end

  function set.rows(folder)
    local before = by_folder[folder].first - 1
    return by_folder[folder].last - before, function(position) return before + position end
  end

  function set.read(number, property)
    local value = values[property]
    if not value then return null end
    local index = 1
    while number > ranges[index].last do index = index + 1 end
    local range = ranges[index]
    local result = value(number, (range.last - number) * INTERVAL, range.folder)
    if result == nil then return null end
    return result
  end

  function set.find(folder, id)
    local number, range = id - first_id + 1, by_folder[folder]
    if number >= range.first and number <= range.last then return number end
  end

  set.per_folder = true
  return set
end

-- Jobs ------------------------------------------------------------------------------------------

local PROCESSES = {
  "Invoice Processing", "Payroll Check", "Order Import", "Customer Onboarding",
  "Daily Report", "Claims Triage", "Stock Sync", "Mailbox Sorter",
}

rows.processes = PROCESSES

local FAULTS = {
  "Selector not found: <wnd app='sap.exe' title=\"Order 4711\" />\nat Main.xaml",
  "The remote server returned an error: (500) Internal Server Error.",
  "Could not find the file 'C:\\Data\\in\\orders.xlsx'.",
}

--- Younger jobs are still at work.
local RUNNING_AGE = 5 * INTERVAL

local function job_process(number) return scatter(number, 1, #PROCESSES) + 1 end

local function job_state(number, age)
  if age < RUNNING_AGE then return age == 0 and "Pending" or "Running" end
  local outcome = scatter(number, 2, 24)
  if outcome < 2 then return "Faulted" end
  return outcome == 2 and "Stopped" or "Successful"
end

local function job_created(number, age) return newest - age - scatter(number, 3, 1000) / 1000 end

local function job_started(number, age)
  return job_created(number, age) + 2 + scatter(number, 4, 5000) / 1000
end

--- The machine that a job ran on; nil when it has been deleted.
local function job_machine(number) return rows.sets.Machines.find(nil, 3001 + number % 6) end

local function job_robot(number)
  return "robot-" .. (number % 6 + 1)
end

rows.sets.Jobs = define({
  type = types.JobDto, singular = "Job", scope = "OR.Jobs", page_cap = 1000, first_id = 1000001,
}, "jobs", {
  Key = function(number) return guid(4, number) end,
  CreationTime = function(number, age) return timestamp(job_created(number, age)) end,
  StartTime = function(number, age)
    return age == 0 and null or timestamp(job_started(number, age))
  end,
  EndTime = function(number, age)
    if age < RUNNING_AGE then return null end
    return timestamp(job_started(number, age) + 5 + scatter(number, 5, 240000) / 1000)
  end,
  State = job_state,
  JobPriority = constant "Normal",
  SpecificPriorityValue = constant(45),
  Source = function(number) return pick({ "Manual", "Daily at 6", "Queue watcher" }, number, 6) end,
  SourceType = function(number) return pick({ "Manual", "Schedule", "Queue" }, number, 6) end,
  BatchExecutionKey = function(number) return guid(5, number) end,
  Info = function(number, age)
    local state = job_state(number, age)
    if state == "Faulted" then return pick(FAULTS, number, 7) end
    return state == "Successful" and "Job completed" or null
  end,
  ReleaseName = function(number) return PROCESSES[job_process(number)] end,
  Type = constant "Unattended",
  InputArguments = function(number)
    return ('{"in_Batch":%d,"in_Region":"%s"}'):format(number, pick({ "EMEA", "APAC" }, number, 8))
  end,
  OutputArguments = function(number, age)
    if job_state(number, age) ~= "Successful" then return null end
    return ('{"out_Processed":%d,"out_Note":"done"}'):format(scatter(number, 9, 500))
  end,
  HostMachineName = function(number) return job_machine(number) and job_machine(number).Name end,
  HasMediaRecorded = constant(false),
  HasVideoRecorded = constant(false),
  RuntimeType = constant "Unattended",
  RequiresUserInteraction = function(number) return number % 5 == 0 end,
  ReleaseVersionId = function(number) return 8000 + job_process(number) end,
  EntryPointPath = constant "Main.xaml",
  Reference = constant "",
  ProcessType = constant "Process",
  ResumeOnSameContext = constant(false),
  LocalSystemAccount = job_robot,
  RemoteControlAccess = constant "None",
  Robot = function(number)
    return { Id = 4001 + number % 6, Name = job_robot(number), Type = "Unattended",
      Username = "acme\\" .. job_robot(number), MachineId = 3001 + number % 6 }
  end,
  Release = function(number)
    local process = job_process(number)
    return { Id = 7000 + process, Key = guid(6, process), Name = PROCESSES[process],
      ProcessKey = PROCESSES[process]:gsub(" ", ""), ProcessVersion = "1.0." .. process,
      IsLatestVersion = true, IsProcessDeleted = false, ProcessType = "Process" }
  end,
  Machine = job_machine,
})

-- Queue items -----------------------------------------------------------------------------------

local STATUSES = { "New", "InProgress", "Failed", "Successful", "Successful", "Successful" }

local function item_status(number) return pick(STATUSES, number, 11) end

local function item_is_done(number)
  return item_status(number) == "Successful" or item_status(number) == "Failed"
end

rows.sets.QueueItems = define({
  type = types.QueueItemDto, singular = "QueueItem", scope = "OR.Queues", page_cap = 100,
  first_id = 5000001,
}, "items", {
  QueueDefinitionId = function(number) return 6001 + number % 3 end,
  Encrypted = constant(false),
  SpecificContent = function(number)
    return { InvoiceNumber = ("INV-%06d"):format(number),
      Amount = scatter(number, 12, 100000) / 100, Customer = "Müller & Söhne " .. number % 50 }
  end,
  SpecificData = function(number)
    return ('{"DynamicProperties":{"InvoiceNumber":"INV-%06d"}}'):format(number)
  end,
  Status = item_status,
  ReviewStatus = constant "None",
  Key = function(number) return guid(7, number) end,
  Reference = function(number) return ("INV-%06d"):format(number) end,
  ProcessingExceptionType = function(number)
    return item_status(number) == "Failed" and "ApplicationException" or null
  end,
  Priority = function(number) return pick({ "Low", "Normal", "High" }, number, 13) end,
  RobotId = function(number) return item_is_done(number) and 4001 + number % 6 or null end,
  StartProcessing = function(number, age)
    return item_is_done(number) and timestamp(newest - age + 4) or null
  end,
  EndProcessing = function(number, age)
    return item_is_done(number) and timestamp(newest - age + 9) or null
  end,
  SecondsInPreviousAttempts = constant(0),
  RetryNumber = constant(0),
  CreationTime = function(_, age) return timestamp(newest - age) end,
  RowVersion = function(number) return ("AAAAAA%06X="):format(number) end,
  QueueDefinition = function(number)
    return { Id = 6001 + number % 3, Key = guid(8, number % 3), Encrypted = false,
      Name = ({ "Invoices", "Orders", "Claims" })[number % 3 + 1] }
  end,
  Robot = function(number)
    return item_is_done(number)
      and { Id = 4001 + number % 6, Name = job_robot(number), Type = "Unattended" } or null
  end,
})

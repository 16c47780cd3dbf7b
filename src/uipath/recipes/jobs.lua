-- client.jobs: start, wait for, read, stop jobs.

local find = require "uipath.recipes.find"
local lost = require "uipath.recipes.lost"
local recipes = require "uipath.recipes"
local shared = require "uipath.recipes.shared"
local uipath = require "uipath"
local wait = require "uipath.recipes.wait"

local with, failure, value, text = shared.with, shared.failure, shared.value, shared.text

local ACTION = "odata/Jobs/UiPath.Server.Configuration.OData."
local PROCESS = { noun = "process", set = "odata/Releases", quoted = true }
-- So much fits into a request; what is longer goes by way of an attachment.
local LONGEST_INPUT = 10000
local LONGEST_ENVIRONMENT = 4000
local WAIT_SECONDS = 3600
-- Jobs of a list that are stopped by one request.
local STOPPED_AT_ONCE = 50
local FINAL = { Successful = true, Faulted = true, Stopped = true }

-- ---------------------------------------------------------------------------
-- Reading
-- ---------------------------------------------------------------------------

-- The job's row as it is now.
local function read(client, job, call)
  call = with(call, { folder = recipes.folder_of(job) or call.folder })
  if type(job) == "string" then return client:get(ACTION .. ("GetByKey(identifier=%s)"):format(job), call) end
  return client:get(shared.entity("odata/Jobs", type(job) == "table" and job.Id or job), call)
end

-- The row of a job with this member; it is fetched if need be.
local function with_member(client, job, member, call)
  if type(job) == "table" and value(job[member]) ~= nil then return job end
  return read(client, job, call)
end

-- ---------------------------------------------------------------------------
-- Starting
-- ---------------------------------------------------------------------------

local function environment_text(environment)
  if type(environment) == "string" then return environment end
  local lines = {}
  for name, each in pairs(environment) do
    if type(name) ~= "string" or type(each) == "table" then
      shared.raise("jobs: environment must be { NAME = value }, or lines NAME=value")
    end
    lines[#lines + 1] = ("%s=%s"):format(name, tostring(each))
  end
  table.sort(lines)
  return table.concat(lines, "\n")
end

local PRIORITIES = { Low = true, Normal = true, High = true }

local function set_priority(info, priority)
  if PRIORITIES[priority] then
    info.JobPriority = priority
  elseif type(priority) == "number" and priority >= 1 and priority <= 100 and priority % 1 == 0 then
    info.SpecificPriorityValue = priority
  else
    shared.raise('jobs: priority must be "Low", "Normal", "High" or a whole number from 1 to 100')
  end
end

-- Puts the text of a long input into an attachment. Gives its id.
local function attach(client, input, call)
  local attachment, err = client:post("odata/Attachments", { Name = "input.json" }, call)
  if not attachment then return nil, err end
  local sent
  sent, err = client:upload(attachment.BlobFileAccess, input, { timeout = call.timeout })
  if not sent then return nil, err end
  return attachment.Id
end

-- The arguments of the request, without the process.
local function start_info(client, input, options)
  local info = { Strategy = "ModernJobsCount", JobsCount = options.count or 1, BatchExecutionKey = shared.guid(),
    Reference = options.reference, RuntimeType = options.runtime }
  if options.priority ~= nil then set_priority(info, options.priority) end
  if options.environment ~= nil then
    info.EnvironmentVariables = environment_text(options.environment)
    if #info.EnvironmentVariables > LONGEST_ENVIRONMENT then
      return nil, failure("usage", ("the environment variables have %d characters, and %d are allowed"):format(
        #info.EnvironmentVariables, LONGEST_ENVIRONMENT))
    end
  end
  if input ~= nil and next(input) ~= nil then
    local encoded, err = uipath.json.encode(input)
    if not encoded then shared.raise("jobs: input: %s", err.message) end
    if encoded:sub(1, 1) ~= "{" then shared.raise("jobs: input must be a table of names and values, and is a list") end
    if #encoded <= LONGEST_INPUT then
      info.InputArguments = encoded
    else
      info.InputFile, err = attach(client, encoded, options.call)
      if not info.InputFile then return nil, err end
    end
  end
  for name, each in pairs(options.fields or {}) do info[name] = each end
  return info
end

-- Looks for as many jobs with the very key that was sent. Some services do not filter by it: then the process's latest ones are looked
-- through. `found` gets those that are there.
local function look_for(client, process, info, found)
  local key = info.BatchExecutionKey:lower()
  return function(call)
    local rows, err = client:collect("odata/Jobs", with(call, { filter = { "BatchExecutionKey eq ?", uipath.odata.guid(key) } }))
    local is_filtered = rows ~= nil
    if not rows and err.status == 400 then
      local filter = process.Name and { "ReleaseName eq ?", process.Name } or nil
      rows = client:collect("odata/Jobs", with(call, { filter = filter, orderby = "Id desc", limit = 1000 }))
    end
    found.jobs = {}
    for _, row in ipairs(rows or {}) do
      local its = value(row.BatchExecutionKey)
      if (its == nil and is_filtered) or (type(its) == "string" and its:lower() == key) then found.jobs[#found.jobs + 1] = row end
    end
    if #found.jobs > info.JobsCount then return false end
    return #found.jobs == info.JobsCount and { value = found.jobs } or nil
  end
end

local function start(client, process, input, options)
  local row, err
  if type(process) == "string" and recipes.is_guid(process) then row = { Key = process }
  else row, err = find.one(client, PROCESS, process, options.call, "Key") end
  if not row then return nil, err end
  local info
  info, err = start_info(client, input, options)
  if not info then return nil, err end
  info.ReleaseKey = row.Key
  -- A key of the caller's own may be of other jobs, too: by that nothing could be looked for.
  local is_ours = not (options.fields and options.fields.BatchExecutionKey)
  local found = {}
  local answer
  answer, err = client:post(ACTION .. "StartJobs", { startInfo = info }, options.call)
  if not answer then
    answer, err = lost.settle(client, err, options.call, is_ours and look_for(client, row, info, found) or nil)
    if not answer then
      err.jobs = found.jobs
      return nil, err
    end
  end
  local jobs = type(answer) == "table" and answer.value
  if type(jobs) ~= "table" then return nil, lost.mark(failure("decode", "the started jobs were due, and are not in the answer")) end
  if #jobs < info.JobsCount then
    return nil, failure("failed", ("%d of %d jobs have been started"):format(#jobs, info.JobsCount), { jobs = jobs })
  end
  return jobs[1], jobs
end

-- ---------------------------------------------------------------------------
-- Waiting
-- ---------------------------------------------------------------------------

-- What the robot says of a job that has ended badly.
local function words_of(job)
  local problem = value(job.JobError)
  if type(problem) == "table" then return text(job.Info) or text(problem.detail) or text(problem.title) end
  return text(job.Info)
end

local function name_of(job)
  return ("job %s%s"):format(shared.id(job.Id), text(job.ReleaseName) and (" (%s)"):format(job.ReleaseName) or "")
end

-- What a job has come to.
local function outcome(job)
  if job.State == "Successful" then return job end
  local problem = value(job.JobError)
  return nil, failure("failed", ("%s is %s: %s"):format(name_of(job), job.State, words_of(job) or "the robot says no more"),
    { job = job, code = value(job.ErrorCode) or (type(problem) == "table" and value(problem.code)) or nil })
end

-- Why a job is where it is when the time is over.
local function reason(client, job, call)
  if job.State == "Suspended" then return "it is Suspended: it waits for a person or another job, and goes on by itself" end
  if job.State ~= "Pending" then return "it goes on: ask again, or allow more time" end
  local path = shared.entity("odata/Jobs", job.Id) .. "/UiPath.Server.Configuration.OData.ValidateExistingJob"
  -- It only asks, though by POST.
  local answer = client:post(path, nil, with(call, { idempotent = true, max_attempts = 1, folder = recipes.folder_of(job) or call.folder }))
  local words = {}
  for _, name in ipairs { "ErrorCodes", "Errors" } do
    for _, each in ipairs(type(answer) == "table" and value(answer[name]) or {}) do words[#words + 1] = tostring(each) end
  end
  if #words > 0 then return "it is Pending, since it cannot start: " .. table.concat(words, "; ") end
  return "it is Pending: no machine and robot of the folder that may run it is free"
end

-- The jobs of these places in the list as they are now: rows and errors in the order of the places.
local function read_all(client, jobs, places, call)
  if #places == 1 then
    local row, err = read(client, jobs[places[1]], call)
    return { row }, { err }
  end
  local rows, errors = uipath.map(places, function(place) return read(client, jobs[place], call) end)
  return rows, errors or {}
end

-- What to say of a job whose time is over.
local function time_is_over(client, job, options)
  if type(job) ~= "table" or not job.State then
    return failure("timeout", "the time is over, and the service has not told the job's State", { retryable = true })
  end
  return failure("timeout", ("%s is %s, and the time is over"):format(name_of(job), job.State),
    { job = job, hint = reason(client, job, options.call), retryable = true })
end

local function wait_for(client, job, options)
  local is_list = type(job) == "table" and job.Id == nil
  local jobs, states, left = {}, {}, {}
  for place, each in ipairs(is_list and job or { job }) do jobs[place], left[place] = each, place end
  local waiting = wait.new(options.timeout or WAIT_SECONDS)
  local function failed(err, place)
    err.job = err.job or (type(jobs[place]) == "table" and jobs[place]) or nil
    err.jobs = is_list and jobs or nil
    return nil, err
  end
  while #left > 0 do
    local rows, errors = read_all(client, jobs, left, options.call)
    local still = {}
    for i, place in ipairs(left) do
      local row = rows[i]
      if row then
        waiting:heard()
        jobs[place] = row
        if type(row.State) ~= "string" then return failed(failure("decode", "the job's State is not in the answer"), place) end
        if row.State ~= states[place] then
          if states[place] then waiting:hurry() end
          states[place] = row.State
          if options.on_change then options.on_change(row) end
        end
      elseif not waiting:forgives(errors[i]) then
        return failed(errors[i], place)
      end
      if not FINAL[states[place]] then still[#still + 1] = place end
    end
    left = still
    if #left > 0 and not waiting:again() then return failed(time_is_over(client, jobs[left[1]], options), left[1]) end
  end
  for place, row in ipairs(jobs) do
    local good, err = outcome(row)
    if not good then return failed(err, place) end
  end
  return is_list and jobs or jobs[1]
end

-- ---------------------------------------------------------------------------
-- Output
-- ---------------------------------------------------------------------------

local MAYBE_DROPPED = "there is no output: either the process gives none, or a robot older than 2025.10.1 has dropped what was longer than "
  .. "10,000 characters"

local function decoded(encoded, job)
  local output, err = uipath.json.decode(encoded)
  if type(output) == "table" then return output end
  return nil, failure("decode", "the job's output is no JSON object" .. (err and ": " .. err.message or ""), { job = job })
end

-- What is in an attachment.
local function content_of(client, id, call)
  local attachment, err = client:get(("odata/Attachments(%s)"):format(id), call)
  if not attachment then return nil, err end
  return shared.with_file(function(path)
    local bytes, problem = client:download(attachment.BlobFileAccess, path, { timeout = call.timeout })
    if not bytes then return nil, problem end
    return shared.read(path)
  end)
end

local function output_of(client, job, options)
  local call = options.call
  local row, content, err = job
  if type(job) ~= "table" or job.State ~= "Successful" or (job.OutputArguments == nil and job.OutputFile == nil) then
    row, err = read(client, job, call)
    if not row then return nil, err end
  end
  local file = text(row.OutputFile)
  if file then
    content, err = content_of(client, file, call)
    if not content then return nil, err end
    return decoded(content, row)
  end
  local encoded = text(row.OutputArguments)
  if encoded then return decoded(encoded, row) end
  return {}, row.State == "Successful" and MAYBE_DROPPED or nil
end

local function run(client, process, input, options)
  local job, err = start(client, process, input, options)
  if not job then return nil, err end
  job, err = wait_for(client, job, options)
  if not job then return nil, err end
  local output
  output, err = output_of(client, job, options)
  if not output then
    err.job = job
    return nil, err
  end
  return output, job
end

-- ---------------------------------------------------------------------------
-- Stopping, restarting
-- ---------------------------------------------------------------------------

-- The ids of the jobs by their folders: { { folder =, ids = { … } }, … }, each at most as many as go into one request.
local function by_folder(client, jobs, call)
  local batches, latest = {}, {}
  for _, job in ipairs(jobs) do
    local row, err = with_member(client, type(job) == "number" and { Id = job } or job, "Id", call)
    if not row then return nil, err end
    local folder = recipes.folder_of(job) or call.folder
    local key = folder == nil and "" or folder
    local batch = latest[key]
    if not batch or #batch.ids == STOPPED_AT_ONCE then
      batch = { folder = folder, ids = uipath.array {} }
      batches[#batches + 1], latest[key] = batch, batch
    end
    batch.ids[#batch.ids + 1] = row.Id
  end
  return batches
end

local function stop(client, job, options)
  local jobs = (type(job) == "table" and job.Id == nil) and job or { job }
  local batches, err = by_folder(client, jobs, options.call)
  if not batches then return nil, err end
  for _, batch in ipairs(batches) do
    local body = { jobIds = batch.ids, strategy = options.kill and "Kill" or "SoftStop" }
    local done
    done, err = client:post(ACTION .. "StopJobs", body, with(options.call, { folder = batch.folder }))
    if done == nil then return lost.settle(client, err, options.call) end
  end
  return true
end

local function restart(client, job, options)
  local row, err = with_member(client, type(job) == "number" and { Id = job } or job, "Id", options.call)
  if not row then return nil, err end
  local again
  again, err = client:post(ACTION .. "RestartJob", { jobId = row.Id }, options.call)
  if again then return again end
  return lost.settle(client, err, options.call)
end

-- ---------------------------------------------------------------------------
-- Logs
-- ---------------------------------------------------------------------------

-- Log lines without an Id (some stores give none) are told apart by all that they say.
local function mark_of(line)
  local id = value(line.Id)
  if id and id ~= 0 then return shared.id(id) end
  return table.concat({ tostring(line.TimeStamp), tostring(line.Level), tostring(value(line.RawMessage) or line.Message) }, "\0")
end

-- Iterates over the lines as they come, until the job has ended. Lines of the last point in time are asked for again, and left out.
local function follow(client, job, call)
  local waiting = wait.new(math.huge)
  local queue, first, since, seen, over = {}, 1, nil, {}, false
  local function fetch()
    local filter = uipath.odata.filter("JobKey eq ?", uipath.odata.guid(job.Key))
    if since then filter = shared.both(filter, uipath.odata.filter("TimeStamp ge ?", uipath.odata.date(since))) end
    local lines, err = client:collect("odata/RobotLogs", with(call, { filter = filter, orderby = "TimeStamp" }))
    if not lines then
      if waiting:forgives(err) then return end
      error(err, 0)
    end
    waiting:heard()
    queue, first = {}, 1
    for _, line in ipairs(lines) do
      local mark = mark_of(line)
      if line.TimeStamp ~= since then
        -- What is older is not asked for any more.
        if since == nil or line.TimeStamp > since then seen = {} end
        since = line.TimeStamp
      end
      if not seen[mark] then
        seen[mark] = true
        queue[#queue + 1] = line
      end
    end
    if #queue > 0 then waiting:hurry() end
  end
  return function()
    while true do
      local line = queue[first]
      if line then
        first = first + 1
        return line
      end
      if over then return nil end
      local row, err = read(client, job, call)
      if not row and not waiting:forgives(err) then error(err, 0) end
      -- Looked at before the lines are: none that was written by then is missed.
      over = row and FINAL[row.State] or false
      fetch()
      if not queue[1] and not over then waiting:again() end
    end
  end
end

local function logs(client, job, options)
  local call = options.call
  local row, err
  if type(job) == "string" and not options.follow then row = { Key = job }
  else row, err = with_member(client, job, "Key", call) end
  if not row then return nil, err end
  if options.follow then return follow(client, row, call) end
  local filter = shared.both(uipath.odata.filter("JobKey eq ?", uipath.odata.guid(row.Key)), call.filter)
  return client:each("odata/RobotLogs", with(call, { filter = filter, orderby = call.orderby or "TimeStamp" }))
end

-- ---------------------------------------------------------------------------

local START_OPTIONS = {
  count = { "count", "how many jobs, default 1" },
  reference = { "text", "a text of one's own, by which the job is found later" },
  priority = { "string|number", "Low, Normal, High, or 1 to 100" },
  runtime = { "text", "the kind of runtime: Unattended, Serverless, …" },
  environment = { "table|string", "environment variables: { NAME = value }" },
  fields = { "table", "anything else of the request's startInfo" },
}
local WAIT_OPTIONS = {
  timeout = { "seconds", "for the whole wait, default 3600" },
  on_change = { "function", "called with the job whenever its State has changed" },
}
local RUN_OPTIONS = with(with(START_OPTIONS, WAIT_OPTIONS))
RUN_OPTIONS.count = nil

local START_CALLS = { { "GET", "odata/Releases" }, { "POST", ACTION .. "StartJobs" } }
local READ_CALLS = { { "GET", "odata/Jobs(1)" } }
local RUN_CALLS = { START_CALLS[1], START_CALLS[2], READ_CALLS[1] }

return {
  name = "jobs",
  help = "jobs: start, wait for, read, stop",
  methods = {
    {
      name = "start", help = "starts a process", folder = true, options = START_OPTIONS, calls = START_CALLS,
      arguments = { { "process", "name", complete = "processes" }, { "input", "table", optional = true } },
      run = start,
    },
    {
      name = "wait", help = "waits until a job, or all of a list, have ended well", folder = true, waits = true,
      options = WAIT_OPTIONS, calls = READ_CALLS, arguments = { { "job", "rows" } }, run = wait_for,
    },
    {
      name = "output", help = "the output arguments of a job", folder = true, calls = READ_CALLS,
      arguments = { { "job", "row" } }, run = output_of,
    },
    {
      name = "run", help = "starts a process, waits for it and gives its output", folder = true, waits = true,
      options = RUN_OPTIONS, calls = RUN_CALLS,
      arguments = { { "process", "name", complete = "processes" }, { "input", "table", optional = true } },
      run = run,
    },
    {
      name = "stop", help = "stops a job, or all of a list", folder = true, arguments = { { "job", "rows" } },
      options = { kill = { "boolean", "at once, without a chance to tidy up" } },
      calls = { { "POST", ACTION .. "StopJobs" } }, run = stop,
    },
    {
      name = "restart", help = "starts a job that has ended once more", folder = true, arguments = { { "job", "row" } },
      calls = { { "POST", ACTION .. "RestartJob" } }, run = restart,
    },
    {
      name = "each", help = "iterates over the folder's jobs", folder = true, iterates = true, paging = true, arguments = {},
      calls = { { "GET", "odata/Jobs" } },
      run = function(client, options) return client:each("odata/Jobs", options.call) end,
    },
    {
      name = "logs", help = "iterates over the log of a job", folder = true, iterates = true, paging = true,
      arguments = { { "job", "row" } }, options = { follow = { "boolean", "until the job has ended" } },
      calls = { { "GET", "odata/RobotLogs" }, { "GET", "odata/Jobs(1)" } }, run = logs,
    },
  },
}

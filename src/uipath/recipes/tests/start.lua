-- Starting a run of a test set in Test Manager. The request takes nothing of ours along by which its run could be known, and is never sent
-- twice. Where its answer was lost no run can be said to be ours, not even the only new one: another process may have started it. So none
-- is judged; the new ones are named.

local internal = require "uipath.internal"
local lost = require "uipath.recipes.lost"
local manager = require "uipath.recipes.tests.manager"
local shared = require "uipath.recipes.shared"
local uipath = require "uipath"
local verdict = require "uipath.recipes.tests.verdict"

local failure, text, with = shared.failure, shared.text, shared.with

local start = {}

-- So many of the newest runs are looked at.
local NEWEST = 50
-- So long is looked for new runs at most, and so often.
local LONGEST_LOOK = 15
local FIRST_PAUSE, LONGEST_PAUSE = 0.25, 2
-- So long after the first new run it is looked for others: ours may show later than another pipeline's.
local OTHERS = 2
-- So many new runs are named.
local NAMED = 5

-- The runs whose start was answered to this process: none of them is that of a lost answer.
local taken = {}

-- The newest runs of the project. nil: they cannot be had, or not told apart.
local function newest(client, project, call)
  local page = client:get(manager.path(project, "testexecutions"), with(call, { top = NEWEST, orderby = "created desc" }))
  local rows = type(page) == "table" and page.data
  if type(rows) ~= "table" then return nil end
  for _, row in ipairs(rows) do
    if type(row) ~= "table" or not text(row.id) then return nil end
  end
  return rows
end

-- What was there before: the ids of the runs, all sets'; when the last of them was made; and whether these were all.
local function what_is_there(rows)
  if not rows then return nil end
  local before = { ids = {}, latest = nil, is_whole = #rows < NEWEST }
  for _, row in ipairs(rows) do
    before.ids[row.id] = true
    local created = verdict.instant(row.created)
    if created and (not before.latest or created > before.latest) then before.latest = created end
  end
  return before
end

-- Whether a run that was not among the newest has been made since, and has not only moved up because others were deleted.
local function is_new(row, before)
  if before.ids[row.id] then return false end
  local created = verdict.instant(row.created)
  if created and before.latest then return created >= before.latest end
  return before.is_whole or nil
end

-- The new runs that may be one of the set.
local function new_runs(rows, set, before)
  local found = {}
  for _, row in ipairs(rows) do
    local of_set = text(row.testSetId)
    if not taken[row.id] and is_new(row, before) ~= false and (of_set == set.id or not of_set) then found[#found + 1] = row.id end
  end
  return found
end

-- The id in an answer: an object, or the id alone. nil: it cannot be read.
local function id_in(answer)
  local id = type(answer) == "table" and (answer.id or answer.testExecutionId) or answer
  if type(id) ~= "string" then return nil end
  return id:match '^%s*"?([%w-]+)"?%s*$'
end

-- The error of a lost answer; found: the new runs, nil where they are not known.
local function uncertain(err, project, found)
  err = lost.mark(err)
  local refs, commands = {}, {}
  for i = 1, math.min(#(found or {}), NAMED) do
    refs[i] = project.prefix .. "/" .. found[i]
    commands[i] = "luipath tests result " .. refs[i]
  end
  local more = found and #found > NAMED and (" and %d more"):format(#found - NAMED) or ""
  local seen = not found and "whether there is a new run is not known"
    or refs[1] and ("new since then, but not certainly ours: %s%s"):format(table.concat(refs, ", "), more)
    or "no new run was seen"
  err.message = ("the run may have been started (%s): %s"):format(seen, err.message)
  if refs[1] then
    err.hint = ("%s; to take up a run that is yours: %s%s"):format(err.hint, table.concat(commands, ", or "), more)
  end
  if err.status and err.status >= 500 then
    err.hint = err.hint .. "; Test Manager answers so where it cannot use the project's folder of Orchestrator, too"
  end
  return err
end

-- Where the service itself says that it has failed, there is hardly a run of ours to be waited for.
local function says_no(err) return err.status == 500 or err.status == 503 end

-- Looks which runs are new since a request whose answer was lost, for a while after the first.
---@return string[]? found nil: they cannot be had
local function look(client, project, set, before, err, call, deadline)
  if not before then return nil end
  local now = internal.now()
  deadline = says_no(err) and now or math.min(now + LONGEST_LOOK, math.max(deadline, now + OTHERS + 1))
  local pause, found = FIRST_PAUSE, nil
  while true do
    local left = says_no(err) and LONGEST_LOOK or math.max(0.5, deadline - internal.now())
    local rows = newest(client, project, with(call, { timeout = left, max_attempts = 1 }))
    if rows then
      local is_first = not (found and found[1])
      found = new_runs(rows, set, before)
      if is_first and found[1] then deadline = math.min(deadline, internal.now() + OTHERS) end
    end
    if internal.now() + pause > deadline then return found end
    uipath.sleep(pause)
    pause = math.min(pause * 2, LONGEST_PAUSE)
  end
end

-- What to do about what Test Manager refuses to start.
local function explain(err, project)
  local words = tostring(err.message):lower()
  if words:find("assign folder", 1, true) then
    err.hint = ("the project %s has no folder of Orchestrator to run in: choose one in Test Manager, under the project's settings")
      :format(project.prefix)
  end
end

---Starts a request that begins a run of the set.
---@param send fun(): any, any
---@param deadline number by internal.now: when the run's time is over
---@return string? id
---@return uipath.Error? err
local function begin(client, project, set, call, deadline, send)
  local before = what_is_there(newest(client, project, call))
  local answer, err = send()
  local id = answer ~= nil and id_in(answer)
  if id then
    if type(answer) == "table" and text(answer.testSetId) and answer.testSetId ~= set.id then
      return nil, failure("decode", "the run that was started is one of another test set")
    end
    taken[id] = true
    return id
  end
  if answer ~= nil then err = failure("decode", "the answer to the start has no id") end
  explain(err, project)
  if not lost.is(err) then return nil, err end
  return nil, uncertain(err, project, look(client, project, set, before, err, call, deadline))
end

---Runs the automated cases of a set.
---@return string? id
---@return uipath.Error? err
function start.run(client, project, set, call, deadline)
  return begin(client, project, set, call, deadline, function()
    return client:post(manager.path(project, "testsets/" .. set.id .. "/startexecute"), nil,
      with(call, { query = { executionType = "automated" } }))
  end)
end

---Runs cases of a run once more.
---@param logs string[] the ids of what is to be done again
---@return string? id it may be that of the former run
---@return uipath.Error? err
function start.again(client, project, set, execution, logs, call, deadline)
  return begin(client, project, set, call, deadline, function()
    return client:post(manager.path(project, "testcaselogs/re-execute"),
      { testExecutionId = execution, testCaseLogIds = uipath.array(logs) }, with(call))
  end)
end

return start

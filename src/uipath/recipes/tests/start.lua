-- Starting a run of a test set in Test Manager. The request takes nothing of ours along by which its run could be known, and is never sent
-- twice. Where its answer was lost, the runs that are there are compared with those of before.

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
-- So long is looked for a lost run at most, and so often.
local LONGEST_LOOK = 15
local FIRST_PAUSE, LONGEST_PAUSE = 0.25, 2
-- So long must the only new run stay the only one before it is taken: another pipeline's may show late.
local ALONE = 2

-- The runs that are known to have been started here, by this process: none of them is anybody else's.
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

-- The new runs that may be one of the set; and whether it can be said of each that it is.
local function new_runs(rows, set, before)
  local found, is_certain = {}, true
  for _, row in ipairs(rows) do
    local new, of_set = is_new(row, before), text(row.testSetId)
    if new ~= false and (of_set == set.id or not of_set) then
      found[#found + 1] = row.id
      if new == nil or not of_set then is_certain = false end
    end
  end
  return found, is_certain
end

-- The id in an answer: an object, or the id alone. nil: it cannot be read.
local function id_in(answer)
  local id = type(answer) == "table" and (answer.id or answer.testExecutionId) or answer
  if type(id) ~= "string" then return nil end
  return id:match '^%s*"?([%w-]+)"?%s*$'
end

local function uncertain(err, project, candidates)
  err = lost.mark(err)
  local words = {}
  for i, id in ipairs(candidates or {}) do words[i] = ("luipath tests result %s/%s"):format(project.prefix, id) end
  err.message = "the run may have been started, and none can be said to be ours: " .. err.message
  if #words > 0 then err.hint = ("it may have been done; new since then: %s"):format(table.concat(words, ", ")) end
  if err.status and err.status >= 500 then
    err.hint = err.hint .. "; Test Manager answers so where it cannot use the project's folder of Orchestrator, too"
  end
  return nil, err
end

-- Where the service itself says that it has failed, a run that is new is more likely somebody else's.
local function says_no(err) return err.status == 500 or err.status == 503 end

-- Looks which run came of a request without an answer. Only one that stays the only new one is taken.
local function look(client, project, set, before, err, call, deadline)
  if not before then return uncertain(err, project) end
  if says_no(err) then
    local rows = newest(client, project, with(call, { timeout = LONGEST_LOOK, max_attempts = 1 }))
    return uncertain(err, project, rows and new_runs(rows, set, before))
  end
  local now = internal.now()
  deadline = math.min(now + LONGEST_LOOK, math.max(deadline, now + ALONE + 1))
  local pause, alone, since, found = FIRST_PAUSE, nil, nil, {}
  repeat
    local rows = newest(client, project, with(call, { timeout = math.max(0.5, deadline - internal.now()), max_attempts = 1 }))
    if rows then
      local is_certain
      found, is_certain = new_runs(rows, set, before)
      if #found > 1 or (found[1] and (taken[found[1]] or not is_certain)) then break end
      if found[1] ~= alone then alone, since = found[1], internal.now() end
      if alone and internal.now() - since >= ALONE then return alone end
    end
    uipath.sleep(pause)
    pause = math.min(pause * 2, LONGEST_PAUSE)
  until internal.now() > deadline
  return uncertain(err, project, found)
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
  id, err = look(client, project, set, before, err, call, deadline)
  if not id then return nil, err end
  taken[id] = true
  return id
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

-- Starting a run of a test set in Test Manager. The request takes nothing of ours along by which its run could be known, and is never sent
-- twice. Where its answer was lost, the runs that are there are compared with those of before.

local internal = require "uipath.internal"
local lost = require "uipath.recipes.lost"
local manager = require "uipath.recipes.tests.manager"
local shared = require "uipath.recipes.shared"
local uipath = require "uipath"

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
    if type(row) ~= "table" or not text(row.id) or not text(row.testSetId) then return nil end
  end
  return rows
end

-- The ids of the runs that are there already, all sets'.
local function ids_of(rows)
  if not rows then return nil end
  local ids = {}
  for _, row in ipairs(rows) do ids[row.id] = true end
  return ids
end

-- The runs of the set that were not there before.
local function new_runs(rows, set, before)
  local found = {}
  for _, row in ipairs(rows) do
    if row.testSetId == set.id and not before[row.id] then found[#found + 1] = row.id end
  end
  return found
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
  return nil, err
end

-- Looks which run came of a request without an answer. Only one that stays the only new one is taken.
local function look(client, project, set, before, err, call, deadline)
  if not before then return uncertain(err, project) end
  local now = internal.now()
  deadline = math.min(now + LONGEST_LOOK, math.max(deadline, now + ALONE + 1))
  local pause, alone, since, found = FIRST_PAUSE, nil, nil, {}
  repeat
    local rows = newest(client, project, with(call, { timeout = math.max(0.5, deadline - internal.now()), max_attempts = 1 }))
    if rows then
      found = new_runs(rows, set, before)
      if #found > 1 or (found[1] and taken[found[1]]) then break end
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
  elseif err.status and err.status >= 500 and not err.hint then
    err.hint = "Test Manager answers so where it cannot use the project's folder of Orchestrator, too"
  end
  return err
end

---Starts a request that begins a run of the set.
---@param send fun(): any, any
---@param deadline number by internal.now: when the run's time is over
---@return string? id
---@return uipath.Error? err
local function begin(client, project, set, call, deadline, send)
  local before = ids_of(newest(client, project, call))
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

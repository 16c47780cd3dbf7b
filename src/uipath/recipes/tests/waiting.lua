-- A run from its start to its verdict, whichever service it is one of, and what is left behind where it comes to no end: a JUnit file that
-- is red, and the words by which the run is taken up again.
--
-- A target is a run's place: { name, test_set, project } for the reader, and
--   start(deadline) → id | nil, err
--   ref(id), url(id)
--   state(id) → uipath.tests.State | nil, err
--   results(id, state) → run | nil, err         of a run that is over
--   cases(id, patience) → cases | nil, err      as they are now, in so many seconds
--   pending                                     why a run may not begin

local internal = require "uipath.internal"
local junit = require "uipath.recipes.tests.junit"
local output_file = require "uipath.recipes.tests.output_file"
local shared = require "uipath.recipes.shared"
local uipath = require "uipath"
local verdict = require "uipath.recipes.tests.verdict"

local failure = shared.failure

local waiting = {}

waiting.TIMEOUT = 14400

local FIRST_PAUSE, LONGEST_PAUSE, GROWTH = 5, 30, 1.25
local SHORTEST_PAUSE = 0.05
-- An outage of the service that is no longer than this does not end the wait.
local PATIENCE = 300
-- A run that was just started may not be found for a moment.
local BIRTH = 30
-- So long may it take to ask for the cases of a run that will not be waited for any more; and so long where somebody has no more patience.
local LAST_LOOK, HASTY_LOOK = 15, 5

local function describe(state)
  if not state then return "nothing was heard of it" end
  if not state.done then return "it is " .. state.status end
  return ("it is %s, %d of %d cases are done"):format(state.status, state.done, state.total)
end

-- What a run is called whose end was not seen.
local function handle(target, id, state)
  return { id = id, ref = target.ref(id), url = target.url(id), status = state and state.status or nil }
end

local function time_is_over(target, id, state, timeout)
  local hint = "the run goes on; to take it up again: luipath tests result " .. target.ref(id)
  if state and state.status == "Pending" then hint = ("%s; it has not begun: %s"):format(hint, target.pending) end
  local message = ("the time is over (%g s): %s"):format(timeout, describe(state))
  return failure("timeout", message, { hint = hint, run = handle(target, id, state) })
end

-- An error of a run that was started, with what the run is called and how it is taken up again.
local function left_at(target, id, state, err, words)
  err.run = handle(target, id, state)
  err.hint = ("%s%s: luipath tests result %s"):format(err.hint and err.hint .. "; " or "", words, target.ref(id))
  return nil, err
end

-- Whether an error of a request that only asks is one to wait out.
local function is_passing(err, heard, began, is_new)
  local now = internal.now()
  if err.retryable == true then return now - heard < PATIENCE end
  return err.kind == "not_found" and is_new and now - began < BIRTH
end

---Waits for the end of a run.
---@param options { timeout: number?, poll: number?, on_progress: function? }
---@param deadline number
---@param context table gets `state`; `is_new`: the run was started just now
---@return uipath.tests.State?
---@return uipath.Error? err
local function follow(target, id, options, deadline, context)
  local pause, began = options.poll and math.max(options.poll, SHORTEST_PAUSE) or FIRST_PAUSE, internal.now()
  local heard, done, total, failed = began, nil, nil, nil
  while true do
    local state, err = target.state(id)
    if state then
      heard, context.state = internal.now(), state
      if options.on_progress and state.done and (state.done ~= done or state.total ~= total or state.failed ~= failed) then
        done, total, failed = state.done, state.total, state.failed
        options.on_progress(done, total, failed)
      end
      if state.is_over then return state end
    elseif not is_passing(err, heard, began, context.is_new) then
      return left_at(target, id, context.state, err, "the run may go on; to take it up again")
    end
    local left = deadline - internal.now()
    if left <= 0 then return nil, time_is_over(target, id, context.state, options.timeout or waiting.TIMEOUT) end
    uipath.sleep(math.min(pause, left))
    if not options.poll then pause = math.min(pause * GROWTH, LONGEST_PAUSE) end
  end
end

---From the start, or from a run that was started, to its verdict.
---@param id any nil: to be started
---@param context table gets `target`, `id` and `state`, for what is left behind
---@return table? run
---@return uipath.Error? err
function waiting.finish(target, id, options, deadline, context)
  context.target = target
  local err, state, run
  if not id then
    id, err = target.start(deadline)
    if not id then return nil, err end
    context.is_new = true
  end
  context.id = id
  if options.on_start then options.on_start(target.ref(id), target.url(id)) end
  state, err = follow(target, id, options, deadline, context)
  if not state then return nil, err end
  run, err = target.results(id, state)
  if not run then return left_at(target, id, state, err, "the run is over; to read its results again") end
  if options.on_progress then options.on_progress(run.counts.total, run.counts.total, run.counts.failed) end
  return run
end

-- ---------------------------------------------------------------------------
-- What is left behind
-- ---------------------------------------------------------------------------

-- What is known of a run that has come to no end.
local function remains(context, cases)
  local target, id, state = context.target, context.id, context.state
  if not target then return { cases = {}, passed = false, name = context.name } end
  return {
    cases = cases or {}, passed = false, name = target.name, test_set = target.test_set, project = target.project,
    id = id, ref = id and target.ref(id), url = id and target.url(id), status = state and state.status,
  }
end

-- Writes a red file. What is known at once comes first: asking for the cases may fail, or be interrupted.
local function write_remains(path, context, problem, patience)
  local written, err = output_file.write(path, junit.write(remains(context), problem))
  if not written then return nil, err end
  if not context.id or patience == 0 then return true end
  local asked, cases = pcall(context.target.cases, context.id, patience)
  if asked and cases and #cases > 0 then return output_file.write(path, junit.write(remains(context, cases), problem)) end
  return true
end

local function problem_of(err)
  return uipath.is_error(err) and (err.hint and ("%s — %s"):format(err.message, err.hint) or tostring(err.message)) or tostring(err)
end

---Why a run has no verdict yet; nil: it has one.
---@return string?
function waiting.problem_of(run)
  if run.status == nil or verdict.is_over(run.status) then return nil end
  return ("the run goes on (it is %s); later: luipath tests result %s"):format(run.status, tostring(run.ref))
end

-- How the run is taken up again that nobody waits for any more; "" where none was started.
local function way_back_of(context)
  if not context.id then return "" end
  return "; the run goes on; to take it up again: luipath tests result " .. context.target.ref(context.id)
end

---Runs what gives a run, with a JUnit file of whatever comes of it: of an error and an interruption, too.
---@param path? string nil: without a file
---@param name string of the test set, as far as it is known
---@param work fun(context: table): table?, uipath.Error?
---@return table? run
---@return uipath.Error? err
function waiting.with_junit(path, name, work)
  local context = { name = name }
  if path then
    local ready, refusal = output_file.prepare(path)
    if not ready then return nil, refusal end
  end
  local ok, run, err = pcall(work, context)
  if not ok then
    local way_back = way_back_of(context)
    local was_interrupted = tostring(run):find("interrupted!", 1, true)
    -- Where there are parameters to put back, that comes before everything that takes time.
    if path then
      local why = (was_interrupted and "the wait was interrupted" or tostring(run)) .. way_back
      pcall(write_remains, path, context, why, context.is_hasty and 0 or HASTY_LOOK)
    end
    -- lua.c shows this, and nothing else, to who has pressed Ctrl-C.
    error(was_interrupted and type(run) == "string" and run .. way_back or run, 0)
  end
  if not path then return run, err end
  local written, problem
  if run then
    written, problem = output_file.write(path, junit.write(run, waiting.problem_of(run)))
    if written then return run end
    problem.run = run
    return nil, problem
  end
  written, problem = write_remains(path, context, problem_of(err), LAST_LOOK)
  if not written then err.hint = (err.hint and err.hint .. "; " or "") .. problem.message end
  return nil, err
end

return waiting

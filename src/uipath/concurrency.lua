-- Functions side by side: uipath.map and uipath.all.
--
-- Each runs a few workers, every one in a coroutine of its own, a task. A call that is made directly on a task's thread yields itself
-- (src/task.h) and the others go on; the scheduler here blocks for all calls that are waited for, and resumes a task when its call is
-- done. A map within a map yields its workers to the same scheduler. In nginx light threads take the place of all this, where it has them.

local cancelling = require "uipath.cancelling"
local internal = require "uipath.internal"

local unpack = table.unpack or unpack -- luacheck: ignore 113 143
local resume, status, yield = coroutine.resume, coroutine.status, coroutine.yield

local in_nginx = type(rawget(_G, "ngx")) == "table" and rawget(_G, "ngx").get_phase
local run_in_nginx = in_nginx and require("uipath.nginx").run

local concurrency = {}

local DEFAULT_CONCURRENCY = 8

-- ---------------------------------------------------------------------------
-- Tasks and groups
-- ---------------------------------------------------------------------------

-- What a task yields before the group that it waits for, and before the seconds that it sleeps; else it yields a call.
local GROUP, SLEEP = {}, {}
concurrency.SLEEP = SLEEP
concurrency.on_cancel = cancelling.on_cancel

-- The tasks of one map or all: it is over when all have ended, one has asked to stop, or one has raised.
local function new_group(count, worker, parent)
  return { count = count, worker = worker, parent = parent, tasks = {}, running = 0, over = false, raised = false }
end

local end_group

-- Closes what the functions of a thread that will not run again have open (Lua 5.4): neither an error nor the end of a wait does.
local function close(thread)
  if coroutine.close then coroutine.close(thread) end -- luacheck: ignore 143
end

-- Ends a task that waits, with all that it has begun.
local function end_task(scheduler, task)
  task.ended = true
  scheduler:forget(task)
  internal.set_task(task.thread, nil)
  if task.children then end_group(scheduler, task.children) end
  close(task.thread)
  for call in pairs(task.calls) do internal.cancel(call) end
end

function end_group(scheduler, group)
  if group.over then return end
  group.over = true
  local tasks = group.tasks
  group.tasks = {}
  for task in pairs(tasks) do end_task(scheduler, task) end
  for task in pairs(tasks) do cancelling.clean_up(task) end
  if group.parent and not group.parent.ended then
    group.parent.children = nil
    scheduler:make_runnable(group.parent)
  end
end

-- ---------------------------------------------------------------------------
-- The scheduler
-- ---------------------------------------------------------------------------

local Scheduler = {}
Scheduler.__index = Scheduler

-- calls[i] is what tasks[i] waits for, 1 … count; timed of these have a deadline, and so have all that sleep.
local function new_scheduler()
  return setmetatable({ runnable = {}, calls = {}, tasks = {}, count = 0, timed = 0, ready = {}, sleepers = {} }, Scheduler)
end

function Scheduler:make_runnable(task)
  self.runnable[#self.runnable + 1] = task
end

-- The task waits for a call, at most for some seconds.
function Scheduler:suspend(task, call, seconds, without_results)
  local place = self.count + 1
  self.count, task.place, task.call, task.without_results = place, place, call, without_results
  self.calls[place], self.tasks[place] = call, task
  if seconds then
    task.deadline = internal.now() + seconds
    self.timed = self.timed + 1
  end
end

function Scheduler:sleep(task, seconds)
  task.deadline = internal.now() + seconds
  self.sleepers[task] = true
end

-- The task waits no longer; the last of those that do takes its place.
function Scheduler:forget(task)
  local place, last = task.place, self.count
  if not place then
    self.sleepers[task], task.deadline = nil, nil
    return
  end
  self.calls[place], self.tasks[place] = self.calls[last], self.tasks[last]
  self.tasks[place].place = place
  self.calls[last], self.tasks[last], self.count = nil, nil, last - 1
  if task.deadline then self.timed = self.timed - 1 end
  task.place, task.deadline = nil, nil
end

-- Seconds until the first deadline; nil: there is none.
function Scheduler:patience()
  if self.timed == 0 and not next(self.sleepers) then return nil end
  local first = math.huge
  for task in pairs(self.sleepers) do first = math.min(first, task.deadline) end
  for place = 1, self.count do first = math.min(first, self.tasks[place].deadline or first) end
  return math.max(0, first - internal.now())
end

-- Blocks until a call is ready or a deadline is over, and makes those tasks runnable.
function Scheduler:wait()
  local ready = self.ready
  local number = internal.select(self.calls, self.count, self:patience(), ready)
  -- From the last to the first, as forgetting one moves only a later one.
  for index = number, 1, -1 do
    local task = self.tasks[ready[index]]
    self:forget(task)
    ready[index] = task
  end
  for index = 1, number do
    self:make_runnable(ready[index])
    ready[index] = nil
  end
  local now = internal.now()
  for task in pairs(self.sleepers) do
    if task.deadline <= now then
      self:forget(task)
      self:make_runnable(task)
    end
  end
  if self.timed == 0 then return end
  for place = self.count, 1, -1 do
    local task = self.tasks[place]
    if task.deadline and task.deadline <= now then
      self:forget(task)
      self:make_runnable(task)
    end
  end
end

-- Begins the tasks of a group.
function Scheduler:begin(group)
  for number = 1, group.count do
    local thread = coroutine.create(group.worker)
    local task = { thread = thread, group = group, number = number, calls = setmetatable({}, { __mode = "k" }) }
    group.tasks[task] = true
    internal.set_task(thread, task)
    self:make_runnable(task)
  end
  group.running = group.count
end

-- A task has come to an end, or has yielded.
function Scheduler:after(task, ok, value, seconds, without_results)
  local group = task.group
  if ok and status(task.thread) ~= "dead" then
    if value == GROUP then
      task.children = seconds
      return self:begin(seconds)
    end
    if value == SLEEP then return self:sleep(task, seconds) end
    if internal.is_call(value) then return self:suspend(task, value, seconds, without_results) end
    ok, value = false, "a function that uipath.map or uipath.all runs must not yield"
  end
  if not ok and not group.over then group.raised, group.failure = true, value end
  task.ended = true
  internal.set_task(task.thread, nil)
  if not ok then close(task.thread) end
  group.tasks[task] = nil
  group.running = group.running - 1
  if group.raised or value or group.running == 0 then end_group(self, group) end
end

function Scheduler:resume(task)
  local call = task.call
  task.call = nil
  if not call then
    self:after(task, resume(task.thread, task.number))
  elseif task.without_results then
    self:after(task, resume(task.thread))
  else
    -- Here, and not when the call was found ready: only one page's rows are held at a time.
    self:after(task, resume(task.thread, internal.results(call)))
  end
end

function Scheduler:run(group)
  self:begin(group)
  while not group.over do
    if not self.runnable[1] then self:wait() end
    local runnable = self.runnable
    self.runnable = {}
    for _, task in ipairs(runnable) do
      if not task.ended then self:resume(task) end
    end
  end
end

-- Runs worker(1) … worker(count) side by side until all have returned, or one has returned true: the others are ended then. Raises
-- what one raises, when the others have been ended.
---@param count integer
---@param worker fun(number: integer): boolean?
local function run(count, worker)
  if run_in_nginx and run_in_nginx(count, worker) then return end
  local parent = internal.this_task()
  local group = new_group(count, worker, parent)
  if parent then
    yield(GROUP, group)
  else
    local scheduler = new_scheduler()
    local ok, err = pcall(scheduler.run, scheduler, group)
    if not ok then
      end_group(scheduler, group)
      error(err, 0)
    end
  end
  if group.raised then error(group.failure, 0) end
end

-- ---------------------------------------------------------------------------
-- What users call
-- ---------------------------------------------------------------------------

local function concurrency_of(options)
  if options == nil then return DEFAULT_CONCURRENCY end
  if type(options) ~= "table" then error("map: the options must be a table, got " .. type(options), 3) end
  for name in pairs(options) do
    if name ~= "concurrency" then
      error(("map: unknown option '%s' (there is 'concurrency')"):format(tostring(name)), 3)
    end
  end
  local number = options.concurrency
  if number == nil then return DEFAULT_CONCURRENCY end
  if type(number) ~= "number" or number < 1 or number ~= math.floor(number) then
    error("map: concurrency must be a whole number from 1", 3)
  end
  return number
end

---Runs fn(item, index) for all items of a list; the calls made in it overlap.
---@generic T, R
---@param list T[]
---@param fn fun(item: T, index: integer): R?, any
---@param options? { concurrency?: integer }  how many run at a time: 8
---@return R[] results  fn's first results, in the order of the items; `n` is their number
---@return table<integer, any>? errors  fn's second result where its first is nil; nil if there is none
function concurrency.map(list, fn, options)
  if type(list) ~= "table" then error("map: the list must be a table, got " .. type(list), 2) end
  if type(fn) ~= "function" then error("map: what is run must be a function, got " .. type(fn), 2) end
  local most = concurrency_of(options)
  local number, last = #list, 0
  local results, errors = { n = number }, nil
  if number == 0 then return results end
  run(math.min(most, number), function()
    while last < number do
      last = last + 1
      local index = last
      local value, err = fn(list[index], index)
      results[index] = value
      if value == nil and err ~= nil then
        errors = errors or {}
        errors[index] = err
      end
    end
  end)
  return results, errors
end

---Runs functions side by side.
---@param ... fun(): any, any
---@return any ...  the first result of each; or nil and the second result of the one that failed first, the others are ended then
function concurrency.all(...)
  local functions, number = { ... }, select("#", ...)
  for index = 1, number do
    if type(functions[index]) ~= "function" then
      error(("all: argument %d must be a function, got %s"):format(index, type(functions[index])), 2)
    end
  end
  if number == 0 then return end
  local values, failed, failure = {}, false, nil
  run(number, function(index)
    local value, err = functions[index]()
    values[index] = value
    if value == nil and err ~= nil then
      failed, failure = true, err
      return true
    end
  end)
  if failed then return nil, failure end
  return unpack(values, 1, number)
end

return concurrency

-- What a task has to tidy up should it be cancelled: its functions never go on then, so that they cannot do it themselves.

local internal = require "uipath.internal"

local cancelling = {}

---Notes what is to be done if the running task of uipath.map or uipath.all is cancelled. It is called
---outside the task, after its calls have been cancelled: calls made there block their caller. What it
---raises is lost. Where there is no task that could be cancelled nothing is noted. A request that nginx
---ends takes all its Lua along, this too.
---@param fn fun()
---@return fun() remove to be called when there is nothing to tidy up any more
function cancelling.on_cancel(fn)
  local task = internal.this_task()
  if not task then return function() end end
  local entry = { fn }
  task.on_cancel = task.on_cancel or {}
  table.insert(task.on_cancel, entry)
  return function() entry[1] = nil end
end

---Does what was noted for a task that has been cancelled, the latest first.
---@param task table
function cancelling.clean_up(task)
  local entries = task.on_cancel or {}
  task.on_cancel = nil
  for i = #entries, 1, -1 do
    if entries[i][1] then pcall(entries[i][1]) end
  end
end

return cancelling

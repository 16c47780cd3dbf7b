-- What all methods of client.tests ask of their arguments, and where their requests go.

local internal = require "uipath.internal"
local manager = require "uipath.recipes.tests.manager"
local shared = require "uipath.recipes.shared"

local failure, text, with = shared.failure, shared.text, shared.with

local places = {}

---Raises what is wrong with how a method was called.
function places.raise(method, ...)
  internal.raise(("tests:%s: %s"):format(method, (...):format(select(2, ...))))
end

---The requests' options for Test Manager, which knows no folders.
function places.outside(call) return with(call, { folder = false }) end

---The requests' options for Orchestrator's test sets; an error where no folder is named.
function places.inside(client, call)
  if call.folder or (call.folder == nil and internal.option(client, "folder")) or call.headers then return call end
  return nil, failure("usage", "Orchestrator's own test sets are in a folder, and none is named",
    { hint = 'give one: { folder = "Shared" }, or client:folder("Shared"); in the shell --folder Shared' })
end

---Raises where a test set is named in a way that nobody understands.
function places.check_set(method, reference)
  local wrong = manager.objection(reference)
  if wrong then places.raise(method, "test_set %s", wrong) end
end

---What names a run: its project or "orchestrator", and its id. Raises what does not.
function places.read_ref(method, ref)
  if type(ref) == "table" and text(ref.ref) then ref = ref.ref end
  if type(ref) == "table" and text(ref.project) and text(ref.id) then return ref.project, ref.id end
  local project, id = nil, nil
  if type(ref) == "string" then project, id = ref:match "^([%w_-]+)/([%w-]+)$" end
  if not project then places.raise(method, 'ref must be a run, its ref such as "DEMO/<id>", or { project = "DEMO", id = … }') end
  return project, id
end

return places

-- Test Manager's projects, test sets and test cases: where they are, and which of them a script means.

local find = require "uipath.recipes.find"
local shared = require "uipath.recipes.shared"
local uipath = require "uipath"

local failure, text, with = shared.failure, shared.text, shared.with

local manager = {}

local ROOT = "testmanager_/api/v2/"

-- So many cases are asked for one by one; more of them are cheaper to find in a walk through all cases of the project.
local FEW_CASES = 50

---A path within a project.
---@return string
function manager.path(project, rest)
  return ROOT .. project.id .. "/" .. rest
end

---Whether an error says that there is no such thing: Test Manager answers 400 then, and words for an errorCode.
---@param err uipath.Error
---@return boolean
function manager.is_missing(err)
  return err.status == 404 or (err.status == 400 and tostring(err.code):lower() == "itemnotfound")
end

-- A row that has what everything else needs of it, or the error that says what is missing.
local function checked(row, noun)
  if type(row) == "table" and text(row.id) then return row end
  return nil, failure("decode", ("the answer is no %s: it has no id"):format(noun))
end

-- ---------------------------------------------------------------------------
-- Projects
-- ---------------------------------------------------------------------------

-- Of a list the one member that has the name in a property; an error otherwise.
local function pick(rows, property, name, noun, place)
  local hits, names = {}, {}
  for _, row in ipairs(rows) do
    if row[property] == name then hits[#hits + 1] = row end
    if text(row[property]) then names[#names + 1] = row[property] end
  end
  if #hits == 1 then return hits[1] end
  if #hits == 0 then
    return nil, failure("not_found", ("there is no %s '%s' in %s%s"):format(noun, name, place, find.nearest(name, names)))
  end
  local keys = {}
  for i, row in ipairs(hits) do keys[i] = tostring(text(row.objKey) or row.projectPrefix or row.id) end
  return nil, failure("usage", ("there are several: %s '%s' in %s has the keys %s"):format(noun, name, place, table.concat(keys, ", ")),
    { hint = "give the key of the one that is meant" })
end

---All projects.
---@return table[]? rows
---@return uipath.Error? err
function manager.projects(client, call)
  local rows, err = client:collect(ROOT .. "projects", with(call))
  if rows then return rows end
  if err.status == 404 then
    err.hint = "where there is no Test Manager, Orchestrator runs test sets of its own: { orchestrator = name }"
  end
  return nil, err
end

local function project_from_list(client, reference, call)
  local rows, err = manager.projects(client, call)
  if not rows then return nil, err end
  for _, property in ipairs { "projectPrefix", "name" } do
    for _, row in ipairs(rows) do
      if row[property] == reference then return pick(rows, property, reference, "project", "Test Manager") end
    end
  end
  return pick(rows, "projectPrefix", reference, "project", "Test Manager")
end

---The project with a prefix, or else a name. What is given has `id`, `prefix`, `name` and `site`, the address of its pages for people.
---@param reference string
---@return table? project
---@return uipath.Error? err
function manager.project(client, reference, call)
  local row, answer, err
  if reference:find "^[%w_-]+$" then
    row, answer = client:get(ROOT .. "projects/prefix/" .. reference, with(call))
    if row == nil and not manager.is_missing(answer) then return nil, answer end
  end
  if row == nil then
    row, err = project_from_list(client, reference, call)
    if not row then return nil, err end
    answer = nil
  end
  row, err = checked(row, "project")
  if not row then return nil, err end
  local prefix = text(row.projectPrefix) or reference
  local site = answer and text(answer.url) and answer.url:match "^(.*/testmanager_)/api/"
  return { id = row.id, prefix = prefix, name = text(row.name) or prefix, site = site }
end

---The address at which people see a run.
---@return string?
function manager.url(project, id)
  return project.site and ("%s/%s/testexecutions/%s"):format(project.site, project.prefix, id) or nil
end

-- ---------------------------------------------------------------------------
-- Test sets
-- ---------------------------------------------------------------------------

-- The project's sets that may be meant; all of them where the search finds none, for the nearest names.
local function candidates(client, project, wanted, property, call)
  local path = manager.path(project, "testsets")
  local rows, err = client:collect(path, with(call, { search = wanted }))
  if not rows then return nil, err end
  for _, row in ipairs(rows) do
    if row[property] == wanted then return rows end
  end
  return client:collect(path, with(call))
end

local function set_from_list(client, project, wanted, property, call)
  local rows, err = candidates(client, project, wanted, property, call)
  if not rows then return nil, err end
  return pick(rows, property, wanted, "test set", "the project " .. project.prefix)
end

local function set_by_key(client, project, key, call)
  local row, err = client:get(manager.path(project, "testsets/objkey/" .. key), with(call))
  if row == nil and not manager.is_missing(err) then return nil, err end
  if type(row) == "table" and text(row.id) and (row.objKey == nil or row.objKey == key) then return row end
  return set_from_list(client, project, key, "objKey", call)
end

---What is wrong with what names a test set, or nil.
---@param reference any
---@return string?
function manager.objection(reference)
  if type(reference) == "table" then
    if text(reference.id) and text(reference.objKey) then return nil end
    if text(reference.orchestrator) or type(reference.orchestrator) == "number" then return nil end
    if text(reference.project) and text(reference.name) then return nil end
  elseif type(reference) == "string" and reference:find "^[%w_-]+:%d+$" then
    return nil
  end
  return 'must be a key such as "DEMO:42", { project = "DEMO", name = "Smoke" }, a row of client.tests:sets(), or { orchestrator = name }'
end

---The test set that is meant, with its project.
---@param reference string|table as `objection` allows it, but for Orchestrator's
---@return table? set
---@return table|uipath.Error project or an error
function manager.set(client, reference, call)
  local key = type(reference) == "table" and reference.objKey or reference
  local prefix = type(key) == "string" and key:match "^(.+):%d+$" or reference.project
  local project, err = manager.project(client, prefix, call)
  if not project then return nil, err end
  local set
  if type(reference) == "table" and not reference.objKey then
    set, err = set_from_list(client, project, reference.name, "name", call)
  else
    set, err = set_by_key(client, project, key, call)
  end
  if not set then return nil, err end
  set, err = checked(set, "test set")
  if not set then return nil, err end
  -- Rows of projects may come without their prefix; keys always have it.
  project.prefix = text(set.objKey) and set.objKey:match "^(.+):%d+$" or project.prefix
  return { id = set.id, key = text(set.objKey) or key, name = text(set.name) or text(set.objKey) or key, row = set }, project
end

-- ---------------------------------------------------------------------------
-- Test cases
-- ---------------------------------------------------------------------------

---Test cases by their ids.
---@param ids string[]
---@return table<string, table> cases those that were found
---@return uipath.Error? err why some may be missing
function manager.cases(client, project, ids, call)
  local found, err = {}, nil
  if #ids <= FEW_CASES then
    local rows, errors = uipath.map(ids, function(id) return client:get(manager.path(project, "testcases/" .. id), with(call)) end)
    for i, id in ipairs(ids) do
      if type(rows[i]) == "table" then found[id] = rows[i] end
      err = err or errors and errors[i]
    end
    return found, err
  end
  local rows
  rows, err = client:collect(manager.path(project, "testcases"), with(call))
  for _, row in ipairs(rows or {}) do
    if text(row.id) then found[row.id] = row end
  end
  return found, err
end

---Test cases by their keys; all must be there.
---@param keys string[]
---@return table<string, table>? cases
---@return uipath.Error? err
function manager.cases_by_key(client, project, keys, call)
  local found, missing = {}, {}
  if #keys <= FEW_CASES then
    local rows, errors = uipath.map(keys, function(key)
      return client:get(manager.path(project, "testcases/objkey/" .. key), with(call))
    end)
    for i, key in ipairs(keys) do
      local row, err = rows[i], errors and errors[i]
      if err and not manager.is_missing(err) then return nil, err end
      if type(row) == "table" and text(row.id) and (row.objKey == nil or row.objKey == key) then found[key] = row end
    end
  end
  for _, key in ipairs(keys) do
    if not found[key] then missing[#missing + 1] = key end
  end
  if #missing == 0 then return found end
  local rows, err = client:collect(manager.path(project, "testcases"), with(call))
  if not rows then return nil, err end
  local names, unknown = {}, {}
  for _, row in ipairs(rows) do
    if text(row.objKey) and text(row.id) then
      names[#names + 1] = row.objKey
      found[row.objKey] = found[row.objKey] or row
    end
  end
  for _, key in ipairs(missing) do
    if not found[key] then unknown[#unknown + 1] = key end
  end
  if #unknown == 0 then return found end
  return nil, failure("not_found", ("there is no test case %s in the project %s%s"):format(table.concat(unknown, ", "), project.prefix,
    find.nearest(unknown[1], names)))
end

-- ---------------------------------------------------------------------------
-- Parameters of a test set
-- ---------------------------------------------------------------------------

local function list_of(value)
  if type(value) ~= "table" then return nil end
  if type(value.data) == "table" then value = value.data end
  return (value[1] ~= nil or next(value) == nil) and value or nil
end

-- A value as the parameter has it: in text, unless it is of the parameter's own type already.
local function as_text(value, former)
  if type(value) == type(former) or type(value) == "string" then return value end
  if type(value) == "number" and value % 1 == 0 then return ("%d"):format(value) end
  if type(value) == "table" then return assert(uipath.json.encode(value)) end
  return tostring(value)
end

---Changes parameters of a set, for everybody.
---@param parameters table<string, any>
---@param undo { former: table[]? } gets what was there before, as soon as anything may be changed
---@return true?
---@return uipath.Error? err
function manager.change_parameters(client, project, set, parameters, call, undo)
  local answer, err = client:get(manager.path(project, "testsets/" .. set.id .. "/fetchparameters"), with(call))
  if answer == nil then return nil, err end
  local rows = list_of(answer)
  if not rows then return nil, failure("decode", "the parameters of the test set are no list") end
  local by_name, names, former, changed = {}, {}, {}, {}
  for _, row in ipairs(rows) do
    local name = text(row.name) or text(row.parameterName)
    if name then by_name[name], names[#names + 1] = row, name end
  end
  for name, value in pairs(parameters) do
    local row = by_name[name]
    if not row then
      local nearest = find.nearest(tostring(name), names)
      return nil, failure("usage", ("the test set %s has no parameter '%s'%s"):format(set.key, tostring(name), nearest))
    end
    former[#former + 1] = row
    changed[#changed + 1] = with(row, { value = as_text(value, row.value) })
  end
  if #changed == 0 then return true end
  undo.former = uipath.array(former)
  local done
  done, err = client:put(manager.path(project, "testsets/" .. set.id .. "/bulkoverrideparameters"), uipath.array(changed), with(call))
  if done == nil then return nil, err end
  return true
end

---Puts parameters back.
---@return true?
---@return uipath.Error? err
function manager.restore_parameters(client, project, set, former, call)
  local done, err = client:put(manager.path(project, "testsets/" .. set.id .. "/bulkoverrideparameters"), former, with(call))
  if done == nil then
    err.message = ("the parameters of the test set %s could not be put back: %s"):format(set.key, err.message)
    return nil, err
  end
  return true
end

return manager

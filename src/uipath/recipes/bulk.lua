-- Adding many queue items: in requests of bounded size, from a list or an iterator, with an account of what was not added.

local lost = require "uipath.recipes.lost"
local shared = require "uipath.recipes.shared"
local uipath = require "uipath"

local failure, value = shared.failure, shared.value

local bulk = {}

local PATH = "odata/Queues/UiPathODataSvc.BulkAddQueueItems"
local COMMIT = { all = "AllOrNothing", each = "ProcessAllIndependently", until_failure = "StopOnFirstFailure" }
-- The most items and bytes of a request.
local CHUNK, MOST_BYTES = 500, 5 * 1024 * 1024
-- Of items that were only refused along with others.
local NOT_ADDED = "NotAdded"
-- A request that is refused so is refused for what it holds: the next may be good.
local REFUSED = { [400] = true, [409] = true, [413] = true, [422] = true }

-- ---------------------------------------------------------------------------
-- Requests
-- ---------------------------------------------------------------------------

-- The answer of a bulk operation, whether the client took it for a success or a failure; nil: it is none.
local function answer_of(body, err)
  local answer = body
  if body == nil and err.kind == "failed" then answer = err.body end
  return type(answer) == "table" and type(answer.Success) == "boolean" and answer or nil
end

-- By which number the items of an answer are counted: their own content tells, else 0.
local function base_of(request, failed)
  for _, entry in ipairs(failed) do
    local ordinal, reference = value(entry.Ordinal), value(entry.Reference)
    if type(ordinal) == "number" and reference ~= nil then
      local from_zero, from_one = request.items[ordinal + 1], request.items[ordinal]
      if from_zero and from_zero.Reference == reference then return 0 end
      if from_one and from_one.Reference == reference then return 1 end
    end
  end
  for _, entry in ipairs(failed) do
    if value(entry.Ordinal) == #request.items then return 1 end
  end
  return 0
end

-- The place of an item in its request by the reference that the answer repeats; nil: it does not tell.
local function by_reference(request, entry)
  local reference, found = value(entry.Reference), nil
  for place, item in ipairs(reference ~= nil and request.items or {}) do
    if item.Reference == reference then
      if found then return nil end
      found = place
    end
  end
  return found
end

-- The failed items of a request by their places, and whether all of them could be told.
local function places_of(request, answer)
  local failed = type(answer.FailedItems) == "table" and answer.FailedItems or {}
  local base, places, all = base_of(request, failed), {}, #failed > 0
  for _, entry in ipairs(failed) do
    local ordinal = type(entry) == "table" and value(entry.Ordinal)
    local place = type(ordinal) == "number" and ordinal - base + 1 or (type(entry) == "table" and by_reference(request, entry))
    if place and request.items[place] then places[place] = entry else all = false end
  end
  return places, all
end

-- Adds to the failures of a run.
local function note(run, request, place, code, message)
  run.failures[#run.failures + 1] = {
    index = request.first + place - 1, code = code, message = message, content = request.contents[place],
  }
end

-- Takes in what the answer says. Gives whether all is well.
local function account(run, request, answer)
  local count = #request.items
  if answer.Success and not (type(answer.FailedItems) == "table" and answer.FailedItems[1]) then
    run.added = run.added + count
    return true
  end
  local places, all = places_of(request, answer)
  local message = shared.text(answer.Message) or "the service refused it"
  local first = type(answer.FailedItems) == "table" and answer.FailedItems[1]
  local code = type(first) == "table" and value(first.ErrorCode) or "Unknown"
  if not all then
    local words = type(first) == "table" and shared.text(first.ErrorMessage) or message
    for place = 1, count do
      local entry = places[place]
      note(run, request, place, entry and value(entry.ErrorCode) or code, entry and shared.text(entry.ErrorMessage) or words)
    end
    return false
  end
  local stopped = false
  for place = 1, count do
    local entry = places[place]
    if entry then
      note(run, request, place, value(entry.ErrorCode) or "Unknown", shared.text(entry.ErrorMessage) or message)
      stopped = run.commit == "until_failure"
    elseif run.commit == "all" or stopped then
      note(run, request, place, NOT_ADDED, "refused along with others")
    else
      run.added = run.added + 1
    end
  end
  return false
end

-- An error that tells how far the run has come.
local function ended(run, err, index)
  err.added, err.index = run.added, index
  err.failures = run.failures[1] and run.failures or nil
  return err
end

-- Sends a request. Gives an error where the run must end.
local function send(run, request)
  local body = ('{"queueName":%s,"commitType":"%s","queueItems":[%s]}'):format(
    assert(uipath.json.encode(run.queue)), COMMIT[run.commit], table.concat(request.texts, ","))
  local result, err = run.client:post(PATH, body, run.call)
  local answer = answer_of(result, err)
  local after = request.first + #request.items
  if answer then
    if account(run, request, answer) or run.commit ~= "until_failure" then return nil end
    local first = run.failures[1]
    return ended(run, failure("failed", ("item %d was refused: %s"):format(first.index, first.message), { code = first.code }), after)
  end
  err = err or failure("decode", "the answer does not say whether the items were added")
  if lost.is(err) then
    err = ended(run, lost.mark(err), after)
    err.unknown = { from = request.first, to = after - 1 }
    return err
  end
  if REFUSED[err.status] and run.commit ~= "until_failure" then
    for place = 1, #request.items do note(run, request, place, err.code or err.kind, err.message) end
    return nil
  end
  return ended(run, err, request.first)
end

-- ---------------------------------------------------------------------------
-- Items
-- ---------------------------------------------------------------------------

-- How a property of the items is had: from an option that is a value, a function of content and index, or { field = name }.
local function getter(option, convert, name)
  if option == nil then return nil end
  local function checked(found, index)
    if found == nil or found == uipath.null then return nil end
    local result, wrong = convert(found)
    if result == nil then shared.raise("queues:add_many: %s of item %d %s", name, index, wrong) end
    return result
  end
  if type(option) == "function" then return function(content, index) return checked(option(content, index), index) end end
  if type(option) == "table" and option.field ~= nil then
    return function(content, index)
      local found = content[option.field]
      if found == nil then
        shared.raise("queues:add_many: item %d has no field '%s', which is its %s", index, tostring(option.field), name)
      end
      return checked(found, index)
    end
  end
  local constant = checked(option, 0)
  return function() return constant end
end

local function empty_request(first)
  return { first = first, items = {}, texts = {}, contents = {}, bytes = 0 }
end

-- Puts an item into the request. One that is full, and must be sent before, is given back beside the new one.
local function add(run, request, item, text, content, index)
  local full
  if #request.items == run.chunk or (#request.items > 0 and request.bytes + #text > MOST_BYTES) then
    full, request = request, empty_request(index)
  end
  local place = #request.items + 1
  -- By its reference an item is known again; the rest of it is in the text.
  request.items[place], request.texts[place], request.contents[place] = { Reference = item.Reference }, text, content
  request.bytes = request.bytes + #text + 1
  return request, full
end

-- Sends what is left.
local function finish(run, request)
  local err = #request.items > 0 and send(run, request)
  if err then return nil, err end
  return run.added, run.failures[1] and run.failures or nil
end

-- Nothing is sent before all of a list has been looked at.
local function add_list(run, contents, prepare)
  if contents[1] == nil and next(contents) ~= nil then
    shared.raise("queues:add_many: contents must be a list of contents, or an iterator")
  end
  local prepared = {}
  for index, content in ipairs(contents) do prepared[index] = { prepare(content, index) } end
  local request = empty_request(1)
  for index, content in ipairs(contents) do
    local full
    request, full = add(run, request, prepared[index][1], prepared[index][2], content, index)
    local err = full and send(run, full)
    if err then return nil, err end
    prepared[index] = false
  end
  return finish(run, request)
end

-- What to do where an iterator or a content raises: when nothing has been sent it goes on to the caller; else it must not take along what
-- is known of the items that have been.
local function raised(run, reason, request)
  if type(reason) == "string" and reason:find("interrupted!", 1, true) then error(reason, 0) end
  if uipath.is_error(reason) then return nil, ended(run, reason, request.first) end
  if request.first == 1 then error(reason, 0) end
  return nil, ended(run, failure("usage", tostring(reason)), request.first)
end

local function add_from(run, iterator, prepare)
  local request, index = empty_request(1), 0
  while true do
    local ok, content = pcall(iterator)
    if not ok then return raised(run, content, request) end
    if content == nil then return finish(run, request) end
    index = index + 1
    local fine, item, text = pcall(prepare, content, index)
    if not fine then return raised(run, item, request) end
    local full
    request, full = add(run, request, item, text, content, index)
    local err = full and send(run, full)
    if err then return nil, err end
  end
end

---Adds all contents.
---@param client uipath.Client
---@param queue string its name
---@param contents table[]|fun(): table?
---@param make fun(content: any, index: integer, getters: table): table makes an item, raising what is wrong with its content
---@param properties table<string, function> what converts each option of the items
---@param options table
---@return integer? added
---@return table[]|uipath.Error|nil failures
function bulk.add(client, queue, contents, make, properties, options)
  local run = { client = client, queue = queue, call = options.call, commit = options.commit or "all", chunk = options.chunk or CHUNK,
    added = 0, failures = {} }
  local getters = {}
  for name, convert in pairs(properties) do getters[name] = getter(options[name], convert, name) end
  local function prepare(content, index)
    local item = make(content, index, getters)
    local text, err = uipath.json.encode(item)
    if not text then shared.raise("queues:add_many: item %d: %s", index, err.message) end
    return item, text
  end
  return (type(contents) == "table" and add_list or add_from)(run, contents, prepare)
end

return bulk

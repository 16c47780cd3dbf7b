-- client.queues: add items, one or many; read them; take them as transactions.

local bulk = require "uipath.recipes.bulk"
local find = require "uipath.recipes.find"
local lost = require "uipath.recipes.lost"
local shared = require "uipath.recipes.shared"
local uipath = require "uipath"

local with, failure, value = shared.with, shared.failure, shared.value

local QUEUE = { noun = "queue", set = "odata/QueueDefinitions" }
local ADD = "odata/Queues/UiPathODataSvc.AddQueueItem"
local TAKE = "odata/Queues/UiPathODataSvc.StartTransaction"
local LONGEST_REFERENCE = 128
local PRIORITIES = { Low = true, Normal = true, High = true }

-- ---------------------------------------------------------------------------
-- Items
-- ---------------------------------------------------------------------------

-- What the options of an item become: the value, or nil and what is wrong.
local properties = {}

function properties.reference(given)
  if type(given) == "number" then given = given % 1 == 0 and ("%d"):format(given) or tostring(given) end
  if type(given) ~= "string" or given == "" then return nil, "must be a string that is not empty" end
  -- Of a character of UTF-8 the first byte counts.
  if select(2, given:gsub("[^\128-\191]", "")) > LONGEST_REFERENCE then return nil, "must have at most 128 characters" end
  return given
end

function properties.priority(given)
  if PRIORITIES[given] then return given end
  return nil, 'must be "Low", "Normal" or "High"'
end

function properties.progress(given)
  if type(given) == "string" then return given end
  return nil, "must be a string"
end

local function date(given)
  local ok, text = pcall(shared.time, given)
  if ok then return text end
  return nil, "must be a date: " .. tostring(text)
end
properties.defer, properties.due, properties.risk = date, date, date

local NAMES = {
  reference = "Reference", priority = "Priority", defer = "DeferDate", due = "DueDate", risk = "RiskSlaDate", progress = "Progress",
}

-- Raises unless the content is a flat table of names and simple values.
local function check_content(content, what)
  if type(content) ~= "table" then shared.raise("%s must be a table of names and values, got %s", what, type(content)) end
  for name, each in pairs(content) do
    if type(name) ~= "string" then shared.raise("%s must be a table of names and values, and has the key %s", what, tostring(name)) end
    local kind = type(each)
    if kind == "table" or (kind == "userdata" and each ~= uipath.null) or kind == "function" or kind == "thread" then
      shared.raise("%s must be flat: '%s' is a %s (uipath.json.encode makes a string of a table)", what, name, kind)
    end
  end
end

local function many_item(content, index, getters)
  check_content(content, ("queues:add_many: item %d"):format(index))
  local item = { SpecificContent = content }
  for option, get in pairs(getters) do item[NAMES[option]] = get(content, index) end
  return item
end

-- ---------------------------------------------------------------------------
-- Adding one
-- ---------------------------------------------------------------------------

-- The definition of a queue that is told by anything.
local function definition_of(client, queue, call, member)
  return find.one(client, QUEUE, queue, call, member)
end

-- The name of a queue that is told by anything; the service knows queues by it.
local function name_of(client, queue, call)
  local name = find.name(queue)
  if name then return name end
  local row, err = definition_of(client, queue, call, "Name")
  return row and row.Name, err
end

-- What to say of a request that the service has refused: that the queue is not there, if that is why.
local function refusal(client, queue, err, call)
  if lost.is(err) or (err.status ~= 404 and err.status ~= 400) then return err end
  local row, why = definition_of(client, queue, call)
  return not row and why.kind == "not_found" and why or err
end

-- Whether an item holds the very content. The service may add to it, so it is looked at from ours.
local function has_content(item, content)
  local held = value(item.SpecificContent)
  if type(held) ~= "table" then return true end
  for name, each in pairs(content) do
    if each ~= uipath.null and held[name] ~= each then return false end
  end
  return true
end

-- The items of a reference in a queue that has each but once, and when the service has said so; nil: it is not known now; false: the
-- queue may have several.
local function of_reference(client, queue, reference, call)
  local row = definition_of(client, queue, call, "EnforceUniqueReference")
  if not row then return nil end
  if row.EnforceUniqueReference ~= true then return false end
  local answer, response = client:get("odata/QueueItems", with(call, {
    filter = { "QueueDefinitionId eq ? and Reference eq ?", row.Id, reference }, orderby = "Id desc", top = 10,
  }))
  if type(answer) ~= "table" or type(answer.value) ~= "table" then return nil end
  return answer.value, shared.seconds(response.headers and response.headers.date)
end

-- The clocks of a service's machines may differ so much.
local SKEW = 60

-- Looks for the item that was sent, seconds ago. In a queue whose references are unique the one that is there is ours if it has been made
-- since and has our content. If it is older the reference was taken, and nothing has been done.
local function look_for(client, queue, item, began)
  if not item.Reference then return nil end
  return function(call)
    local rows, now = of_reference(client, queue, item.Reference, call)
    if rows == false then return false end
    local row = rows and rows[1]
    if not row then return nil end
    if rows[2] then return false end
    local created = shared.seconds(row.CreationTime)
    local age = created and now and now - (shared.now() - began) - created
    if age and age > SKEW then
      return nil, failure("conflict", ("the reference '%s' is there already"):format(item.Reference), { item = row })
    end
    if (age and age > 1) or not has_content(row, item.SpecificContent) then return false end
    return row
  end
end

-- How a repeated reference is refused is not published: by what is seen of it. What else may be refused so is looked up.
local function is_duplicate(err)
  if err.code == 1016 or err.code == "DuplicateReference" then return true end
  return err.status == 400 and type(err.message) == "string" and err.message:lower():find "duplicate%s*reference" ~= nil
end

local function add(client, queue, content, options)
  check_content(content, "queues:add: content")
  local call = options.call
  local name, err = name_of(client, queue, call)
  if not name then return nil, err end
  local item = { Name = name, SpecificContent = content }
  for option, property in pairs(NAMES) do
    if options[option] ~= nil then
      local wrong
      item[property], wrong = properties[option](options[option])
      if wrong then shared.raise("queues:add: %s %s", option, wrong) end
    end
  end
  local began = shared.now()
  local added
  added, err = client:post(ADD, { itemData = item }, call)
  if added then return added end
  if is_duplicate(err) then
    err.kind = "conflict"
  elseif not lost.is(err) and item.Reference and err.status == 400 then
    local rows = of_reference(client, queue, item.Reference, call)
    if rows and rows[1] then err.kind, err.item = "conflict", rows[1] end
  end
  return lost.settle(client, refusal(client, queue, err, call), call, look_for(client, queue, item, began))
end

-- ---------------------------------------------------------------------------
-- Many, reading, transactions
-- ---------------------------------------------------------------------------

local function add_many(client, queue, contents, options)
  local row, err = definition_of(client, queue, options.call, "Name")
  if not row then return nil, err end
  return bulk.add(client, row.Name, contents, many_item, properties, options)
end

-- The options of a walk over a queue's items.
local function items_of(client, queue, call)
  local row, err = type(queue) == "number" and { Id = queue }, nil
  if not row then row, err = definition_of(client, queue, call.lookup) end
  if not row then return nil, err end
  local walk = with(call.walk)
  walk.filter = shared.both(uipath.odata.filter("QueueDefinitionId eq ?", row.Id), walk.filter)
  return walk
end

-- The options of the look-up are those of any request; a walk has more.
local function split(options)
  local call = options.call
  local lookup = { folder = call.folder, headers = call.headers, timeout = call.timeout, max_attempts = call.max_attempts }
  return { walk = call, lookup = lookup }
end

local function each(client, queue, options)
  local walk, err = items_of(client, queue, split(options))
  if not walk then return nil, err end
  return client:each("odata/QueueItems", walk)
end

local function count(client, queue, options)
  local walk, err = items_of(client, queue, split(options))
  if not walk then return nil, err end
  return client:count("odata/QueueItems", walk)
end

local function take(client, queue, options)
  local name, err = name_of(client, queue, options.call)
  if not name then return nil, err end
  local item
  item, err = client:post(TAKE, { transactionData = { Name = name } }, options.call)
  if item == nil then return lost.settle(client, refusal(client, queue, err, options.call), options.call) end
  -- 204: there is nothing to do.
  return type(item) == "table" and item or uipath.null
end

local function finish(client, item, options)
  local id = type(item) == "table" and item.Id or item
  if type(id) == "string" then
    local filter = { "UniqueKey eq ?", uipath.odata.guid(id) }
    local answer, err = client:get("odata/QueueItems", with(options.call, { filter = filter, top = 1 }))
    if not answer then return nil, err end
    if not answer.value[1] then return nil, failure("not_found", "there is no queue item with the key " .. id) end
    id = answer.value[1].Id
  end
  local result = { IsSuccessful = options.error == nil, Output = options.output }
  if options.business ~= nil and options.error == nil then shared.raise("queues:finish: business goes with error") end
  if options.error ~= nil then
    local kind = options.business and "BusinessException" or "ApplicationException"
    result.ProcessingException = { Reason = options.error, Type = kind }
  end
  local path = shared.entity("odata/Queues", id) .. "/UiPathODataSvc.SetTransactionResult"
  local done, err = client:post(path, { transactionResult = result }, options.call)
  if done ~= nil then return true end
  return lost.settle(client, err, options.call)
end

-- ---------------------------------------------------------------------------

local ITEM_OPTIONS = {
  reference = { "any", "a text by which the item is known" }, priority = { "any", "Low, Normal or High" },
  defer = { "any", "not to be taken before this date" }, due = { "any", "to be done by this date" },
  risk = { "any", "at risk from this date on" }, progress = { "any", "a text about how far it is" },
}
local MANY_OPTIONS = with(ITEM_OPTIONS, {
  commit = { { "all", "each", "until_failure" }, "all of a request's items or none, each for itself, or until one fails" },
  chunk = { "count", "items of a request, default 500" },
})
local FIND = { "GET", "odata/QueueDefinitions" }
local QUEUE_ARGUMENT = { "queue", "name", complete = "queues" }

return {
  name = "queues",
  help = "queues: add items, read them, take and finish transactions",
  methods = {
    {
      name = "add", help = "adds an item", folder = true, arguments = { QUEUE_ARGUMENT, { "content", "table" } },
      options = ITEM_OPTIONS, calls = { FIND, { "GET", "odata/QueueItems" }, { "POST", ADD } }, run = add,
    },
    {
      name = "add_many", help = "adds many items", folder = true, arguments = { QUEUE_ARGUMENT, { "contents", "table|function" } },
      options = MANY_OPTIONS, calls = { FIND, { "POST", "odata/Queues/UiPathODataSvc.BulkAddQueueItems" } }, run = add_many,
    },
    {
      name = "each", help = "iterates over a queue's items", folder = true, iterates = true, paging = true,
      arguments = { QUEUE_ARGUMENT }, calls = { FIND, { "GET", "odata/QueueItems" } }, run = each,
    },
    {
      name = "count", help = "counts a queue's items", folder = true, paging = true, arguments = { QUEUE_ARGUMENT },
      calls = { FIND, { "GET", "odata/QueueItems" } }, run = count,
    },
    {
      name = "take", help = "takes the next item as a transaction", folder = true, arguments = { QUEUE_ARGUMENT },
      calls = { FIND, { "POST", TAKE } }, run = take,
    },
    {
      name = "finish", help = "says how a transaction has ended", folder = true, arguments = { { "item", "row" } },
      options = {
        output = { "table", "what came of it" }, error = { "string", "why it failed" },
        business = { "boolean", "it failed for the business, not the program" },
      },
      calls = { { "POST", "odata/Queues(1)/UiPathODataSvc.SetTransactionResult" } }, run = finish,
    },
  },
}

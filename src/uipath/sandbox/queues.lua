--- Queues: their definitions, and items that are added, taken and finished here.

local clock = require("uipath.sandbox.clock")
local json = require("uipath.sandbox.json")
local operations = require("uipath.sandbox.operations")
local problem = require("uipath.sandbox.problem")
local rows = require("uipath.sandbox.rows")
local types = require("uipath.sandbox.types")

local timestamp, value = clock.timestamp, operations.value

local queues = rows.stored {
  type = types.QueueDefinitionDto, singular = "Queue", scope = "OR.Queues", page_cap = 1000,
  per_folder = true, last_id = 6000, guid_kind = 8,
}
rows.sets.QueueDefinitions = queues

local items = rows.behind(rows.sets.QueueItems, { last_id = 6000000, guid_kind = 36 })

local MOST_BYTES = 500 * 1024

function queues.complete(body, before)
  return {
    Name = body.Name, Description = value(body.Description) or "", Key = before and before.Key,
    MaxNumberOfRetries = value(body.MaxNumberOfRetries) or 0,
    AcceptAutomaticallyRetry = value(body.AcceptAutomaticallyRetry) or false,
    EnforceUniqueReference = value(body.EnforceUniqueReference) or false,
    Encrypted = value(body.Encrypted) or false,
    CreationTime = before and before.CreationTime or timestamp(),
  }
end

--- Items by the queue and the reference, of queues in which a reference is unique.
local references = {}

-- The generated items are of the first three, in whatever folder they are; Payments takes each reference once.
for _, name in ipairs { "Invoices", "Orders", "Claims", "Payments" } do
  local queue
  for _, branch in ipairs(rows.tree) do
    if branch.items > 0 then
      queue = queue and queues.link(queue, branch.folder)
        or queues.insert(queues.complete { Name = name, EnforceUniqueReference = name == "Payments" }, branch.folder)
    end
  end
end

local function named(folder, name)
  local count, row_at = queues.rows(folder)
  for position = 1, count do
    local queue = row_at(position)
    if queue.Name == name then return queue end
  end
  return problem.not_found("Queue")
end

--- What is wrong with an item: the name of its error and words; nil: nothing.
local function objection(queue, facts, taken)
  local content, reference = value(facts.SpecificContent) or {}, value(facts.Reference)
  if type(content) ~= "table" then return "InvalidArgument", "SpecificContent must be an object." end
  for name, each in pairs(content) do
    if type(each) == "table" then return "InvalidArgument", "The value of " .. tostring(name) .. " is not a simple one." end
  end
  if #json.encode(content) > MOST_BYTES then
    return "QueueItemContentSizeExceeded", "The item's content is too large."
  elseif reference and #reference > 128 then
    return "InvalidArgument", "The field Reference must be a string with a maximum length of 128."
  elseif queue.EnforceUniqueReference and not reference then
    return "TransactionReferenceRequired", "A reference is required."
  elseif queue.EnforceUniqueReference and (references[queue.Id .. "\0" .. reference] or taken[reference]) then
    return "DuplicateReference", "Error creating Transaction. Duplicate Reference."
  end
end

local function insert(folder, queue, facts)
  local content = value(facts.SpecificContent) or {}
  local item = {
    QueueDefinitionId = queue.Id, Encrypted = false, SpecificContent = content,
    SpecificData = json.encode { DynamicProperties = content }, Status = "New", ReviewStatus = "None",
    Reference = value(facts.Reference), Priority = value(facts.Priority) or "Normal",
    DueDate = value(facts.DueDate), DeferDate = value(facts.DeferDate), RiskSlaDate = value(facts.RiskSlaDate),
    Progress = value(facts.Progress), SecondsInPreviousAttempts = 0, RetryNumber = 0,
    CreationTime = timestamp(), RowVersion = "AAAAAAAAB9E=", QueueDefinition = queue,
  }
  if queue.EnforceUniqueReference then references[queue.Id .. "\0" .. item.Reference] = item end
  return items.insert(item, folder)
end

local CODES = { DuplicateReference = 1016, TransactionReferenceRequired = 1830, QueueItemContentSizeExceeded = 1841 }

operations.add("POST", "odata/Queues/UiPathODataSvc.AddQueueItem", {
  scope = "OR.Queues", access = "Write", folder = true,
  run = function(request)
    local facts = operations.member(operations.body(), "itemData", "table")
    local queue = named(request.folder, operations.member(facts, "Name", "string"))
    local code, message = objection(queue, facts, {})
    if code then problem.orchestrator(code == "DuplicateReference" and 409 or 400, CODES[code] or 1009, message) end
    local item = insert(request.folder, queue, facts)
    return 201, operations.entity(request, rows.sets.QueueItems, "QueueItems", item)
  end,
})

--- The items that cannot be added, as the reply tells of them; of one that stops the rest, that one
--- alone. And the same by their places in the list.
local function refused(queue, list, stops)
  local failed, places, taken = json.array {}, {}, {}
  for index, facts in ipairs(list) do
    local code, message = objection(queue, facts, taken)
    if code then
      places[index] = true
      failed[#failed + 1] = { Ordinal = index - 1, ErrorCode = code, ErrorMessage = message,
        Reference = facts.Reference, SpecificContent = facts.SpecificContent, Priority = facts.Priority }
      if stops then break end
    elseif value(facts.Reference) then
      taken[facts.Reference] = true
    end
  end
  return failed, places
end

operations.add("POST", "odata/Queues/UiPathODataSvc.BulkAddQueueItems", {
  scope = "OR.Queues", access = "Write", folder = true,
  run = function(request)
    local body = operations.body()
    local queue = named(request.folder, operations.member(body, "queueName", "string"))
    local list, commit = operations.member(body, "queueItems", "table"), body.commitType
    if commit ~= "AllOrNothing" and commit ~= "StopOnFirstFailure" and commit ~= "ProcessAllIndependently" then
      problem.bad_body("The commitType field is not valid.")
    end
    local failed, places = refused(queue, list, commit == "StopOnFirstFailure")
    if commit ~= "AllOrNothing" or #failed == 0 then
      for index, facts in ipairs(list) do
        if places[index] and commit == "StopOnFirstFailure" then break end
        if not places[index] then insert(request.folder, queue, facts) end
      end
    end
    return 200, json.object({ "@odata.context", request.base .. "/odata/$metadata#UiPath.Server.Configuration.OData"
      .. ".BulkOperationResponseDtoOfFailedQueueItem", "Success", #failed == 0,
      "Message", #failed > 0 and "Some items could not be added." or "All items were added.",
      "FailedItems", failed }, 4)
  end,
})

local ORDER = { High = 1, Normal = 2, Low = 3 }

operations.add("POST", "odata/Queues/UiPathODataSvc.StartTransaction", {
  scope = "OR.Queues", access = "Write", folder = true,
  run = function(request)
    local facts = operations.member(operations.body(), "transactionData", "table")
    local queue = named(request.folder, operations.member(facts, "Name", "string"))
    local count, row_at = items.rows(request.folder)
    local best
    for position = 1, count do
      local item = row_at(position)
      if item.QueueDefinitionId == queue.Id and item.Status == "New"
        and (not item.DeferDate or item.DeferDate <= timestamp())
        and (not best or ORDER[item.Priority] < ORDER[best.Priority]) then
        best = item
      end
    end
    if not best then return 204, "" end
    best.Status, best.StartProcessing = "InProgress", timestamp()
    items.touch()
    return 200, operations.entity(request, rows.sets.QueueItems, "QueueItems", best)
  end,
})

operations.add("POST", "odata/Queues({})/UiPathODataSvc.SetTransactionResult", {
  scope = "OR.Queues", access = "Write", folder = true,
  run = function(request)
    local item = items.find(request.folder, tonumber(request[1]))
    if not item then problem.not_found("QueueItem") end
    local result = operations.member(operations.body(), "transactionResult", "table")
    local good = operations.member(result, "IsSuccessful", "boolean")
    if item.Status ~= "InProgress" then
      problem.orchestrator(409, 1837, "The transaction is not in progress.")
    end
    item.Status, item.EndProcessing = good and "Successful" or "Failed", timestamp()
    item.Output = value(result.Output)
    local exception = value(result.ProcessingException)
    if exception then
      item.ProcessingExceptionType = exception.Type or "ApplicationException"
      item.ProcessingException = exception
    end
    items.touch()
    return 200, ""
  end,
})

return queues

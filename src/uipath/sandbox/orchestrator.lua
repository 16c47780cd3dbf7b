--- Orchestrator: the OData sets and the few operations beside them.

local entities = require("uipath.sandbox.entities")
local folders = require("uipath.sandbox.folder")
local identity = require("uipath.sandbox.identity")
local json = require("uipath.sandbox.json")
local operations = require("uipath.sandbox.operations")
local problem = require("uipath.sandbox.problem")
local query = require("uipath.sandbox.query")
local rows = require("uipath.sandbox.rows")
require("uipath.sandbox.generated")

entities.load()

local orchestrator = {}

local MAX_TAKE = 1000
local MAX_NAME = 100

-- Sets ------------------------------------------------------------------------------------------

local function check_name(set, name, row, folder)
  if type(name) ~= "string" or name == "" then problem.bad_body("The Name field is required.") end
  if #name > MAX_NAME then
    problem.bad_body("The field Name must be a string with a maximum length of " .. MAX_NAME .. ".")
  end
  local count, row_at = set.rows(folder)
  for position = 1, count do
    local other = row_at(position)
    if other ~= row and set.read(other, "Name") == name then
      problem.orchestrator(409, 1001, set.singular .. " name " .. name .. " is already used.")
    end
  end
end

--- What each method does with one entity, and with the set as a whole.
local on_entity, on_set = {}, {}

function on_set.GET(request)
  local body, headers = query.page(request)
  return 200, body, headers
end

function on_set.POST(request)
  local set, body = request.set, operations.body()
  check_name(set, body.Name, nil, request.folder)
  body.Id, body.Key = nil, nil
  local row = set.insert(set.complete(body, nil, request.folder), request.folder)
  return 201, query.entity(request, row)
end

function on_entity.GET(request, row)
  return 200, query.entity(request, row)
end

--- Puts the values of `body` into a row that exists.
local function change(request, row, body)
  local set = request.set
  check_name(set, body.Name, row, request.folder)
  local id, key, folder_id = row.Id, row.Key, row.OrganizationUnitId
  local folder_name = row.OrganizationUnitFullyQualifiedName
  for property in pairs(set.type.kinds) do row[property] = body[property] end
  for property in pairs(set.type.collections or {}) do row[property] = body[property] end
  row.Id, row.Key, row.OrganizationUnitId = id, key, folder_id
  row.OrganizationUnitFullyQualifiedName = folder_name
  rows.version = rows.version + 1
  return 200, ""
end

function on_entity.PUT(request, row)
  return change(request, row, request.set.complete(operations.body(), row, request.folder))
end

function on_entity.PATCH(request, row)
  local body, merged = operations.body(), {}
  for property in pairs(request.set.type.collections or {}) do merged[property] = body[property] or row[property] end
  for property in pairs(request.set.type.kinds) do
    merged[property] = row[property]
    if body[property] ~= nil then merged[property] = body[property] end
  end
  return change(request, row, request.set.complete(merged, row, request.folder))
end

function on_entity.DELETE(request, row)
  request.set.remove(row)
  return 204, ""
end

local METHOD_IS_NOT_ALLOWED = '{"error":{"code":"UnsupportedApiVersion","message":"The HTTP '
  .. "resource that matches the request URI does not support HTTP method '%s'.\","
  .. '"innerError":null}}'

local function serve_set(path, facts, place)
  local name, key = path:match("^(%w+)%(([^()]*)%)$")
  name = name or path:match("^%w+$")
  local set = rows.sets[name]
  if not set then problem.raise(404) end
  local method = ngx.req.get_method()
  local reads = method == "GET" or method == "HEAD"
  local handlers = key and on_entity or on_set
  local handler = reads and handlers.GET or (set.complete and handlers[method])
  if not handler then problem.raise(405, METHOD_IS_NOT_ALLOWED:format(method)) end
  if not identity.allows(facts, set.scope, reads and "Read" or "Write") then
    problem.forbidden()
  end
  if set.refresh then set.refresh() end
  local request = {
    set = set, name = name, folder = set.per_folder and folders.of_request() or nil,
    options = ngx.req.get_uri_args(), query = ngx.var.args or "", base = place.base,
    page_size = place.settings.page_size, next_link = place.settings.next_link,
  }
  if not key then return handler(request) end
  local id = key:find("^%-?%d+$") and tonumber(key)
  if not id then problem.bad_query("The key '" .. key .. "' is not a valid Int64.") end
  local row = set.find(request.folder, id)
  if not row then problem.not_found(set.singular) end
  return handler(request, row)
end

-- Beside OData ----------------------------------------------------------------------------------

--- `api/Folders/GetAllForCurrentUser`: pages by take and skip.
local function all_folders(facts)
  if not identity.allows(facts, "OR.Folders", "Read") then problem.forbidden() end
  local arguments = ngx.req.get_uri_args()
  local take = query.whole_argument(arguments, "take", MAX_TAKE)
  local skip = query.whole_argument(arguments, "skip", 0)
  if take > MAX_TAKE then
    problem.orchestrator(400, 1009, "The field take must be between 0 and " .. MAX_TAKE .. ".")
  end
  local set, items = rows.sets.Folders, json.array {}
  local count, row_at = set.rows()
  for position = skip + 1, math.min(count, skip + take) do
    items[#items + 1] = row_at(position)
  end
  return 200, json.object({ "PageItems", items, "Count", count }, 2)
end

--- Serves a path below `orchestrator_/`.
---@param path string
---@param place { base: string, settings: table }  URL of the service, settings of the sandbox
---@return integer status
---@return string body
---@return table<string, string> headers
function orchestrator.serve(path, place)
  if path == "api/status/version" then return 200, '{"version":"20.0"}' end
  local facts = identity.authenticate()
  local status, body, headers
  local operation, captures = operations.find(ngx.req.get_method(), path)
  if operation then
    status, body, headers = operations.run(operation, captures, facts, place)
  elseif path:find("^odata/") then
    status, body, headers = serve_set(path:sub(7), facts, place)
  elseif path == "api/Folders/GetAllForCurrentUser" then
    status, body = all_folders(facts)
  elseif path:find("^api/FoldersNavigation/") then
    problem.forbidden()
  else
    problem.raise(404)
  end
  return status, body, headers
end

return orchestrator

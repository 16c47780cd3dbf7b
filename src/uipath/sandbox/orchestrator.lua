--- Orchestrator: the OData sets and the few operations beside them.

local identity = require("uipath.sandbox.identity")
local json = require("uipath.sandbox.json")
local problem = require("uipath.sandbox.problem")
local query = require("uipath.sandbox.query")
local rows = require("uipath.sandbox.rows")
require("uipath.sandbox.generated")

local orchestrator = {}

local MAX_TAKE = 1000
local MAX_NAME = 100

-- Folders named by headers ----------------------------------------------------------------------

--- UTF-16, little-endian, as UTF-8.
local function utf16le_to_utf8(text)
  local parts, at = {}, 1
  while at < #text do
    local low, high = text:byte(at, at + 1)
    local point = low + high * 256
    at = at + 2
    if point >= 0xD800 and point < 0xDC00 and at < #text then
      low, high = text:byte(at, at + 1)
      point = 0x10000 + (point - 0xD800) * 1024 + (low + high * 256 - 0xDC00)
      at = at + 2
    end
    if point < 0x80 then
      parts[#parts + 1] = string.char(point)
    elseif point < 0x800 then
      parts[#parts + 1] = string.char(0xC0 + math.floor(point / 64), 0x80 + point % 64)
    elseif point < 0x10000 then
      parts[#parts + 1] = string.char(0xE0 + math.floor(point / 4096),
        0x80 + math.floor(point / 64) % 64, 0x80 + point % 64)
    else
      parts[#parts + 1] = string.char(0xF0 + math.floor(point / 262144),
        0x80 + math.floor(point / 4096) % 64, 0x80 + math.floor(point / 64) % 64,
        0x80 + point % 64)
    end
  end
  return table.concat(parts)
end

--- The folder that a request names in one of the four ways; raises errorCode 1101 when it names
--- none and 1100 when there is no such folder.
local function request_folder()
  local headers = ngx.req.get_headers()
  local id, key = headers["X-UIPATH-OrganizationUnitId"], headers["X-UIPATH-FolderKey"]
  local path, encoded = headers["X-UIPATH-FolderPath"], headers["X-UIPATH-FolderPath-Encoded"]
  local folder
  if id then
    folder = rows.folder_by_id(tonumber(id))
  elseif key then
    folder = rows.folder_by_key(key)
  elseif encoded then
    local decoded = ngx.decode_base64(encoded)
    -- A leading slash says that the path begins at the root, which is so here without it as well.
    folder = decoded and rows.folder_by_path((utf16le_to_utf8(decoded):gsub("^/", "")))
  elseif path then
    -- Headers are ASCII: other letters do not arrive as they were meant.
    folder = not path:find("[\128-\255]") and rows.folder_by_path(path)
  else
    problem.orchestrator(400, 1101, "A folder is required for this action.")
  end
  if not folder then
    problem.orchestrator(400, 1100,
      "Folder does not exist or the user does not have access to the folder.")
  end
  return folder
end

-- Sets ------------------------------------------------------------------------------------------

--- The body of a request as a table; raises when it is not a JSON object.
local function read_object()
  ngx.req.read_body()
  local text = ngx.req.get_body_data()
  if not text then
    local path = ngx.req.get_body_file()
    local file = path and io.open(path, "rb")
    text = file and file:read("*a")
    if file then file:close() end
  end
  local value = text and json.decode(text)
  if type(value) ~= "table" then problem.bad_body("The request body is not a JSON object.") end
  return value
end

local function check_name(set, name, row)
  if type(name) ~= "string" or name == "" then problem.bad_body("The Name field is required.") end
  if #name > MAX_NAME then
    problem.bad_body("The field Name must be a string with a maximum length of " .. MAX_NAME .. ".")
  end
  local count, row_at = set.rows()
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
  local set, body = request.set, read_object()
  check_name(set, body.Name)
  body.Id, body.Key = nil, nil
  local row = set.insert(set.complete(body))
  return 201, query.entity(request, row)
end

function on_entity.GET(request, row)
  return 200, query.entity(request, row)
end

--- Puts the values of `body` into a row that exists.
local function change(set, row, body)
  check_name(set, body.Name, row)
  local id, key = row.Id, row.Key
  for property in pairs(set.type.kinds) do row[property] = body[property] end
  row.Id, row.Key = id, key
  rows.version = rows.version + 1
  return 200, ""
end

function on_entity.PUT(request, row)
  return change(request.set, row, request.set.complete(read_object()))
end

function on_entity.PATCH(request, row)
  local body, merged = read_object(), {}
  for property in pairs(request.set.type.kinds) do
    merged[property] = row[property]
    if body[property] ~= nil then merged[property] = body[property] end
  end
  return change(request.set, row, request.set.complete(merged))
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
  local request = {
    set = set, name = name, folder = set.per_folder and request_folder() or nil,
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

local function whole_argument(arguments, name, default)
  local text = arguments[name]
  if not text then return default end
  local number = type(text) == "string" and text:find("^%d+$") and tonumber(text)
  if not number then
    problem.orchestrator(400, 1009, "The value '" .. tostring(text) .. "' is not valid.")
  end
  return number
end

--- `api/Folders/GetAllForCurrentUser`: pages by take and skip.
local function all_folders(facts)
  if not identity.allows(facts, "OR.Folders", "Read") then problem.forbidden() end
  local arguments = ngx.req.get_uri_args()
  local take = whole_argument(arguments, "take", MAX_TAKE)
  local skip = whole_argument(arguments, "skip", 0)
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

local BUCKET, BUCKET_FILES = 9001, 1234
local DEFAULT_HINT = 500

--- `api/Buckets/{id}/ListFiles`: pages by continuationToken; takeHint is only a hint, and a page
--- may hold fewer or more.
local function bucket_files(facts, id)
  if not identity.allows(facts, "OR.Administration", "Read") then problem.forbidden() end
  request_folder()
  if tonumber(id) ~= BUCKET then problem.not_found("Bucket") end
  local arguments = ngx.req.get_uri_args()
  local hint = whole_argument(arguments, "takeHint", 0)
  if hint > MAX_TAKE then
    problem.orchestrator(400, 1009, "The field takeHint must be between 0 and " .. MAX_TAKE .. ".")
  elseif hint == 0 then
    hint = DEFAULT_HINT
  end
  local first, token = 0, arguments.continuationToken
  if token then
    first = tonumber((ngx.decode_base64(token) or ""):match("^file:(%d+)$"))
    if not first then problem.orchestrator(400, 1000, "The continuation token is not valid.") end
  end
  local prefix = arguments.prefix or ""
  local items, next_file = json.array {}, first
  while next_file < BUCKET_FILES and #items < hint do
    next_file = next_file + 1
    local path = ("%s/report-%04d.csv"):format(next_file % 2 == 0 and "in" or "out", next_file)
    if path:sub(1, #prefix) == prefix then
      items[#items + 1] = { fullPath = path, contentType = "text/csv", size = 1000 + next_file,
        lastModified = "2026-01-01T00:00:00Z" }
    end
  end
  local continuation = next_file < BUCKET_FILES and ngx.encode_base64("file:" .. next_file)
  return 200, json.object({ "items", items, "continuationToken", continuation or json.null }, 2)
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
  local bucket = path:match("^api/Buckets/(%d+)/ListFiles$")
  if path:find("^odata/") then
    status, body, headers = serve_set(path:sub(7), facts, place)
  elseif path == "api/Folders/GetAllForCurrentUser" then
    status, body = all_folders(facts)
  elseif bucket then
    status, body = bucket_files(facts, bucket)
  elseif path:find("^api/FoldersNavigation/") then
    problem.forbidden()
  else
    problem.raise(404)
  end
  return status, body, headers
end

return orchestrator

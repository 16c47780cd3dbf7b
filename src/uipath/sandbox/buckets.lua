--- Buckets: their files are in the storage, by addresses that expire.

local clock = require("uipath.sandbox.clock")
local folders = require("uipath.sandbox.folder")
local json = require("uipath.sandbox.json")
local operations = require("uipath.sandbox.operations")
local problem = require("uipath.sandbox.problem")
local query = require("uipath.sandbox.query")
local rows = require("uipath.sandbox.rows")
local storage = require("uipath.sandbox.storage")
local types = require("uipath.sandbox.types")

local value = operations.value

local MAX_TAKE, DEFAULT_HINT = 1000, 500
--- The first bucket is full of files that nobody has written.
local FULL, FULL_FILES = 9001, 1234

local buckets = rows.stored {
  type = types.BucketDto, singular = "Bucket", scope = "OR.Administration", page_cap = 1000,
  per_folder = true, last_id = FULL - 1, guid_kind = 38,
}
rows.sets.Buckets = buckets

function buckets.complete(body, before)
  return {
    Name = body.Name, Description = value(body.Description) or "",
    Identifier = before and before.Identifier or value(body.Identifier) or rows.guid(39, ngx.now() * 1000),
    StorageProvider = value(body.StorageProvider), StorageContainer = value(body.StorageContainer),
    Options = value(body.Options) or "None", FoldersCount = 1, Tags = json.array {},
  }
end

for _, body in ipairs {
  { Name = "Reports", Identifier = rows.guid(39, 1) }, { Name = "Invoices", Identifier = rows.guid(39, 2) },
  { Name = "Archive", Identifier = rows.guid(39, 3), Options = "ReadOnly" },
} do
  local bucket
  for _, branch in ipairs(rows.tree) do
    bucket = bucket and buckets.link(bucket, branch.folder) or buckets.insert(buckets.complete(body), branch.folder)
  end
end

--- What is in each bucket: paths in order, and facts by path.
local contents = {}

local function content_of(bucket)
  local content = contents[bucket.Id]
  if not content then
    content = { paths = {}, known = {} }
    contents[bucket.Id] = content
  end
  return content
end

local function blob_of(bucket, path)
  return ("bucket-%d/%s"):format(bucket.Id, path)
end

local function full_path(number)
  return ("%s/report-%04d.csv"):format(number % 2 == 0 and "in" or "out", number)
end

do
  local full = content_of { Id = FULL }
  for number = 1, FULL_FILES do
    local path = full_path(number)
    full.paths[number], full.known[path] = path, { size = 1000 + number, modified = "2026-01-01T00:00:00Z", type = "text/csv" }
    storage.put(blob_of({ Id = FULL }, path), function()
      return ("%d;"):format(number):rep(1000 + number):sub(1, 1000 + number)
    end, "text/csv")
  end
end

--- The file of a path as ListFiles shows it; nil: it is not there (yet).
local function facts_of(bucket, path)
  local known = content_of(bucket).known[path]
  if known and known.size then
    return { fullPath = path, contentType = known.type, size = known.size, lastModified = known.modified }
  end
  local blob = storage.facts(blob_of(bucket, path))
  if not blob then return nil end
  return { fullPath = path, contentType = blob.type, size = #blob.content, lastModified = clock.timestamp(blob.modified) }
end

local function bucket_of(folder, id)
  local bucket = buckets.find(folder, tonumber(id))
  if not bucket then problem.not_found("Bucket") end
  return bucket
end

--- Pages by continuationToken; takeHint is only a hint, and a page may hold fewer or more.
operations.add("GET", "api/Buckets/{}/ListFiles", {
  scope = "OR.Administration", access = "Read",
  run = function(request)
    local bucket = bucket_of(folders.of_request(), request[1])
    local arguments = request.options
    local hint = query.whole_argument(arguments, "takeHint", 0)
    if hint > MAX_TAKE then
      problem.orchestrator(400, 1009, "The field takeHint must be between 0 and " .. MAX_TAKE .. ".")
    elseif hint == 0 then
      hint = DEFAULT_HINT
    end
    local place, token = 0, arguments.continuationToken
    if token then
      place = tonumber((ngx.decode_base64(token) or ""):match("^file:(%d+)$"))
      if not place then problem.orchestrator(400, 1000, "The continuation token is not valid.") end
    end
    local prefix, paths = arguments.prefix or "", content_of(bucket).paths
    local items = json.array {}
    while place < #paths and #items < hint do
      place = place + 1
      local path = paths[place]
      local item = path:sub(1, #prefix) == prefix and facts_of(bucket, path)
      if item then
        if arguments.expiryInMinutes then
          item.accessInfo = storage.access(blob_of(bucket, path), "GET", arguments.expiryInMinutes)
        end
        items[#items + 1] = item
      end
    end
    local continuation = place < #paths and ngx.encode_base64("file:" .. place)
    return 200, json.object({ "items", items, "continuationToken", continuation or json.null }, 2)
  end,
})

local function path_argument(request)
  local path = request.options.path
  if type(path) ~= "string" or path == "" then problem.orchestrator(400, 1009, "The path is required.") end
  return (path:gsub("^/+", ""))
end

local ACTION = "odata/Buckets({})/UiPath.Server.Configuration.OData."

operations.add("GET", ACTION .. "GetReadUri", {
  scope = "OR.Administration", access = "Read", folder = true,
  run = function(request)
    local bucket, path = bucket_of(request.folder, request[1]), path_argument(request)
    return 200, storage.access(blob_of(bucket, path), "GET", request.options.expiryInMinutes)
  end,
})

operations.add("GET", ACTION .. "GetWriteUri", {
  scope = "OR.Administration", access = "Read", folder = true,
  run = function(request)
    local bucket, path = bucket_of(request.folder, request[1]), path_argument(request)
    if bucket.Options == "ReadOnly" then problem.orchestrator(400, 2402, "The bucket is read-only.") end
    local content = content_of(bucket)
    if not content.known[path] then
      content.known[path] = {}
      table.insert(content.paths, path)
      table.sort(content.paths)
    end
    -- From now on it is what is written there.
    content.known[path].size = nil
    return 200, storage.access(blob_of(bucket, path), "PUT", request.options.expiryInMinutes)
  end,
})

operations.add("DELETE", ACTION .. "DeleteFile", {
  scope = "OR.Administration", access = "Write", folder = true,
  run = function(request)
    local bucket, path = bucket_of(request.folder, request[1]), path_argument(request)
    if bucket.Options == "ReadOnly" then problem.orchestrator(400, 2402, "The bucket is read-only.") end
    if not facts_of(bucket, path) then problem.not_found("File") end
    local content = content_of(bucket)
    storage.remove(blob_of(bucket, path))
    content.known[path] = nil
    for place, each in ipairs(content.paths) do
      if each == path then table.remove(content.paths, place) break end
    end
    return 204, ""
  end,
})

return buckets

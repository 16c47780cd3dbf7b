-- client.buckets: files in buckets. They are in a storage of their own: client:download and client:upload know how to get there.

local find = require "uipath.recipes.find"
local lost = require "uipath.recipes.lost"
local shared = require "uipath.recipes.shared"

local with = shared.with

local BUCKET = { noun = "bucket", set = "odata/Buckets", key = "Identifier" }

-- The bucket's id; a number is one already.
local function id_of(client, bucket, call)
  if type(bucket) == "number" then return bucket end
  local row, err = find.one(client, BUCKET, bucket, call)
  return row and row.Id, err
end

-- The path of an action on a bucket.
local function action(id, name)
  return shared.entity("odata/Buckets", id) .. "/UiPath.Server.Configuration.OData." .. name
end

-- The options of a look-up among those of a download or walk.
local function lookup(call)
  return { folder = call.folder, headers = call.headers, timeout = call.timeout, max_attempts = call.max_attempts }
end

local function files(client, bucket, options)
  local id, err = id_of(client, bucket, lookup(options.call))
  if not id then return nil, err end
  local query = with(options.call.query or {}, { prefix = options.prefix })
  return client:each(("api/Buckets/%s/ListFiles"):format(shared.id(id)), with(options.call, { query = query }))
end

local function download(client, bucket, path, file, options)
  local id, err = id_of(client, bucket, options.call)
  if not id then return nil, err end
  local more = { query = { path = path }, on_progress = options.on_progress, total_timeout = options.total_timeout }
  return client:download(action(id, "GetReadUri"), file, with(options.call, more))
end

local function read(client, bucket, path, options)
  return shared.with_file(function(file)
    local bytes, err = download(client, bucket, path, file, options)
    if not bytes then return nil, err end
    return shared.read(file)
  end)
end

local function upload(client, bucket, path, body, options)
  local id, err = id_of(client, bucket, options.call)
  if not id then return nil, err end
  local more = { query = { path = path, contentType = options.content_type }, on_progress = options.on_progress,
    total_timeout = options.total_timeout }
  local done
  done, err = client:upload(action(id, "GetWriteUri"), body, with(options.call, more))
  if done then return true end
  return nil, err.uncertain and lost.mark(err) or err
end

local function delete(client, bucket, path, options)
  local id, err = id_of(client, bucket, options.call)
  if not id then return nil, err end
  local done
  done, err = client:delete(action(id, "DeleteFile"), with(options.call, { query = { path = path } }))
  if done ~= nil then return true end
  return lost.settle(client, err, options.call)
end

local BUCKET_ARGUMENT = { "bucket", "name", complete = "buckets" }
local PATH_ARGUMENT = { "path", "text", complete = "bucket_files" }
local FILE_ARGUMENT = { "file", "text", complete = "files" }
local FIND = { "GET", "odata/Buckets" }
local TRANSFER = {
  on_progress = { "function", "called with the bytes done and in all" },
  total_timeout = { "seconds", "for the whole; timeout is for a standstill" },
}

return {
  name = "buckets",
  help = "buckets: list, fetch, put and delete files",
  methods = {
    {
      name = "each", help = "iterates over the folder's buckets", folder = true, iterates = true, paging = true, arguments = {},
      calls = { FIND }, run = function(client, options) return client:each("odata/Buckets", options.call) end,
    },
    {
      name = "files", help = "iterates over the files of a bucket", folder = true, iterates = true, paging = true,
      arguments = { BUCKET_ARGUMENT }, options = { prefix = { "string", "only those whose path begins so" } },
      calls = { FIND, { "GET", "api/Buckets/1/ListFiles" } }, run = files,
    },
    {
      name = "download", help = "fetches a file of a bucket into a local one", folder = true, options = TRANSFER,
      arguments = { BUCKET_ARGUMENT, PATH_ARGUMENT, FILE_ARGUMENT },
      calls = { FIND, { "GET", action(1, "GetReadUri") } }, run = download,
    },
    {
      name = "upload", help = "puts a string or a local file into a bucket", folder = true,
      arguments = { BUCKET_ARGUMENT, PATH_ARGUMENT, { "body", "string|table|userdata", complete = "files" } },
      options = with(TRANSFER, { content_type = { "text", "of the file" } }),
      calls = { FIND, { "GET", action(1, "GetWriteUri") } }, run = upload,
    },
    {
      name = "read", help = "gives a file of a bucket as a string", folder = true, options = TRANSFER,
      arguments = { BUCKET_ARGUMENT, PATH_ARGUMENT }, calls = { FIND, { "GET", action(1, "GetReadUri") } }, run = read,
    },
    {
      name = "delete", help = "deletes a file of a bucket", folder = true, arguments = { BUCKET_ARGUMENT, PATH_ARGUMENT },
      calls = { FIND, { "DELETE", action(1, "DeleteFile") } }, run = delete,
    },
  },
}

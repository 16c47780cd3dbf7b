--- The storage behind buckets, attachments and exports: a host of its own, on another port, which
--- knows nothing of the tenant's tokens. Who may do what says the address itself, signed, and until
--- when. In the manner of Azure's: a PUT needs its headers, errors are XML.

local operations = require("uipath.sandbox.operations")
local problem = require("uipath.sandbox.problem")

local storage = {}

local SECRET = "storage"
local DEFAULT_MINUTES = 60
local HEADERS = { ["x-ms-blob-type"] = "BlockBlob", ["Content-Type"] = "application/octet-stream" }

local settings
local blobs, versions = {}, 0

---@param given table  the settings that the sandbox runs with
function storage.begin(given)
  settings = given
end

--- Keeps bytes, or what makes them when they are asked for.
---@param path string
---@param content string|fun(): string
---@param content_type? string
function storage.put(path, content, content_type)
  versions = versions + 1
  blobs[path] = { content = content, type = content_type or "application/octet-stream",
    etag = ('"0x%08X"'):format(versions), modified = ngx.time() }
end

function storage.remove(path)
  local existed = blobs[path] ~= nil
  blobs[path] = nil
  return existed
end

---@return string|nil
function storage.get(path)
  local blob = blobs[path]
  if not blob then return nil end
  return type(blob.content) == "function" and blob.content() or blob.content
end

--- What is known of a blob without reading it: when it was written.
function storage.facts(path)
  return blobs[path]
end

local function signature(path, permission, ends)
  return ngx.escape_uri(ngx.encode_base64(ngx.hmac_sha1(SECRET, path .. "\n" .. permission .. "\n" .. ends)))
end

local function escaped(path)
  return (path:gsub("[^/]+", ngx.escape_uri))
end

--- The access object of a blob.
---@param path string  "container/name"
---@param verb "GET"|"PUT"
---@param minutes? number  until the address has expired
---@return table
function storage.access(path, verb, minutes)
  local permission = verb == "PUT" and "w" or "r"
  local ends = math.floor(ngx.time() + (tonumber(minutes) or DEFAULT_MINUTES) * 60)
  local headers = { Keys = {}, Values = {} }
  if verb == "PUT" then
    for name, value in pairs(HEADERS) do
      table.insert(headers.Keys, name)
      table.insert(headers.Values, value)
    end
  end
  require("uipath.sandbox.json").array(headers.Keys)
  require("uipath.sandbox.json").array(headers.Values)
  return {
    Uri = ("http://127.0.0.1:%d/%s?sp=%s&se=%d&sig=%s"):format(settings.storage_port, escaped(path),
      permission, ends, signature(path, permission, ends)),
    Verb = verb, RequiresAuth = false, Headers = headers,
  }
end

local function refuse(status, code, message)
  problem.raise(status, ('<?xml version="1.0" encoding="utf-8"?><Error><Code>%s</Code><Message>%s\n'
    .. "RequestId:%s</Message></Error>"):format(code, message, ngx.var.request_id),
    { ["Content-Type"] = "application/xml" })
end

--- Checks the address of a request.
local function authorize(path)
  local arguments = ngx.req.get_uri_args()
  local permission, ends = arguments.sp or "", tonumber(arguments.se) or 0
  local method = ngx.req.get_method()
  local wanted = method == "PUT" and "w" or "r"
  if ngx.var.http_authorization then
    refuse(403, "AuthenticationFailed", "Server failed to authenticate the request: an address and a header sign it.")
  elseif arguments.sig ~= ngx.unescape_uri(signature(path, permission, ends)) then
    refuse(403, "AuthenticationFailed", "Server failed to authenticate the request. Signature did not match.")
  elseif ends <= ngx.time() then
    refuse(403, "AuthenticationFailed", "Server failed to authenticate the request. Signature not valid in the specified time frame.")
  elseif permission ~= wanted then
    refuse(403, "AuthorizationPermissionMismatch", "This request is not authorized to perform this operation.")
  end
end

local function write(path)
  if not ngx.var.http_content_length then
    refuse(411, "MissingContentLengthHeader", "Content-Length header is missing.")
  elseif ngx.var.http_x_ms_blob_type ~= "BlockBlob" then
    refuse(400, "MissingRequiredHeader", "An HTTP header that is mandatory for this request is not specified.")
  end
  storage.put(path, operations.bytes() or "", ngx.var.content_type)
  return 201, "", { ETag = blobs[path].etag }
end

--- First and last byte of a Range that is to be heeded, counted from 1; nil: the whole.
local function range_of(blob, size)
  local first, last = (ngx.var.http_range or ""):match("^bytes=(%d+)%-(%d*)$")
  if not first then return nil end
  local condition = ngx.var.http_if_range
  if condition and condition ~= blob.etag then return nil end
  first, last = tonumber(first), tonumber(last) or size - 1
  if first >= size then
    problem.raise(416, "", { ["Content-Range"] = "bytes */" .. size })
  end
  return first + 1, math.min(last, size - 1) + 1
end

local function read(path)
  local blob = blobs[path]
  if not blob then refuse(404, "BlobNotFound", "The specified blob does not exist.") end
  local content = storage.get(path)
  local headers = { ["Content-Type"] = blob.type, ETag = blob.etag, ["Accept-Ranges"] = "bytes",
    ["Last-Modified"] = ngx.http_time(blob.modified) }
  local first, last = range_of(blob, #content)
  if not first then return 200, content, headers end
  headers["Content-Range"] = ("bytes %d-%d/%d"):format(first - 1, last - 1, #content)
  return 206, content:sub(first, last), headers
end

--- Serves a request to the storage's host.
---@return integer status
---@return string body
---@return table<string, string> headers
function storage.serve()
  local path, method = ngx.var.uri:sub(2), ngx.req.get_method()
  authorize(path)
  if method == "PUT" then return write(path) end
  if method == "GET" or method == "HEAD" then return read(path) end
  return refuse(405, "UnsupportedHttpVerb", "The resource doesn't support specified Http Verb.")
end

return storage

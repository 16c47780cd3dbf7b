-- Files: client:download and client:upload.
--
-- The bytes go between the network and the file in the engine (src/engine/download.h, transfer.h), so that memory does not grow with
-- them and an nginx worker goes on meanwhile. Here is what is asked for, and where:
--
--   1. A path of ours is asked with our token. A download's answer may be the file itself, or an access object: what may be one
--      (short JSON) is kept in memory and looked at here. An upload asks for one with GET, unless options.method says that the path
--      takes the bytes itself.
--   2. An access object's address, on whatever host, is called with its own verb and all of its headers. Our token goes along only
--      where it says RequiresAuth and lies on our own host. Its query is a secret, and redirects are not followed (is_presigned).
--   3. Where the storage refuses it with 403 it has probably expired. It is asked for anew, once, where its path is known, and a
--      download goes on with what has come. The download object keeps that from one call to the next.

local finish = require("uipath.functions").finish
local internal = require "uipath.internal"
local uipath = require "uipath"

local files = {}

local OWN = { on_progress = true, total_timeout = true, method = true }
-- What only the call of a path understands.
local FOR_PATHS = { "filter", "select", "expand", "orderby", "top", "skip", "count", "search", "apply", "query", "level" }
local DEFAULT_TYPE = "application/octet-stream"

-- Verbs that an access object may have, by what is to be done with it.
local VERBS = {
  download = { default = "GET", GET = true, POST = true },
  upload = { default = "PUT", PUT = true, POST = true, PATCH = true },
}

-- Calls a function that may raise the user's mistakes, with the user's position.
local function attempt(called, ...)
  local ok, value, other = pcall(called, ...)
  if ok then return value, other end
  internal.raise(value)
end

local function copy_of(map)
  local copy = {}
  for name, value in pairs(map) do copy[name] = value end
  return copy
end

local function failure(kind, message) return nil, internal.error(kind, message) end

-- ---------------------------------------------------------------------------
-- Options
-- ---------------------------------------------------------------------------

-- What a whole download or upload has in common: { client, options, on_progress, total, ends_at, what, method }.
local function new_work(client, options, what)
  if options == nil then options = {} end
  attempt(internal.check_file_options, options)
  local work = { client = client, options = {}, on_progress = options.on_progress, what = what, method = options.method }
  for name, value in pairs(options) do
    if not OWN[name] then work.options[name] = value end
  end
  if work.on_progress ~= nil and type(work.on_progress) ~= "function" then internal.raise("on_progress must be a function") end
  local total = options.total_timeout
  if total ~= nil then
    if type(total) ~= "number" or total ~= total or total <= 0 then internal.raise("total_timeout must be a number of seconds above 0") end
    work.total, work.ends_at = total, internal.now() + total
  end
  if options.headers ~= nil and type(options.headers) ~= "table" then
    internal.raise("headers must be a table of names and values, got " .. type(options.headers))
  end
  return work
end

-- The name under which a table of headers has this one.
local function name_in(headers, wanted)
  for name in pairs(headers or {}) do
    if type(name) == "string" and name:lower() == wanted then return name end
  end
end

-- The seconds that are left of the whole; nil: there is no limit.
local function time_left(work)
  return work.ends_at and math.max(0.001, work.ends_at - internal.now())
end

-- Sends one request and waits for what comes of it.
local function send(work, method, address, options, body, transfer)
  transfer.total_timeout, transfer.ends_at, transfer.wants_progress = work.total, work.ends_at, work.on_progress ~= nil
  local call = attempt(internal.begin_file, work.client, method, address, options, body, transfer)
  return finish(call, work.on_progress)
end

-- ---------------------------------------------------------------------------
-- Access objects
-- ---------------------------------------------------------------------------

-- A member under its name as Orchestrator has it, or in camel case; nil where it is null.
local function member(object, name)
  local value = object[name]
  if value == nil then value = object[name:sub(1, 1):lower() .. name:sub(2)] end
  if value ~= uipath.null then return value end
end

-- Whether a decoded answer of a path is an access object.
local function is_access(object)
  return type(object) == "table" and type(member(object, "Uri")) == "string" and type(member(object, "Verb")) == "string"
end

-- Its headers as a list of name, value, name, value …; nil and what is wrong with them.
local function headers_of(object)
  local headers, list = member(object, "Headers") or {}, {}
  if type(headers) ~= "table" then return nil, "its Headers are no object" end
  local keys, values = member(headers, "Keys"), member(headers, "Values")
  local names = {}
  if type(keys) == "table" and type(values) == "table" then
    for index, name in ipairs(keys) do names[#names + 1] = { name, values[index] } end
  else
    for name, value in pairs(headers) do names[#names + 1] = { name, value } end
  end
  for _, pair in ipairs(names) do
    local name, value = pair[1], pair[2]
    if value == uipath.null then value = "" end
    if type(name) ~= "string" or type(value) ~= "string" then return nil, "its Headers are not names and values" end
    local can_be_sent = internal.is_header(name, value)
    if can_be_sent == false then return nil, "its Headers hold what is no HTTP header" end
    if can_be_sent then
      list[#list + 1] = name
      list[#list + 1] = value
    end
  end
  return list
end

local function has_header(list, wanted)
  for index = 1, #list, 2 do
    if list[index]:lower() == wanted then return true end
  end
  return false
end

-- Without Authorization, where it is ours that goes along.
local function without_authorization(list)
  local kept = {}
  for index = 1, #list, 2 do
    if list[index]:lower() ~= "authorization" then
      kept[#kept + 1] = list[index]
      kept[#kept + 1] = list[index + 1]
    end
  end
  return kept
end

-- Reads an access object: { url =, verb =, headers =, authorized = }; nil and an error.
local function read_access(work, object)
  local verbs = VERBS[work.what]
  local verb = member(object, "Verb") or verbs.default
  if type(verb) ~= "string" or not verbs[verb:upper()] then
    return failure("usage", ("the access object is not for %ss: its Verb is %s"):format(work.what, tostring(verb)))
  end
  local url, is_own = internal.check_address(work.client, member(object, "Uri"))
  if not url then return failure("usage", "the address of the access object cannot be called: " .. is_own) end
  local headers, wrong = headers_of(object)
  if not headers then return failure("usage", "the access object cannot be used: " .. wrong) end
  local authorized = member(object, "RequiresAuth") == true and is_own
  if authorized then headers = without_authorization(headers) end
  return { url = url, verb = verb:upper(), headers = headers, authorized = authorized }
end

-- What of the user's options goes to an access object's address. Of the headers those that are meant for it: all where the user gave
-- the object, else none; and never one that the object has itself.
local function options_for(work, access, headers)
  local options = copy_of(work.options)
  for _, name in ipairs(FOR_PATHS) do options[name] = nil end
  for name in pairs(options) do
    if type(name) == "string" and name:sub(1, 1) == "$" then options[name] = nil end
  end
  options.headers = {}
  for name, value in pairs(headers or {}) do
    if type(name) ~= "string" or not has_header(access.headers, name:lower()) then options.headers[name] = value end
  end
  return options
end

-- Raises where the user gave an access object with options that only a path understands.
local function check_access_options(work, object)
  if type(member(object, "Uri")) ~= "string" then
    internal.raise("an access object must have a Uri, as GetReadUri and GetWriteUri give it")
  end
  for _, name in ipairs(FOR_PATHS) do
    if work.options[name] ~= nil then internal.raise(("'%s' is for a path: an access object's address is complete"):format(name)) end
  end
end

-- Asks the path for an access object: the object, or nil and an error.
local function ask_for_access(work, path)
  local options = copy_of(work.options)
  if options.headers then
    options.headers = copy_of(options.headers)
    -- A GET has no body; the type is that of what is sent later.
    local name = name_in(options.headers, "content-type")
    if name then options.headers[name] = nil end
  end
  local left = time_left(work)
  if left then options.timeout = math.min(left, options.timeout or internal.timeout(work.client)) end
  local value, response = attempt(work.client.get, work.client, path, options)
  if value == nil then return nil, response end
  if is_access(value) then return value end
  return failure("usage", work.what == "upload"
    and "the answer of the path is no access object: options.method names the method of a path that takes the bytes itself"
    or "the answer of the path is no access object any more")
end

-- Calls an access object's address by call(access); one that is refused with 403 is asked for anew, once, where its path is known.
local function with_access(work, object, path, call)
  local access, err = read_access(work, object)
  if not access then return nil, err end
  local value, response = call(access)
  if value ~= nil or not path or response.status ~= 403 then return value, response end
  object, err = ask_for_access(work, path)
  if not object then return nil, err end
  access, err = read_access(work, object)
  if not access then return nil, err end
  return call(access)
end

-- ---------------------------------------------------------------------------
-- Downloads
-- ---------------------------------------------------------------------------

local function fetch(work, download, object, path)
  return with_access(work, object, path, function(access)
    local options = options_for(work, access, not path and work.options.headers or nil)
    return send(work, access.verb, access.url, options, nil,
      { download = download, headers = access.headers, authorized = access.authorized })
  end)
end

local function fetch_path(work, download, path)
  local options = copy_of(work.options)
  options.headers = copy_of(options.headers or {})
  if not name_in(options.headers, "accept") then options.headers.Accept = "application/json, */*" end
  local value, response = send(work, "GET", path, options, nil, { download = download, looks = true })
  if type(value) ~= "string" then return value, response end
  -- The answer is JSON, and short.
  local object = uipath.json.decode(value)
  if is_access(object) then return fetch(work, download, object, path) end
  local kept, problem = internal.keep_download(download, value)
  if not kept then return failure("file", problem) end
  if work.on_progress then work.on_progress(#value, #value) end
  return #value, response
end

---Fetches a file, streamed into one of this machine, which is there only when it is whole.
---@param client uipath.Client
---@param source string|table a path, or an access object
---@param file string
---@param options? uipath.FileOptions
---@return integer? bytes
---@return uipath.Response|uipath.Error response
function files.download(client, source, file, options)
  local work = new_work(client, options, "download")
  if work.method ~= nil then internal.raise("method is for uploads: a download is a GET, or what its access object says") end
  if type(source) ~= "string" and type(source) ~= "table" then
    internal.raise("the source must be a path or an access object, got " .. type(source))
  end
  for _, name in ipairs { "range", "if-range", "if-none-match", "if-modified-since" } do
    if name_in(options and options.headers, name) then internal.raise(("the header %s is the download's own"):format(name)) end
  end
  local download = attempt(internal.download, file)
  local bytes, response
  if type(source) == "table" then
    check_access_options(work, source)
    bytes, response = fetch(work, download, source)
  else
    bytes, response = fetch_path(work, download, source)
  end
  if bytes == nil then internal.discard_download(download) end
  return bytes, response
end

-- ---------------------------------------------------------------------------
-- Uploads
-- ---------------------------------------------------------------------------

-- The contentType of the path's query or of options.query, for which the address was made.
local function signed_type(work, path)
  local query = type(work.options.query) == "table" and work.options.query or {}
  local value = query.contentType
  if value == nil and path then
    for name, text in (path:match "%?(.*)$" or ""):gmatch "([^&=]+)=([^&]*)" do
      if name:lower() == "contenttype" then
        value = text:gsub("%%(%x%x)", function(digits) return string.char(tonumber(digits, 16)) end)
      end
    end
  end
  return type(value) == "string" and value ~= "" and value or nil
end

-- The headers of what is sent, with its Content-Type.
local function headers_with_type(headers, content_type)
  local all = copy_of(headers or {})
  if not name_in(all, "content-type") then all["Content-Type"] = content_type end
  return all
end

local function put(work, object, path, body, content_type)
  return with_access(work, object, path, function(access)
    local own = not path and work.options.headers or nil
    if path then
      local name = name_in(work.options.headers, "content-type")
      local signed = signed_type(work, path)
      own = (signed or name) and { ["Content-Type"] = signed or work.options.headers[name] } or nil
    end
    local options = options_for(work, access, headers_with_type(own, content_type))
    return send(work, access.verb, access.url, options, body, { headers = access.headers, authorized = access.authorized })
  end)
end

-- The method of a path that takes the bytes itself.
local function check_method(method)
  local ok, upper = pcall(internal.method, method)
  if ok and VERBS.upload[upper] == true then return upper end
  internal.raise("method must be \"PUT\", \"POST\" or \"PATCH\"")
end

---Sends a file, or a string, to where it is to be stored.
---@param client uipath.Client
---@param target string|table an access object, or a path
---@param body string|table a string or uipath.file
---@param options? uipath.UploadOptions
---@return true? done
---@return uipath.Response|uipath.Error response
function files.upload(client, target, body, options)
  local work = new_work(client, options, "upload")
  if type(target) ~= "string" and type(target) ~= "table" then
    internal.raise("the target must be a path or an access object, got " .. type(target))
  end
  local content_type, problem = attempt(internal.check_upload, body)
  content_type = content_type or DEFAULT_TYPE
  local value, response
  if type(target) == "table" then
    if work.method ~= nil then internal.raise("method is for a path: an access object has its own verb") end
    check_access_options(work, target)
  elseif work.method ~= nil then
    work.method = check_method(work.method)
  end
  if problem then return failure("file", problem) end
  if type(target) == "table" then
    value, response = put(work, target, nil, body, content_type)
  elseif work.method then
    local changed = copy_of(work.options)
    changed.headers = headers_with_type(changed.headers, content_type)
    value, response = send(work, work.method, target, changed, body, {})
  else
    local object, err = ask_for_access(work, target)
    if not object then return nil, err end
    value, response = put(work, object, target, body, content_type)
  end
  if value == nil then return nil, response end
  return true, response
end

return files

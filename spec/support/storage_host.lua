-- The storage host of spec/support/storage.lua, inside nginx: what a request is to meet stands in its own address.

local cjson = require "cjson"

local host = {}

local BLOCK = 65521 -- a prime: no piece that is cut or repeated by mistake fits
local PIECE = 2 ^ 18

-- What was asked for, by the key in the path.
local seen = {}
-- How often, by key and signature.
local uses = {}

-- The bytes of version 1, 2, … of every file, over and over. The spec makes the same.
local blocks = {}
function host.block(version)
  if not blocks[version] then
    local bytes, state = {}, version * 7919
    for i = 1, BLOCK do
      state = state * 16807 % 2147483647
      bytes[i] = string.char(math.floor(state / 256) % 256)
    end
    blocks[version] = table.concat(bytes)
  end
  return blocks[version]
end

-- The bytes from `first` on, counted from 0, up to and without `last`.
function host.content(version, first, last)
  local block = host.block(version)
  local start = first % BLOCK
  local times = math.ceil((start + last - first) / BLOCK)
  return block:rep(times):sub(start + 1, start + last - first)
end

local function numbers(text)
  local list = {}
  for number in (text or ""):gmatch "%d+" do list[#list + 1] = tonumber(number) end
  return list
end

local function log(key)
  local requests = seen[key] or {}
  seen[key] = requests
  local request = { method = ngx.req.get_method(), uri = ngx.var.request_uri, headers = ngx.req.get_headers(0) }
  requests[#requests + 1] = request
  return request, #requests
end

-- Writes an answer by hand and ends the connection.
local function answer(status, headers, write)
  local socket = assert(ngx.req.socket(true))
  socket:settimeout(60000)
  local lines = { "HTTP/1.1 " .. status .. " X", "Connection: close", "Date: " .. ngx.http_time(ngx.time()) }
  for name, value in pairs(headers) do lines[#lines + 1] = name .. ": " .. value end
  socket:send(table.concat(lines, "\r\n") .. "\r\n\r\n")
  if type(write) == "string" then socket:send(write) else write(socket) end
  return ngx.exit(ngx.OK)
end

local function answer_xml(status, code, message)
  local body = ("\239\187\191<?xml version=\"1.0\" encoding=\"utf-8\"?><Error><Code>%s</Code><Message>%s\nRequestId:1</Message></Error>")
    :format(code, message)
  return answer(status, { ["Content-Type"] = "application/xml", ["Content-Length"] = #body }, body)
end

-- /blob/KEY?size=&cuts=&…: a file. The n-th request is cut where the n-th of the cuts says, a place in the file.
local function get(arguments, request, number)
  local size = tonumber(arguments.size)
  local changes = numbers(arguments.changes) -- from these requests on it is another version
  local version = 1
  for _, from in ipairs(changes) do if number >= from then version = version + 1 end end
  if arguments.sizes then size = numbers(arguments.sizes)[version] or size end
  local headers = { ["Content-Type"] = arguments.type or "application/octet-stream" }
  if arguments.encoding then headers["Content-Encoding"] = arguments.encoding end
  if arguments.etag == "strong" then headers.ETag = '"v' .. version .. '"' end
  if arguments.etag == "weak" then headers.ETag = 'W/"v' .. version .. '"' end
  if arguments.modified then headers["Last-Modified"] = ngx.http_time(1600000000 + version) end
  if arguments.modified == "now" then headers["Last-Modified"] = ngx.http_time(ngx.time()) end

  local first, status = 0, 200
  local range = ngx.var.http_range and tonumber(ngx.var.http_range:match "^bytes=(%d+)%-$")
  local condition = ngx.var.http_if_range
  local is_same = condition == nil or condition == headers.ETag or condition == headers["Last-Modified"]
  if arguments.lies then is_same = true end -- it does not look at If-Range
  if range and arguments.ranges ~= "no" and is_same then
    if range >= size then
      return answer(416, { ["Content-Range"] = "bytes */" .. size, ["Content-Length"] = 0 }, "")
    end
    first, status = range, 206
    if arguments.ranges == "early" then first = math.max(0, first - 10) end
    headers["Content-Range"] = ("bytes %d-%d/%d"):format(first, size - 1, size)
    if arguments.ranges == "silent" then headers["Content-Range"] = nil end
  end
  if not arguments.chunked then headers["Content-Length"] = size - first end
  if arguments.chunked then headers["Transfer-Encoding"] = "chunked" end
  local last = math.min(numbers(arguments.cuts)[number] or size, size)
  request.first, request.status = first, status
  return answer(status, headers, function(socket)
    local at = first
    if arguments.pause then ngx.sleep(tonumber(arguments.pause)) end
    while at < last do
      local next_at = math.min(at + PIECE, last)
      local bytes = host.content(version, at, next_at)
      if arguments.chunked then bytes = ("%x\r\n%s\r\n"):format(#bytes, bytes) end
      if not socket:send(bytes) then break end
      at = next_at
    end
    request.sent = at - first
    if arguments.chunked and last == size and not numbers(arguments.unended)[number] then socket:send "0\r\n\r\n" end
    if arguments.stalls and number == 1 then
      socket:settimeout(60000)
      socket:receive(1)
    end
  end)
end

-- Reads the body as it comes; a short one is kept.
local function put(arguments, request)
  local socket = assert(ngx.req.socket(true))
  socket:settimeout(60000)
  local left, kept = tonumber(ngx.var.http_content_length) or 0, {}
  request.length = left
  if tonumber(arguments.reads) then left = tonumber(arguments.reads) end -- then it breaks
  while left > 0 do
    if arguments.slow then ngx.sleep(0.05) end
    local bytes = socket:receive(math.min(left, PIECE))
    if not bytes then break end
    left = left - #bytes
    if request.length <= 2 ^ 20 then kept[#kept + 1] = bytes end
    request.received = (request.received or 0) + #bytes
  end
  request.md5 = request.length <= 2 ^ 20 and ngx.md5(table.concat(kept)) or nil
  if arguments.reads then return ngx.exit(444) end
  socket:send "HTTP/1.1 201 Created\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"
  return ngx.exit(ngx.OK)
end

function host.blob()
  local key = ngx.var.uri:match "^/blob/([^/]+)"
  local request, number = log(key)
  local arguments = ngx.req.get_uri_args(0)
  local status = numbers(arguments.statuses)[number] -- the n-th request is answered so; 200: as it should be
  if arguments.needs and not ngx.req.get_headers()[arguments.needs] then status = 403 end
  -- Each signature serves so many times.
  local signature = tonumber((arguments.sig or ""):match "(%d+)$")
  if arguments.uses and signature then
    uses[key .. signature] = (uses[key .. signature] or 0) + 1
    if uses[key .. signature] > tonumber(arguments.uses) then status = 403 end
  end
  if status and status ~= 200 then
    if status == 302 then return answer(302, { Location = "/blob/" .. key .. "-elsewhere?size=5", ["Content-Length"] = 0 }, "") end
    return answer_xml(status, status == 403 and "AuthenticationFailed" or "ServerBusy", "Not now. Signature: " .. tostring(arguments.sig))
  end
  if request.method == "PUT" or request.method == "POST" then return put(arguments, request) end
  return get(arguments, request, number)
end

-- …/access/KEY?to=…: an access object as Orchestrator gives it; `to` is its address, to which a signature is added.
function host.access()
  local key = ngx.var.uri:match "/access/([^/]+)"
  local _, number = log(key)
  local arguments = ngx.req.get_uri_args(0)
  local keys, values = {}, {}
  for name, value in (arguments.headers or ""):gmatch "([^:;]+):([^;]*)" do keys[#keys + 1], values[#values + 1] = name, value end
  ngx.header["Content-Type"] = "application/json; charset=utf-8"
  ngx.print(cjson.encode {
    Uri = arguments.to .. "&sig=s1gnature-of-the-address-" .. number, Verb = arguments.verb or "GET",
    RequiresAuth = arguments.auth == "yes", Headers = { Keys = keys, Values = values },
  })
end

-- …/json/KEY?text=: this JSON, or what `type` says.
function host.json()
  ngx.header["Content-Type"] = ngx.req.get_uri_args(0).type or "application/json"
  ngx.print(ngx.req.get_uri_args(0).text)
end

-- …/take/KEY: a path that takes the bytes itself.
function host.take()
  local request = log(ngx.var.uri:match "/take/([^/]+)")
  return put({}, request)
end

-- /log/KEY: what was asked for with this key.
function host.show()
  ngx.print(cjson.encode(seen[ngx.var.uri:match "^/log/(.+)$"] or {}))
end

return host

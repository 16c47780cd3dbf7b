--- What can go wrong between a client and the service, one entry of `faults` each, addressed as
---
---     {fault_url}/{organization}/{tenant}/orchestrator_/fault/NAME/PARAMETER/…
---
--- (any path with `/fault/` in it will do, `odata/fault/…` for instance). No token is asked for.
--- An entry gets the parameters as strings and returns status, body and headers, or nothing when it
--- has dealt with the connection itself. A parameter more than an entry takes is ignored: it may
--- keep the paths of two tests apart.

local control = require("uipath.sandbox.control")
local json = require("uipath.sandbox.json")
local paging = require("uipath.sandbox.paging")
local problem = require("uipath.sandbox.problem")
local wire = require("uipath.sandbox.wire")

local faults = {}

--- What is remembered from one request to the next, by the fault's name and the key in the path.
local seen = {}

--- Forgets the keys.
local function forget()
  seen = {}
  paging.forget()
end

--- How many requests with a key there have been, this one included.
local function count(key)
  seen[key] = (seen[key] or 0) + 1
  return seen[key]
end

local OK = '{"value":[{"Id":1,"Name":"one"},{"Id":2,"Name":"two"}]}'

--- The last header of a reply written by hand, and the empty line.
local function length(bytes)
  return "Content-Length: " .. bytes .. "\r\n\r\n"
end

--- `Retry-After` from a parameter: "date:SECONDS" as an HTTP date, anything else as it stands.
local function retry_after(text)
  if not text then return nil end
  local seconds = text:match("^date:(%-?%d+)$")
  return { ["Retry-After"] = seconds and ngx.http_time(ngx.time() + seconds) or text }
end

local function find(name)
  return faults[name] or problem.raise(404, "no such fault\n")
end

-- Replies with nothing wrong, to compare with ----------------------------------------------------

-- ok: two rows.
function faults.ok() return 200, OK end

-- echo: what arrived: method, uri, headers, body.
function faults.echo()
  ngx.req.read_body()
  return 200, json.encode {
    method = ngx.req.get_method(), uri = ngx.var.request_uri, headers = ngx.req.get_headers(0),
    body = ngx.req.get_body_data() or "", protocol = ngx.var.server_protocol,
  }
end

-- first/N/KEY/NAME/…: the fault NAME for the first N requests with this KEY, then the number of
-- the request: {"attempt":N+1}.
function faults.first(limit, key, name, ...)
  local attempt = count("first/" .. key)
  if attempt <= tonumber(limit) then return find(name)(...) end
  return 200, '{"attempt":' .. attempt .. "}"
end

-- slow/SECONDS: two rows, late.
function faults.slow(seconds)
  ngx.sleep(tonumber(seconds))
  return 200, OK
end

-- no_content: 204.
function faults.no_content() return 204, "" end

-- empty: 200 without a body.
function faults.empty() return 200, "" end

-- scalar/JSON: a bare JSON value, as it stands in the path: scalar/17, scalar/null, scalar/"a".
function faults.scalar(value)
  return 200, value, { ["Content-Type"] = "application/json; charset=utf-8" }
end

-- text: text/plain.
function faults.text() return 200, "plain text\n", { ["Content-Type"] = "text/plain" } end

-- bytes/COUNT: so many bytes of application/octet-stream, 0 to 255 over and over.
function faults.bytes(size)
  local octets = {}
  for octet = 0, 255 do octets[octet + 1] = string.char(octet) end
  local block = table.concat(octets)
  size = tonumber(size)
  return 200, block:rep(math.ceil(size / 256)):sub(1, size),
    { ["Content-Type"] = "application/octet-stream" }
end

-- rows/COUNT: so many rows, whatever was asked for.
function faults.rows(limit)
  local parts = {}
  for id = 1, tonumber(limit) do parts[id] = '{"Id":' .. id .. ',"Name":"row ' .. id .. '"}' end
  return 200, '{"value":[' .. table.concat(parts, ",") .. "]}"
end

-- informational: 103 before the 200.
function faults.informational()
  return wire.close("HTTP/1.1 103 Early Hints\r\nLink: </a>; rel=preload\r\n\r\n",
    wire.head(length(#OK)), OK)
end

-- Broken connections ----------------------------------------------------------------------------

-- reset: before the first byte of the reply.
function faults.reset() return wire.reset() end

-- reset_in_headers: after the status line and half a header.
function faults.reset_in_headers() return wire.reset(wire.head("Content-Le")) end

-- reset_in_body: after half of the body.
function faults.reset_in_body()
  return wire.reset(wire.head(length(#OK)), OK:sub(1, 20))
end

-- close: the end of file instead of a reply.
function faults.close() return wire.close() end

-- close_in_headers: the end of file after the status line and half a header.
function faults.close_in_headers() return wire.close(wire.head("Content-Le")) end

-- truncated: the end of file before Content-Length is reached.
function faults.truncated()
  return wire.close(wire.head(length(#OK)), OK:sub(1, 20))
end

-- truncated_chunked: the end of file before the last chunk.
function faults.truncated_chunked()
  return wire.close(wire.head("Transfer-Encoding: chunked\r\n\r\n"),
    ("%x\r\n%s\r\n"):format(#OK, OK))
end

-- close_reused: the first request on a connection is answered; when a second one has arrived on it,
-- the connection is ended without an answer.
function faults.close_reused()
  return wire.close_reused(OK, control.tally)
end

-- stale: a reply that promises to keep the connection, which is ended at once.
function faults.stale()
  return wire.close(wire.head("Connection: keep-alive\r\n" .. length(#OK)), OK)
end

-- Waiting ---------------------------------------------------------------------------------------

-- stall: no byte until the client gives up.
function faults.stall() return wire.stall() end

-- stall_in_headers: no more after half a header.
function faults.stall_in_headers() return wire.stall(wire.head("Content-Le")) end

-- stall_in_body: no more after half of the body.
function faults.stall_in_body()
  return wire.stall(wire.head(length(#OK)), OK:sub(1, 20))
end

-- trickle/SECONDS: one byte of an endless body every so many seconds.
function faults.trickle(seconds)
  return wire.repeat_forever(wire.head("\r\n") .. "[", " ", tonumber(seconds))
end

-- Bodies that do not end well -------------------------------------------------------------------

-- endless: a JSON array without end, without Content-Length.
function faults.endless()
  return wire.repeat_forever(wire.head("\r\n") .. "[0", (",0"):rep(8192))
end

-- endless_headers: headers without end.
function faults.endless_headers()
  return wire.repeat_forever(wire.head(), "X-Filler: " .. ("x"):rep(1000) .. "\r\n")
end

-- gzip_bomb: 4 GiB of spaces, a thousandth of that on the wire.
function faults.gzip_bomb()
  ngx.header["Content-Type"] = "application/json"
  local mebibyte = (" "):rep(2 ^ 20)
  for _ = 1, 4096 do
    -- An error says that the client has hung up.
    if not ngx.print(mebibyte) or not ngx.flush(true) then break end
  end
end

-- gzip_broken: Content-Encoding says gzip, the bytes are none.
function faults.gzip_broken()
  return wire.close(wire.head("Content-Encoding: gzip\r\n" .. length(#OK)), OK)
end

-- long_length: Content-Length is more than is sent, and the connection stays open.
function faults.long_length()
  return wire.stall(wire.head(length(#OK + 10)), OK)
end

-- short_length: Content-Length is less than is sent.
function faults.short_length()
  return wire.close(wire.head(length(#OK - 10)), OK)
end

-- bad_length: Content-Length is no number.
function faults.bad_length() return wire.close(wire.head(length "many"), OK) end

-- bad_chunk: the size of a chunk is no number.
function faults.bad_chunk()
  return wire.close(wire.head("Transfer-Encoding: chunked\r\n\r\n"), "many\r\n" .. OK)
end

-- not_http: something else altogether.
function faults.not_http() return wire.close("220 mail.example.com ESMTP ready\r\n") end

-- Bodies that are not what they should be ---------------------------------------------------------

-- invalid_json: application/json that is not JSON.
function faults.invalid_json() return 200, '{"value":[{"Id":1},\n  {"Id":}]}' end

-- cut_json: JSON cut in the middle, in a reply that is whole.
function faults.cut_json() return 200, OK:sub(1, 20) end

-- invalid_utf8: JSON whose string is Latin-1.
function faults.invalid_utf8() return 200, '{"Name":"M\252ller"}' end

-- deep/LEVELS: arrays within arrays.
function faults.deep(levels) return 200, ("["):rep(levels) .. ("]"):rep(levels) end

-- integers: at and beyond the limits of int64 and of doubles.
function faults.integers()
  return 200, '{"max":9223372036854775807,"min":-9223372036854775808,"beyond":9223372036854775808,'
    .. '"odd":9007199254740993,"half":0.5,"zero":-0,"big":1e300}'
end

-- html: a sign-in page with status 200.
function faults.html()
  return 200, "<!DOCTYPE html><html><head><title>Sign in</title></head><body></body></html>",
    { ["Content-Type"] = "text/html; charset=utf-8" }
end

-- html_as_json: the same page, called JSON.
function faults.html_as_json()
  local _, page = faults.html()
  return 200, page, { ["Content-Type"] = "application/json" }
end

-- Statuses --------------------------------------------------------------------------------------

-- status/STATUS[/RETRY_AFTER]: any status with Orchestrator's error body. RETRY_AFTER is a number
-- of seconds, date:SECONDS for the HTTP date so far from now, or any text.
function faults.status(status, after)
  status = tonumber(status)
  if status == 401 then problem.unauthenticated("invalid_token") end
  if status == 403 then problem.forbidden() end
  return status, json.object({ "message", "Status " .. status .. " was asked for.",
    "errorCode", status == 404 and 1002 or 1000, "traceId", problem.trace_id() }, 3),
    retry_after(after)
end

-- gateway/STATUS[/RETRY_AFTER]: any status with the HTML page of a gateway.
function faults.gateway(status, after)
  local headers = retry_after(after) or {}
  headers["Content-Type"] = "text/html"
  return tonumber(status), "<html><head><title>" .. status .. "</title></head>"
    .. "<body><center><h1>" .. status .. " Bad Gateway</h1></center></body></html>", headers
end

-- refused_token/KEY: 401 for the token of the first request with this KEY, whenever it comes again;
-- two rows for any other token.
function faults.refused_token(key)
  local authorization = ngx.var.http_authorization or ""
  key = "refused_token/" .. key
  seen[key] = seen[key] or authorization
  if seen[key] == authorization then problem.unauthenticated("invalid_token") end
  return 200, OK
end

-- quota/LIMIT/SECONDS/KEY: so many requests in so many seconds, told by RateLimit-*; then 429.
function faults.quota(limit, seconds, key)
  limit, seconds, key = tonumber(limit), tonumber(seconds), "quota/" .. key
  local window = seen[key]
  if not window or ngx.now() >= window.ends_at then
    window = { used = 0, ends_at = ngx.now() + seconds }
    seen[key] = window
  end
  window.used = window.used + 1
  local reset = math.max(1, math.ceil(window.ends_at - ngx.now()))
  local headers = {
    ["RateLimit-Limit"] = limit, ["RateLimit-Remaining"] = math.max(0, limit - window.used),
    ["RateLimit-Reset"] = reset, ["RateLimit-Policy"] = limit .. ";w=" .. seconds,
  }
  if window.used <= limit then return 200, OK, headers end
  headers["Retry-After"] = reset
  return 429, '{"message":"Too many requests.","errorCode":0}', headers
end

-- redirect/STATUS/WHERE: `same`: another path here; `relative`: the same without a host; `other`:
-- another host (localhost, which the fault port serves, too); `loop`: itself; `nowhere`: no
-- Location.
function faults.redirect(status, where)
  local port = ngx.var.server_port
  local target = ({
    same = "http://127.0.0.1:" .. port .. "/landed/fault/echo", relative = "/landed/fault/echo",
    other = "http://localhost:" .. port .. "/landed/fault/echo", loop = ngx.var.request_uri,
  })[where]
  return tonumber(status), "", target and { Location = target }
end

-- error/SHAPE: the bodies in which the services report errors; the names are in `shapes` below.
local shapes = {
  -- Orchestrator
  orchestrator = { 400, '{"message":"Folder does not exist or the user does not have access to the '
    .. 'folder.","errorCode":1100,'
    .. '"traceId":"00-f9ec7b24b1a9de1ab2a6c8c8c8f77a00-c7f87a1122334455-00"}' },
  folder_required = { 400, '{"message":"A folder is required for this action","errorCode":1101,'
    .. '"traceId":"00-f9ec7b24b1a9de1ab2a6c8c8c8f77a01-c7f87a1122334455-00"}' },
  conflict = { 409, '{"message":"Package already exists.","errorCode":1004}' },
  -- Orchestrator's ABP envelope, 403 and 401
  forbidden = { function() problem.forbidden() end },
  unauthenticated = { function() problem.unauthenticated() end },
  -- Identity, portal
  identity_scope = { 403, '{"errorMessage":"Scope(s) \'OR.Folders.Read,PM.Group.Read\' is(are) '
    .. "invalid. Expect to have 'PM.RobotAccount' or 'PM.RobotAccount.Read'. \"}" },
  identity_oauth = { 403, '{"errorMessage":"OAuth authorization failed. '
    .. "'IdentityServerApi' scope not found.\"}" },
  validation = { 400, '{"errors":{"entityType":["The value \'x\' is not valid."]},'
    .. '"type":"https://tools.ietf.org/html/rfc9110#section-15.5.1",'
    .. '"title":"One or more validation errors occurred.","status":400,'
    .. '"traceId":"00-0123456789abcdef0123456789abcdef-0123456789abcdef-00"}' },
  pascal_case = { 404, '{"StatusCode":404,"StatusDescription":"NotFound",'
    .. '"Message":"Cannot resolve users=[..]","Description":""}' },
  partition = { 400, '{"errorMessage":"InvalidPartition"}' },
  -- A success that is none
  bulk = { 200, '{"result":{"succeeded":false,"errors":[{"code":"DuplicateUserName",'
    .. '"description":"User name \'a\' is already taken."}]},"users":[]}' },
  multi_status = { 207, '{"value":[{"Key":"A:1.0.0","Status":"OK","Body":null},'
    .. '{"Key":"B:1.0.0","Status":"Conflict","Body":"Package already exists."}]}' },
  -- Maestro, Data Fabric, Test Manager
  maestro = { 400, '{"type":"about:blank","title":"The instance is not running.","status":400,'
    .. '"traceId":"00-0123456789abcdef0123456789abcdef-0123456789abcdef-00"}' },
  data_fabric = { 400, '{"error":"Entity not found","traceId":"0HMV:00000001"}' },
  wrong_url = { 405, '{"error":{"code":"UnsupportedApiVersion","message":"The HTTP resource that '
    .. 'matches the request URI does not support HTTP method \'POST\'.","innerError":null}}' },
  -- Storage behind signed links; gateways
  storage = { 403, '<?xml version="1.0" encoding="utf-8"?><Error><Code>AuthenticationFailed</Code>'
    .. "<Message>Server failed to authenticate the request.</Message></Error>", "application/xml" },
  html = { 404, "<html><head><title>404 Not Found</title></head></html>", "text/html" },
  text = { 400, "Bad Request", "text/plain" },
  empty = { 500, "" },
}
function faults.error(name)
  local shape = shapes[name] or problem.raise(404, "no such shape\n")
  if type(shape[1]) == "function" then return shape[1]() end
  return shape[1], shape[2], shape[3] and { ["Content-Type"] = shape[3] }
end

-- paging/…: sets that are hard to walk; see paging.lua.
faults.paging = paging.serve

-------------------------------------------------------------------------------------------------

--- Serves the fault that a path names: what comes after `/fault/`.
---@param path string
---@return integer|nil status
---@return string|nil body
---@return table<string, any>|nil headers
local function serve(path)
  local words = {}
  for word in path:gmatch("[^/]+") do words[#words + 1] = word end
  return find(words[1])(unpack(words, 2))
end

return { entries = faults, serve = serve, count = count, forget = forget }

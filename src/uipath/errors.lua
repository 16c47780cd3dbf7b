-- Error objects: what a failed call says. Loaded with the first error.

local gateway = require "uipath.gateway"
local internal = require "uipath.internal"
local redaction = require "uipath.redaction"
local words = require "uipath.words"

local errors = {}

local phrases = {
  [304] = "not modified", [400] = "bad request", [401] = "unauthorized", [403] = "forbidden", [404] = "not found",
    [405] = "method not allowed", [407] = "proxy authentication required",
  [408] = "request timeout", [409] = "conflict", [410] = "gone", [413] = "content too large", [415] = "unsupported media type",
  [422] = "unprocessable content", [429] = "too many requests", [500] = "internal server error", [501] = "not implemented",
  [502] = "bad gateway", [503] = "service unavailable", [504] = "gateway timeout",
}

-- ---------------------------------------------------------------------------
-- Hints
-- ---------------------------------------------------------------------------

local function redirect_hint(err)
  if err.status == 304 then return "the resource is as it was: If-None-Match or If-Modified-Since was sent" end
  local location = err.headers and err.headers.location
  if not location then return "the server does not say where to" end
  local origin = (err.url or ""):match("^%a+://[^/]*")
  local place = location:sub(1, 500):match("^[^?#]*")
  if location:find("^%a[%w+.-]*:") and location:match("^%a+://[^/]*") ~= origin then
    return "the server points to " .. place .. ": check base_url, organization and tenant; no token goes to another host"
  end
  if err.method == "GET" or err.method == "HEAD" then return "the redirects go on and on, last to " .. place end
  return "only GET and HEAD are redirected: the place for this call is " .. place
end

local function hint_of(err, value, scope, folder)
  if err.kind == "redirect" then return redirect_hint(err) end
  -- Where a service says that one thing of a list is not there, there is nothing wrong with the path.
  if err.status == 404 and not (err.code and (err.url or ""):find "%(.*%)") then
    local found, hints = pcall(require, "uipath.hints")
    local hint = found and hints.not_found(err)
    if hint then return hint end
  end
  local foreign = gateway.hint(err)
  if foreign then return foreign end
  if err.status == 403 or err.code == 1100 or err.code == 1101 then
    -- Where its files are out of reach, as after a change of root, the error goes without.
    local found, hints = pcall(require, "uipath.hints")
    if not found then return nil end
    return err.status == 403 and hints.forbidden(err, value, scope) or hints.folder(folder)
  end
  if err.code == 1000 and err.status == 400 then
    return "the service does not understand the query options: check the names in filter, select, expand and orderby"
  end
  local allowed = err.status == 405 and err.headers and err.headers.allow
  if allowed and allowed:find "%a" then return "this path takes " .. allowed:sub(1, 100) end
  if err.status == 404 and err.body == nil then return "no such path, or no such tenant: case counts" end
end

-- ---------------------------------------------------------------------------
-- Errors
-- ---------------------------------------------------------------------------

---Fills in what the fields and the body tell. A message is there already unless the status is what came.
function errors.complete(fields)
  local value, scope, secret, folder, refused = fields._token, fields._scope, fields._secret, fields._folder, fields._refused
  local query = fields._query
  fields._token, fields._scope, fields._secret, fields._folder, fields._refused = nil, nil, nil, nil, nil
  fields._query = nil
  redaction.apply(fields, { value, secret }, query) -- first: what is cut later must not show a part of a secret
  local body, headers = fields.body, fields.headers
  if fields.status and fields.kind ~= "decode" then
    if refused then
      fields.message = words.of_failed(refused, body)
    elseif not fields.message or fields.kind == "auth" then
      fields.message = words.message_of(body, headers) or fields.message
    end
    fields.code = fields.code or words.code_of(body, headers, refused)
    fields.trace_id = words.trace_id_of(body, headers)
  end
  if fields.kind == "auth" and not fields.token_url then
    local bearer = words.bearer(headers)
    if bearer and bearer.scope and bearer.scope:find "%S" then
      fields.hint = ("needs %s; %s"):format((bearer.scope:gsub("%s+", " and ")), fields.hint or "")
    else
      fields.hint = gateway.hint(fields) or fields.hint
    end
  end
  fields.hint = fields.hint or hint_of(fields, value, scope, folder)
  if fields.kind == "redirect" and fields.status ~= 304 then fields.message = fields.message or "the server redirects the call" end
  fields.message = fields.message or phrases[fields.status] or (fields.status and "status " .. fields.status) or fields.kind
  return fields
end

-- ---------------------------------------------------------------------------
-- As text
-- ---------------------------------------------------------------------------

-- The part of the URL that tells calls apart: without host, organization and tenant, and without the query, which may hold anything.
local function short_url(url)
  local path = url:match("^%a+://[^/]*(/[^?#]*)") or "/"
  local inside = path:match("/orchestrator_(/.*)$") or path:match("(/[%w]+_/.*)$")
  return "…" .. (inside or path)
end

local function one_line(words_of_any_kind, most)
  return internal.one_line(tostring(words_of_any_kind), most)
end

-- Of tostring(err); and of its parts, so that there is room for each.
local LONGEST, LONGEST_PART, LONGEST_HINT = internal.longest_error, 300, 700

local function to_string(err)
  local parts = {}
  if err.where then parts[#parts + 1] = one_line(err.where, LONGEST_PART) end
  if err.method and err.url then parts[#parts + 1] = one_line(err.method .. " " .. short_url(err.url:sub(1, LONGEST)), LONGEST_PART) end
  local phrase = err.status and phrases[err.status] or err.kind or "error"
  local label = err.status and ("%d %s"):format(err.status, phrase) or phrase
  local hint = err.hint and " — " .. one_line(err.hint, LONGEST_HINT) or ""
  if err.token_url then parts[#parts + 1] = "fetching a token from " .. one_line(err.token_url, LONGEST_PART) end
  parts[#parts + 1] = label
  local line = table.concat(parts, ": ")
  local message = err.message and one_line(err.message, LONGEST - #line - #hint - 2)
  if err.token_url then message = message and message:gsub("^fetching a token: ", "") end
  -- Many a service's own words are the status's, or none.
  local said = message and message:lower():gsub("%p$", "")
  if message and said ~= label and said ~= phrase then line = line .. ": " .. message end
  return line .. hint
end

errors.metamethods = {
  __name = "uipath.error",
  __tostring = to_string,
  __concat = function(one, other) return tostring(one) .. tostring(other) end,
}

return errors

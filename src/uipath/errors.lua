-- Error objects: what a failed call says. Loaded with the first error.

local errors = {}

local kinds = {
  [403] = "forbidden", [404] = "not_found", [408] = "timeout", [409] = "conflict", [429] = "rate_limit",
}

local phrases = {
  [400] = "bad request", [401] = "unauthorized", [403] = "forbidden", [404] = "not found", [405] = "method not allowed",
  [408] = "request timeout", [409] = "conflict", [410] = "gone", [413] = "content too large", [415] = "unsupported media type",
  [422] = "unprocessable content", [429] = "too many requests", [500] = "internal server error", [501] = "not implemented",
  [502] = "bad gateway", [503] = "service unavailable", [504] = "gateway timeout",
}

local function kind_of(status)
  if kinds[status] then return kinds[status] end
  if status >= 300 and status < 400 then return "redirect" end
  return status < 500 and "request" or "server"
end

-- ---------------------------------------------------------------------------
-- What a body says. Services answer errors in a dozen shapes; a field of any of them is looked for by its names.
-- ---------------------------------------------------------------------------

local function text(value)
  if type(value) == "string" and value:find("%S") then return value end
end

-- ASP.NET's { errors = { field = { "message", … } } }, in the order of the fields' names; or bulk operations' list of
-- { code = …, description = … }.
local function validation_text(found)
  if type(found) ~= "table" then return nil end
  local lines = {}
  for field, messages in pairs(found) do
    local is_list = type(messages) == "table" and messages[1] ~= nil
    local words = {}
    for _, message in ipairs(is_list and messages or { messages }) do
      if type(message) == "table" then message = text(message.description) or text(message.message) or text(message.code) end
      words[#words + 1] = text(message)
    end
    if #words > 0 then
      lines[#lines + 1] = (type(field) == "string" and field .. ": " or "") .. table.concat(words, " ")
    end
  end
  table.sort(lines)
  return #lines > 0 and table.concat(lines, "; ") or nil
end

---The server's own words.
---@param body any the decoded body
---@return string?
function errors.message_of(body)
  if type(body) == "string" then
    -- Storage services answer in XML.
    return text(body:match("<Message>(.-)</Message>")) or text(body:match("<[Tt][Ii][Tt][Ll][Ee][^>]*>(.-)</[Tt][Ii][Tt][Ll][Ee]>"))
      or (not body:find("^%s*<") and #body <= 500 and text(body) or nil)
  end
  if type(body) ~= "table" then return nil end
  local inner = type(body.error) == "table" and body.error or {}
  local validation = validation_text(body.errors)
  return text(body.message) or text(body.Message) or text(body.errorMessage) or text(body.error_description)
    or text(inner.message) or (validation and (text(body.title) or "validation failed") .. " " .. validation)
    or text(body.detail) or text(body.title) or text(body.error) or text(body.StatusDescription)
end

---UiPath's errorCode, OAuth's error, or the like. Orchestrator's 0 means none.
---@param body any
---@return string|number|nil
function errors.code_of(body)
  if type(body) == "string" then return text(body:match("<Code>(.-)</Code>")) end
  if type(body) ~= "table" then return nil end
  local inner = type(body.error) == "table" and body.error or {}
  local result = type(body.result) == "table" and body.result or {}
  local first = type(result.errors) == "table" and type(result.errors[1]) == "table" and result.errors[1] or {}
  for _, code in ipairs { body.errorCode or false, body.code or false, inner.code or false, first.code or false } do
    if (type(code) == "number" and code ~= 0) or text(code) then return code end
  end
  if text(body.error) and body.error_description then return body.error end
  if text(body.error) and body.error:find("^[%l_]+$") then return body.error end
end

---@param body any
---@param headers? table
---@return string?
function errors.trace_id_of(body, headers)
  if type(body) == "table" then
    local found = text(body.traceId) or text(body.TraceId) or text(body.requestId)
    if found then return found end
  elseif type(body) == "string" then
    local found = text(body:match("<RequestId>(.-)</RequestId>"))
    if found then return found end
  end
  if headers then return headers["x-uipath-traceparent-id"] or headers["x-request-id"] or headers["traceparent"] end
end

-- The failures that a 2xx tells of: bulk operations and uploads answer so.
local function failure_of(body)
  local result = body.result
  if type(result) == "table" and result.succeeded == false then
    return validation_text(result.errors) or "the operation did not succeed"
  end
  if type(body.value) ~= "table" then return nil end
  local failed = {}
  for _, item in ipairs(body.value) do
    local status = type(item) == "table" and (tonumber(item.Status) or item.Status)
    if status == "Conflict" or status == "Failed" or (type(status) == "number" and status >= 400) then
      failed[#failed + 1] = ("%s: %s"):format(tostring(item.Key or "?"), tostring(item.Body or status))
    end
  end
  return #failed > 0 and table.concat(failed, "; ") or nil
end

-- ---------------------------------------------------------------------------
-- Hints
-- ---------------------------------------------------------------------------

local function redirect_hint(err)
  local location = err.headers and err.headers.location
  if not location then return "the server does not say where to" end
  local origin = (err.url or ""):match("^%a+://[^/]*")
  local place = location:match("^[^?#]*")
  if location:find("^%a[%w+.-]*:") and location:match("^%a+://[^/]*") ~= origin then
    return "the server points to " .. place .. ": check base_url, organization and tenant; no token goes to another host"
  end
  if err.method == "GET" or err.method == "HEAD" then return "the redirects go on and on, last to " .. place end
  return "only GET and HEAD are redirected: the place for this call is " .. place
end

local function hint_of(err, value, scope, folder)
  if err.status == 403 or err.code == 1100 or err.code == 1101 then
    -- Where its files are out of reach, as after a change of root, the error goes without.
    local found, hints = pcall(require, "uipath.hints")
    if not found then return nil end
    return err.status == 403 and hints.forbidden(err, value, scope) or hints.folder(folder)
  end
  if err.code == 1000 and err.status == 400 then
    return "the service does not understand the query options: check the names in filter, select, expand and orderby"
  end
  if err.kind == "redirect" then return redirect_hint(err) end
  if type(err.body) == "string" and err.body:find("^%s*<!?[%a]") and err.status == 404 then
    return "check base_url, organization and tenant"
  end
  if err.status == 404 and err.body == nil then return "no such path, or no such tenant: case counts" end
end

-- ---------------------------------------------------------------------------
-- Errors
-- ---------------------------------------------------------------------------

-- Replaces the secrets in every string of the value; tables are changed in place.
local function redact(value, secrets, seen)
  if type(value) == "string" then
    for _, secret in ipairs(secrets) do
      local from, to = value:find(secret, 1, true)
      while from do
        value = value:sub(1, from - 1) .. "***" .. value:sub(to + 1)
        from, to = value:find(secret, from + 3, true)
      end
    end
  elseif type(value) == "table" and not seen[value] then
    seen[value] = true
    for key, each in pairs(value) do
      local kind = type(each)
      if kind == "string" or kind == "table" then value[key] = redact(each, secrets, seen) end
    end
  end
  return value
end

local SHORTEST_SIGNATURE = 16

-- The values in the query of an access object's address that may be its signature: a storage quotes it when it refuses one.
local function secrets_of(query)
  local secrets = {}
  for value in (query or ""):gmatch "=([^&]+)" do
    if #value >= SHORTEST_SIGNATURE then
      secrets[#secrets + 1] = value
      secrets[#secrets + 1] = (value:gsub("%%(%x%x)", function(digits) return string.char(tonumber(digits, 16)) end))
    end
  end
  if query and #query >= SHORTEST_SIGNATURE then secrets[#secrets + 1] = query end
  return secrets
end

-- Fills in what the fields and the body tell. `kind` is there already unless the status decides.
local function complete(fields)
  local value, scope, secret, folder = fields._token, fields._scope, fields._secret, fields._folder
  local secrets = secrets_of(fields._query)
  fields._token, fields._scope, fields._secret, fields._folder, fields._query = nil, nil, nil, nil, nil
  local body = fields.body
  if fields.status and fields.kind ~= "decode" then
    local told = errors.message_of(body)
    if fields.kind == nil or fields.kind == "auth" then fields.message = told or fields.message end
    fields.code = fields.code or errors.code_of(body)
    fields.trace_id = errors.trace_id_of(body, fields.headers)
  end
  fields.kind = fields.kind or kind_of(fields.status)
  fields.hint = fields.hint or hint_of(fields, value, scope, folder)
  if fields.kind == "redirect" then fields.message = fields.message or "the server redirects the call" end
  fields.message = fields.message or phrases[fields.status] or (fields.status and "status " .. fields.status) or fields.kind
  if value and #value >= 4 then secrets[#secrets + 1] = value end
  if secret and #secret >= 4 then secrets[#secrets + 1] = secret end
  if #secrets > 0 then redact(fields, secrets, {}) end
  return fields
end

errors.complete = complete

---For a 2xx: the error if its body tells of failures, else nil.
function errors.complete_if_failed(fields)
  local failure = failure_of(fields.body)
  if not failure then return nil end
  fields.kind, fields.message = "failed", failure
  return complete(fields)
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

local function one_line(message)
  return (tostring(message):gsub("[%c%s]+", " "):gsub("^ ", ""):gsub(" $", ""))
end

local function to_string(err)
  local parts = {}
  if err.where then parts[#parts + 1] = err.where end
  if err.method and err.url then parts[#parts + 1] = err.method .. " " .. short_url(err.url) end
  local phrase = err.status and phrases[err.status] or err.kind or "error"
  local label = err.status and ("%d %s"):format(err.status, phrase) or phrase
  local message = err.message and one_line(err.message)
  if err.token_url then
    parts[#parts + 1] = "fetching a token from " .. err.token_url
    message = message and message:gsub("^fetching a token: ", "")
  end
  parts[#parts + 1] = label
  -- Many a service's own words are the status's, or none.
  local words = message and message:lower():gsub("%p$", "")
  if message and words ~= label and words ~= phrase then parts[#parts + 1] = message end
  local line = table.concat(parts, ": ")
  return err.hint and line .. " — " .. one_line(err.hint) or line
end

errors.metamethods = {
  __name = "uipath.error",
  __tostring = to_string,
  __concat = function(one, other) return tostring(one) .. tostring(other) end,
}

return errors

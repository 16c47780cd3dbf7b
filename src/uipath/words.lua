-- What an answer says went wrong: words, code and trace id, out of the many forms in which services, frameworks, gateways and storages
-- say it. The texts are foreign: only their beginnings are looked at, and each pattern here goes through a text once.

local json = require "uipath".json
local unpack = table.unpack or unpack -- luacheck: ignore 113 143

local words = {}

-- Of a text that is no JSON; of one piece of the words; the pieces; how deep they are looked for.
local LONGEST_LOOK, LONGEST_PIECE, MOST_PIECES, DEEPEST = 4096, 2000, 10, 6

-- A text that says something: its beginning, if it is too long, up to a whole character.
local function text(value)
  if type(value) ~= "string" or not value:find "%S" then return nil end
  if #value <= LONGEST_PIECE then return value end
  local cut = LONGEST_PIECE
  while cut > 0 and value:byte(cut + 1) >= 0x80 and value:byte(cut + 1) < 0xC0 do cut = cut - 1 end
  return value:sub(1, cut) .. "…"
end

local function is_list(value)
  return type(value) == "table" and value[1] ~= nil
end

-- ---------------------------------------------------------------------------
-- Pieces. Services repeat themselves, and what they repeat is kept once.
-- ---------------------------------------------------------------------------

-- What frameworks add to every refusal of its kind, and what says no more than the status.
local STOCK = {
  ["You are not allowed to perform this operation."] = true,
  ["You should be authenticated (sign in) in order to perform this operation."] = true,
  ["See the inner exception for details."] = true, ["See inner exception for details."] = true,
}

local function trimmed(piece)
  return piece:match "^%s*(.*%S)" or ""
end

-- Adds a piece, unless one that is there already says it.
local function add(said, piece)
  piece = text(piece)
  if not piece or STOCK[trimmed(piece)] or #said >= MOST_PIECES then return end
  local core = trimmed(piece)
  for _, each in ipairs(said) do
    if each:find(core, 1, true) then return end
  end
  said[#said + 1] = piece
end

-- One text of all pieces: ": " leads from one to the next where no punctuation does.
local function joined(said)
  if #said <= 1 then return said[1] end
  local parts = {}
  for index, piece in ipairs(said) do
    piece = trimmed(piece)
    local last = index == #said
    parts[index] = piece .. (last and "" or piece:find "%p$" and " " or ": ")
  end
  return table.concat(parts)
end

-- ---------------------------------------------------------------------------
-- Decoded bodies
-- ---------------------------------------------------------------------------

-- The members whose text is the main thing, the best first; and those that say more of it, in their order.
local MAIN = {
  "message", "Message", "errorMessage", "ErrorMessage", "error_description", "errorDescription", "msg", "faultstring",
}
local LESS = { "title", "Title" }
local LEAST = { "description", "Description", "reason", "Reason", "StatusDescription", "code", "errorCode", "ErrorCode" }
local MORE = {
  "detail", "Detail", "details", "Details", "validationErrors", "ValidationErrors", "errors", "Errors", "ExceptionMessage",
  "exceptionMessage", "MessageDetail", "messageDetail", "ModelState", "modelState", "innererror", "innerError", "InnerError",
  "innerException", "InnerException", "internalexception", "messages", "Messages", "errorMessages", "ErrorMessages", "error", "Error",
    "odata.error", "fault", "Fault", "result",
}
-- Of these the members may be fields of the request, each with what is wrong with it.
local BY_FIELD = { errors = true, Errors = true, ModelState = true, modelState = true, validationErrors = true, details = true }

-- The field that an item of a list is about.
local function field_of(item)
  for _, name in ipairs { "target", "field", "propertyName", "PropertyName", "memberNames", "members", "loc" } do
    local field = item[name]
    if is_list(field) then
      local names = {}
      for index = 1, math.min(#field, 5) do names[index] = tostring(field[index]) end
      field = table.concat(names, name == "loc" and "." or ", ")
    end
    if type(field) == "string" and field:find "%S" and #field <= 200 then return field end
  end
end

-- Whether the piece has the name as a word.
local function mentions(piece, name)
  local from, to = piece:find(name, 1, true)
  while from do
    if (from == 1 or not piece:find("^%w", from - 1)) and not piece:find("^%w", to + 1) then return true end
    from, to = piece:find(name, to + 1, true)
  end
  return false
end

local function with_field(field, piece)
  if not field or mentions(piece:lower(), field:lower()) then return piece end
  return field .. ": " .. piece
end

-- The first of the members that says something; in OData's older form it is { lang =, value = }.
local function first_text(object, names)
  for _, name in ipairs(names) do
    local value = object[name]
    if is_list(value) then
      local parts = {}
      for index = 1, math.min(#value, MOST_PIECES) do parts[#parts + 1] = text(value[index]) end
      value = table.concat(parts, " ")
    elseif type(value) == "table" then
      value = value.value
    end
    local found = text(value)
    if found then return found end
  end
end

local gather

-- Whether the members are fields: each has a list of words, and not this or that a meaning of its own.
local function has_fields(object)
  for name, value in pairs(object) do
    if type(name) == "string" and is_list(value) then return true end
  end
  return false
end

-- { field = "words" or { "words", … }, … }, in the order of the fields' names. Of many the first few: it costs no more than looking at
-- each.
local function gather_fields(said, object, depth)
  local names = {}
  for name in pairs(object) do
    if type(name) == "string" then
      local place = #names + 1
      while place > 1 and names[place - 1] > name do place = place - 1 end
      if place <= MOST_PIECES then
        table.insert(names, place, name)
        names[MOST_PIECES + 1] = nil
      end
    end
  end
  for _, name in ipairs(names) do
    local value, of_field = object[name], {}
    if type(value) == "string" or is_list(value) then gather(of_field, value, depth + 1) end
    local about = table.concat(of_field, " ")
    if about ~= "" then add(said, #name <= 200 and with_field(name ~= "" and name or nil, about) or about) end
  end
end

local function gather_object(said, object, depth)
  local before = #said
  local main = first_text(object, MAIN)
  if main then add(said, with_field(field_of(object), main)) else add(said, first_text(object, LESS)) end
  for _, name in ipairs(MORE) do
    local value = object[name]
    if name == "result" and not (type(value) == "table" and value.succeeded == false) then value = nil end
    -- As a text beside a description it is OAuth's code.
    local is_code = (name == "error" or name == "Error") and type(value) == "string" and #said > before
    if value ~= nil and not is_code then
      local so_far = #said
      local may_be_fields = BY_FIELD[name] and type(value) == "table" and not is_list(value)
      if may_be_fields and has_fields(value) then gather_fields(said, value, depth + 1) else gather(said, value, depth + 1) end
      if may_be_fields and #said == so_far then gather_fields(said, value, depth + 1) end
    end
  end
  if #said == before then add(said, first_text(object, LEAST)) end
end

function gather(said, value, depth)
  if depth > DEEPEST or #said >= MOST_PIECES then return end
  if type(value) == "string" then
    add(said, value)
  elseif is_list(value) then
    local items = {}
    for index = 1, math.min(#value, MOST_PIECES) do
      local of_item = {}
      gather(of_item, value[index], depth + 1)
      if of_item[1] then items[#items + 1] = trimmed(joined(of_item)) end
    end
    add(said, table.concat(items, "; "))
  elseif type(value) == "table" then
    gather_object(said, value, depth)
  end
end

-- ---------------------------------------------------------------------------
-- XML and HTML
-- ---------------------------------------------------------------------------

local ENTITIES = { lt = "<", gt = ">", amp = "&", quot = '"', apos = "'" }

-- Of an element's content: the characters that are written as entities.
local function unescaped(content)
  return (content:gsub("&(#?%w+);", function(name)
    local code = tonumber(name:match "^#(%d+)$") or tonumber(name:match "^#[xX](%x+)$" or "", 16)
    return ENTITIES[name] or code and code >= 32 and code < 127 and string.char(code) or nil
  end))
end

-- The text of the first element of each of these names, whatever its namespace's prefix and its case.
local function elements(document, ...)
  local found = {}
  for name, content in document:gmatch "<([%w:_.-]+)%f[%s/>][^<>]*>([^<]*)" do
    name = name:match "([^:]*)$":lower()
    if found[name] == nil and content:find "%S" then found[name] = unescaped(content) end
  end
  local texts = {}
  for index, name in ipairs { ... } do texts[index] = found[name] or false end
  return texts
end

-- Those whose text is what was meant, the best first; and those of pages without a title.
local ELEMENTS = { "message", "exceptionmessage", "messagedetail", "faultstring", "title", "detail", "description", "reason", "text",
  "string" }
local HEADINGS = { "h1", "h2", "h3", "p" }

local function words_of_markup(document)
  local said = {}
  document = document:gsub("<!%[CDATA%[(.-)%]%]>", function(content) return (content:gsub("[<>&]", { ["<"] = "&lt;", [">"] = "&gt;",
    ["&"] = "&amp;" })) end)
  for _, content in ipairs(elements(document, unpack(ELEMENTS))) do
    if content then add(said, content) end
  end
  for _, content in ipairs(said[1] and {} or elements(document, unpack(HEADINGS))) do
    if content and not said[1] then add(said, content) end
  end
  -- The inner error's message is the second one.
  local inner = document:find "<[%w:_.-]*[iI]nner[eE]rror[^<>]*>" or document:find "<[%w:_.-]*InnerException[^<>]*>"
  if inner then
    for _, content in ipairs(elements(document:sub(inner), "message", "exceptionmessage")) do
      if content then add(said, content) end
    end
  end
  return joined(said)
end

-- The beginning of a body that is no JSON.
local function beginning(body)
  return body:sub(1, LONGEST_LOOK)
end

-- Plain text: all of a short one, of a longer one its first line.
local function words_of_text(body)
  if #body <= 500 then return text(body) end
  local line = beginning(body):match "^%s*([^\r\n]+)"
  return line and text(line)
end

-- ---------------------------------------------------------------------------
-- Header fields
-- ---------------------------------------------------------------------------

---What a WWW-Authenticate or Proxy-Authenticate field asks for (RFC 9110, section 11.6.1): a list of { scheme =, realm =, error =, … }.
---@param field? string
---@return table[]
function words.challenges(field)
  local found, at = {}, 1
  field = type(field) == "string" and beginning(field) or ""
  while true do
    at = field:find("[^%s,]", at)
    if not at then return found end
    local name, behind = field:match("^([%w!#$&'*+.^_`|~%-]+)()", at)
    if not name then return found end
    local equals = field:match("^%s*=%s*()", behind)
    if equals and found[1] then
      local value, next_at = field:match('^"([^"]*)"?()', equals)
      if not value then value, next_at = field:match("^([^%s,]*)()", equals) end
      found[#found][name:lower()] = value
      at = next_at
    else
      found[#found + 1] = { scheme = name }
      at = behind
    end
  end
end

---The Bearer challenge of an answer, which says why a token was refused (RFC 6750, section 3).
---@param headers? table
---@return table?
function words.bearer(headers)
  for _, challenge in ipairs(words.challenges(headers and headers["www-authenticate"])) do
    if challenge.scheme:lower() == "bearer" then return challenge end
  end
end

-- ---------------------------------------------------------------------------
-- What callers ask for
-- ---------------------------------------------------------------------------

local function is_markup(body)
  return body:find "^%s*<" ~= nil or body:find "^\239\187\191%s*<" ~= nil
end

---The server's own words.
---@param body any the decoded body
---@param headers? table
---@return string?
function words.message_of(body, headers)
  local said = {}
  if type(body) == "string" then
    add(said, is_markup(body) and words_of_markup(beginning(body)) or not is_markup(body) and words_of_text(body) or nil)
  else
    gather(said, body, 1)
  end
  local bearer = words.bearer(headers)
  if bearer then add(said, bearer.error_description) end
  return joined(said)
end

-- Orchestrator's 0 means none.
local function code(value)
  if (type(value) == "number" and value ~= 0) or text(value) then return value end
end

local function code_in(object)
  return code(object.errorCode) or code(object.code) or code(object.ErrorCode)
end

-- What tells an item from others, where it has no words.
local function name_of(item)
  for _, name in ipairs { "Key", "Name", "Reference", "Id", "id", "Ordinal" } do
    local value = item[name]
    if type(value) == "number" or text(value) then return ("%s %s"):format(name, tostring(value)) end
  end
end

-- The words of one of the items. What an upload says of a file may be an error object as text.
local function words_of_item(item)
  if type(item) ~= "table" then return text(tostring(item)) end
  local about = {}
  local inside = type(item.Body) == "string" and #item.Body <= LONGEST_LOOK and item.Body:find "^%s*{" and json.decode(item.Body)
  gather_object(about, item, 2)
  gather(about, inside or type(item.Body) == "table" and item.Body or nil, 2)
  local piece = joined(about) or text(item.Body) or item.Status and text(tostring(item.Status))
  if item.Key and item.Status and piece then piece = ("%s: %s"):format(tostring(item.Key), piece) end
  if not piece then
    local number, name = code_in(item), name_of(item)
    piece = number and ("code %s"):format(tostring(number)) or nil
    if name then piece = piece and ("%s: %s"):format(name, piece) or name end
  end
  return piece and trimmed(piece)
end

---The words of an answer that tells of failures, and of the items that have failed: texts, ids and objects.
---@param items table
---@param body any the decoded body
---@return string
function words.of_failed(items, body)
  local listed, unsaid, seen, are_words = {}, 0, {}, false
  for _, item in ipairs(items) do
    if #listed >= MOST_PIECES then
      unsaid = unsaid + 1
    else
      local piece = words_of_item(item)
      if piece and not seen[piece] then
        listed[#listed + 1], seen[piece] = piece, true
        are_words = are_words or type(item) == "table" or piece:find "%s" ~= nil
      end
    end
  end
  local said = {}
  if type(body) == "table" then add(said, first_text(body, MAIN)) end
  if listed[1] then
    add(said, table.concat(listed, are_words and "; " or ", ") .. (unsaid > 0 and (", and %d more"):format(unsaid) or ""))
  end
  return joined(said) or words.message_of(body) or "the operation did not succeed"
end

---UiPath's errorCode, OAuth's error, or the like.
---@param body any
---@param headers? table
---@param items? table of an answer that tells of failures
---@return string|number|nil
function words.code_of(body, headers, items)
  if type(body) == "string" then
    if not is_markup(body) then body = nil else return text(elements(beginning(body), "code")[1]) end
  end
  local found
  if type(body) == "table" then
    local inner = type(body.error) == "table" and body.error or type(body["odata.error"]) == "table" and body["odata.error"] or {}
    local result = type(body.result) == "table" and body.result or {}
    local first = items or type(result.errors) == "table" and result.errors or is_list(body.errors) and body.errors or body
    found = code_in(body) or code_in(inner) or type(first[1]) == "table" and code_in(first[1])
    if not found and text(body.error) and (body.error_description or body.error:find "^[%l_]+$") then found = body.error end
  end
  if found then return found end
  local bearer = words.bearer(headers)
  return bearer and text(bearer.error) or headers and text(headers["x-ms-error-code"])
end

---@param body any
---@param headers? table
---@return string?
function words.trace_id_of(body, headers)
  local found
  if type(body) == "table" then
    local inner = type(body.error) == "table" and body.error or {}
    found = text(body.traceId) or text(body.TraceId) or text(body.requestId) or text(body.RequestId) or text(inner.traceId)
  elseif type(body) == "string" and is_markup(body) then
    found = text(elements(beginning(body), "requestid")[1])
  end
  if found then return found end
  if headers then return headers["x-uipath-traceparent-id"] or headers["x-request-id"] or headers["traceparent"] end
end

return words

-- Takes secrets out of what errors show: those that the caller knows, and what a server sends that is one by its name or its form. Every
-- text is gone through once for each.

local redaction = {}

-- A shorter secret would be in any word.
local SHORTEST_SECRET = 4

local MASK = "***"

-- Members that are secrets, in lower case and without "_" and "-".
local SECRET_NAMES = {
  clientsecret = true, accesstoken = true, refreshtoken = true, idtoken = true, clientassertion = true, password = true, passwd = true,
  secret = true, secretvalue = true, credentialpassword = true, apikey = true, licensekey = true, authorization = true, codeverifier = true,
}

local function is_secret_name(name)
  return type(name) == "string" and #name <= 40 and SECRET_NAMES[(name:lower():gsub("[_-]", ""))] == true
end

local function without(text, secret)
  local from, to = text:find(secret, 1, true)
  if not from then return text end
  local parts, at = {}, 1
  while from do
    parts[#parts + 1] = text:sub(at, from - 1)
    parts[#parts + 1] = MASK
    at = to + 1
    from, to = text:find(secret, at, true)
  end
  parts[#parts + 1] = text:sub(at)
  return table.concat(parts)
end

-- Replaces the queries of addresses that are signed: who has one may use it.
local function without_signatures(text)
  local at = text:find("?", 1, true)
  if not at then return text end
  local parts, copied = {}, 1
  while at do
    local behind = text:match("^[^%s\"'<>?#]*()", at + 1)
    local query = text:sub(at + 1, behind - 1):lower()
    if query:find("sig=", 1, true) or query:find("signature=", 1, true) or query:find("security-token=", 1, true) then
      parts[#parts + 1] = text:sub(copied, at)
      parts[#parts + 1] = MASK
      copied = behind
    end
    at = text:find("?", behind, true)
  end
  if copied == 1 then return text end
  parts[#parts + 1] = text:sub(copied)
  return table.concat(parts)
end

-- The same for members by their names in a text that could not be decoded, and for fields of a form.
local function without_members(text)
  -- An escaped quote does not end a string.
  local has_escapes = text:find('\\"', 1, true)
  if has_escapes then text = text:gsub('\\"', "\1") end
  text = text:gsub('("([%w_-]+)"%s*:%s*)"[^"]*"?', function(before, name)
    if is_secret_name(name) then return before .. '"' .. MASK .. '"' end
  end)
  if has_escapes then text = text:gsub("\1", '\\"') end
  return (text:gsub("(%f[%w_-]([%w_-]+)=)([^&%s\"'<>;,]+)", function(before, name)
    if is_secret_name(name) then return before .. MASK end
  end))
end

-- The same for what has the form of a token: a JWT, a personal access token. It may be an older one than the caller knows.
local function without_tokens(text)
  text = text:gsub("%f[%w_-]eyJ[%w_-]+%.[%w_-]+%.[%w_-]*", MASK)
  return (text:gsub("%f[%w_-]rt_%w%w%w%w%w%w%w%w%w%w%w%w%w%w%w%w%w*", MASK))
end

local function clean(text, secrets)
  for _, secret in ipairs(secrets) do text = without(text, secret) end
  return without_tokens(without_members(without_signatures(text)))
end

-- Members whose members are fields of the request, with what is wrong with each: words about a password are none.
local ABOUT_FIELDS = { errors = true, modelstate = true, validationerrors = true, details = true }

local function walk(value, secrets, seen, is_about_fields)
  if type(value) == "string" then return clean(value, secrets) end
  if type(value) ~= "table" or seen[value] then return value end
  seen[value] = true
  local renamed
  for key, each in pairs(value) do
    local kind = type(each)
    local is_word = is_about_fields and kind == "string" and each:find "%s" ~= nil
    if (kind == "string" or kind == "number") and is_secret_name(key) and each ~= "" and not is_word then
      value[key] = MASK
    elseif kind == "string" or kind == "table" then
      value[key] = walk(each, secrets, seen, type(key) == "string" and ABOUT_FIELDS[key:lower()])
    end
    local name = type(key) == "string" and clean(key, secrets) or key
    if name ~= key then
      renamed = renamed or {}
      renamed[key] = name
    end
  end
  for key, name in pairs(renamed or {}) do value[key], value[name] = nil, value[key] end
  return value
end

-- A signature is longer than the other values of an address's query.
local SHORTEST_SIGNATURE = 16

-- The values in the query of an access object's address that may be its signature: a storage quotes it
-- when it refuses one.
local function add_signatures(secrets, query)
  for value in query:gmatch "=([^&]+)" do
    if #value >= SHORTEST_SIGNATURE then
      secrets[#secrets + 1] = value
      secrets[#secrets + 1] = (value:gsub("%%(%x%x)", function(digits) return string.char(tonumber(digits, 16)) end))
    end
  end
  if #query >= SHORTEST_SIGNATURE then secrets[#secrets + 1] = query end
end

---Takes all secrets out of the fields of an error, in place.
---@param fields table
---@param known { [integer]: string? } two secrets that the caller knows, or not
---@param query? string of an address that is a secret
function redaction.apply(fields, known, query)
  local secrets = {}
  for index = 1, 2 do
    local secret = known[index]
    if secret and #secret >= SHORTEST_SECRET then secrets[#secrets + 1] = secret end
  end
  if query then add_signatures(secrets, query) end
  walk(fields, secrets, {})
end

return redaction

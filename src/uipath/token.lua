-- What can be read from an access token without a key: its scopes.

local token = {}

-- Base64url (RFC 4648, section 5) without padding.
local function decode_base64url(text)
  local alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
  local bits, count, bytes = 0, 0, {}
  for character in text:gmatch("[%w_-]") do
    bits = bits * 64 + alphabet:find(character, 1, true) - 1
    count = count + 6
    if count >= 8 then
      count = count - 8
      local byte = math.floor(bits / 2 ^ count)
      bits = bits - byte * 2 ^ count
      bytes[#bytes + 1] = string.char(byte)
    end
  end
  return table.concat(bytes)
end

-- The claims of a JWT, or an empty table for any other token.
local function claims_of(value)
  local payload = value:match("^[%w_-]+%.([%w_-]+)%.")
  local claims = payload and require("uipath").json.decode(decode_base64url(payload))
  return type(claims) == "table" and claims or {}
end

---The scopes of a token: what its endpoint said, else the claim `scope` of a JWT.
---@param value string the token itself
---@param scope? string space-separated
---@return string[]? scopes nil when they cannot be known
function token.scopes(value, scope)
  local found = scope or claims_of(value).scope
  if type(found) == "table" then return found end
  if type(found) ~= "string" then return nil end
  local scopes = {}
  for word in found:gmatch("%S+") do scopes[#scopes + 1] = word end
  return scopes
end

---What client:token() gives; no secret.
---@param value string
---@param scope? string
---@param expires_at? integer seconds since 1970
---@param source "client_credentials"|"option"|"function"
---@return { expires_at: integer?, scopes: string[], source: string }
function token.describe(value, scope, expires_at, source)
  local claimed = claims_of(value).exp
  if not expires_at and type(claimed) == "number" then expires_at = claimed end
  return { expires_at = expires_at, scopes = token.scopes(value, scope) or {}, source = source }
end

return token

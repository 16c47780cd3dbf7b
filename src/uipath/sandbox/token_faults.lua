--- Token endpoints that misbehave, one entry of `faults` each. With `identity_url` set to
---
---     {fault_url}/token/NAME/PARAMETER/…
---
--- the client's requests for a token arrive at `…/connect/token` below it.

local faults = require("uipath.sandbox.faults")
local identity = require("uipath.sandbox.identity")
local problem = require("uipath.sandbox.problem")
local wire = require("uipath.sandbox.wire")

local token_faults = {}

--- The right reply with `expires_in` written as given: a JSON text, or nil for none at all.
local function reply(expires_in)
  local body = identity.token_reply(identity.form())
  local member = expires_in and '"expires_in":' .. expires_in .. "," or ""
  return 200, (body:gsub('"expires_in":%d+,', member))
end

--- The right reply with another token.
local function reply_with(token)
  local body = identity.token_reply(identity.form())
  return 200, (body:gsub('"access_token":"[^"]*"', '"access_token":' .. token))
end

-- ok/KEY: nothing wrong; a KEY makes an identity URL, and with it a cache entry, of its own.
function token_faults.ok() return 200, identity.token_reply(identity.form()) end

-- expires/SECONDS: a token that lives so long; it may be a fraction.
function token_faults.expires(seconds)
  return 200, identity.token_reply(identity.form(), tonumber(seconds))
end

-- quoted: "expires_in":"3600".
function token_faults.quoted() return reply '"3600"' end

-- absent: no expires_in.
function token_faults.absent() return reply(nil) end

-- zero, negative, huge, fraction, null, words: "expires_in" with such a value.
function token_faults.zero() return reply "0" end
function token_faults.negative() return reply "-5" end
function token_faults.huge() return reply "1e300" end
function token_faults.fraction() return reply "3599.5" end
function token_faults.null() return reply "null" end
function token_faults.words() return reply '"an hour"' end

-- unknown/KEY: a token that looks right and that the service does not know.
function token_faults.unknown() return reply_with '"eyJhbGciOiJub25lIn0.e30.unknown"' end

-- opaque: a token that is no JWT; the service knows it not either.
function token_faults.opaque() return reply_with '"rt_0123456789ABCDEF"' end

-- no_token: 200 and JSON without access_token.
function token_faults.no_token() return 200, '{"expires_in":3600,"token_type":"Bearer"}' end

-- empty_token, number_token, newline_token: an access_token that cannot be one.
function token_faults.empty_token() return reply_with '""' end
function token_faults.number_token() return reply_with "17" end
function token_faults.newline_token() return reply_with '"abc\\r\\nX-Injected: 1"' end

-- not_json: 200 and JSON's content type, but no JSON.
function token_faults.not_json()
  return 200, "access_token=abc", { ["Content-Type"] = "application/json" }
end

-- array: 200 and JSON that is no object.
function token_faults.array() return 200, "[]" end

-- html: a page with status 200, as a wrong base URL gives it.
function token_faults.html() return faults.entries.html() end

-- wrong_url: 405, and `error` is an object.
function token_faults.wrong_url() return faults.entries.error("wrong_url") end

-- refuse/ERROR[/DESCRIPTION]: 400 with an OAuth error: invalid_client, invalid_scope, …
function token_faults.refuse(name, description)
  return 400, description and ('{"error":"%s","error_description":"%s"}'):format(name, description)
    or ('{"error":"%s"}'):format(name)
end

-- endless: a body without end.
function token_faults.endless()
  return wire.repeat_forever(wire.head("\r\n") .. '{"access_token":"', ("x"):rep(16384))
end

-- slow/SECONDS: the right reply, late.
function token_faults.slow(seconds)
  ngx.sleep(tonumber(seconds))
  return token_faults.ok()
end

-- first/N/KEY/NAME/…: the fault NAME for the first N requests with this KEY, then the right
-- reply.
function token_faults.first(limit, key, name, ...)
  if faults.count("token/" .. key) > tonumber(limit) then return token_faults.ok() end
  return token_faults[name](...)
end

-- And these of faults.lua: status/STATUS[/RETRY_AFTER], gateway/STATUS, reset, close, truncated,
-- stall, stall_in_body, empty, not_http, redirect/STATUS/WHERE.
for _, name in ipairs {
  "status", "gateway", "reset", "close", "truncated", "stall", "stall_in_body", "empty", "not_http",
  "redirect",
} do
  token_faults[name] = faults.entries[name]
end

--- Serves a request for a token.
---@param path string  what stands between `/token/` and `/connect/token`
---@return integer|nil status
---@return string|nil body
---@return table<string, any>|nil headers
local function serve(path)
  local words = {}
  for word in path:gmatch("[^/]+") do words[#words + 1] = word end
  local fault = token_faults[words[1]] or problem.raise(404, "no such token fault\n")
  return fault(unpack(words, 2))
end

return { serve = serve }

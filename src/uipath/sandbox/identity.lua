--- The Identity service: tokens, and who may do what with them.

local json = require("uipath.sandbox.json")
local problem = require("uipath.sandbox.problem")
local rows = require("uipath.sandbox.rows")

local identity = {}

--- The organization's own id, which its tokens carry as `prt_id`.
identity.partition = rows.guid(9, 1)

local settings
local granted, all_scopes = {}, {}

--- The tokens that were given out, each with its end and its scopes.
local tokens = {}
local issued = 0

--- Old tokens are forgotten whenever so many more have been given out.
local TOKENS_BETWEEN_SWEEPS = 1000

--- Sets up the service.
---@param given table  the settings that the sandbox runs with, read at every request
function identity.begin(given)
  settings = given
  for resource in settings.resources:gmatch("%S+") do
    for _, scope in ipairs { resource, resource .. ".Read", resource .. ".Write" } do
      granted[scope] = true
      all_scopes[#all_scopes + 1] = scope
    end
  end
  granted["OR.Default"] = true
end

local function sweep()
  for token, facts in pairs(tokens) do
    if facts.expires_at < ngx.now() then tokens[token] = nil end
  end
end

local function base64url(text)
  return (ngx.encode_base64(text, true):gsub("[+/]", { ["+"] = "-", ["/"] = "_" }))
end

--- Gives out a token in the form of a JWT. Nobody checks its signature, which is none.
---@param scopes string[]
---@param expires_in number  seconds
---@return string
function identity.issue(scopes, expires_in)
  issued = issued + 1
  if issued % TOKENS_BETWEEN_SWEEPS == 0 then sweep() end
  local now = ngx.now()
  local payload = json.encode {
    iss = "http://127.0.0.1/identity_", aud = "OrchestratorApiUserAccess",
    iat = math.floor(now), exp = math.floor(now + expires_in), jti = rows.guid(10, issued),
    client_id = settings.client_id, sub = settings.client_id, sub_type = "service.external",
    prt_id = identity.partition, scope = json.array(scopes),
  }
  local token = base64url('{"alg":"RS256","kid":"sandbox","typ":"at+jwt"}') .. "."
    .. base64url(payload) .. "." .. base64url(ngx.hmac_sha1("sandbox", payload))
  local held = {}
  for _, scope in ipairs(scopes) do held[scope] = true end
  tokens[token] = { expires_at = now + expires_in, scopes = held, list = scopes }
  return token
end

--- Makes every token that was given out so far invalid.
---@return integer count
function identity.revoke_all()
  local count = 0
  for token in pairs(tokens) do
    tokens[token] = nil
    count = count + 1
  end
  return count
end

local function refuse(name)
  problem.raise(400, json.encode { error = name })
end

--- What the service answers to a client's request for a token.
---@param form table<string, string>  the fields of the request's body
---@param expires_in? number  instead of the sandbox's own setting
---@return string body
function identity.token_reply(form, expires_in)
  if form.client_id ~= settings.client_id or form.client_secret ~= settings.client_secret then
    refuse "invalid_client"
  end
  if form.grant_type ~= "client_credentials" then refuse "unsupported_grant_type" end
  local scopes = {}
  for scope in (form.scope or ""):gmatch("%S+") do
    if not granted[scope] then refuse "invalid_scope" end
    scopes[#scopes + 1] = scope
  end
  if not scopes[1] then scopes = all_scopes end
  expires_in = expires_in or settings.expires_in
  return json.object({
    "access_token", identity.issue(scopes, expires_in), "expires_in", expires_in,
    "token_type", "Bearer", "scope", table.concat(scopes, " "),
  }, 4)
end

--- The fields of a form; raises what the real service says to anything else.
function identity.form()
  local content_type = ngx.var.http_content_type or ""
  if not content_type:find("^application/x%-www%-form%-urlencoded") then
    refuse "invalid_request"
  end
  ngx.req.read_body()
  local form = ngx.req.get_post_args(50)
  for name, value in pairs(form) do
    if type(value) == "table" then refuse "invalid_request" end
    -- A name without `=` counts as empty.
    if value == true then form[name] = "" end
  end
  return form
end

--- The token endpoint.
---@return integer status
---@return string body
---@return table<string, string> headers
function identity.token()
  if ngx.req.get_method() ~= "POST" then
    problem.raise(405, "")
  end
  return 200, identity.token_reply(identity.form()), { ["Cache-Control"] = "no-store, no-cache" }
end

--- The facts of the request's token; raises 401 when it has none that is valid.
---@return table
function identity.authenticate()
  local authorization = ngx.var.http_authorization
  local token = authorization and authorization:match("^[Bb]earer (%S+)$")
  if not token then problem.unauthenticated() end
  local facts = tokens[token]
  if not facts or facts.expires_at <= ngx.now() then problem.unauthenticated("invalid_token") end
  return facts
end

--- Whether a token has a scope: `X` alone, or `X.Read` or `X.Write` as `access` says.
---@param facts table
---@param scope string
---@param access "Read"|"Write"
---@return boolean
function identity.allows(facts, scope, access)
  local held = facts.scopes
  return held[scope] or held[scope .. "." .. access]
    or (held["OR.Default"] and scope:find("^OR%.") ~= nil) or false
end

return identity

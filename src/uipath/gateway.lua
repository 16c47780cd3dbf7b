-- What is said by another than the service: a firewall, a gateway, a proxy, the network's own sign-in page.

local words = require "uipath.words"

local gateway = {}

-- The names of the ways of signing in that a field asks for, such as "Negotiate, NTLM"; nil: none, or Bearer among them.
local function schemes_of(field)
  local names, seen = {}, {}
  for _, challenge in ipairs(words.challenges(field)) do
    local name = challenge.scheme
    if name:lower() == "bearer" then return nil end
    if not seen[name:lower()] and #names < 5 and #name <= 30 then names[#names + 1] = name end
    seen[name:lower()] = true
  end
  return names[1] and table.concat(names, ", ")
end

-- What kind of text the body is, by its beginning: "page" (HTML), "xml" or "text". nil: it is none, but JSON, or nothing.
local function kind_of(body, headers)
  if type(body) ~= "string" or not body:find "%S" then return nil end
  local head = body:sub(1, 1024):lower()
  if head:find "^[%s\239\187\191]*<" then
    return (head:find("<html", 1, true) or head:find("<!doctype html", 1, true) or head:find("<head", 1, true)) and "page" or "xml"
  end
  local content_type = headers and headers["content-type"]
  return not (content_type and content_type:lower():find("json", 1, true)) and "text" or nil
end

-- Names of what stands before services, in lower case: what these say without a body is their own. With a body it may be the service's, for
-- they put their names on what they pass on; Cloudflare, which is none of these, on everything.
local GATEWAYS = {
  "akamai", "awselb", "cloudfront", "application-gateway", "big-ip", "bigip", "imperva", "incapsula", "sucuri", "fortiweb", "zscaler",
  "bluecoat", "squid", "varnish", "netscaler",
}

local function is_of_gateway(headers, body)
  if not headers then return false end
  if headers["cf-mitigated"] or headers["x-squid-error"] or headers["x-amzn-errortype"] then return true end
  if body ~= nil then return false end
  local server = type(headers.server) == "string" and headers.server:sub(1, 60):lower() or ""
  for _, name in ipairs(GATEWAYS) do
    if server:find(name, 1, true) then return true end
  end
  return false
end

-- Signed addresses are refused in XML of this form, by the storage that they belong to.
local function is_of_storage(body)
  local head = body:sub(1, 1024)
  return head:find("<Error>", 1, true) ~= nil and head:find("<Code>", 1, true) ~= nil
end

-- Who it may have been, where the answer says so.
local function named(headers)
  local server = headers and headers.server
  if type(server) ~= "string" or #server > 60 or not server:find "%a" then return "" end
  return (" (Server: %s)"):format(server)
end

---What to do about an answer that is not the service's; nil: it is the service's, as far as can be told.
---@param err table the error's fields: status, body, headers
---@return string?
function gateway.hint(err)
  local status, headers, body = err.status, err.headers, err.body
  if not status then return nil end
  if status == 407 then
    local schemes = schemes_of(headers and headers["proxy-authenticate"])
    if schemes and not schemes:lower():find("basic", 1, true) then
      return ("the proxy asks for %s, which is not known here: only Basic is"):format(schemes)
    end
    return "the proxy asks for a user and password" .. (schemes and " (it offers " .. schemes .. ")" or "")
      .. ': proxy = "http://user:password@host:port"'
  end
  if status == 401 then
    local schemes = schemes_of(headers and headers["www-authenticate"])
    if schemes then
      return ("what answers asks for %s, and not for a token: it is a gateway or proxy before the service%s; check base_url")
        :format(schemes, named(headers))
    end
  end
  if status == 511 then return "the network asks for a sign-in of its own: open any page in a browser" end
  if status < 400 or status >= 500 then return nil end
  local kind = kind_of(body, headers)
  if kind == "xml" then
    return status == 403 and is_of_storage(body)
      and "the storage refuses it: a signed address may have expired, or is used in another way than it was made for" or nil
  end
  if kind == "page" and status == 404 then return "check base_url, organization and tenant" end
  if status == 404 or status == 408 or status == 429 then return nil end
  local is_foreign = kind == "page" or status == 403 and (kind == "text" or is_of_gateway(headers, body))
  if not is_foreign then return nil end
  return ("this is not the service's own answer, but that of a firewall, gateway or proxy before it%s: ask who runs it what it blocks")
    :format(named(headers))
end

return gateway

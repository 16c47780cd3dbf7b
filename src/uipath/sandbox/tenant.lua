--- The tenant's addresses: which service a path belongs to.

local identity = require("uipath.sandbox.identity")
local orchestrator = require("uipath.sandbox.orchestrator")
local platform = require("uipath.sandbox.platform")
local problem = require("uipath.sandbox.problem")
local testmanager = require("uipath.sandbox.testmanager")

local tenant = {}

local settings

---@param given table  the settings that the sandbox runs with, read at every request
function tenant.begin(given)
  settings = given
end

local TENANT_SERVICES = {
  orchestrator_ = orchestrator.serve,
  testmanager_ = testmanager.serve,
}

--- Serves a request to the tenant or to Identity.
---@return integer status
---@return string body
---@return table<string, string>|nil headers
function tenant.serve()
  if settings.latency > 0 then ngx.sleep(settings.latency) end
  local path = ngx.var.uri
  if path == "/identity_/connect/token" then return identity.token() end
  local organization, rest = path:match("^/([^/]+)/(.*)$")
  if organization ~= settings.organization and organization ~= identity.partition then
    problem.raise(404)
  end
  if rest == "identity_/connect/token" then return identity.token() end
  local platform_path = rest:match("^identity_/(.*)$")
  if platform_path then return platform.serve(platform_path) end
  local name, service, service_path = rest:match("^([^/]+)/([^/]+)/(.*)$")
  local serve = TENANT_SERVICES[service]
  if name ~= settings.tenant or not serve then problem.raise(404) end
  ngx.header["api-supported-versions"] = service == "orchestrator_" and "20.0" or nil
  return serve(service_path, {
    base = ngx.var.scheme .. "://" .. ngx.var.http_host .. "/" .. organization .. "/" .. name
      .. "/" .. service,
    settings = settings,
  })
end

return tenant

-- Prints the machines of a tenant: of yours when UIPATH_ORGANIZATION, UIPATH_TENANT, UIPATH_CLIENT_ID,
-- UIPATH_CLIENT_SECRET and UIPATH_AUTH_SCOPES are set, else of the bundled sandbox.
local uipath = require "uipath"

local function is_set(name) return (os.getenv(name) or "") ~= "" end

local options
if not (is_set "UIPATH_CLIENT_ID" or is_set "UIPATH_PAT" or is_set "UIPATH_ACCESS_TOKEN") then
  options = assert(require("uipath.sandbox").start()).options
  io.stderr:write("No UIPATH_CLIENT_ID is set: these are the machines of the sandbox.\n")
end

local client = uipath.connect(options)
for machine in client:each("odata/Machines", { select = { "Id", "Name" }, orderby = "Name" }) do
  print(machine.Id, machine.Name)
end

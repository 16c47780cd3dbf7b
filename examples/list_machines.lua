-- Prints the machines of a tenant. It is yours where UIPATH_ORGANIZATION, UIPATH_TENANT,
-- UIPATH_CLIENT_ID, UIPATH_CLIENT_SECRET and UIPATH_AUTH_SCOPES are set, or a profile of the
-- official command names it; else it is the bundled sandbox.
local client = require("uipath.sandbox").connect()
for machine in client:each("odata/Machines", { select = { "Id", "Name" }, orderby = "Name" }) do
  print(machine.Id, machine.Name)
end

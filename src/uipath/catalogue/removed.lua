-- What the definitions still have, and Automation Cloud no longer: since when, by UiPath's release
-- notes and deprecation timeline, and what there is instead. Automation Suite and Orchestrator
-- on-premises may have it still.

-- prefix: of the path in Orchestrator, in lower case; what follows it is a key, an action or nothing
local REMOVED = {
  -- Release notes of July 2025: removed in September.
  { prefix = "/odata/alerts", date = "2025-09" },
  { prefix = "/odata/organizationunits", date = "2025-09", instead = "odata/Folders" },
  { prefix = "/odata/settings/uipath.server.configuration.odata.verifysmtpsetting",
    date = "2025-09" },
  -- Release notes of April 2026.
  { prefix = "/odata/assets/uipath.server.configuration.odata.getrobotasset", date = "2026-04-14",
    instead = "POST odata/Assets/UiPath.Server.Configuration.OData.GetRobotAssetByNameForRobotKey" },
}
-- The testing module of Orchestrator: the date from which it refuses executions.
for _, prefix in ipairs {
  "/api/testautomation", "/odata/testcasedefinitions", "/odata/testcaseexecutions",
  "/odata/testsetexecutions", "/odata/testsetschedules", "/odata/testsets",
} do
  REMOVED[#REMOVED + 1] = {
    prefix = prefix, date = "2026-04-30", instead = "Test Manager, testmanager_/api/v2/…",
  }
end

local removed = {}

---Since when a path is no longer there.
---@param service string
---@param path string begins with a slash
---@return string? date a day or a month
---@return string? instead
function removed.find(service, path)
  if service ~= "orchestrator_" then return nil end
  path = path:lower()
  for _, each in ipairs(REMOVED) do
    if path:sub(1, #each.prefix) == each.prefix and not path:find("^[%w_]", #each.prefix + 1) then
      return each.date, each.instead
    end
  end
end

return removed

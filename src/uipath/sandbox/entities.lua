--- All entities beside those that rows.lua and generated.lua have: each in a file of its own, which
--- adds its sets and operations.

local entities = {}

function entities.load()
  for _, name in ipairs {
    "attachments", "packages", "processes", "jobs", "schedules", "queues", "assets", "buckets",
    "exports", "test_automation",
  } do
    require("uipath.sandbox." .. name)
  end
end

return entities

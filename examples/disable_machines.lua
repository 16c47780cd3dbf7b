-- Takes the runtimes away from all machines whose name matches a Lua pattern, so that no job starts on them:
--   lua5.4 examples/disable_machines.lua '^VM%-BERLIN'
-- The tenant is yours where UIPATH_* or a profile names one (see list_machines.lua), else the
-- bundled sandbox.
local uipath = require "uipath"

local pattern = assert(arg[1], "usage: disable_machines.lua PATTERN")
local client = require("uipath.sandbox").connect()

local machines = {}
for machine in client:each("odata/Machines", { select = { "Id", "Name" }, orderby = "Name" }) do
  if machine.Name:find(pattern) then machines[#machines + 1] = machine end
end
local none = { UnattendedSlots = 0, NonProductionSlots = 0, HeadlessSlots = 0, TestAutomationSlots = 0 }
local _, errors = uipath.map(machines, function(machine)
  return client:patch("odata/Machines" .. uipath.odata.key(machine.Id), none)
end)
for index, machine in ipairs(machines) do
  print(machine.Name, errors and errors[index] or "disabled")
end
os.exit(errors == nil, true)

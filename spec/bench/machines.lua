-- The script that spec/bench/command.lua holds the command against: the same call, and its rows as lines.
local page = assert(require("uipath").connect():get "odata/Machines")
for _, row in ipairs(page.value) do print(row.Id, row.Name, row.Type) end

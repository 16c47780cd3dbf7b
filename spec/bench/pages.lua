-- What is timed against the peers: pages.lua OPTIONS PATH [NAME=NUMBER …]; OPTIONS is a file that
-- returns the options of uipath.connect, NAME an option of client:each. All rows of the list.
local uipath = require "uipath"

local client = uipath.connect(dofile(arg[1]))
local options, rows, sum = {}, 0, 0
for index = 3, #arg do
  local name, number = arg[index]:match "^(%w+)=(%d+)$"
  options[name] = tonumber(number)
end
for row in client:each(arg[2], options) do
  rows, sum = rows + 1, sum + row.Id
end
print(rows, ("%.0f"):format(sum))

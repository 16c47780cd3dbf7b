-- What is timed against the peers: pages.lua OPTIONS PATH LIMIT [PREFETCH]; OPTIONS is a file that returns the options of uipath.connect.
-- All rows of the list, up to LIMIT (0: all of them).
local uipath = require "uipath"

local client = uipath.connect(dofile(arg[1]))
local limit, prefetch = tonumber(arg[3]), tonumber(arg[4] or 4)
local rows, sum = 0, 0
for row in client:each(arg[2], { limit = limit > 0 and limit or nil, prefetch = prefetch }) do
  rows, sum = rows + 1, sum + row.Id
end
print(rows, ("%.0f"):format(sum))

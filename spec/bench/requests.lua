-- What is timed against spec/bench/floor.c: requests.lua OPTIONS PATH COUNT [CONCURRENCY]; OPTIONS is a file that returns the options
-- of uipath.connect. One token, then COUNT times PATH (a %d in it is the number from 0); the rows of the last page are printed.
local uipath = require "uipath"

local client = uipath.connect(dofile(arg[1]))
local path, count, concurrency = arg[2], tonumber(arg[3]), tonumber(arg[4] or 1)
local page
if concurrency == 1 then
  for i = 0, count - 1 do page = assert(client:get((path:gsub("%%d", i)))) end
else
  local numbers = {}
  for i = 1, count do numbers[i] = i - 1 end
  local pages = uipath.map(numbers, function(i)
    return assert(client:get((path:gsub("%%d", i))))
  end, { concurrency = concurrency })
  page = pages[count]
end
for _, row in ipairs(page.value or {}) do print(row.Id, row.Name) end

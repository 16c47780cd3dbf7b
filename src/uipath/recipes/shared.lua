-- Small things that several recipes need.

local concurrency = require "uipath.concurrency"
local internal = require "uipath.internal"
local uipath = require "uipath"

local shared = {}

---The options of a request: those that the caller has given for all, and more.
---@param call table
---@param more? table
---@return table
function shared.with(call, more)
  local options = {}
  for name, value in pairs(call) do options[name] = value end
  for name, value in pairs(more or {}) do options[name] = value end
  return options
end

---An error with the position of the script that has called.
---@param kind string
---@param message string
---@param fields? table
---@return uipath.Error
function shared.failure(kind, message, fields)
  return internal.error(kind, message, fields)
end

---Raises what is the script's mistake, with its position.
function shared.raise(message, ...)
  internal.raise(message:format(...))
end

---A member's value; nil for null.
function shared.value(value)
  if value == uipath.null then return nil end
  return value
end

---A member's text; nil for null and for what has no letters.
function shared.text(value)
  return type(value) == "string" and value:find "%S" and value or nil
end

---An id as it stands in a path.
function shared.id(value)
  return type(value) == "number" and ("%d"):format(value) or tostring(value)
end

---The path of one entity: "odata/Jobs(5)".
function shared.entity(set, id)
  return ("%s(%s)"):format(set, shared.id(id))
end

---Two filters that must both hold; the second, the user's, may be absent, a text, or a list as uipath.odata.filter takes it.
---@param first string
---@param second? string|any[]
---@return string
function shared.both(first, second)
  if second == nil then return first end
  if type(second) == "table" then second = uipath.odata.filter((table.unpack or unpack)(second)) end -- luacheck: ignore 113 143
  return ("%s and (%s)"):format(first, second)
end

---A point in time as JSON has it.
---@param date any as uipath.odata.date takes it
---@return string
function shared.time(date)
  return uipath.odata.filter("?", uipath.odata.date(date))
end

-- Days from 1970-01-01 to a date.
local function days(year, month, day)
  if month < 3 then year, month = year - 1, month + 12 end
  return 365 * year + math.floor(year / 4) - math.floor(year / 100) + math.floor(year / 400) + math.floor((153 * (month - 3) + 2) / 5)
    + day - 719469
end

local MONTHS = { Jan = 1, Feb = 2, Mar = 3, Apr = 4, May = 5, Jun = 6, Jul = 7, Aug = 8, Sep = 9, Oct = 10, Nov = 11, Dec = 12 }

---Seconds since 1970 of a time as JSON or the header Date has it, in UTC; nil: it is none.
---@param text any
---@return number?
function shared.seconds(text)
  if type(text) ~= "string" then return nil end
  local year, month, day, hour, minute, second = text:match "^(%d%d%d%d)%-(%d%d)%-(%d%d)T(%d%d):(%d%d):(%d%d%.?%d*)Z?$"
  if not year then
    day, month, year, hour, minute, second = text:match "^%a+, (%d%d) (%a+) (%d%d%d%d) (%d%d):(%d%d):(%d%d) GMT$"
    month = MONTHS[month]
  end
  if not year or not month then return nil end
  return days(tonumber(year), tonumber(month), tonumber(day)) * 86400 + hour * 3600 + minute * 60 + tonumber(second)
end

---Seconds of a clock that never jumps.
shared.now = internal.now

---A random GUID.
---@return string
function shared.guid()
  local source = io.open("/dev/urandom", "rb")
  local bytes = source and source:read(16)
  if source then source:close() end
  local hex = {}
  for i = 1, 16 do hex[i] = ("%02x"):format(bytes and bytes:byte(i) or math.random(0, 255)) end
  hex[7] = "4" .. hex[7]:sub(2)
  hex[9] = "a" .. hex[9]:sub(2)
  return (table.concat(hex):gsub("^(%x%x%x%x%x%x%x%x)(%x%x%x%x)(%x%x%x%x)(%x%x%x%x)", "%1-%2-%3-%4-"))
end

---Runs a function with the path of a temporary file, which is gone afterwards, whatever comes of it.
---@param run fun(path: string): any, any
function shared.with_file(run)
  local path = os.tmpname()
  -- A task that is cancelled never comes to finish.
  local forget = concurrency.on_cancel(function() os.remove(path) end)
  local function finish(ok, ...)
    forget()
    os.remove(path)
    if not ok then error((...), 0) end
    return ...
  end
  return finish(pcall(run, path))
end

---What a file holds.
---@return string? content
---@return uipath.Error? err
function shared.read(path)
  local file, why = io.open(path, "rb")
  local content = file and file:read "*a"
  if file then file:close() end
  if content then return content end
  return nil, shared.failure("file", why or path .. ": it cannot be read")
end

return shared

-- Dates for people: one form, whatever the service or we ourselves write.

local dates = {}

local FORM = "^(%d%d%d%d)-(%d%d)-(%d%d)T(%d%d):(%d%d):(%d%d)(%.?%d*)(.*)$"

-- Days since 1970 of a date of the Gregorian calendar; years begin in March.
local function days_of(year, month, day)
  if month <= 2 then year, month = year - 1, month + 12 end
  local leap = math.floor(year / 4) - math.floor(year / 100) + math.floor(year / 400)
  return 365 * year + leap + math.floor((153 * (month - 3) + 2) / 5) + day - 719469
end

---Seconds since 1970 as people read them.
---@param seconds number
---@return string
function dates.of(seconds)
  return os.date("!%Y-%m-%dT%H:%M:%SZ", math.floor(seconds)) --[[@as string]]
end

---A date as the services write it, without fractions of a second and in UTC; any other text as it is.
---@param value string
---@return string
function dates.text(value)
  local year, month, day, hour, minute, second, _, zone = value:match(FORM)
  if not year then return value end
  if zone == "" or zone == "Z" then return value:sub(1, 19) .. zone end
  local sign, hours, minutes = zone:match "^([+-])(%d%d):?(%d%d)$"
  if not sign then return value end
  local offset = (tonumber(hours) * 60 + tonumber(minutes)) * 60 * (sign == "-" and -1 or 1)
  local days = days_of(tonumber(year), tonumber(month), tonumber(day))
  return dates.of(days * 86400 + hour * 3600 + minute * 60 + second - offset)
end

---What client:token() gives, with its date as text; any other value as it is.
---@param value any
---@return any
function dates.of_token(value)
  if type(value) ~= "table" or type(value.expires_at) ~= "number" or type(value.scopes) ~= "table" then
    return value
  end
  local copy = {}
  for name, each in pairs(value) do copy[name] = each end
  copy.expires_at = dates.of(value.expires_at)
  return copy
end

return dates

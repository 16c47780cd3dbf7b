--- Times as the services write them.

local clock = {}

--- Seconds since 1970 as the services write them.
function clock.timestamp(at)
  at = at or ngx.now()
  local whole = math.floor(at)
  return os.date("!%Y-%m-%dT%H:%M:%S", whole) .. (".%03dZ"):format((at - whole) * 1000)
end

return clock

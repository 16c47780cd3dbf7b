-- Links from a page to the next.

local internal = require "uipath.internal"

local links = {}

local ORIGIN = "^%a[%w+.-]*://[^/?#]*"

local function host_of(origin)
  return (origin:match("://(.*)$"):gsub(":%d*$", ""):lower())
end

---The URL of a link that came with a page. One that names the page's own host is taken for that
---page's scheme and port: a server behind a proxy knows neither.
---@param base string the URL of the page
---@param link string
---@return string? url nil: it is none
function links.resolve(base, link)
  local url = internal.resolve(base, link)
  local origin, own = (url or ""):match(ORIGIN), base:match(ORIGIN)
  if not origin or not own or origin:find("@", 1, true) then return url end
  if host_of(origin) ~= host_of(own) then return url end
  return own .. url:sub(#origin + 1)
end

return links

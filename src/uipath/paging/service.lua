-- What the services' lists take: the parameters of each kind of list, and the most rows of a page
-- that it allows.

local service = {}

-- counts: OData's $count is there; in_query: the parameters are none of OData's, and go into the
-- query by their own names; sure: the total that comes with a page is known to be of all pages.
local ODATA = { offset = "skip", size = "top", cap = 1000, counts = true, sure = true }
local QUEUE_ITEMS = { offset = "skip", size = "top", cap = 100, counts = true, sure = true }
local ORCHESTRATOR = { offset = "skip", size = "take", cap = 1000, in_query = true, sure = true }
local FILES = { size = "takeHint", token = "continuationToken", cap = 1000, in_query = true }
-- The unified audit log knows no offset: each page has a link to the next. Its cap is not
-- published.
local AUDIT = { size = "maxCount", cap = 100, in_query = true }
-- Test Manager and Identity; services of which nothing is known get the same careful treatment.
local KNOWN = { offset = "skip", size = "top", cap = 100, sure = true }
local OTHERS = { offset = "skip", size = "top", cap = 100 }

---The kind of list that a URL names.
---@param url string
---@param is_odata boolean whether it is of Orchestrator's OData
---@return table
function service.of(url, is_odata)
  local path = url:match("^[^?]*")
  if is_odata then return path:find("/odata/QueueItems/?$") and QUEUE_ITEMS or ODATA end
  if path:find("/api/Buckets/[^/]+/ListFiles/?$") then return FILES end
  if path:find("audit_/api/query/") then return AUDIT end
  -- A first segment that ends in _ names a service; what is left is Orchestrator's.
  local name = path:match("/(%w+_)/")
  if name == "orchestrator_" or (not name and path:find("/api/")) then return ORCHESTRATOR end
  return (name == "testmanager_" or name == "identity_") and KNOWN or OTHERS
end

return service

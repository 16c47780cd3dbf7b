--- Sets that are hard to walk, as `fault/paging/NAME`: 1000 rows with Ids and Keys from 1, in pages by
--- `$top` and `$skip` (100 rows where none is asked for), with `@odata.count` for `$count=true`.

local json = require("uipath.sandbox.json")
local problem = require("uipath.sandbox.problem")
local wire = require("uipath.sandbox.wire")

local paging = {}

local TOTAL, PAGE = 1000, 100

--- What a request asks for.
local function asked()
  local arguments = ngx.req.get_uri_args()
  return tonumber(arguments["$skip"]) or 0, tonumber(arguments["$top"]) or PAGE,
    arguments["$count"] == "true"
end

--- The number of the page that a request asks for, counted from 1 by its $top.
local function page_number()
  local skip, top = asked()
  return math.floor(skip / top) + 1
end

--- The rows from `first` to `last` as a page.
---@param members table<string, any>  beside the rows
local function page(first, last, members)
  local parts = {}
  for id = first, math.min(last, TOTAL) do
    parts[#parts + 1] = ('{"Id":%d,"Name":"row %d","Key":"00000000-0000-4000-8000-%012d"}'):format(id, id, id)
  end
  local head = {}
  for name, value in pairs(members or {}) do
    head[#head + 1] = json.encode(name) .. ":" .. json.encode(value) .. ","
  end
  return 200, "{" .. table.concat(head) .. '"value":[' .. table.concat(parts, ",") .. "]}"
end

--- A page of what is asked for, at most `cap` rows.
local function plain(cap, total)
  local skip, top, counted = asked()
  return page(skip + 1, skip + math.min(top, cap),
    counted and { ["@odata.count"] = total or TOTAL } or nil)
end

--- A page of PAGE rows with a link to the next one, made by `link` from the rows to skip.
local function linked(link)
  local skip, _, counted = asked()
  local members = counted and { ["@odata.count"] = TOTAL } or {}
  if skip + PAGE < TOTAL then members["@odata.nextLink"] = link(skip + PAGE) end
  return page(skip + 1, skip + PAGE, members)
end

local function absolute(host, skip)
  return "http://" .. host .. ":" .. ngx.var.server_port .. ngx.var.uri .. "?$skip=" .. skip
end

--- Requests so far of the sets that change while they are walked, by key.
local steps = {}

local function step(key)
  steps[key] = (steps[key] or -1) + 1
  return steps[key]
end

--- Forgets the keys.
function paging.forget() steps = {} end

local sets = {}

-- plain: nothing wrong.
function sets.plain() return plain(TOTAL) end

-- relative: pages of 100 rows, each with a nextLink relative to its own URL.
function sets.relative()
  return linked(function(skip) return ngx.var.uri:match("[^/]*$") .. "?$skip=" .. skip end)
end

-- absolute: the same with whole URLs.
function sets.absolute()
  return linked(function(skip) return absolute("127.0.0.1", skip) end)
end

-- other_host: nextLinks lead to another host (localhost).
function sets.other_host()
  return linked(function(skip) return absolute("localhost", skip) end)
end

-- repeated: every page links to the second one.
function sets.repeated()
  local skip = asked()
  return page(skip + 1, skip + PAGE, { ["@odata.nextLink"] = absolute("127.0.0.1", PAGE) })
end

-- itself: every page links to itself.
function sets.itself()
  local skip = asked()
  return page(skip + 1, skip + PAGE, { ["@odata.nextLink"] = absolute("127.0.0.1", skip) })
end

-- no_url: nextLinks that are no URL.
function sets.no_url()
  return linked(function() return "http://[" end)
end

-- empty_page: as absolute, with one page more in the middle that has a nextLink and no rows.
function sets.empty_page()
  local skip = asked()
  if skip == 3 * PAGE and not ngx.var.arg_after then
    return page(1, 0, { ["@odata.nextLink"] = absolute("127.0.0.1", skip) .. "&after=1" })
  end
  return sets.absolute()
end

-- capped/CAP: never more than CAP rows, whatever $top says; with a count when that is asked for.
function sets.capped(cap) return plain(tonumber(cap)) end

-- uncounted/CAP: the same, and never a count.
function sets.uncounted(cap)
  local skip, top = asked()
  return page(skip + 1, skip + math.min(top, tonumber(cap)))
end

-- overcounted: the count says ten rows more than there are.
function sets.overcounted() return plain(TOTAL, TOTAL + 10) end

-- undercounted: the count says ten rows less than there are.
function sets.undercounted() return plain(TOTAL, TOTAL - 10) end

-- counts/NUMBER[/CAP]: the count says so many rows; no page has more than CAP.
function sets.counts(number, cap) return plain(tonumber(cap) or TOTAL, tonumber(number)) end

-- growing/KEY: with every request there is one more row at the front.
function sets.growing(key)
  local skip, top, counted = asked()
  local more = step("growing/" .. key)
  local first = skip + 1 - more
  return page(first, first + top - 1, counted and { ["@odata.count"] = TOTAL + more } or nil)
end

-- shrinking/KEY: with every request the first row is gone.
function sets.shrinking(key)
  local skip, top, counted = asked()
  local gone = step("shrinking/" .. key)
  local first = skip + 1 + gone
  return page(first, first + top - 1, counted and { ["@odata.count"] = TOTAL - gone } or nil)
end

-- dies/PAGE: status 500 for the rows of that page, counted from 1 by the $top of the request.
function sets.dies(dying)
  if page_number() == tonumber(dying) then
    problem.orchestrator(500, 0, "An error has occurred.")
  end
  return plain(TOTAL)
end

-- short/PAGE: that page, asked for from its beginning, has half of its rows.
function sets.short(short)
  local skip, top = asked()
  return plain(skip % top == 0 and page_number() == tonumber(short) and top / 2 or TOTAL)
end

-- stalls/PAGE: that page and those behind are never answered.
function sets.stalls(stalling)
  if page_number() >= tonumber(stalling) then return wire.stall() end
  return plain(TOTAL)
end

--- Serves a set.
function paging.serve(name, ...)
  local set = sets[name] or problem.raise(404, "no such set\n")
  return set(...)
end

return paging

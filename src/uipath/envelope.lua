-- The forms in which the services send a page of rows.

local null = require "uipath".null

local envelope = {}

-- Where each has its rows, and what else it tells: the number of rows in all, the name of a link or a token that leads on.
local FORMS = {
  -- OData
  { rows = "value", total = function(page) return page["@odata.count"] end, link = "@odata.nextLink" },
  -- Test Manager, both
  { rows = "data", total = function(page)
    local paging = page.paging
    return type(paging) == "table" and paging.total or page.totalItems
  end },
  -- Identity
  { rows = "results", total = function(page) return page.totalCount end },
  -- Orchestrator beside OData
  { rows = "PageItems", total = function(page) return page.Count end },
  -- files of buckets
  { rows = "items", token = "continuationToken" },
  -- the unified audit log, newest first: `next` leads to what is newer
  { rows = "auditEvents", link = "previous" },
}

-- What other services call the number of rows in all.
local TOTALS = { "@odata.count", "totalCount", "TotalCount", "total", "totalItems", "totalElements", "totalRecordCount" }

-- An empty object is none: decoded arrays are marked.
local function is_list(value)
  return type(value) == "table" and (value[1] ~= nil or (next(value) == nil and getmetatable(value) ~= nil))
end

local function text(value)
  if type(value) == "string" and value ~= "" then return value end
end

local function total_of(page, form)
  local total
  if form.total then total = form.total(page) end
  for _, name in ipairs(TOTALS) do
    if total == nil then total = page[name] end
  end
  if type(total) == "number" and total >= 0 then return total end -- -1 says that it was not counted
end

-- The link to the next page, where a reply has one under its form's name or another that is usual.
local function link_of(page, form)
  local link = form.link and text(page[form.link])
  if link or form.link == "previous" then return link end
  for _, name in ipairs { "@odata.nextLink", "odata.nextLink", "nextLink", "next" } do
    link = text(page[name])
    if link and (name ~= "next" or link:find "^[/?]" or link:find "^%a[%w+.-]*://") then return link end
  end
end

-- Whether the reply says that there is more, and nothing of where.
local function says_more(page)
  local paging = type(page.paging) == "table" and page.paging or {}
  return page.hasNextPage == true or page.hasMore == true or paging.nextPage == true
end

---@class uipath.Page
---@field rows table[]
---@field member? string  the member that holds the rows; nil: the reply is an array
---@field total? integer  rows in all
---@field link? string  of the next page
---@field token? string  of the next page
---@field more boolean  whether the reply says that there is another page

local function page_of(value, form)
  return {
    rows = value[form.rows], member = form.rows, total = total_of(value, form), link = link_of(value, form),
    token = form.token and text(value[form.token]), more = says_more(value),
  }
end

---Finds rows and the way on in a decoded reply of a form that the services are known to send. nil: it is none.
---@param value any
---@return uipath.Page?
function envelope.read(value)
  if type(value) ~= "table" then return nil end
  for _, form in ipairs(FORMS) do
    if is_list(value[form.rows]) then return page_of(value, form) end
  end
  -- A bare array; an empty object is none, and cannot be told from an empty array by its members.
  if is_list(value) then return { rows = value, more = false } end
end

-- The one member that is an array of objects; for want of that, the one that is an empty array. nil: none, or several.
local function only_list(value)
  local found, empty = {}, {}
  for name, each in pairs(value) do
    if is_list(each) then
      local names = type(each[1]) == "table" and found or each[1] == nil and empty or {}
      names[#names + 1] = name
    end
  end
  if #found == 0 then found = empty end
  return #found == 1 and found[1] or nil
end

-- Whether the reply is one thing, which may have a list inside, and no list of things.
local function is_entity(value)
  local context = text(value["@odata.context"])
  return value.Id ~= nil or value.id ~= nil or (context ~= nil and context:find "/%$entity$" ~= nil)
end

---The same for a walk, which has asked for a list: its rows may be under any name that only one array has.
---@param value any
---@param member? string where the page before had its rows
---@return uipath.Page?
function envelope.read_any(value, member)
  if type(value) ~= "table" then return nil end
  if member and is_list(value[member]) then
    for _, form in ipairs(FORMS) do
      if form.rows == member then return page_of(value, form) end
    end
    return page_of(value, { rows = member })
  end
  local page = envelope.read(value)
  if page or is_entity(value) then return page end
  local name = only_list(value)
  return name and page_of(value, { rows = name })
end

---What a reply is that is no page, in a few words.
function envelope.describe(value)
  if type(value) ~= "table" then return "a " .. type(value) end
  local names = {}
  for name in pairs(value) do names[#names + 1] = tostring(name) end
  table.sort(names)
  if #names == 0 then return "an empty object" end
  return "an object with " .. table.concat(names, ", ", 1, math.min(#names, 5)) .. (#names > 5 and ", …" or "")
end

local function is_same(one, other)
  if type(one) ~= "table" or type(other) ~= "table" then return one == other end
  for name, value in pairs(one) do
    if not is_same(value, other[name]) then return false end
  end
  for name in pairs(other) do
    if one[name] == nil then return false end
  end
  return true
end

---Whether two pages hold the same.
---@param rows any[]
---@param others any[]
---@return boolean
function envelope.are_same(rows, others)
  return #rows > 0 and is_same(rows, others)
end

---What a page is known again by: the key of its first row, or for want of one all that the row holds. nil: every page looks alike, as where
---only members were selected that many rows share, or where the key is the same in all rows (robot logs have the Id 0).
---@param rows any[]
---@return { key: string?, value: any }? mark
function envelope.mark(rows)
  local first, second = rows[1], rows[2]
  for _, name in ipairs { "Id", "id", "Key", "key" } do
    local value = type(first) == "table" and first[name]
    if value and value ~= null then
      if type(second) == "table" and second[name] == value then return nil end
      return { key = name, value = value }
    end
  end
  if first == nil or is_same(first, second) then return nil end
  return { value = first }
end

---Whether the first row of the page that has this mark is among the first of another page.
---@param rows any[]
---@param mark { key: string?, value: any }
---@param number integer  how many rows are looked at
function envelope.holds(rows, mark, number)
  for index = 1, math.min(number, #rows) do
    local row = rows[index]
    if mark.key and type(row) == "table" then row = row[mark.key] end
    if is_same(mark.value, row) then return true end
  end
  return false
end

return envelope

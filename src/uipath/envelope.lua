-- The forms in which the services send a page of rows.

local null = require "uipath".null

local envelope = {}

-- Where each has its rows, and what else it tells: the number of rows in all, a link or a token that leads on.
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
}

local function is_list(value)
  return type(value) == "table" and (value[1] ~= nil or next(value) == nil)
end

local function text(value)
  if type(value) == "string" and value ~= "" then return value end
end

---@class uipath.Page
---@field rows table[]
---@field total? integer  rows in all
---@field link? string  of the next page
---@field token? string  of the next page

---Finds rows and the way on in a decoded reply. nil: it is no page.
---@param value any
---@return uipath.Page?
function envelope.read(value)
  if type(value) ~= "table" then return nil end
  for _, form in ipairs(FORMS) do
    local rows = value[form.rows]
    if is_list(rows) then
      local total = form.total and form.total(value)
      return {
        rows = rows, total = type(total) == "number" and total >= 0 and total or nil, -- -1 says that it was not counted
        link = form.link and text(value[form.link]), token = form.token and text(value[form.token]),
      }
    end
  end
  -- A bare array; an empty object is none, and cannot be told from an empty array by its members.
  if value[1] ~= nil or (next(value) == nil and getmetatable(value) ~= nil) then return { rows = value } end
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

-- Which thing a name, an id, a key or a row means.

local internal = require "uipath.internal"
local recipes = require "uipath.recipes"
local shared = require "uipath.recipes.shared"
local uipath = require "uipath"

local with, failure = shared.with, shared.failure

local find = {}

-- More things of one name than this are not worth listing.
local MOST_HITS = 20
-- Among so many names the nearest are looked for.
local MOST_NAMES = 1000
local NEAREST = 3

---@class uipath.recipes.Kind what can be found
---@field noun string
---@field set string the path of its list
---@field name? string the property that its name is; default Name
---@field key? string the property that its key is; default Key
---@field quoted? boolean whether the key is a string to the service, and no GUID

---The names that are nearest to one that is not there, as words for a message, or "".
---@param name string
---@param names string[]
---@return string
function find.nearest(name, names)
  local left, found = {}, {}
  for i, each in ipairs(names) do left[i] = each end
  for _ = 1, NEAREST do
    local near = internal.suggestion(name, left):match "did you mean '(.*)'%?%)$"
    if not near then break end
    found[#found + 1] = ("'%s'"):format(near)
    for i, each in ipairs(left) do
      if each == near then table.remove(left, i) break end
    end
  end
  if #found > 0 then return (" (did you mean %s?)"):format(table.concat(found, " or ")) end
  if #names == 0 then return " (there is none at all)" end
  for i = 1, math.min(#names, NEAREST) do found[i] = ("'%s'"):format(names[i]) end
  local more = #names > NEAREST and (" and %d more"):format(#names - NEAREST) or ""
  return (" (there is %s%s)"):format(table.concat(found, ", "), more)
end

-- Where it was looked for, in words.
local function place(client, call)
  if call.folder == false then return "the tenant" end
  local folder = call.folder or internal.option(client, "folder")
  if not folder then return "the tenant" end
  return type(folder) == "number" and ("the folder %d"):format(folder) or "the folder " .. tostring(folder)
end

---That there is no such thing, with the place and the nearest names.
---@param kind uipath.recipes.Kind
---@param name string
---@return uipath.Error
function find.missing(client, kind, name, call)
  local property = kind.name or "Name"
  local rows = client:get(kind.set, with(call, { select = kind.selects ~= false and property or nil, top = MOST_NAMES })) or {}
  local names = {}
  for _, row in ipairs(type(rows.value) == "table" and rows.value or {}) do names[#names + 1] = row[property] end
  return failure("not_found", ("there is no %s '%s' in %s%s"):format(kind.noun, name, place(client, call),
    type(rows.value) == "table" and find.nearest(name, names) or ""))
end

-- Of several rows the one that has the name letter by letter: the service does not heed case. nil: none, or several.
local function exact(rows, property, name)
  local found
  for _, row in ipairs(rows) do
    if row[property] == name then
      if found then return nil end
      found = row
    end
  end
  return found
end

local function ambiguous(client, kind, name, rows, call)
  local ids = {}
  for i, row in ipairs(rows) do ids[i] = shared.id(row.Id) end
  return failure("usage", ("there are several: %s '%s' in %s has the ids %s"):format(kind.noun, name, place(client, call),
    table.concat(ids, ", ")), { hint = "give the id of the one that is meant, a number" })
end

---The row of a name; false: there is none. Several are an error.
---@param kind uipath.recipes.Kind
---@param name string
---@param call table
---@return table|false|nil row
---@return uipath.Error? err
function find.named(client, kind, name, call)
  local property = kind.name or "Name"
  local answer, err = client:get(kind.set, with(call, { filter = { property .. " eq ?", name }, top = MOST_HITS, expand = kind.expand }))
  if not answer then return nil, err end
  local rows = answer.value
  if type(rows) ~= "table" then return nil, failure("decode", "a list was due, and its value is missing") end
  if #rows == 0 then return false end
  local row = #rows == 1 and rows[1] or exact(rows, property, name)
  if row then return row end
  return nil, ambiguous(client, kind, name, rows, call)
end

local function by_key(client, kind, key, call)
  local value = kind.quoted and key or uipath.odata.guid(key)
  local filter = { (kind.key or "Key") .. " eq ?", value }
  local answer, err = client:get(kind.set, with(call, { filter = filter, top = 2, expand = kind.expand }))
  if not answer then return nil, err end
  local row = type(answer.value) == "table" and answer.value[1]
  if row then return row end
  return nil, failure("not_found", ("there is no %s with the key %s in %s"):format(kind.noun, key, place(client, call)))
end

local function by_id(client, kind, id, call)
  local row, err = client:get(shared.entity(kind.set, id), with(call, { expand = kind.expand }))
  if row == nil and err.status == 404 then
    err.message = ("there is no %s with the id %s in %s"):format(kind.noun, shared.id(id), place(client, call))
    err.kind = "not_found"
  end
  return row, err
end

---The row that is meant.
---@param kind uipath.recipes.Kind
---@param ref any a name, an id, a key, a row or { name = … }
---@param call table options of the requests
---@param member? string what is needed of it: a row that lacks it is fetched
---@return table? row
---@return uipath.Error? err
function find.one(client, kind, ref, call, member)
  if type(ref) == "number" then return by_id(client, kind, ref, call) end
  if type(ref) == "table" and ref.Id ~= nil then
    if member == nil or shared.value(ref[member]) ~= nil then return ref end
    return by_id(client, kind, ref.Id, call)
  end
  if type(ref) == "string" and recipes.is_guid(ref) then return by_key(client, kind, ref, call) end
  local name = find.name(ref)
  local row, err = find.named(client, kind, name, call)
  if row == false then return nil, find.missing(client, kind, name, call) end
  return row, err
end

---The name that a reference is, or has; nil where it is an id or a key.
---@return string?
function find.name(ref, kind)
  if type(ref) == "table" then return ref.name or ref[kind and kind.name or "Name"] end
  return type(ref) == "string" and not recipes.is_guid(ref) and ref or nil
end

return find

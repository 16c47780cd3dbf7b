-- The options of a walk: checked, with all that the caller gave of the walk's own parameters.

local internal = require "uipath.internal"
local given = require "uipath.paging.given"
local uipath = require "uipath"

local options = {}

-- What is not passed on as it is.
local OWN = {
  page_size = true, limit = true, top = true, skip = true, prefetch = true, by = true,
  on_progress = true, count = true,
}

-- The option's value, if it is a whole number from `least`.
local function whole_number(from, name, least)
  local value = from[name]
  if value == nil then return nil end
  if type(value) ~= "number" or value < least or value ~= math.floor(value) or value > 2 ^ 53 then
    internal.raise(("%s must be a whole number from %d"):format(name, least))
  end
  return math.tointeger and math.tointeger(value) or value -- luacheck: ignore 143
end

-- Whether the list or string of properties names this one, or all.
local function selects(list, name)
  for _, part in ipairs(type(list) == "table" and list or { list }) do
    for word in tostring(part):gmatch("[^,%s]+") do
      if word == name or word == "*" then return true end
    end
  end
  return false
end

-- by: takes the caller's own filter, wherever it stands: it is put into parentheses, and needed as
-- text.
local function take_by(walk, asked)
  local by = asked.options.by
  if by == nil then return end
  if type(by) ~= "string" or not by:find("^[%a_][%w_]*$") then
    internal.raise("by must be the name of a property, such as \"Id\"")
  end
  if not walk.service.counts then
    internal.raise("by is for the lists of Orchestrator's odata/… alone")
  end
  if asked:value "orderby" ~= nil then
    internal.raise("by and orderby exclude each other: by is the order")
  end
  if asked.options.skip ~= nil then internal.raise("by and skip exclude each other") end
  local select = asked:value "select"
  if select ~= nil and not selects(select, by) then
    internal.raise(("by: select must contain '%s'"):format(by))
  end
  walk.by, walk.filter = by, asked:take "filter"
  if type(walk.filter) == "table" then
    local unpack_list = table.unpack or unpack -- luacheck: ignore 113 143
    local ok, text = pcall(uipath.odata.filter, unpack_list(walk.filter, 1, #walk.filter))
    if not ok then internal.raise(text) end
    walk.filter = text
  elseif walk.filter ~= nil and type(walk.filter) ~= "string" then
    internal.raise("filter must be a string or a list { text, value, … }, got a "
      .. type(walk.filter))
  elseif walk.filter and not walk.filter:find "%S" then
    walk.filter = nil
  end
end

local function check_boolean(count)
  if count == nil or type(count) == "boolean" then return end
  internal.raise("count must be true or false")
end

-- Whether the pages tell the number of rows. The walk asks for it itself, so that it may be said
-- anywhere.
local function take_count(asked)
  local count = asked:take "count"
  local words = { ["true"] = true, ["false"] = false }
  local word = type(count) == "string" and count:lower()
  if words[word] ~= nil then count = words[word] end
  check_boolean(count)
  return count ~= false
end

-- Raises for the walk's own parameters where they are not its options.
local function refuse_own(service, asked)
  for _, role in ipairs { "size", "offset", "token" } do
    local name = service[role]
    if name and asked:is_elsewhere(name:lower()) then
      internal.raise(("'%s' is the walk's own: give limit, page_size and skip instead")
        :format(name))
    end
  end
  if not service.offset and asked.options.skip then
    internal.raise("skip is not for lists whose pages lead on by a token or a link")
  end
end

---What a walk is to do: `path` and `options` of its requests, `limit`, `start`, `size`, `prefetch`
---(nil: the client's), `on_progress`, `by`, `filter` (with `by`), `counts`. Raises the caller's
---mistakes.
---@param service table
---@param path string
---@param from? uipath.PagingOptions
---@return table walk
function options.read(service, path, from)
  local asked = given.new(path, from)
  local own, walk = asked.options, { service = service, options = {} }
  local limit, top = whole_number(own, "limit", 0), whole_number(own, "top", 0)
  if limit and top then
    internal.raise("limit and top mean the same here: give one of them")
  end
  walk.limit = limit or top or math.huge
  walk.start = whole_number(own, "skip", 0) or 0
  walk.size = math.min(whole_number(own, "page_size", 1) or service.cap, service.cap)
  walk.prefetch = whole_number(own, "prefetch", 1)
  walk.on_progress = own.on_progress
  if walk.on_progress ~= nil and type(walk.on_progress) ~= "function" then
    internal.raise("on_progress must be a function")
  end
  local count = own.count
  check_boolean(count)
  refuse_own(service, asked)
  take_by(walk, asked)
  walk.counts = service.counts and take_count(asked)
  for name, value in pairs(own) do
    if not OWN[name] then walk.options[name] = value end
  end
  if not service.counts then walk.options.count = count end
  walk.path = asked.path
  return walk
end

return options

--- OData's query options on a set: `$filter $orderby $skip $top $count $select $expand`, with the
--- service's limits, and the JSON of the page that they ask for.

local filter = require("uipath.sandbox.filter")
local gzip = require("uipath.sandbox.gzip")
local json = require("uipath.sandbox.json")
local problem = require("uipath.sandbox.problem")
local rows = require("uipath.sandbox.rows")

local query = {}

local MAX_ORDERINGS = 5

local KNOWN = {
  ["$filter"] = true, ["$orderby"] = true, ["$skip"] = true, ["$top"] = true, ["$count"] = true,
  ["$select"] = true, ["$expand"] = true,
}

-- Reading the options ---------------------------------------------------------------------------

local function whole_number(options, name)
  local text = options[name]
  if not text then return nil end
  local number = text:find("^%d+$") and tonumber(text)
  if not number or number > 2147483647 then
    problem.bad_query(("Invalid value '%s' for %s query option found. The %s query option "
      .. "requires a non-negative integer value."):format(text, name, name))
  end
  return number
end

--- Splits at commas that stand outside of parentheses.
local function split(text)
  local items, depth, first = {}, 0, 1
  for at, character in text:gmatch("()([(),])") do
    if character == "(" then
      depth = depth + 1
    elseif character == ")" then
      depth = depth - 1
    elseif depth == 0 then
      items[#items + 1], first = text:sub(first, at - 1), at + 1
    end
  end
  items[#items + 1] = text:sub(first)
  for index, item in ipairs(items) do items[index] = item:match("^%s*(.-)%s*$") end
  return items
end

local function unknown_property(name, entity)
  problem.bad_query(("Could not find a property named '%s' on type '%s'.")
    :format(name, entity.type))
end

--- The properties that `$select` names, in the type's own order.
local function selection(text, entity)
  if not text or text == "*" then return entity.properties end
  local wanted = {}
  for _, name in ipairs(split(text)) do
    if name ~= "*" and not entity.kinds[name] and not entity.related[name] then
      unknown_property(name, entity)
    end
    wanted[name] = true
  end
  if wanted["*"] then return entity.properties end
  local properties = {}
  for _, name in ipairs(entity.properties) do
    if wanted[name] then properties[#properties + 1] = name end
  end
  return properties
end

local function expansions(text, entity)
  local list = {}
  for _, item in ipairs(text and split(text) or {}) do
    local name, inner = item:match("^(%w+)(.*)$")
    local related = name and entity.related[name]
    if name and entity.collections and entity.collections[name] then
      list[#list + 1] = { name = name, whole = true }
      related = nil
    elseif not related then unknown_property(name or item, entity) end
    local select = inner:match("^%(%s*%$select=([^()$;]*)%)$")
    if inner ~= "" and not select then
      problem.bad_query("Of the options within $expand, $select alone is supported here.")
    end
    if related then list[#list + 1] = { name = name, properties = selection(select, related) } end
  end
  return list
end

local function orderings(text, entity)
  local list = {}
  for _, item in ipairs(text and split(text) or {}) do
    local name, direction = item:match("^(%w+)%s*(%a*)$")
    if not name or (direction ~= "" and direction ~= "asc" and direction ~= "desc") then
      problem.bad_query("Syntax error in '" .. text .. "'.")
    end
    if not entity.kinds[name] then unknown_property(name, entity) end
    list[#list + 1] = { name = name, descending = direction == "desc" }
  end
  if #list > MAX_ORDERINGS then
    problem.bad_query("The number of clauses in $orderby query option exceeded the maximum number "
      .. "allowed. The maximum number of $orderby clauses allowed is " .. MAX_ORDERINGS .. ".")
  end
  return list
end

--- Checks the options of a request. Names without `$` are none of OData's business.
local function check_names(options)
  for name, value in pairs(options) do
    if name:sub(1, 1) == "$" then
      if not KNOWN[name] then
        problem.bad_query("The query parameter '" .. name .. "' is not supported.")
      elseif type(value) ~= "string" or value == "" then
        problem.bad_query("Query option '" .. name .. "' must be given once and not be empty.")
      end
    end
  end
end

-- Choosing the rows -----------------------------------------------------------------------------

local function matcher(text, set)
  local matches, message = filter.compile(text, {
    type = set.type.type, kinds = set.type.kinds, related = set.type.related, read = set.read,
  })
  if not matches then problem.bad_query(message) end
  return matches
end

--- Null comes first, as in the service's database.
local function before(a, b)
  if a == json.null then return b ~= json.null end
  if b == json.null then return false end
  if type(a) == "boolean" then return not a and b end
  return a < b
end

--- Sorts rows by the properties asked for; where these are equal the rows keep their order.
local function sort(list, order, read)
  local decorated = {}
  for position, row in ipairs(list) do
    local keys = { position = position, row = row }
    for index, by in ipairs(order) do keys[index] = read(row, by.name) end
    decorated[position] = keys
  end
  table.sort(decorated, function(a, b)
    for index, by in ipairs(order) do
      if a[index] ~= b[index] then
        if by.descending then return before(b[index], a[index]) end
        return before(a[index], b[index])
      end
    end
    return a.position < b.position
  end)
  for position, keys in ipairs(decorated) do list[position] = keys.row end
end

--- A memory of results up to a total size, the newest ones.
local function memory(capacity)
  local entries, first, last, total = {}, 1, 0, 0
  local order = {}
  return {
    get = function(key) return entries[key] and entries[key].value end,
    put = function(key, value, size)
      last, total = last + 1, total + size
      order[last], entries[key] = key, { value = value, size = size }
      while total > capacity and first < last do
        total = total - entries[order[first]].size
        entries[order[first]], order[first] = nil, nil
        first = first + 1
      end
    end,
  }
end

--- The rows that the last requests chose, so that they are not searched for again for each page.
local chosen_rows = memory(8)

--- The rows that `$filter` and `$orderby` ask for.
---@return integer count
---@return fun(position: integer): any row_at
local function choose(set, folder, options)
  local count, row_at = set.rows(folder)
  local text, order_text = options["$filter"], options["$orderby"]
  if not text and not order_text then return count, row_at end
  local key = table.concat({ set.type.name, folder and folder.Id or "", text or "",
    order_text or "", rows.version }, "\0")
  local list = chosen_rows.get(key)
  if not list then
    local matches = text and matcher(text, set)
    local order = orderings(order_text, set.type)
    list = {}
    for position = 1, count do
      local row = row_at(position)
      if not matches or matches(row) then list[#list + 1] = row end
    end
    if order[1] then sort(list, order, set.read) end
    chosen_rows.put(key, list, 1)
  end
  return #list, function(position) return list[position] end
end

query.choose = choose

-- Writing ---------------------------------------------------------------------------------------

--- A function that appends a row's JSON to a list of texts.
local function writer(set, options)
  local read, encode = set.read, json.encode
  local properties = selection(options["$select"], set.type)
  local expand = expansions(options["$expand"], set.type)
  local names = {}
  for index, property in ipairs(properties) do names[index] = '"' .. property .. '":' end

  --- opening begins the row's object and may hold a first member.
  return function(parts, row, opening)
    local n = #parts + 1
    local separator = opening == "{" and "" or ","
    parts[n] = opening
    for index, property in ipairs(properties) do
      parts[n + 1], parts[n + 2] = separator, names[index]
      parts[n + 3] = encode(read(row, property))
      separator, n = ",", n + 3
    end
    for _, related in ipairs(expand) do
      local entity, members, text = read(row, related.name), {}, "null"
      if related.whole then
        text = encode(entity)
      elseif entity ~= json.null then
        for index, property in ipairs(related.properties) do
          members[2 * index - 1], members[2 * index] = property, entity[property]
        end
        text = json.object(members, #related.properties)
      end
      parts[n + 1], parts[n + 2], parts[n + 3] = separator, '"' .. related.name .. '":', text
      separator, n = ",", n + 3
    end
    parts[n + 1] = "}"
  end
end

--- The value of `@odata.context` in front of a set or an entity.
local function context_member(base, name, options, suffix)
  local selected = options["$select"]
  return '"@odata.context":' .. json.encode(base .. "/odata/$metadata#" .. name
    .. (selected and "(" .. selected .. ")" or "") .. (suffix or ""))
end

--- The link to the rest of a page that the server has ended before the client's own limit.
local function next_link(name, options, skip, top)
  local arguments = {}
  for option, value in pairs(options) do
    if option ~= "$skip" and option ~= "$top" then
      arguments[#arguments + 1] = option .. "=" .. ngx.escape_uri(value)
    end
  end
  table.sort(arguments)
  if top then arguments[#arguments + 1] = "$top=" .. top end
  arguments[#arguments + 1] = "$skip=" .. skip
  return name .. "?" .. table.concat(arguments, "&")
end

--- Pages by bytes: what is asked for again is not written again.
local pages = memory(64e6)

---@class uipath.sandbox.PageRequest
---@field set table
---@field name string  of the set
---@field folder? table
---@field options table<string, string>  the query, decoded
---@field query string  the query as it was sent
---@field base string  URL of Orchestrator
---@field page_size? integer  the server's own page size
---@field next_link? string  "absolute": nextLinks are whole URLs

--- Shorter pages are left to nginx's own compression.
local LEAST_TO_COMPRESS = 10000

--- A page as the request's sender reads it.
---@param page { text: string, packed: string|false|nil }
---@return string body
---@return table<string, string>|nil headers
local function encoded(page)
  if #page.text < LEAST_TO_COMPRESS or not gzip.is_accepted() then return page.text end
  if page.packed == nil then page.packed = gzip.compress(page.text) or false end
  if not page.packed then return page.text end
  return page.packed, { ["Content-Encoding"] = "gzip", Vary = "Accept-Encoding",
    ["Content-Type"] = "application/json; charset=utf-8" }
end

--- The JSON of the page that a request asks for. Raises a problem for options that are not allowed.
---@param request uipath.sandbox.PageRequest
---@return string body
---@return table<string, string>|nil headers
function query.page(request)
  local set, options = request.set, request.options
  check_names(options)
  local key = table.concat({ request.base, request.name, request.folder and request.folder.Id or "",
    request.query, request.page_size or "", request.next_link or "", rows.version }, "\0")
  local page = pages.get(key)
  if page then return encoded(page) end

  local top, skip = whole_number(options, "$top"), whole_number(options, "$skip") or 0
  if top and top > set.page_cap then
    problem.bad_query(("The limit of '%d' for Top query has been exceeded. The value from the "
      .. "incoming request is '%d'."):format(set.page_cap, top))
  end
  local counted = options["$count"]
  if counted and counted ~= "true" and counted ~= "false" then
    problem.bad_query("Invalid value '" .. counted .. "' for $count query option found.")
  end
  local count, row_at = choose(set, request.folder, options)
  local write = writer(set, options)
  local wanted = math.max(0, math.min(top or set.page_cap, count - skip))
  local given = math.min(wanted, request.page_size or wanted)

  local parts = { "{", context_member(request.base, request.name, options) }
  if counted == "true" then parts[#parts + 1] = ',"@odata.count":' .. count end
  parts[#parts + 1] = ',"value":['
  for position = skip + 1, skip + given do
    if position > skip + 1 then parts[#parts + 1] = "," end
    write(parts, row_at(position), "{")
  end
  parts[#parts + 1] = "]"
  if given < wanted then
    local link = next_link(request.name, options, skip + given, top and top - given)
    if request.next_link == "absolute" then link = request.base .. "/odata/" .. link end
    parts[#parts + 1] = ',"@odata.nextLink":' .. json.encode(link)
  end
  parts[#parts + 1] = "}"
  page = { text = table.concat(parts) }
  pages.put(key, page, #page.text)
  return encoded(page)
end

--- The JSON of one entity.
---@return string
function query.entity(request, row)
  check_names(request.options)
  local parts = {}
  writer(request.set, request.options)(parts, row,
    "{" .. context_member(request.base, request.name, request.options, "/$entity"))
  return table.concat(parts)
end

---A whole number among the arguments of a request beside OData.
---@param arguments table
---@param name string
---@param default integer
---@return integer
function query.whole_argument(arguments, name, default)
  local text = arguments[name]
  if not text then return default end
  local number = type(text) == "string" and text:find("^%d+$") and tonumber(text)
  if not number then
    problem.orchestrator(400, 1009, "The value '" .. tostring(text) .. "' is not valid.")
  end
  return number
end

return query

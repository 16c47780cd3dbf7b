-- What Tab offers: names of Lua and of values, methods, paths of the catalogue, options of calls, fields of the last reply.

local uipath = require "uipath"
local values = require "uipath.output.values"

local completion = {}

local keywords = {
  "and", "break", "do", "else", "elseif", "end", "false", "for", "function", "goto", "if", "in", "local", "nil", "not", "or", "repeat",
  "return", "then", "true", "until", "while",
}

local is_keyword = {}
for _, word in ipairs(keywords) do is_keyword[word] = true end

-- Options of calls, and of those that walk pages.
local call_options = {
  "apply", "body", "count", "expand", "filter", "folder", "headers", "idempotent", "level", "max_attempts", "orderby", "query", "search",
  "select", "skip", "timeout", "top",
}
local paging_options = { "by", "limit", "on_progress", "page_size", "prefetch" }

-- The methods of HTTP that the methods of a client use; false: any.
local methods = {
  get = "GET", each = "GET", pages = "GET", collect = "GET", count = "GET", post = "POST", put = "PUT", patch = "PATCH",
  delete = "DELETE", describe = false, can = false, request = false, start = false,
}
local http_methods = { "DELETE", "GET", "PATCH", "POST", "PUT" }

-- Names of members that rows of the last reply have, and those of each list that there was one of.
local fields, fields_of_list = {}, {}

local LONGEST_NAME = 100 -- bytes

-- Keys come from a service: what Tab inserts must be a name, and never code.
local function is_name(key)
  return type(key) == "string" and #key <= LONGEST_NAME and key:find "^[%a_][%w_]*$" ~= nil
end

-- The names of the members of up to ten rows.
local function names_in(rows)
  local found = {}
  for i = 1, math.min(#rows, 10) do
    if type(rows[i]) == "table" then
      for name in pairs(rows[i]) do
        if is_name(name) then found[name] = true end
      end
    end
  end
  return found
end

-- What a path or URL ends in that names a list: "Jobs".
local function list_of(path)
  return path:match "^[^?#]*":gsub("%(.*$", ""):match "([%w_]+)/?$"
end

---Remembers the names of the fields of a reply.
---@param reply any
---@param response? any what came with it
function completion.remember(reply, response)
  if not values.is_plain(reply) then return end
  local found = names_in(values.rows(reply) or { reply })
  if not next(found) then return end
  fields = found
  local url = type(response) == "table" and response.url
  local list = type(url) == "string" and list_of(url)
  if list then fields_of_list[list] = found end
end

-- Those of the names that begin with the text, sorted, each once.
local function beginning_with(start, ...)
  local found, seen = {}, {}
  for i = 1, select("#", ...) do
    local names = select(i, ...)
    local is_list = names[1] ~= nil
    for key, name in pairs(names) do
      if not is_list then name = key end
      if type(name) == "string" and name:sub(1, #start) == start and not seen[name] then
        seen[name] = true
        found[#found + 1] = name
      end
    end
  end
  table.sort(found)
  return found
end

local function each_with(prefix, list)
  for i, each in ipairs(list) do list[i] = prefix .. each end
  return list
end

-- ---------------------------------------------------------------------------
-- Paths
-- ---------------------------------------------------------------------------

local function segments_of(path)
  local segments = {}
  for segment in path:gmatch "[^/]+" do segments[#segments + 1] = segment end
  return segments
end

local templates

-- The segments of all paths, with their methods.
local function load_templates()
  if templates then return end
  templates = {}
  for _, row in ipairs(uipath.endpoints()) do
    if not row.removed then templates[#templates + 1] = { method = row.method, segments = segments_of(row.path) } end
  end
end

-- Whether a segment that has been typed fits that of a template.
local function fits(typed, segment)
  if typed == segment then return true end
  local before, behind = segment:match "^([^{]*){.*}([^}]*)$"
  return before ~= nil and #typed > #before + #behind and typed:sub(1, #before) == before
    and (behind == "" or typed:sub(-#behind) == behind)
end

-- What a segment may become that has been typed in part, or nil: `Jobs(` before a key, `)` behind one.
local function completed(typed, segment)
  local before, behind = segment:match "^([^{]*){[^}]*}([^{]*)"
  if not before then return segment:sub(1, #typed) == typed and segment or nil end
  if before == "" then return nil end
  if before:sub(1, #typed) == typed and typed ~= before then return before, true end
  if typed:sub(1, #before) ~= before or typed == before or behind == "" or typed:find(behind, #before + 1, true) then return nil end
  return typed .. behind, true
end

-- Paths that begin with the text, one segment further; and what comes next in any of them that is a parameter.
local function next_paths(start, method)
  local done, typed = start:match "^(.*/)([^/]*)$"
  done, typed = done or "", typed or start
  local typed_segments, found = segments_of(done), {}
  local count, parameter = #typed_segments, nil
  for _, template in ipairs(templates) do
    local matches = (not method or template.method == method) and template.segments[count + 1] ~= nil
    for i = 1, count do matches = matches and fits(typed_segments[i], template.segments[i]) end
    if matches then
      local segment, is_partial = completed(typed, template.segments[count + 1])
      parameter = parameter or template.segments[count + 1]:match "^{.*}$"
      if segment then
        found[done .. segment .. (template.segments[count + 2] and not is_partial and "/" or "")] = true
      end
    end
  end
  return beginning_with(start, found), parameter
end

---Paths that begin with the text, up to where they part. readline takes a single completion for the end of the string and closes it: where
---the path goes on there are two, one of which shows what comes next.
---@param start string
---@param method? string|false
---@return string[]
local function paths(start, method)
  load_templates()
  local found = next_paths(start, method)
  while #found == 1 and found[1]:find "[/(]$" do
    local further, parameter = next_paths(found[1], method)
    if #further == 0 then return { found[1], found[1] .. (parameter or "…") } end
    if #further > 1 and parameter then further[#further + 1] = found[1] .. parameter end
    if further[1] == found[1] then break end
    found = further
  end
  return found
end

-- ---------------------------------------------------------------------------
-- Inside a string
-- ---------------------------------------------------------------------------

-- Where the string begins that the text ends in, or nil.
local function open_quote(text)
  local quote, at
  local position = 1
  while position <= #text do
    local character = text:sub(position, position)
    if character == "\\" and quote then
      position = position + 1
    elseif quote == character then
      quote, at = nil, nil
    elseif not quote and (character == '"' or character == "'") then
      quote, at = character, position
    end
    position = position + 1
  end
  return at
end

local lists_of_fields = { select = true, expand = true, orderby = true, filter = true, by = true }

-- before: what stands before the quote; content: of the string so far.
local function in_string(before, content, word)
  local option = before:match "(%a+)%s*=%s*{?[^={}]*$"
  if lists_of_fields[option] then
    local path = before:match ":%s*%a+%s*%(?%s*[\"'](.-)[\"']"
    return beginning_with(word, path and fields_of_list[list_of(path) or ""] or fields)
  end
  local candidates
  local method = before:match ":%s*(%a+)%s*%(?%s*$"
  if method == "request" or method == "start" or method == "can" or before:find "{%s*{%s*$" or before:find "},%s*{%s*$" then
    candidates = beginning_with(content, http_methods)
  elseif method and methods[method] ~= nil then
    candidates = paths(content, methods[method])
  elseif before:find "help%s*%(?%s*$" or before:find "endpoints%s*%(?%s*$" then
    candidates = paths(content)
  else
    local named = before:match "[({]%s*[\"'](%u+)[\"']%s*,%s*$"
    if not named then return {} end
    candidates = paths(content, named)
  end
  -- Only what stands behind the last break between words is replaced.
  local cut = #content - #word + 1
  for i, each in ipairs(candidates) do candidates[i] = each:sub(cut) end
  return candidates
end

-- ---------------------------------------------------------------------------
-- Names
-- ---------------------------------------------------------------------------

-- A client's group of recipes, if it is one: a metamethod of ours, which Tab may run.
local function group_of(object, key)
  local metatable = debug.getmetatable(object)
  for _, name in ipairs(type(metatable) == "table" and metatable.groups or {}) do
    if name == key then return object[key] end
  end
end

local function get(object, key)
  if type(object) ~= "table" then return group_of(object, key) end
  local value = rawget(object, key)
  -- A module's names may be loaded on demand; other metamethods are code that Tab must not run.
  local metatable = getmetatable(object)
  if value == nil and type(metatable) == "table" and metatable.names then
    local ok, found = pcall(function() return object[key] end)
    return ok and found or nil
  end
  return value
end

-- The value of `name`, `name.name`, `name[1]` and so on; nil if there is none, or only code would tell.
local function resolve(chain)
  local first, rest = chain:match "^([%a_][%w_]*)(.*)$"
  local value = first and rawget(_G, first)
  while rest and rest ~= "" and value ~= nil do
    local name, behind = rest:match "^%.([%a_][%w_]*)(.*)$"
    local index
    if not name then index, behind = rest:match "^%[(%d+)%](.*)$" end
    if not behind then return nil end
    value, rest = get(value, name or tonumber(index)), behind
  end
  return value
end

-- The names that can be looked up in a value.
local function members(object, functions_only)
  local found = {}
  local function collect(from)
    if type(from) ~= "table" then return end
    for name, value in pairs(from) do
      if is_name(name) and not is_keyword[name] and (not functions_only or type(value) == "function") then
        found[name] = true
      end
    end
    local metatable = getmetatable(from)
    if type(metatable) ~= "table" then return end
    for _, name in ipairs(metatable.names and metatable.names() or {}) do found[name] = true end
    if metatable.__index ~= from then collect(metatable.__index) end
  end
  collect(object)
  local metatable = debug.getmetatable(object)
  if type(object) == "table" or type(metatable) ~= "table" then return found end
  collect(metatable.methods or metatable.__index)
  -- A client's groups of recipes are no functions, but their methods are what is wanted behind a dot.
  for _, name in ipairs(not functions_only and metatable.groups or {}) do found[name] = true end
  return found
end

-- What a local name stands for that the line gives it: a row of a list, in a loop or by its index. nil: the line does not say it.
local function fields_of_local(name, before)
  local path = before:match("for%s+" .. name .. "%f[^%w_].-%f[%w]in%s+[%w_.]+:%a+%s*%(?%s*[\"'](.-)[\"']")
  if path then return fields_of_list[list_of(path) or ""] or {} end
  local found
  for _, form in ipairs {
    "for%s+[%w_]+%s*,%s*" .. name .. "%s+in%s+ipairs%s*%(%s*([%w_.%[%]]+)%s*%)", "local%s+" .. name .. "%s*=%s*([%w_.%[%]]+)",
  } do
    local chain = before:match(form)
    local value = chain and resolve(chain)
    if type(value) == "table" then found = names_in(values.is_array(value) and value or values.rows(value) or { value }) end
  end
  return found
end

-- The fields of rows that code cannot put behind a dot are left out.
local function without_keywords(names)
  local found = {}
  for name in pairs(names) do
    if not is_keyword[name] then found[name] = true end
  end
  return found
end

local function in_code(before, word)
  local chain = word:match "[%a_][%w_.:%[%]]*$" or ""
  local prefix = word:sub(1, #word - #chain)
  local base, separator, start = chain:match "^(.*)([.:])([%w_]*)$"
  if base then
    local object = resolve(base)
    if separator == "." then
      local own = base:find "^[%a_][%w_]*$" and fields_of_local(base, before)
      if own or object == nil then
        return each_with(prefix .. base .. ".", beginning_with(start, without_keywords(own or fields)))
      end
    end
    if object == nil then return {} end
    return each_with(prefix .. base .. separator, beginning_with(start, members(object, separator == ":")))
  end
  local call = before:match ":%s*(%a+)%s*%(.*{[^{}]*$"
  if call and methods[call] ~= nil then
    return each_with(prefix, beginning_with(chain, call_options, methods[call] == "GET" and paging_options or {}))
  end
  -- Behind `client:folder("Shared"):` there most likely is a client.
  if prefix:find ":$" then return each_with(prefix, beginning_with(chain, members(rawget(_G, "client"), true))) end
  if chain == "" or prefix:find "%.$" then return {} end
  return each_with(prefix, beginning_with(chain, _G, keywords))
end

---Completions of the word at the end of a line.
---@param before string the line up to the cursor
---@param word string its last word, as readline divides words
---@return string[] words
function completion.complete(before, word)
  local quote = open_quote(before)
  if quote then return in_string(before:sub(1, quote - 1), before:sub(quote + 1), word) end
  return in_code(before, word)
end

return completion

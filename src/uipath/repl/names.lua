-- help client, help "client:get", help(uipath.map): what the module's own names are for. The words
-- are those that editors know (uipath.library.uipath): they stand in one place.

local uipath = require "uipath"

local names = {}

-- What is called so at the prompt, by the names in the library.
local PREFIXES = { Client = "client", Call = "call", uipath = "uipath" }

---@class uipath.repl.Name
---@field owner string `client`, `uipath`, `uipath.odata` …
---@field name string
---@field text string how it is called
---@field words string[] what it does
---@field parameters string[][] name, type, and what is said of it
---@field returns string[]

local entries, classes

local function add_function(line, words, parameters, returns)
  local owner, separator, name, arguments = line:match "^function ([%w_.]+)([.:])([%w_]+)%((.-)%) end$"
  if not owner then return end
  owner = owner:gsub("^%w+", PREFIXES)
  entries[#entries + 1] = {
    owner = owner, name = name, text = ("%s%s%s(%s)"):format(owner, separator, name, arguments),
    words = words, parameters = parameters, returns = returns,
  }
end

-- A type and what is said behind it: a blank within brackets, or behind a colon, is the type's.
local function split_type(text)
  local depth, last = 0, ""
  for position = 1, #text do
    local character = text:sub(position, position)
    if character:find "[(<{]" then depth = depth + 1 end
    if character:find "[)>}]" then depth = depth - 1 end
    if character == " " and depth == 0 and last ~= ":" and last ~= "," then
      return text:sub(1, position - 1), text:sub(position + 1)
    end
    last = character
  end
  return text, ""
end

-- "name? type what it is" → the name, the type, and what is said of it or, for want of that, the
-- type.
local function described(rest)
  local name, behind = rest:match "^(%S+)%s+(.*)$"
  if not name then return { rest, "", "" } end
  local is, said = split_type(behind)
  return { (name:gsub("%?$", "")), is, said ~= "" and said or is }
end

-- Reads the library; where its file is out of reach, there are no words.
local function load_library()
  if entries then return end
  entries, classes = {}, {}
  local search = package.searchpath -- luacheck: ignore 143
  local path = search and search("uipath.library.uipath", package.path)
  local file = path and io.open(path)
  if not file then return end
  local words, parameters, returns, class = {}, {}, {}, nil
  for line in file:lines() do
    local kind, rest = line:match "^%-%-%-@(%w+)%s*(.*)$"
    if kind == "class" then
      local name, parent = rest:match "^([%w_.]+)%s*:?%s*([%w_.]*)"
      class = { fields = {}, parent = parent }
      classes[name] = class
    elseif kind == "field" and class then
      class.fields[#class.fields + 1] = described(rest)
    elseif kind == "param" then
      parameters[#parameters + 1] = described(rest)
    elseif kind == "return" then
      returns[#returns + 1] = rest
    elseif not kind and line:find "^%-%-%-" then
      words[#words + 1] = line:sub(4)
    elseif not kind then
      add_function(line, words, parameters, returns)
      words, parameters, returns, class = {}, {}, {}, nil
    end
  end
  file:close()
end

-- The fields of a class and of those that it is derived from.
local function fields_of(name)
  local fields = {}
  local class = classes[name]
  while class do
    for _, each in ipairs(class.fields) do fields[#fields + 1] = each end
    class = classes[class.parent]
  end
  return fields
end

---@param entry uipath.repl.Name
---@return string[][] blocks each a text and what is said of it
local function details(entry)
  local blocks = { { entry.text, table.concat(entry.words, " ") } }
  for _, parameter in ipairs(entry.parameters) do
    local fields = fields_of(parameter[2])
    if #fields == 0 then fields = { parameter } end
    for _, field in ipairs(fields) do blocks[#blocks + 1] = { "  " .. field[1], field[3] } end
  end
  for _, each in ipairs(entry.returns) do blocks[#blocks + 1] = { "  gives", each } end
  return blocks
end

---What is known of a name, "client" or "client:get".
---@param topic string
---@return string[][]? blocks each a text and what is said of it
function names.find(topic)
  load_library()
  local wanted = topic:gsub("%s+$", ""):gsub("%(.*$", ""):gsub(":", ".")
  local blocks = {}
  for _, entry in ipairs(entries) do
    local full = entry.owner .. "." .. entry.name
    if full == wanted or (entry.owner == "client" and entry.name == wanted) then return details(entry) end
    if entry.owner == wanted then blocks[#blocks + 1] = { entry.text, table.concat(entry.words, " ") } end
  end
  return #blocks > 0 and blocks or nil
end

-- The name in a table whose value this is.
local function name_of(value, owner, from)
  for name, each in pairs(from) do
    if each == value then return owner .. "." .. tostring(name) end
  end
end

---The topic that a value is: the module, a client, one of their functions.
---@param value any
---@return string? topic
function names.topic_of(value)
  if value == uipath then return "uipath" end
  if type(value) == "userdata" and tostring(value):find "^uipath%.client" then return "client" end
  if type(value) == "userdata" and tostring(value):find "^uipath%.call" then return "call" end
  if type(value) == "table" and rawequal(value, rawget(uipath, "odata")) then return "uipath.odata" end
  if type(value) ~= "function" then return nil end
  local client = rawget(_G, "client")
  local metatable = client ~= nil and debug.getmetatable(client)
  local methods = type(metatable) == "table" and metatable.__index
  return name_of(value, "uipath", uipath) or name_of(value, "uipath.odata", uipath.odata)
    or (type(methods) == "table" and name_of(value, "client", methods)) or nil
end

return names

-- help client, help "client:get", help(uipath.map): what the module's own names are for. The words
-- are those that editors know (uipath.library.uipath): they stand in one place.

local uipath = require "uipath"

local names = {}

-- What is called so at the prompt, by the names in the library. The groups of recipes are the
-- client's: Jobs is client.jobs.
local PREFIXES = setmetatable({ Client = "client", Call = "call", uipath = "uipath" }, {
  __index = function(_, name) return "client." .. name:lower() end,
})
local FILES = { "uipath.library.uipath", "uipath.library.recipes", "uipath.library.tests" }

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
  owner = owner:gsub("^%w+", function(first) return PREFIXES[first] end)
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

-- Reads a file of the library; where it is out of reach, there are no words.
local function load_file(module)
  local search = package.searchpath -- luacheck: ignore 143
  local path = search and search(module, package.path)
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

local function load_library()
  if entries then return end
  entries, classes = {}, {}
  for _, module in ipairs(FILES) do load_file(module) end
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
  local blocks, groups, names_of = {}, {}, {}
  for _, entry in ipairs(entries) do
    local full = entry.owner .. "." .. entry.name
    if full == wanted or full == "client." .. wanted then return details(entry) end
    if entry.owner == wanted or entry.owner == "client." .. wanted then
      blocks[#blocks + 1] = { entry.text, table.concat(entry.words, " ") }
    elseif wanted == "client" and entry.owner:find "^client%." then
      if not names_of[entry.owner] then
        groups[#groups + 1], names_of[entry.owner] = entry.owner, {}
      end
      table.insert(names_of[entry.owner], entry.name)
    end
  end
  for _, group in ipairs(groups) do
    blocks[#blocks + 1] = { group, table.concat(names_of[group], ", ") }
  end
  return #blocks > 0 and blocks or nil
end

-- What stands under the names before the library's functions at the prompt.
local function owner_of(name)
  local first = name:match "^%w+"
  local value = first == "uipath" and uipath or rawget(_G, first)
  for part in name:gmatch "%.([%w_]+)" do value = value and value[part] end
  return value
end

-- The name by which the library knows a function.
local function name_of(value)
  load_library()
  for _, entry in ipairs(entries) do
    local ok, own = pcall(function() return owner_of(entry.owner)[entry.name] end)
    if ok and own == value then return entry.owner .. "." .. entry.name end
  end
end

---The topic that a value is: the module, a client, one of their functions.
---@param value any
---@return string? topic
function names.topic_of(value)
  if value == uipath then return "uipath" end
  if type(value) == "userdata" and tostring(value):find "^uipath%.client" then return "client" end
  if type(value) == "userdata" and tostring(value):find "^uipath%.call" then return "call" end
  if type(value) == "table" then
    load_library()
    for _, entry in ipairs(entries) do
      local ok, owner = pcall(owner_of, entry.owner)
      if ok and rawequal(owner, value) then return entry.owner end
    end
  end
  return type(value) == "function" and name_of(value) or nil
end

return names

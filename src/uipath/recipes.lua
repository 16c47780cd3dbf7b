-- Recipes: what administrators and CI do most, one line each. `client.jobs`, `client.queues` … are groups of methods; each group is
-- one file in uipath/recipes, written on what every script can call, with its description beside it: from that are made the checks
-- here, the shell's verbs, help, completion and `uipath.scopes_for "jobs.run"`.

local internal = require "uipath.internal"

local recipes = {}

---@class uipath.recipes.Method
---@field name string
---@field help string one line
---@field arguments table[] in order: { name, type [, optional = true] }; the types are those of CHECKS and of options
---@field options? table<string, { [1]: string|string[], [2]: string }> its own ones: type (or the words that are allowed) and one line
---@field paging? boolean whether it takes all the options of client:each
---@field waits? boolean whether `timeout` is its own, for the whole wait: each request has the client's
---@field folder? boolean|fun(first: any): boolean whether it needs a folder; of some the first argument tells
---@field tenant? boolean whether it sends no folder
---@field iterates? boolean whether it gives an iterator, which raises what goes wrong
---@field calls table[] the requests that it may make: { method, path }, for the scopes
---@field run fun(client: uipath.Client, ...): any its arguments, and then the options, which have those of its calls in `call`

local unpack = table.unpack or unpack -- luacheck: ignore 113 143

-- What each request of a recipe can be told.
local CALL_OPTIONS = { folder = true, headers = true, timeout = true, max_attempts = true }

-- ---------------------------------------------------------------------------
-- Types of arguments and options: what is wrong with a value, or nil
-- ---------------------------------------------------------------------------

local function is_guid(text)
  return text:find "^%x%x%x%x%x%x%x%x%-%x%x%x%x%-%x%x%x%x%-%x%x%x%x%-%x%x%x%x%x%x%x%x%x%x%x%x$" ~= nil
end

local function is_whole(value)
  return type(value) == "number" and value % 1 == 0
end

-- A row has an Id; a package's is its name.
local function is_row(value)
  return type(value) == "table" and (is_whole(value.Id) or type(value.Id) == "string")
end

local function is_word(value)
  return type(value) == "string" and value ~= ""
end

local CHECKS = {}

-- What a thing is called by.
function CHECKS.name(value)
  if is_word(value) or (is_whole(value) and value > 0) or is_row(value) then return nil end
  if type(value) == "table" and is_word(value.name) then return nil end
  return "must be a name, an id (a number), a key (a GUID), a row, or { name = … }"
end

-- What has no name.
function CHECKS.row(value)
  if (is_whole(value) and value > 0) or is_row(value) or (type(value) == "string" and is_guid(value)) then return nil end
  return "must be an id (a number), a key (a GUID) or a row"
end

function CHECKS.rows(value)
  if type(value) ~= "table" or is_row(value) then return CHECKS.row(value) end
  for index, each in ipairs(value) do
    local wrong = CHECKS.row(each)
    if wrong then return ("[%d] %s"):format(index, wrong) end
  end
  return nil
end

function CHECKS.package(value)
  if is_word(value) or (type(value) == "table" and is_word(value.Id)) then return nil end
  return "must be a package's id, or its row"
end

function CHECKS.text(value)
  if not is_word(value) then return "must be a string that is not empty, got " .. (value == "" and "an empty one" or type(value)) end
end

function CHECKS.count(value)
  if not is_whole(value) or value < 1 then return "must be a whole number from 1" end
end

function CHECKS.seconds(value)
  if type(value) ~= "number" or not (value >= 0 and value < math.huge) then return "must be a number of seconds from 0" end
end

function CHECKS.any(value)
  if value == nil then return "must be given" end
end

function CHECKS.date(value)
  local ok, message = pcall(require("uipath").odata.date, value)
  if not ok then return "must be a date: " .. tostring(message) end
end

-- "string|table": any of Lua's types.
local function check_types(value, types)
  for each in types:gmatch "[^|]+" do
    if type(value) == each then return nil end
  end
  return ("must be a %s, got %s"):format(types:gsub("|", " or "), type(value))
end

local function check_words(value, words)
  for _, word in ipairs(words) do
    if value == word then return nil end
  end
  local near = type(value) == "string" and internal.suggestion(value, words) or ""
  local quoted = {}
  for i, word in ipairs(words) do quoted[i] = ('"%s"'):format(word) end
  return ("must be one of %s%s"):format(table.concat(quoted, ", "), near)
end

local function objection(value, kind)
  if type(kind) == "table" then return check_words(value, kind) end
  local check = CHECKS[kind]
  if check then return check(value) end
  return check_types(value, kind)
end

-- ---------------------------------------------------------------------------
-- Calling a method
-- ---------------------------------------------------------------------------

local function usage_of(group, method)
  local names = {}
  for i, argument in ipairs(method.arguments) do names[i] = argument[1] end
  names[#names + 1] = "options"
  return ("client.%s:%s(%s)"):format(group.name, method.name, table.concat(names, ", "))
end

local function raise(group, method, ...)
  internal.raise(("%s:%s: %s"):format(group.name, method.name, (...):format(select(2, ...))))
end

local function check_arguments(group, method, given, arguments)
  while given > #method.arguments + 1 and arguments[given] == nil do given = given - 1 end
  if given > #method.arguments + 1 then raise(group, method, "it is called as %s", usage_of(group, method)) end
  for i, argument in ipairs(method.arguments) do
    local name, kind = argument[1], argument[2]
    local value = arguments[i]
    if value ~= nil or not argument.optional then
      local wrong = objection(value, kind)
      if wrong and wrong:find "^%[" then raise(group, method, "%s%s", name, wrong) end
      if wrong then raise(group, method, "%s %s", name, wrong) end
    end
  end
end

-- The names of all options, for the nearest one.
local function option_names(method)
  local names = {}
  for name in pairs(method.options or {}) do names[#names + 1] = name end
  for name in pairs(CALL_OPTIONS) do
    if not (method.options and method.options[name]) then names[#names + 1] = name end
  end
  table.sort(names)
  return names
end

-- Whether a table is what another recipe or a call gives as its second result, as in jobs:wait(assert(jobs:start "Name")).
local function is_result(value)
  if value.http_version ~= nil then return true end
  return is_row(value) or is_row(value[1])
end

-- The options, checked, with those of each request in `call`. What is left of a walk's is checked by the walk.
local function read_options(group, method, given)
  local options, call = {}, {}
  if given == nil then return { call = call } end
  if type(given) ~= "table" then raise(group, method, "the options must be a table, got %s", type(given)) end
  if is_result(given) then return { call = call } end
  for name, value in pairs(given) do
    local own = method.options and method.options[name]
    if own then
      local wrong = objection(value, own[1])
      if wrong then raise(group, method, "%s %s", name, wrong) end
      options[name] = value
    elseif CALL_OPTIONS[name] or method.paging then
      call[name] = value
    else
      local near = type(name) == "string" and internal.suggestion(name, option_names(method)) or ""
      raise(group, method, "unknown option '%s'%s", tostring(name), near)
    end
  end
  options.call = call
  return options
end

local function names_folder(headers)
  for name in pairs(type(headers) == "table" and headers or {}) do
    local lower = tostring(name):lower()
    if lower:find "^x%-uipath%-folder" or lower == "x-uipath-organizationunitid" then return true end
  end
  return false
end

---The folder that a row says it is in.
---@return integer?
function recipes.folder_of(row)
  local id = type(row) == "table" and row.OrganizationUnitId
  return type(id) == "number" and id > 0 and id or nil
end

-- Sets the folder of the requests; gives an error where one is needed and there is none. The thing that says its folder is the first
-- argument, or the queue of an export.
local function choose_folder(client, method, options, first)
  local call = options.call
  if method.tenant then
    call.folder = false
    return nil
  end
  -- Of a list each has its own folder.
  local row = type(first) == "table" and first.Id == nil and first[1] or first
  call.folder = recipes.folder_of(row) or recipes.folder_of(options.queue) or call.folder
  local needed = method.folder
  if type(needed) == "function" then needed = needed(first) end
  if not needed or call.folder or names_folder(call.headers) then return nil end
  if call.folder == nil and internal.option(client, "folder") then return nil end
  return internal.error("usage", "it works in a folder, and none is named",
    { hint = 'give one: { folder = "Shared" }, or client:folder("Shared"); in the shell --folder Shared' })
end

-- A 403 tells what one request needs. Who is to be given it wants to know what all of them need.
local function add_scopes(group, method, err)
  if type(err) ~= "table" or err.status ~= 403 then return end
  local scopes = require("uipath").scopes_for(method.calls)
  if not scopes or #scopes == 0 then return end
  local words = ("all of %s:%s needs %s"):format(group.name, method.name, table.concat(scopes, " "))
  err.hint = err.hint and ("%s; %s"):format(err.hint, words) or words
end

local function results(group, method, value, ...)
  if value ~= nil then return value, ... end
  add_scopes(group, method, (...))
  if method.iterates then error((...), 0) end
  return nil, ...
end

local function invoke(group, method, client, ...)
  local count = #method.arguments
  local arguments = { ... }
  check_arguments(group, method, select("#", ...), arguments)
  local options = read_options(group, method, arguments[count + 1])
  local err = choose_folder(client, method, options, arguments[1])
  if err then return results(group, method, nil, err) end
  arguments[count + 1] = options
  return results(group, method, method.run(client, unpack(arguments, 1, count + 1)))
end

-- ---------------------------------------------------------------------------
-- Groups
-- ---------------------------------------------------------------------------

local metatables = {}

-- The metatable of a group's objects. An object is a list of one client.
local function metatable_of(name)
  if metatables[name] then return metatables[name] end
  local group = require("uipath.recipes." .. name)
  local functions, names = {}, {}
  for i, method in ipairs(group.methods) do
    names[i] = method.name
    functions[method.name] = function(self, ...)
      if getmetatable(self) ~= metatables[name] then raise(group, method, "it is called with a colon: %s", usage_of(group, method)) end
      return invoke(group, method, self[1], ...)
    end
  end
  local metatable = { __name = "uipath." .. name }
  function metatable.__index(_, method)
    local found = functions[method]
    if found then return found end
    local near = type(method) == "string" and internal.suggestion(method, names) or ""
    return internal.raise(("unknown method '%s' of client.%s%s"):format(tostring(method), name, near))
  end
  function metatable.__tostring(self) return ("uipath.%s of %s"):format(name, tostring(self[1])) end
  -- For completion at the prompt.
  function metatable.names() return names end
  metatables[name] = metatable
  return metatable
end

---The group of a client.
---@param client uipath.Client
---@param name string
---@return table
function recipes.group(client, name)
  return setmetatable({ client }, metatable_of(name))
end

---What a group is: its methods with their arguments, options and requests.
---@param name string
---@return { name: string, help: string, methods: uipath.recipes.Method[] }
function recipes.describe(name)
  return require("uipath.recipes." .. name)
end

---The names of all recipes, as "jobs.run".
---@return string[]
function recipes.names()
  local names = {}
  for _, group in ipairs(internal.groups) do
    for _, method in ipairs(recipes.describe(group).methods) do names[#names + 1] = group .. "." .. method.name end
  end
  return names
end

---The method that "jobs.run" names, or nil.
---@param name string
---@return uipath.recipes.Method?
function recipes.find(name)
  local group_name, method_name = name:match "^(%l+)%.([%l_]+)$"
  if not group_name then return nil end
  local found, group = pcall(recipes.describe, group_name)
  for _, method in ipairs(found and group.methods or {}) do
    if method.name == method_name then return method end
  end
end

recipes.is_guid = is_guid

return recipes

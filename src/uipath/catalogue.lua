-- What the published definitions say of UiPath's endpoints: parameters, scopes, permissions. Loaded when first asked for.

local data = require "uipath.catalogue.data"
local nearest = require "uipath.catalogue.nearest"
local paths = require "uipath.catalogue.paths"
local removed = require "uipath.catalogue.removed"
local scopes = require "uipath.catalogue.scopes"

local catalogue = {}

-- ---------------------------------------------------------------------------
-- Reading the data
-- ---------------------------------------------------------------------------

local function parse_parameter(word)
  local location = word:find "^/" and "path" or word:find "^@" and "header" or "query"
  local required = location == "path" or word:find "!$" ~= nil
  local name, kind, values = word:match "^[/@]?([^:=!]+):?([^=!]*)=?([^!]*)!?$"
  local parameter = { name = name, location = location, required = required, type = kind ~= "" and kind or "string" }
  if values ~= "" then
    parameter.values = {}
    for value in values:gmatch "[^|]+" do table.insert(parameter.values, value) end
  end
  return parameter
end

local parameters_metatable = {}

-- The parameters of a row are taken apart when they are first looked at: hints do without.
local function complete(row)
  local parameters = {}
  for word in rawget(row, "_words"):gmatch "%S+" do
    if not (word == "@folder" or word == "body" or word == "multipart") then parameters[#parameters + 1] = parse_parameter(word) end
  end
  row.parameters, row._words = parameters, nil
  return setmetatable(row, nil)
end

function parameters_metatable.__index(row, name)
  if name == "parameters" then return complete(row).parameters end
end

local function long_scopes(text)
  return (text:gsub("([%w.]+)%?(%a+)", "%1 or %1.%2"))
end

local function parse_row(service, path, line, shared)
  local method, operation, needed, permissions, words = (line .. "\t\t\t\t"):match "^(%u+)\t([^\t]*)\t([^\t]*)\t([^\t]*)\t([^\t]*)"
  words = shared[words] or words
  local row = {
    method = method, path = service == "orchestrator_" and path:sub(2) or service .. path, service = service,
    operation = operation ~= "" and operation or nil, oauth = needed ~= "-",
    scopes = needed ~= "" and needed ~= "-" and long_scopes(needed) or nil,
    permissions = permissions ~= "" and permissions or nil,
    folder = words:find("@folder", 1, true) ~= nil,
    body = words:find "%f[%w]multipart$" and "multipart" or words:find "%f[%w]body$" and "json" or nil,
    _words = words,
  }
  row.removed, row.instead = removed.find(service, path)
  return setmetatable(row, parameters_metatable)
end

-- rows: all of them in order; by_service[service]: lists of rows by the skeletons of their paths; indices: what finds them
local rows, by_service
local indices = {}

local function load_rows()
  if rows then return end
  rows, by_service = {}, {}
  local service, path, skeleton
  local shared = {}
  for line in data.text:gmatch "[^\n]+" do
    local first = line:sub(1, 1)
    if first == "/" then
      path, skeleton = line, paths.skeleton(line)
      by_service[service][skeleton] = by_service[service][skeleton] or {}
    elseif first == "#" then
      local number, words = line:match "^(#%d+)\t(.*)$"
      shared[number] = words
    elseif line:find "^%l" then
      service = line
      by_service[service] = {}
    else
      local row = parse_row(service, path, line, shared)
      rows[#rows + 1] = row
      table.insert(by_service[service][skeleton], row)
    end
  end
end

-- The operations of the path that the text names; nil: the catalogue does not know it.
local function find_rows(text)
  load_rows()
  local service, path = paths.split(text)
  if not by_service[service] then return nil end
  if not indices[service] then indices[service] = paths.index(by_service[service]) end
  return paths.find(indices[service], path)
end

-- The operation of a method and a path, or nil.
local function find_row(method, text)
  for _, row in ipairs(find_rows(text) or {}) do
    if row.method == method then return row end
  end
end

---The operation that a method and a path or URL mean; nil: the catalogue does not know it.
---@param method string
---@param path string
---@return uipath.Endpoint?
function catalogue.find(method, path)
  return find_row(method, path)
end

-- The paths of a service that are still there, without the service.
local function templates_of(service)
  local skeleton, found
  return function()
    repeat skeleton, found = next(by_service[service], skeleton) until not found or not found[1].removed
    local path = found and found[1].path
    return path and (service == "orchestrator_" and path or path:sub(#service + 2)) or nil
  end
end

---The path of the catalogue that is one letter away from one that it does not know.
---@param text string a path or URL
---@return string? path as client:get takes it
function catalogue.nearest(text)
  load_rows()
  local service, path = paths.split(text)
  local known = by_service[service] and service or nearest.name(service, by_service)
  if not known then return nil end
  local meant
  if known ~= service then
    -- Of two mistakes in one path there is no telling what was meant.
    indices[known] = indices[known] or paths.index(by_service[known])
    meant = paths.find(indices[known], path) and path:sub(2)
  else
    meant = nearest.path(path, templates_of(service))
  end
  if not meant or known == "orchestrator_" then return meant end
  return known .. "/" .. meant
end

local function failure(message, hint)
  return nil, require("uipath.failure")("usage", message, hint)
end

-- nil and the error for a path that the catalogue does not know.
local function not_listed(what, path)
  local near = catalogue.nearest(path)
  local hint = near and ("did you mean %s?"):format(near) or "uipath.endpoints(pattern) lists what is"
  return failure(what .. " is not in the catalogue", hint)
end

local function check_string(value, what, level)
  if type(value) ~= "string" then error(("%s must be a string, got %s"):format(what, type(value)), level + 1) end
  if what == "the path" and not value:find "[^/%s]" then error("the path must not be empty", level + 1) end
  return value
end

local function check_method(value, level)
  check_string(value, "the method", level + 1)
  if not value:find "^%a+$" then error("the method must be an HTTP method such as \"GET\"", level + 1) end
  return value:upper()
end

local function unknown(method, path)
  local found = find_rows(path)
  if not found then return not_listed(method .. " " .. path, path) end
  local methods = {}
  for i, row in ipairs(found) do methods[i] = row.method end
  return failure(("%s has no %s in the catalogue"):format(path, method), "it has " .. table.concat(methods, ", "))
end

-- ---------------------------------------------------------------------------
-- What users call
-- ---------------------------------------------------------------------------

-- Whether "METHOD path" has the text in it, in any case, or matches it as a Lua pattern.
local function matches(row, pattern)
  local line = row.method .. " " .. row.path
  if line:lower():find(pattern:lower(), 1, true) then return true end
  local ok, found = pcall(string.find, line, pattern)
  return ok and found ~= nil
end

---The operations of the catalogue.
---@param pattern? string a part of "METHOD path" in any case, or a Lua pattern for it
---@return uipath.Endpoint[]
function catalogue.endpoints(pattern)
  load_rows()
  if pattern ~= nil then check_string(pattern, "the pattern", 2) end
  local found = {}
  for _, row in ipairs(rows) do
    if pattern == nil or matches(row, pattern) then found[#found + 1] = row.parameters and row end
  end
  return found
end

-- The calls that the recipe "jobs.run" makes; raises where there is no such recipe.
local function calls_of(name)
  local recipes = require "uipath.recipes"
  local method = recipes.find(name)
  if method then return method.calls end
  local internal = require "uipath.internal"
  error(("unknown recipe '%s'%s"):format(name, internal.suggestion(name, recipes.names())), 3)
end

---The least scopes that a script needs which makes these calls, ready to be an option of uipath.connect.
---@param list { [1]: string, [2]: string }[]|string methods and paths, or the name of a recipe: "jobs.run"
---@return string[]? scopes sorted
---@return table err_or_unpublished an error for an unknown endpoint, or one that lets no external application in; else the rows
---  whose scopes are not published, which may need more
function catalogue.scopes_for(list)
  if type(list) == "string" then list = calls_of(list) end
  if type(list) ~= "table" then error(("the list must be a table, got %s"):format(type(list)), 2) end
  local clauses, unpublished = {}, {}
  for i, each in ipairs(list) do
    if type(each) ~= "table" then error(("item %d must be a table {method, path}, got %s"):format(i, type(each)), 2) end
    local method, path = check_method(each[1], 2), check_string(each[2], "the path", 2)
    local row = find_row(method, path)
    if not row then return unknown(method, path) end
    if not row.oauth then return failure(("%s %s is not open to external applications"):format(method, row.path)) end
    -- A recipe may know those of a request that publishes none.
    local needed = row.scopes or each.scopes
    if needed then
      for _, clause in ipairs(scopes.parse(needed)) do clauses[#clauses + 1] = clause end
    else
      unpublished[#unpublished + 1] = row.parameters and row
    end
  end
  return scopes.least(clauses), unpublished
end

local description_metatable = {
  __name = "uipath.description",
  __tostring = function(found)
    local lines = {}
    for _, row in ipairs(found) do
      lines[#lines + 1] = ("%s %s%s%s"):format(row.method, row.path, row.scopes and "  " .. row.scopes or "",
        row.removed and "  removed " .. row.removed or "")
    end
    return table.concat(lines, "\n")
  end,
}

---What the catalogue knows of a path: its operations, one for each method.
---@param path string
---@return uipath.Endpoint[]?
---@return table? err
function catalogue.describe(_, path)
  check_string(path, "the path", 2)
  local found = find_rows(path)
  if not found then return not_listed(path, path) end
  local copy = {}
  for i, row in ipairs(found) do copy[i] = row.parameters and row end
  return setmetatable(copy, description_metatable)
end

-- Orchestrator's buckets have scopes of their own in newer tenants, where the definitions still say OR.Administration.
local function is_doubtful(row, held)
  if not row.path:find "Buckets" then return false end
  for _, scope in ipairs(held) do
    if scope:find "^OR%.Buckets" then return true end
  end
  return false
end

---Whether scopes let an operation through.
---@param row uipath.Endpoint
---@param held string[]
---@return boolean? allowed nil: it cannot be known
---@return string missing_or_reason the scopes that are missing, as words; or why it cannot be known
function catalogue.allows(row, held)
  if not row.oauth then return false, "an interactive sign-in: external applications are not let in" end
  if not row.scopes then return nil, "its scopes are not published" end
  if #held == 0 then return nil, "the token does not say which scopes it has" end
  local missing = scopes.missing(scopes.parse(row.scopes), held)
  if #missing == 0 then return true, "" end
  for _, scope in ipairs(held) do
    if scope == "OR.Default" and row.service == "orchestrator_" then
      return nil, "the token has OR.Default: the application's roles decide"
    end
  end
  if is_doubtful(row, held) then return nil, "the token has OR.Buckets, the definitions ask for " .. row.scopes end
  return false, scopes.text(missing)
end

---Whether the client's token has the scopes for a call, without making it. The token is fetched if there is none yet.
---@param method string
---@param path string
---@return boolean? can
---@return string|table|nil missing the missing scopes as words; with nil, an error that says why it cannot be known
function catalogue.can(client, method, path)
  method = check_method(method, 2)
  check_string(path, "the path", 2)
  local row = find_row(method, path)
  if not row then return unknown(method, path) end
  local token, err = client:token()
  if not token then return nil, err end
  local allowed, reason = catalogue.allows(row, token.scopes)
  if allowed == nil then return failure(("%s %s: %s"):format(method, row.path, reason)) end
  if allowed then return true end
  return false, reason
end

return catalogue

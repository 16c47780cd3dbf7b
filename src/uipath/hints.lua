-- What a call needs and what its token has, for hints. Loaded with the first 403, or a list of folders that is empty.

local catalogue = require "uipath.catalogue"
local token = require "uipath.token"
local words = require "uipath.words"

local hints = {}

-- What the service itself says it wants: Identity names the scopes, others do so in the challenge.
local function wanted_by_service(message, headers)
  local bearer = words.bearer(headers)
  if bearer and bearer.scope and bearer.scope:find "%S" then return (bearer.scope:gsub("%s+", " and ")) end
  message = message:sub(1, 1000)
  local wanted = message:match "[Ee]xpect to have (.-)%.?%s*$"
  if wanted then return (wanted:gsub("'", "")) end
  return message:match "'([^']+)' scope not found"
end

-- A token with all scopes of Orchestrator has dozens: the first of those that matter are enough.
local function list_of(scopes)
  if #scopes <= 8 then return table.concat(scopes, " ") end
  return table.concat(scopes, " ", 1, 8) .. (" and %d more"):format(#scopes - 8)
end

local function includes(scopes, wanted)
  for _, scope in ipairs(scopes) do
    if scope == wanted then return true end
  end
  return false
end

-- The part about scopes: what is needed, and what the token has.
local function about_scopes(row, wanted, held)
  if row and not row.oauth then return "not open to external applications: it takes a user's sign-in" end
  local parts = {}
  local needed = wanted or row and row.scopes
  local allowed = not wanted and row and held and catalogue.allows(row, held)
  if allowed then
    parts[1] = "the token's scopes suffice"
  else
    if needed then parts[1] = "needs " .. needed end
    if row and row.path:find "Buckets" and not wanted then parts[1] = parts[1] .. " (newer tenants: OR.Buckets)" end
  end
  if held and #held > 0 and not allowed then parts[#parts + 1] = "the token has " .. list_of(held) end
  return table.concat(parts, "; ")
end

-- The part about the role: a permission where the catalogue knows it.
local function about_role(row)
  if row and row.permissions then return "the role needs " .. row.permissions end
  return "the application's role in the tenant and folder must allow it too"
end

-- Whether the catalogue is to be asked for the URL: a redirect may have made it as long as a server likes.
local function is_sensible(url)
  return url ~= nil and #url <= 2000
end

---What is missing after a 403.
---@param err table the error's fields: method, url, message
---@param value? string the token
---@param scope? string what the token endpoint said of its scopes
---@return string
function hints.forbidden(err, value, scope)
  local row = err.method and is_sensible(err.url) and catalogue.find(err.method, err.url)
  local held = value and token.scopes(value, scope)
  local parts = {}
  local first = about_scopes(row, wanted_by_service(err.message or "", err.headers), held)
  if first ~= "" then parts[1] = first end
  if not row or row.oauth then parts[#parts + 1] = about_role(row) end
  return table.concat(parts, "; ")
end

---What may be wrong with a path that is not there.
---@param err table the error's fields: method, url
---@return string? nil: the catalogue knows the path, and nothing against it
function hints.not_found(err)
  if not is_sensible(err.url) then return nil end
  local row = catalogue.find(err.method or "GET", err.url) or (catalogue.describe(nil, err.url) or {})[1]
  if row and row.removed then
    local removal = ("it was removed from Automation Cloud %s %s"):format(#row.removed > 7 and "on" or "in", row.removed)
    return row.instead and ("%s; instead there is %s"):format(removal, row.instead) or removal
  end
  local near = catalogue.nearest(err.url)
  -- The catalogue takes no account of case, as the service does: then that alone is wrong.
  if row and near and not err.url:lower():find(near:lower(), 1, true) then near = nil end
  return near and ("there is no such path: did you mean %s?"):format(near) or nil
end

local FOLDER_HEADERS = {
  ["x-uipath-organizationunitid"] = "the id %s", ["x-uipath-folderkey"] = "the key %s",
  ["x-uipath-folderpath"] = 'the path "%s"', ["x-uipath-folderpath-encoded"] = 'the path "%s"',
}

---What to do about a folder that is missing, or was not found.
---@param sent? string the header that named it, "name: value"
---@return string
function hints.folder(sent)
  local name, value = (sent or ""):match "^(%S+): (.*)$"
  local form = name and FOLDER_HEADERS[name:lower()]
  if not form then return 'give a folder: { folder = "Shared" }, or client:folder("Shared"); in the shell --folder Shared' end
  local as = form:format(value)
  if value:find "^%d+$" and form:find "path" then as = as .. " (an id would be a number, without quotes)" end
  return ("the folder was sent as %s: check that it is there, and that the application is assigned to it"):format(as)
end

---Why a list of folders may be empty although the call went well; nil where that is no riddle.
---@param value? string the token
---@param scope? string
---@return string?
function hints.no_folders(value, scope)
  local held = value and token.scopes(value, scope) or {}
  local advice = "assign the application to a folder with a role"
  if #held == 0 or includes(held, "OR.Default") then return "the token is good, but sees no folders: " .. advice end
  return ("the token is good, but sees no folders with the scopes %s: %s, and try the scope OR.Default, which brings in those roles")
    :format(list_of(held), advice)
end

return hints

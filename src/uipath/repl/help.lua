-- help, and help "odata/Jobs".

local style = require "uipath.output.style"
local uipath = require "uipath"

local help = {}

local general = [[
client:get("odata/Machines", { top = 5 })      a page of rows; the same with post, put, patch, delete
for row in client:each "odata/Jobs" do … end   all rows; client:collect gives a list, client:count their number
client:folder("Shared"):get "odata/Jobs"       in a folder
client:can("GET", "odata/Jobs")                whether the token's scopes allow it
client:token()                                 what the token is good for
help "odata/Jobs"                              methods, parameters and scopes of a path
uipath.endpoints "Jobs"                        the endpoints that the catalogue knows
uipath.scopes_for{ {"GET", "odata/Jobs"} }     the least scopes for a script
_                                              the last value
Tab completes, Ctrl-C ends what runs, Ctrl-D ends the prompt.
]]

local function parameters_text(row, location)
  local words = {}
  for _, parameter in ipairs(row.parameters) do
    if parameter.location == location then
      local word = parameter.name
      if parameter.values then word = word .. "=" .. table.concat(parameter.values, "|")
      elseif parameter.type ~= "string" then word = word .. ":" .. parameter.type end
      words[#words + 1] = word .. (parameter.required and location ~= "path" and " (required)" or "")
    end
  end
  return #words > 0 and table.concat(words, ", ") or nil
end

local function add(lines, label, value)
  if value then lines[#lines + 1] = ("  %-12s %s"):format(label, value) end
end

---What the catalogue knows of a path, for people.
---@param rows uipath.Endpoint[]
---@return string text ends with a line end
function help.describe(rows)
  local styles, lines = style.new(), {}
  for _, row in ipairs(rows) do
    lines[#lines + 1] = styles.bold(row.method .. " " .. row.path)
    add(lines, "removed", row.removed and row.removed .. ", from Automation Cloud")
    add(lines, "instead", row.instead)
    add(lines, "scopes", row.scopes or (row.oauth and "not published" or "none: not open to external applications"))
    add(lines, "permissions", row.permissions)
    add(lines, "path", parameters_text(row, "path"))
    add(lines, "query", parameters_text(row, "query"))
    add(lines, "headers", parameters_text(row, "header"))
    add(lines, "folder", row.folder and "works in a folder" or nil)
    add(lines, "body", row.body)
  end
  return table.concat(lines, "\n") .. "\n"
end

local function text_of(path)
  if path == nil then return general end
  if type(path) ~= "string" then error('help takes a path: help "odata/Jobs"', 3) end
  local found, err = require("uipath.catalogue").describe(nil, path)
  if found then return help.describe(found) end
  local near = uipath.endpoints(path)
  if #near == 0 then return err.message .. "\n" end
  local lines = { "Did you mean one of these?" }
  for i, row in ipairs(near) do
    if i > 20 then
      lines[#lines + 1] = ("  and %d more"):format(#near - 20)
      break
    end
    lines[#lines + 1] = ("  %-6s %s"):format(row.method, row.path)
  end
  return table.concat(lines, "\n") .. "\n"
end

---What the prompt calls `help`: alone it shows the general text.
---@param write fun(text: string)
function help.new(write)
  return setmetatable({}, {
    __call = function(_, path) write(text_of(path)) end,
    __tostring = function() return (general:gsub("\n$", "")) end,
  })
end

return help

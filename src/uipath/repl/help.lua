-- help, help "odata/Jobs", help client.

local style = require "uipath.output.style"
local terminal = require "uipath.terminal"
local text = require "uipath.output.text"
local uipath = require "uipath"

local help = {}

-- What is typed, and what it is for.
local general = {
  { 'client:get("odata/Machines", { top = 5 })', "a page of rows; the same with post, put, patch, delete" },
  { 'for row in client:each "odata/Jobs" do … end', "all rows; client:collect gives a list, client:count their number" },
  { 'client:folder("Shared"):get "odata/Jobs"', "in a folder" },
  { 'client:can("GET", "odata/Jobs")', "whether the token's scopes allow it" },
  { "client:token()", "what the token is good for" },
  { 'help "odata/Jobs"', "methods, parameters and scopes of a path" },
  { "help client", "all methods; help client:get says more of one, help uipath lists the module's functions" },
  { 'uipath.endpoints "Jobs"', "the endpoints that the catalogue knows" },
  { 'uipath.scopes_for{ {"GET", "odata/Jobs"} }', "the least scopes for a script" },
  { "_", "the last value" },
}
local ending = "Tab completes, Ctrl-C ends what runs, Ctrl-D ends the prompt."

local GAP = 2
local WIDEST = 46 -- of what is typed, where there is something beside it
local NARROWEST = 30 -- of what stands beside it

-- The columns of the terminal; nil: the lines may be of any length.
local function columns() return terminal.is_terminal(1) and terminal.width() or nil end

-- Two columns, wrapped between words; where there is no room beside, what is said of it stands below.
local function in_columns(blocks)
  local width, longest, lines = columns(), 0, {}
  for _, block in ipairs(blocks) do
    local own = text.width(block[1])
    if own <= WIDEST then longest = math.max(longest, own) end
  end
  local indent = (" "):rep(longest + GAP)
  for _, block in ipairs(blocks) do
    local typed, said = block[1], text.clean(block[2])
    local own = text.width(typed)
    if said == "" then
      lines[#lines + 1] = typed
    elseif own > longest or (width and width - #indent < NARROWEST) then
      lines[#lines + 1] = typed
      lines[#lines + 1] = width and text.wrap("      " .. said, width, "      ") or "      " .. said
    else
      local line = typed .. (" "):rep(longest + GAP - own) .. said
      lines[#lines + 1] = width and text.wrap(line, width, indent) or line
    end
  end
  return table.concat(lines, "\n") .. "\n"
end

local function general_text()
  return in_columns(general) .. text.wrap(ending, columns() or math.huge) .. "\n"
end

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
  if not value then return end
  local line, width = ("  %-12s %s"):format(label, value), columns()
  lines[#lines + 1] = width and text.wrap(line, width, (" "):rep(15)) or line
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

local function text_of(topic)
  if topic == nil then return general_text() end
  local names = require "uipath.repl.names"
  local path = type(topic) == "string" and topic or names.topic_of(topic)
  if not path then error('help takes a path or a name: help "odata/Jobs", help "client"', 3) end
  local blocks = names.find(path)
  if blocks then return in_columns(blocks) end
  if not path:find "[^/%s]" then return general_text() end
  local found, err = require("uipath.catalogue").describe(nil, path)
  if found then return help.describe(found) end
  if err.hint and err.hint:find "^did you mean" then return err.message .. ": " .. err.hint .. "\n" end
  local near = uipath.endpoints(path)
  if #near == 0 then return text.clean(err.message) .. "\n" end
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

---The topic of a line that asks for help without being Lua, such as `help client`.
---@param line string
---@return string?
function help.topic(line)
  return line:match "^%s*help%s+([%w_/][^%s]*)%s*$"
end

---What the prompt calls `help`: alone it shows the general text.
---@param write fun(text: string)
function help.new(write)
  return setmetatable({}, {
    __call = function(_, topic) write(text_of(topic)) end,
    __tostring = function() return (general_text():gsub("\n$", "")) end,
  })
end

return help

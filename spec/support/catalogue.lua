-- Generates the catalogue, src/uipath/catalogue/data.lua, from the published definitions: `make catalogue DEFINITIONS=dir`.
-- Facts only (methods, paths, parameters, scopes, permissions), none of the definitions' prose. Needs lyaml.
--
--     lua5.4 spec/support/catalogue.lua DIRECTORY > src/uipath/catalogue/data.lua

local generator = {}

-- The definitions, each with the service that its paths belong to.
local DEFINITIONS = {
  { file = "orchestrator.yaml", service = "orchestrator_", prefix = "" },
  { file = "identity.yaml", service = "identity_", prefix = "" },
  { file = "identity.token.yaml", service = "identity_", prefix = "" },
  { file = "du.framework.yaml", service = "du_", prefix = "/api/framework" },
}

-- Paths without scopes or parameters: Test Manager and Platform Management.
local PATH_LIST = "UiPathOrch-ApiEndpoints.txt"

-- The few scopes of Test Manager that are published by endpoint; those of executions go by an older name there.
local COMMAND_SCOPES = "UiPathOrch-cmdlet-scopes.tsv"

local METHODS = { "get", "post", "put", "patch", "delete", "head", "options" }

local function read(name)
  local file = assert(io.open(name, "rb"))
  local text = file:read("*a")
  file:close()
  return text
end

local function sorted_keys(map)
  local keys = {}
  for key in pairs(map) do keys[#keys + 1] = key end
  table.sort(keys)
  return keys
end

-- ---------------------------------------------------------------------------
-- One operation
-- ---------------------------------------------------------------------------

local function one_line(text)
  return (text:gsub("%s+", " "):gsub("^ ", ""):gsub(" $", ""))
end

---The scopes as a boolean expression of words; "-" where OAuth is not possible, "" where nothing is said.
local function scopes_of(description)
  if description:find("OAuth authentication is not supported", 1, true) then return "-" end
  local text = description:match("[Rr]equired scopes:%s*([^\n]+)") or ""
  return one_line((text:gsub("<.->", ""):gsub("%.%s*$", "")))
end

---The permissions as an expression of words: what stands behind " - " up to the parenthesis explains.
local function permissions_of(description)
  local text = description:match("Required permissions:%s*([^\n]+)") or ""
  text = text:gsub("%s+%-%s+[^)]*", ""):gsub("%.%s*$", ""):gsub("%(([%w.]+)%)", "%1")
  local inner = text:match("^%(([^()]*)%)$")
  return one_line(inner or text)
end

-- A parameter's type as a word: nothing for a string, its values where they are listed.
local function type_of(schema, document)
  local reference = schema["$ref"] and schema["$ref"]:match("([^/]+)$")
  if reference then schema = document.components.schemas[reference] or {} end
  if schema.enum then
    local values = {}
    for _, value in ipairs(schema.enum) do values[#values + 1] = tostring(value) end
    local text = table.concat(values, "|")
    return not text:find("[%s!:]") and "=" .. text or ""
  end
  local name = schema.type == "array" and "array" or schema.format or schema.type or "string"
  return name == "string" and "" or ":" .. name
end

---The parameters as words: `name`, `name:type`, `name=value|value`, each with a `!` where required; a header begins with `@`, what is in
---the path with `/`. `@folder` is a folder's header; `body` and `multipart` are bodies.
local function parameters_of(operation, document)
  local words = {}
  for _, parameter in ipairs(operation.parameters or {}) do
    local mark = parameter["in"] == "header" and "@" or parameter["in"] == "path" and "/" or ""
    local name = parameter.name
    if name == "X-UIPATH-OrganizationUnitId" then
      words[#words + 1] = "@folder"
    else
      local required = parameter.required and mark ~= "/" and "!" or ""
      words[#words + 1] = mark .. name .. type_of(parameter.schema or {}, document) .. required
    end
  end
  local content = operation.requestBody and operation.requestBody.content
  if content then words[#words + 1] = content["multipart/form-data"] and "multipart" or "body" end
  return table.concat(words, " ")
end

-- ---------------------------------------------------------------------------
-- The sources
-- ---------------------------------------------------------------------------

-- rows: by path without case and method, so that no operation is there twice.
local function add(rows, row)
  local key = row.service .. row.path:gsub("{[^}]*}", "{}"):lower() .. " " .. row.method
  if rows[key] then return false end
  rows[key] = row
  rows[#rows + 1] = row
  return true
end

local function add_definition(rows, directory, definition)
  local document = require("lyaml").load(read(directory .. "/" .. definition.file))
  for _, path in ipairs(sorted_keys(document.paths)) do
    for _, method in ipairs(METHODS) do
      local operation = document.paths[path][method]
      if operation then
        local description = operation.description or ""
        assert(add(rows, {
          service = definition.service, method = method:upper(), path = definition.prefix .. path,
          operation = operation.operationId or "", scopes = scopes_of(description), permissions = permissions_of(description),
          parameters = parameters_of(operation, document), published = true,
        }), path)
      end
    end
  end
end

local function test_manager_scopes(directory)
  local found = {}
  for line in read(directory .. "/" .. COMMAND_SCOPES):gmatch("[^\n]+") do
    local method, path, scopes, permissions = line:match("\t(%u+) /(testmanager_/%S+)\t(TM%.[%w. ]+)\t([%w.]*)")
    if method and not scopes:find("TestSetExecutions", 1, true) then
      found[method .. " /" .. path:gsub("{[^}]*}", "{}")] = { scopes = scopes, permissions = permissions }
    end
  end
  return found
end

local function add_path_list(rows, directory)
  local scopes = test_manager_scopes(directory)
  for line in read(directory .. "/" .. PATH_LIST):gmatch("[^\n]+") do
    local base, path, methods = line:match("^([IPS])\t(/[^\t]*)\t([%u,]+)")
    local service = base == "I" and "identity_" or base == "P" and "portal_" or path and path:match("^/(testmanager_)/")
    if service then
      for method in methods:gmatch("%u+") do
        local known = scopes[method .. " " .. path:gsub("{[^}]*}", "{}")] or {}
        add(rows, {
          service = service, method = method, path = base == "S" and path:sub(#service + 2) or path, operation = "",
          scopes = known.scopes or "", permissions = known.permissions or "", parameters = "",
        })
      end
    end
  end
end

-- Open to all, and in none of the definitions; Orchestrator's own page shows it.
local function add_version(rows)
  add(rows, { service = "orchestrator_", method = "GET", path = "/api/Status/Version", operation = "", scopes = "", permissions = "",
    parameters = "" })
end

-- ---------------------------------------------------------------------------
-- The file
-- ---------------------------------------------------------------------------

-- "A.B or A.B.Read" is written "A.B?Read".
local function short_scopes(scopes)
  return (scopes:gsub("([%w.]+) or ([%w.]+)%.(%a+)", function(whole, stem, part)
    if stem == whole then return whole .. "?" .. part end
  end))
end

-- The parameters that many operations have in the same order are written once: `#N`.
local function shared_parameters(rows)
  local counts, shared, numbers = {}, {}, {}
  for _, row in ipairs(rows) do counts[row.parameters] = (counts[row.parameters] or 0) + 1 end
  for _, text in ipairs(sorted_keys(counts)) do
    if counts[text] > 1 and #text > 12 then
      shared[#shared + 1] = text
      numbers[text] = "#" .. #shared
    end
  end
  return shared, numbers
end

---@return string text one line `service`, `/path` or `METHOD operation scopes permissions parameters` (with tabs) after the other
local function text_of(rows)
  local services = { orchestrator_ = 1, identity_ = 2, du_ = 3, testmanager_ = 4, portal_ = 5 }
  local order = {}
  for i, method in ipairs(METHODS) do order[method:upper()] = i end
  table.sort(rows, function(one, other)
    if one.service ~= other.service then return services[one.service] < services[other.service] end
    if one.path ~= other.path then return one.path < other.path end
    return order[one.method] < order[other.method]
  end)
  local shared, numbers = shared_parameters(rows)
  local lines, service, path = {}, nil, nil
  for number, text in ipairs(shared) do lines[#lines + 1] = "#" .. number .. "\t" .. text end
  for _, row in ipairs(rows) do
    if row.service ~= service then
      service, path = row.service, nil
      lines[#lines + 1] = service
    end
    if row.path ~= path then
      path = row.path
      lines[#lines + 1] = path
    end
    local fields = { row.method, row.operation, short_scopes(row.scopes), row.permissions, numbers[row.parameters] or row.parameters }
    lines[#lines + 1] = (table.concat(fields, "\t"):gsub("\t+$", ""))
  end
  return table.concat(lines, "\n") .. "\n"
end

---All rows of the definitions in the directory, and the text that holds them.
---@param directory string
---@return table[] rows
---@return string text
function generator.generate(directory)
  local rows = {}
  for _, definition in ipairs(DEFINITIONS) do add_definition(rows, directory, definition) end
  add_path_list(rows, directory)
  add_version(rows)
  return rows, text_of(rows)
end

---The SHA-256 of a text, by coreutils.
---@param text string
---@return string digest
function generator.digest(text)
  local name = os.tmpname()
  local file = assert(io.open(name, "wb"))
  file:write(text)
  file:close()
  local pipe = assert(io.popen("sha256sum <" .. name))
  local digest = pipe:read("*a"):match("^%x+")
  pipe:close()
  os.remove(name)
  return assert(digest, "sha256sum failed")
end

---@param directory string
---@return string source of data.lua
function generator.source(directory)
  local rows, text = generator.generate(directory)
  local counts, with_scopes = {}, 0
  for _, row in ipairs(rows) do
    counts[row.service] = (counts[row.service] or 0) + 1
    if row.published and row.scopes ~= "" and row.scopes ~= "-" then with_scopes = with_scopes + 1 end
  end
  local lines = {
    "-- Generated by `make catalogue` from the published definitions of 2025-09 (Orchestrator 20.0, Identity 3.2.54, Document",
    "-- Understanding 1.0) and a list of the paths of Test Manager and Platform Management. The form is that of",
    "-- spec/support/catalogue.lua; uipath.catalogue reads it.",
    "return {",
    ("  digest = %q,"):format(generator.digest(text)),
    "  counts = {",
  }
  for _, service in ipairs(sorted_keys(counts)) do lines[#lines + 1] = ("    %s = %d,"):format(service, counts[service]) end
  lines[#lines + 1] = ("    with_scopes = %d, -- of the definitions"):format(with_scopes)
  lines[#lines + 1] = "  },\n  text = [==[\n" .. text .. "]==],\n}"
  return table.concat(lines, "\n") .. "\n"
end

if arg and arg[0] and arg[0]:find("catalogue%.lua$") then
  local directory = arg[1]
  if not directory or directory == "" then
    io.stderr:write("usage: make catalogue DEFINITIONS=directory\n")
    os.exit(2)
  end
  io.write(generator.source(directory))
end

return generator

-- Profiles: what the official command line tool keeps in ~/.uipath/config, as options of uipath.connect. Loaded only where there is one.

local profile = {}

-- Where an option stands in a profile. Names as `a.b` are members of members.
local fields = {
  organization = "organization", tenant = "tenant", base_url = "uri", insecure = "insecure", folder = "parameter.folder-id",
  client_id = "auth.clientId", client_secret = "auth.clientSecret", scope = "auth.scopes", access_token = "auth.pat",
  identity_url = "auth.uri",
}

-- The file's values are text: an organization may be called 2024, and a secret 1e5.
local function scalar(value)
  if value == "" or value == "~" or value == "null" then return false end
  if value == "true" then return true end
  if value == "false" then return false end
  return value
end

-- What lyaml says is wrong, without any of the file's own words: they may be secret.
local function problem_of(message)
  local position, words = tostring(message):match "^(%d+:%d+): (.*)$"
  if not position then return ": this is no YAML" end
  return ":" .. position .. ": " .. (words:find "^invalid" and "this is no YAML" or words)
end

local function read(path)
  local file, problem = io.open(path, "rb")
  if not file then error("the profiles cannot be read: " .. problem, 0) end
  local text = file:read "*a"
  file:close()
  return text
end

local function parse(yaml, path)
  local ok, document = pcall(yaml.load, read(path), { implicit_scalar = scalar })
  if not ok then error(path .. problem_of(document), 0) end
  local list = type(document) == "table" and document.profiles
  if not list then return {} end
  if type(list) ~= "table" then error(path .. ": 'profiles' must be a list", 0) end
  for i, each in ipairs(list) do
    if type(each) ~= "table" then error(("%s: item %d of 'profiles' must have members such as 'name'"):format(path, i), 0) end
  end
  return list
end

local function find(list, name)
  local names = {}
  for i, each in ipairs(list) do
    if each.name == name then return each, names end
    names[i] = tostring(each.name)
  end
  return nil, names
end

-- The member that a name as `a.b` means; empty text is none.
local function member(value, name)
  for word in name:gmatch "[^.]+" do
    if type(value) ~= "table" then return nil end
    value = value[word]
  end
  if value == "" then return nil end
  return value
end

---@param path string
---@param name? string nil: `default`, if it is there
---@return table<string, any>? options
---@return table<string, string>|string|nil origins a phrase for each option; without options, why the file was not read
function profile.load(path, name)
  local found_yaml, yaml = pcall(require, "lyaml")
  if not found_yaml then
    local reason = ("%s is YAML, which takes the module lyaml (Debian's lua-yaml)"):format(path)
    if name then error(("profile '%s': %s"):format(name, reason), 0) end
    return nil, reason
  end
  local found, names = find(parse(yaml, path), name or "default")
  if not found then
    if not name then return nil end
    error(("there is no profile '%s' in %s (it has: %s)"):format(name, path, table.concat(names, ", ")), 0)
  end
  local options, origins = {}, {}
  for option, field in pairs(fields) do
    local value = member(found, field)
    if option == "folder" then value = tonumber(value) or value end
    options[option] = value
    origins[option] = ("'%s' of profile '%s' in %s"):format(field, found.name, path)
  end
  return options, origins
end

return profile

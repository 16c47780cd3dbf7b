--- Assets: values of all types that robots look up, and users' own values of them.

local clock = require("uipath.sandbox.clock")
local json = require("uipath.sandbox.json")
local operations = require("uipath.sandbox.operations")
local problem = require("uipath.sandbox.problem")
local rows = require("uipath.sandbox.rows")
local types = require("uipath.sandbox.types")

local value = operations.value

local assets = rows.stored {
  type = types.AssetDto, singular = "Asset", scope = "OR.Assets", page_cap = 1000, per_folder = true,
  last_id = 8000, guid_kind = 37,
}

--- What nobody reads back: by asset, and by user in it.
local secrets = setmetatable({}, { __mode = "k" })

local TYPES = {
  Text = { "StringValue", "string" }, Integer = { "IntValue", "number" }, Bool = { "BoolValue", "boolean" },
  Credential = { "CredentialUsername", "string" }, WindowsCredential = { "CredentialUsername", "string" },
  Secret = {}, KeyValueList = { "KeyValueList", "table" },
  DBConnectionString = { "StringValue", "string" }, HttpConnectionString = { "StringValue", "string" },
}

--- The value of an asset as text, as the service shows it for every type.
local function as_text(asset)
  local kind = asset.ValueType
  if kind == "Integer" then return asset.IntValue and ("%d"):format(asset.IntValue) or "" end
  if kind == "Bool" then return asset.BoolValue and "True" or "False" end
  if kind == "Credential" or kind == "WindowsCredential" then return "username: " .. (asset.CredentialUsername or "") end
  return asset.StringValue or ""
end

--- Takes the secrets out of what was sent; what was not sent stays as it was, and what is empty empties it.
local function keep_secrets(asset, body, before)
  local kept = before and secrets[before] or {}
  local found = { password = kept.password, secret = kept.secret, users = kept.users }
  if type(body.CredentialPassword) == "string" then found.password = body.CredentialPassword end
  if type(body.SecretValue) == "string" then found.secret = body.SecretValue end
  secrets[asset], secrets[before or asset] = found, found
end

function assets.complete(body, before)
  local kind = value(body.ValueType) or "Text"
  local rule = TYPES[kind]
  local scope = body.ValueScope
  if not rule then problem.bad_body("The field ValueType is not valid.") end
  if scope ~= "Global" and scope ~= "PerRobot" then problem.bad_body("The ValueScope field is required.") end
  if before and before.ValueType ~= kind then problem.orchestrator(400, 1501, "The type of an asset cannot be changed.") end
  local has_default = scope == "Global" or value(body.HasDefaultValue) == true
  local asset = {
    Name = body.Name, Key = before and before.Key, ValueScope = scope, ValueType = kind, CanBeDeleted = true,
    HasDefaultValue = has_default, Description = value(body.Description) or "", FoldersCount = 1,
    CreationTime = before and before.CreationTime or clock.timestamp(), LastModificationTime = clock.timestamp(),
    Tags = json.array(value(body.Tags) or {}), KeyValueList = json.array {},
    UserValues = json.array(value(body.UserValues) or {}), AllowDirectApiAccess = body.AllowDirectApiAccess ~= false,
  }
  if has_default and rule[1] then
    local given = value(body[rule[1]])
    if type(given) ~= rule[2] then problem.bad_body("The field " .. rule[1] .. " is required.") end
    asset[rule[1]] = rule[2] == "table" and json.array(given) or given
  end
  if before and (kind == "Credential") and not value(body.CredentialPassword)
    and before.CredentialUsername ~= asset.CredentialUsername then
    problem.orchestrator(400, 1500, "The password must be given when the user name changes.")
  end
  keep_secrets(asset, body, before)
  asset.Value = has_default and as_text(asset) or ""
  return asset
end

--- GET odata/Assets leaves Secrets out; the newer function shows them, but no user names.
rows.sets.Assets = setmetatable({
  rows = function(folder)
    local count, row_at = assets.rows(folder)
    local list = {}
    for position = 1, count do
      local row = row_at(position)
      if row.ValueType ~= "Secret" then list[#list + 1] = row end
    end
    return #list, function(position) return list[position] end
  end,
  complete = assets.complete,
}, { __index = assets })

local filtered = setmetatable({
  read = function(row, property)
    if property == "CredentialUsername" then return "" end
    return assets.read(row, property)
  end,
}, { __index = assets })

operations.add("GET", "odata/Assets/UiPath.Server.Configuration.OData.GetFiltered{}", {
  scope = "OR.Assets", access = "Read", folder = true,
  run = function(request)
    if request[1] ~= "" and request[1] ~= "()" then problem.raise(404) end
    return 200, operations.page(request, filtered, "Assets")
  end,
})

operations.add("POST", "odata/Assets/UiPath.Server.Configuration.OData.GetRobotAssetByNameForRobotKey", {
  scope = "OR.Assets", access = "Write", folder = true,
  run = function(request)
    local body = operations.body()
    local name = operations.member(body, "assetName", "string")
    local count, row_at = assets.rows(request.folder)
    local asset
    for position = 1, count do
      if row_at(position).Name == name then asset = row_at(position) end
    end
    if not asset then problem.not_found("Asset") end
    if not value(body.robotKey) and not asset.AllowDirectApiAccess then
      problem.orchestrator(400, 1502, "The asset does not allow direct access: a robot's key is needed.")
    end
    local hidden = secrets[asset] or {}
    return 200, {
      Id = asset.Id, Name = asset.Name, ValueType = asset.ValueType, StringValue = asset.StringValue or "",
      IntValue = asset.IntValue or 0, BoolValue = asset.BoolValue or false,
      CredentialUsername = asset.CredentialUsername or "", CredentialPassword = hidden.password or "",
      SecretValue = hidden.secret or "", ExternalName = json.null, CredentialStoreId = json.null,
      KeyValueList = asset.KeyValueList,
    }
  end,
})

for _, path in ipairs { "Shared", "Shared/Finance" } do
  local folder = rows.folder_by_path(path)
  for _, body in ipairs {
    { Name = "Currency", ValueType = "Text", StringValue = "EUR" },
    { Name = "RetryLimit", ValueType = "Integer", IntValue = 3 },
    { Name = "DryRun", ValueType = "Bool", BoolValue = false },
    { Name = "SapLogin", ValueType = "Credential", CredentialUsername = "robot", CredentialPassword = "sap-password" },
    { Name = "ApiKey", ValueType = "Secret", SecretValue = "api-secret" },
    { Name = "Endpoints", ValueType = "KeyValueList", KeyValueList = { { Key = "test", Value = "https://test.example" },
      { Key = "prod", Value = "https://prod.example" } } },
    { Name = "Desk", ValueType = "Text", ValueScope = "PerRobot", UserValues = { { UserId = 11, UserName = "robot-1",
      ValueType = "Text", StringValue = "A-12", Value = "A-12", Id = 1 } } },
    { Name = "OldLogin", ValueType = "Credential", CredentialUsername = "old", CredentialPassword = "old-password",
      AllowDirectApiAccess = false },
  } do
    body.ValueScope = body.ValueScope or "Global"
    assets.insert(assets.complete(body), folder)
  end
end

return assets

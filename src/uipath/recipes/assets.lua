-- client.assets: values that robots look up.

local find = require "uipath.recipes.find"
local lost = require "uipath.recipes.lost"
local shared = require "uipath.recipes.shared"
local uipath = require "uipath"

local with, failure, value = shared.with, shared.failure, shared.value

-- The list that has assets of all types. Single ones are in the set proper.
local LIST = "odata/Assets/UiPath.Server.Configuration.OData.GetFiltered"
local SET = "odata/Assets"
local READ = "odata/Assets/UiPath.Server.Configuration.OData.GetRobotAssetByNameForRobotKey"
local ASSET = { noun = "asset", set = LIST }
local ASSET_BY_ID = { noun = "asset", set = SET }

-- Each type: the member that holds its value, and the method that reads it where get does not.
local TYPES = {
  Text = { member = "StringValue" }, Integer = { member = "IntValue" }, Bool = { member = "BoolValue" },
  DBConnectionString = { member = "StringValue" }, HttpConnectionString = { member = "StringValue" },
  KeyValueList = { member = "KeyValueList" },
  Credential = { reader = "credential" }, WindowsCredential = { reader = "credential" }, Secret = { reader = "secret" },
}
local LARGEST = 2 ^ 31 - 1

-- The asset's row, with this member.
local function row_of(client, asset, call, member)
  local is_single = type(asset) == "number" or (type(asset) == "table" and asset.Id ~= nil)
  return find.one(client, is_single and ASSET_BY_ID or ASSET, asset, call, member)
end

-- ---------------------------------------------------------------------------
-- Reading
-- ---------------------------------------------------------------------------

local function from_pairs(list)
  local found = {}
  for _, pair in ipairs(type(list) == "table" and list or {}) do found[pair.Key] = pair.Value end
  return found
end

local function usage(asset, words)
  return failure("usage", ("the asset '%s' is a %s%s"):format(asset.Name, tostring(asset.ValueType), words))
end

local function get(client, name, options)
  -- The value of a row may be of another time; that it is a secret is not.
  local known = type(name) == "table" and TYPES[name.ValueType]
  local ref = type(name) == "table" and name.Id and not (known and known.reader) and name.Id or name
  local asset, err = row_of(client, ref, options.call, "ValueType")
  if not asset then return nil, err end
  local kind = TYPES[asset.ValueType]
  if not kind then return nil, usage(asset, ", which has no value to read") end
  if kind.reader then return nil, usage(asset, (": client.assets:%s(name) reads it"):format(kind.reader)) end
  if asset.ValueScope ~= "Global" and asset.HasDefaultValue ~= true then return uipath.null, asset end
  local found = asset[kind.member]
  if asset.ValueType == "KeyValueList" then return from_pairs(value(found)), asset end
  if value(found) == nil and kind.member == "StringValue" then found = asset.Value end
  if value(found) == nil then return uipath.null, asset end
  return found, asset
end

-- What robots read: the asset with its secrets. It only reads, though by POST.
local function read_secrets(client, asset, call)
  local name = find.name(asset, ASSET)
  if not name then
    local row, problem = row_of(client, asset, call, "Name")
    if not row then return nil, problem end
    name = row.Name
  end
  local body = { assetName = name, supportsCredentialsProxyDisconnected = true }
  local found, err = client:post(READ, body, with(call, { idempotent = true }))
  if found then return found end
  err.uncertain = nil
  if err.status ~= 404 then return nil, err end
  local row, missing = row_of(client, { name = name }, call)
  return nil, row and err or missing
end

-- The asset without what was read from it, so that it can be shown.
local function shown(asset)
  local copy = with(asset)
  copy.CredentialPassword, copy.SecretValue = nil, nil
  return copy
end

-- Why an asset is not of the type that a method reads.
local function another_type(asset, wanted)
  local kind = TYPES[asset.ValueType]
  return usage(asset, (", and no %s: client.assets:%s(name) reads it"):format(wanted, kind and kind.reader or "get"))
end

local function credential(client, name, options)
  local asset, err = read_secrets(client, name, options.call)
  if not asset then return nil, err end
  if asset.ValueType ~= "Credential" and asset.ValueType ~= "WindowsCredential" then
    return nil, another_type(asset, "Credential")
  end
  return asset.CredentialUsername, asset.CredentialPassword, shown(asset)
end

local function secret(client, name, options)
  local asset, err = read_secrets(client, name, options.call)
  if not asset then return nil, err end
  if asset.ValueType ~= "Secret" then return nil, another_type(asset, "Secret") end
  return asset.SecretValue, shown(asset)
end

-- ---------------------------------------------------------------------------
-- Setting
-- ---------------------------------------------------------------------------

local function to_pairs(given)
  local names, list = {}, uipath.array {}
  for name, each in pairs(given) do
    if type(name) ~= "string" or type(each) == "table" or type(each) == "function" then
      shared.raise("assets:set: the values of a key-value list are { name = value }, and simple ones")
    end
    names[#names + 1] = name
  end
  table.sort(names)
  for i, name in ipairs(names) do list[i] = { Key = name, Value = tostring(given[name]) } end
  return list
end

-- What a value is by itself: its type, and what an asset holds of it. Raises what none can hold.
local function by_value(given)
  local kind = type(given)
  if kind == "string" then return "Text", { StringValue = given } end
  if kind == "boolean" then return "Bool", { BoolValue = given } end
  if kind == "number" then
    if given % 1 ~= 0 then shared.raise("assets:set: an asset holds whole numbers, and %s is a fraction (tostring: a Text)", given) end
    if given > LARGEST or given < -LARGEST - 1 then shared.raise("assets:set: an Integer has 32 bits, and %s is beyond", given) end
    return "Integer", { IntValue = given }
  end
  if kind ~= "table" then shared.raise("assets:set: value must be a string, number, boolean or table, got %s", kind) end
  if given.username ~= nil or given.password ~= nil then
    if type(given.username) ~= "string" or type(given.password) ~= "string" then
      shared.raise("assets:set: a Credential is { username = string, password = string }")
    end
    return "Credential", { CredentialUsername = given.username, CredentialPassword = given.password }
  end
  if given.secret ~= nil then
    if type(given.secret) ~= "string" then shared.raise("assets:set: a Secret is { secret = string }") end
    return "Secret", { SecretValue = given.secret }
  end
  return "KeyValueList", { KeyValueList = to_pairs(given) }
end

-- The same, of the type that is asked for.
local function by_type(given, kind)
  local own, held = by_value(given)
  if kind == nil or kind == own then return own, held end
  if TYPES[kind].member == "StringValue" and (own == "Text" or (kind == "Text" and type(given) ~= "table")) then
    return kind, { StringValue = type(given) == "number" and shared.id(given) or tostring(given) }
  end
  if kind == "WindowsCredential" and own == "Credential" then return kind, held end
  return shared.raise("assets:set: a %s is no value of a %s", type(given), kind)
end

-- Passwords and secrets are read back empty, and would be emptied if they were sent so.
local function without_empty_secrets(row)
  local kept = with(row)
  for _, name in ipairs { "CredentialPassword", "SecretValue" } do
    if value(kept[name]) == nil or kept[name] == "" then kept[name] = nil end
  end
  return kept
end

-- The asset as it is now, whole, with a new value.
local function changed(row, held, options)
  local body = without_empty_secrets(row)
  for name, each in pairs(held) do body[name] = each end
  if row.ValueScope ~= "Global" then body.HasDefaultValue = true end
  if options.description then body.Description = options.description end
  body.Value = nil
  body["@odata.context"] = nil
  local users = value(row.UserValues)
  if type(users) == "table" then
    body.UserValues = uipath.array {}
    for i, each in ipairs(users) do body.UserValues[i] = without_empty_secrets(each) end
  end
  return body
end

-- The type of a connection string, for one, is not to be seen by its value: that of the asset counts.
local function as_in(row, kind)
  local own = TYPES[row.ValueType]
  if kind == "Text" and own and own.member == "StringValue" then return row.ValueType end
  return kind == "Credential" and row.ValueType == "WindowsCredential" and row.ValueType or kind
end

local function update(client, id, kind, held, options)
  local row, err = client:get(shared.entity(SET, id), with(options.call, { expand = "UserValues" }))
  if not row then return nil, err end
  if options.type == nil then kind = as_in(row, kind) end
  if row.ValueType ~= kind then return nil, usage(row, (", and the value a %s: nothing was changed"):format(kind)) end
  if row.ValueScope ~= "Global" and type(value(row.UserValues)) ~= "table" then
    return nil, failure("decode", ("the users' values of the asset '%s' are not in the answer: nothing was changed"):format(row.Name))
  end
  local done
  local body = changed(row, held, options)
  done, err = client:put(shared.entity(SET, id), body, options.call)
  if done == nil then return lost.settle(client, err, options.call) end
  return client:get(shared.entity(SET, id), options.call) or shown(body)
end

local function set(client, name, given, options)
  local kind, held = by_type(given, options.type)
  local call = options.call
  local wanted = find.name(name, ASSET)
  if type(name) == "table" and name.Id then return update(client, name.Id, kind, held, options) end
  if not wanted then
    local row, err = row_of(client, name, call)
    if not row then return nil, err end
    return update(client, row.Id, kind, held, options)
  end
  local row, err = find.named(client, ASSET, wanted, call)
  if row == nil then return nil, err end
  if row then return update(client, row.Id, kind, held, options) end
  local body = with(held, { Name = wanted, ValueScope = "Global", ValueType = kind, Description = options.description })
  local asset
  asset, err = client:post(SET, body, call)
  if asset then return asset end
  return lost.settle(client, err, call)
end

local function delete(client, name, options)
  local asset, err = row_of(client, name, options.call)
  if not asset then return nil, err end
  local done
  done, err = client:delete(shared.entity(SET, asset.Id), options.call)
  if done ~= nil then return true end
  return lost.settle(client, err, options.call)
end

-- ---------------------------------------------------------------------------

local NAME_ARGUMENT = { "name", "name", complete = "assets" }
local FIND = { "GET", LIST }
local TYPE_NAMES = {}
for name in pairs(TYPES) do TYPE_NAMES[#TYPE_NAMES + 1] = name end
table.sort(TYPE_NAMES)

return {
  name = "assets",
  help = "assets: read, set, delete",
  methods = {
    { name = "get", help = "the value of an asset", folder = true, arguments = { NAME_ARGUMENT }, calls = { FIND }, run = get },
    {
      name = "set", help = "sets the value of an asset, which is made if need be", folder = true,
      arguments = { NAME_ARGUMENT, { "value", "any" } },
      options = { type = { TYPE_NAMES, "instead of what the value is by itself" }, description = { "string", "of the asset" } },
      calls = { FIND, { "GET", "odata/Assets(1)" }, { "PUT", "odata/Assets(1)" }, { "POST", SET } }, run = set,
    },
    {
      name = "credential", help = "user name and password of a Credential", folder = true, arguments = { NAME_ARGUMENT },
      calls = { FIND, { "POST", READ } }, run = credential,
    },
    {
      name = "secret", help = "the value of a Secret", folder = true, arguments = { NAME_ARGUMENT },
      calls = { FIND, { "POST", READ } }, run = secret,
    },
    {
      name = "delete", help = "deletes an asset", folder = true, arguments = { NAME_ARGUMENT },
      calls = { FIND, { "DELETE", "odata/Assets(1)" } }, run = delete,
    },
    {
      name = "each", help = "iterates over the folder's assets", folder = true, iterates = true, paging = true, arguments = {},
      calls = { FIND }, run = function(client, options) return client:each(LIST, options.call) end,
    },
  },
}

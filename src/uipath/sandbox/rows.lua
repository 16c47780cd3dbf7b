--- The tenant's rows: here those that are stored as tables, folders and machines. The long sets are
--- in generated.lua.
---
--- A set has
---   type        its entity type (types.lua)
---   singular    what its entities are called in messages
---   scope       `X`: needs X or X.Read to read, X or X.Write to write
---   page_cap    the most rows of one page
---   per_folder  true when a request must name a folder
---   rows(folder) → count, row_at(position)
---   read(row, property) → value, ngx.null when it has none
---   find(folder, id) → row | nil
---   complete, insert, remove: where it can be written
---   refresh(): brings it up to date before it is read, where time changes it

local json = require("uipath.sandbox.json")
local types = require("uipath.sandbox.types")

local null = json.null

--- `version` grows with every change: what was worked out for an older one is out of date.
local rows = { sets = {}, version = 0 }

--- A GUID that depends on nothing but its arguments.
local function guid(kind, number)
  return ("%08x-%04x-4%03x-a%03x-%012x"):format(
    (number * 2654435761) % 2 ^ 32, kind % 2 ^ 16, number % 4096, (number * 7) % 4096, number)
end
rows.guid = guid

-- Stored sets -----------------------------------------------------------------------------------

--- A set whose rows are tables, ordered by Id; of one that is `per_folder` each folder has its own.
local function stored(definition)
  local lists, by_id, last_id = {}, {}, definition.last_id

  local function list_of(folder)
    local place = definition.per_folder and folder or definition
    lists[place] = lists[place] or {}
    return lists[place]
  end

  function definition.rows(folder)
    local list = list_of(folder)
    return #list, function(position) return list[position] end
  end

  function definition.read(row, property)
    local value = row[property]
    if value == nil then return null end
    return value
  end

  function definition.find(folder, id)
    local row = by_id[id]
    if not row or not definition.per_folder then return row end
    for _, each in ipairs(list_of(folder)) do
      if each == row then return row end
    end
  end

  --- Puts a row that is in one folder into another, too.
  function definition.link(row, folder)
    local list = list_of(folder)
    list[#list + 1] = row
    rows.version = rows.version + 1
    return row
  end

  --- Adds a row, gives it its Id and Key, and tells it its folder.
  function definition.insert(row, folder)
    last_id = last_id + 1
    row.Id, row.Key = last_id, row.Key or guid(definition.guid_kind, last_id)
    if definition.type.kinds.OrganizationUnitId then
      row.OrganizationUnitId = folder.Id
      row.OrganizationUnitFullyQualifiedName = folder.FullyQualifiedName
    end
    by_id[last_id] = row
    return definition.link(row, folder)
  end

  function definition.remove(row)
    by_id[row.Id] = nil
    for _, list in pairs(lists) do
      for position, candidate in ipairs(list) do
        if candidate == row then table.remove(list, position) break end
      end
    end
    rows.version = rows.version + 1
  end

  --- Says that a row has been changed in place.
  function definition.touch() rows.version = rows.version + 1 end

  return definition
end
rows.stored = stored

--- Puts stored rows behind those of a generated set, whose numbers stay as they are.
---@param generated table
---@param definition table  what the stored ones have of their own: last_id, guid_kind
---@return table definition  the stored set, to add to
function rows.behind(generated, definition)
  for _, name in ipairs { "type", "singular", "scope", "page_cap", "per_folder" } do
    definition[name] = generated[name]
  end
  local first = { rows = generated.rows, read = generated.read, find = generated.find }
  local last = stored(definition)
  function generated.rows(folder)
    local before, row_before = first.rows(folder)
    local count, row_at = last.rows(folder)
    if count == 0 then return before, row_before end
    return before + count, function(position)
      if position <= before then return row_before(position) end
      return row_at(position - before)
    end
  end
  function generated.read(row, property)
    return (type(row) == "table" and last or first).read(row, property)
  end
  function generated.find(folder, id)
    return last.find(folder, id) or first.find(folder, id)
  end
  return last
end

-- Folders ---------------------------------------------------------------------------------------

local folders = stored {
  type = types.FolderDto, singular = "Folder", scope = "OR.Folders", page_cap = 1000,
  last_id = 2000, guid_kind = 1,
}
rows.sets.Folders = folders

--- The folders with their shares of the generated sets, in the order of those sets' numbers.
local TREE = {
  { "Shared", jobs = 25017, items = 1250 },
  { "Shared/Finance", jobs = 412, items = 320 },
  { "Shared/HR", jobs = 37, items = 0 },
  { "Production", jobs = 1203, items = 0 },
  { "Production/Übersicht 東京", jobs = 11, items = 4 },
  { "Archive", jobs = 0, items = 0 },
}

rows.tree = TREE

local folder_by_key, folder_by_path = {}, {}
for _, branch in ipairs(TREE) do
  local path = branch[1]
  local parent = folder_by_path[path:match("^(.*)/") or ""]
  local folder = folders.insert {
    DisplayName = path:match("[^/]*$"), FullyQualifiedName = path, Description = "",
    FolderType = "Standard", IsPersonal = false, ProvisionType = "Automatic",
    PermissionModel = "FineGrained", FeedType = "Processes",
    ParentId = parent and parent.Id or null, ParentKey = parent and parent.Key or null,
  }
  branch.folder = folder
  folder_by_key[folder.Key], folder_by_path[path] = folder, folder
end

function rows.folder_by_id(id) return folders.find(nil, id) end
function rows.folder_by_key(key) return folder_by_key[key:lower()] end
function rows.folder_by_path(path) return folder_by_path[path] end

-- Machines --------------------------------------------------------------------------------------

local machines = stored {
  type = types.MachineDto, singular = "Machine", scope = "OR.Machines", page_cap = 1000,
  last_id = 3000, guid_kind = 2,
}
rows.sets.Machines = machines

--- Fills in what a new machine has unless it is said otherwise.
function machines.complete(machine)
  local complete = {
    Type = "Template", Scope = "Default", NonProductionSlots = 0, UnattendedSlots = 0,
    HeadlessSlots = 0, TestAutomationSlots = 0, HostingSlots = 0, AppTestSlots = 0,
    PerformanceTestSlots = 0, AutomationCloudSlots = 0, AutomationCloudTestAutomationSlots = 0,
    EndpointDetectionStatus = "NotAvailable", AutomationType = "Any", TargetFramework = "Any",
    Tags = json.array {},
  }
  for property, kind in pairs(types.MachineDto.kinds) do
    local value = machine[property]
    if kind == "List" and type(value) == "table" then json.array(value) end
    if value ~= nil then complete[property] = value end
  end
  return complete
end

for number, name in ipairs {
  "VM-BERLIN-01", "VM-BERLIN-02", "VM-BERLIN-03", "VM-TOKYO-01", "VM-TOKYO-02", "VM-AUSTIN-01",
  "LAPTOP-O'BRIEN", "finance-template", "hr-template", "cloud-pool", "kiosk-42", "test-runner",
} do
  machines.insert(machines.complete {
    Name = name, Description = number % 3 == 0 and null or "Runs unattended robots",
    Type = name:find("^[a-z]") and "Template" or "Standard",
    UnattendedSlots = number % 4, LicenseKey = guid(3, number),
  })
end

return rows

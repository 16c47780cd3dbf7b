--- Packages, `odata/Processes` to the service: feeds of files with versions. The tenant has a feed,
--- and so has the folder Production for itself and what is below it.

local clock = require("uipath.sandbox.clock")
local json = require("uipath.sandbox.json")
local operations = require("uipath.sandbox.operations")
local problem = require("uipath.sandbox.problem")
local rows = require("uipath.sandbox.rows")
local types = require("uipath.sandbox.types")

local packages = {}

local TENANT_FEED = "tenant"
local OWN_FEED = { folder = "Production", id = rows.guid(31, 1) }

--- feeds[feed][package] is a list of versions, oldest first.
local feeds = { [TENANT_FEED] = {}, [OWN_FEED.id] = {} }

--- Whether one version comes before another: by its numbers.
local function is_before(one, other)
  local first, second = one:gmatch("%d+"), other:gmatch("%d+")
  while true do
    local a, b = tonumber(first() or nil), tonumber(second() or nil)
    if not a or not b then return b ~= nil and a == nil end
    if a ~= b then return a < b end
  end
end

--- The feed of a folder's packages.
function packages.feed_of(folder)
  local path = folder.FullyQualifiedName .. "/"
  return path:sub(1, #OWN_FEED.folder + 1) == OWN_FEED.folder .. "/" and OWN_FEED.id or TENANT_FEED
end

--- The versions of a package, oldest first; empty when there is no such package.
function packages.versions(feed, id)
  return feeds[feed][id] or {}
end

---@return table|nil version
function packages.find(feed, id, version)
  for _, each in ipairs(packages.versions(feed, id)) do
    if each.Version == version then return each end
  end
end

--- Adds a version.
function packages.add(feed, id, version, content)
  local list = feeds[feed][id] or {}
  feeds[feed][id] = list
  list[#list + 1] = {
    Id = id, Version = version, Key = id .. ":" .. version, Title = id, Description = "",
    Authors = "sandbox", Published = clock.timestamp(), IsActive = false, ProjectType = "Process",
    PackageType = "Process", TargetFramework = "Portable", SupportsMultipleEntryPoints = true,
    content = content,
  }
  table.sort(list, function(a, b) return is_before(a.Version, b.Version) end)
  for position, each in ipairs(list) do
    each.IsLatestVersion, each.OldVersion = position == #list, json.null
  end
  rows.version = rows.version + 1
end

for number, name in ipairs(rows.processes) do
  for patch = 1, number do
    local version = "1.0." .. patch
    packages.add(TENANT_FEED, (name:gsub(" ", "")), version, "PK\3\4 " .. name .. " " .. version)
  end
end
packages.add(OWN_FEED.id, "Production.Only", "2.1.0", "PK\3\4 Production.Only")

--- The feed that a request names.
local function feed_of_request(request)
  local feed = request.options.feedId or TENANT_FEED
  if not feeds[feed] then problem.orchestrator(404, 1002, "Feed does not exist.") end
  return feed
end

--- Rows as a set that can be asked for pages.
local function listed(list)
  table.sort(list, function(a, b) return a.Id < b.Id end)
  return {
    type = types.ProcessDto, singular = "Package", scope = "OR.Execution", page_cap = 1000,
    rows = function() return #list, function(position) return list[position] end end,
    read = function(row, property)
      local value = row[property]
      if value == nil then return json.null end
      return value
    end,
  }
end

operations.add("GET", "odata/Processes", {
  scope = "OR.Execution", access = "Read",
  run = function(request)
    local latest = {}
    for _, versions in pairs(feeds[feed_of_request(request)]) do latest[#latest + 1] = versions[#versions] end
    request.name = "Processes"
    return 200, operations.page(request, listed(latest), "Processes")
  end,
})

operations.add("GET", "odata/Processes/UiPath.Server.Configuration.OData.GetProcessVersions(processId='{}')", {
  scope = "OR.Execution", access = "Read",
  run = function(request)
    local newest_first = {}
    for _, version in ipairs(packages.versions(feed_of_request(request), request[1])) do
      table.insert(newest_first, 1, version)
    end
    local set = listed {}
    set.rows = function() return #newest_first, function(position) return newest_first[position] end end
    return 200, operations.page(request, set, "Processes/" .. request[1])
  end,
})

operations.add("GET", "odata/Processes/UiPath.Server.Configuration.OData.DownloadPackage(key='{}')", {
  scope = "OR.Execution", access = "Read",
  run = function(request)
    local id, version = request[1]:match("^(.*):([^:]*)$")
    local found = id and packages.find(feed_of_request(request), id, version)
    if not found then problem.not_found("Package") end
    return 200, found.content, { ["Content-Type"] = "application/octet-stream",
      ["Content-Disposition"] = ('attachment; filename="%s.%s.nupkg"'):format(id, version) }
  end,
})

--- The files of a multipart body: name and bytes of each.
local function files_of(body)
  local boundary = (ngx.var.content_type or ""):match("^multipart/form%-data;.*boundary=\"?([^\";]+)")
  if not boundary then problem.raise(415) end
  local found, delimiter = {}, "\r\n--" .. boundary
  local text = "\r\n" .. (body or "")
  local from = select(2, text:find(delimiter, 1, true))
  while from do
    local first, last = text:find(delimiter, from + 1, true)
    if not first then break end
    local head, bytes = text:sub(from + 1, first - 1):match("^\r\n(.-)\r\n\r\n(.*)$")
    local name = head and head:match('filename="([^"]*)"')
    if name then found[#found + 1] = { name = name, bytes = bytes } end
    from = last
  end
  return found
end

-- The real service reads id and version inside of the file; here its name says them.
operations.add("POST", "odata/Processes/UiPath.Server.Configuration.OData.UploadPackage", {
  scope = "OR.Execution", access = "Write",
  run = function(request)
    local feed, results = feed_of_request(request), {}
    local files = files_of(operations.bytes())
    if #files == 0 then problem.bad_body("No file was uploaded.") end
    for _, file in ipairs(files) do
      local id, version = file.name:match("^(.-)%.(%d+%.%d+.*)%.nupkg$")
      if not id then
        problem.orchestrator(400, 1010, "The package's name or content is not valid: " .. file.name)
      elseif packages.find(feed, id, version) then
        problem.orchestrator(409, 1004, ("Package %s:%s already exists."):format(id, version))
      end
      packages.add(feed, id, version, file.bytes)
      results[#results + 1] = { Key = id .. ":" .. version, Status = "OK",
        Body = json.encode { id = id, version = version } }
    end
    return 200, { value = json.array(results) }
  end,
})

operations.add("GET", "api/PackageFeeds/GetFolderFeed", {
  scope = "OR.Execution", access = "Read",
  run = function(request)
    local folder = rows.folder_by_id(tonumber(request.options.folderId))
    if not folder then problem.not_found("Folder") end
    local feed = packages.feed_of(folder)
    return 200, feed == TENANT_FEED and "null" or json.encode(feed),
      { ["Content-Type"] = "application/json; charset=utf-8" }
  end,
})

return packages

-- client.packages: publish a package, and have a folder run one of its versions. The service calls packages "Processes" and a folder's
-- processes "Releases".

local find = require "uipath.recipes.find"
local internal = require "uipath.internal"
local lost = require "uipath.recipes.lost"
local shared = require "uipath.recipes.shared"
local uipath = require "uipath"

local with, failure = shared.with, shared.failure

local FEED = "api/PackageFeeds/GetFolderFeed"
local PACKAGES = "odata/Processes"
local ACTION = "odata/Processes/UiPath.Server.Configuration.OData."
local FOLDER = { noun = "folder", set = "odata/Folders", name = "FullyQualifiedName" }
local PROCESS = { noun = "process", set = "odata/Releases", quoted = true }
local PACKAGE = { noun = "package", set = PACKAGES, name = "Id" }
-- So many versions are named where the one that is wanted is not among them.
local NAMED_VERSIONS = 5

-- What UploadPackage says of a file that it has taken.
local GOOD = { OK = true, Created = true, Accepted = true, NoContent = true }

-- ---------------------------------------------------------------------------
-- Feeds and versions
-- ---------------------------------------------------------------------------

-- The options of requests to the folder's feed: with its id where it has one of its own. A feed is asked for by the folder's id.
local function in_feed(client, call)
  local folder, err = call.folder, nil
  if folder == nil then folder = internal.option(client, "folder") end
  if not folder then return call end
  local row = type(folder) == "number" and { Id = folder }
  if not row then row, err = find.one(client, FOLDER, folder, with(call, { folder = false })) end
  if not row then return nil, err end
  local feed
  feed, err = client:get(FEED, with(call, { query = { folderId = row.Id } }))
  if feed == nil then return nil, err end
  if type(feed) ~= "string" or not feed:find "%x" then return call end
  return with(call, { query = { feedId = feed } })
end

-- The versions of a package, newest first as the service has them; an empty list where there is no such package.
local function versions_of(client, id, call)
  local path = ("%sGetProcessVersions(processId=%s)"):format(ACTION, uipath.odata.key(id):sub(2, -2))
  local rows, err = client:collect(path, call)
  if rows then return rows end
  if err.status == 404 then return {} end
  return nil, err
end

local function package_id(package)
  return type(package) == "table" and package.Id or package
end

-- The same, and an error where there is none.
local function some_versions_of(client, id, call)
  local rows, err = versions_of(client, id, call)
  if not rows then return nil, err end
  if #rows == 0 then return nil, find.missing(client, PACKAGE, id, call) end
  return rows
end

-- Whether one version comes before another: by the numbers, and one with words behind them before that without.
local function is_before(one, other)
  local numbers, words = one:match "^([%d.]*)(.*)$"
  local other_numbers, other_words = other:match "^([%d.]*)(.*)$"
  local first, second = numbers:gmatch "%d+", other_numbers:gmatch "%d+"
  while true do
    local a, b = first(), second()
    if not a and not b then break end
    a, b = tonumber(a) or 0, tonumber(b) or 0
    if a ~= b then return a < b end
  end
  if words == "" or other_words == "" then return words ~= "" and other_words == "" end
  return words < other_words
end

-- The version that is wanted, or the latest.
local function choose(rows, id, version)
  if version == nil then
    local latest
    for _, row in ipairs(rows) do
      if row.IsLatestVersion == true then return row.Version end
      if not latest or is_before(latest, row.Version) then latest = row.Version end
    end
    return latest
  end
  local names = {}
  for _, row in ipairs(rows) do
    if row.Version == version then return version end
    names[#names + 1] = row.Version
  end
  table.sort(names, function(a, b) return is_before(b, a) end)
  return nil, failure("not_found", ("the package '%s' has no version %s; the latest: %s"):format(id, version,
    table.concat(names, ", ", 1, math.min(#names, NAMED_VERSIONS))))
end

-- ---------------------------------------------------------------------------
-- Publishing
-- ---------------------------------------------------------------------------

-- "Id" and "1.2.3" of "…/Id.1.2.3.nupkg"; nil where a file has another name.
local function named_by(file)
  local name = file:match "([^/\\]+)%.nupkg$"
  if not name then return nil end
  return name:match "^(.-)%.(%d+%.%d+.*)$"
end

local function has_version(rows, version)
  for _, row in ipairs(rows or {}) do
    if row.Version == version then return row end
  end
end

-- The first item of the answer to an upload, whether the client took it for a success or a failure.
local function item_of(answer, err)
  local body = answer
  if body == nil and err.kind == "failed" then body = err.body end
  local list = type(body) == "table" and body.value
  return type(list) == "table" and type(list[1]) == "table" and list[1] or nil
end

local function publish(client, file, options)
  local call, err = in_feed(client, options.call)
  if not call then return nil, err end
  -- What was not there before, and is afterwards, is ours: to know that later it is looked at now.
  local id, version = named_by(file)
  local before = id and versions_of(client, id, call)
  local was_absent = before and not has_version(before, version)
  local body = uipath.multipart { { name = "file", value = uipath.file(file) } }
  local answer
  answer, err = client:post(ACTION .. "UploadPackage", body, call)
  local item = item_of(answer, err)
  if item then
    local name, number = tostring(item.Key):match "^(.*):(.-)$"
    local status = tostring(item.Status)
    if GOOD[status] or status:find "^2%d%d$" then return { Id = name, Version = number, Key = item.Key } end
    local words = ("%s: %s"):format(tostring(item.Key), shared.text(item.Body) or status)
    local kind = (status == "Conflict" or status == "409") and "conflict" or "failed"
    return nil, failure(kind, words, { code = item.Status, body = err and err.body })
  end
  err = err or failure("decode", "the answer does not tell what was published")
  return lost.settle(client, err, call, was_absent and function(within)
    local row = has_version(versions_of(client, id, within), version)
    return row and { Id = row.Id, Version = row.Version, Key = row.Key }
  end or nil)
end

local function versions(client, package, options)
  local call, err = in_feed(client, options.call)
  if not call then return nil, err end
  return some_versions_of(client, package_id(package), call)
end

local function download(client, package, version, file, options)
  local call, err = in_feed(client, options.call)
  if not call then return nil, err end
  local id = package_id(package)
  local path = ("%sDownloadPackage(key=%s)"):format(ACTION, uipath.odata.key(id .. ":" .. version):sub(2, -2))
  local bytes
  bytes, err = client:download(path, file, call)
  if bytes then return bytes end
  if err.status ~= 404 then return nil, err end
  local rows, missing = some_versions_of(client, id, call)
  if not rows then return nil, missing end
  local _, problem = choose(rows, id, version)
  return nil, problem or err
end

-- ---------------------------------------------------------------------------
-- Processes
-- ---------------------------------------------------------------------------

-- The process of a package in the folder; false: there is none.
local function process_of(client, id, name, call)
  local rows, err = client:collect("odata/Releases", with(call, { filter = { "ProcessKey eq ?", id } }))
  if not rows then return nil, err end
  if #rows == 0 then return false end
  local names, found = {}, nil
  for i, row in ipairs(rows) do
    names[i] = ("%s (%s)"):format(row.Name, shared.id(row.Id))
    if row.Name == name then found = row end
  end
  if found then return found end
  if name == nil and #rows == 1 then return rows[1] end
  local list = table.concat(names, ", ")
  if name ~= nil then
    return nil, failure("not_found", ("the folder has no process '%s' of the package '%s'; it has %s"):format(name, id, list))
  end
  return nil, failure("usage", ("the folder has several processes of the package '%s': %s"):format(id, list),
    { hint = "say which: the option name" })
end

-- The process as it is after a change that went well.
local function latest(client, row, call)
  return client:get(shared.entity("odata/Releases", row.Id), call) or row
end

local function create(client, id, version, feed, options)
  local body = { Name = options.name or id, ProcessKey = id, ProcessVersion = version, FeedId = feed }
  local row, err = client:post("odata/Releases", body, options.call)
  if not row then return lost.settle(client, err, options.call) end
  -- Some write it small.
  row.Id = row.Id or row.id
  return row
end

local function deploy(client, package, version, options)
  local id, call = package_id(package), options.call
  local feed, err = in_feed(client, call)
  if not feed then return nil, err end
  local rows
  rows, err = some_versions_of(client, id, feed)
  if not rows then return nil, err end
  local chosen
  chosen, err = choose(rows, id, version)
  if not chosen then return nil, err end
  local process
  process, err = process_of(client, id, options.name, call)
  if process == nil then return nil, err end
  if not process then return create(client, id, chosen, feed.query and feed.query.feedId, options) end
  if process.ProcessVersion == chosen then return process end
  local path = shared.entity("odata/Releases", process.Id) .. "/UiPath.Server.Configuration.OData.UpdateToSpecificPackageVersion"
  local done
  done, err = client:post(path, { packageVersion = chosen }, call)
  if done == nil then return lost.settle(client, err, call) end
  return latest(client, with(process, { ProcessVersion = chosen }), call)
end

local function rollback(client, process, options)
  local row, err = find.one(client, PROCESS, process, options.call)
  if not row then return nil, err end
  local path = shared.entity("odata/Releases", row.Id) .. "/UiPath.Server.Configuration.OData.RollbackToPreviousReleaseVersion"
  local done
  done, err = client:post(path, nil, options.call)
  if done == nil then return lost.settle(client, err, options.call) end
  local now, problem = client:get(shared.entity("odata/Releases", row.Id), options.call)
  if now then return now end
  problem.message = "it was rolled back, but which version it has now cannot be read: " .. problem.message
  return nil, problem
end

-- ---------------------------------------------------------------------------

local ID_ARGUMENT = { "id", "package", complete = "packages" }
local FEED_CALL = { "GET", FEED }
local VERSIONS_CALL = { "GET", ACTION .. "GetProcessVersions(processId='X')" }

return {
  name = "packages",
  help = "packages: publish, list, download, deploy, roll back",
  methods = {
    {
      name = "publish", help = "puts a package file into the folder's or the tenant's feed",
      arguments = { { "file", "text", complete = "files" } },
      calls = { FEED_CALL, VERSIONS_CALL, { "POST", ACTION .. "UploadPackage" } }, run = publish,
    },
    {
      name = "versions", help = "the versions of a package", arguments = { ID_ARGUMENT }, calls = { FEED_CALL, VERSIONS_CALL },
      run = versions,
    },
    {
      name = "download", help = "fetches a version of a package into a file",
      arguments = { ID_ARGUMENT, { "version", "text" }, { "file", "text", complete = "files" } },
      options = { on_progress = { "function", "called with the bytes done and in all" } },
      calls = { FEED_CALL, { "GET", ACTION .. "DownloadPackage(key='X:1.0.0')" } },
      run = function(client, package, version, file, options)
        options.call.on_progress = options.on_progress
        return download(client, package, version, file, options)
      end,
    },
    {
      name = "deploy", help = "makes or updates the folder's process of a package", folder = true,
      arguments = { ID_ARGUMENT, { "version", "text", optional = true } },
      options = { name = { "text", "of the process, where the folder has two of the package, or none yet" } },
      calls = {
        FEED_CALL, VERSIONS_CALL, { "GET", "odata/Releases" }, { "POST", "odata/Releases" },
        { "POST", "odata/Releases(1)/UiPath.Server.Configuration.OData.UpdateToSpecificPackageVersion" },
      },
      run = deploy,
    },
    {
      name = "rollback", help = "gives a process the version that it had before", folder = true,
      arguments = { { "process", "name", complete = "processes" } },
      calls = {
        { "GET", "odata/Releases" }, { "POST", "odata/Releases(1)/UiPath.Server.Configuration.OData.RollbackToPreviousReleaseVersion" },
      },
      run = rollback,
    },
  },
}

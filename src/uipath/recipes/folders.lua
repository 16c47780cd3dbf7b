-- client.folders: what a path means, and all folders. They are the tenant's, so that no folder goes along.

local find = require "uipath.recipes.find"
local shared = require "uipath.recipes.shared"

local FOLDER = { noun = "folder", set = "odata/Folders", name = "FullyQualifiedName" }

-- A path may begin with a slash, as in the headers that name a folder.
local function trimmed(path)
  if type(path) == "table" and path.name then return { name = path.name:gsub("^/", "") } end
  return type(path) == "string" and path:gsub("^/", "") or path
end

return {
  name = "folders",
  help = "folders: what a path means, and all of them",
  methods = {
    {
      name = "find", help = "the folder of a path, id or key", tenant = true,
      arguments = { { "path", "name", complete = "folders" } },
      calls = { { "GET", "odata/Folders" } },
      run = function(client, path, options) return find.one(client, FOLDER, trimmed(path), options.call) end,
    },
    {
      name = "each", help = "iterates over all folders", tenant = true, iterates = true, paging = true,
      arguments = {},
      calls = { { "GET", "odata/Folders" } },
      run = function(client, options) return client:each("odata/Folders", shared.with(options.call)) end,
    },
  },
}

--- Attachments: long input and output of jobs. Their bytes are in the storage.

local clock = require("uipath.sandbox.clock")
local operations = require("uipath.sandbox.operations")
local problem = require("uipath.sandbox.problem")
local rows = require("uipath.sandbox.rows")
local storage = require("uipath.sandbox.storage")

local attachments = {}

local by_id, count = {}, 0

local function path_of(id) return "attachments/" .. id end

local function shown(attachment, verb)
  return { Id = attachment.Id, Name = attachment.Name, CreationTime = attachment.CreationTime,
    BlobFileAccess = storage.access(path_of(attachment.Id), verb) }
end

--- Makes an attachment; its content may come later, by the storage.
---@param name string
---@param content? string
---@return string id
function attachments.add(name, content)
  count = count + 1
  local id = rows.guid(30, count)
  by_id[id] = { Id = id, Name = name, CreationTime = clock.timestamp() }
  if content then storage.put(path_of(id), content, "application/json") end
  return id
end

---@return string|nil content
function attachments.content(id)
  return storage.get(path_of(id))
end

operations.add("POST", "odata/Attachments", {
  scope = "OR.Folders", access = "Write", folder = true,
  run = function()
    local id = attachments.add(operations.member(operations.body(), "Name", "string"))
    return 201, shown(by_id[id], "PUT")
  end,
})

operations.add("GET", "odata/Attachments({})", {
  scope = "OR.Folders", access = "Read", folder = true,
  run = function(request)
    local attachment = by_id[request[1]]
    if not attachment then problem.not_found("Attachment") end
    return 200, shown(attachment, "GET")
  end,
})

return attachments

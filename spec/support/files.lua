-- Files that specs write and look at.

local tenant = require "spec.support.tenant"

local files = {}

---@return string text
function files.read(path)
  local file = assert(io.open(path, "rb"))
  local text = file:read "*a"
  file:close()
  return text
end

function files.write(path, text)
  local file = assert(io.open(path, "wb"))
  file:write(text)
  file:close()
end

---The names in a folder, hidden ones too.
---@return string[]
function files.names(folder)
  local list = {}
  for name in tenant.shell("ls -A " .. folder):gmatch "[^\n]+" do list[#list + 1] = name end
  return list
end

return files

-- A file that is there whole or not at all: it is written under a temporary name beside its own, and then renamed.

local shared = require "uipath.recipes.shared"

local output_file = {}

-- What is no regular file is written straight.
local function is_device(path)
  return path:find "^/dev/" ~= nil or path:find "^/proc/" ~= nil
end

local function temporary(path)
  return ("%s.%s.tmp"):format(path, shared.guid():sub(1, 8))
end

local function refused(path, why)
  why = why or "it cannot be written"
  return shared.failure("file", why:find(path, 1, true) and why or path .. ": " .. why)
end

local function put(path, text)
  local file, why = io.open(path, "wb")
  if not file then return nil, why end
  local ok, problem = file:write(text)
  local closed, reason = file:close()
  if ok and closed then return true end
  return nil, problem or reason
end

---Sees that a file can be written, and removes the one that is there.
---@param path string
---@return true?
---@return uipath.Error? err
function output_file.prepare(path)
  if is_device(path) then return true end
  local beside = temporary(path)
  local ok, why = put(beside, "")
  os.remove(beside)
  if not ok then return nil, refused(path, why and why:gsub("%.%x+%.tmp", "")) end
  local old = io.open(path, "rb")
  if not old then return true end
  local _, is_none = old:read(0)
  old:close()
  if is_none then return nil, refused(path, is_none) end -- a folder: to remove it would succeed where it is empty
  local removed, problem = os.remove(path)
  if not removed then return nil, refused(path, problem) end
  return true
end

---Writes a file.
---@param path string
---@param text string
---@return true?
---@return uipath.Error? err
function output_file.write(path, text)
  if is_device(path) then
    local ok, why = put(path, text)
    if not ok then return nil, refused(path, why) end
    return true
  end
  local beside = temporary(path)
  local ok, why = put(beside, text)
  if ok then ok, why = os.rename(beside, path) end
  if ok then return true end
  os.remove(beside)
  return nil, refused(path, why and why:gsub("%.%x+%.tmp", ""))
end

return output_file

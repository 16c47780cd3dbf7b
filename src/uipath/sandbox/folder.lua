--- The folder that a request names by its headers.

local problem = require("uipath.sandbox.problem")
local rows = require("uipath.sandbox.rows")

local folder = {}

--- UTF-16, little-endian, as UTF-8.
local function utf16le_to_utf8(text)
  local parts, at = {}, 1
  while at < #text do
    local low, high = text:byte(at, at + 1)
    local point = low + high * 256
    at = at + 2
    if point >= 0xD800 and point < 0xDC00 and at < #text then
      low, high = text:byte(at, at + 1)
      point = 0x10000 + (point - 0xD800) * 1024 + (low + high * 256 - 0xDC00)
      at = at + 2
    end
    if point < 0x80 then
      parts[#parts + 1] = string.char(point)
    elseif point < 0x800 then
      parts[#parts + 1] = string.char(0xC0 + math.floor(point / 64), 0x80 + point % 64)
    elseif point < 0x10000 then
      parts[#parts + 1] = string.char(0xE0 + math.floor(point / 4096),
        0x80 + math.floor(point / 64) % 64, 0x80 + point % 64)
    else
      parts[#parts + 1] = string.char(0xF0 + math.floor(point / 262144),
        0x80 + math.floor(point / 4096) % 64, 0x80 + math.floor(point / 64) % 64,
        0x80 + point % 64)
    end
  end
  return table.concat(parts)
end

--- The folder that a request names in one of the four ways; raises errorCode 1101 when it names
--- none and 1100 when there is no such folder.
function folder.of_request()
  local headers = ngx.req.get_headers()
  local id, key = headers["X-UIPATH-OrganizationUnitId"], headers["X-UIPATH-FolderKey"]
  local path, encoded = headers["X-UIPATH-FolderPath"], headers["X-UIPATH-FolderPath-Encoded"]
  local found
  if id then
    found = rows.folder_by_id(tonumber(id))
  elseif key then
    found = rows.folder_by_key(key)
  elseif encoded then
    local decoded = ngx.decode_base64(encoded)
    -- A leading slash says that the path begins at the root, which is so here without it as well.
    found = decoded and rows.folder_by_path((utf16le_to_utf8(decoded):gsub("^/", "")))
  elseif path then
    -- Headers are ASCII: other letters do not arrive as they were meant.
    found = not path:find("[\128-\255]") and rows.folder_by_path(path)
  else
    problem.orchestrator(400, 1101, "A folder is required for this action.")
  end
  if not found then
    problem.orchestrator(400, 1100,
      "Folder does not exist or the user does not have access to the folder.")
  end
  return found
end

return folder

-- Text for terminals: how wide it is, cut to a width, and free of what a terminal would obey.

local text = {}

-- Characters that take no column (combining marks, joiners) and those that take two (East Asian, emoji): first and last of each range.
local zero = {
  { 0x300, 0x36F }, { 0x483, 0x489 }, { 0x591, 0x5BD }, { 0x610, 0x61A }, { 0x64B, 0x65F }, { 0x6D6, 0x6DC }, { 0x900, 0x902 },
  { 0x93C, 0x93C }, { 0x941, 0x948 }, { 0xE31, 0xE31 }, { 0xE34, 0xE3A }, { 0xE47, 0xE4E }, { 0x1AB0, 0x1AFF }, { 0x1DC0, 0x1DFF },
  { 0x200B, 0x200F }, { 0x202A, 0x202E }, { 0x2060, 0x2064 }, { 0x20D0, 0x20FF }, { 0xFE00, 0xFE0F }, { 0xFE20, 0xFE2F },
  { 0xFEFF, 0xFEFF }, { 0xE0100, 0xE01EF },
}
local double = {
  { 0x1100, 0x115F }, { 0x231A, 0x231B }, { 0x2329, 0x232A }, { 0x23E9, 0x23EC }, { 0x2614, 0x2615 }, { 0x26A1, 0x26A1 },
  { 0x2705, 0x2705 }, { 0x274C, 0x274C }, { 0x2753, 0x2757 }, { 0x2795, 0x2797 }, { 0x2E80, 0x303E }, { 0x3041, 0x33FF },
  { 0x3400, 0x4DBF }, { 0x4E00, 0x9FFF }, { 0xA000, 0xA4CF }, { 0xA960, 0xA97F }, { 0xAC00, 0xD7A3 }, { 0xF900, 0xFAFF },
  { 0xFE30, 0xFE6F }, { 0xFF00, 0xFF60 }, { 0xFFE0, 0xFFE6 }, { 0x1F300, 0x1F64F }, { 0x1F680, 0x1F6FF }, { 0x1F900, 0x1F9FF },
  { 0x20000, 0x3FFFD },
}

local function is_in(ranges, point)
  for _, range in ipairs(ranges) do
    if point < range[1] then return false end
    if point <= range[2] then return true end
  end
  return false
end

-- One character of well-formed UTF-8; the others of its bytes follow the first.
local character = "[%z\1-\127\194-\244][\128-\191]*"

local function code_point(bytes)
  local first = bytes:byte()
  if first < 0x80 then return first end
  local point = first < 0xE0 and first - 0xC0 or first < 0xF0 and first - 0xE0 or first - 0xF0
  for i = 2, #bytes do point = point * 64 + bytes:byte(i) - 0x80 end
  return point
end

local function width_of(bytes)
  if #bytes == 1 then return 1 end
  local point = code_point(bytes)
  if is_in(zero, point) then return 0 end
  return is_in(double, point) and 2 or 1
end

---How many columns a clean text takes.
---@param value string
---@return integer
function text.width(value)
  if not value:find "[\128-\255]" then return #value end
  local width = 0
  for bytes in value:gmatch(character) do width = width + width_of(bytes) end
  return width
end

---The text in at most so many columns; what is cut off is shown as `…`.
---@param value string
---@param columns integer
---@return string cut
---@return integer width
function text.cut(value, columns)
  local width = text.width(value)
  if width <= columns then return value, width end
  local parts, used = {}, 0
  for bytes in value:gmatch(character) do
    local more = width_of(bytes)
    if used + more > columns - 1 then break end
    parts[#parts + 1], used = bytes, used + more
  end
  return table.concat(parts) .. "…", used + 1
end

-- Whether all of it is well-formed, and none of it C1 controls or marks that turn the direction of writing.
local function is_clean(value)
  local rest = value:gsub(character, function(bytes)
    local point = code_point(bytes)
    local expected = point < 0x80 and 1 or point < 0x800 and 2 or point < 0x10000 and 3 or 4
    if #bytes == expected and not (point >= 0x80 and point < 0xA0) and not (point >= 0x202A and point <= 0x202E)
      and not (point >= 0x2066 and point <= 0x2069) then return "" end
  end)
  return rest == ""
end

local escapes = { ["\n"] = "\\n", ["\r"] = "\\r", ["\t"] = "\\t", ["\27"] = "\\e" }

---The text without anything that a terminal would obey: controls are shown as escapes, bytes that are no UTF-8 too.
---@param value string
---@return string
function text.clean(value)
  if value:find "%c" then
    value = value:gsub("%c", function(control) return escapes[control] or ("\\x%02x"):format(control:byte()) end)
  end
  if not value:find "[\128-\255]" or is_clean(value) then return value end
  local parts, position = {}, 1
  while position <= #value do
    local bytes = value:match("^" .. character, position)
    if bytes and #bytes <= 4 and is_clean(bytes) then
      parts[#parts + 1] = bytes
    else
      bytes = value:sub(position, position)
      parts[#parts + 1] = ("\\x%02x"):format(bytes:byte())
    end
    position = position + #bytes
  end
  return table.concat(parts)
end

return text

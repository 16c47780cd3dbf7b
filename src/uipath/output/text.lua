-- Text for terminals: how wide it is, cut to a width, and free of what a terminal would obey.

local text = {}

-- Whether a code point is in one of the ranges, which are in order.
local function is_in(ranges, point)
  local low, high = 1, #ranges
  while low <= high do
    local middle = math.floor((low + high) / 2)
    local range = ranges[middle]
    if point < range[1] then high = middle - 1
    elseif point > range[2] then low = middle + 1
    else return true end
  end
  return false
end

local function read_ranges(words)
  local ranges = {}
  for first, last in words:gmatch "(%x+)%-?(%x*)" do
    ranges[#ranges + 1] = { tonumber(first, 16), tonumber(last ~= "" and last or first, 16) }
  end
  return ranges
end

local zero, double

-- Only who writes more than ASCII needs them.
local function load_widths()
  local widths = require "uipath.output.widths"
  zero, double = read_ranges(widths.zero), read_ranges(widths.double)
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
  if point < 0x300 then return 1 end
  if not zero then load_widths() end
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

---The text in lines of at most so many columns, parted between words; what is longer than a line stays whole.
---@param value string clean
---@param columns integer
---@param indent? string what the lines after the first begin with
---@return string lines without the end of the last one
function text.wrap(value, columns, indent)
  indent = indent or ""
  if text.width(value) <= columns then return value end
  local lines, line, used = {}, "", 0
  -- The blanks before a word belong to it, so that columns of words stay as they are.
  for blanks, word in value:gmatch "(%s*)(%S+)" do
    local width = #blanks + text.width(word)
    if line:find "%S" and used + width > columns then
      lines[#lines + 1] = line
      line, used = indent .. word, text.width(indent .. word)
    else
      line, used = line .. blanks .. word, used + width
    end
  end
  lines[#lines + 1] = line
  return table.concat(lines, "\n")
end

-- Whether a terminal would obey a character beyond ASCII: C1 controls, and marks that turn the direction of writing.
local function is_obeyed(point)
  return (point >= 0x80 and point < 0xA0) or (point >= 0x202A and point <= 0x202E) or (point >= 0x2066 and point <= 0x2069)
    or point == 0x200E or point == 0x200F or point == 0x61C
end

---The text with each character beyond ASCII that a terminal would obey replaced. What is no UTF-8 stays as it is.
---@param value string
---@param escape fun(point: integer, bytes: string): string
---@return string
function text.escape_obeyed(value, escape)
  if not value:find "[\194\216\226]" then return value end
  return (value:gsub("[\194\216\226][\128-\191]+", function(bytes)
    local length = bytes:byte() == 226 and 3 or 2
    if #bytes < length then return nil end
    local point = code_point(bytes:sub(1, length))
    return is_obeyed(point) and escape(point, bytes:sub(1, length)) .. bytes:sub(length + 1) or nil
  end))
end

-- Whether all of it is well-formed, and none of it would be obeyed.
local function is_clean(value)
  local rest = value:gsub(character, function(bytes)
    local point = code_point(bytes)
    local expected = point < 0x80 and 1 or point < 0x800 and 2 or point < 0x10000 and 3 or 4
    if #bytes == expected and not is_obeyed(point) then return "" end
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

---A text of several lines as it may be written to a terminal: its lines and tabs stay, all else that a terminal would obey is escaped.
---@param value string
---@return string
function text.printable(value)
  if not value:find "[%c\128-\255]" then return value end
  return (value:gsub("\r\n", "\n"):gsub("[^\n\t]+", text.clean))
end

return text

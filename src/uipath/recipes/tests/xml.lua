-- Text that may stand in XML 1.0.

local xml = {}

-- The length of the sequence of UTF-8 at a place, if it is one of a character that XML allows.
local function sequence(text, at)
  local a, b, c, d = text:byte(at, at + 3)
  local function continues(byte) return byte ~= nil and byte >= 0x80 and byte < 0xC0 end
  if a >= 0xC2 and a < 0xE0 then return continues(b) and 2 or nil end
  if a >= 0xE0 and a < 0xF0 then
    if not continues(b) or not continues(c) then return nil end
    if (a == 0xE0 and b < 0xA0) or (a == 0xED and b >= 0xA0) then return nil end -- too long, or half of a pair
    if a == 0xEF and b == 0xBF and c >= 0xBE then return nil end -- U+FFFE and U+FFFF
    return 3
  end
  if a >= 0xF0 and a < 0xF5 then
    if not continues(b) or not continues(c) or not continues(d) then return nil end
    if (a == 0xF0 and b < 0x90) or (a == 0xF4 and b >= 0x90) then return nil end
    return 4
  end
end

local function valid(bytes)
  local kept, at = {}, 1
  while at <= #bytes do
    local length = sequence(bytes, at)
    if length then kept[#kept + 1] = bytes:sub(at, at + length - 1) end
    at = at + (length or 1)
  end
  return table.concat(kept)
end

local function control(character)
  return (character == "\t" or character == "\n" or character == "\r" or character == "\127") and character or ""
end

---Leaves out what XML forbids: control characters, halves of pairs, what is no UTF-8.
---@param text string
---@return string
function xml.clean(text)
  return (text:gsub("%c", control):gsub("[\128-\255]+", valid))
end

local ENTITIES = { ["&"] = "&amp;", ["<"] = "&lt;", [">"] = "&gt;", ['"'] = "&quot;", ["\n"] = "&#10;", ["\r"] = "&#13;", ["\t"] = "&#9;" }

---As the text of an element.
---@param text string
---@return string
function xml.text(text)
  return (xml.clean(text):gsub("[&<>\r]", ENTITIES))
end

---As the value of an attribute, without its quotes.
---@param text string
---@return string
function xml.attribute(text)
  return (xml.clean(text):gsub('[&<>"\n\r\t]', ENTITIES))
end

return xml

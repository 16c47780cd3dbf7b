-- What a service says that refuses so many rows a page: the most that it allows.

local refusal = {}

-- The number stands behind one of these words; a message may name others, such as the one that was
-- asked for.
local CUES = {
  "max", "limit", "exceed", "between", "most", "greater", "less", "more than", "up to", "above",
  "over", "larger", "within",
}
local NEAR = 60 -- bytes before the number
local LONGEST = 4096 -- of the server's text that is looked at
local DEEPEST = 4

local function has_cue(words)
  for _, cue in ipairs(CUES) do
    if words:find(cue, 1, true) then return true end
  end
  return false
end

-- The greatest number below `asked` in the text that a cue stands before.
local function cap_in(text, asked)
  local found
  text = text:sub(1, LONGEST):lower():gsub("(%d)[,'](%d%d%d)%f[%D]", "%1%2")
  for from, digits in text:gmatch "%f[%w]()(%d+)%f[^%w]" do
    local number, before = tonumber(digits), text:sub(math.max(1, from - NEAR), from - 1)
    -- "less than 101", but not "less than or equal to 100"
    if before:find "less than[^%w]*$" then number = number - 1 end
    local fits = number >= 1 and number < asked and has_cue(before)
    if fits and (not found or number > found) then found = number end
  end
  return found
end

local function search(value, asked, depth)
  if type(value) == "string" then return cap_in(value, asked) end
  if type(value) ~= "table" or depth > DEEPEST then return nil end
  local found
  for name, each in pairs(value) do
    -- { "maxPageSize": 50 } says it as well.
    if type(each) == "number" then each = tostring(name) .. " " .. ("%.0f"):format(each) end
    local cap = search(each, asked, depth + 1)
    if cap and (not found or cap > found) then found = cap end
  end
  return found
end

---The number of rows that the service names in its refusal, if it refuses a page of so many; else
---nil.
---@param err table the error object
---@param asked integer
---@return integer?
function refusal.cap(err, asked)
  if err.status ~= 400 then return nil end
  local cap = search(err.message, asked, 1) or search(err.body, asked, 1)
  return cap and (math.tointeger and math.tointeger(cap) or cap) -- luacheck: ignore 143
end

return refusal

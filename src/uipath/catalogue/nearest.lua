-- The path of the catalogue that a misspelt one most likely means: one letter away in one segment.

local nearest = {}

local SHORTEST = 3 -- letters of a name in which one may be wrong
local LONGEST = 200 -- bytes of a segment that is looked at

---Whether two texts differ by one letter that is another, missing, one too many, or in its
---neighbour's place.
---@param one string
---@param other string
---@return boolean
function nearest.is_one_away(one, other)
  if math.abs(#one - #other) > 1 or one == other then return false end
  if #one > #other then one, other = other, one end
  local at = 1
  while at <= #one and one:byte(at) == other:byte(at) do at = at + 1 end
  if #one < #other then return one:sub(at) == other:sub(at + 1) end
  if one:sub(at + 1) == other:sub(at + 1) then return true end
  return one:byte(at) == other:byte(at + 1) and one:byte(at + 1) == other:byte(at)
    and one:sub(at + 2) == other:sub(at + 2)
end

local function segments_of(path)
  local segments = {}
  for segment in path:gmatch "[^/]+" do segments[#segments + 1] = segment:sub(1, LONGEST) end
  return segments
end

-- "Jobs(5)" → "Jobs", "(5)"
local function split_key(segment)
  local name, key = segment:match "^([^(]*)(%(.*%))$"
  return name or segment, key
end

-- How a typed segment fits that of a template: the segment that is meant, and whether it is
-- another than was typed; nil: not at all.
local function fit(typed, segment)
  if segment:find "^{[^}]*}$" then return typed, false end
  local name, key = split_key(typed)
  local wanted, wanted_key = split_key(segment)
  if (key == nil) ~= (wanted_key == nil) then return nil end
  if name:lower() == wanted:lower() then return wanted .. (key or ""), name ~= wanted end
  if #wanted < SHORTEST or not nearest.is_one_away(name:lower(), wanted:lower()) then return nil end
  return wanted .. (key or ""), true
end

-- The template's path with what was typed for its keys; nil where more than one segment differs.
local function meant_by(typed, template)
  if #typed ~= #template then return nil end
  local meant, wrong = {}, 0
  for i, segment in ipairs(template) do
    local fitting, differs = fit(typed[i], segment)
    if not fitting then return nil end
    meant[i], wrong = fitting, wrong + (differs and 1 or 0)
    if wrong > 1 then return nil end
  end
  return wrong == 1 and table.concat(meant, "/") or nil
end

---The path that is meant by one that is not there.
---@param path string
---@param templates fun(): string? an iterator of paths
---@return string? path nil: none is that near, or several are
function nearest.path(path, templates)
  local typed, found = segments_of(path), nil
  for template in templates do
    local meant = meant_by(typed, segments_of(template))
    if meant and found and meant ~= found then return nil end
    found = found or meant
  end
  return found
end

---The name among the keys of a table that is one letter away from another.
---@param name string
---@param names table<string, any>
---@return string?
function nearest.name(name, names)
  local found
  for each in pairs(names) do
    if nearest.is_one_away(name:lower(), each) then
      if found then return nil end
      found = each
    end
  end
  return found
end

return nearest

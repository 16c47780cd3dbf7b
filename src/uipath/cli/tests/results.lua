-- Another tool's results: a JUnit file or JSON lines, as client.tests:report takes them.

local uipath = require "uipath"

local results = {}

local ENTITIES = { lt = "<", gt = ">", amp = "&", quot = '"', apos = "'" }

local function utf8_character(code)
  if code < 0x80 then return string.char(code) end
  if code < 0x800 then return string.char(0xC0 + math.floor(code / 64), 0x80 + code % 64) end
  if code < 0x10000 then return string.char(0xE0 + math.floor(code / 4096), 0x80 + math.floor(code / 64) % 64, 0x80 + code % 64) end
  return string.char(0xF0 + math.floor(code / 262144), 0x80 + math.floor(code / 4096) % 64, 0x80 + math.floor(code / 64) % 64,
    0x80 + code % 64)
end

local function entity(name)
  local code = tonumber(name:match "^#(%d+)$") or tonumber(name:match "^#x(%x+)$" or "", 16)
  if code then return code < 0x110000 and utf8_character(code) or "" end
  return ENTITIES[name]
end

local function unescape(text) return (text:gsub("&(#?%w+);", entity)) end

local function attributes_of(text)
  local found = {}
  for name, quote, value in text:gmatch "([%w_:.-]+)%s*=%s*([\"'])(.-)%2" do
    if quote then found[name] = unescape(value) end
  end
  return found
end

-- The test cases of a JUnit file, each with { name, classname, result, reason }. nil and why where it is none.
local function read_junit(text)
  text = text:gsub("<!%-%-.-%-%->", ""):gsub("<!%[CDATA%[(.-)%]%]>", function(words)
    return (words:gsub("[&<>]", { ["&"] = "&amp;", ["<"] = "&lt;", [">"] = "&gt;" }))
  end)
  if not text:find "<testsuites?[%s/>]" then return nil, "it is no JUnit file" end
  local list, case, open, depth = {}, nil, nil, 0
  local at = 1
  while true do
    local from, to, closing, name = text:find("<(/?)([%w_:.-]+)", at)
    if not from then break end
    local rest_from = to + 1
    -- A `>` may stand in the value of an attribute.
    local cursor, quote = rest_from, nil
    while true do
      local character = text:sub(cursor, cursor)
      if character == "" then return nil, "it ends in the middle" end
      if quote then
        if character == quote then quote = nil end
      elseif character == '"' or character == "'" then
        quote = character
      elseif character == ">" then
        break
      end
      cursor = cursor + 1
    end
    local rest = text:sub(rest_from, cursor - 1)
    local is_empty = rest:find "/%s*$" ~= nil
    if open and closing == "/" and name == open.name then
      local words = unescape(text:sub(open.at, from - 1)):match "^%s*(.-)%s*$"
      if not case.reason and words ~= "" then case.reason = words end
      open = nil
    end
    if closing == "" then
      if not is_empty then depth = depth + 1 end
      if name == "testcase" then
        local attributes = attributes_of(rest)
        case = { name = attributes.name or "", classname = attributes.classname or "", result = "Passed" }
        list[#list + 1] = case
        if is_empty then case = nil end
      elseif case and (name == "failure" or name == "error" or name == "skipped") then
        local message = attributes_of(rest).message
        if name ~= "skipped" then case.result = "Failed" elseif case.result == "Passed" then case.result = "None" end
        if message and message ~= "" then case.reason = case.reason or message end
        if not is_empty then open = { name = name, at = cursor + 1 } end
      end
    else
      depth = depth - 1
      if name == "testcase" then case = nil end
    end
    at = cursor + 1
  end
  if depth ~= 0 then return nil, "it ends in the middle" end
  return list
end

local function read_lines(text)
  local list, number = {}, 0
  for line in (text .. "\n"):gmatch "(.-)\r?\n" do
    number = number + 1
    if line:find "%S" then
      local value, err = uipath.json.decode(line)
      if type(value) ~= "table" then return nil, ("line %d: %s"):format(number, err and err.message or "it is no object") end
      for name, each in pairs(value) do
        if each == uipath.null then value[name] = nil end
      end
      list[#list + 1] = value
    end
  end
  return list
end

-- The worst of the results of one case, which may have run with several data.
local WORSE = { Passed = 1, None = 2, Failed = 3 }

local function add(list, by_key, key, case)
  local former = by_key[key]
  if not former then
    former = { case = key, result = case.result, reason = case.reason }
    by_key[key], list[#list + 1] = former, former
  elseif WORSE[case.result] > WORSE[former.result] then
    former.result, former.reason = case.result, case.reason
  end
end

---Reads results.
---@param text string
---@param key_of fun(name: string): string? the key of a test case by its name
---@return table[]? list
---@return string? problem
function results.read(text, key_of)
  text = text:gsub("^\239\187\191", "")
  if not text:find "^%s*<" then return read_lines(text) end
  local cases, problem = read_junit(text)
  if not cases then return nil, problem end
  local list, by_key, unknown = {}, {}, {}
  for _, case in ipairs(cases) do
    local key = case.name:match "%f[%w]([%w_-]+:%d+)%f[%W]" or case.classname:match "%f[%w]([%w_-]+:%d+)%f[%W]" or key_of(case.name)
    if key then add(list, by_key, key, case) else unknown[#unknown + 1] = case.name end
  end
  if #unknown > 0 then
    return nil, ("%d of %d test cases have neither a key such as DEMO:7 in their names nor the name of one of the set's: %s"):format(
      #unknown, #cases, table.concat(unknown, ", ", 1, math.min(5, #unknown)))
  end
  if #list == 0 then return nil, "it has no test cases" end
  return list
end

return results

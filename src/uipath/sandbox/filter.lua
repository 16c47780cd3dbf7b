--- OData's `$filter`: text → tree → a Lua function that says whether a row is meant.
---
--- Understood: `and or not ( )`, `eq ne gt ge lt le in`, `contains startswith endswith tolower
--- toupper trim length year month day hour minute second date now`, properties and properties of
--- related entities (`Release/Name`), null, booleans, numbers, strings, GUIDs, dates. As in the
--- service, types must fit: a GUID in quotes is a string and cannot be compared with a GUID.

local lpeg = require("lpeg")

local P, R, S, V = lpeg.P, lpeg.R, lpeg.S, lpeg.V
local C, Cc, Cf, Cg, Cs, Ct = lpeg.C, lpeg.Cc, lpeg.Cf, lpeg.Cg, lpeg.Cs, lpeg.Ct

local null = ngx.null

local filter = {}

--- What `$filter` may hold in all.
local MAX_EXPRESSIONS = 100

-- Dates ---------------------------------------------------------------------------------------

--- Days from 1970-01-01 to a date of the Gregorian calendar.
local function days(year, month, day)
  if month < 3 then year, month = year - 1, month + 12 end
  return 365 * year + math.floor(year / 4) - math.floor(year / 100) + math.floor(year / 400)
    + math.floor((153 * (month - 3) + 2) / 5) + day - 719469
end

--- Seconds since 1970 of a date as JSON and OData write it; nil if it is none.
local function seconds(text)
  local year, month, day, rest = text:match("^(%d%d%d%d)%-(%d%d)%-(%d%d)(.*)$")
  if not year then return nil end
  local at = days(tonumber(year), tonumber(month), tonumber(day)) * 86400
  if rest == "" then return at end
  local hour, minute, second, zone = rest:match("^T(%d%d):(%d%d):?([%d.]*)(.*)$")
  if not hour then return nil end
  at = at + hour * 3600 + minute * 60 + (tonumber(second) or 0)
  if zone == "" or zone == "Z" then return at end
  local sign, zone_hour, zone_minute = zone:match("^([+-])(%d%d):(%d%d)$")
  if not sign then return nil end
  return at - (sign .. "1") * (zone_hour * 3600 + zone_minute * 60)
end

-- Text → tree ---------------------------------------------------------------------------------

local function node(kind, ...)
  return Ct(Cg(Cc(kind), "kind") * ...)
end

local function literal(type_name, pattern)
  return node("literal", Cg(Cc(type_name), "type") * Cg(pattern, "value"))
end

local function fold_binary(left, operator, right)
  return { kind = operator, left, right }
end

local word_end = -R("az", "AZ", "09", "__")
local gap = S(" \t") ^ 1
local space = S(" \t") ^ 0

local function word(text)
  return P(text) * word_end
end

local function one_of(words)
  local pattern = P(false)
  for name in words:gmatch("%S+") do pattern = pattern + C(word(name)) end
  return pattern
end

local digit, hex = R("09"), R("09", "af", "AF")
local function exactly(pattern, count)
  local all = P(true)
  for _ = 1, count do all = all * pattern end
  return all
end

local two = exactly(digit, 2)
local date_text = exactly(digit, 4) * "-" * two * "-" * two
  * (P "T" * two * ":" * two * (":" * two * ("." * digit ^ 1) ^ -1) ^ -1
    * (P "Z" + S "+-" * two * ":" * two) ^ -1) ^ -1
local guid_text = exactly(hex, 8) * exactly("-" * exactly(hex, 4), 3) * "-" * exactly(hex, 12)
local number_text = S "+-" ^ -1 * digit ^ 1 * ("." * digit ^ 1) ^ -1
  * (S "eE" * S "+-" ^ -1 * digit ^ 1) ^ -1 * S("dfmDFMlL") ^ -1
local string_text = "'" * Cs((P "''" / "'" + (1 - P "'")) ^ 0) * "'"
local name = R("az", "AZ", "__") * R("az", "AZ", "09", "__") ^ 0
local enum_prefix = name * ("." * name) ^ 1

local function to_number(text)
  return tonumber((text:gsub("[dfmDFMlL]$", "")))
end

local grammar = P {
  space * V "either" * space * -1,
  either = Cf(V "both" * Cg(gap * C(word "or") * gap * V "both") ^ 0, fold_binary),
  both = Cf(V "negation" * Cg(gap * C(word "and") * gap * V "negation") ^ 0, fold_binary),
  negation = node("not", word "not" * space * V "negation") + V "comparison",
  comparison = node("in", V "operand" * gap * word "in" * space * V "list")
    + Cf(V "operand" * Cg(gap * one_of "eq ne gt ge lt le" * gap * V "operand") ^ -1, fold_binary),
  operand = "(" * space * V "either" * space * ")" + V "literal" + V "call" + V "path",
  list = "(" * space * Ct(V "literal" * (space * "," * space * V "literal") ^ 0) * space * ")",
  literal = literal("Null", word "null" * Cc(null))
    + literal("Boolean", word "true" * Cc(true) + word "false" * Cc(false))
    + literal("Guid", C(guid_text) * word_end / string.lower)
    + literal("Date", C(date_text) * word_end / seconds)
    + literal("Number", C(number_text) * word_end / to_number)
    + literal("Enum", enum_prefix * string_text)
    + literal("String", string_text),
  call = node("call", Cg(C(name), "name") * "(" * space
    * (V "either" * (space * "," * space * V "either") ^ 0) ^ -1 * space * ")"),
  path = node("path", C(name) * ("/" * C(name)) ^ -1),
}

-- Tree → function -----------------------------------------------------------------------------

local function fail(message, ...)
  error({ filter = message:format(...) }, 0)
end

--- Types that may be compared with each other, beside equal ones and null.
local function fits(left, right)
  if left == right or left == "Null" or right == "Null" then return true end
  return (left == "Enum" and right == "String") or (left == "String" and right == "Enum")
end

local COMPARISONS = {
  eq = function(a, b) return a == b end,
  ne = function(a, b) return a ~= b end,
  gt = function(a, b) return a ~= null and b ~= null and a > b end,
  ge = function(a, b) return a ~= null and b ~= null and a >= b end,
  lt = function(a, b) return a ~= null and b ~= null and a < b end,
  le = function(a, b) return a ~= null and b ~= null and a <= b end,
}

--- A part of a date, counted in UTC.
local function date_part(format)
  return function(at) return tonumber(os.date(format, math.floor(at))) end
end

--- Functions: the types of the arguments, the type of the result, what to do. A null argument
--- makes the result null, which no condition accepts.
local FUNCTIONS = {
  contains = { { "String", "String" }, "Boolean",
    function(text, part) return text:find(part, 1, true) ~= nil end },
  startswith = { { "String", "String" }, "Boolean",
    function(text, part) return text:sub(1, #part) == part end },
  endswith = { { "String", "String" }, "Boolean",
    function(text, part) return part == "" or text:sub(-#part) == part end },
  tolower = { { "String" }, "String", string.lower },
  toupper = { { "String" }, "String", string.upper },
  trim = { { "String" }, "String", function(text) return text:match("^%s*(.-)%s*$") end },
  length = { { "String" }, "Number", function(text) return #text end },
  year = { { "Date" }, "Number", date_part "!%Y" },
  month = { { "Date" }, "Number", date_part "!%m" },
  day = { { "Date" }, "Number", date_part "!%d" },
  hour = { { "Date" }, "Number", date_part "!%H" },
  minute = { { "Date" }, "Number", date_part "!%M" },
  second = { { "Date" }, "Number", date_part "!%S" },
  date = { { "Date" }, "Date", function(at) return at - at % 86400 end },
  now = { {}, "Date", function() return ngx.time() end },
}

local compile

local function unknown(property, scope)
  fail("Could not find a property named '%s' on type '%s'.", property, scope.type)
end

local function compile_path(tree, scope)
  local read, property, member = scope.read, tree[1], tree[2]
  local kind, get
  if member then
    local related = scope.related[property] or unknown(property, scope)
    kind = related.kinds[member] or unknown(member, related)
    get = function(row)
      local entity = read(row, property)
      return type(entity) == "table" and entity[member] or null
    end
  else
    kind = scope.kinds[property] or unknown(property, scope)
    get = function(row) return read(row, property) end
  end
  if kind == "Int32" or kind == "Int64" or kind == "Double" then return "Number", get end
  if kind ~= "Date" then return kind, get end
  return "Date", function(row)
    local text = get(row)
    return text ~= null and seconds(text) or null
  end
end

local function compile_call(tree, scope)
  local definition = FUNCTIONS[tree.name]
  if not definition then
    fail("An unknown function with name '%s' was found.", tree.name)
  end
  local parameters, result, apply = definition[1], definition[2], definition[3]
  local arguments = {}
  for index, argument in ipairs(tree) do
    local kind, get = compile(argument, scope)
    if not parameters[index] or not fits(kind, parameters[index]) then
      fail("No function signature for the function with name '%s' matches the specified arguments.",
        tree.name)
    end
    arguments[index] = get
  end
  if #arguments ~= #parameters then
    fail("No function signature for the function with name '%s' matches the specified arguments.",
      tree.name)
  end
  local first, second = arguments[1], arguments[2]
  return result, function(row)
    local a = first and first(row)
    local b = second and second(row)
    if a == null or b == null then return null end
    return apply(a, b)
  end
end

local function condition(tree, scope, operator)
  local kind, get = compile(tree, scope)
  if kind ~= "Boolean" and kind ~= "Null" then
    fail("A binary operator with incompatible types was detected. "
      .. "Found operand type '%s' for operator kind '%s'.", kind, operator)
  end
  return get
end

local function compile_logic(tree, scope)
  local left = condition(tree[1], scope, tree.kind)
  if tree.kind == "not" then
    return "Boolean", function(row)
      local value = left(row)
      if value == null then return null end
      return not value
    end
  end
  local right = condition(tree[2], scope, tree.kind)
  if tree.kind == "and" then
    return "Boolean", function(row) return left(row) == true and right(row) == true end
  end
  return "Boolean", function(row) return left(row) == true or right(row) == true end
end

local function compile_in(tree, scope)
  local kind, get = compile(tree[1], scope)
  local members = {}
  for _, member in ipairs(tree[2]) do
    if not fits(kind, member.type) then
      fail("A binary operator with incompatible types was detected. "
        .. "Found operand types '%s' and '%s' for operator kind 'In'.", kind, member.type)
    end
    members[member.value] = true
  end
  return "Boolean", function(row) return members[get(row)] == true end
end

local function compile_comparison(tree, scope)
  local left_kind, left = compile(tree[1], scope)
  local right_kind, right = compile(tree[2], scope)
  if not fits(left_kind, right_kind) then
    fail("A binary operator with incompatible types was detected. "
      .. "Found operand types '%s' and '%s' for operator kind '%s'.",
      left_kind, right_kind, tree.kind)
  end
  local compare = COMPARISONS[tree.kind]
  return "Boolean", function(row) return compare(left(row), right(row)) end
end

--- Makes a tree into the type of its values and a function from a row to its value.
function compile(tree, scope)
  local kind = tree.kind
  if kind == "literal" then
    local value = tree.value
    return tree.type, function() return value end
  end
  if kind == "path" then return compile_path(tree, scope) end
  scope.expressions = scope.expressions + 1
  if scope.expressions > MAX_EXPRESSIONS then
    fail("The node count limit of '%d' has been exceeded.", MAX_EXPRESSIONS)
  end
  if kind == "call" then return compile_call(tree, scope) end
  if kind == "in" then return compile_in(tree, scope) end
  if COMPARISONS[kind] then return compile_comparison(tree, scope) end
  return compile_logic(tree, scope)
end

---@class uipath.sandbox.Scope
---@field type string  the entity type's name, for messages
---@field kinds table<string, string>  each property's kind
---@field related table<string, uipath.sandbox.Scope>  each navigation property's type
---@field read fun(row: any, property: string): any

--- Compiles a filter.
---@param text string
---@param scope uipath.sandbox.Scope
---@return (fun(row: any): boolean)|nil matches
---@return string|nil message  what is wrong with the text
function filter.compile(text, scope)
  local parsed, tree = pcall(lpeg.match, grammar, text)
  if not parsed then return nil, "The filter is nested too deeply." end
  if not tree then return nil, "Syntax error in '" .. text .. "'." end
  local compiling = {
    type = scope.type, kinds = scope.kinds, related = scope.related, read = scope.read,
    expressions = 0,
  }
  local compiled, get = pcall(condition, tree, compiling, "filter")
  if not compiled then
    if type(get) == "table" then return nil, get.filter end
    error(get, 0)
  end
  return function(row) return get(row) == true end
end

return filter

-- Scopes that endpoints need, as boolean expressions of words: `(A or A.Read) and B`.

local scopes = {}

-- An expression as a list of clauses, each a list of alternatives: all clauses must hold, by any alternative of each.
-- The words of both lists keep their order and are there once.

local function append_clause(clauses, clause)
  local seen, unique = {}, {}
  for _, word in ipairs(clause) do
    if not seen[word] then unique[#unique + 1] = word end
    seen[word] = true
  end
  clauses[#clauses + 1] = unique
end

local function all_of(one, other)
  local clauses = {}
  for _, clause in ipairs(one) do append_clause(clauses, clause) end
  for _, clause in ipairs(other) do append_clause(clauses, clause) end
  return clauses
end

local function any_of(one, other)
  local clauses = {}
  for _, left in ipairs(one) do
    for _, right in ipairs(other) do
      local clause = {}
      for _, word in ipairs(left) do clause[#clause + 1] = word end
      for _, word in ipairs(right) do clause[#clause + 1] = word end
      append_clause(clauses, clause)
    end
  end
  return clauses
end

---Reads an expression; `and` binds tighter than `or`.
---@param text string
---@return string[][] clauses
function scopes.parse(text)
  local tokens, position = {}, 1
  for token in text:gsub("([()])", " %1 "):gmatch "%S+" do tokens[#tokens + 1] = token end

  local parse_any

  local function parse_one()
    local token = tokens[position]
    position = position + 1
    if token ~= "(" then
      assert(token and token ~= ")" and token ~= "and" and token ~= "or", "a scope is missing in: " .. text)
      return { { token } }
    end
    local inner = parse_any()
    assert(tokens[position] == ")", "a parenthesis is missing in: " .. text)
    position = position + 1
    return inner
  end

  local function parse_all()
    local clauses = parse_one()
    while tokens[position] == "and" do
      position = position + 1
      clauses = all_of(clauses, parse_one())
    end
    return clauses
  end

  function parse_any()
    local clauses = parse_all()
    while tokens[position] == "or" do
      position = position + 1
      clauses = any_of(clauses, parse_all())
    end
    return clauses
  end

  local clauses = parse_any()
  assert(position > #tokens, "too many words in: " .. text)
  return clauses
end

---Clauses as words.
---@param clauses string[][]
---@return string
function scopes.text(clauses)
  local parts = {}
  for i, clause in ipairs(clauses) do
    local words = table.concat(clause, " or ")
    parts[i] = #clauses > 1 and #clause > 1 and "(" .. words .. ")" or words
  end
  return table.concat(parts, " and ")
end

---The clauses that none of the scopes satisfies.
---@param clauses string[][]
---@param held string[]
---@return string[][]
function scopes.missing(clauses, held)
  local set, missing = {}, {}
  for _, scope in ipairs(held) do set[scope] = true end
  for _, clause in ipairs(clauses) do
    local satisfied = false
    for _, scope in ipairs(clause) do satisfied = satisfied or set[scope] == true end
    if not satisfied then missing[#missing + 1] = clause end
  end
  return missing
end

-- What a scope allows, in parts: X is X.Read and X.Write together, yet one word.
local function cost(scope, all)
  return (all[scope .. ".Read"] or all[scope .. ".Write"]) and 1.9 or 1
end

-- The clauses by the words that they share: what one group needs says nothing about another.
local function groups_of(clauses)
  local group_of_word, groups = {}, {}
  for _, clause in ipairs(clauses) do
    local group
    for _, word in ipairs(clause) do
      local other = group_of_word[word]
      if other and not group then
        group = other
      elseif other and other ~= group then
        for _, each in ipairs(other) do group[#group + 1] = each end
        for each, value in pairs(group_of_word) do if value == other then group_of_word[each] = group end end
        groups[other] = nil
      end
    end
    group = group or {}
    groups[group] = true
    group[#group + 1] = clause
    for _, word in ipairs(clause) do group_of_word[word] = group end
  end
  return groups
end

local function copy(list)
  local copied = {}
  for i, each in ipairs(list) do copied[i] = each end
  return copied
end

-- The cheapest set that satisfies a group of clauses: each way to satisfy the first unsatisfied one is tried.
local function cheapest(group, all)
  local best, best_cost
  local function search(held, sum)
    if best_cost and sum >= best_cost then return end
    local clause = scopes.missing(group, held)[1]
    if not clause then
      best, best_cost = copy(held), sum
      return
    end
    local alternatives = copy(clause)
    table.sort(alternatives, function(one, other)
      local here, there = cost(one, all), cost(other, all)
      return here < there or here == there and one < other
    end)
    for _, scope in ipairs(alternatives) do
      held[#held + 1] = scope
      search(held, sum + cost(scope, all))
      held[#held] = nil
    end
  end
  search({}, 0)
  return best
end

---The least scopes that satisfy all clauses, sorted.
---@param clauses string[][]
---@return string[]
function scopes.least(clauses)
  local all, least = {}, {}
  for _, clause in ipairs(clauses) do
    for _, scope in ipairs(clause) do all[scope] = true end
  end
  for group in pairs(groups_of(clauses)) do
    for _, scope in ipairs(cheapest(group, all)) do least[#least + 1] = scope end
  end
  table.sort(least)
  return least
end

return scopes

-- A line of code at the prompt: an expression whose values are shown, or statements.

local evaluate = {}

local load_text = loadstring or load -- luacheck: ignore 113

---@param code string
---@return function? chunk
---@return string? problem nil: the code goes on in the next line
function evaluate.compile(code)
  local chunk = load_text("return " .. code, "=prompt")
  if chunk then return chunk end
  local problem
  chunk, problem = load_text(code, "=prompt")
  if chunk then return chunk end
  if problem:find "<eof>'?$" then return nil, nil end
  return nil, problem
end

return evaluate

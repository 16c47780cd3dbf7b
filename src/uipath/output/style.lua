-- Colours, where a terminal is there to show them and NO_COLOR does not forbid it.

local terminal = require "uipath.terminal"

local style = {}

local codes = { bold = "1", dim = "2", red = "31", cyan = "36", green = "32" }

local function is_wanted()
  local no_colour = os.getenv "NO_COLOR"
  return terminal.is_terminal(1) and (not no_colour or no_colour == "") and os.getenv "TERM" ~= "dumb"
end

---Functions by the names of styles, each of which wraps a text.
---@return table<string, fun(text: string): string>
function style.new()
  local functions, wanted = {}, is_wanted()
  for name, code in pairs(codes) do
    functions[name] = wanted and function(text) return ("\27[%sm%s\27[0m"):format(code, text) end or function(text) return text end
  end
  return functions
end

return style

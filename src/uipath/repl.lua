-- The prompt's helpers for plain Lua: `lua5.4 -i -l uipath.repl` has `client`, `uipath` and `help`, and prints values readably.
-- Loading this module sets these globals, and `print`; it is for that use alone.

local help = require "uipath.repl.help"
local show = require "uipath.repl.show"
local uipath = require "uipath"

local repl = {}

local plain_print = print

---Prints values as the prompt shows them; what holds no table is printed as ever.
function repl.print(...)
  local has_table = false
  for i = 1, select("#", ...) do has_table = has_table or type((select(i, ...))) == "table" end
  if not has_table then return show.print(plain_print, ...) end
  show.results(function(text) io.stdout:write(text) end, select("#", ...), ...)
end

local function connect()
  local ok, client = pcall(uipath.connect)
  if ok then return client end
  io.stderr:write("no client: ", tostring(client), "\n")
end

_G.uipath, _G.client, _G.print = uipath, connect(), repl.print -- luacheck: ignore 122
_G.help = help.new(function(text) io.stdout:write(text) end)

return repl

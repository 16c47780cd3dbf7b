-- The prompt: reads lines of Lua, runs them, shows what they come to. Ctrl-C ends what runs, or gives a fresh line.

local connection = require "uipath.cli.connection"
local completion = require "uipath.repl.completion"
local editor = require "uipath.repl.editor"
local evaluate = require "uipath.repl.evaluate"
local help = require "uipath.repl.help"
local show = require "uipath.repl.show"
local terminal = require "uipath.terminal"
local uipath = require "uipath"
local waiting = require "uipath.repl.waiting"

local prompt = {}

local PROMPT, CONTINUED = "uipath> ", "     >> "

local function write(text)
  waiting.hide()
  io.stdout:write(text)
end

-- The names that lines of code find.
local function set_globals(client)
  local plain_print = print
  _G.client, _G.uipath, _G.help = client, uipath, help.new(write) -- luacheck: ignore 122
  _G.print = function(...) -- luacheck: ignore 122
    waiting.hide()
    show.print(plain_print, ...)
  end
end

local function show_results(ok, ...)
  if ok then
    local first, second = ...
    if first ~= nil then _G._ = first end -- luacheck: ignore 122
    completion.remember(first, second)
    -- A value may be unlike any other: showing it must not end the prompt, and may be long.
    local shown, problem = terminal.run(show.results, write, select("#", ...), ...)
    if not shown then write(show.failure(problem) .. "\n") end
    return
  end
  local raised = ...
  if type(raised) == "string" and raised:find("interrupted!", 1, true) then
    write("\n" .. show.failure "interrupted" .. "\n") -- the terminal has shown ^C
  else
    write(show.failure(raised) .. "\n")
  end
end

local leaving = { exit = true, quit = true }

-- Reads the lines of one piece of code. nil: the end; false: Ctrl-C, or nothing to run.
local function read_code(lines)
  local code
  while true do
    local line = lines.read(code and CONTINUED or PROMPT)
    if line == nil and code then line = false end
    if not line then return line end
    code = code and code .. "\n" .. line or line
    if not code:find "%S" then return false end
    if leaving[code:match "^%s*(%a+)%s*$" or ""] then return nil end
    local chunk, problem = evaluate.compile(code)
    local topic = not chunk and help.topic(code)
    if topic then return function() _G.help(topic) end end
    if chunk or problem then return chunk, problem end
  end
end

---The lines of code until the end of the input.
---@param lines table an editor
local function loop(lines)
  while true do
    local chunk, problem = read_code(lines)
    if chunk == nil and not problem then return end
    if chunk then
      show_results(waiting.run(chunk))
    elseif problem then
      write(show.failure(problem) .. "\n")
    end
    io.stdout:flush()
  end
end

---@param parsed table the options of the command line
---@return integer exit_code
function prompt.run(parsed)
  local client = connection.open(parsed)
  -- Compiled code does not look for Ctrl-C.
  if rawget(_G, "jit") then
    jit.off() -- luacheck: ignore 113
    jit.flush() -- luacheck: ignore 113
  end
  terminal.catch()
  set_globals(client)
  local is_interactive = terminal.is_terminal(0) and terminal.is_terminal(1)
  if is_interactive then
    write(("%s: %s\nhelp says more, Tab completes, Ctrl-D ends.\n"):format(uipath._VERSION, tostring(client):match "%((.*)%)"))
  end
  local lines = editor.new(completion.complete, is_interactive)
  loop(lines)
  if is_interactive then write "\n" end
  lines.close()
  return 0
end

return prompt

-- Reading a line: with GNU readline where the module readline is installed, else as the terminal has it.

local terminal = require "uipath.terminal"

local editor = {}

-- An editor has `read(prompt)` → the line; nil at the end of the input; false after Ctrl-C.

-- ---------------------------------------------------------------------------
-- With readline
-- ---------------------------------------------------------------------------

local LINES_KEPT = 1000

-- Lines that may hold a secret stay out of the file.
local function is_secret(line)
  line = line:lower()
  return line:find "secret" ~= nil or line:find "token" ~= nil or line:find "password" ~= nil or line:find "authorization" ~= nil
end

-- The module reads a file of its own when it is loaded, and again when told which one is meant.
local function open_history(readline)
  local home = os.getenv "HOME"
  local file = home and home .. "/.luipath_history" or ""
  if file ~= "" and not terminal.make_private(file) then file = "" end
  readline.set_options { histfile = file, keeplines = LINES_KEPT, auto_add = false }
end

local function with_readline(readline, complete)
  open_history(readline)
  readline.set_readline_name "luipath"
  readline.set_complete_function(function(line, from, to)
    readline.set_completion_append_character "" -- readline forgets it each time
    local ok, found = pcall(complete, line:sub(1, to - 1), line:sub(from, to - 1))
    return ok and found or {}
  end)
  local last
  local self = {}

  function self.read(prompt)
    local line, done
    io.stdout:flush()
    readline.handler_install(prompt, function(text)
      line, done = text, true
      readline.handler_remove()
    end)
    while not done do
      local news = terminal.wait()
      if news == "input" then
        readline.read_char()
      elseif news == "resized" then
        terminal.readline "rl_resize_terminal"
      else
        io.write "^C"
        io.stdout:flush()
        if terminal.readline "rl_callback_handler_remove" then readline.handler_remove() end
        io.write "\n"
        return false
      end
    end
    if line and line:find "%S" and line ~= last and not is_secret(line) then readline.add_history(line) end
    last = line
    return line
  end

  function self.close() readline.save_history() end

  return self
end

-- ---------------------------------------------------------------------------
-- Without
-- ---------------------------------------------------------------------------

local function plain(is_interactive)
  local self, buffer, ended = {}, "", false

  function self.read(prompt)
    if is_interactive then io.write(prompt) end
    io.stdout:flush()
    while true do
      local line, rest = buffer:match "^([^\n]*)\n(.*)$"
      if line then
        buffer = rest
        return line
      end
      if ended then
        line, buffer = buffer, ""
        return line ~= "" and line or nil
      end
      local news = terminal.wait()
      if news == "input" then
        local more = terminal.read()
        if more then buffer = buffer .. more else ended = true end
      elseif news == "interrupted" then
        buffer = ""
        io.write "\n"
        return false
      end
    end
  end

  function self.close() end

  return self
end

---@param complete fun(before: string, word: string): string[] completions of the word at the end of a line
---@param is_interactive boolean whether somebody types
function editor.new(complete, is_interactive)
  if is_interactive then
    local ok, readline = pcall(require, "readline")
    if ok and type(readline) == "table" and readline.handler_install then return with_readline(readline, complete) end
  end
  return plain(is_interactive)
end

return editor

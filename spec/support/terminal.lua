-- A program in a real terminal, tmux's: keys are typed, the screen is read. Waiting is for output, never for time.

local assert = require "luassert"

local Terminal = {}
Terminal.__index = Terminal

-- Its socket is in the terminal's own folder.
local TMUX = "env LC_ALL=C.UTF-8 TMUX_TMPDIR=%s tmux -u -f /dev/null %s"
local LONGEST = 120 -- seconds of a session until it is given up: output is awaited, this ends a hang

local function quoted(word) return "'" .. tostring(word):gsub("'", "'\\''") .. "'" end

function Terminal:tmux(words)
  local pipe = assert(io.popen(TMUX:format(self.folder, words) .. " 2>&1"))
  local output = pipe:read "*a"
  pipe:close()
  return output
end

---Starts a command in a window of its own.
---@param options { command: string, width: integer?, height: integer?, environment: table<string, string>? }
---@return table terminal
function Terminal.start(options)
  local folder = os.tmpname()
  os.remove(folder)
  assert(os.execute("mkdir -m 700 " .. folder))
  local self = setmetatable({ folder = folder }, Terminal)
  local words = { "env" }
  for _, name in ipairs { "ASAN_OPTIONS", "LSAN_OPTIONS", "UBSAN_OPTIONS", "TSAN_OPTIONS" } do
    if os.getenv(name) then words[#words + 1] = quoted(name .. "=" .. os.getenv(name)) end
  end
  for name, value in pairs(options.environment or {}) do words[#words + 1] = quoted(name .. "=" .. value) end
  words[#words + 1] = options.command
  -- The shell outlives the program, Ctrl-C too, and says how it ended.
  local command = ("trap : INT; %s; echo \"exit code $?\"; read -r _"):format(table.concat(words, " "))
  self:tmux(("new-session -d -x %d -y %d %s"):format(options.width or 80, options.height or 24, quoted("sh -c " .. quoted(command))))
  -- A client in control mode gets a line for every piece of output. It must not read the end of its input: a pipe that is open at both
  -- ends has none.
  assert(os.execute("mkfifo " .. folder .. "/input"))
  self.events = assert(io.popen(("exec 9<>%s/input; exec timeout %d %s <&9"):format(
    folder, LONGEST, TMUX:format(folder, "-C attach -f ignore-size"))))
  -- From here on no output comes without its line.
  local line
  repeat line = self.events:read "*l" until not line or line:find "^%%session%-changed"
  return self
end

---@return string text of the screen, without spaces at the ends of lines
function Terminal:screen()
  return (self:tmux "capture-pane -p" or ""):gsub("%s+$", "")
end

-- The screen as soon as the test likes it; what: for the message.
local function await(self, test, what)
  local screen = self:screen()
  while not test(screen) do
    local line
    repeat line = self.events:read "*l" until not line or line:find "^%%output"
    screen = self:screen()
    if not line and not test(screen) then error(("the screen never had %s:\n%s"):format(what, screen), 3) end
  end
  return screen
end

---The screen as soon as it matches a pattern.
---@param pattern string
---@return string screen
function Terminal:await(pattern)
  return await(self, function(screen) return screen:find(pattern) end, pattern)
end

---@param text string typed as it is
function Terminal:type(text)
  self:tmux("send-keys -l -- " .. quoted(text))
end

---@param ... string keys as tmux calls them: Enter, Tab, C-c
function Terminal:press(...)
  self:tmux("send-keys " .. table.concat({ ... }, " "))
end

---Types a line, and Enter once it can be read at the end of the screen.
function Terminal:enter(text)
  local typed = text:gsub("%s", "")
  self:type(text)
  await(self, function(screen) return screen:gsub("%s", ""):sub(-#typed) == typed end, text)
  self:press "Enter"
end

function Terminal:resize(width, height)
  self:tmux(("resize-window -x %d -y %d"):format(width, height))
end

---The screen with its escape sequences: for colours.
function Terminal:coloured_screen()
  return (self:tmux "capture-pane -p -e")
end

function Terminal:stop()
  self:tmux "kill-server"
  repeat until not self.events:read "*l" -- its client ends when all has been read
  self.events:close()
  os.execute("rm -r " .. self.folder)
end

return Terminal

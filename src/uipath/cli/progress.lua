-- A bar on standard error while pages come, if that is a terminal.

local report = require "uipath.cli.report"
local terminal = require "uipath.terminal"

local progress = {}

local BAR = 30

local function line_of(done, total)
  if not total or total <= 0 then return ("%d rows"):format(done) end
  local share = math.min(done / total, 1)
  local filled = math.floor(share * BAR)
  return ("[%s%s] %d of %d rows"):format(("#"):rep(filled), ("."):rep(BAR - filled), done, total)
end

---@return { update: fun(done: integer, total: integer?), show: fun(), hide: fun() }
function progress.new()
  local bar, line, shown = {}, nil, false
  -- Where nobody would see it, there is none.
  if not terminal.is_terminal(2) then return { update = function() end, show = function() end, hide = function() end } end

  function bar.update(done, total) line = line_of(done, total) end

  function bar.show()
    if not line then return end
    report.flush()
    io.stderr:write("\r\27[K", (line:sub(1, (terminal.width() or 80) - 1)))
    shown = true
  end

  function bar.hide()
    if shown then io.stderr:write("\r\27[K") end
    shown = false
  end

  return bar
end

return progress

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

local UNITS = { "B", "kB", "MB", "GB", "TB" }

-- Bytes in three digits or so.
local function amount(bytes)
  local unit = 1
  while bytes >= 999.5 and unit < #UNITS do bytes, unit = bytes / 1000, unit + 1 end
  return (bytes < 10 and unit > 1 and "%.1f %s" or "%.0f %s"):format(bytes, UNITS[unit])
end

local function duration(seconds)
  if seconds < 60 then return ("%d s"):format(math.ceil(seconds)) end
  if seconds < 3600 then return ("%d:%02d min"):format(math.floor(seconds / 60), math.floor(seconds % 60)) end
  return ("%d:%02d h"):format(math.floor(seconds / 3600), math.floor(seconds % 3600 / 60))
end

---The line for so many bytes: done, total, rate, and the time that is left at that rate.
---@param done integer
---@param total? integer
---@param seconds number since it began
---@return string
function progress.bytes_line(done, total, seconds)
  local rate = seconds > 0 and done / seconds or 0
  local speed = rate > 0 and ", " .. amount(rate) .. "/s" or ""
  if not total or total <= 0 then return amount(done) .. speed end
  local filled = math.floor(math.min(done / total, 1) * BAR)
  local left = rate > 0 and done < total and ", " .. duration((total - done) / rate) .. " left" or ""
  return ("[%s%s] %s of %s%s%s"):format(("#"):rep(filled), ("."):rep(BAR - filled), amount(done), amount(total), speed, left)
end

---A bar for a file that comes or goes, drawn at each update.
---@return { update: fun(done: integer, total: integer?)?, hide: fun() } update is nil where nobody would see it
function progress.bytes()
  if not terminal.is_terminal(2) then return { hide = function() end } end
  local bar, began, shown = {}, terminal.now(), false

  function bar.update(done, total)
    local line = progress.bytes_line(done, total, terminal.now() - began)
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

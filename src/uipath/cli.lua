-- The command luipath.

-- What a raised value comes to: an exit code.
local function end_of(raised, report)
  if type(raised) == "table" and raised.usage then
    report.note(raised.usage)
    return report.EXIT.usage
  end
  if type(raised) == "table" and raised.output then
    io.stderr:write("luipath: standard output: ", raised.output, "\n")
    return 1
  end
  if require("uipath").is_error(raised) then return report.failure(raised) end
  local message = tostring(raised)
  if message:find("interrupted!", 1, true) then return report.EXIT.interrupted end
  -- The position is of our own code.
  message = message:gsub("^[^:]*uipath/cli/[^:]*:%d+: ", ""):gsub("^[^:%s]*luipath:%d+: ", "")
  report.note(require("uipath.cli.words").of(message))
  return report.EXIT.usage
end

local function command_of(parsed)
  local lookups = { token = true, can = true, endpoints = true, describe = true, sandbox = true, completion = true }
  if not parsed.command then return require("uipath.repl.prompt").run end
  if parsed.command == "tests" then return require("uipath.cli.tests").run end
  if parsed.command == "download" or parsed.command == "upload" then return require("uipath.cli.files")[parsed.command] end
  return lookups[parsed.command] and require("uipath.cli.lookups")[parsed.command] or require("uipath.cli.calls").run
end

---@param arguments string[]
---@return integer exit_code
return function(arguments)
  local parsed, problem = require("uipath.cli.options").parse(arguments)
  if not parsed then
    io.stderr:write("luipath: ", problem, "\n")
    return 2
  end
  local ok, result = pcall(command_of(parsed), parsed)
  if not ok then result = end_of(result, require "uipath.cli.report") end
  local flushed, why = require("uipath.cli.report").flush()
  if not flushed and result == 0 then result = end_of({ output = why }) end
  return result
end

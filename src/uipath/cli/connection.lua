-- The client that the command line and the prompt speak of.

local uipath = require "uipath"

local connection = {}

---@param parsed table the options of the command line
---@return table client raises what is wrong with the options
function connection.open(parsed)
  local options = {}
  if parsed.sandbox then
    local sandbox, err = require("uipath.sandbox").start()
    if not sandbox then error(tostring(err), 0) end
    for name, value in pairs(sandbox.options) do options[name] = value end
    options.profile = false
  end
  for _, name in ipairs { "profile", "organization", "tenant", "folder", "timeout" } do
    if parsed[name] ~= nil then options[name] = parsed[name] end
  end
  local ok, client = pcall(uipath.connect, options)
  if ok then return client end
  local message = tostring(client)
  if message:find("missing", 1, true) then message = message .. "\nTo try things out: luipath --sandbox" end
  error(message, 0)
end

return connection

-- The services of haproxy.cfg. A call that waits would hold up the Lua of all threads, so none does:
-- calls are started, and looked at between pauses in which haproxy goes on.

local uipath = require "uipath"
uipath.preload() -- after a chroot no file is within reach any more

-- Made at the start: where an option is missing haproxy says so and does not run.
local client = uipath.connect {}

local PAUSE_MS = 5

-- What the call came to, as call:wait() gives it. Others are served meanwhile.
local function await(call)
  while not call:done() do core.msleep(PAUSE_MS) end
  return call:wait()
end

local function reply(applet, status, content_type, body)
  applet:set_status(status)
  applet:add_header("content-type", content_type)
  applet:add_header("content-length", #body)
  applet:start_response()
  applet:send(body)
end

core.register_service("machines", "http", function(applet)
  local query = { select = { "Id", "Name" }, orderby = "Name", top = 5 }
  local page, err = await(client:start("GET", "odata/Machines", query))
  if not page then
    core.Alert(tostring(err)) -- the details are for the log and not for the world
    return reply(applet, 502, "application/json", uipath.json.encode { error = err.kind })
  end
  reply(applet, 200, "application/json", uipath.json.encode(page.value))
end)

core.register_service("up", "http", function(applet) reply(applet, 200, "text/plain", "up\n") end)

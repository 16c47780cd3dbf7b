--- The entry points of nginx: it begins here, and every request comes by here.

local control = require("uipath.sandbox.control")
local faults = require("uipath.sandbox.faults")
local identity = require("uipath.sandbox.identity")
local problem = require("uipath.sandbox.problem")
local storage = require("uipath.sandbox.storage")
local tenant = require("uipath.sandbox.tenant")
local token_faults = require("uipath.sandbox.token_faults")

local server = {}

local WATCH_INTERVAL = 0.5

--- Whether the process that started the sandbox is there still.
---@param starter string  its id and the time of its start
local function is_alive(starter)
  local pid, began = starter:match("^(%d+) (%d+)$")
  local file = io.open("/proc/" .. pid .. "/stat")
  if not file then return false end
  local state, rest = (file:read("*a") or ""):match("^%d+ %(.*%) (%a) (.*)$")
  file:close()
  if not state or state == "Z" or state == "X" then return false end
  local fields = 0
  for field in rest:gmatch("%S+") do
    fields = fields + 1
    if fields == 19 then return field == began end
  end
  return false
end

--- Ends nginx when its starter is gone, however that ended; the supervisor then removes the folder.
local function watch(starter)
  if not is_alive(starter) then os.exit(0) end
end

--- Called once, when nginx is about to accept connections.
---@param settings table  from configuration.lua
function server.begin(settings)
  local starter = settings.starter
  settings.starter = nil
  identity.begin(settings)
  tenant.begin(settings)
  storage.begin(settings)
  control.on_reset = faults.forget
  control.begin(settings)
  ngx.timer.every(WATCH_INTERVAL, function() watch(starter) end)
  io.stdout:write("ready ", ngx.worker.pid(), "\n")
  io.stdout:flush()
end

local function send(status, body, headers)
  ngx.status = status
  for name, value in pairs(headers or {}) do ngx.header[name] = value end
  if status == 204 then return ngx.exit(204) end
  if body ~= "" and not ngx.header["Content-Type"] then
    ngx.header["Content-Type"] = body:find("^%s*[%[{]") and "application/json; charset=utf-8"
      or "text/plain; charset=utf-8"
  end
  ngx.header["Content-Length"] = #body
  ngx.print(body)
end

--- Runs a handler and sends what it returns or the problem that it raises.
---@param handler fun(): integer, string, table|nil
local function answer(handler)
  local done, status, body, headers = pcall(handler)
  if done then return status and send(status, body, headers) end
  if not problem.is(status) then error(status, 0) end
  return send(status.status, status.body, status.headers)
end

function server.tenant()
  control.count()
  answer(tenant.serve)
end

--- The fault port: faults by their paths, and the tenant itself for everything else.
function server.faults()
  control.count()
  local path = ngx.var.uri
  local fault = path:match("/fault/(.+)$")
  local token_fault = path:match("^/token/(.+)/connect/token$")
  answer(function()
    if fault then return faults.serve(fault) end
    if token_fault then return token_faults.serve(token_fault) end
    return tenant.serve()
  end)
end

--- The host of files, which knows no tokens.
function server.storage()
  control.count()
  answer(storage.serve)
end

--- Called when a request is over, whatever came of it.
function server.finish()
  control.uncount()
end

function server.control()
  answer(control.serve)
end

return server

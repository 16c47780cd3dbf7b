--- What tests ask the sandbox and tell it, by JSON at `/control/…` of the fault port.

local identity = require("uipath.sandbox.identity")
local json = require("uipath.sandbox.json")
local problem = require("uipath.sandbox.problem")

local control = {}

local settings
local counters
local requests

--- Requests that are remembered with their headers; the oldest go first.
local MAX_REQUESTS = 10000

--- Settings that may be changed while the sandbox runs, with the type of each; JSON's null unsets.
local CHANGEABLE = {
  expires_in = "number", latency = "number", page_size = "number", next_link = "string",
  record = "boolean",
}

local initial = {}

local function reset()
  counters = { token_requests = 0, data_requests = 0, connections = 0, in_flight = 0,
    max_in_flight = 0, paths = {} }
  requests = { first = 1, last = 0 }
  for name in pairs(CHANGEABLE) do settings[name] = initial[name] end
  control.on_reset()
end

--- Called when a test asks for a fresh start; server.lua sets it.
function control.on_reset() end

---@param given table  the settings that the sandbox runs with, changed in place
function control.begin(given)
  settings = given
  settings.page_size, settings.record = settings.page_size or nil, false
  for name in pairs(CHANGEABLE) do initial[name] = settings[name] end
  reset()
end

--- Remembers a request with its headers.
local function record()
  requests.last = requests.last + 1
  requests[requests.last] = {
    method = ngx.req.get_method(), uri = ngx.var.request_uri, time = ngx.now(),
    headers = ngx.req.get_headers(0), connection = tonumber(ngx.var.connection),
    protocol = ngx.var.server_protocol, port = tonumber(ngx.var.server_port),
  }
  if requests.last - requests.first >= MAX_REQUESTS then
    requests[requests.first] = nil
    requests.first = requests.first + 1
  end
end

--- Counts a request by its path, and nothing else about it.
function control.tally()
  local path = ngx.var.uri
  local kind = path:find("/connect/token", 1, true) and "token_requests" or "data_requests"
  counters[kind] = counters[kind] + 1
  counters.paths[path] = (counters.paths[path] or 0) + 1
end

--- Counts a request; to be called when it arrives.
function control.count()
  control.tally()
  local counted = counters
  if ngx.var.connection_requests == "1" then counted.connections = counted.connections + 1 end
  counted.in_flight = counted.in_flight + 1
  counted.max_in_flight = math.max(counted.max_in_flight, counted.in_flight)
  -- A reset in between leaves this request to the counters that it was counted in.
  ngx.ctx.counted = counted
  if settings.record then record() end
end

--- Counts the end of a request.
function control.uncount()
  local counted = ngx.ctx.counted
  if counted then counted.in_flight = counted.in_flight - 1 end
end

local function recorded()
  local list = json.array {}
  for index = requests.first, requests.last do list[#list + 1] = requests[index] end
  return list
end

local function change_settings()
  ngx.req.read_body()
  local wanted = json.decode(ngx.req.get_body_data() or "")
  if type(wanted) ~= "table" then problem.raise(400, "a JSON object is wanted\n") end
  for name, value in pairs(wanted) do
    if not CHANGEABLE[name] or (value ~= json.null and type(value) ~= CHANGEABLE[name]) then
      problem.raise(400, "no such setting, or not of its type: " .. name .. "\n")
    end
  end
  for name, value in pairs(wanted) do
    if value == json.null then value = initial[name] end
    settings[name] = value
  end
end

local function current_settings()
  local current = {}
  for name in pairs(CHANGEABLE) do
    current[name] = settings[name] == nil and json.null or settings[name]
  end
  return current
end

local ACTIONS = {
  ["GET counters"] = function() return counters end,
  ["GET requests"] = recorded,
  ["GET settings"] = current_settings,
  ["POST settings"] = function()
    change_settings()
    return current_settings()
  end,
  ["POST reset"] = function()
    reset()
    return counters
  end,
  ["POST revoke"] = function() return { revoked = identity.revoke_all() } end,
}

--- Serves a request to `/control/…`.
---@return integer status
---@return string body
function control.serve()
  local action = ACTIONS[ngx.req.get_method() .. " " .. ngx.var.uri:match("^/control/(.*)$")]
  if not action then problem.raise(404, "no such control\n") end
  return 200, json.encode(action()) .. "\n"
end

return control

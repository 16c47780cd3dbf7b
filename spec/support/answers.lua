-- A server that gives the answers a spec has written down, and remembers what it was asked:
--
--     local server = answers.start { { match = "odata/Jobs", body = { value = { … } } }, … }
--     server.url, server.asked(text) → the targets that hold it, server.stop()
--
-- A route: `match`, a text within "METHOD target" after percent-decoding; `times` (it answers no
-- more often); `status`; `headers`; `body`, a string or what becomes JSON. What no route matches is
-- a 404. Run as a program, this file is the server.

local cjson = require "cjson"
local socket = require "socket"

local PATIENCE = 300 -- seconds until it ends by itself

local function decoded(text)
  return (text:gsub("%%(%x%x)", function(digits) return string.char(tonumber(digits, 16)) end))
end

local function route_for(routes, line)
  for _, route in ipairs(routes) do
    if line:find(route.match, 1, true) and route.times ~= 0 then
      if route.times then route.times = route.times - 1 end
      return route
    end
  end
  return { status = 404, body = '{"message":"There is no such route."}' }
end

-- The answer to a request, ready to be sent.
local function reply_to(state, method, target)
  if target == "/__asked" then return nil, cjson.encode(state.asked) end
  local line = method .. " " .. decoded(target)
  state.asked[#state.asked + 1] = line
  local route = route_for(state.routes, line)
  local body = route.body or ""
  local head = { ("HTTP/1.1 %d Answer"):format(route.status or 200), "Content-Length: " .. #body }
  local headers = route.headers or { ["Content-Type"] = "application/json" }
  for name, value in pairs(headers) do head[#head + 1] = name .. ": " .. value end
  return table.concat(head, "\r\n") .. "\r\n\r\n" .. (method == "HEAD" and "" or body)
end

-- A connection: takes requests without waiting for them, as others wait as well.
local function read_requests(state, connection)
  local text, problem, part = connection.socket:receive(65536)
  connection.buffer = connection.buffer .. (text or part or "")
  while true do
    local head, rest = connection.buffer:match "^(.-\r\n\r\n)(.*)$"
    local length = head and tonumber(head:lower():match "content%-length: (%d+)" or 0)
    if not head or #rest < length then break end
    connection.buffer = rest:sub(length + 1)
    local method, target = head:match "^(%u+) (%S+)"
    local reply, asked = reply_to(state, method, target)
    reply = reply or ("HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%s"):format(#asked, asked)
    connection.socket:settimeout(10)
    connection.socket:send(reply)
    connection.socket:settimeout(0)
  end
  return problem ~= "closed"
end

local function serve(routes)
  local state, open, by_socket = { routes = routes, asked = cjson.decode "[]" }, {}, {}
  local listener = assert(socket.bind("127.0.0.1", 0))
  listener:settimeout(0)
  print((select(2, listener:getsockname())))
  io.stdout:flush()
  open[1] = listener
  local deadline = socket.gettime() + PATIENCE
  while socket.gettime() < deadline do
    for _, each in ipairs(socket.select(open, nil, 1) or {}) do
      if each == listener then
        local accepted = listener:accept()
        if accepted then
          accepted:settimeout(0)
          open[#open + 1] = accepted
          by_socket[accepted] = { socket = accepted, buffer = "" }
        end
      elseif not read_requests(state, by_socket[each]) then
        for i = #open, 1, -1 do
          if open[i] == each then table.remove(open, i) end
        end
        each:close()
      end
    end
  end
end

if arg and (arg[0] or ""):find("support/answers%.lua$") and arg[1] then
  local file = assert(io.open(arg[1]))
  local routes = cjson.decode(file:read "*a")
  file:close()
  os.remove(arg[1])
  return serve(routes)
end

local tenant = require "spec.support.tenant"

local answers = {}

---@param routes table[]
---@return { url: string, asked: fun(text: string?): string[], stop: fun() }
function answers.start(routes)
  for _, route in ipairs(routes) do
    if type(route.body) == "table" then
      route.body = assert(require("uipath").json.encode(route.body))
    end
  end
  local name = os.tmpname()
  local file = assert(io.open(name, "w"))
  file:write(cjson.encode(routes))
  file:close()
  local pipe = assert(io.popen(("echo $$; exec %s spec/support/answers.lua %s"):format(
    tenant.interpreter, name)))
  local pid, port = pipe:read "*l", pipe:read "*l"
  local server = { url = "http://127.0.0.1:" .. assert(port, "no server") }
  function server.asked(text)
    local found = {}
    for _, line in ipairs(cjson.decode(tenant.shell("curl -sS " .. server.url .. "/__asked"))) do
      if not text or line:find(text, 1, true) then found[#found + 1] = line end
    end
    return found
  end
  function server.stop()
    os.execute("kill " .. pid)
    pipe:close()
  end
  return server
end

return answers

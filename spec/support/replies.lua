-- A server that gives any answer that a spec wants, byte by byte: for what services, gateways and proxies say and the sandbox does not.
-- It is this file itself, run in a process of its own; each request has a connection to itself.

local PROGRAM = ...

local function read_request(connection)
  local head, length = {}, 0
  repeat
    local line = connection:receive "*l"
    if not line then return nil end
    head[#head + 1] = line
    length = tonumber(line:lower():match "^content%-length:%s*(%d+)") or length
  until line == ""
  if length > 0 then connection:receive(length) end
  return table.concat(head, "\n")
end

local function file_content(name)
  local file = assert(io.open(name, "rb"))
  local content = file:read "*a"
  file:close()
  return content
end

-- Serves until it is told to stop, or has had nothing to do for five minutes.
local function serve(folder)
  local server = assert(require("socket").bind("127.0.0.1", 0))
  server:settimeout(300)
  io.stdout:write(("%d\n"):format(select(2, server:getsockname())))
  io.stdout:flush()
  for connection in function() return server:accept() end do
    connection:settimeout(20)
    local head = read_request(connection)
    if head and head:find "^GET /stop " then break end
    if head then
      local requests = assert(io.open(folder .. "/requests", "ab"))
      requests:write(head, "\0")
      requests:close()
      connection:send(file_content(folder .. "/answer"))
    end
    connection:close()
  end
end

if PROGRAM ~= "spec.support.replies" then return serve(PROGRAM) end

local tenant = require "spec.support.tenant"

local replies = {}
local Server = {}
Server.__index = Server

---Starts one; to be stopped.
function replies.start()
  local folder = tenant.shell("mktemp -d"):gsub("%s+$", "")
  local path = require("debug").getinfo(1, "S").source:sub(2)
  local pipe = assert(io.popen(("exec %s %s %s"):format(tenant.interpreter, tenant.quoted(path), tenant.quoted(folder))))
  local port = assert(pipe:read "*l", "it does not start")
  return setmetatable({ folder = folder, pipe = pipe, url = "http://127.0.0.1:" .. port }, Server)
end

---Has every request from now on answered with these bytes.
function Server:answer_raw(bytes)
  local file = assert(io.open(self.folder .. "/answer", "wb"))
  file:write(bytes)
  file:close()
end

---The same, of its parts: status (200), body (""), type (application/json; false: none), headers (a list of lines).
function Server:answer(answer)
  local body = answer.body or ""
  local lines = { ("HTTP/1.1 %d Answer"):format(answer.status or 200), "Connection: close" }
  if answer.type ~= false then lines[#lines + 1] = "Content-Type: " .. (answer.type or "application/json") end
  for _, line in ipairs(answer.headers or {}) do lines[#lines + 1] = line end
  if answer.status ~= 204 and answer.status ~= 304 then lines[#lines + 1] = "Content-Length: " .. #body end
  self:answer_raw(table.concat(lines, "\r\n") .. "\r\n\r\n" .. body)
end

---The heads of the requests since the last time that this was asked.
---@return string[]
function Server:requests()
  local found = {}
  local file = io.open(self.folder .. "/requests", "rb")
  if not file then return found end
  for head in file:read("*a"):gmatch "([^%z]+)" do found[#found + 1] = head end
  file:close()
  os.remove(self.folder .. "/requests")
  return found
end

---A client whose calls go there, once.
function Server:client(changes)
  return require("uipath").connect(tenant.fault_options({ fault_url = self.url }, changes))
end

function Server:stop()
  tenant.shell("curl -sS --max-time 10 " .. self.url .. "/stop; rm -r " .. tenant.quoted(self.folder))
  self.pipe:close()
end

return replies

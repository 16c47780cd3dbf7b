-- A server in front of a sandbox that loses, forbids and changes what a spec tells it to. It runs in a process of its own:
--
--     local between = interceptor.start(sandbox, [[
--       return function(request) … end
--     ]])
--     uipath.connect(between.options)
--     between.requests()   -- "POST /acme/…" for each that has come
--     between.stop()
--
-- The function gets { method, path, body, number } of each request, where number counts those of the same method and path, and gives nil
-- (it is passed on), { lose = true } (passed on, and the connection is closed instead of the answer), { refuse = true } (closed at once),
-- { status =, body = } (answered at once), or { change = function(body, request) → body [, status] } (what is answered is changed).

local tenant = require "spec.support.tenant"

local interceptor = {}

local program = [==[
local socket = require "socket"
local port, log_name, rule = %d, %q, assert(loadstring or load)(%q)()
local server = assert(socket.bind("127.0.0.1", 0, 64))
local _, own_port = server:getsockname()
local log = assert(io.open(log_name, "a"))
log:setvbuf "line"
local stat = assert(io.open "/proc/self/stat")
print("ready " .. stat:read("*l"):match "^%%d+" .. " " .. own_port)
io.stdout:flush()

local function read_head(from)
  local lines, length = {}, 0
  while true do
    local line = from:receive "*l"
    if not line then return nil end
    if line == "" then break end
    local lower = line:lower()
    length = tonumber(lower:match "^content%%-length: *(%%d+)") or length
    if not lower:find "^connection:" and not lower:find "^accept%%-encoding:" then lines[#lines + 1] = line end
  end
  return lines, length
end

local function forward(lines, body)
  local upstream = assert(socket.connect("127.0.0.1", port))
  upstream:settimeout(60)
  assert(upstream:send(table.concat(lines, "\r\n") .. "\r\nConnection: close\r\n\r\n" .. body))
  local head, length = read_head(upstream)
  local answer = head and (length > 0 and upstream:receive(length) or "") or ""
  upstream:close()
  return head or { "HTTP/1.1 502 Bad Gateway" }, answer
end

local counts = {}
while true do
  local client = server:accept()
  client:settimeout(60)
  local lines, length = read_head(client)
  if lines then
    local body = length > 0 and client:receive(length) or ""
    local method, path = lines[1]:match "^(%%S+) (%%S+)"
    local key = method .. path:gsub("?.*", "")
    counts[key] = (counts[key] or 0) + 1
    log:write(method, " ", path, "\n")
    local action = rule { method = method, path = path, body = body, number = counts[key] } or {}
    local head, answer
    if action.status then
      head, answer = { "HTTP/1.1 " .. action.status .. " Said" , "Content-Type: application/json" }, action.body or ""
    elseif not action.refuse then
      head, answer = forward(lines, body)
      if action.change then
        local status
        answer, status = action.change(answer, path)
        if status then head[1] = "HTTP/1.1 " .. status .. " Changed" end
      end
    end
    if head and not action.lose then
      local kept = {}
      for _, line in ipairs(head) do
        if not line:lower():find "^content%%-length:" then kept[#kept + 1] = line end
      end
      client:send(table.concat(kept, "\r\n") .. "\r\nContent-Length: " .. #answer .. "\r\nConnection: close\r\n\r\n" .. answer)
    end
  end
  client:close()
end
]==]

---@param sandbox uipath.sandbox.Sandbox
---@param rule string Lua
---@param changes? table more options of the client
---@return { options: table, requests: (fun(): string[]), stop: fun() }
function interceptor.start(sandbox, rule, changes)
  local log, script = os.tmpname(), os.tmpname()
  local file = assert(io.open(script, "w"))
  file:write(("package.path, package.cpath = %q, %q\n"):format(package.path, package.cpath))
  file:write(program:format(tonumber(sandbox.http_url:match "%d+$"), log, rule))
  file:close()
  local pipe = assert(io.popen("exec " .. tenant.interpreter .. " " .. script, "r"))
  local pid, port = assert(pipe:read "*l", "the interceptor has not started"):match "^ready (%d+) (%d+)$"
  local between = { options = tenant.options(sandbox, { base_url = "http://127.0.0.1:" .. port }) }
  for name, value in pairs(changes or {}) do between.options[name] = value end
  function between.requests()
    local list = {}
    for line in io.lines(log) do list[#list + 1] = line end
    return list
  end
  ---How many requests have come whose line matches.
  function between.count(pattern)
    local number = 0
    for _, line in ipairs(between.requests()) do
      if line:find(pattern) then number = number + 1 end
    end
    return number
  end
  function between.stop()
    os.execute("kill " .. pid)
    pipe:close()
    os.remove(log)
    os.remove(script)
  end
  return between
end

return interceptor

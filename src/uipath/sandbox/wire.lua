--- Replies that nginx itself would never send: the connection's bytes are written by hand.

local wire = {}

--- How long a stalled reply waits for the client to give up.
local STALL = 600

local HEAD = "HTTP/1.1 200 OK\r\nContent-Type: application/json; charset=utf-8\r\n"

--- A reply's status line and headers, up to but without the empty line; extra ones end in CR LF.
---@param extra? string
---@return string
function wire.head(extra)
  return HEAD .. (extra or "")
end

--- Takes the connection away from nginx once the request is read: nothing else is sent on it.
local function take()
  ngx.req.read_body()
  return assert(ngx.req.socket(true))
end

--- Writes texts as they stand; ends when the client has hung up.
---@return table socket
function wire.send(...)
  local socket = take()
  for index = 1, select("#", ...) do
    if not socket:send((select(index, ...))) then break end
  end
  return socket
end

--- Ends the connection in order: the client sees the end of file.
function wire.close(...)
  wire.send(...)
  return ngx.exit(ngx.OK)
end

--- Breaks the connection: the client sees it reset. What was sent before has arrived, as it is
--- handed over at once on the loopback.
function wire.reset(...)
  wire.send(...)
  return ngx.exit(444)
end

--- Sends no more and waits until the client gives up.
function wire.stall(...)
  local socket = wire.send(...)
  socket:settimeout(STALL * 1000)
  socket:receive(1)
  return ngx.exit(444)
end

--- Writes a text again and again for as long as the client reads.
---@param text string  what is repeated
---@param pause? number  seconds between two writes
function wire.repeat_forever(head, text, pause)
  local socket = wire.send(head)
  repeat
    if pause then ngx.sleep(pause) end
  until not socket:send(text)
  return ngx.exit(444)
end

--- Answers a request, then ends the connection as soon as the next request on it has arrived. Calls
--- `arrived` for that one, which nginx itself does not see.
function wire.close_reused(body, arrived)
  local socket = wire.send(wire.head("Content-Length: " .. #body .. "\r\n"), "\r\n", body)
  socket:settimeout(STALL * 1000)
  if socket:receive("*l") then
    arrived()
    local length = 0
    repeat
      local line = socket:receive("*l") or ""
      length = tonumber(line:lower():match("^content%-length: *(%d+)")) or length
    until line == ""
    if length > 0 then socket:receive(length) end
  end
  return ngx.exit(ngx.OK)
end

return wire

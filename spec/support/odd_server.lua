-- Starts odd_server.c, whose modes are listed there.

local tenant = require "spec.support.tenant"

local odd_server = {}

local certificate -- { ca_file, key }, made once

-- A certificate for 127.0.0.1 that is its own authority.
local function files()
  if certificate then return certificate end
  local name = os.tmpname()
  certificate = { ca_file = name, key = name .. ".key" }
  local command = "openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes "
    .. "-keyout %s -out %s -days 2 -subj /CN=localhost -addext subjectAltName=IP:127.0.0.1"
  local said = tenant.shell(command:format(certificate.key, name) .. " && echo made")
  assert(said:find "made\n$", said)
  return certificate
end

---Removes the certificate.
function odd_server.clean()
  if certificate then
    os.remove(certificate.ca_file)
    os.remove(certificate.key)
  end
  certificate = nil
end

---@class spec.OddServer
---@field options table for uipath.connect
---@field await fun(what: string) waits for the next line of that kind
---@field stop fun(): table<string, integer> how often each line has come in all

---@param mode string
---@param is_plain? boolean without TLS
---@return spec.OddServer
function odd_server.start(mode, is_plain)
  local command = ("exec %s %s"):format(tenant.program "odd_server", tenant.quoted(mode))
  local tls = not is_plain and files() or nil
  if tls then command = ("%s %s %s"):format(command, tls.ca_file, tls.key) end
  local pipe = assert(io.popen(command))
  local pid, port = assert(pipe:read "*l", "it does not start"):match "^ready (%d+) (%d+)$"
  local counts = { connection = 0, request = 0 }
  local function count(line)
    counts[line] = (counts[line] or 0) + 1
    return line
  end
  local server = {
    options = {
      base_url = ("%s://127.0.0.1:%s"):format(tls and "https" or "http", port), timeout = 20,
      organization = "acme", tenant = "T", access_token = "x", profile = false,
      ca_file = tls and tls.ca_file,
    },
  }
  function server.await(what)
    for line in pipe:lines() do
      if count(line) == what then return end
    end
    error("it has not come: " .. what)
  end
  function server.stop()
    os.execute("kill " .. pid)
    for line in pipe:lines() do count(line) end
    pipe:close()
    return counts
  end
  return server
end

return odd_server

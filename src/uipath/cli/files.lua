-- luipath download and upload.

local calls = require "uipath.cli.calls"
local connection = require "uipath.cli.connection"
local progress = require "uipath.cli.progress"
local report = require "uipath.cli.report"
local terminal = require "uipath.terminal"
local uipath = require "uipath"

local files = {}

-- Runs call(client, options) with a bar where somebody sees it. Gives the exit code.
local function run(parsed, call)
  local client = connection.open(parsed)
  local bar = progress.bytes()
  local ok, value, err = terminal.run(function()
    return call(client, {
      query = calls.map_of(parsed.query, "--query"), headers = calls.map_of(parsed.header, "--header"), level = parsed.level,
      max_attempts = parsed.max_attempts, total_timeout = parsed.total_timeout, method = parsed.method,
      idempotent = parsed.idempotent, on_progress = bar.update,
    })
  end)
  bar.hide()
  if not ok then error(value, 0) end
  return value == nil and report.failure(err) or 0
end

---@param parsed table
---@return integer exit_code
function files.download(parsed)
  local file = parsed.file == "-" and "/dev/stdout" or parsed.file
  return run(parsed, function(client, options) return client:download(parsed.path, file, options) end)
end

---@param parsed table
---@return integer exit_code
function files.upload(parsed)
  -- The length must be known before anything is sent, and standard input has none.
  local body = parsed.file == "-" and io.read "*a" or uipath.file(parsed.file, { content_type = parsed.content_type })
  if parsed.content_type and parsed.file == "-" then
    parsed.header[#parsed.header + 1] = { "Content-Type", parsed.content_type }
  end
  return run(parsed, function(client, options) return client:upload(parsed.path, body, options) end)
end

return files

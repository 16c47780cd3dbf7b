-- luipath token, can, endpoints, describe, sandbox, completion.

local connection = require "uipath.cli.connection"
local report = require "uipath.cli.report"
local uipath = require "uipath"

local lookups = {}

local function write_value(parsed, value)
  report.writer(parsed.output, {}).value(value)
end

function lookups.token(parsed)
  local client = connection.open(parsed)
  if parsed.access_token then
    local value, err = client:access_token()
    if not value then return report.failure(err) end
    print(value)
    return 0
  end
  local token, err = client:token()
  if not token then return report.failure(err) end
  token = require("uipath.output.dates").of_token(token)
  if not report.is_faithful(parsed.output) and parsed.output ~= "jsonl" then token.scopes = table.concat(token.scopes, " ") end
  write_value(parsed, token)
  return 0
end

function lookups.can(parsed)
  local can, reason = connection.open(parsed):can(parsed.method, parsed.path)
  if can == nil then return report.failure(reason) end
  print(can and "yes" or "no: needs " .. reason)
  return can and 0 or report.EXIT.refused
end

-- A row without what only scripts want.
local function short(row)
  return { method = row.method, path = row.path, scopes = row.scopes, permissions = row.permissions, removed = row.removed }
end

function lookups.endpoints(parsed)
  local rows = uipath.endpoints(parsed.pattern)
  if #rows == 0 then return report.failure("no endpoint of the catalogue matches " .. parsed.pattern) end
  local shown, names = {}, { "method", "path", "scopes", "permissions" }
  for i, row in ipairs(rows) do
    shown[i] = short(row)
    if row.removed then names[5] = "removed" end
  end
  local writer = report.writer(parsed.output, { select = names })
  writer.rows(shown)
  writer.finish()
  return 0
end

function lookups.describe(parsed)
  local found, err = require("uipath.catalogue").describe(nil, parsed.path)
  if not found then return report.failure(err) end
  if parsed.output and parsed.output ~= "table" then
    local writer = report.writer(parsed.output, {})
    writer.rows(setmetatable(found, nil))
    writer.finish()
  else
    io.write(require("uipath.repl.help").describe(found))
  end
  return 0
end

local variables = {
  { "UIPATH_URI", "base_url" }, { "UIPATH_ORGANIZATION", "organization" }, { "UIPATH_TENANT", "tenant" },
  { "UIPATH_CLIENT_ID", "client_id" }, { "UIPATH_CLIENT_SECRET", "client_secret" }, { "UIPATH_AUTH_SCOPES", "scope" },
  { "SSL_CERT_FILE", "ca_file" },
}

function lookups.sandbox(parsed)
  local terminal = require "uipath.terminal"
  terminal.catch()
  local sandbox, err = require("uipath.sandbox").start { tls = parsed.tls, latency = parsed.latency }
  if not sandbox then return report.failure(err) end
  for _, each in ipairs(variables) do
    local value = sandbox.options[each[2]]
    if value then print(("export %s='%s'"):format(each[1], value)) end
  end
  io.stdout:flush()
  report.note("the sandbox runs until Ctrl-C; the lines above let other programs find it")
  repeat until terminal.wait(true) == "interrupted"
  sandbox:stop()
  return 0
end

function lookups.completion(parsed)
  io.write(parsed.script)
  return 0
end

return lookups

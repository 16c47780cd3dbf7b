-- curl, so that what is specified of the sandbox does not depend on the client that it is there to test.

local cjson = require "cjson"
local tenant = require "spec.support.tenant"

local unpack = table.unpack or unpack -- luacheck: ignore 113 143

local quote, shell = tenant.quoted, tenant.shell

local support = {}

--- Runs curl. Its exit status says how the transfer ended, 0 for well.
---@return { status: integer, exit: integer, head: string, body: string }
function support.curl(url, ...)
  local words = { "curl -s -i -g --max-time 5 -w '\\n%{size_header} %{http_code} %{exitcode}'" }
  for _, word in ipairs { url, ... } do words[#words + 1] = quote(word) end
  local output = shell(table.concat(words, " "))
  local reply, head_size, status, exit = output:match("^(.*)\n(%d+) (%d+) (%d+)$")
  head_size = tonumber(head_size)
  return {
    status = tonumber(status), exit = tonumber(exit),
    head = reply:sub(1, head_size), body = reply:sub(head_size + 1),
  }
end

local curl = support.curl

--- A user of a sandbox's tenant that has a token for every scope.
---@param sandbox uipath.sandbox.Sandbox
function support.user(sandbox)
  local user = { orchestrator = sandbox.base_url .. "/acme/DefaultTenant/orchestrator_/" }

  --- Asks for a token.
  function user.request_token(fields, url)
    local arguments = { (url or sandbox.base_url) .. "/acme/identity_/connect/token" }
    local form = {
      grant_type = "client_credentials", client_id = sandbox.options.client_id,
      client_secret = sandbox.options.client_secret, scope = sandbox.options.scope,
    }
    for name, value in pairs(fields or {}) do form[name] = value end
    for name, value in pairs(form) do
      arguments[#arguments + 1] = "--data-urlencode"
      arguments[#arguments + 1] = name .. "=" .. value
    end
    return curl(unpack(arguments))
  end

  function user.token_for(scope)
    return cjson.decode(user.request_token({ scope = scope }).body).access_token
  end

  --- Sends a request below orchestrator_/ with a token; the body is decoded.
  function user.call(path, ...)
    local reply = curl(user.orchestrator .. path:gsub(" ", "%%20"), "-H", "Authorization: Bearer " .. user.token, ...)
    local decoded, body = pcall(cjson.decode, reply.body)
    reply.json = decoded and body or nil
    return reply
  end

  function user.control(method, path, body)
    return cjson.decode(curl(sandbox.fault_url .. "/control/" .. path, "-X", method, "-d", body or "").body)
  end

  user.token = user.token_for(sandbox.options.scope)
  return user
end

return support

-- A storage host for the specs of files: nginx, which serves an Orchestrator's paths under 127.0.0.1 and the storage under localhost,
-- which is another host to us. What a request is to meet stands in its address: see storage_host.lua.

local cjson = require "cjson"
local nginx = require "spec.support.nginx"
local tenant = require "spec.support.tenant"

local storage = {}

local SERVER = [[
    client_max_body_size 0;
    large_client_header_buffers 4 64k;
    client_body_buffer_size 1m;
    lua_socket_log_errors off;
    location /blob/ { content_by_lua_block { require("spec.support.storage_host").blob() } }
    location /log/ { content_by_lua_block { require("spec.support.storage_host").show() } }
    location ~ /access/ { content_by_lua_block { require("spec.support.storage_host").access() } }
    location ~ /json/ { content_by_lua_block { require("spec.support.storage_host").json() } }
    location ~ /take/ { content_by_lua_block { require("spec.support.storage_host").take() } }
]]

local here = nginx.output_of "pwd"

local function encoded(text)
  return (tostring(text):gsub("[^%w%-._~]", function(byte) return ("%%%02X"):format(byte:byte()) end))
end

local function query_of(arguments)
  local parts = {}
  for name, value in pairs(arguments or {}) do parts[#parts + 1] = encoded(name) .. "=" .. encoded(value) end
  table.sort(parts)
  return table.concat(parts, "&")
end

---@param options? { server?: string }
---@return table
function storage.start(options)
  local server = nginx.start {
    init_worker = ("package.path = %q .. package.path"):format(here .. "/?.lua;"), server = SERVER .. (options and options.server or ""),
  }
  local self = { server = server, base_url = server.url, storage_url = server.url:gsub("127%.0%.0%.1", "localhost") }

  ---Options for uipath.connect.
  function self.options(changes)
    local all = { organization = "acme", tenant = "T", base_url = server.url, access_token = "t0ken-of-the-tenant", timeout = 20 }
    for name, value in pairs(changes or {}) do all[name] = value end
    return all
  end

  ---The address of a file in the storage.
  function self.blob(key, arguments) return ("%s/blob/%s?%s"):format(self.storage_url, key, query_of(arguments)) end

  ---An access object for it.
  function self.object(key, arguments, changes)
    local object = { Uri = self.blob(key, arguments), Verb = "GET", RequiresAuth = false, Headers = { Keys = {}, Values = {} } }
    for name, value in pairs(changes or {}) do object[name] = value end
    return object
  end

  ---A path of ours whose answer is an access object.
  function self.path(key, arguments, access)
    local all = { to = self.blob(key, arguments) }
    for name, value in pairs(access or {}) do all[name] = value end
    return ("access/%s-access?%s"):format(key, query_of(all))
  end

  ---What was asked for with that key.
  function self.log(key) return cjson.decode(tenant.shell(("curl -sS %s/log/%s"):format(server.url, key))) end

  function self.stop() server:stop() end

  return self
end

---The bytes of a version of every file, of that size.
function storage.content(size, version)
  local host = require "spec.support.storage_host"
  return host.content(version or 1, 0, size)
end

return storage

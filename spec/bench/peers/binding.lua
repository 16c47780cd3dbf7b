-- The hand-written binding with lua-cjson: binding.lua OPTIONS PATH COUNT ROWS [HEADER]; see ../pages.lua.
local cjson = require "cjson"
local binding = require "binding"

local options = dofile(arg[1])
local path, count, size = arg[2], tonumber(arg[3]), tonumber(arg[4])
binding.open(options.ca_dir)
local function escape(text) return (text:gsub("[^%w._~-]", function(c) return ("%%%02X"):format(c:byte()) end)) end
local form = ("grant_type=client_credentials&client_id=%s&client_secret=%s&scope=%s")
  :format(escape(options.client_id), escape(options.client_secret), escape(options.scope))
local base = options.base_url .. "/" .. options.organization
local token = cjson.decode(binding.request(base .. "/identity_/connect/token", {}, form)).access_token
local headers = { "Authorization: Bearer " .. token, arg[5] }
local rows, sum = 0, 0
for page = 0, count - 1 do
  local url = ("%s/%s/orchestrator_/%s"):format(base, options.tenant, path:gsub("%%d", ("%d"):format(page * size)))
  for _, row in ipairs(cjson.decode(binding.request(url, headers)).value) do
    rows, sum = rows + 1, sum + row.Id
  end
end
print(rows, ("%.0f"):format(sum))

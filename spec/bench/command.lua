-- Times luipath, cold, against a bare script of the same call: command.lua BUILD [ROUNDS]. At most 1.5 times as long is wanted.
local build, rounds = arg[1], arg[2] or "15"
local sandbox = assert(require("uipath.sandbox").start({ tls = true }))

local function quote(word) return "'" .. word:gsub("'", "'\\''") .. "'" end

local variables = { "env" }
for variable, option in pairs {
  UIPATH_URI = "base_url", UIPATH_ORGANIZATION = "organization", UIPATH_TENANT = "tenant", UIPATH_CLIENT_ID = "client_id",
  UIPATH_CLIENT_SECRET = "client_secret", UIPATH_AUTH_SCOPES = "scope", SSL_CERT_FILE = "ca_file",
} do variables[#variables + 1] = quote(variable .. "=" .. sandbox.options[option]) end

local function in_environment(command)
  return quote("exec " .. table.concat(variables, " ") .. " " .. command)
end

print("\none call from the shell: luipath get odata/Machines")
io.stdout:flush()
local measured = os.execute(table.concat({
  build .. "/bench/measure", rounds,
  quote "bare script", in_environment "lua5.4 spec/bench/machines.lua",
  quote "luipath, JSON", in_environment "lua5.4 src/luipath get odata/Machines",
  quote "luipath, table", in_environment "lua5.4 src/luipath get odata/Machines -o table",
  quote "luipath, jsonl", in_environment "lua5.4 src/luipath get odata/Machines -o jsonl",
}, " "))
sandbox:stop()
assert(measured == true or measured == 0, "measure failed")

-- Times whole processes against bare libcurl and what else a user might take, on one TLS 1.3 server, the sandbox:
-- http.lua BUILD FOLDER_OF_NODE_MODULES [ROUNDS]
local build, modules, rounds = arg[1], arg[2], arg[3] or "15"
local sandbox = assert(require("uipath.sandbox").start({ tls = true }))

local function succeeds(command)
  local ok = os.execute(command)
  return ok == true or ok == 0
end

local function run(command) assert(succeeds(command), command) end

local function quote(word) return "'" .. word:gsub("'", "'\\''") .. "'" end

local function write(path, text)
  local file = assert(io.open(path, "w"))
  file:write(text)
  file:close()
end

-- ---------------------------------------------------------------------------
-- One folder with all that the peers read: a hashed CA directory, the options as Lua and as JSON
-- ---------------------------------------------------------------------------

local folder = os.tmpname()
os.remove(folder)
local ca_dir = folder .. "/ca"
run("mkdir -p " .. ca_dir .. " && cp " .. sandbox.ca_file .. " " .. ca_dir .. "/ca.pem && openssl rehash " .. ca_dir)

local SHARED = "2001" -- the folder that holds 25,017 jobs

local given = sandbox.options
local names = { "base_url", "organization", "tenant", "client_id", "client_secret", "scope" }
local lua, json = {}, {}
for _, name in ipairs(names) do
  lua[#lua + 1] = ("%s=%q"):format(name, given[name])
  json[#json + 1] = ("%q:%q"):format(name, given[name])
end
write(folder .. "/options.lua", ("return {%s,ca_dir=%q,ca_file=false,folder=%s}"):format(table.concat(lua, ","), ca_dir, SHARED))
-- The same beside the system's bundle, as where SSL_CERT_FILE and SSL_CERT_DIR are both set.
local BUNDLE = "/etc/ssl/certs/ca-certificates.crt"
write(folder .. "/bundle.lua", ([[local options = dofile %q
options.ca_file = %q
return options]]):format(folder .. "/options.lua", BUNDLE))
write(folder .. "/options.json", ('{%s,"folder":"%s"}'):format(table.concat(json, ","), SHARED))

-- ---------------------------------------------------------------------------
-- The peers' commands
-- ---------------------------------------------------------------------------

local FOLDER_HEADER = "X-UIPATH-OrganizationUnitId: " .. SHARED

local function floor(path, count, concurrency)
  return ("exec %s/bench/floor %s/%s/%s %s %s %s %s %s %d %d %s"):format(build, given.base_url, given.organization, given.tenant,
    quote(given.client_id), quote(given.client_secret), quote(given.scope), ca_dir, quote("orchestrator_/" .. path), count, concurrency,
    quote(FOLDER_HEADER))
end

-- A script of ours, with the module of this tree or, as `before`, of another one.
local other = os.getenv "BEFORE"
local function ours(name, ...)
  local words = { "exec lua5.4 spec/bench/" .. name, folder .. "/options.lua", ... }
  return table.concat(words, " ")
end

local function before(command)
  return ("LUA_PATH_5_4=%s LUA_CPATH_5_4=%s %s"):format(quote(other .. "/src/?.lua;;"),
    quote(other .. "/build/lua5.4/?.so;;"), command)
end

local function requests(path, count, concurrency)
  return ours("requests.lua", quote(path), count, concurrency)
end

local function pages(path, ...)
  return ours("pages.lua", quote(path), ...)
end

local function binding(path, count, size)
  return ("LUA_CPATH_5_4='%s/bench/?.so;;' exec lua5.4 spec/bench/peers/binding.lua %s/options.lua %s %d %d %s"):format(build, folder,
    quote(path), count, size, quote(FOLDER_HEADER))
end

local has_node = succeeds "command -v node >/dev/null"
local has_sdk = has_node and succeeds(("[ -d %s/node_modules/@uipath/uipath-typescript ]"):format(modules))
local has_jq = succeeds "command -v jq >/dev/null && command -v curl >/dev/null"

local function node(script, ...)
  return ("NODE_EXTRA_CA_CERTS=%s exec node spec/bench/peers/%s %s/options.json %s"):format(sandbox.ca_file, script, folder,
    table.concat({ ... }, " "))
end

local function fetch(path, count, size, concurrency)
  return has_node and node("fetch.mjs", quote(path), count, size, concurrency) or ""
end

local function sdk(count, size)
  return has_sdk and node("sdk.mjs", modules, count, size) or ""
end

local function curl(path, count, size)
  return has_jq and ("exec spec/bench/peers/curl.sh %s/options.json %s %s %d %d"):format(folder, ca_dir, quote(path), count, size) or ""
end

-- ---------------------------------------------------------------------------
-- Tables
-- ---------------------------------------------------------------------------

local all_well = true

-- Prints one table. A peer is { name, command }; ours have a line for the other tree as well.
local function compare(title, ...)
  print("\n" .. title)
  io.stdout:flush()
  local words = { build .. "/bench/measure", rounds }
  for _, peer in ipairs { ... } do
    words[#words + 1] = quote(peer[1])
    words[#words + 1] = quote(peer[2])
    if other and peer[1]:find "^uipath" then
      words[#words + 1] = quote(peer[1] .. ", before")
      words[#words + 1] = quote(before(peer[2]))
    end
  end
  -- One that fails says so in its line.
  all_well = succeeds(table.concat(words, " ")) and all_well
end

local function set_latency(seconds)
  run(("curl -sf -o /dev/null %s/control/settings -d '{\"latency\":%g}'"):format(sandbox.fault_url, seconds))
end

local chosen = os.getenv "ONLY"
local function table_named(name, print_it)
  if not chosen or chosen == name then print_it() end
end

local ROW = "odata/Machines?$top=1&$skip=%d"
-- What uipath asks for by itself. (%d000 is the page's offset.)
local FLOOR_PAGE, PAGE = "odata/Jobs?$top=1000&$skip=%d000", "odata/Jobs?$top=1000&$skip=%d"
-- As many rows, and no limit that would tell how many they are.
local LAST_ROWS = "skip=15017"

table_named("one", function()
  compare("one-shot script: token, 10 rows",
    { "bare libcurl, no JSON", floor("odata/Machines?$top=10", 1, 1) },
    { "uipath", requests("odata/Machines?$top=10", 1, 1) })
end)

table_named("bundle", function()
  local both = requests("odata/Machines?$top=10", 1, 1):gsub("options%.lua", "bundle.lua")
  compare("one-shot script, with the system's bundle beside the directory",
    { "bare libcurl, directory alone", floor("odata/Machines?$top=10", 1, 1) }, { "uipath", both })
end)

table_named("small", function()
  compare("200 small calls, one after the other", { "bare libcurl, no JSON", floor(ROW, 200, 1) },
    { "uipath", requests(ROW, 200, 1) })
  compare("200 small calls, 8 at a time", { "bare libcurl, no JSON", floor(ROW, 200, 8) },
    { "uipath", requests(ROW, 200, 8) }, { "node fetch", fetch(ROW, 200, 1, 8) })
end)

table_named("many", function()
  compare("2,000 small calls, 1,000 at a time", { "uipath", requests(ROW, 2000, 1000) })
  set_latency(0.1)
  compare("the same with 100 ms of latency a request", { "uipath", requests(ROW, 2000, 1000) })
  set_latency(0)
end)

table_named("pages", function()
  compare("10,000 jobs in pages of 1000", { "bare libcurl, 4 in flight", floor(FLOOR_PAGE, 10, 4) },
    { "uipath", pages("odata/Jobs", "limit=10000") },
    { "uipath, no limit", pages("odata/Jobs", LAST_ROWS) },
    { "bare libcurl, one by one", floor(FLOOR_PAGE, 10, 1) },
    { "hand-written binding, lua-cjson", binding(PAGE, 10, 1000) },
    { "node fetch", fetch(PAGE, 10, 1000, 1) }, { "UiPath's TypeScript SDK", sdk(10, 1000) },
    { "curl + jq", curl(PAGE, 10, 1000) })
end)

table_named("latency", function()
  set_latency(0.1)
  compare("10,000 jobs with 100 ms of latency a request, few at a time",
    { "bare libcurl, 4 in flight", floor(FLOOR_PAGE, 10, 4) },
    { "uipath, limit", pages("odata/Jobs", "limit=10000") },
    { "uipath, prefetch = 4", pages("odata/Jobs", LAST_ROWS, "prefetch=4") },
    { "uipath, no limit", pages("odata/Jobs", LAST_ROWS) },
    { "bare libcurl, one by one", floor(FLOOR_PAGE, 10, 1) },
    { "hand-written binding, lua-cjson", binding(PAGE, 10, 1000) },
    { "node fetch, one by one", fetch(PAGE, 10, 1000, 1) },
    { "UiPath's TypeScript SDK", sdk(10, 1000) }, { "curl + jq", curl(PAGE, 10, 1000) })
  compare("the same, all at once", { "bare libcurl, 10 in flight", floor(FLOOR_PAGE, 10, 10) },
    { "uipath, limit, prefetch = 10", pages("odata/Jobs", "limit=10000", "prefetch=10") },
    { "uipath, prefetch = 10", pages("odata/Jobs", LAST_ROWS, "prefetch=10") },
    { "node fetch, 10 in flight", fetch(PAGE, 10, 1000, 10) })
  set_latency(0)
end)

table_named("all", function()
  compare("all 25,017 jobs by each", { "bare libcurl, 4 in flight", floor(FLOOR_PAGE, 26, 4) },
    { "uipath", pages("odata/Jobs") })
end)

run("rm -r " .. folder)
sandbox:stop()
os.exit(all_well, true)

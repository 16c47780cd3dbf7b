-- Times whole processes against bare libcurl on one TLS 1.3 server, the sandbox: http.lua BUILD [ROUNDS]
local build, rounds = arg[1], arg[2] or "15"
local sandbox = assert(require("uipath.sandbox").start({ tls = true }))

local function run(command)
  local ok = os.execute(command)
  assert(ok == true or ok == 0, command)
end

local folder = os.tmpname()
os.remove(folder)
run("mkdir " .. folder .. " && cp " .. sandbox.ca_file .. " " .. folder .. "/ca.pem && openssl rehash " .. folder)
local given = sandbox.options
local options = assert(io.open(folder .. "/options.lua", "w"))
options:write("return {")
for name, value in pairs(given) do
  if type(value) == "string" and name ~= "ca_file" then options:write(("%s=%q,"):format(name, value)) end
end
options:write(("ca_dir=%q}"):format(folder))
options:close()

local function quote(word) return "'" .. word:gsub("'", "'\\''") .. "'" end

local function floor(path, count, concurrency)
  return ("exec %s/bench/floor %s/%s/%s %s %s %s %s %s %d %d"):format(build, given.base_url, given.organization, given.tenant,
    quote(given.client_id), quote(given.client_secret), quote(given.scope), folder, quote("orchestrator_/" .. path), count, concurrency)
end

local function ours(path, count, concurrency)
  return ("exec lua5.4 spec/bench/requests.lua %s/options.lua %s %d %d"):format(folder, quote(path), count, concurrency)
end

local function compare(title, path, count, concurrency)
  print("\n" .. title)
  io.stdout:flush()
  run(("%s/bench/measure %s %s %s %s %s"):format(build, rounds, quote "bare libcurl, no JSON",
    quote(floor(path, count, concurrency)), "uipath", quote(ours(path, count, concurrency))))
end

local rows = "odata/Machines?$top=10"
compare("one-shot script: token, 10 rows", rows, 1, 1)
compare("200 small calls, one after the other", "odata/Machines?$top=1&$skip=%d", 200, 1)
compare("200 small calls, 8 at a time", "odata/Machines?$top=1&$skip=%d", 200, 8)

run("rm -r " .. folder)
sandbox:stop()

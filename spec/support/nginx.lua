-- Starts the nginx that PATH has, with its Lua module, on a free port, for specs and benchmarks of the module inside it.

local support = {}

local FIRST_PORT, LAST_PORT = 10240, 32767
local MOST_PORT_CHOICES = 20

-- What a sanitizer's run of the starter sets, and a LUA_PATH that may be for another Lua.
local FOREIGN = "ASAN_OPTIONS LSAN_OPTIONS UBSAN_OPTIONS TSAN_OPTIONS LUA_PATH LUA_CPATH"

-- A worker says when it is ready, so that nobody need wait for a while.
local CONFIGURATION = [[
%s
daemon off;
pid nginx.pid;
worker_processes %d;
worker_rlimit_nofile 8192;
error_log error.log %s;
%s
events { worker_connections 4096; }
http {
  access_log off;
  client_body_temp_path body;
  proxy_temp_path proxy;
  fastcgi_temp_path fastcgi;
  uwsgi_temp_path uwsgi;
  scgi_temp_path scgi;
  keepalive_requests 1000000;
  lua_package_path "%s/?.lua;;";
  lua_package_cpath "%s/?.so;;";
  init_worker_by_lua_block {
    %s
    io.stdout:write("ready\n")
    io.stdout:flush()
  }
  %s
  server {
    listen 127.0.0.1:%d backlog=4096%s;
    location /ping { content_by_lua_block { ngx.print("pong") } }
    %s
  }
}
]]

---@param command string
---@return string output without the last line end
local function output_of(command)
  local pipe = assert(io.popen(command))
  local output = pipe:read("*a")
  pipe:close()
  return (output:gsub("\n$", ""))
end
support.output_of = output_of

local here = output_of("pwd")

local function write_file(path, text)
  local file = assert(io.open(path, "w"))
  file:write(text)
  file:close()
end

local function read_file(path)
  local file = io.open(path)
  if not file then return "" end
  local text = file:read("*a")
  file:close()
  return text
end

---The directives by which nginx loads its Lua module, where that is not built in.
---@return string
function support.load_modules()
  local folder = output_of("PATH=$PATH:/usr/sbin nginx -V 2>&1 | sed -n 's/.*--modules-path=\\([^ ]*\\).*/\\1/p'")
  local lines = {}
  for _, name in ipairs { "ndk_http_module", "ngx_http_lua_module" } do
    local path = folder .. "/" .. name .. ".so"
    local file = io.open(path)
    if file then
      file:close()
      lines[#lines + 1] = "load_module " .. path .. ";"
    end
  end
  return table.concat(lines, "\n")
end

---@return integer
function support.random_port()
  local file = assert(io.open("/dev/urandom", "rb"))
  local a, b = file:read(2):byte(1, 2)
  file:close()
  return FIRST_PORT + (a * 256 + b) % (LAST_PORT - FIRST_PORT)
end

---@class spec.nginx
---@field url string
---@field folder string
---@field pid integer  of the master
local Server = {}
Server.__index = Server

---Gets a path. Gives nginx's status and body.
---@param path string
---@return integer status  0: no reply
---@return string body
function Server:get(path)
  local output = output_of(("curl -s -m 60 -w '\\n%%{http_code}' '%s%s'"):format(self.url, path))
  local body, status = output:match("^(.*)\n(%d+)$")
  return tonumber(status), body
end

---Gets a path many times at once. Gives how often each status came.
---@return table<integer, integer>
function Server:get_many(path, number)
  local urls = ("%s%s%sn=[1-%d]"):format(self.url, path, path:find("?", 1, true) and "&" or "?", number)
  local output = output_of(("curl -s -m 60 -Z --parallel-immediate --parallel-max %d -w '%%{http_code}\\n' '%s' -o /dev/null 2>/dev/null")
    :format(number, urls))
  local statuses = {}
  for status in output:gmatch("%f[%w](%d%d%d)\n") do
    statuses[tonumber(status)] = (statuses[tonumber(status)] or 0) + 1
  end
  local last = tonumber(output:match("(%d%d%d)$"))
  if last then statuses[last] = (statuses[last] or 0) + 1 end
  return statuses
end

function Server:log()
  return read_file(self.folder .. "/error.log")
end

---@return integer[] process ids of the workers
function Server:workers()
  local children = {}
  for pid in read_file(("/proc/%d/task/%d/children"):format(self.pid, self.pid)):gmatch("%d+") do
    children[#children + 1] = tonumber(pid)
  end
  return children
end

---@param name string
function Server:signal(name)
  os.execute(("kill -%s %d"):format(name, self.pid))
end

---Returns when so many more workers have said that they are ready.
function Server:await_ready(workers)
  for _ = 1, workers do
    repeat
      local line = assert(self.output:read("*l"), "nginx ended")
    until line == "ready"
  end
end

---Loads the configuration again and returns when the new workers are there.
function Server:reload()
  self:signal("HUP")
  self:await_ready(self.worker_count)
end

---Returns when nginx and all of its workers have ended.
function Server:await_end()
  if not self.output then return end
  self.output:read("*a")
  self.output:close()
  self.output = nil
end

---Ends nginx at once, and removes its folder.
function Server:stop()
  if self.output then
    self:signal("TERM")
    self:await_end()
  end
  os.execute("rm -rf " .. self.folder)
end

-- Starts nginx and says its process id. It does not outlive its starter, however that ends; standard output is open as long as nginx is
-- there.
local LAUNCH = [[
unset %s
PATH=$PATH:/usr/sbin
sh -c 'echo $$; exec nginx -p %s -c nginx.conf </dev/null 2>&1' &
exec >/dev/null 2>&1
(while kill -0 $!; do kill -0 %d || { kill -TERM $!; rm -rf %s; }; sleep 1; done) &
]]

local function launch(options, port)
  local folder = output_of("mktemp -d /tmp/uipath-nginx.XXXXXXXX")
  -- Of root's nginx the workers are nobody, who may not be let into the tree (in root's home, say), and loads most modules late.
  os.execute(("chmod 755 %s && mkdir %s/lua && cp -r '%s/src/uipath' '%s/build/luajit%s/uipath.so' %s/lua && chmod -R a+rX %s/lua")
    :format(folder, folder, here, here, os.getenv "SUITE" == "coverage" and "-coverage" or "", folder, folder))
  local workers = options.workers or 1
  write_file(folder .. "/nginx.conf", CONFIGURATION:format(support.load_modules(), workers, options.log_level or "warn", options.main or "",
    folder .. "/lua", folder .. "/lua", options.init_worker or "", options.http or "", port,
    options.reuse_port and " reuseport" or "", options.server or ""))
  local starter = tonumber(read_file("/proc/self/stat"):match("^%d+"))
  local output = assert(io.popen(LAUNCH:format(FOREIGN, folder, starter, folder)))
  local server = setmetatable({
    url = "http://127.0.0.1:" .. port, folder = folder, output = output, worker_count = workers, pid = tonumber(output:read("*l")),
  }, Server)
  local said = {}
  for _ = 1, workers do
    repeat
      local line = output:read("*l")
      said[#said + 1] = line
    until line == nil or line == "ready"
  end
  if said[#said] == "ready" then return server end
  server:await_end()
  server:stop()
  return nil, table.concat(said, "\n")
end

---Starts nginx. reuse_port spreads connections over the workers.
---@param options { workers?: integer, main?: string, http?: string, server?: string, init_worker?: string, log_level?: string,
---reuse_port?: boolean }
---@return spec.nginx
function support.start(options)
  local server, problem
  for _ = 1, MOST_PORT_CHOICES do
    server, problem = launch(options, support.random_port())
    if server or not problem:find("Address already in use", 1, true) then break end
  end
  return assert(server, problem)
end

return support

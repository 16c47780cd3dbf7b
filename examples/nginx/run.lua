-- Starts nginx.conf, against the tenant that UIPATH_* or a profile names or else the bundled sandbox,
-- and shows what it replies. In a terminal it goes on until Enter is pressed.
local here = arg[0]:match("^(.*)/[^/]+$") or "."
local URL = "http://127.0.0.1:8017"

local function quote(word) return "'" .. word:gsub("'", "'\\''") .. "'" end

local function output_of(command)
  local pipe = assert(io.popen(command))
  local output = pipe:read "*a"
  pipe:close()
  return output
end

local variables = ""
local _, sandbox = require("uipath.sandbox").connect()
if sandbox then
  local names = {
    UIPATH_ORGANIZATION = "organization", UIPATH_TENANT = "tenant", UIPATH_CLIENT_ID = "client_id", UIPATH_CLIENT_SECRET = "client_secret",
    UIPATH_AUTH_SCOPES = "scope", UIPATH_URI = "base_url",
  }
  for variable, option in pairs(names) do variables = variables .. variable .. "=" .. quote(sandbox.options[option]) .. " " end
end

local folder = output_of("mktemp -d"):match("%S+")
local conf = output_of("cd " .. quote(here) .. " && pwd"):match("[^\n]+") .. "/nginx.conf"

-- Debian's nginx has its Lua module in files, which must be named; OpenResty has it built in, and says
-- "already loaded" where they are.
local function load_modules()
  local built_with = output_of "PATH=$PATH:/usr/sbin nginx -V 2>&1"
  local modules, lines = built_with:match "%-%-modules%-path=(%S+)", {}
  for _, name in ipairs { "ndk_http_module", "ngx_http_lua_module" } do
    local path = ("%s/%s.so"):format(modules, name)
    local file = modules and io.open(path)
    if file then
      file:close()
      lines[#lines + 1] = ("load_module %s;"):format(path)
    end
  end
  return lines
end

local directives = load_modules()
-- As root, nginx would serve as nobody, who may not be let into a tree in root's home.
if output_of "id -u":find "^0" then directives[#directives + 1] = "user root;" end
local further = #directives > 0 and "-g " .. quote(table.concat(directives, " ")) or ""
-- nginx writes its process id when it listens, and its standard error shows what is wrong; it ends with this process, however that ends.
local nginx = assert(io.popen(([[
  PATH=$PATH:/usr/sbin
  %snginx -p %s -c %s %s >/dev/null &
  trap '' HUP INT PIPE TERM
  until [ -s %s/nginx.pid ]; do kill -0 $! 2>/dev/null || exit 1; sleep 0.1; done
  echo $!
  while kill -0 $PPID 2>/dev/null && kill -0 $! 2>/dev/null; do sleep 0.2; done
  kill -QUIT $! 2>/dev/null
  wait
  rm -rf %s
]]):format(variables, folder, quote(conf), further, folder, folder)))
local pid = nginx:read "*l"

if pid then
  for _, path in ipairs { "/overview?folder=Shared", "/folders/Shared", "/folders/Elsewhere" } do
    print("GET " .. path)
    print((output_of(("curl -s -w '(status %%{http_code})' '%s%s'"):format(URL, path))))
  end
  if output_of("test -t 0 && echo terminal"):find "terminal" then
    io.write("nginx listens at ", URL, " until Enter is pressed. ")
    io.read()
  end
  os.execute("kill -QUIT " .. pid)
end
nginx:close()
if sandbox then sandbox:stop() end
os.execute("rm -rf " .. folder)
os.exit(pid and 0 or 1)

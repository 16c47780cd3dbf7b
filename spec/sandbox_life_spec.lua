-- The life and death of a sandbox. It is driven by curl, so that nothing here depends on the client that it is there to test.

local curl = require("spec.support.curl").curl
local tenant = require "spec.support.tenant"
local uipath_sandbox = require "uipath.sandbox"

local unpack = table.unpack or unpack -- luacheck: ignore 113 143
local interpreter, quote, shell = tenant.interpreter, tenant.quoted, tenant.shell

--- A program that starts a sandbox and says where it is, in a process of its own.
local STARTER = [[
local sandbox = assert(require("uipath.sandbox").start())
local stat = io.open("/proc/self/stat")
print(stat:read("*n"), sandbox.pid, sandbox.folder, sandbox.base_url)
io.stdout:flush()
]]

--- The words that let a process find the modules that this one finds.
local MODULES = "exec env LUA_PATH=" .. quote(package.path)

--- Runs STARTER and what follows.
---@param ending string  Lua
---@param environment? string  words in front of the interpreter
---@return { pid: string, server: string, folder: string, url: string, pipe: file* }
local function start_elsewhere(ending, environment)
  local command = (environment or MODULES) .. " " .. interpreter .. " -e " .. quote(STARTER .. ending)
  local pipe = assert(io.popen(command))
  local line = assert(pipe:read("*l"))
  local pid, server, folder, url = line:match("^(%d+)%D*\t(%d+)%D*\t(%S+)\t(%S+)$")
  return { pid = pid, server = server, folder = folder, url = url, pipe = pipe }
end

--- Whether a sandbox's process and folder are gone, or are so within two seconds.
local function is_gone(place)
  local script = ("while [ -e %s ] || [ -e /proc/%s ]; do sleep 0.01; done")
    :format(place.folder, place.server)
  return shell("timeout 2 sh -c " .. quote(script) .. " && echo gone") == "gone\n"
end

--- One line of a process's status, of what stands in /proc.
local function status_of(pid, name)
  local file = assert(io.open("/proc/" .. pid .. "/status"))
  local value = file:read("*a"):match(name .. ":%s*(%S+)")
  file:close()
  return value
end

--- The session of a process: the fourth field after its name in what stands in /proc.
local function session_of(pid)
  local file = assert(io.open("/proc/" .. pid .. "/stat"))
  local session = file:read("*a"):match("^.*%) %S+ %S+ %S+ (%d+)")
  file:close()
  return session
end

describe("the life of a sandbox", function()
  local fifo, fifo_end

  -- A pipe that is never written to: who reads it waits.
  setup(function()
    fifo = shell("name=$(mktemp -u) && mkfifo $name && printf %s $name")
    fifo_end = assert(io.open(fifo, "r+"))
  end)

  teardown(function()
    fifo_end:close()
    os.remove(fifo)
  end)

  local function waiting() return "io.open(" .. ("%q"):format(fifo) .. "):read()" end

  it("answers when start has returned, and is gone when stop has returned", function()
    local sandbox = assert(uipath_sandbox.start())
    assert.equal(404, curl(sandbox.base_url .. "/").status)
    assert.equal("drwx------", shell("ls -ld " .. sandbox.folder):sub(1, 10))
    sandbox:stop()
    assert.is_nil(io.open(sandbox.folder .. "/nginx.conf"))
    assert.is_nil(io.open("/proc/" .. sandbox.pid .. "/status"))
    assert.equal(7, curl(sandbox.base_url .. "/").exit)
    assert.has_no.errors(function() sandbox:stop() end)
  end)

  it("outlives the last reference to it", function()
    local url = assert(uipath_sandbox.start()).base_url
    collectgarbage()
    collectgarbage()
    assert.equal(404, curl(url .. "/").status)
  end)

  it("is gone when its starter is killed", function()
    local place = start_elsewhere(waiting())
    assert.equal(404, curl(place.url .. "/").status)
    shell("kill -KILL " .. place.pid)
    assert.is_true(is_gone(place))
    place.pipe:close()
  end)

  it("is gone when its starter is killed and a child of that one lives on", function()
    local place = start_elsewhere("os.execute('exec cat " .. fifo .. " >/dev/null & echo $!')"
      .. waiting())
    local child = place.pipe:read("*l")
    shell("kill -KILL " .. place.pid)
    assert.is_true(is_gone(place))
    shell("kill " .. child)
    place.pipe:close()
  end)

  it("is gone when its starter ends, in any way", function()
    for _, ending in ipairs { "", "os.exit(3)", "error('broken')" } do
      local place = start_elsewhere(ending, MODULES .. " 2>/dev/null")
      place.pipe:close()
      assert.is_true(is_gone(place), ending)
    end
  end)

  it("does not hear the terminal's Ctrl-C", function()
    local place = start_elsewhere(waiting())
    local session = session_of(place.server)
    assert.is_truthy(session)
    assert.are_not.equal(session_of(place.pid), session)
    shell("kill -KILL " .. place.pid)
    place.pipe:close()
  end)

  it("does not inherit what a sanitizer needs", function()
    local place = start_elsewhere(waiting(),
      MODULES .. " LD_PRELOAD=libm.so.6 ASAN_OPTIONS=detect_leaks=0")
    local supervisor = status_of(place.server, "PPid")
    local environment = shell("tr '\\0' '\\n' </proc/" .. supervisor .. "/environ")
    assert.is_truthy(environment:find("PATH="))
    assert.is_nil(environment:find("LD_PRELOAD", 1, true))
    assert.is_nil(environment:find("ASAN_OPTIONS", 1, true))
    shell("kill -KILL " .. place.pid)
    place.pipe:close()
  end)

  it("starts from any directory, with a relative path to its modules or an absolute one", function()
    local here = shell("printf %s \"$PWD\"")
    local absolute = start_elsewhere("", "cd / && LUA_PATH='" .. here .. "/src/?.lua;;'")
    assert.is_truthy(absolute.server)
    absolute.pipe:close()
    local relative = start_elsewhere("", "cd src/uipath && LUA_PATH='../?.lua;;'")
    assert.is_truthy(relative.server)
    relative.pipe:close()
  end)

  it("starts side by side", function()
    local places, urls = {}, {}
    for index = 1, 8 do
      places[index] = io.popen(MODULES .. " " .. interpreter .. " -e "
        .. quote(STARTER .. "os.execute('curl -s -o /dev/null '..sandbox.base_url..'/')"))
    end
    for _, pipe in ipairs(places) do
      local url = assert(pipe:read("*a"):match("http://%S+"))
      assert.is_nil(urls[url])
      urls[url] = true
      pipe:close()
    end
  end)

  it("chooses other ports when those are taken", function()
    local first = assert(uipath_sandbox.start())
    local taken = tonumber(first.base_url:match("%d+$")) - 10240
    local real_open, asked = io.open, 0
    -- The first port that is chosen is the one that is taken.
    io.open = function(path, mode) -- luacheck: ignore 122
      local file, message = real_open(path, mode)
      if path ~= "/dev/urandom" then return file, message end
      return { read = function(_, size)
        asked = asked + 1
        if asked > 1 then return file:read(size) end
        return string.char(0, math.floor(taken / 256), taken % 256)
      end }
    end
    local started, second, problem = pcall(uipath_sandbox.start)
    io.open = real_open -- luacheck: ignore 122
    assert.is_true(started, second)
    assert.is_table(second, tostring(problem))
    assert.is_true(asked >= 4)
    assert.are_not.equal(first.base_url, second.base_url)
    assert.equal(404, curl(second.base_url .. "/").status)
    first:stop()
    second:stop()
  end)

  it("speaks HTTP/2 and HTTP/1.1 over TLS", function()
    local sandbox = assert(uipath_sandbox.start { tls = true })
    assert.equal(sandbox.base_url, sandbox.options.base_url)
    assert.equal(sandbox.ca_file, sandbox.options.ca_file)
    local with_ca = { "--cacert", sandbox.ca_file, "--tlsv1.3" }
    assert.is_truthy(curl(sandbox.base_url, unpack(with_ca)).head:find("^HTTP/2 404"))
    assert.is_truthy(curl(sandbox.base_url, "--http1.1", unpack(with_ca)).head:find("^HTTP/1.1 404"))
    -- 60: the certificate was refused.
    assert.equal(60, curl(sandbox.base_url).exit)
    assert.equal(60, curl(sandbox.wrong_host_url, unpack(with_ca)).exit)
    assert.equal(60, curl(sandbox.expired_url, unpack(with_ca)).exit)
    assert.equal(404, curl(sandbox.http_url).status)
    sandbox:stop()
  end)

  it("says what is missing", function()
    local folder = shell("folder=$(mktemp -d) && cd $folder && for tool in env sh setsid mktemp "
      .. "mkfifo rm sed; do ln -s $(command -v $tool) $tool; done && printf %s $folder")
    local path = shell("command -v " .. interpreter):match("%S+")

    --- What start says where nothing but the tools in the folder is found.
    local function complaint(options)
      return shell(MODULES .. " PATH=" .. folder .. " " .. path .. " -e " .. quote(
        "local sandbox, failure = require('uipath.sandbox').start(" .. options .. ") "
        .. "io.write(tostring(sandbox), ' ', failure.kind, ' ', tostring(failure))"))
    end

    assert.equal("nil failed sandbox: openssl is needed for tls: apt-get install openssl",
      complaint "{ tls = true }")
    local nginx = assert(io.open(folder .. "/nginx", "w"))
    nginx:write('#!/bin/sh\necho \'nginx: [emerg] unknown directive "lua_package_path"\'\n')
    nginx:close()
    shell("chmod +x " .. folder .. "/nginx")
    assert.equal("nil failed sandbox: nginx with its Lua module is needed: "
      .. "apt-get install nginx-light libnginx-mod-http-lua", complaint "")

    -- What an nginx says whose LuaJIT looks for lpeg in these folders.
    local function complaint_of_lua(folders)
      nginx = assert(io.open(folder .. "/nginx", "w"))
      nginx:write("#!/bin/sh\necho \"nginx: [error] init_by_lua error: filter.lua:9: module 'lpeg' not found:\n",
        "\tno field package.preload['lpeg']\n\tno file './lpeg.so'\n")
      for _, place in ipairs(folders) do nginx:write("\tno file '", place, "/lpeg.so'\n") end
      nginx:write "\"\n"
      nginx:close()
      return complaint ""
    end

    assert.equal("nil failed sandbox: nginx's Lua needs lpeg: apt-get install lua-lpeg",
      complaint_of_lua { "/usr/local/lib/lua/5.1", "/usr/lib/x86_64-linux-gnu/lua/5.1" })
    assert.equal("nil failed sandbox: nginx's Lua needs lpeg: luarocks --lua-version 5.1 install lpeg "
      .. "(this nginx looks for it in /usr/local/openresty/lualib, /usr/local/lib/lua/5.1)",
      complaint_of_lua { "/usr/local/openresty/lualib", "/usr/local/lib/lua/5.1" })
    assert.equal("nil failed sandbox: nginx's Lua needs lpeg: "
      .. "luarocks --lua-version 5.1 --tree /opt/luajit install lpeg "
      .. "(this nginx looks for it in /opt/lualib, /opt/luajit/lib/lua/5.1)",
      complaint_of_lua { "/opt/lualib", "/opt/luajit/lib/lua/5.1" })
    shell("rm -r " .. folder)
  end)

  it("says which module nginx's Lua cannot load", function()
    local folder = shell("mktemp -d"):match("%S+")
    shell("cp -r src/uipath " .. folder .. " && rm " .. folder .. "/uipath/sandbox/rows.lua")
    local said = shell("timeout 10 env -u LUA_CPATH LUA_PATH='" .. folder .. "/?.lua' " .. interpreter .. " -e " .. quote(
      "local sandbox, failure = require('uipath.sandbox').start() io.write(tostring(sandbox), ' ', tostring(failure))"))
    assert.is_truthy(said:find("^nil sandbox: nginx did not start: .*module 'uipath%.sandbox%.rows' not found"), said)
    shell("rm -r " .. folder)
  end)

  it("raises on options that make no sense", function()
    for _, case in ipairs {
      { { tsl = true }, "unknown option 'tsl' of a sandbox %(did you mean 'tls'%?%)" },
      { { secret = "x" }, "did you mean 'client_secret'%?" }, { { colour = 1 }, "unknown option 'colour' of a sandbox$" },
      { { tls = 1 }, "option 'tls'.* true or false" },
      { { organization = "a/b" }, "option 'organization'" }, { { expires_in = -1 }, "seconds" },
      { { client_secret = "a\nb" }, "option 'client_secret'" }, { "tls", "table" },
    } do
      local started, message = pcall(uipath_sandbox.start, case[1])
      assert.is_false(started)
      assert.is_truthy(message:find(case[2]), message)
    end
  end)
end)

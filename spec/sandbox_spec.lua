-- The sandbox itself: its life and death, what its services answer, how it misbehaves on demand. It
-- is driven by curl, so that nothing here depends on the client that it is there to test.

local cjson = require "cjson"
local uipath_sandbox = require "uipath.sandbox"

local unpack = table.unpack or unpack -- luacheck: ignore 113 143
local interpreter = _VERSION == "Lua 5.1" and "luajit" or "lua5.4"

local function quote(word)
  return "'" .. word:gsub("'", "'\\''") .. "'"
end

--- What a shell command writes, errors included.
local function shell(command)
  local pipe = assert(io.popen("{ " .. command .. "; } 2>&1"))
  local output = pipe:read("*a")
  pipe:close()
  return output
end

--- Runs curl. Its exit status says how the transfer ended, 0 for well.
---@return { status: integer, exit: integer, head: string, body: string }
local function curl(url, ...)
  local words = { "env -u LD_PRELOAD curl -s -i -g --max-time 5 -w '\\n%{size_header} %{http_code} %{exitcode}'" }
  for _, word in ipairs { url, ... } do words[#words + 1] = quote(word) end
  local output = shell(table.concat(words, " "))
  local reply, head_size, status, exit = output:match("^(.*)\n(%d+) (%d+) (%d+)$")
  head_size = tonumber(head_size)
  return {
    status = tonumber(status), exit = tonumber(exit),
    head = reply:sub(1, head_size), body = reply:sub(head_size + 1),
  }
end

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
        .. quote(STARTER .. "os.execute('env -u LD_PRELOAD curl -s -o /dev/null '..sandbox.base_url..'/')"))
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
    shell("rm -r " .. folder)
  end)

  it("says which module nginx's Lua cannot load", function()
    local folder = shell("mktemp -d"):match("%S+")
    shell("cp -r src/uipath " .. folder .. " && rm " .. folder .. "/uipath/sandbox/rows.lua")
    local said = shell("timeout 10 env LUA_PATH='" .. folder .. "/?.lua' " .. interpreter .. " -e " .. quote(
      "local sandbox, failure = require('uipath.sandbox').start() io.write(tostring(sandbox), ' ', tostring(failure))"))
    assert.is_truthy(said:find("^nil sandbox: nginx did not start: .*module 'uipath%.sandbox%.rows' not found"), said)
    shell("rm -r " .. folder)
  end)

  it("raises on options that make no sense", function()
    for _, case in ipairs {
      { { tsl = true }, "unknown option 'tsl'" }, { { tls = 1 }, "option 'tls'.* true or false" },
      { { organization = "a/b" }, "option 'organization'" }, { { expires_in = -1 }, "seconds" },
      { { client_secret = "a\nb" }, "option 'client_secret'" }, { "tls", "table" },
    } do
      local started, message = pcall(uipath_sandbox.start, case[1])
      assert.is_false(started)
      assert.is_truthy(message:find(case[2]), message)
    end
  end)
end)

describe("the tenant", function()
  local sandbox, token, orchestrator
  local shared = "X-UIPATH-OrganizationUnitId: 2001"

  --- Asks for a token.
  local function request_token(fields, url)
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

  local function token_for(scope)
    return cjson.decode(request_token({ scope = scope }).body).access_token
  end

  --- Sends a request below orchestrator_/ with a token; the body is decoded.
  local function call(path, ...)
    local reply = curl(orchestrator .. path:gsub(" ", "%%20"), "-H", "Authorization: Bearer " .. token,
      ...)
    local decoded, body = pcall(cjson.decode, reply.body)
    reply.json = decoded and body or nil
    return reply
  end

  local function control(method, path, body)
    return cjson.decode(curl(sandbox.fault_url .. "/control/" .. path, "-X", method, "-d",
      body or "").body)
  end

  setup(function()
    sandbox = assert(uipath_sandbox.start())
    orchestrator = sandbox.base_url .. "/acme/DefaultTenant/orchestrator_/"
    token = token_for(sandbox.options.scope)
  end)

  teardown(function() sandbox:stop() end)

  after_each(function() control("POST", "reset") end)

  it("gives out tokens in the form of JWTs, at both addresses of Identity", function()
    for _, place in ipairs { "/acme/identity_/connect/token", "/identity_/connect/token" } do
      local reply = curl(sandbox.base_url .. place, "-d", "grant_type=client_credentials",
        "-d", "client_id=" .. sandbox.options.client_id,
        "-d", "client_secret=" .. sandbox.options.client_secret, "-d", "scope=OR.Jobs OR.Machines.Read")
      local fields = cjson.decode(reply.body)
      assert.equal(3600, fields.expires_in)
      assert.equal("Bearer", fields.token_type)
      assert.equal("OR.Jobs OR.Machines.Read", fields.scope)
      local payload = fields.access_token:match("^[%w_-]+%.([%w_-]+)%.[%w_-]+$")
      local padded = payload:gsub("-", "+"):gsub("_", "/") .. ("="):rep(-#payload % 4)
      local claims = cjson.decode(shell("printf %s " .. padded .. " | base64 -d"))
      assert.same({ "OR.Jobs", "OR.Machines.Read" }, claims.scope)
      assert.equal(sandbox.options.client_id, claims.client_id)
      assert.equal(36, #claims.prt_id)
      assert.is_true(math.abs(claims.exp - os.time() - 3600) < 10)
    end
  end)

  it("refuses tokens as the service does", function()
    for _, case in ipairs {
      { { client_secret = "wrong" }, "invalid_client" },
      { { client_id = "wrong" }, "invalid_client" },
      { { grant_type = "password" }, "unsupported_grant_type" },
      { { scope = "OR.Jobs OR.Nothing" }, "invalid_scope" },
      { { scope = "offline_access" }, "invalid_scope" },
    } do
      local reply = request_token(case[1])
      assert.equal(400, reply.status)
      assert.same({ error = case[2] }, cjson.decode(reply.body))
    end
    assert.equal(405, curl(sandbox.base_url .. "/acme/identity_/connect/token").status)
  end)

  it("accepts a secret with every kind of character", function()
    local secret = [[ +%25&=?/#"'\{}$]] .. "`"
    local other = assert(uipath_sandbox.start { client_secret = secret })
    assert.equal(200, request_token({ client_secret = secret }, other.base_url).status)
    assert.equal(400, request_token({ client_secret = "x" }, other.base_url).status)
    other:stop()
  end)

  it("wants a valid token", function()
    for _, header in ipairs { "X-Nothing: 1", "Authorization: Bearer abc", "Authorization: Basic abc" } do
      local reply = curl(orchestrator .. "odata/Machines", "-H", header)
      assert.equal(401, reply.status)
      local body = cjson.decode(reply.body)
      assert.equal("You are not authenticated!", body.message)
      assert.is_false(body.unAuthorizedRequest)
      assert.equal(0, body.errorCode)
    end
  end)

  it("refuses tokens that have been revoked or have expired", function()
    local outer = token
    finally(function() token = outer end)
    token = token_for("OR.Machines")
    assert.equal(200, call("odata/Machines").status)
    control("POST", "revoke")
    assert.equal(401, call("odata/Machines").status)
    control("POST", "settings", '{"expires_in":0}')
    token = token_for("OR.Machines")
    assert.equal(401, call("odata/Machines").status)
    control("POST", "settings", '{"expires_in":null}')
    outer = token_for(sandbox.options.scope)
  end)

  it("wants the scope that an endpoint needs", function()
    local outer = token
    finally(function() token = outer end)
    token = token_for("OR.Machines.Read PM.Group.Read")
    assert.equal(200, call("odata/Machines").status)
    for _, reply in ipairs {
      call("odata/Folders"), call("odata/Machines", "-d", '{"Name":"x"}'),
      call("api/FoldersNavigation/GetAllFoldersForCurrentUser"),
    } do
      assert.equal(403, reply.status)
      assert.equal("You are not authorized!", reply.json.message)
      assert.is_true(reply.json.unAuthorizedRequest)
    end
    local reply = curl(sandbox.base_url .. "/acme/identity_/api/RobotAccount/0", "-H",
      "Authorization: Bearer " .. token)
    assert.equal(403, reply.status)
    assert.equal("Scope(s) 'OR.Machines.Read,PM.Group.Read' is(are) invalid. Expect to have "
      .. "'PM.RobotAccount' or 'PM.RobotAccount.Read'. ", cjson.decode(reply.body).errorMessage)
    token = token_for("OR.Default")
    assert.equal(200, call("odata/Folders").status)
  end)

  it("answers with OData's envelope", function()
    local reply = call("odata/Machines?$top=2&$count=true")
    assert.equal(200, reply.status)
    assert.is_truthy(reply.head:find("api-supported-versions: 20.0", 1, true))
    assert.equal(orchestrator .. "odata/$metadata#Machines", reply.json["@odata.context"])
    assert.equal(12, reply.json["@odata.count"])
    assert.equal(2, #reply.json.value)
    assert.is_truthy(reply.body:find('"Tags":[]', 1, true))
    assert.is_truthy(reply.body:find('"Id":3001}', 1, true))
    assert.is_nil(call("odata/Machines").json["@odata.count"])
    assert.is_truthy(call("odata/Machines?$top=0").body:find('"value":[]', 1, true))
    local entity = call("odata/Machines(3007)?$select=Name").json
    assert.same({ Name = "LAPTOP-O'BRIEN",
      ["@odata.context"] = orchestrator .. "odata/$metadata#Machines(Name)/$entity" }, entity)
  end)

  it("compresses for those who ask", function()
    assert.is_truthy(call("odata/Machines", "--compressed").head:find("Content-Encoding: gzip", 1, true))
    assert.is_nil(call("odata/Machines").head:find("Content-Encoding", 1, true))
  end)

  -- What $filter finds, by the last two digits of the machines' Ids.
  local machine_filters = {
    ["Name eq 'VM-TOKYO-01'"] = "04",
    ["Name eq 'LAPTOP-O''BRIEN'"] = "07",
    ["Id eq 3002 or Id eq 3001"] = "01 02",
    ["Id gt 3010 and Id lt 3012"] = "11",
    ["Id ge 3011 and not (Id eq 3012)"] = "11",
    ["Id in (3001, 3005,3099)"] = "01 05",
    ["Name in ('kiosk-42','x')"] = "11",
    ["contains(Name,'TOKYO')"] = "04 05",
    ["startswith(tolower(Name),'vm-b')"] = "01 02 03",
    ["endswith(Name,'template')"] = "08 09",
    ["length(Name) gt 14"] = "08",
    ["Description eq null"] = "03 06 09 12",
    ["Description ne null and Id gt 3008"] = "10 11",
    ["contains(Description,'x') or Id eq 3003"] = "03",
    ["not contains(Description,'robots') or Id eq 3003"] = "03",
    ["Type eq 'Template' and UnattendedSlots ge 3"] = "11",
    ["Id eq 3001 or Id eq 3002 and UnattendedSlots eq 99"] = "01",
    ["(Id eq 3001 or Id eq 3002) and UnattendedSlots eq 99"] = "",
    ["UnattendedSlots eq 2.0 and Id lt 3003"] = "02",
    ["true and Id le 3001"] = "01",
  }

  for text, expected in pairs(machine_filters) do
    it("filters by " .. text, function()
      local reply = call("odata/Machines?$select=Id&$filter=" .. text)
      assert.equal(200, reply.status, reply.body)
      local ids = {}
      for _, machine in ipairs(reply.json.value) do ids[#ids + 1] = ("%02d"):format(machine.Id - 3000) end
      assert.equal(expected, table.concat(ids, " "))
    end)
  end

  it("filters by dates, GUIDs and related entities", function()
    local jobs = call("odata/Jobs?$top=3&$skip=100&$expand=Release", "-H", shared).json.value
    local second = jobs[2]
    for _, text in ipairs {
      "CreationTime gt " .. jobs[1].CreationTime .. " and CreationTime lt " .. jobs[3].CreationTime,
      "CreationTime eq " .. second.CreationTime:gsub("Z$", "+00:00"):gsub("%+", "%%2B"),
      "Key eq " .. second.Key:upper(),
      "Id eq " .. ("%d"):format(second.Id) .. " and Release/Name eq '" .. second.ReleaseName .. "'",
      "year(CreationTime) gt 2000 and date(CreationTime) lt now() and Id eq "
        .. ("%d"):format(second.Id),
    } do
      local reply = call("odata/Jobs?$select=Id&$filter=" .. text, "-H", shared)
      assert.equal(200, reply.status, reply.body)
      assert.same({ { Id = second.Id } }, reply.json.value, text)
    end
  end)

  it("refuses query options that OData refuses", function()
    local many = {}
    for index = 1, 60 do many[index] = "Id eq " .. index end
    for _, options in ipairs {
      "$top=1001", "$top=-1", "$top=x", "$skip=-1", "$count=1", "$foo=1", "$filter=",
      "$filter=Id eq", "$filter=Name eq 3", "$filter=Key eq 'x'", "$filter=Nmae eq 'x'",
      "$filter=Name eq Fred", "$filter=Name", "$filter=contains(Name)", "$filter=similar(Name,'x')",
      "$filter=Id eq 1 and", "$filter=" .. ("("):rep(500) .. "true" .. (")"):rep(500),
      "$filter=" .. table.concat(many, " or "), "$select=Nmae", "$expand=Nothing",
      "$orderby=Nmae", "$orderby=Name down", "$orderby=Id,Name,Type,Scope,Key,Description",
      "$top=1&$top=2",
    } do
      local reply = call("odata/Machines?" .. options)
      assert.equal(400, reply.status, options)
      assert.equal(1000, reply.json.errorCode)
      assert.equal("string", type(reply.json.traceId))
    end
    assert.equal(200, call("odata/Machines?top=-1").status)
  end)

  it("orders, null first, and keeps the order of equals", function()
    local rows = call("odata/Machines?$select=Id,Description&$orderby=Description").json.value
    local ids = {}
    for index, row in ipairs(rows) do ids[index] = row.Id - 3000 end
    assert.same({ 3, 6, 9, 12, 1, 2, 4, 5, 7, 8, 10, 11 }, ids)
    rows = call("odata/Machines?$top=2&$select=Id&$orderby=Type,Id desc").json.value
    assert.same({ { Id = 3007 }, { Id = 3006 } }, rows)
  end)

  it("expands one level", function()
    local job = call("odata/Jobs?$top=1&$select=Id&$expand=Robot($select=Name),Machine", "-H", shared)
      .json.value[1]
    assert.same({ Name = "robot-2" }, job.Robot)
    assert.equal(3002, job.Machine.Id)
    assert.is_nil(job.Release)
  end)

  it("takes the folder in each of its four forms", function()
    local folders = call("odata/Folders").json.value
    for _, folder in ipairs(folders) do
      local encoded = shell("printf %s " .. quote(folder.FullyQualifiedName)
        .. " | iconv -f UTF-8 -t UTF-16LE | base64 -w0")
      local headers = {
        "OrganizationUnitId: " .. ("%d"):format(folder.Id), "FolderKey: " .. folder.Key,
        "FolderPath-Encoded: " .. encoded,
      }
      if not folder.FullyQualifiedName:find("[\128-\255]") then
        headers[4] = "FolderPath: " .. folder.FullyQualifiedName
      end
      for _, header in ipairs(headers) do
        local reply = call("odata/Jobs?$top=1&$count=true", "-H", "X-UIPATH-" .. header)
        assert.equal(200, reply.status, header)
        local job = reply.json.value[1]
        if job then assert.equal(folder.Id, job.OrganizationUnitId) end
      end
    end
    local reply = call("odata/Jobs")
    assert.same({ 400, 1101 }, { reply.status, reply.json.errorCode })
    for _, header in ipairs { "OrganizationUnitId: 1", "FolderKey: x", "FolderPath: Nowhere" } do
      reply = call("odata/Jobs", "-H", "X-UIPATH-" .. header)
      assert.same({ 400, 1100 }, { reply.status, reply.json.errorCode })
    end
  end)

  it("has 25,017 jobs, of which each is read the same every time", function()
    local seen, total = {}, 0
    for skip = 0, 26000, 1000 do
      local page = call("odata/Jobs?$select=Id&$skip=" .. skip, "-H", shared).json.value
      for _, job in ipairs(page) do
        assert.is_nil(seen[job.Id])
        seen[job.Id] = true
      end
      total = total + #page
    end
    assert.equal(25017, total)
    local list = call("odata/Jobs?$top=1&$skip=25016", "-H", shared).json.value[1]
    local single = call("odata/Jobs(1025017)", "-H", shared).json
    single["@odata.context"] = nil
    assert.same(list, single)
    assert.equal(404, call("odata/Jobs(1025018)", "-H", shared).status)
  end)

  it("caps the pages of queue items at 100", function()
    local reply = call("odata/QueueItems?$count=true", "-H", shared)
    assert.same({ 100, 1250 }, { #reply.json.value, reply.json["@odata.count"] })
    assert.equal(400, call("odata/QueueItems?$top=101", "-H", shared).status)
  end)

  it("creates, changes and deletes machines", function()
    local json = "Content-Type: application/json"
    local created = call("odata/Machines", "-H", json, "-d", '{"Name":"new","UnattendedSlots":2}')
    assert.equal(201, created.status)
    local path = ("odata/Machines(%d)"):format(created.json.Id)
    local again = call("odata/Machines", "-H", json, "-d", '{"Name":"new"}')
    assert.same({ 409, 1001 }, { again.status, again.json.errorCode })
    local patched = call(path, "-X", "PATCH", "-H", json, "-d", '{"Description":"d"}')
    assert.same({ 200, "" }, { patched.status, patched.body })
    local row = call(path).json
    assert.same({ "new", "d", 2 }, { row.Name, row.Description, row.UnattendedSlots })
    assert.equal(200, call(path, "-X", "PUT", "-H", json, "-d", '{"Name":"newer"}').status)
    row = call(path).json
    assert.same({ "newer", cjson.null, 0 }, { row.Name, row.Description, row.UnattendedSlots })
    assert.equal(400, call(path, "-X", "PUT", "-H", json, "-d", "{}").status)
    assert.equal(400, call(path, "-X", "PUT", "-H", json, "-d", "{").status)
    assert.equal(204, call(path, "-X", "DELETE").status)
    local gone = call(path)
    assert.same({ 404, 1002 }, { gone.status, gone.json.errorCode })
    assert.equal(405, call("odata/Folders", "-d", "{}").status)
  end)

  it("ends its pages early and links on when told to", function()
    control("POST", "settings", '{"page_size":5}')
    local first = call("odata/Machines?$count=true&$select=Id&$filter=Id gt 3001&$top=8").json
    assert.same({ 11, 5 }, { first["@odata.count"], #first.value })
    local link = first["@odata.nextLink"]
    assert.is_truthy(link:find("^Machines%?"))
    local second = call("odata/" .. link).json
    assert.same({ 3, 3007 }, { #second.value, second.value[1].Id })
    assert.is_nil(second["@odata.nextLink"])
    control("POST", "settings", '{"next_link":"absolute"}')
    link = call("odata/Machines").json["@odata.nextLink"]
    assert.equal(orchestrator .. "odata/Machines?", link:match("^.*%?"))
  end)

  it("pages in the other services' own ways", function()
    local folders = call("api/Folders/GetAllForCurrentUser?take=2&skip=5").json
    assert.same({ 1, 6, "Archive" },
      { #folders.PageItems, folders.Count, folders.PageItems[1].FullyQualifiedName })
    assert.equal(400, call("api/Folders/GetAllForCurrentUser?take=1001").status)

    local files, continuation = 0, ""
    repeat
      local page = call("api/Buckets/9001/ListFiles?takeHint=500" .. continuation, "-H", shared).json
      files = files + #page.items
      continuation = "&continuationToken=" .. tostring(page.continuationToken)
    until page.continuationToken == cjson.null
    assert.equal(1234, files)

    local base = sandbox.base_url .. "/acme/DefaultTenant/testmanager_/api/v2/"
    local function get(url)
      return cjson.decode(curl(url, "-H", "Authorization: Bearer " .. token).body)
    end
    local projects = get(base .. "projects?top=2")
    assert.same({ 2, 3, true }, { #projects.data, projects.paging.total, projects.paging.nextPage })
    local project = base .. projects.data[1].id
    local cases = get(project .. "/testcases?top=100&skip=200")
    assert.same({ 50, 250, false }, { #cases.data, cases.paging.total, cases.paging.nextPage })
    local requirements = get(project .. "/requirements?skip=100")
    assert.same({ 100, 230, true },
      { #requirements.data, requirements.totalItems, requirements.hasNextPage })
    assert.equal(2, #get(project .. "/permissions/project/roles"))

    local identity_api = sandbox.base_url .. "/acme/identity_/api/"
    local partition = "9e3779b1-0009-4001-a007-000000000001"
    local users = get(identity_api .. "User/users/" .. partition .. "?top=1000&skip=1000")
    assert.same({ 42, 1042 }, { #users.results, users.totalCount })
    assert.equal(10, #get(identity_api .. "RobotAccount/" .. partition).results)
    assert.equal(2, #get(identity_api .. "Group/" .. partition))
  end)

  it("counts and remembers what it was asked", function()
    control("POST", "settings", '{"record":true}')
    call("odata/Machines?$top=1", "-H", "X-Mark: here")
    call("odata/Machines?$top=1")
    token_for("OR.Jobs")
    local counters = control("GET", "counters")
    assert.same({ 2, 1, 3, 1, 0 }, { counters.data_requests, counters.token_requests,
      counters.connections, counters.max_in_flight, counters.in_flight })
    assert.equal(2, counters.paths["/acme/DefaultTenant/orchestrator_/odata/Machines"])
    local requests = control("GET", "requests")
    assert.equal(3, #requests)
    assert.same({ "GET", "here", "/acme/DefaultTenant/orchestrator_/odata/Machines?$top=1" },
      { requests[1].method, requests[1].headers["x-mark"], requests[1].uri })
    assert.equal(0, control("POST", "reset").data_requests)
    assert.same({}, control("GET", "requests"))
  end)

  it("holds its replies back when told to", function()
    control("POST", "settings", '{"latency":0.3}')
    local reply = curl(orchestrator .. "odata/Machines", "--max-time", "0.2")
    assert.equal(28, reply.exit)
    assert.equal(401, curl(orchestrator .. "odata/Machines").status)
  end)
end)

describe("the fault port", function()
  local sandbox

  setup(function() sandbox = assert(uipath_sandbox.start()) end)
  teardown(function() sandbox:stop() end)

  local function fault(path, ...)
    return curl(sandbox.fault_url .. "/acme/DefaultTenant/orchestrator_/fault/" .. path, ...)
  end

  -- How curl ends on each: 8 malformed reply, 18 partial body, 52 nothing came, 56 broken
  -- connection, 61 bad encoding, 28 the time is over.
  for path, exit in pairs {
    ok = 0, reset = 56, reset_in_headers = 56, reset_in_body = 56, close = 52, truncated = 18,
    truncated_chunked = 18, stale = 0, bad_length = 8, bad_chunk = 56, not_http = 1,
    informational = 0, short_length = 0, endless_headers = 56,
  } do
    it("ends " .. path .. " as it should", function()
      assert.equal(exit, fault(path).exit)
    end)
  end

  for path, body in pairs {
    stall = 0, stall_in_headers = 0, stall_in_body = 20, long_length = 55,
  } do
    it("goes no further in " .. path, function()
      local reply = fault(path, "--max-time", "0.2")
      assert.same({ 28, body }, { reply.exit, #reply.body })
    end)
  end

  for path, least in pairs { endless = 1000000, gzip_bomb = 10000 } do
    it("sends and sends in " .. path, function()
      local reply = fault(path, "--max-time", "0.3", "-H", "Accept-Encoding: gzip")
      assert.equal(28, reply.exit)
      assert.is_true(#reply.body > least, #reply.body)
    end)
  end

  it("answers broken gzip", function()
    assert.equal(61, fault("gzip_broken", "--compressed").exit)
  end)

  for path, status in pairs {
    no_content = 204, empty = 200, html = 200, invalid_json = 200, invalid_utf8 = 200,
    ["scalar/17"] = 200, ["deep/10"] = 200, integers = 200, ["status/503/7"] = 503,
    ["gateway/502"] = 502, ["error/orchestrator"] = 400, ["error/bulk"] = 200,
    ["error/storage"] = 403, ["error/unauthenticated"] = 401, ["redirect/302/other"] = 302,
    nothing_like_that = 404, ["paging/relative"] = 200, ["paging/dies/1"] = 500,
  } do
    it("answers " .. path .. " with status " .. status, function()
      assert.equal(status, fault(path).status)
    end)
  end

  it("says when to come back in both forms", function()
    assert.is_truthy(fault("status/429/7").head:find("Retry%-After: 7\r"))
    assert.is_truthy(fault("status/429/date:7").head:find("Retry%-After: %a%a%a, .- GMT\r"))
    assert.is_nil(fault("status/429").head:find("Retry%-After"))
  end)

  it("fails the first requests with a key, then succeeds", function()
    assert.equal(56, fault("first/2/k1/reset").exit)
    assert.equal(503, fault("first/2/k1/status/503").status)
    assert.equal('{"attempt":3}', fault("first/2/k1/reset").body)
    assert.equal(56, fault("first/1/k2/reset").exit)
  end)

  it("refuses the first token that it sees, and no other", function()
    assert.equal(401, fault("refused_token/k", "-H", "Authorization: Bearer one").status)
    assert.equal(200, fault("refused_token/k", "-H", "Authorization: Bearer two").status)
    assert.equal(401, fault("refused_token/k", "-H", "Authorization: Bearer one").status)
  end)

  it("tells of its limits and keeps them", function()
    local first, second = fault("quota/1/60/k"), fault("quota/1/60/k")
    assert.same({ 200, 429 }, { first.status, second.status })
    assert.is_truthy(first.head:find("RateLimit%-Remaining: 0\r"))
    assert.is_truthy(second.head:find("Retry%-After: %d+\r"))
  end)

  it("closes a connection that is used again, and counts both requests", function()
    curl(sandbox.fault_url .. "/control/reset", "-X", "POST")
    local url = sandbox.fault_url .. "/x/fault/close_reused"
    -- curl itself tries once more on a new connection.
    shell("env -u LD_PRELOAD curl -s -o /dev/null -o /dev/null " .. url .. " " .. url)
    local counters = cjson.decode(curl(sandbox.fault_url .. "/control/counters").body)
    assert.same({ 3, 2 }, { counters.data_requests, counters.connections })
  end)

  it("misbehaves as a token endpoint", function()
    local function ask(name)
      return curl(sandbox.fault_url .. "/token/" .. name .. "/connect/token",
        "-d", "grant_type=client_credentials", "-d", "client_id=" .. sandbox.options.client_id,
        "-d", "client_secret=" .. sandbox.options.client_secret)
    end
    for name, expected in pairs {
      ok = '"expires_in":3600,', quoted = '"expires_in":"3600",', zero = '"expires_in":0,',
      huge = '"expires_in":1e300,', ["expires/1.5"] = '"expires_in":1.5,',
      unknown = '"access_token":"eyJhbGciOiJub25lIn0.e30.unknown"', html = "<html>",
      not_json = "access_token=abc", wrong_url = '"error":{"code"',
      ["refuse/invalid_scope"] = '{"error":"invalid_scope"}',
    } do
      assert.is_truthy(ask(name).body:find(expected, 1, true), name)
    end
    assert.is_nil(ask("absent").body:find("expires_in", 1, true))
    assert.same({ 405, 429, 56 }, { ask("wrong_url").status, ask("status/429/1").status,
      ask("reset").exit })
    assert.equal(500, ask("first/1/k/status/500").status)
    assert.equal(200, ask("first/1/k/status/500").status)
  end)

  it("serves the tenant on the side, where its tokens are valid, too", function()
    local reply = curl(sandbox.fault_url .. "/acme/DefaultTenant/orchestrator_/odata/Machines")
    assert.equal(401, reply.status)
  end)
end)

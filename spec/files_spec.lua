-- client:download and client:upload: what they ask for, and where the bytes go. What can break is in files_faults_spec.lua.

local assert = require "luassert"
local files = require "spec.support.files"
local nginx = require "spec.support.nginx"
local storage = require "spec.support.storage"
local tenant = require "spec.support.tenant"
local uipath = require "uipath"

local host, client, folder

setup(function() host = storage.start() end)
teardown(function() host.stop() end)

before_each(function()
  client = uipath.connect(host.options())
  folder = tenant.shell("mktemp -d /tmp/uipath-files.XXXXXXXX"):gsub("\n$", "")
end)
after_each(function() tenant.shell("chmod -R u+w " .. folder .. "; rm -rf " .. folder) end)

local read, write = files.read, files.write
local function names() return files.names(folder) end

local function mode(path) return (tenant.shell("stat -c %a " .. path):gsub("\n", "")) end

local new_key = tenant.new_key

describe("a download", function()
  it("of a path goes into the file, byte by byte", function()
    local key = new_key()
    local path = folder .. "/a"
    local bytes, response = client:download(("json/%s?text=x"):format(key), path)
    assert.equal(1, bytes)
    assert.equal(200, response.status)
    assert.equal("x", read(path))
    assert.same({ "a" }, names())
  end)

  it("of an access object, of a path's answer, of one in camel case", function()
    local expected = storage.content(300000)
    local object = host.object(new_key(), { size = 300000 })
    local camel = { uri = object.Uri, verb = "GET", headers = uipath.null }
    for i, source in ipairs { object, host.path(new_key(), { size = 300000 }), camel } do
      local path = folder .. "/" .. i
      local bytes, response = assert(client:download(source, path))
      assert.equal(300000, bytes)
      assert.equal(200, response.status)
      assert.is_true(read(path) == expected)
    end
    assert.same({ "1", "2", "3" }, names())
  end)

  it("asks for it as it is stored, and does not unpack it", function()
    local key = new_key()
    assert(client:download(host.object(key, { size = 5000, encoding = "gzip" }), folder .. "/a"))
    assert.is_true(read(folder .. "/a") == storage.content(5000))
    assert.equal("identity", host.log(key)[1].headers["accept-encoding"])
  end)

  it("of nothing is an empty file", function()
    for _, source in ipairs { host.object(new_key(), { size = 0 }), "json/" .. new_key() .. "?text=" } do
      write(folder .. "/a", "before")
      assert.equal(0, (assert(client:download(source, folder .. "/a"))))
      assert.equal("", read(folder .. "/a"))
    end
  end)

  it("of JSON that is no access object is the JSON as it came, short or long", function()
    local text = '{ "Uri" : 5,\n "Name":"x" }'
    for _, each in ipairs { text, "[" .. ("1, "):rep(3000) .. "2]", '"' .. text:gsub('"', "'") .. '"', "{" } do
      local escaped = each:gsub("[^%w]", function(byte) return ("%%%02X"):format(byte:byte()) end)
      assert.equal(#each, (assert(client:download(("json/%s?text=%s"):format(new_key(), escaped), folder .. "/a"))))
      assert.equal(each, read(folder .. "/a"))
    end
    -- Longer than anything that is looked at.
    assert(client:download(host.path(new_key(), { size = 200000, type = "application/json" }), folder .. "/b"))
    assert.is_true(read(folder .. "/b") == storage.content(200000))
  end)

  it("leaves what was there before where the answer is an error", function()
    write(folder .. "/a", "before")
    for status, kind in pairs { [404] = "not_found", [409] = "conflict", [403] = "forbidden", [400] = "request" } do
      local bytes, err = client:download(host.object(new_key(), { size = 5, statuses = tostring(status) }), folder .. "/a")
      assert.is_nil(bytes)
      assert.equal(kind, err.kind)
      assert.equal(status, err.status)
      assert.is_truthy(err.message:find("Not now", 1, true))
      assert.equal(status == 403 and "AuthenticationFailed" or "ServerBusy", err.code)
      assert.matches("^spec/files_spec.lua:%d+: GET …/blob/", tostring(err))
    end
    assert.equal("before", read(folder .. "/a"))
    assert.same({ "a" }, names())
  end)

  it("of a page of HTML is an error, but for one that is a file", function()
    local bytes, err = client:download("json/" .. new_key() .. "?text=%3Chtml%3Esign%20in&type=text%2Fhtml", folder .. "/a")
    assert.is_nil(bytes)
    assert.equal("decode", err.kind)
    assert.matches("sign%-in", err.hint)
    assert.same({}, names())
    assert.equal(10, (assert(client:download(host.object(new_key(), { size = 10, type = "text/html" }), folder .. "/a"))))
    -- Some gateways call everything HTML.
    assert.equal(1, (assert(client:download("json/" .. new_key() .. "?text=5&type=text%2Fhtml", folder .. "/a"))))
    assert.equal("5", read(folder .. "/a"))
  end)

  it("tells of its progress, and at last of all of it", function()
    local told = {}
    local function on_progress(done, total) told[#told + 1] = { done, total } end
    assert(client:download(host.path(new_key(), { size = 100000 }), folder .. "/a", { on_progress = on_progress }))
    assert.same({ 100000, 100000 }, told[#told])
    told = {}
    assert(client:download(host.object(new_key(), { size = 100000, chunked = "yes" }), folder .. "/a", { on_progress = on_progress }))
    assert.same({ 100000 }, told[#told])
    told = {}
    assert(client:download("json/" .. new_key() .. "?text=7", folder .. "/a", { on_progress = on_progress }))
    assert.same({ { 1, 1 } }, told)
  end)

  it("is one of many in uipath.map, and beside other calls", function()
    local results, errors = uipath.map({ 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12 }, function(item)
      return client:download(host.path(new_key(), { size = item * 1000 }), folder .. "/" .. item, { on_progress = function() end })
    end)
    assert.is_nil(errors)
    for item = 1, 12 do
      assert.equal(item * 1000, results[item])
      assert.is_true(read(folder .. "/" .. item) == storage.content(item * 1000))
    end
    assert.equal(12, #names())
  end)

  it("works for clients with functions", function()
    local events = {}
    local other = client:with { on_event = function(event) events[#events + 1] = event end, access_token = function() return "abc" end }
    local told
    assert(other:download(host.path(new_key(), { size = 1000 }), folder .. "/a", { on_progress = function(done) told = done end }))
    assert.equal(1000, told)
    assert.equal(2, #events)
    for _, event in ipairs(events) do
      assert.equal("attempt", event.type)
      assert.is_nil(event.done)
    end
  end)
end)

describe("the file", function()
  it("has the mode of the one that it replaces, else by umask", function()
    write(folder .. "/a", "before")
    tenant.shell("chmod 640 " .. folder .. "/a")
    assert(client:download(host.object(new_key(), { size = 10 }), folder .. "/a"))
    assert.equal("640", mode(folder .. "/a"))
    local output, status = tenant.run(host.options(), ([[
      assert(client:download(%q, %q))
    ]]):format("json/" .. new_key() .. "?text=1", folder .. "/b"))
    assert.same({ "", 0 }, { output, status })
    local mask = tonumber(tenant.shell "umask", 8)
    assert.equal(("%o"):format(438 - mask % 64), mode(folder .. "/b")) -- 0666 without what is masked of group and others
  end)

  it("is what a symbolic link leads to, over several, and where there is nothing yet", function()
    tenant.shell(("cd %s && mkdir d && echo before >d/file && ln -s d/file one && ln -s %s/one two && ln -s d/new three")
      :format(folder, folder))
    assert(client:download(host.object(new_key(), { size = 10 }), folder .. "/two"))
    assert.is_true(read(folder .. "/d/file") == storage.content(10))
    assert(client:download(host.object(new_key(), { size = 20 }), folder .. "/three"))
    assert.is_true(read(folder .. "/d/new") == storage.content(20))
    assert.equal("one: symbolic link to d/file\n", tenant.shell(("cd %s && echo one: symbolic link to $(readlink one)"):format(folder)))
    assert.same({ "d", "one", "three", "two" }, names())
  end)

  it("cannot be a folder, in none, in none that may be written, or a loop of links: told before anything is sent", function()
    tenant.shell(("ln -s loop %s/loop; touch %s/file"):format(folder, folder))
    for _, path in ipairs { folder, folder .. "/", folder .. "/none/a", folder .. "/file/a", "/proc/a", folder .. "/loop" } do
      local key = new_key()
      local bytes, err = client:download(host.object(key, { size = 10 }), path)
      assert.is_nil(bytes)
      assert.equal("file", err.kind)
      assert.is_truthy(err.message:find("cannot write " .. path .. ": ", 1, true), err.message)
      assert.same({}, host.log(key))
    end
    assert.same({ "file", "loop" }, names())
  end)

  it("is written straight where it is no regular one", function()
    local output = tenant.run(host.options(), ([[
      io.write "before "
      io.flush()
      assert(client:download(%q, "/dev/stdout"))
      io.write " after"
    ]]):format("json/" .. new_key() .. "?text=5"))
    assert.equal("before 5 after", output)
    local command = tenant.command(host.options(), ([[
      io.write "before "
      io.flush()
      assert(client:download(%q, "/dev/stdout"))
      io.write " after"
    ]]):format("json/" .. new_key() .. "?text=5"))
    assert.equal("", tenant.shell(("%s >%s/out"):format(command, folder)))
    assert.equal("before 5 after", read(folder .. "/out"))
    local bytes, err = client:download(host.object(new_key(), { size = 10 }), "/dev/full")
    assert.is_nil(bytes)
    assert.equal("file", err.kind)
    assert.matches("No space left", err.message)
    assert.equal(10, (assert(client:download(host.object(new_key(), { size = 10 }), "/dev/null"))))
    assert.equal("character special file\n", tenant.shell "stat -c %F /dev/null")
  end)

  it("may be anywhere from the current folder on", function()
    local output, status = tenant.run(host.options(), ([[
      assert(client:download(%q, "uipath-files-spec.tmp"))
      print(io.open("uipath-files-spec.tmp"):read "*a", os.remove "uipath-files-spec.tmp")
    ]]):format("json/" .. new_key() .. "?text=5"))
    assert.same({ "5\ttrue\n", 0 }, { output, status })
  end)
end)

describe("an access object", function()
  it("is called with its own verb and all of its headers, and nothing of ours", function()
    local key = new_key()
    local shared = client:folder "Shared"
    assert(shared:download(host.path(key, { size = 10 }, { headers = "x-ms-blob-type:BlockBlob;Accept:text/x;x-empty:;Content-Length:7" }),
      folder .. "/a", { headers = { ["X-Mine"] = "1" } }))
    local asked, called = host.log(key .. "-access")[1], host.log(key)[1]
    assert.equal("Bearer t0ken-of-the-tenant", asked.headers.authorization)
    assert.equal("1", asked.headers["x-mine"])
    assert.equal("Shared", asked.headers["x-uipath-folderpath"])
    assert.same({ "GET", "BlockBlob", "text/x", "" },
      { called.method, called.headers["x-ms-blob-type"], called.headers.accept, called.headers["x-empty"] })
    for name in pairs(called.headers) do
      assert.is_nil(name:find("uipath", 1, true), name)
      assert.is_true(name ~= "authorization" and name ~= "x-mine" and name ~= "content-length", name)
    end
  end)

  it("gets our token only where it says RequiresAuth and lies on our own host", function()
    local key = new_key()
    assert(client:download(host.path(key, { size = 10 }, { auth = "yes" }), folder .. "/a"))
    assert.is_nil(host.log(key)[1].headers.authorization)
    key = new_key()
    assert(client:download(host.object(key, { size = 10 }, { RequiresAuth = true }), folder .. "/a"))
    assert.is_nil(host.log(key)[1].headers.authorization)
    key = new_key()
    local own = host.object(key, { size = 10 }, { RequiresAuth = true })
    own.Uri = own.Uri:gsub("localhost", "127.0.0.1")
    assert(client:download(own, folder .. "/a"))
    assert.equal("Bearer t0ken-of-the-tenant", host.log(key)[1].headers.authorization)
    key = new_key()
    own = host.object(key, { size = 10 })
    own.Uri = own.Uri:gsub("localhost", "127.0.0.1")
    assert(client:download(own, folder .. "/a"))
    assert.is_nil(host.log(key)[1].headers.authorization)
  end)

  it("has an Authorization of its own at will, but never beside ours", function()
    local key = new_key()
    local headers = { Keys = { "Authorization" }, Values = { "SharedKey abc" } }
    assert(client:download(host.object(key, { size = 10 }, { Headers = headers, RequiresAuth = true }), folder .. "/a"))
    assert.equal("SharedKey abc", host.log(key)[1].headers.authorization)
    key = new_key()
    local own = host.object(key, { size = 10 }, { Headers = headers, RequiresAuth = true })
    own.Uri = own.Uri:gsub("localhost", "127.0.0.1")
    assert(client:download(own, folder .. "/a"))
    assert.equal("Bearer t0ken-of-the-tenant", host.log(key)[1].headers.authorization)
  end)

  it("is redirected nowhere", function()
    local key = new_key()
    local bytes, err = client:download(host.object(key, { size = 10, statuses = "302" }), folder .. "/a")
    assert.is_nil(bytes)
    assert.equal("redirect", err.kind)
    assert.same({}, host.log(key .. "-elsewhere"))
    assert.same({}, names())
  end)

  it("shows its query nowhere", function()
    local secret = "s1gnature-of-the-address-"
    local shown = {}
    local other = client:with { on_event = function(event) shown[#shown + 1] = event end, max_attempts = 2 }
    local function show(value, response)
      shown[#shown + 1] = { value, response, tostring(response) }
    end
    show(assert(other:download(host.path(new_key(), { size = 10 }), folder .. "/a")))
    for _, faults in ipairs { { statuses = "404" }, { statuses = "403 403" }, { statuses = "503 200" }, { cuts = "5,5,5,5,5,5" },
      { statuses = "302" }, { type = "text/html" } } do
      faults.size = 10
      show(other:download(host.path(new_key(), faults), folder .. "/a"))
      faults.size = nil
      show(other:upload(host.path(new_key(), faults, { verb = "PUT" }), "x"))
    end
    show(other:download({ Uri = "http://localhost:1/x?sig=" .. secret, Verb = "GET" }, folder .. "/a"))
    show(other:download({ Uri = "http://example.com/x?sig=" .. secret, Verb = "GET" }, folder .. "/a"))
    show(other:download({ Uri = "ftp://example.com/x?sig=" .. secret, Verb = "GET" }, folder .. "/a"))
    local count = 0
    local function walk(value)
      if type(value) == "table" then
        for key, each in pairs(value) do walk(key) walk(each) end
      elseif type(value) == "string" then
        count = count + 1
        assert.is_nil(value:find(secret, 1, true), value)
      end
    end
    walk(shown)
    assert.is_true(count > 200, count)
  end)

  it("that has expired is asked for anew, once, where its path is known", function()
    local key = new_key()
    assert(client:download(host.path(key, { size = 10, statuses = "403 200" }), folder .. "/a"))
    assert.equal(2, #host.log(key .. "-access"))
    assert.is_true(read(folder .. "/a") == storage.content(10))
    key = new_key()
    local bytes, err = client:download(host.path(key, { size = 10, statuses = "403 403 403 403" }), folder .. "/b")
    assert.is_nil(bytes)
    assert.equal("forbidden", err.kind)
    assert.matches("expired", err.hint)
    assert.same({ 2, 2 }, { #host.log(key), #host.log(key .. "-access") })
    key = new_key()
    bytes, err = client:download(host.object(key, { size = 10, statuses = "403 200" }), folder .. "/b")
    assert.is_nil(bytes)
    assert.equal("forbidden", err.kind)
    assert.equal(1, #host.log(key))
    key = new_key()
    assert(client:upload(host.path(key, { statuses = "403 200" }, { verb = "PUT" }), "hello"))
    assert.equal(2, #host.log(key .. "-access"))
    assert.equal(5, host.log(key)[2].length)
  end)

  it("whose host cannot be reached is told so, and not that base_url is wrong", function()
    for _, url in ipairs { "http://localhost:1/a", "https://no-such-host.invalid/a" } do
      local bytes, err = client:download({ Uri = url }, folder .. "/a", { max_attempts = 1 })
      assert.is_nil(bytes)
      assert.equal("network", err.kind)
      assert.matches("storage's host", err.hint)
    end
  end)

  it("over plain http beyond the loopback, or for the other direction, or that is broken, is a usage error", function()
    local object = host.object(new_key(), { size = 10 })
    local rows = {
      { { Uri = "http://example.com/a?x" }, "https://" }, { { Uri = "file:///etc/passwd" }, "address" },
      { { Uri = "https://u:p@example.com/" }, "address" },
      { { Uri = object.Uri .. "#a" }, "#" }, { { Uri = object.Uri .. "\r\nX: y" }, "control" }, { { Verb = "PUT" }, "Verb" },
      { { Verb = "TRACE" }, "Verb" }, { { Headers = { Keys = { "A\r\nB" }, Values = { "c" } } }, "Headers" },
      { { Headers = { Keys = { "A" }, Values = { "b\nC: d" } } }, "Headers" }, { { Headers = "x" }, "Headers" },
      { { Headers = { Keys = { "A" }, Values = {} } }, "Headers" },
    }
    for _, row in ipairs(rows) do
      local changed = {}
      for name, value in pairs(object) do changed[name] = row[1][name] or value end
      local bytes, err = client:download(changed, folder .. "/a")
      assert.is_nil(bytes)
      assert.equal("usage", err.kind)
      assert.is_truthy(err.message:find(row[2], 1, true), err.message)
    end
    assert.equal("usage", select(2, client:upload(object, "x")).kind)
    assert.same({}, names())
  end)
end)

describe("an upload", function()
  local text = ("0123456789"):rep(5000)

  it("of a file or string goes to an access object, with its length", function()
    write(folder .. "/a", text)
    for _, body in ipairs { text, uipath.file(folder .. "/a"), "" } do
      for _, make in ipairs { host.object, host.path } do
        local key = new_key()
        local target = make == host.object and host.object(key, {}, { Verb = "PUT" }) or host.path(key, {}, { verb = "PUT" })
        local done, response = client:upload(target, body)
        assert.is_true(done, tostring(response))
        assert.equal(201, response.status)
        local size = body == "" and 0 or #text
        local got = host.log(key)[1]
        assert.same({ "PUT", size, tostring(size) }, { got.method, got.length, got.headers["content-length"] })
        assert.is_nil(got.headers.authorization)
        assert.is_nil(got.headers["transfer-encoding"])
        assert.equal("application/octet-stream", got.headers["content-type"])
        if body ~= "" then assert.equal((tenant.shell("md5sum <" .. folder .. "/a"):match "^%x+"), got.md5) end
      end
    end
  end)

  it("has the type that the object, the path's query, the headers or the file says, in this order", function()
    write(folder .. "/a", text)
    local file = uipath.file(folder .. "/a", { content_type = "text/file" })
    local function type_of(query, headers, object, body)
      local key = new_key()
      local access = { verb = "PUT", headers = object }
      local path = host.path(key, {}, access) .. (query or "")
      assert(client:upload(path, body or file, headers and { headers = { ["content-TYPE"] = headers } }))
      return host.log(key)[1].headers["content-type"]
    end
    assert.equal("text/file", type_of())
    assert.equal("text/own", type_of(nil, "text/own"))
    assert.equal("text/query", type_of("&contentType=text%2Fquery", "text/own"))
    assert.equal("text/object", type_of("&contentType=text%2Fquery", "text/own", "Content-Type:text/object"))
    assert.equal("text/own", type_of(nil, "text/own", nil, "x"))
    local key = new_key()
    assert(client:upload(host.object(key, {}, { Verb = "PUT" }), "x", { headers = { ["Content-Type"] = "text/own", ["X-Mine"] = "1" } }))
    assert.same({ "text/own", "1" }, { host.log(key)[1].headers["content-type"], host.log(key)[1].headers["x-mine"] })
  end)

  it("goes to a path that takes the bytes itself, with our token", function()
    write(folder .. "/a", text)
    for _, method in ipairs { "PUT", "post" } do
      local key = new_key()
      local done, response = client:upload("take/" .. key, uipath.file(folder .. "/a"), { method = method })
      assert.is_true(done, tostring(response))
      local got = host.log(key)[1]
      assert.same({ method:upper(), #text, "Bearer t0ken-of-the-tenant", "application/octet-stream" },
        { got.method, got.length, got.headers.authorization, got.headers["content-type"] })
    end
  end)

  it("to a path whose answer is no access object is a usage error that names method", function()
    local done, err = client:upload("json/" .. new_key() .. "?text=5", "x")
    assert.is_nil(done)
    assert.equal("usage", err.kind)
    assert.matches("options.method", err.message)
  end)

  it("tells of its progress", function()
    local told
    local function on_progress(done, total) told = { done, total } end
    write(folder .. "/a", text)
    assert(client:upload(host.object(new_key(), {}, { Verb = "PUT" }), uipath.file(folder .. "/a"), { on_progress = on_progress }))
    assert.same({ #text, #text }, told)
    assert(client:upload(host.object(new_key(), {}, { Verb = "PUT" }), "abc", { on_progress = on_progress }))
    assert.same({ 3, 3 }, told)
  end)

  it("by PUT is repeated after a 500, too, one by POST is not", function()
    local key = new_key()
    local _, response = assert(client:upload(host.object(key, { statuses = "500 503 200" }, { Verb = "PUT" }), "abc"))
    assert.equal(3, response.attempts)
    for status in pairs { [500] = true, [503] = true } do
      key = new_key()
      local done, err = client:upload(host.object(key, { statuses = status .. " 200" }, { Verb = "POST" }), "abc")
      assert.is_nil(done)
      assert.equal("server", err.kind)
      assert.equal(1, #host.log(key))
    end
  end)

  it("of what is no regular file, or not there, is a file error, before anything is sent", function()
    tenant.shell("mkfifo " .. folder .. "/pipe")
    for _, path in ipairs { folder, folder .. "/none", folder .. "/pipe", "/dev/zero" } do
      local key = new_key()
      local done, err = client:upload(host.path(key, {}, { verb = "PUT" }), uipath.file(path))
      assert.is_nil(done)
      assert.equal("file", err.kind)
      assert.is_truthy(err.message:find("cannot read " .. path .. ": ", 1, true), err.message)
      assert.same({}, host.log(key .. "-access"))
    end
  end)
end)

describe("mistakes raise, with the caller's position:", function()
  local rows = {
    { "download", { "a", "b", { on_progres = print } }, "unknown option 'on_progres' (did you mean 'on_progress'?)" },
    { "download", { "a", "b", { on_progress = 5 } }, "on_progress must be a function" },
    { "download", { "a", "b", { total_timeout = 0 } }, "total_timeout must be" },
    { "download", { "a", "b", { timeout = -1 } }, "timeout" },
    { "download", { "a", "b", { method = "PUT" } }, "method is for uploads" },
    { "download", { "a", "b", { body = "x" } }, "unknown option 'body'" },
    { "download", { "a", "b", 5 }, "options must be a table" },
    { "download", { "a", "" }, "must not be empty" },
    { "download", { "a" }, "the file must be a path, got nil" },
    { "download", { "a", "b\0c" }, "NUL" },
    { "download", { 5, "b" }, "the source must be a path or an access object, got number" },
    { "download", { {}, "b" }, "must have a Uri" },
    { "download", { { Uri = "https://a/" }, "b", { filter = "x" } }, "'filter' is for a path" },
    { "download", { { Uri = "https://a/" }, "b", { headers = { Authorization = "x" } } }, "set by the client itself" },
    { "download", { "a", "b", { headers = { ["RANGE"] = "bytes=0-" } } }, "the download's own" },
    { "download", { "a#b", "b" }, "#" },
    { "upload", { "a", { 1 } }, "the body must be a string or a uipath.file, got table" },
    { "upload", { "a" }, "the body must be a string or a uipath.file, got nil" },
    { "upload", { "a", "x", { method = "GET" } }, "method must be" },
    { "upload", { { Uri = "https://a/" }, "x", { method = "PUT" } }, "method is for a path" },
    { "upload", { nil, "x" }, "the target must be" },
  }
  for _, row in ipairs(rows) do
    it(row[3], function()
      local ok, message = pcall(function() return client[row[1]](client, (table.unpack or unpack)(row[2], 1, 3)) end) -- luacheck: ignore
      assert.is_false(ok)
      assert.is_truthy(tostring(message):find(row[3], 1, true), message)
      assert.matches("^spec/files_spec.lua:%d+: ", tostring(message))
    end)
  end
end)

describe("a foreign URL", function()
  it("as a path is refused as ever: no token goes there", function()
    local bytes, err = client:download("https://example.com/a", folder .. "/a")
    assert.is_nil(bytes)
    assert.equal("usage", err.kind)
  end)
end)

describe("inside nginx", function()
  assert(os.execute("env -u LUA_PATH -u LUA_CPATH make -s LUA=luajit SANITIZE= module"), "the build for LuaJIT failed")

  it("downloads and uploads let the worker serve others, and end with their requests", function()
    tenant.shell("chmod 777 " .. folder)
    local key = new_key()
    local server = nginx.start {
      init_worker = ([[
        uipath = require "uipath"
        client = uipath.connect { organization = "acme", tenant = "T", base_url = %q, access_token = "abc" }
      ]]):format(host.base_url),
      server = ([[
        location /download { content_by_lua_block {
          local told
          local bytes, err = client:download(%q, %q .. "/" .. ngx.var.arg_n, { on_progress = function(done) told = done end })
          ngx.say(bytes or tostring(err), " ", told)
        } }
        location /upload { content_by_lua_block {
          ngx.say(tostring(client:upload({ Uri = %q, Verb = "PUT" }, uipath.file(%q .. "/1"))))
        } }
        location /stalled { content_by_lua_block {
          client:download({ Uri = %q }, %q .. "/stalled")
        } }
      ]]):format(host.path(key, { size = 100000, pause = 0.5 }), folder, host.blob(new_key(), {}), folder,
        host.blob(new_key(), { size = 1000, cuts = "500", stalls = "yes" }), folder),
    }
    finally(function() server:stop() end)
    local seconds = tenant.timed(function() assert.same({ [200] = 30 }, server:get_many("/download", 30)) end)
    assert.is_true(seconds < 15, seconds) -- one after the other they would take that
    assert.equal(30, #names())
    for n = 1, 30 do assert.is_true(read(folder .. "/" .. n) == storage.content(100000)) end
    local status, body = server:get("/download?n=a")
    assert.same({ 200, "100000 100000\n" }, { status, body })
    assert.same({ 200, "true\n" }, { server:get "/upload" })
    -- One that is given up by its own client leaves nothing.
    tenant.shell(("curl -s -m 0.3 %s/stalled"):format(server.url))
    assert.same({ 200, "pong" }, { server:get "/ping" })
    assert.equal(31, #names())
    assert.is_nil(server:log():find("[error]", 1, true), server:log())
  end)
end)

-- client:download and client:upload where connections break, files change and disks are full.

local assert = require "luassert"
local files = require "spec.support.files"
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
after_each(function() tenant.shell("rm -rf " .. folder) end)

local read, write = files.read, files.write
local function names() return files.names(folder) end

local new_key = tenant.new_key

-- So many places below size, in order.
local function random_places(count, size)
  local places = {}
  for i = 1, count do places[i] = math.random(1, size - 1) end
  table.sort(places)
  return table.concat(places, ",")
end

-- How many bytes the storage has sent for a key.
local function sent(key)
  local total = 0
  for _, request in ipairs(host.log(key)) do total = total + (request.sent or 0) end
  return total
end

-- The faults that every call may meet, and what a download into a file or an upload to a path makes of them.
describe("of what a call may meet", function()
  local sandbox, faulty

  setup(function()
    sandbox = assert(require("uipath.sandbox").start())
    faulty = uipath.connect(tenant.fault_options(sandbox))
  end)
  teardown(function() sandbox:stop() end)

  -- fault, kind of the error; of an upload, where that is another (false: none)
  local rows = {
    { "reset", "network" }, { "reset_in_headers", "network" }, { "reset_in_body", "network" }, { "close", "network" },
    { "close_in_headers", "network" }, { "truncated", "network" }, { "truncated_chunked", "network" }, { "bad_length", "network" },
    { "bad_chunk", "network" }, { "not_http", "network" }, { "html", "decode" }, { "endless_headers", "too_large" },
    { "status/400", "request" }, { "status/401", "auth" }, { "status/403", "forbidden" }, { "status/404", "not_found" },
    { "status/408", "timeout" }, { "status/409", "conflict" }, { "status/429", "rate_limit" }, { "status/500", "server" },
    { "status/503", "server" }, { "gateway/502", "server" }, { "redirect/302/other", "redirect" }, { "redirect/302/nowhere", "redirect" },
    { "redirect/302/loop", "redirect" }, { "error/storage", "forbidden" }, { "stall", "timeout" }, { "stall_in_headers", "timeout" },
    { "stall_in_body", "timeout" },
  }
  for _, row in ipairs(rows) do
    it(row[1] .. " gives " .. row[2], function()
      write(folder .. "/a", "before")
      local bytes, err = faulty:download("fault/" .. row[1], folder .. "/a", { timeout = row[2] == "timeout" and 0.3 or nil })
      assert.is_nil(bytes)
      assert.equal(row[2], err.kind)
      assert.same({ "a" }, names())
      assert.equal("before", read(folder .. "/a"))
      local done, response = faulty:upload("fault/" .. row[1], uipath.file(folder .. "/a"),
        { method = "PUT", timeout = row[2] == "timeout" and 0.3 or nil })
      assert.is_nil(done)
      assert.equal(row[2], response.kind)
    end)
  end

  it("a failure that is told once is tried again", function()
    for _, fault in ipairs { "status/503/0", "status/429/0", "reset", "truncated", "status/500" } do
      local path = "fault/first/1/" .. new_key() .. "/" .. fault
      assert(faulty:download(path, folder .. "/a", { max_attempts = 2 }))
      assert.equal('{"attempt":2}', read(folder .. "/a"))
    end
  end)
end)

describe("a download that breaks", function()
  local SIZE = 500000

  it("at twenty places goes on where it broke, by an ETag and by a date", function()
    local keys = { new_key(), new_key() }
    local validators = { { etag = "strong" }, { modified = "long ago" } }
    uipath.map(keys, function(key, i)
      local arguments = { size = SIZE, cuts = random_places(20, SIZE) }
      for each, value in pairs(validators[i]) do arguments[each] = value end
      local bytes, response = client:download(host.path(key, arguments), folder .. "/" .. i)
      assert.equal(SIZE, bytes, tostring(response))
      assert.is_true(read(folder .. "/" .. i) == storage.content(SIZE))
      assert.equal(SIZE, sent(key))
      assert.equal(21, #host.log(key))
    end)
    assert.same({ "1", "2" }, names())
  end)

  it("before the first byte, and in the middle of nothing, is no other", function()
    local key = new_key()
    local object = host.object(key, { size = 1000, etag = "strong", cuts = "0,500,500" })
    assert.equal(1000, (assert(client:download(object, folder .. "/a"))))
    assert.is_true(read(folder .. "/a") == storage.content(1000))
    assert.equal(1000, sent(key))
    assert.equal(4, #host.log(key))
  end)

  it("without a word that it was whole is whole where the storage has no more", function()
    local key = new_key()
    assert(client:download(host.object(key, { size = SIZE, etag = "strong", chunked = "yes", unended = "1" }), folder .. "/a"))
    assert.is_true(read(folder .. "/a") == storage.content(SIZE))
    assert.equal(SIZE, sent(key))
  end)

  -- What is asked for after the first break, and what comes then.
  local rows = {
    { "where the storage has no ranges", { etag = "strong", ranges = "no" }, 1 },
    { "where nothing tells the file from another", {}, 1, no_range = true },
    { "where the ETag is a weak one", { etag = "weak", modified = "long ago" }, 1, no_range = true },
    { "where the file has changed in the same second", { modified = "now" }, 1, no_range = true },
    { "where the file has changed", { etag = "strong", changes = "2" }, 2 },
    { "where the file has changed, by its date", { modified = "long ago", changes = "2" }, 2 },
    { "where it has changed, and no If-Range is heeded", { etag = "strong", changes = "2", lies = "yes" }, 2, thrown = true },
    { "the same, by its date", { modified = "long ago", changes = "2", lies = "yes" }, 2, thrown = true },
    { "where the storage sends another part", { etag = "strong", ranges = "early" }, 1, thrown = true },
    { "where the storage does not say which part", { etag = "strong", ranges = "silent" }, 1, thrown = true },
    { "where the file is shorter by now", { etag = "strong", changes = "2", lies = "yes", sizes = "500000,900" }, 2,
      thrown = true, size = 900 },
  }
  for _, row in ipairs(rows) do
    it("begins anew " .. row[1], function()
      local key = new_key()
      local arguments = { size = SIZE, cuts = "100000" }
      for name, value in pairs(row[2]) do arguments[name] = value end
      local told = {}
      write(folder .. "/a", "before")
      local function on_progress(done) told[#told + 1] = done end
      local bytes, response = client:download(host.path(key, arguments), folder .. "/a", { on_progress = on_progress })
      assert.equal(row.size or SIZE, bytes, tostring(response))
      assert.is_true(read(folder .. "/a") == storage.content(row.size or SIZE, row[3]))
      assert.same({ "a" }, names())
      local log = host.log(key)
      assert.equal(row.thrown and 3 or 2, #log)
      assert.equal(not row.no_range and "bytes=100000-" or nil, log[2].headers.range)
      if row.thrown then assert.is_nil(log[3].headers.range) end
      -- It falls back.
      local fell = false
      for i = 2, #told do fell = fell or told[i] < told[i - 1] end
      assert.is_true(fell, table.concat(told, " "))
      assert.equal(row.size or SIZE, told[#told])
    end)
  end

  it("goes on with a fresh address where the old one has expired in the middle", function()
    local key = new_key()
    assert(client:download(host.path(key, { size = SIZE, etag = "strong", cuts = "1000,300000", uses = 2 }), folder .. "/a"))
    assert.is_true(read(folder .. "/a") == storage.content(SIZE))
    assert.equal(SIZE, sent(key))
    assert.equal(2, #host.log(key .. "-access"))
  end)

  it("counts its attempts anew after bytes have come, but only then", function()
    local key = new_key()
    local bytes, err = client:download(host.object(key, { size = 1000, etag = "strong", cuts = "10,10,10,10,10,10" }), folder .. "/a",
      { max_attempts = 3 })
    assert.is_nil(bytes)
    assert.equal("network", err.kind)
    assert.equal(3, #host.log(key))
    -- One that never comes further than before has an end, too.
    key = new_key()
    bytes, err = client:download(host.object(key, { size = 1000, cuts = "500,400,300,200,100,50,20" }), folder .. "/a",
      { max_attempts = 3 })
    assert.is_nil(bytes)
    assert.equal("network", err.kind)
    assert.equal(3, #host.log(key))
    key = new_key()
    bytes = client:download(host.object(key, { size = 1000, etag = "strong", cuts = "500" }), folder .. "/a", { max_attempts = 1 })
    assert.is_nil(bytes)
    assert.same({}, names())
  end)

  it("into a pipe leaves nothing out and repeats nothing", function()
    local function download_to_pipe(arguments)
      local command = tenant.command(host.options(), ("print(client:download(%q, '/dev/stdout') or 'failed')")
        :format(host.path(new_key(), arguments)):gsub("print", "io.stderr:write"))
      local output = tenant.shell(("{ %s | md5sum; } 2>%s/err"):format(command, folder))
      return output:match "^%x+", read(folder .. "/err")
    end
    write(folder .. "/expected", storage.content(SIZE))
    local expected = tenant.shell("md5sum <" .. folder .. "/expected"):match "^%x+"
    assert.same({ expected, tostring(SIZE) }, { download_to_pipe { size = SIZE, etag = "strong", cuts = "1000,300000" } })
    assert.same({ expected, tostring(SIZE) }, { download_to_pipe { size = SIZE, etag = "strong", cuts = "1000,300000", ranges = "no" } })
    local _, told = download_to_pipe { size = SIZE, etag = "strong", cuts = "1000", changes = "2" }
    assert.equal("failed", told)
  end)
end)

describe("a slow reader of a pipe", function()
  it("holds up its own download alone, without end", function()
    local program = ([[
      uipath.all(function() io.stderr:write(tostring(client:download(%q, "/dev/stdout"))) end,
        function()
          for _ = 1, 20 do assert(client:get("json/x?text=1")) end
          io.stderr:write "others "
        end)
    ]]):format(host.path(new_key(), { size = 3000000 }))
    -- The reader begins when the other calls are over, and later than the timeout.
    local reader = ("{ until grep -q others %s/err; do sleep 0.02; done; sleep 0.7; cat >%s/got; }"):format(folder, folder)
    tenant.shell(("%s 2>%s/err | %s"):format(tenant.command(host.options { timeout = 0.5 }, program), folder, reader))
    assert.equal("others 3000000", read(folder .. "/err"))
    assert.is_true(read(folder .. "/got") == storage.content(3000000))
  end)

  it("does not hold up Ctrl-C", function()
    local program = ([[
      client:download(%q, %q, { on_progress = function() io.stderr:write "begun\n" end })
    ]]):format(host.path(new_key(), { size = 3000000 }), folder .. "/pipe")
    tenant.shell("mkfifo " .. folder .. "/pipe")
    -- It opens the pipe and never reads.
    local reader = io.popen(("exec 3<>%s/pipe; echo $$; exec sleep 100"):format(folder))
    local reader_pid = reader:read "*l"
    local pipe = io.popen("echo $$; exec " .. tenant.command(host.options(), program) .. " 2>&1")
    local pid = pipe:read "*l"
    assert.equal("begun", pipe:read "*l")
    os.execute("kill -INT " .. pid)
    local said = pipe:read "*a"
    os.execute("kill " .. reader_pid)
    pipe:close()
    reader:close()
    assert.matches("interrupted!", said)
  end)
end)

describe("time", function()
  it("is without progress, for as long as it takes", function()
    local began = tenant.now()
    local bytes, err = client:download(host.object(new_key(), { size = 1000, cuts = "500", stalls = "yes" }), folder .. "/a",
      { timeout = 0.3, max_attempts = 1 })
    assert.is_nil(bytes)
    assert.equal("timeout", err.kind)
    assert.matches("no progress within 0.3 s", err.message)
    assert.is_true(tenant.now() - began < 10)
    assert.same({}, names())
  end)

  it("goes on for one that moves", function()
    -- Each attempt, and each pause between two, takes some time; in all it is more than the timeout.
    local key = new_key()
    local seconds, bytes = tenant.timed(client.download, client,
      host.object(key, { size = 1000, etag = "strong", cuts = "100,200,300,400,500,600,700,800" }), folder .. "/a",
      { timeout = 1.5 * tenant.SLOWER })
    assert.equal(1000, bytes)
    assert.is_true(seconds > 1.5, seconds)
  end)

  it("in all is total_timeout", function()
    local bytes, err = client:download(host.object(new_key(), { size = 1000, cuts = "500", stalls = "yes" }), folder .. "/a",
      { total_timeout = 0.4 })
    assert.is_nil(bytes)
    assert.equal("timeout", err.kind)
    assert.matches("not done within 0.4 s", err.message)
    -- Of several requests, too.
    bytes, err = client:download(host.path(new_key(), { size = 1000, cuts = "500", stalls = "yes" }), folder .. "/a",
      { total_timeout = 0.6 })
    assert.is_nil(bytes)
    assert.matches("not done within 0.6 s", err.message)
    assert.same({}, names())
  end)
end)

describe("nothing half-written is left", function()
  local stalled = function() return host.object(new_key(), { size = 1000, cuts = "500", stalls = "yes" }) end

  it("where on_progress raises", function()
    write(folder .. "/a", "before")
    local ok, message = pcall(client.download, client, stalled(), folder .. "/a", { on_progress = function() error("enough", 0) end })
    assert.is_false(ok)
    assert.equal("enough", message)
    tenant.eventually(function() return #names() == 1 end)
    assert.equal("before", read(folder .. "/a"))
  end)

  it("where another of uipath.all fails", function()
    local _, err = uipath.all(function() return client:download(stalled(), folder .. "/a") end,
      function() return client:download(host.object(new_key(), { size = 5, statuses = "404" }), folder .. "/b") end)
    assert.equal("not_found", err.kind)
    tenant.eventually(function() return #names() == 0 end)
  end)

  for _, name in ipairs { "INT", "TERM", "KILL" } do
    it("by SIG" .. name, function()
      write(folder .. "/a", "before")
      local program = ([[
        client:download({ Uri = %q, Verb = "GET" }, %q, { on_progress = function(done) if done == 500 then print "half" end end })
      ]]):format(stalled().Uri, folder .. "/a")
      local pipe = io.popen("echo $$; exec " .. tenant.command(host.options(), program) .. " 2>&1")
      local pid = pipe:read "*l"
      assert.equal("half", pipe:read "*l")
      os.execute(("kill -%s %s"):format(name, pid))
      pipe:read "*a"
      pipe:close()
      assert.same({ "a" }, names())
      assert.equal("before", read(folder .. "/a"))
    end)
  end

  it("by os.exit", function()
    local output, status = tenant.run(host.options(), ([[
      client:download({ Uri = %q, Verb = "GET" }, %q, { on_progress = function(done) if done == 500 then os.exit(3) end end })
    ]]):format(stalled().Uri, folder .. "/a"))
    assert.same({ "", 3 }, { output, status })
    assert.same({}, names())
  end)

  it("where files may not become so large", function()
    write(folder .. "/a", "before")
    local command = tenant.command(host.options(), ("local _, err = client:download(%q, %q) print(err.kind, err.message)")
      :format(host.path(new_key(), { size = 500000 }), folder .. "/a"))
    local output = tenant.shell(("ulimit -f 100; %s"):format(command))
    assert.equal(("file\tcannot write %s: File too large\n"):format(folder .. "/a"), output)
    assert.same({ "a" }, names())
    assert.equal("before", read(folder .. "/a"))
  end)

  it("on a full disk", function()
    if tenant.shell(("mount -t tmpfs -o size=256k none %s && echo mounted"):format(folder)) ~= "mounted\n" then
      pending "only root can have a small disk"
      return
    end
    finally(function() tenant.shell("umount " .. folder) end)
    write(folder .. "/a", "before")
    local bytes, err = client:download(host.path(new_key(), { size = 500000 }), folder .. "/a")
    assert.is_nil(bytes)
    assert.equal("file", err.kind)
    assert.matches("No space left", err.message)
    assert.is_false(err.retryable)
    assert.same({ "a" }, names())
    assert.equal("before", read(folder .. "/a"))
    assert.equal(100000, (assert(client:download(host.path(new_key(), { size = 100000 }), folder .. "/a"))))
  end)
end)

describe("an upload", function()
  local text = ("0123456789"):rep(100000)

  it("whose connection breaks is sent again by PUT", function()
    write(folder .. "/a", text)
    local key = new_key()
    local _, err = client:upload(host.object(key, { reads = "1000" }, { Verb = "PUT" }), uipath.file(folder .. "/a"),
      { max_attempts = 2 })
    assert.equal("network", err.kind)
    assert.equal(2, #host.log(key))
    key = new_key()
    _, err = client:upload(host.object(key, { reads = "1000" }, { Verb = "POST" }), uipath.file(folder .. "/a"), { max_attempts = 2 })
    assert.equal("network", err.kind)
    assert.equal(1, #host.log(key))
  end)

  -- The file changes when the request has begun, at the first word of progress.
  for name, size in pairs { shorter = 1000, longer = 30000000 } do
    it("of a file that becomes " .. name .. " is a file error", function()
      write(folder .. "/a", ("x"):rep(20000000))
      local key, changed = new_key(), false
      local done, err = client:upload(host.object(key, { slow = "yes" }, { Verb = "PUT" }), uipath.file(folder .. "/a"), {
        max_attempts = 3,
        on_progress = function()
          if not changed then tenant.shell(("truncate -s %d %s/a"):format(size, folder)) end
          changed = true
        end })
      assert.is_true(changed)
      assert.is_nil(done)
      assert.equal("file", err.kind)
      assert.is_truthy(err.message:find("it has become " .. name, 1, true), err.message)
      local log = host.log(key)
      assert.equal(1, #log)
      assert.is_true((log[1].received or 0) < 20000000)
    end)
  end
end)

describe("memory", function()
  it("does not grow with the file", function()
    local SIZE = 256 * 2 ^ 20
    local key = new_key()
    local output, status = tenant.run(host.options { timeout = 100 }, ([[
      local size = %d
      local function peak() return tonumber(io.open("/proc/self/status"):read("*a"):match "VmHWM:%%s*(%%d+)") end
      assert(client:get "json/x?text=1")
      assert(assert(client:download(%q, %q)) == size)
      assert(client:upload({ Uri = %q, Verb = "PUT" }, uipath.file(%q)))
      print(peak())
    ]]):format(SIZE, host.path(key, { size = ("%d"):format(SIZE) }), folder .. "/a", host.blob(new_key() .. "-up", {}), folder .. "/a"))
    assert.equal(0, status, output)
    if tenant.SLOWER == 1 then assert.is_true(tonumber(output) < 24 * 1024, output) end
    assert.equal(tostring(math.floor(SIZE)), (tenant.shell("stat -c %s " .. folder .. "/a"):gsub("\n", "")))
  end)
end)

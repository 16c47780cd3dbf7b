-- luipath download and upload.

local assert = require "luassert"
local command = require "spec.support.command"
local storage = require "spec.support.storage"
local tenant = require "spec.support.tenant"

describe("luipath", function()
  local host, folder, run, output_of

  setup(function()
    host = storage.start()
    run, output_of = command.runner {
      UIPATH_URI = host.base_url, UIPATH_ORGANIZATION = "acme", UIPATH_TENANT = "T", UIPATH_PAT = "t0ken-of-the-tenant",
    }
  end)
  teardown(function() host.stop() end)
  before_each(function() folder = tenant.shell("mktemp -d /tmp/uipath-files.XXXXXXXX"):gsub("\n$", "") end)
  after_each(function() tenant.shell("rm -rf " .. folder) end)

  local function read(path)
    local file = assert(io.open(path, "rb"))
    local text = file:read "*a"
    file:close()
    return text
  end

  local new_key = tenant.new_key

  it("download writes a file, or standard output, and says nothing", function()
    assert.same({ "", "" }, { output_of(("download %s %s/a"):format(host.path(new_key(), { size = 100000 }), folder)) })
    assert.is_true(read(folder .. "/a") == storage.content(100000))
    local output, errors = output_of("download " .. host.path(new_key(), { size = 1000 }) .. " -")
    assert.is_true(output == storage.content(1000))
    assert.equal("", errors)
  end)

  it("upload sends a file, or standard input", function()
    local key = new_key()
    local path = host.path(key, {}, { verb = "PUT" })
    assert.same({ "", "" }, { output_of("upload spec/files_command_spec.lua " .. path .. " --content-type text/x-lua") })
    local got = host.log(key)[1]
    assert.same({ #read "spec/files_command_spec.lua", "text/x-lua" }, { got.length, got.headers["content-type"] })
    key = new_key()
    output_of("upload - " .. host.path(key, {}, { verb = "PUT" }) .. " --content-type text/x", nil, { input = "hello" })
    assert.same({ 5, "text/x" }, { host.log(key)[1].length, host.log(key)[1].headers["content-type"] })
    key = new_key()
    output_of(("upload --method POST spec/files_command_spec.lua take/%s --query a=b~c --header X-Mine:1"):format(key))
    got = host.log(key)[1]
    assert.same({ "POST", "1" }, { got.method, got.headers["x-mine"] })
    assert.matches("a=b%%20c$", got.uri)
  end)

  it("ends with 1 where the service says no, with 2 for what is no file or a wrong word, with 3 without a network", function()
    local rows = {
      { 1, "download " .. host.path(new_key(), { size = 5, statuses = "404" }) .. " ~/a", "404 not found" },
      { 2, "download " .. host.path(new_key(), { size = 5 }) .. " ~/none/a", "cannot write" },
      { 2, "upload ~/none " .. host.path(new_key(), {}), "cannot read" },
      { 2, "upload spec/files_command_spec.lua json/x?text=1", "options.method" },
      { 2, "download odata/X", "file" }, { 2, "download odata/X ~/a --total-timeout never", "seconds" },
      { 2, "upload spec/files_command_spec.lua json/x --method GET", "PUT" },
    }
    for _, row in ipairs(rows) do
      local result = run((row[2]:gsub("~", folder)))
      assert.equal(row[1], result.code, row[2] .. ": " .. result.errors)
      assert.is_truthy(result.errors:find(row[3], 1, true), result.errors)
      assert.equal("", result.output)
    end
    local result = run("download odata/X " .. folder .. "/a --max-attempts 1", { UIPATH_URI = "http://127.0.0.1:1" })
    assert.equal(3, result.code)
  end)

  it("says what these take", function()
    assert.matches("%-%-total%-timeout", (output_of "download --help"))
    assert.matches("%-%-content%-type", (output_of "upload --help"))
    assert.matches("download.*upload", (output_of "--help"))
  end)

  it("shows on a terminal how far it is", function()
    local Terminal = require "spec.support.terminal"
    local words = {}
    for name, value in pairs {
      UIPATH_URI = host.base_url, UIPATH_ORGANIZATION = "acme", UIPATH_TENANT = "T", UIPATH_PAT = "abc", HOME = "/nonexistent",
      LUA_PATH = package.path, LUA_CPATH = package.cpath,
    } do words[name] = value end
    local path = host.path(new_key(), { size = 2000000, cuts = "1000000", stalls = "yes" })
    local terminal = Terminal.start {
      command = ("%s src/luipath download %s %s/a"):format(tenant.interpreter, tenant.quoted(path), folder), environment = words,
    }
    finally(function() terminal:stop() end)
    terminal:await "%[#+%.+%] 1%.0 MB of 2%.0 MB, %S+ %S+/s, %S+ %S+ left"
    terminal:press "C-c"
    terminal:await "^exit code 130$"
    assert.equal("", tenant.shell("ls -A " .. folder))
  end)
end)

describe("the line of a bar", function()
  local line = require("uipath.cli.progress").bytes_line

  it("has what is done, of how much, how fast, and how long it will take", function()
    assert.equal("[" .. ("."):rep(30) .. "] 0 B of 5 B", line(0, 5, 0))
    assert.equal("[" .. ("#"):rep(15) .. ("."):rep(15) .. "] 500 B of 1.0 kB, 250 B/s, 2 s left", line(500, 1000, 2))
    assert.equal("[" .. ("#"):rep(30) .. "] 1.0 GB of 1.0 GB, 10 MB/s", line(1e9, 1e9, 100))
    assert.equal("123 MB, 12 MB/s", line(123456789, nil, 10))
    assert.matches(", 1:30 min left$", line(10, 100, 10))
    assert.matches(", 2:30 h left$", line(1, 91, 100))
  end)
end)

-- JUnit files of runs on the sandbox, for read.mjs: files.lua FOLDER writes them, and prints each one's name and what a reader should see.

local folder = assert(arg[1])
local sandbox = assert(require("uipath.sandbox").start())
local client = require("uipath").connect(sandbox.options)

local function write(name, set, options, expected)
  options.poll, options.junit = 0.1, folder .. "/" .. name .. ".xml"
  client.tests:run(set, options)
  print(name, table.concat(expected, "\t"))
end

write("green", "DEMO:42", {}, { 5, 0, 0, 0, "PASS" })
write("red", "DEMO:43", {}, { 12, 3, 0, 1, "FAIL" })
write("lost", "DEMO:44", {}, { 4, 0, 4, 0, "FAIL" })
write("over", "DEMO:44", { timeout = 0 }, { 4, 0, 4, 0, "FAIL" })
write("many", "DEMO:45", { assertions = 1 }, { 1000, 250, 0, 0, "FAIL" })
sandbox:stop()

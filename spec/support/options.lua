-- For specs of what options come to. Environment variables cannot be set from Lua, so every case runs
-- in a process of its own, in an environment that holds nothing else.

local assert = require "luassert"

local support = {}

-- What no message may ever hold.
support.secret = "s3cr3t"

---@param word string
---@return string word as one word for the shell
local function quoted(word)
  return "'" .. word:gsub("'", "'\\''") .. "'"
end

-- What the interpreter and a sanitizer need, besides the variables of a case.
local kept = {
  "PATH", "ASAN_OPTIONS", "LSAN_OPTIONS", "UBSAN_OPTIONS", "TSAN_OPTIONS",
}

-- The interpreter that runs this spec.
local interpreter = require("spec.support.tenant").interpreter

-- Prints what the client's options came to, or the message of the error. `client` keeps the resolved
-- table as its user value.
local program = [[
package.path, package.cpath = %q, %q
local uipath = require "uipath"
local ok, client = pcall(function() %s return %s end)
if not ok then print("raised", client) return end
print("resolved")
for name, value in pairs((debug.getuservalue or debug.getfenv)(client)) do
  local plain = type(value) ~= "function" and type(value) ~= "table"
  print(name .. "=" .. (plain and tostring(value) or type(value)))
end
]]

---Evaluates an expression that gives a client.
---@param expression string
---@param variables? table<string, string> the environment
---@param setup? string statements to run first
---@return table<string, string>? resolved all values as text
---@return string? message what was raised
function support.resolve(expression, variables, setup)
  local words = { "env", "-i", "HOME=/nonexistent" }
  for _, name in ipairs(kept) do
    local value = os.getenv(name)
    if value then words[#words + 1] = quoted(name .. "=" .. value) end
  end
  for name, value in pairs(variables or {}) do words[#words + 1] = quoted(name .. "=" .. value) end
  words[#words + 1] = interpreter
  words[#words + 1] = "-e"
  words[#words + 1] = quoted(program:format(package.path, package.cpath, setup or "", expression))
  local pipe = assert(io.popen(table.concat(words, " ") .. " 2>&1"))
  local output = pipe:read("*a")
  pipe:close()

  local message = output:match("^raised\t(.*)\n$")
  if message then return nil, message end
  assert(output:find("^resolved\n"), output)
  local resolved = {}
  for name, value in output:gmatch("([%w_]+)=([^\n]*)\n") do resolved[name] = value end
  return resolved
end

---Evaluates the expression and checks some of the values; `false` stands for absent.
function support.expect(expected, expression, variables, setup)
  local resolved = assert(support.resolve(expression, variables, setup))
  for name, value in pairs(expected) do
    local actual = resolved[name] -- a number may be 5 or 5.0
    assert.equal(tonumber(value) or value or nil, tonumber(actual) or actual, name)
  end
end

---Checks that the expression raises a message with this in it, and nothing secret.
function support.expect_raise(fragment, expression, variables, setup)
  local resolved, message = support.resolve(expression, variables, setup)
  assert.is_nil(resolved)
  assert.is_truthy(message:find(fragment, 1, true), message)
  assert.is_nil(message:find(support.secret, 1, true), message)
end

---An expression that connects with these options besides those that are required.
---@param options? string
---@return string
function support.connect(options)
  local form = "uipath.connect{ organization = 'acme', access_token = 'token', %s }"
  return form:format(options or "")
end

return support

-- Runs commands of a shell, each in an environment that holds nothing else.

local assert = require "luassert"

local support = {}

local interpreter = require("spec.support.tenant").interpreter

local function quoted(word) return "'" .. tostring(word):gsub("'", "'\\''") .. "'" end

local function read_and_remove(name)
  local file = assert(io.open(name, "rb"))
  local text = file:read "*a"
  file:close()
  os.remove(name)
  return text
end

---@param words string[] of luipath
---@param options? { environment: table<string, string>?, input: string?, script: string? } script: instead of luipath
---@return { code: integer, output: string, errors: string }
function support.luipath(words, options)
  options = options or {}
  local command = { "env", "-i", "HOME=/nonexistent", quoted("LUA_PATH=" .. package.path), quoted("LUA_CPATH=" .. package.cpath) }
  for _, name in ipairs { "PATH", "ASAN_OPTIONS", "LSAN_OPTIONS", "UBSAN_OPTIONS", "TSAN_OPTIONS" } do
    if os.getenv(name) then command[#command + 1] = quoted(name .. "=" .. os.getenv(name)) end
  end
  for name, value in pairs(options.environment or {}) do command[#command + 1] = quoted(name .. "=" .. value) end
  command[#command + 1] = interpreter
  command[#command + 1] = options.script or "src/luipath"
  for _, word in ipairs(words) do command[#command + 1] = quoted(word) end
  local output, errors, code, input = os.tmpname(), os.tmpname(), os.tmpname(), os.tmpname()
  local file = assert(io.open(input, "wb"))
  file:write(options.input or "")
  file:close()
  os.execute(("{ %s; echo $? >%s; } <%s 2>%s >%s"):format(table.concat(command, " "), code, input, errors, output))
  os.remove(input)
  return { code = tonumber(read_and_remove(code)), output = read_and_remove(output), errors = read_and_remove(errors) }
end

---The variables that lead to a sandbox.
---@return table<string, string>
function support.environment(sandbox)
  local options = sandbox.options
  return {
    UIPATH_URI = sandbox.base_url, UIPATH_ORGANIZATION = options.organization, UIPATH_TENANT = options.tenant,
    UIPATH_CLIENT_ID = options.client_id, UIPATH_CLIENT_SECRET = options.client_secret, UIPATH_AUTH_SCOPES = options.scope,
  }
end

---Two functions that run luipath: words, with `~` for a space in one; changes of the variables, "" for unset; options.
---@param environment table<string, string>
---@return function run gives code, output and errors
---@return function output_of expects exit code 0, and gives output and errors
function support.runner(environment)
  local function run(words, changes, options)
    options = options or {}
    options.environment = {}
    for name, value in pairs(environment) do options.environment[name] = value end
    for name, value in pairs(changes or {}) do options.environment[name] = value end
    local list = {}
    for word in words:gmatch "%S+" do list[#list + 1] = (word:gsub("~", " ")) end
    return support.luipath(list, options)
  end

  local function output_of(...)
    local result = run(...)
    assert.equal(0, result.code, result.errors)
    return result.output, result.errors
  end

  return run, output_of
end

return support

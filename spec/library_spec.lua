-- The annotations for editors against the module: what one has, the other has.
local uipath = require "uipath"

local file = assert(io.open "src/uipath/library/uipath.lua")
local text = file:read "*a"
file:close()

-- The names that match in the annotations.
local function annotated(pattern)
  local names = {}
  for name in text:gmatch(pattern) do names[name] = true end
  return names
end

-- The names of a class's fields.
local function fields(class)
  local names = {}
  local lines = assert(text:match("\n%-%-%-@class " .. class:gsub("%.", "%%.") .. "[^\n]*\n(.-)\n\n"), class)
  for name in lines:gmatch("@field ([%w_]+)") do names[name] = true end
  return names
end

-- The names of a table of functions, and those that its metatable finds when they are first asked for.
local function names_of(functions, expected)
  local names = {}
  for name, value in pairs(functions) do
    if type(value) == "function" then names[name] = true end
  end
  for name in pairs(expected) do
    if type(functions[name]) == "function" then names[name] = true end
  end
  return names
end

-- All names that a table shows: its own, and those of the functions that are loaded when first asked for.
local function shown(functions)
  local names = {}
  for name in pairs(functions) do names[#names + 1] = name end
  local metatable = getmetatable(functions)
  for _, name in ipairs(metatable and metatable.names and metatable.names() or {}) do names[#names + 1] = name end
  return names
end

describe("every name that is shown", function()
  -- Calls it as a method or function without arguments: it may raise, but not for want of a module.
  local function expect_there(holder, functions, name)
    local value = functions[name]
    assert.is_not_nil(value, name)
    if type(value) ~= "function" then return end
    local _, message = pcall(value, holder)
    assert.is_nil(tostring(message):find("module '", 1, true), name .. ": " .. tostring(message))
  end

  local function walk(holder, functions)
    local names = shown(functions)
    assert.is_true(#names > 0)
    for _, name in ipairs(names) do expect_there(holder, functions, name) end
    return names
  end

  it("has its thing behind it", function()
    local client = uipath.connect { base_url = "http://127.0.0.1:1", organization = "o", tenant = "t", access_token = "none" }
    local methods = require("debug").getmetatable(client).methods
    local names = walk(nil, uipath)
    assert.is_truthy(table.concat(names, " "):find "%f[%w]map%f[%W]") -- the names that come late are among them
    for _, part in ipairs { "json", "odata", "store" } do walk(nil, uipath[part]) end
    walk(client, methods)
    local call = client:start("GET", "odata/Machines", { max_attempts = 1 })
    walk(call, require("debug").getmetatable(call).__index)
  end)
end)

describe("the annotations name", function()
  local client = uipath.connect { base_url = "http://127.0.0.1:1", organization = "o", tenant = "t", access_token = "none" }
  local methods = require("debug").getmetatable(client).methods
  local call_methods = require("debug").getmetatable(client:start("GET", "odata/Machines")).__index

  it("the functions of the module", function()
    local expected = annotated "\nfunction uipath%.([%w_]+)%("
    assert.same(expected, names_of(uipath, expected))
    for _, part in ipairs { "json", "odata", "store" } do
      expected = annotated("\nfunction uipath%." .. part .. "%.([%w_]+)%(")
      assert.same(expected, names_of(uipath[part], expected))
    end
  end)

  it("the methods of clients and calls", function()
    local expected = annotated "\nfunction Client:([%w_]+)%("
    assert.same(expected, names_of(methods, expected))
    expected = annotated "\nfunction Call:([%w_]+)%("
    assert.same(expected, names_of(call_methods, expected))
  end)

  it("the methods of the groups of recipes, with their arguments and options", function()
    local described = ""
    for _, name in ipairs { "uipath", "recipes", "tests" } do
      local part = assert(io.open("src/uipath/library/" .. name .. ".lua"))
      described = described .. part:read "*a"
      part:close()
    end
    for _, name in ipairs(require("debug").getmetatable(client).groups) do
      local class = name:gsub("^%l", string.upper)
      assert.is_truthy(described:find("\n---@field " .. name .. " uipath." .. class .. "\n", 1, true), name)
      local expected, found = {}, {}
      for _, method in ipairs(require("uipath.recipes").describe(name).methods) do
        local arguments = {}
        for i, argument in ipairs(method.arguments) do arguments[i] = argument[1] end
        arguments[#arguments + 1] = "options"
        expected[method.name] = table.concat(arguments, ", ")
        for option in pairs(method.options or {}) do
          assert.is_truthy(described:find("[ {]" .. option .. "%?"), ("%s:%s: option %s"):format(name, method.name, option))
        end
      end
      for method, arguments in described:gmatch("\nfunction " .. class .. ":([%w_]+)%(([^)]*)%)") do found[method] = arguments end
      assert.same(expected, found)
    end
  end)

  -- A name that is no option is refused for that; one that is, for its value or not at all.
  local function is_option(run, name)
    local ok, message = pcall(run, { [name] = coroutine.create(print) })
    assert.is_false(ok, name)
    return not message:find("unknown option", 1, true)
  end

  it("the options of uipath.connect", function()
    for name in pairs(fields "uipath.ConnectOptions") do assert.is_true(is_option(uipath.connect, name), name) end
    assert.is_false(is_option(uipath.connect, "fliter"))
  end)

  it("the options of a call", function()
    local function run(options) return client:get("odata/Machines", options) end
    for name in pairs(fields "uipath.CallOptions") do assert.is_true(is_option(run, name), name) end
    assert.is_false(is_option(run, "fliter"))
  end)

  -- What is not in the annotations is looked for in the lists of the sources.
  it("no fewer options than there are", function()
    local function listed(path, first, pattern)
      local source = assert(io.open(path))
      local list = source:read("*a"):match(first .. "(.-)};")
      source:close()
      local names = {}
      for name in list:gmatch(pattern) do names[name] = true end
      return names
    end
    assert.same(fields "uipath.ConnectOptions", listed("src/options.c", "struct option options%[%] = {", '\n    {"([%w_]+)"'))
    assert.same(fields "uipath.CallOptions", listed("src/request.c", "call_options%[%] = {", '"([%w_]+)"'))
  end)
end)

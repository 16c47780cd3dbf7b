-- The rockspec lists every file by hand, as LuaRocks wants it: here the lists meet the tree.
local function files(pattern)
  local found = {}
  local list = assert(io.popen("find src -name '" .. pattern .. "'"))
  for line in list:lines() do found[line] = true end
  list:close()
  return found
end

describe("the rockspec", function()
  local rockspec = {}
  local chunk = assert(loadfile("uipath-scm-1.rockspec", "t", rockspec))
  if setfenv then setfenv(chunk, rockspec) end -- luacheck: ignore 113
  chunk()
  local modules = rockspec.build.modules

  it("lists all C sources", function()
    local listed = {}
    for _, file in ipairs(modules.uipath.sources) do listed[file] = true end
    assert.same(files("*.c"), listed)
  end)

  it("lists all Lua modules under their names", function()
    local listed = {}
    for name, file in pairs(modules) do
      if name ~= "uipath" then
        assert.equal(name, (file:gsub("^src/", ""):gsub("%.lua$", ""):gsub("/init$", ""):gsub("/", ".")))
        listed[file] = true
      end
    end
    assert.same(files("*.lua"), listed)
  end)
end)

-- Installing, by make and by LuaRocks: what comes of it works away from the tree. Compilers and programs run here without the
-- preload of a sanitizer, which is about this tree's build.
local lua = require("spec.support.tenant").interpreter
local version = _VERSION:match "%d%.%d"

local function shell(command)
  local pipe = assert(io.popen("{ PATH=${PATH#$SUITE_BUILD/support/bin:}; " .. command .. "; } 2>&1"))
  local output = pipe:read("*a")
  pipe:close()
  return output
end

-- Lists the machines of a sandbox with what is installed below `folder`, from the root directory, and nothing else to be found.
local function machines_with(folder)
  local program = [[
    local uipath = require "uipath"
    local sandbox = assert(require("uipath.sandbox").start())
    local page = assert(uipath.connect(sandbox.options):get("odata/Machines", { top = 1 }))
    local err = select(2, uipath.connect(sandbox.options):get("odata/Jobs"))
    print(uipath._VERSION, #page.value, err.code)
    sandbox:stop()]]
  return shell(("cd / && env -i PATH=\"$PATH\" LUA_PATH='%s/share/lua/%s/?.lua' LUA_CPATH='%s/lib/lua/%s/?.so' %s -e '%s'")
    :format(folder, version, folder, version, lua, program))
end

-- What the installed command says of itself, where Lua looks into `folder` alone for this one version.
local function luipath_version_of(folder)
  local suffix = jit and "" or version:gsub("%.", "_"):gsub("^", "_")
  return shell(([[cd / && env -i PATH="$PATH" LUA_PATH%s='%s/share/lua/%s/?.lua;;' LUA_CPATH%s='%s/lib/lua/%s/?.so;;' \
    %s/bin/luipath --version]]):format(suffix, folder, version, suffix, folder, version, folder))
end

-- Closes a Lua state that has loaded what is installed below `folder`, and looks for its code in the
-- process then: the engine's thread and what runs at the end of a process are in it.
local function code_after_closing(folder)
  return shell(([[
    cat >%s/closing.lua <<'END'
      host.run "package.cpath = '%s/lib/lua/%s/?.so' require 'uipath'"
      for line in io.lines "/proc/self/maps" do
        if line:find("/uipath.so", 1, true) then return print "still there" end
      end
      print "gone"
END
    $WRAPPER $SUITE_BUILD/support/host %s/closing.lua]]):format(folder, folder, version, folder))
end

describe("what is installed", function()
  local folder
  before_each(function() folder = shell("mktemp -d"):match("%S+") end)
  after_each(function() shell("rm -r " .. folder) end)

  it("by make lists machines", function()
    local make = "env -u SANITIZE make -s LUA=" .. lua
    shell(make .. " install PREFIX=" .. folder)
    assert.equal("uipath 0.1.0\t1\t1101\n", machines_with(folder))
    assert.equal("still there\n", code_after_closing(folder))
    assert.equal("#!/usr/bin/env " .. lua .. "\n", shell("head -n 1 " .. folder .. "/bin/luipath"))
    assert.equal("uipath 0.1.0\n", luipath_version_of(folder))
    assert.equal("755\n644\n", shell(("cd %s && stat -c %%a lib/lua/%s/uipath.so share/lua/%s/uipath/sandbox.lua")
      :format(folder, version, version)))
  end)

  it("by LuaRocks lists machines", function()
    -- In a copy: LuaRocks leaves its objects among the sources.
    local command = "mkdir %s/tree && cp -r Makefile uipath-scm-1.rockspec src %s/tree && cd %s/tree && "
      .. "luarocks --lua-version " .. version .. " --tree %s make --deps-mode none $(make -s LUA=" .. lua .. " rock-vars)"
    local output = shell((command:gsub("%%s", folder)))
    assert.is_truthy(output:find("is now installed", 1, true), output)
    assert.equal("uipath 0.1.0\t1\t1101\n", machines_with(folder))
    assert.equal("still there\n", code_after_closing(folder))
    assert.equal("uipath 0.1.0\n", luipath_version_of(folder))
    assert.is_not.equal("", shell(("cd %s/tree && find . -name '*.o'"):format(folder)))
    assert.equal("", shell(("cd %s/tree && make -s clean && find . -name '*.[os]*' -path '*o'"):format(folder)))
  end)
end)

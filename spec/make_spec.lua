-- What make says to those who have not everything yet, and what it tells shells.

local assert = require "luassert"
local tenant = require "spec.support.tenant"

local lua = tenant.interpreter

describe("make", function()
  local folder
  before_each(function() folder = tenant.shell "mktemp -d":match "%S+" end)
  after_each(function() tenant.shell("rm -r " .. folder) end)

  -- Runs a command in the tree, without what this run of the suite has in its environment, and gives its output and status. $F is an
  -- empty folder, $LUA the interpreter, $MODULES where its modules are.
  local function run(command)
    local output = tenant.shell(("MODULES=$SUITE_BUILD; unset SANITIZE BUILD MAKEFLAGS LUA_PATH LUA_CPATH; "
      .. "F=%s; LUA=%s; %s; echo \"status $?\""):format(folder, lua, command))
    local text, status = output:match "^(.*)status (%d+)\n$"
    return text, tonumber(status)
  end

  -- A line on standard error, and no more but make's own.
  local function expect_line(line, command)
    local text, status = run(command)
    assert.is_not.equal(0, status)
    assert.equal(line, text:match "^[^\n]*")
    assert.is_nil(text:gsub("^[^\n]*\n", ""):gsub("make[^\n]*\n", ""):match "%S")
  end

  it("says in one line what is missing to build", function()
    local said = " Run `make run` first, which installs what is needed."
    for _, target in ipairs { "module", "install DESTDIR=$F" } do
      local make = "make -s LUA=$LUA BUILD=$F/build " .. target
      expect_line("Missing: no-such-compiler." .. said, make .. " CC=no-such-compiler")
      local no_headers = "PKG_CONFIG_LIBDIR=/nonexistent " .. make
      expect_line(("Missing: libcurl(development files) zlib(development files) libdeflate(development files) %s(development files).%s")
        :format(lua, said), no_headers)
    end
  end)

  it("says in one line what is missing for LuaRocks", function()
    local make = "make -s LUA=$LUA rock-vars "
    expect_line("rock-vars: there is no no-such-compiler: run `make run` first, which installs it", make .. "CC=no-such-compiler")
    expect_line("rock-vars: there is no curl/curl.h: run `make run` first, which installs libcurl's headers", make .. "CC='gcc -nostdinc'")
    if jit then
      local text, status = run("PKG_CONFIG_LIBDIR=/nonexistent " .. make)
      assert.is_not.equal(0, status)
      assert.is_truthy(text:find("rock-vars: there is no luajit.h: run `make run` first", 1, true), text)
    end
  end)

  it("does not compile with the headers of another Lua", function()
    for number, words in pairs { [501] = "say where LuaJIT's are", [502] = "of another Lua" } do
      local text, status = run(("cd $F && echo '#define LUA_VERSION_NUM %d' >lua.h && : >lauxlib.h && cd - >/dev/null && "
        .. "gcc -fsyntax-only -I$F -x c src/compat.h"):format(number))
      assert.is_not.equal(0, status)
      assert.is_truthy(text:find("#error \"uipath is for Lua 5.3 to 5.5 and LuaJIT", 1, true), text)
      assert.is_truthy(text:find(words, 1, true), text)
    end
  end)

  it("refuses in one line to build for another Lua", function()
    local ours = ": uipath is for lua5.3, lua5.4, lua5.5 and luajit.  Stop."
    for _, other in ipairs { "lua5.1", "lua5.2", "lua5.40", "lua5.4.6", "luajitt" } do
      local text, status = run("make -s BUILD=$F/build LUA=" .. other)
      assert.equal(2, status)
      assert.matches("^Makefile:%d+: %*%*%* LUA=" .. other:gsub("%p", "%%%0") .. ours:gsub("%p", "%%%0") .. "\n$", text)
    end
  end)

  it("asks `lua` which one it is", function()
    local said = {
      ["Lua 5.4"] = { folder = "5_4", needs = "lua5.4" }, ["Lua 5.5"] = { folder = "5_5", needs = "lua5.5" },
      luajit = { needs = "luajit" }, ["Lua 5.1"] = { refused = "LUA=lua is lua5.1: " }, [""] = { refused = "LUA=lua: there is no such " },
    }
    for version, expected in pairs(said) do
      -- The version is this program's; what asks for it is run by a real interpreter.
      local program = version == "" and "exit 1" or ("exec %s -e \"jit, _VERSION = %s, '%s' $2\""):format(lua, version == "luajit", version)
      local text = run(([[mkdir -p $F/bin; printf '#!/bin/sh\n%%s\n' '%s' >$F/bin/lua; chmod +x $F/bin/lua
        PATH=$F/bin:$PATH; export PATH; make -s LUA=lua shell-env; PKG_CONFIG_LIBDIR=/nonexistent make -s LUA=lua BUILD=$F/build]])
        :format((program:gsub("'", "'\\''"))))
      if expected.refused then
        assert.is_truthy(text:find(expected.refused, 1, true), text)
      else
        assert.is_truthy(text:find("libdeflate(development files) " .. expected.needs .. "(development files).", 1, true), text)
        local asked_for = expected.folder and "LUA_CPATH_" .. expected.folder or "LUA_CPATH"
        assert.matches("export " .. asked_for .. "=[^\n]*/build/lua/%?%.so;", text)
      end
    end
  end)

  it("lists its targets without programs that some systems have not", function()
    local text, status = run "mkdir $F/bin; for p in make sh awk; do ln -s $(command -v $p) $F/bin; done; PATH=$F/bin make -s help"
    assert.equal(0, status)
    assert.matches("\n  make install +install under PREFIX", text)
  end)

  it("lets both Luas find the module in one shell, and what the user's own variables say", function()
    -- In a tree whose name is not easy on shells.
    local text = run [[
      tree="$F/it's a \$tree"
      mkdir -p "$tree/build" && cp -r Makefile src "$tree" && ln -s "$MODULES" "$tree/build/$LUA" &&
      echo 'return "mine"' >"$F/mine.lua" && cd "$tree" && export LUA_PATH="$F/?.lua;;" && eval "$(make -s shell-env)" && cd / &&
      $LUA -e 'print(require("uipath")._VERSION, (require "mine"), require("uipath.errors") ~= nil)' && command -v luipath]]
    assert.matches("^uipath 0.1.0\tmine\ttrue\n/[^\n]*/it's a $tree/src/luipath\n$", text)
    for _, other in ipairs { "lua5.3", "lua5.5" } do
      local name = other:gsub("lua5.", "5_")
      assert.matches("\nexport LUA_PATH_" .. name .. "=[^\n]*\nexport LUA_CPATH_" .. name .. "=[^\n]*/build/" .. other:gsub("%p", "%%%0")
        .. "/%?%.so;[^\n]*\nexport LUA_PATH=", (run("make -s LUA=" .. other .. " shell-env")))
    end
    for _, other in ipairs { "lua5.4", "luajit" } do
      assert.matches("^export LUA_PATH_5_4=[^\n]*\nexport LUA_CPATH_5_4=[^\n]*/build/lua5.4/%?%.so;[^\n]*\n"
        .. "export LUA_PATH=[^\n]*\nexport LUA_CPATH=[^\n]*/build/luajit/%?%.so;[^\n]*\n"
        .. "export PATH=[^\n]*/src':\"$PATH\"\n$", (run("make -s LUA=" .. other .. " shell-env")))
    end
  end)

  it("runs the example under the Lua that is asked for", function()
    -- In a tree without sources, so that nothing need be built.
    local text, status = run [[
      mkdir -p $F/bin $F/spec/support && cp Makefile $F &&
      cp spec/support/packages spec/support/stage $F/spec/support &&
      printf '#!/bin/sh\necho "this is ${0##*/}, $*"\n' >$F/bin/$LUA && chmod +x $F/bin/$LUA &&
      env -i PATH=$F/bin:$PATH HOME=$F make -s -C $F PLAIN_SOURCES= CC=true LUA=$LUA run]]
    assert.equal(0, status, text)
    assert.matches("this is " .. lua .. ", examples/list_machines.lua\n$", text)
  end)

  describe("sees to the packages", function()
    -- A system whose apt offers the first packages, clang as version 19, and on which the second
    -- are installed, clang as version 14. apt's lists are empty until they have been read, and
    -- what apt-get is told to install is in $F/told.
    local function with_apt(offered, installed, command)
      return run(([[
        mkdir -p $F/bin && printf '%%s\n' %s >$F/offered && printf '%%s\n' %s >$F/installed &&
        for p in sh env cat grep head tr sed wc mktemp rm date sleep ls; do
          ln -s $(command -v $p) $F/bin/$p; done &&
        echo '[ "$1" = -u ] && echo 0' >$F/bin/id &&
        echo '[ -e $F/read ] || exit 100; case $1 in
          policy) version="(none)"; grep -qx "$2" $F/offered && version=1.0
            printf "%%s:\n  Installed: (none)\n  Candidate: %%s\n" "$2" "$version" ;;
          show) echo "Package: clang"; echo "Depends: clang-19 (>= 19~)" ;; esac' >$F/bin/apt-cache &&
        echo 'for p; do :; done; grep -qx "$p" $F/installed || exit 1
          case $3 in *Status*) printf "install ok installed" ;;
          *) printf "clang-14 (>= 14~)" ;; esac' >$F/bin/dpkg-query &&
        echo 'echo "words of apt"; case $1 in update) >$F/read ;;
          *) echo "$*" >>$F/told; [ ! -e $F/breaks ] ;; esac' >$F/bin/apt-get &&
        for p in id apt-cache dpkg-query apt-get; do
          sed -i '1i #!/bin/sh' $F/bin/$p; chmod +x $F/bin/$p; done &&
        export F; %s]]):format(offered, installed, command))
    end
    local BASIC = "lua5.4 liblua5.4-dev gcc libc6-dev make pkg-config libcurl4-openssl-dev "
      .. "zlib1g-dev libdeflate-dev nginx-light libnginx-mod-http-lua lua-cjson lua-lpeg lua-yaml "
      .. "lua-argparse ca-certificates nginx-common "
    local function install(command)
      return "(PATH=$F/bin; " .. command .. ") && cat $F/told"
    end

    it("that are there without asking apt for anything", function()
      assert.same({ "", 0 }, { with_apt("", BASIC, "PATH=$F/bin LUA= spec/support/packages run") })
    end)

    for _, row in ipairs {
      { "luajit2 where both are offered",
        "luajit2 libluajit2-5.1-dev luajit libluajit-5.1-dev", "luajit2 libluajit2-5.1-dev" },
      { "luajit where luajit2 is gone", "luajit libluajit-5.1-dev", "luajit libluajit-5.1-dev" },
      { "luajit where luajit2 has no headers",
        "luajit2 luajit libluajit-5.1-dev", "luajit libluajit-5.1-dev" },
    } do
      it("of LuaJIT by what apt offers: " .. row[1], function()
        local text, status = with_apt(row[2], BASIC,
          install "LUA=luajit spec/support/packages run")
        assert.equal(0, status, text)
        assert.matches("\nreading apt's lists … %d+ s\n", "\n" .. text)
        assert.matches("installing 2 packages and what they need … %d+ s\n", text)
        assert.matches("^install .* " .. row[3]:gsub("%p", "%%%0") .. "\n$", text:match "[^\n]*\n$")
        assert.is_nil(text:find("words of apt", 1, true))
      end)
    end

    it("of the Lua that is asked for, or says in one line that apt has none", function()
      local text, status = with_apt("lua5.5 liblua5.5-dev", BASIC,
        install "LUA=lua5.5 spec/support/packages run")
      assert.equal(0, status, text)
      assert.matches(" lua5.5 liblua5.5%-dev\n$", text)
      tenant.shell("rm -r " .. folder .. "/*")
      text, status = with_apt("", BASIC, install "LUA=lua5.5 spec/support/packages run")
      assert.equal(3, status, text)
      assert.matches(
        "\npackages: this system's apt does not offer lua5.5 and liblua5.5%-dev\n$", text)
      text, status = run "LUA=perl spec/support/packages run"
      assert.same({ "packages: LUA is lua5.3, lua5.4, lua5.5 or luajit, not 'perl'\n", 2 },
        { text, status })
    end)

    it("of clang's runtime by the clang that is installed, or would be", function()
      local offered = "clang libclang-rt-14-dev libclang-rt-19-dev"
      for installed, runtime in pairs { [""] = "19", [" clang"] = "14" } do
        -- ls finds no runtime, whatever is installed here.
        local text, status = with_apt(offered,
          BASIC .. " luajit libluajit-5.1-dev clang-tidy cppcheck lua-check" .. installed,
          "ln -sf $(command -v false) $F/bin/ls; "
            .. install "LUA= spec/support/packages run lint fuzz")
        assert.equal(0, status, text)
        assert.matches(" libclang%-rt%-" .. runtime .. "%-dev\n$", text)
        tenant.shell("rm -r " .. folder .. "/*")
      end
    end)

    it("and shows what apt said where it fails", function()
      local text, status = with_apt("luajit libluajit-5.1-dev", BASIC,
        ">$F/breaks; " .. install "LUA=luajit spec/support/packages run")
      assert.equal(1, status, text)
      assert.matches("need … failed after %d+ s, with these words:\nwords of apt\n$", text)
    end)

    it("by names that other systems have, where there is no apt", function()
      local text, status = run("mkdir $F/bin; ln -s $(command -v sh) $(command -v cat) $F/bin; "
        .. "(PATH=$F/bin; LUA=luajit spec/support/packages run)")
      assert.equal(1, status, text)
      assert.matches("Missing: gcc make pkg%-config luajit ", text)
      for _, words in ipairs { "dnf install", "pacman -S", "apk add", "brew install" } do
        assert.is_truthy(text:find(words, 1, true), words)
      end
    end)
  end)

  it("makes systems as root alone, and with debootstrap", function()
    local command = [[
      mkdir -p $F/bin && printf '#!/bin/sh\necho %s\n' >$F/bin/id && chmod +x $F/bin/id &&
      ln -sf $(command -v bash) $(command -v env) $(command -v dirname) $F/bin &&
      PATH=$F/bin spec/support/systems bookworm]]
    assert.same({ "systems: only root can make systems\n", 2 }, { run(command:format(1000)) })
    assert.same({ "systems: debootstrap is missing: apt-get install debootstrap\n", 2 },
      { run(command:format(0)) })
  end)

  describe("a stage", function()
    it("is one line with its seconds; where it fails its words and status are shown", function()
      local text, status = run "spec/support/stage 'doing it' sh -c 'echo words'"
      assert.equal(0, status)
      assert.matches("^doing it … %d+ s\n$", text)
      text, status = run "spec/support/stage 'doing it' sh -c 'echo words; echo more >&2; exit 7'"
      assert.equal(7, status)
      assert.matches("^doing it … failed after %d+ s, with these words:\nwords\nmore\n$", text)
    end)
  end)
end)

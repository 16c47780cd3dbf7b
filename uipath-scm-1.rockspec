rockspec_format = "3.0"
package = "uipath"
version = "scm-1"
source = { url = "git+https://github.com/uipath-lua/uipath.git" }
description = {
  summary = "UiPath's cloud APIs for Lua and LuaJIT, over libcurl",
  detailed = [[
    client:get(path) gives Lua tables; tokens, retries, deadlines and errors are taken care of.
    On Debian say: luarocks --lua-version 5.4 make $(make -s rock-vars)]],
  license = "MIT",
}
supported_platforms = { "unix" }
dependencies = { "lua >= 5.1", "lua-cjson" }
external_dependencies = { CURL = { header = "curl/curl.h" } }
build = {
  type = "builtin",
  modules = {
    uipath = {
      defines = { "_GNU_SOURCE" },
      incdirs = { "$(CURL_INCDIR)" },
      libdirs = { "$(CURL_LIBDIR)" },
      libraries = { "curl", "pthread" },
      sources = {
        "src/body.c",
        "src/call_object.c",
        "src/client.c",
        "src/engine/buffer.c",
        "src/engine/call.c",
        "src/engine/engine.c",
        "src/engine/exchange.c",
        "src/engine/flight.c",
        "src/engine/folder_header.c",
        "src/engine/loop.c",
        "src/engine/pace.c",
        "src/engine/retry.c",
        "src/engine/text.c",
        "src/engine/timer.c",
        "src/engine/token.c",
        "src/engine/token_cache.c",
        "src/engine/token_reply.c",
        "src/engine/transfer.c",
        "src/engine/transport.c",
        "src/engine/url.c",
        "src/environment.c",
        "src/error.c",
        "src/folder.c",
        "src/json/decode.c",
        "src/json/encode.c",
        "src/json/marks.c",
        "src/json/number.c",
        "src/json/scan.c",
        "src/lazy.c",
        "src/literal.c",
        "src/odata.c",
        "src/options.c",
        "src/request.c",
        "src/response.c",
        "src/suggest.c",
        "src/uipath.c",
      },
    },
    ["uipath.errors"] = "src/uipath/errors.lua",
    ["uipath.functions"] = "src/uipath/functions.lua",
    ["uipath.sandbox"] = "src/uipath/sandbox.lua",
    ["uipath.sandbox.configuration"] = "src/uipath/sandbox/configuration.lua",
    ["uipath.sandbox.control"] = "src/uipath/sandbox/control.lua",
    ["uipath.sandbox.faults"] = "src/uipath/sandbox/faults.lua",
    ["uipath.sandbox.filter"] = "src/uipath/sandbox/filter.lua",
    ["uipath.sandbox.generated"] = "src/uipath/sandbox/generated.lua",
    ["uipath.sandbox.identity"] = "src/uipath/sandbox/identity.lua",
    ["uipath.sandbox.json"] = "src/uipath/sandbox/json.lua",
    ["uipath.sandbox.orchestrator"] = "src/uipath/sandbox/orchestrator.lua",
    ["uipath.sandbox.paging"] = "src/uipath/sandbox/paging.lua",
    ["uipath.sandbox.platform"] = "src/uipath/sandbox/platform.lua",
    ["uipath.sandbox.problem"] = "src/uipath/sandbox/problem.lua",
    ["uipath.sandbox.query"] = "src/uipath/sandbox/query.lua",
    ["uipath.sandbox.rows"] = "src/uipath/sandbox/rows.lua",
    ["uipath.sandbox.server"] = "src/uipath/sandbox/server.lua",
    ["uipath.sandbox.supervisor"] = "src/uipath/sandbox/supervisor.lua",
    ["uipath.sandbox.tenant"] = "src/uipath/sandbox/tenant.lua",
    ["uipath.sandbox.testmanager"] = "src/uipath/sandbox/testmanager.lua",
    ["uipath.sandbox.token_faults"] = "src/uipath/sandbox/token_faults.lua",
    ["uipath.sandbox.types"] = "src/uipath/sandbox/types.lua",
    ["uipath.sandbox.wire"] = "src/uipath/sandbox/wire.lua",
    ["uipath.token"] = "src/uipath/token.lua",
  },
}
test = { type = "command", command = "make test" }

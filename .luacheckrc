std = "min"
max_line_length = 140
files["src/uipath/sandbox"] = { std = "ngx_lua" }
files["src/uipath/nginx.lua"] = { std = "ngx_lua" }
files["src/uipath/nginx"] = { std = "ngx_lua" }
files["src/uipath/library"] = { ignore = { "211", "212", "241" } }
files["src/uipath/catalogue/data.lua"] = { max_string_line_length = false }
files["examples/haproxy"] = { read_globals = { "core" } }
files["examples/neovim"] = { globals = { "vim" } }
files["spec"] = { std = "max+busted" }
files["spec/support/storage_host.lua"] = { std = "ngx_lua" }
files["spec/bench"] = { std = "max" }
files["uipath-scm-1.rockspec"] = { std = "rockspec" }
exclude_files = { "build" }

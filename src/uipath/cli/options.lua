-- What luipath takes on its command line, for lua-argparse. Only the command that is asked for is defined in full: the rest would cost
-- more than it is worth.

local options = {}

local methods = { get = "GET", post = "POST", put = "PUT", patch = "PATCH", delete = "DELETE" }

local commands = {
  { "get", "read PATH, a page of it or all" },
  { "post", "send a body to PATH" },
  { "put", "replace what is at PATH" },
  { "patch", "change what is at PATH" },
  { "delete", "delete what is at PATH" },
  { "tests", "run test sets, and what came of them" },
  { "download", "fetch PATH, or what its answer says where the file is, into FILE" },
  { "upload", "send FILE to where the answer of PATH says, or to PATH itself" },
  { "token", "say what the token is good for" },
  { "can", "say whether the token's scopes allow a call" },
  { "endpoints", "list the endpoints that the catalogue knows" },
  { "describe", "say what the catalogue knows of PATH" },
  { "sandbox", "run the bundled tenant until Ctrl-C" },
  { "completion", "print a script that completes luipath's words in a shell" },
}

local function whole(text)
  local number = text:find "^%d+$" and tonumber(text)
  if not number then return nil, "'" .. text .. "' is no whole number" end
  return number
end

local function seconds(text)
  local number = tonumber(text)
  if not number or number <= 0 then return nil, "'" .. text .. "' is no number of seconds" end
  return number
end

-- A folder's id is a number, as in a script.
local function folder(text)
  return text:find "^%d+$" and tonumber(text) or text
end

local function words(text)
  local list = {}
  for word in text:gmatch "[^,]+" do list[#list + 1] = word:match "^%s*(.-)%s*$" end
  return list
end

local function pair(text)
  local name, value = text:match "^([^=]+)=(.*)$"
  if not name then return nil, "'" .. text .. "' must be NAME=VALUE" end
  return { name, value }
end

local function header(text)
  local name, value = text:match "^([^:]+):%s*(.*)$"
  if not name then return nil, "'" .. text .. "' must be NAME: VALUE" end
  return { name, value }
end

-- Options of every command that connects.
local function add_connection(command)
  command:group("Which tenant (else as UIPATH_* variables or the profile say)",
    command:option("--profile", "a profile of ~/.uipath/config"):argname "<name>",
    command:option("--organization"):argname "<name>",
    command:option("--tenant"):argname "<name>",
    command:option("--folder", "its path, key or id"):argname "<folder>":convert(folder),
    command:option("--timeout", "for a call in all"):argname "<seconds>":convert(seconds))
  command:flag("--sandbox", "use the bundled tenant")
end

local function add_output(command)
  command:option("-o --output", "table (the default on a terminal), json (else), jsonl, csv or lua")
    :choices(require("uipath.output").formats)
end

local function add_query(command)
  command:group("OData",
    command:option("--filter", "such as \"State eq 'Faulted'\""):argname "<expression>",
    command:option("--select", "members, with commas between"):argname "<names>":convert(words),
    command:option("--expand"):argname "<names>":convert(words),
    command:option("--orderby"):argname "<names>":convert(words),
    command:option("--top", "at most so many rows"):argname "<rows>":convert(whole),
    command:option("--skip"):argname "<rows>":convert(whole),
    command:flag("--count", "ask for the number of rows in all"),
    command:option("--search"):argname "<text>",
    command:option("--apply"):argname "<expression>")
end

local function add_call(command, name)
  command:argument("path", "such as odata/Jobs, or identity_/api/…")
  add_query(command)
  command:option("--query", "any other parameter"):argname "<name>=<value>":count "*":convert(pair)
  command:option("--header"):argname "<name>: <value>":count "*":convert(header)
  command:option("--level", "of a service that luipath does not know"):choices { "organization", "tenant" }
  command:option("--max-attempts"):argname "<number>":convert(whole)
  if name == "get" then
    command:flag("--all", "walk all pages; --top is then the rows in all")
    command:option("--page-size"):argname "<rows>":convert(whole)
    command:option("--by", "walk by this key instead of by offset"):argname "<name>"
  else
    command:option("--body", "JSON; @file sends a file, @- standard input"):argname "<text>"
    command:flag("--idempotent", "send it again even where the service may have acted")
  end
  add_output(command)
  command:flag("--guard", "in CSV: no text is taken for a formula (an apostrophe before = + - @)")
end

-- Commands that connect, and then take the options of a connection.
local connects = {
  download = true, upload = true, get = true, post = true, put = true, patch = true, delete = true, token = true, can = true,
  tests = true,
}

-- What download and upload have in common; the arguments are defined before.
local function add_transfer(command)
  command:option("--query", "a parameter of PATH"):argname "<name>=<value>":count "*":convert(pair)
  command:option("--header"):argname "<name>: <value>":count "*":convert(header)
  command:option("--level", "of a service that luipath does not know"):choices { "organization", "tenant" }
  command:option("--max-attempts"):argname "<number>":convert(whole)
  command:option("--total-timeout", "for all of it; --timeout is without progress"):argname "<seconds>":convert(seconds)
end

local define = {
  tests = function(command) require "uipath.cli.tests.options"(command) end,
  download = function(command)
    command:argument("path", "such as odata/Buckets(1)/…GetReadUri?path=…")
    command:argument("file", "which is there only when it is whole; - is standard output")
    add_transfer(command)
  end,
  upload = function(command)
    command:argument("file", "- is standard input")
    command:argument("path", "such as odata/Buckets(1)/…GetWriteUri?path=…")
    command:option("--method", "PATH takes the file itself, by this"):choices { "PUT", "POST", "PATCH" }
    command:option("--content-type", "of the file"):argname "<type>"
    command:flag("--idempotent", "send it again even where the service may have acted")
    add_transfer(command)
  end,
  token = function(command)
    command:flag("--access-token", "print the token itself, which is a secret")
    add_output(command)
  end,
  can = function(command)
    command:argument("method", "such as GET")
    command:argument "path"
  end,
  endpoints = function(command)
    command:argument("pattern", "a part of METHOD and path, or a Lua pattern"):args "?"
    add_output(command)
  end,
  describe = function(command)
    command:argument "path"
    add_output(command)
  end,
  sandbox = function(command)
    command:flag("--tls", "serve https")
    command:option("--latency", "seconds that each reply is held back"):argname "<seconds>":convert(seconds)
  end,
  completion = function(command)
    command:argument("shell"):choices { "bash", "zsh", "fish" }
  end,
}
for name in pairs(methods) do define[name] = add_call end

-- The command among the words, if any.
local function wanted(arguments)
  for _, word in ipairs(arguments) do
    if define[word] then return word end
  end
end

-- connection: whether options of the connection may stand before the command; behind it they are understood in any case.
local function new_parser(wanted_command, connection)
  local parser = require "argparse" ("luipath", "UiPath's cloud APIs. Without a command: a prompt.")
  parser:command_target "command"
  parser:help_max_width(require("uipath.terminal").width() or 80)
  parser:require_command(false)
  if connection then add_connection(parser) end
  parser:flag("--version"):action(function()
    print(require("uipath")._VERSION)
    os.exit(0)
  end)
  parser:epilog "Exit codes: 0, 1 the service said no, 2 usage, 3 network."
  for _, each in ipairs(commands) do
    local command = parser:command(each[1], each[2])
    if wanted_command == each[1] or wanted_command == "completion" then
      define[each[1]](command, each[1])
      if connects[each[1]] and not connection then add_connection(command) end
    end
  end
  return parser
end

---@param arguments string[]
---@return table? parsed command, and the options by name
---@return string? problem
function options.parse(arguments)
  local command = wanted(arguments)
  local parser = new_parser(command, not command or command == "completion" or arguments[1]:find "^%-")
  local ok, parsed = parser:pparse(arguments)
  if not ok then return nil, parsed .. (command and ("\nluipath %s --help says more"):format(command) or "\nluipath --help says more") end
  if parsed.command == "completion" then
    return { command = "completion", script = require("uipath.cli.completion").script(parser, parsed.shell) }
  end
  parsed.method = methods[parsed.command] or parsed.method
  return parsed
end

return options

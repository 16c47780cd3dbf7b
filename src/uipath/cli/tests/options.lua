-- What `luipath tests …` takes on its command line.

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

local function pair(text)
  local name, value = text:match "^([^=]+)=(.*)$"
  if not name then return nil, "'" .. text .. "' must be NAME=VALUE" end
  return { name, value }
end

local function add_files(command)
  command:group("What is written",
    command:option("--junit", "the results as a JUnit file, red wherever the verdict is"):argname "<file>",
    command:option("--markdown", "a table of them for a merge request"):argname "<file>",
    command:flag("--github", "annotations and the step summary of GitHub Actions"),
    command:option("-o --output", "json, jsonl, csv or lua instead of a table of what has not passed")
      :choices(require("uipath.output").formats))
  command:option("--assertions", "of so many failed cases those are fetched: 200"):argname "<cases>":convert(whole)
end

local function add_wait(command)
  command:option("--timeout", "how long to wait, 14400; the run goes on afterwards"):argname "<seconds>":convert(seconds)
  command:option("--poll", "how often to ask"):argname "<seconds>":convert(seconds)
end

local function add_test_set(command)
  command:argument("test_set", "its key, such as DEMO:42; with --project or --orchestrator its name")
  command:option("--project", "its project's prefix, where a name is given"):argname "<prefix>"
  command:flag("--orchestrator", "one of Orchestrator's own, in --folder")
end

local define = {
  run = function(command)
    add_test_set(command)
    add_wait(command)
    command:option("--parameter", "of the set, for everybody while it runs"):argname "<name>=<value>":count "*":convert(pair)
    add_files(command)
  end,
  result = function(command)
    command:argument("ref", "the run, such as DEMO/<id>")
    command:option("--wait", "wait so long for its end"):argname "<seconds>":convert(seconds)
    command:option("--poll", "how often to ask"):argname "<seconds>":convert(seconds)
    add_files(command)
  end,
  rerun = function(command)
    command:argument("ref", "the run, such as DEMO/<id>")
    add_wait(command)
    add_files(command)
  end,
  report = function(command)
    add_test_set(command)
    command:option("--from", "a JUnit file, or JSON lines { \"case\":, \"result\":, \"reason\": }; - is standard input")
      :argname "<file>":count(1)
    add_files(command)
  end,
  sets = function(command)
    command:option("--project", "of this project alone"):argname "<prefix>"
    command:option "-o --output":choices(require("uipath.output").formats)
  end,
  cases = function(command)
    add_test_set(command)
    command:option "-o --output":choices(require("uipath.output").formats)
  end,
  executions = function(command)
    add_test_set(command)
    command:option "-o --output":choices(require("uipath.output").formats)
  end,
}

local verbs = {
  { "run", "run a test set and wait for its verdict" },
  { "result", "what came of a run, or how far it is" },
  { "rerun", "run the failed cases of a run once more" },
  { "report", "write another tool's results as a run" },
  { "sets", "list the test sets" },
  { "cases", "list the test cases of a set" },
  { "executions", "list the runs of a set, the newest first" },
}

local CODES = "Exit codes: 0 green, 1 red or refused, 2 usage, 3 network, 4 the time was over and the run goes on."

---Defines the verbs of the command.
return function(command)
  command:command_target "verb"
  command:epilog(CODES)
  for _, each in ipairs(verbs) do
    define[each[1]](command:command(each[1], each[2]):epilog("Which tenant: luipath tests --help. " .. CODES))
  end
end

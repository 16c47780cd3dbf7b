-- luipath tests run, result, rerun, report, sets, cases, executions.

local connection = require "uipath.cli.connection"
local output_file = require "uipath.recipes.tests.output_file"
local report = require "uipath.cli.report"
local results = require "uipath.cli.tests.results"
local summary = require "uipath.cli.tests.summary"
local terminal = require "uipath.terminal"
local uipath = require "uipath"

local tests = {}

local GOES_ON = 4
local TICK, BAR = 0.5, 20

-- ---------------------------------------------------------------------------
-- The living line
-- ---------------------------------------------------------------------------

local function duration(seconds)
  seconds = math.floor(seconds)
  if seconds < 60 then return seconds .. " s" end
  return ("%d:%02d"):format(math.floor(seconds / 60), seconds % 60)
end

-- Runs a function that waits for a run, with one line that says how far it is, where standard error is a terminal.
---@param work fun(on_progress: function): any, any
local function watched(work)
  local began, done, total, failed, shown = terminal.now(), nil, nil, 0, false
  local function draw()
    local time = duration(terminal.now() - began)
    local line
    if not total then
      line = ("waiting for the run, %s"):format(time)
    else
      local filled = total > 0 and math.floor(done / total * BAR) or 0
      line = ("[%s%s] %d of %d done, %d failed, %s"):format(("#"):rep(filled), ("."):rep(BAR - filled), done, total, failed or 0, time)
    end
    io.stderr:write("\r\27[K", (line:sub(1, (terminal.width() or 80) - 1)), "\r")
    shown = true
  end
  if not terminal.is_terminal(2) then return terminal.run(function() return work() end) end
  local function on_progress(...)
    done, total, failed = ...
    draw()
  end
  local function finish(...)
    terminal.tick(nil)
    terminal.while_waiting(nil)
    if shown then io.stderr:write "\27[K" end
    return ...
  end
  terminal.while_waiting(draw)
  terminal.tick(TICK)
  return finish(terminal.run(function() return work(on_progress) end))
end

-- ---------------------------------------------------------------------------
-- What a run is told by
-- ---------------------------------------------------------------------------

local function write_file(path, text)
  local ok, err = output_file.write(path, text)
  if not ok then report.usage(err.message) end
end

local function append(path, text)
  local file, why = io.open(path, "ab")
  if not file then report.usage("GITHUB_STEP_SUMMARY: " .. why) end
  local ok, problem = file:write(text)
  local closed, reason = file:close()
  if not (ok and closed) then report.usage("GITHUB_STEP_SUMMARY: " .. tostring(problem or reason)) end
end

local function write_for_github(run, text)
  for _, line in ipairs(summary.annotations(run)) do report.write(line .. "\n") end
  local path = os.getenv "GITHUB_STEP_SUMMARY"
  if path and path ~= "" then append(path, text) end
end

local function write_table(run)
  local rows = {}
  for i, case in ipairs(summary.not_passed(run)) do
    rows[i] = { key = case.key, name = case.name, result = case.result, why = summary.message_of(case) }
  end
  if #rows == 0 then return end
  local writer = report.writer("table", { select = { "key", "name", "result", "why" } })
  writer.rows(rows)
  writer.finish()
end

-- Writes a run in the form that is wanted. nothing else is on standard output.
local function write_run(parsed, run)
  if parsed.markdown or parsed.github then
    local text = summary.markdown(run)
    if parsed.markdown then write_file(parsed.markdown, text) end
    if parsed.github then write_for_github(run, text) end
  end
  local format = parsed.output
  if format == "json" or format == "lua" then
    report.writer(format, {}).value(run)
  elseif format and format ~= "table" then
    local writer = report.writer(format, { select = { "key", "name", "result", "seconds", "reason" } })
    writer.rows(run.cases)
    writer.finish()
  elseif not parsed.github then
    write_table(run)
  end
  report.note(summary.line(run) .. (run.url and "\n" .. run.url or ""))
end

local function is_going_on(run)
  return run.status ~= "Finished" and run.status ~= "Cancelled" and run.status ~= "Canceled"
end

local function again_by(ref) return "the run goes on; to take it up again: luipath tests result " .. ref end

-- The exit code of what a recipe gave.
local function finish(parsed, run, err)
  if run then
    write_run(parsed, run)
    if run.passed then return 0 end
    if not is_going_on(run) then return report.EXIT.refused end
    report.note(again_by(run.ref))
    return GOES_ON
  end
  -- A request's own timeout has a method: it is one of the network.
  if uipath.is_error(err) and err.kind == "timeout" and err.run and not err.method then
    report.failure(err)
    return GOES_ON
  end
  return report.failure(err)
end

-- Runs what waits for a run, and says how to take that up again where the wait was interrupted.
local function wait_for(parsed, work)
  local started
  local ok, run, err = watched(function(on_progress)
    return work {
      on_progress = on_progress,
      on_start = function(ref, url)
        started = ref
        if not terminal.is_terminal(2) then report.note("started " .. ref .. (url and " " .. url or "")) end
      end,
    }
  end)
  if not ok then
    if started then report.note(again_by(started)) end
    error(run, 0)
  end
  return finish(parsed, run, err)
end

-- ---------------------------------------------------------------------------
-- The verbs
-- ---------------------------------------------------------------------------

local function test_set_of(parsed)
  if parsed.orchestrator then return { orchestrator = parsed.test_set } end
  if parsed.project then return { project = parsed.project, name = parsed.test_set } end
  if not parsed.test_set:find "^[%w_-]+:%d+$" then
    report.usage(("'%s' is no key such as DEMO:42; --project or --orchestrator makes it a name"):format(parsed.test_set))
  end
  return parsed.test_set
end

local function parameters_of(parsed)
  local map = {}
  for _, each in ipairs(parsed.parameter or {}) do
    if map[each[1]] then report.usage("--parameter: " .. each[1] .. " is there twice") end
    map[each[1]] = each[2]
  end
  return next(map) and map or nil
end

-- The wait's own time is none of a single call.
local function open(parsed)
  local timeout = parsed.timeout
  parsed.timeout = nil
  local client = connection.open(parsed)
  parsed.timeout = timeout
  return client
end

local function check_ref(parsed)
  if not parsed.ref:find "^[%w_-]+/[%w-]+$" then report.usage(("'%s' is no run such as DEMO/<id>"):format(parsed.ref)) end
end

local verbs = {}

function verbs.run(parsed)
  local set = test_set_of(parsed)
  local client = open(parsed)
  local parameters = parameters_of(parsed)
  if parameters then report.note "--parameter changes the test set for everybody until the run is over" end
  return wait_for(parsed, function(told)
    return client.tests:run(set, {
      timeout = parsed.timeout, poll = parsed.poll, junit = parsed.junit, parameters = parameters, assertions = parsed.assertions,
      on_progress = told.on_progress, on_start = told.on_start,
    })
  end)
end

function verbs.result(parsed)
  check_ref(parsed)
  local client = connection.open(parsed)
  return wait_for(parsed, function(told)
    return client.tests:result(parsed.ref, {
      wait = parsed.wait, poll = parsed.poll, junit = parsed.junit, assertions = parsed.assertions, on_progress = told.on_progress,
    })
  end)
end

function verbs.rerun(parsed)
  check_ref(parsed)
  local client = open(parsed)
  return wait_for(parsed, function(told)
    local former, err = client.tests:result(parsed.ref, { assertions = 0 })
    if not former then return nil, err end
    return client.tests:rerun(former, {
      timeout = parsed.timeout, poll = parsed.poll, junit = parsed.junit, assertions = parsed.assertions,
      on_progress = told.on_progress, on_start = told.on_start,
    })
  end)
end

local function read_from(name)
  if name == "-" then return io.read "*a" end
  local file, problem = io.open(name, "rb")
  local text = file and file:read "*a"
  if file then file:close() end
  if not text then report.usage("--from: " .. (problem or name .. " cannot be read")) end
  return text
end

function verbs.report(parsed)
  local set, text = test_set_of(parsed), read_from(parsed.from)
  local client = connection.open(parsed)
  local by_name
  -- The set's cases are asked for only where names without a key are to be understood.
  local function key_of(name)
    if not by_name then
      by_name = {}
      for row in client.tests:cases(set) do
        if type(row.name) == "string" then by_name[row.name] = row.objKey end
      end
    end
    return by_name[name]
  end
  local list, problem = results.read(text, key_of)
  if not list then report.usage("--from " .. parsed.from .. ": " .. problem) end
  local ok, run, err = pcall(client.tests.report, client.tests, set, list, { junit = parsed.junit })
  if not ok then error(type(run) == "string" and run:gsub("^[^:]*uipath/[^:]*:%d+: ", "") or run, 0) end
  return finish(parsed, run, err)
end

local function list(parsed, iterator, columns)
  local rows = {}
  for row in iterator do rows[#rows + 1] = row end
  local writer = report.writer(parsed.output, { select = not report.is_faithful(parsed.output) and columns or nil })
  writer.rows(rows)
  writer.finish()
  return 0
end

function verbs.sets(parsed)
  return list(parsed, connection.open(parsed).tests:sets { project = parsed.project }, { "objKey", "name", "id" })
end

function verbs.cases(parsed)
  local set = test_set_of(parsed)
  return list(parsed, connection.open(parsed).tests:cases(set), { "objKey", "name", "id" })
end

function verbs.executions(parsed)
  local set = test_set_of(parsed)
  return list(parsed, connection.open(parsed).tests:executions(set), { "id", "status", "created", "executionFinished" })
end

---@param parsed table
---@return integer exit_code
function tests.run(parsed)
  return verbs[parsed.verb](parsed)
end

return tests

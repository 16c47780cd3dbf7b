-- Prints how fast JSON is decoded and encoded by this module, by lua-cjson and by dkjson, all in one run, and what
-- is the least that decoding can take (json_floor.c). Run by `make bench`, under both Luas.
--
-- A figure is the least CPU time of many rounds in which all take their turns; the collector runs before each and
-- stands still during it. "ratio" is lua-cjson's time by this one's: 2.00 is twice as fast as lua-cjson.
local cjson = require "cjson"
local dkjson = require "dkjson"
local documents = require "json_documents"
local floor = require "json_floor"
local json = require "uipath".json

local ROUNDS = tonumber(os.getenv "ROUNDS") or 25
local MEASURED_BYTES = 300000 -- short documents are repeated up to this size within a figure

-- dkjson has a variant on LPeg, which is what people use for speed.
local ok, fast_dkjson = pcall(function() return dkjson.use_lpeg() end)
if ok then dkjson = fast_dkjson end

local function peak_kb()
  for line in io.lines "/proc/self/status" do
    local kb = line:match "^VmHWM:%s*(%d+)"
    if kb then return tonumber(kb) end
  end
end

local function forget_peak()
  local file = io.open("/proc/self/clear_refs", "w")
  if file then
    file:write "5"
    file:close()
  end
end

local decoders = { ours = json.decode, ["lua-cjson"] = cjson.decode }

-- The child, whose heap is fresh: how much more memory the process ever held while one decoder decoded one file.
if arg[1] == "memory" then
  local file = assert(io.open(arg[3]))
  local text = file:read "*a"
  file:close()
  local decode = decoders[arg[2]]
  decode "[1]"
  collectgarbage()
  collectgarbage()
  forget_peak()
  local before = peak_kb()
  local value = decode(text)
  print(peak_kb() - before, value ~= nil)
  os.exit(true, true)
end

local function time(run, argument, times)
  collectgarbage()
  collectgarbage()
  collectgarbage "stop"
  local begin = os.clock()
  for _ = 1, times do run(argument) end
  local taken = os.clock() - begin
  collectgarbage "restart"
  return taken / times * 1000
end

-- The least time each of the runs takes, in turns.
local function measure(runs, times)
  local least = {}
  for round = 1, ROUNDS do
    for i, run in ipairs(runs) do
      if round <= 3 or not run.slow then
        least[i] = math.min(least[i] or math.huge, time(run.run, run.argument, times))
      end
    end
  end
  return least
end

local function print_row(what, name, runs, least)
  io.write(("%-7s %-7s"):format(what, name))
  for i in ipairs(runs) do io.write((" %10.4f"):format(least[i])) end
  io.write "  "
  for i in ipairs(runs) do io.write((" %9.2f"):format(least[2] / least[i])) end
  io.write "\n"
end

local function print_header(runs)
  io.write(("%-15s"):format "ms")
  for _, run in ipairs(runs) do io.write((" %10s"):format(run.name)) end
  io.write "  "
  for _, run in ipairs(runs) do io.write((" %9s"):format("/" .. run.name:sub(1, 8))) end
  io.write "   (ratio to lua-cjson)\n"
end

local names = { "odata", "mixed", "logs", "reply" }

print(("%s, %d rounds"):format(jit and jit.version or _VERSION, ROUNDS))
for _, name in ipairs(names) do
  local text = documents[name]()
  local runs = {
    { name = "ours", run = json.decode, argument = text },
    { name = "lua-cjson", run = cjson.decode, argument = text },
    { name = "dkjson", run = dkjson.decode, argument = text, slow = true },
    { name = "floor", run = floor.build, argument = floor.compile(json.decode(text)) },
  }
  if name == names[1] then print_header(runs) end
  local least = measure(runs, math.ceil(MEASURED_BYTES / #text))
  print_row("decode", name, runs, least)
  print(("%-15s %d bytes, ours to floor %.2f"):format("", #text, least[1] / least[4]))
end
for _, name in ipairs(names) do
  local text = documents[name]()
  local value = json.decode(text)
  local runs = {
    { name = "ours", run = json.encode, argument = value },
    { name = "lua-cjson", run = cjson.encode, argument = value },
    { name = "dkjson", run = dkjson.encode, argument = dkjson.decode(text, 1, dkjson.null), slow = true },
  }
  print_row("encode", name, runs, measure(runs, math.ceil(MEASURED_BYTES / #text)))
end
print "growth of VmHWM in kB while decoding, ours and lua-cjson:"
local interpreter = arg[-1]
for _, name in ipairs(names) do
  local path = os.tmpname()
  local file = assert(io.open(path, "w"))
  file:write(documents[name]())
  file:close()
  io.write(("%-15s"):format(name))
  for _, decoder in ipairs { "ours", "lua-cjson" } do
    local child = io.popen(("%s %s memory %s %s"):format(interpreter, arg[0], decoder, path))
    io.write((" %10d"):format(child:read "n"))
    child:close()
  end
  io.write "\n"
  os.remove(path)
end

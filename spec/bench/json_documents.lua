-- The documents that JSON is measured with; the same ones every time.
local documents = {}

-- Minimal standard generator: exact in doubles, so that both Luas make the same documents.
local seed
local function random(n)
  seed = seed * 16807 % 2147483647
  return seed % n + 1
end

local function word(length)
  local letters = {}
  for i = 1, length do letters[i] = string.char(96 + random(26)) end
  return table.concat(letters)
end

local function guid()
  local digits = {}
  for i = 1, 36 do digits[i] = ("0123456789abcdef"):sub(random(16), -1):sub(1, 1) end
  for _, i in ipairs { 9, 14, 19, 24 } do digits[i] = "-" end
  return table.concat(digits)
end

local function one_of(list) return list[random(#list)] end

local function timestamp()
  return ("2026-%02d-%02dT%02d:%02d:%02d.%03dZ"):format(random(12), random(28), random(24) - 1, random(60) - 1,
    random(60) - 1, random(1000) - 1)
end

-- What a tenant has a few of: states, processes, machines, robots.
local states = { "Pending", "Running", "Successful", "Faulted", "Stopped" }
local priorities = { "Low", "Normal", "High" }
local sources = { "Manual", "Schedule", "Queue" }
local environments = { "Production", "Test", "Development" }
local results = { "null", '"Job completed"', '"Job stopped with an unexpected exit code: 0xE0434352"' }
local processes, machines, robots, users = {}, {}, {}, {}
seed = 1
for i = 1, 20 do processes[i] = word(8) .. "_" .. word(6) end
for i = 1, 10 do machines[i] = "ROBOT-" .. word(5):upper() end
for i = 1, 15 do
  robots[i] = word(8)
  users[i] = "CORP\\\\" .. word(7)
end

local function boolean() return random(2) == 1 and "true" or "false" end

-- One row: 26 members, ids, keys and times its own, the rest from the lists.
local function job(id)
  local robot = random(#robots)
  return '{"Key":"' .. guid()
    .. '","StartTime":"' .. timestamp()
    .. '","EndTime":' .. (random(3) == 1 and "null" or '"' .. timestamp() .. '"')
    .. ',"State":"' .. one_of(states)
    .. '","JobPriority":"' .. one_of(priorities)
    .. '","SpecificPriorityValue":' .. random(100)
    .. ',"Source":"' .. one_of(sources)
    .. '","SourceType":"' .. one_of(sources)
    .. '","BatchExecutionKey":"' .. guid()
    .. '","Info":' .. one_of(results)
    .. ',"CreationTime":"' .. timestamp()
    .. '","StartingScheduleId":' .. (random(2) == 1 and "null" or random(5000))
    .. ',"ReleaseName":"' .. one_of(processes)
    .. '","Type":"Unattended","InputArguments":null,"OutputArguments":null,"HostMachineName":"' .. one_of(machines)
    .. '","HasMediaRecorded":' .. boolean()
    .. ',"PersistenceId":null,"ResumeVersion":null,"StopStrategy":null,"RequiresUserInteraction":' .. boolean()
    .. ',"ReleaseVersionId":' .. random(100000)
    .. ',"Robot":{"Id":' .. random(100000)
    .. ',"Name":"' .. robots[robot]
    .. '","UserName":"' .. users[robot]
    .. '","Cost":' .. random(90) .. "." .. random(89) + 10
    .. '},"Tags":["' .. one_of(environments)
    .. '"],"Id":' .. 100000000 + id .. "}"
end

-- A page of 1000 rows, as Orchestrator sends it.
function documents.odata()
  seed = 4711
  local rows = {}
  for i = 1, 1000 do rows[i] = job(i) end
  return '{"@odata.context":"https://cloud.uipath.com/acme/default/orchestrator_/odata/$metadata#Jobs",'
    .. '"@odata.count":1000,"value":[' .. table.concat(rows, ",") .. "]}"
end

local names = {}
seed = 2
for i = 1, 200 do names[i] = word(2 + random(8)) end

local mixed

-- A scalar as it stands in the mixed document.
local function scalar()
  local kind = random(10)
  if kind <= 2 then return tostring(random(2000000000)) end
  if kind <= 4 then return ("%.17g"):format((random(2000000000) + random(2000000000) / 2e9) / 10 ^ random(9)) end
  if kind <= 7 then return '"' .. word(random(20)) .. '"' end
  if kind == 8 then return '"' .. word(random(8)) .. '\\n\\"' .. word(random(8)) .. '\\u00e9"' end
  return one_of { "null", "true", "false" }
end

-- Containers of random kind and size with random names out of 200, indented by one space a level.
function mixed(depth)
  if depth >= 9 or random(10) <= 4 then return scalar() end
  local object, items = random(3) > 1, {}
  local indent = "\n" .. (" "):rep(depth)
  for i = 1, random(7) do
    items[i] = indent .. (object and '"' .. one_of(names) .. '": ' or "") .. mixed(depth + 1)
  end
  items = table.concat(items, ",") .. indent:sub(1, -2)
  return object and "{" .. items .. "}" or "[" .. items .. "]"
end

-- No two objects in it resemble each other.
function documents.mixed()
  seed = 815
  local parts, size = {}, 0
  repeat
    parts[#parts + 1] = mixed(2)
    size = size + #parts[#parts]
  until size > 1250000
  return "[\n " .. table.concat(parts, ",\n ") .. "\n]"
end

-- Long messages full of escapes and UTF-8, as the logs of robots are.
function documents.logs()
  seed = 42
  local rows = {}
  for i = 1, 1500 do
    local words = {}
    for w = 1, 40 do words[w] = word(random(10)) end
    words[5] = '\\"' .. word(6) .. '\\"'
    words[9] = "C:\\\\Users\\\\" .. word(7) .. "\\\\" .. word(5) .. ".xaml"
    words[14] = "\\u00fcber \\u20ac"
    words[20] = "größte Änderung – ✓"
    words[26] = '{\\"id\\":\\"' .. guid() .. '\\",\\"ok\\":true,\\"n\\":' .. random(1000) .. "}"
    words[33] = "\\r\\n   at " .. word(9) .. "." .. word(7) .. "(" .. word(6) .. ")"
    rows[i] = ('{"Level":"%s","WindowsIdentity":"CORP\\\\%s","ProcessName":"%s","TimeStamp":"%s","Message":"%s",'
      .. '"JobKey":"%s","RawMessage":"{\\"message\\":\\"%s\\",\\"level\\":\\"%s\\",\\"processVersion\\":\\"1.0.%d\\",'
      .. '\\"robotName\\":\\"%s\\"}","MachineId":%d,"Id":%d}'):format(one_of { "Info", "Warn", "Error" }, word(7), word(12),
      timestamp(), table.concat(words, " "), guid(), table.concat(words, " ", 27, 32), "Information", random(50), word(8),
      random(5000), 900000 + i)
  end
  return '{"@odata.count":1500,"value":[' .. table.concat(rows, ",") .. "]}"
end

-- One row, and what comes with it: a reply of 1 kB.
function documents.reply()
  seed = 7
  return '{"@odata.context":"https://cloud.uipath.com/acme/default/orchestrator_/odata/$metadata#Jobs/$entity",'
    .. '"FolderKey":"' .. guid()
    .. '","OrganizationUnitFullyQualifiedName":"Shared/Finance/Invoices","AutopilotForRobots":{"Enabled":false,"HealingEnabled":false},'
    .. job(1):sub(2)
end

return documents

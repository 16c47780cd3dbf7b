-- A run as a JUnit file that Jenkins, GitLab and GitHub read right. It is green where the run has passed, and nowhere else.

local xml = require "uipath.recipes.tests.xml"

local junit = {}

-- The decimal point is a point in every locale.
local function seconds(value)
  return (("%.3f"):format(value or 0):gsub(",", "."))
end

local function tag(name, attributes)
  local parts = { "<", name }
  for _, each in ipairs(attributes) do
    if each[2] ~= nil then parts[#parts + 1] = (' %s="%s"'):format(each[1], xml.attribute(tostring(each[2]))) end
  end
  return table.concat(parts)
end

-- The words of a failure, most telling first.
local function message_of(case)
  for _, assertion in ipairs(case.assertions or {}) do
    if assertion.passed == false and assertion.message then return assertion.message end
  end
  return case.reason or "the test has failed"
end

local function details_of(case)
  local lines = {}
  for _, assertion in ipairs(case.assertions or {}) do
    local mark = assertion.passed == nil and "?" or assertion.passed and "passed" or "FAILED"
    lines[#lines + 1] = ("%s: %s"):format(mark, assertion.message or "(an assertion without words)")
  end
  if case.reason then table.insert(lines, 1, case.reason) end
  if case.note then lines[#lines + 1] = "(" .. case.note .. ")" end
  if case.url then lines[#lines + 1] = case.url end
  return table.concat(lines, "\n")
end

-- What a case is in the file: the element, its message and its text.
local function outcome_of(case, problem)
  if case.result == "Passed" then return nil end
  if case.result == "Failed" then return "failure", message_of(case), details_of(case) end
  if case.result == "Restricted" then return "skipped", case.reason or "Restricted" end
  local why = problem or case.reason or "the result was lost: the run is over and has none for this test"
  if case.result and case.result ~= "None" then why = ("the result is %s, which is not known: %s"):format(case.result, why) end
  return "error", why, details_of(case)
end

local function write_case(out, case, classname, problem)
  local element, message, details = outcome_of(case, problem)
  local name = case.name or case.key or "a test without a name"
  if case.key and case.name then name = ("%s (%s)"):format(case.name, case.key) end
  local head = tag("testcase", { { "name", name }, { "classname", classname }, { "time", seconds(case.seconds) } })
  local said = {}
  if element and case.url then said[#said + 1] = case.url end
  if element and case.robot then said[#said + 1] = "robot: " .. case.robot end
  if not element and #said == 0 then
    out[#out + 1] = "    " .. head .. "/>"
    return element
  end
  out[#out + 1] = "    " .. head .. ">"
  if element == "skipped" then
    out[#out + 1] = "      " .. tag(element, { { "message", message } }) .. "/>"
  elseif element then
    out[#out + 1] = ("      %s>%s</%s>"):format(tag(element, { { "message", message }, { "type", case.result or "None" } }),
      xml.text(details or ""), element)
  end
  if #said > 0 then out[#out + 1] = ("      <system-out>%s</system-out>"):format(xml.text(table.concat(said, "\n"))) end
  out[#out + 1] = "    </testcase>"
  return element
end

local function properties_of(run)
  local list = {}
  for _, each in ipairs {
    { "project", run.project }, { "test set", run.test_set }, { "execution", run.id }, { "status", run.status }, { "url", run.url },
    { "robot", run.robots },
  } do
    if each[2] then list[#list + 1] = "      " .. tag("property", { { "name", each[1] }, { "value", each[2] } }) .. "/>" end
  end
  return list
end

-- Why a run is red whose cases all have passed, or of which there are none.
local function why_red(run, problem)
  if problem then return problem end
  if #run.cases == 0 then return "the run has no test cases" end
  return ("the run is %s"):format(run.status or "of an unknown status")
end

---A run as XML. `problem`, where there is one, is why it has come to no end.
---@param run table
---@param problem? string
---@return string
function junit.write(run, problem)
  local counts = { failure = 0, error = 0, skipped = 0 }
  local cases = {}
  local name = run.name or run.test_set or run.ref or "test set"
  local classname = run.project and run.project .. "." .. name or name
  local total, time = 0, 0
  local function add(case)
    local element = write_case(cases, case, classname, problem)
    total = total + 1
    time = time + (case.seconds or 0)
    if element then counts[element] = counts[element] + 1 end
  end
  for _, case in ipairs(run.cases) do add(case) end
  local is_red = problem or not run.passed
  -- Something that is skipped makes no reader show red, and a run that was not seen to its end has an error in any case.
  if is_red and counts.error == 0 and (problem or counts.failure == 0) then
    local skipped = counts.skipped > 0 and not problem and run.status == "Finished"
    add { name = name, result = "None", url = run.url,
      reason = skipped and "not every test has passed: " .. counts.skipped .. " could not be seen" or why_red(run, problem) }
  end
  local numbers = { { "tests", total }, { "failures", counts.failure }, { "errors", counts.error }, { "skipped", counts.skipped } }
  local out = { '<?xml version="1.0" encoding="UTF-8"?>' }
  local function head(element, first, rest)
    local attributes = { { "name", name } }
    for _, each in ipairs(first) do attributes[#attributes + 1] = each end
    for _, each in ipairs(numbers) do attributes[#attributes + 1] = each end
    for _, each in ipairs(rest) do attributes[#attributes + 1] = each end
    return tag(element, attributes) .. ">"
  end
  local whole = seconds(run.seconds or time)
  out[#out + 1] = head("testsuites", {}, { { "time", whole } })
  out[#out + 1] = "  " .. head("testsuite", { { "id", 0 } }, {
    { "time", whole }, { "timestamp", run.started and run.started:match "^%d+%-%d+%-%d+T%d+:%d+:%d+" },
  })
  local properties = properties_of(run)
  if #properties > 0 then
    out[#out + 1] = "    <properties>"
    for _, line in ipairs(properties) do out[#out + 1] = line end
    out[#out + 1] = "    </properties>"
  end
  for _, line in ipairs(cases) do out[#out + 1] = line end
  out[#out + 1] = "  </testsuite>"
  out[#out + 1] = "</testsuites>"
  return table.concat(out, "\n") .. "\n"
end

return junit

-- The JUnit file of a run: read by a small reader of XML, and held against the common dialect of those files.

local junit = require "uipath.recipes.tests.junit"

local ENTITIES = { lt = "<", gt = ">", amp = "&", quot = '"', apos = "'" }

local function unescape(text)
  assert.is_nil(text:find("&[^#%w]"), text)
  return (text:gsub("&(#?%w+);", function(name)
    local number = name:match "^#(%d+)$"
    return number and string.char(tonumber(number)) or assert(ENTITIES[name], name)
  end))
end

-- Reads XML of this kind: elements, attributes, text. Raises where it is not well-formed.
local function parse(text)
  assert.equal('<?xml version="1.0" encoding="UTF-8"?>\n', text:sub(1, 39))
  local stack, at = { { children = {} } }, 40
  while true do
    local from, to, closing, name, rest = text:find("<(/?)([%w-]+)(.-)>", at)
    local top = stack[#stack]
    local between = text:sub(at, (from or #text + 1) - 1)
    assert.is_nil(between:find("[<>]"), between)
    top.text = (top.text or "") .. unescape(between)
    if not from then break end
    if closing == "/" then
      assert.equal(top.name, name)
      stack[#stack] = nil
    else
      local element, own = { name = name, attributes = {}, children = {} }, rest:gsub("/$", "")
      local left = own:gsub('%s([%w-]+)="([^"<>]*)"', function(key, value)
        assert.is_nil(element.attributes[key], key)
        element.attributes[key] = unescape(value)
        return ""
      end)
      assert.equal("", left)
      table.insert(top.children, element)
      if not rest:find "/$" then stack[#stack + 1] = element end
    end
    at = to + 1
  end
  assert.equal(1, #stack)
  assert.equal(1, #stack[1].children)
  return stack[1].children[1]
end

-- The dialect that Jenkins, GitLab and GitHub's readers have in common: the attributes that must and that may be there, and the children in
-- their order.
local SCHEMA = {
  testsuites = { must = { "name", "tests", "failures", "errors", "skipped", "time" }, may = {}, children = { "testsuite" } },
  testsuite = { must = { "name", "tests", "failures", "errors", "skipped", "time", "id" }, may = { "timestamp" },
    children = { "properties", "testcase" } },
  properties = { must = {}, may = {}, children = { "property" } },
  property = { must = { "name", "value" }, may = {}, children = {} },
  testcase = { must = { "name", "classname", "time" }, may = {}, children = { "skipped", "error", "failure", "system-out" } },
  skipped = { must = { "message" }, may = {}, children = {} },
  error = { must = { "message", "type" }, may = {}, children = {} },
  failure = { must = { "message", "type" }, may = {}, children = {} },
  ["system-out"] = { must = {}, may = {}, children = {} },
}
local KINDS = {
  tests = "^%d+$", failures = "^%d+$", errors = "^%d+$", skipped = "^%d+$", time = "^%d+%.%d%d%d$",
  timestamp = "^%d%d%d%d%-%d%d%-%d%dT%d%d:%d%d:%d%d$",
}

local function validate(element)
  local rules = assert(SCHEMA[element.name], element.name)
  local allowed = {}
  for _, name in ipairs(rules.must) do
    allowed[name] = true
    assert.is_string(element.attributes[name], element.name .. " without " .. name)
  end
  for _, name in ipairs(rules.may) do allowed[name] = true end
  for name, value in pairs(element.attributes) do
    assert.is_true(allowed[name], element.name .. " with " .. name)
    if KINDS[name] then assert.is_truthy(value:find(KINDS[name]), name .. "=" .. value) end
  end
  local position = 1
  for _, child in ipairs(element.children) do
    while rules.children[position] and rules.children[position] ~= child.name do position = position + 1 end
    assert.is_truthy(rules.children[position], child.name .. " in " .. element.name)
    validate(child)
  end
end

-- What a reader counts, and what is written above.
local function counted(suite)
  local counts = { tests = 0, failures = 0, errors = 0, skipped = 0 }
  local names = { failure = "failures", error = "errors", skipped = "skipped" }
  for _, each in ipairs(suite.children) do
    if each.name == "testcase" then
      counts.tests = counts.tests + 1
      for _, child in ipairs(each.children) do
        if names[child.name] then counts[names[child.name]] = counts[names[child.name]] + 1 end
      end
    end
  end
  return counts
end

local function written(run, problem)
  local text = junit.write(run, problem)
  local root = parse(text)
  validate(root)
  local suite = root.children[1]
  local counts = counted(suite)
  for name, value in pairs(counts) do assert.equal(tostring(value), suite.attributes[name], name) end
  for _, name in ipairs { "tests", "failures", "errors", "skipped" } do
    assert.equal(tostring(counts[name]), root.attributes[name], name)
  end
  return suite, counts, text
end

local function run_of(cases, more)
  local run = {
    passed = false, status = "Finished", cases = cases, id = "4f", ref = "DEMO/4f",
    url = "https://h/o/t/testmanager_/DEMO/testexecutions/4f",
    name = "Smoke", project = "DEMO", test_set = "DEMO:42", robots = "robot-1", seconds = 3.25, started = "2026-11-25T14:30:00.123Z",
  }
  for name, value in pairs(more or {}) do run[name] = value end
  return run
end

-- The test cases of a suite.
local function cases_of(suite)
  local list = {}
  for _, each in ipairs(suite.children) do
    if each.name == "testcase" then list[#list + 1] = each end
  end
  return list
end

describe("the JUnit file", function()
  it("of a green run has nothing red", function()
    local suite, counts = written(run_of({ { name = "One", key = "DEMO:1", result = "Passed", seconds = 1.5 } }, { passed = true }))
    assert.same({ tests = 1, failures = 0, errors = 0, skipped = 0 }, counts)
    local case = cases_of(suite)[1]
    assert.same({ name = "One (DEMO:1)", classname = "DEMO.Smoke", time = "1.500" }, case.attributes)
    assert.same({ "3.250", "2026-11-25T14:30:00" }, { suite.attributes.time, suite.attributes.timestamp })
    local properties = {}
    for _, each in ipairs(suite.children[1].children) do properties[each.attributes.name] = each.attributes.value end
    assert.same({ project = "DEMO", ["test set"] = "DEMO:42", execution = "4f", status = "Finished", robot = "robot-1",
      url = "https://h/o/t/testmanager_/DEMO/testexecutions/4f" }, properties)
  end)

  it("has a failure, an error and a skipped one by the results", function()
    local suite, counts = written(run_of {
      { name = "a", result = "Failed", reason = "wrong", url = "https://h/", assertions = {
        { message = "first", passed = true }, { message = "x < 3", passed = false }, { message = "unclear" },
      } },
      { name = "b", result = "None" },
      { name = "c", result = "Restricted", reason = "no licence" },
      { name = "d", result = "Skipped" },
      { name = "e", result = "Passed" },
      { result = "Failed", note = "its assertions were not fetched" },
    })
    assert.same({ tests = 6, failures = 2, errors = 2, skipped = 1 }, counts)
    local cases = cases_of(suite)
    local failure = cases[1].children[1]
    assert.equal("x < 3", failure.attributes.message)
    assert.equal("wrong\npassed: first\nFAILED: x < 3\n?: unclear\nhttps://h/", failure.text)
    assert.equal("https://h/", cases[1].children[2].text)
    assert.is_truthy(cases[2].children[1].attributes.message:find "result was lost")
    assert.equal("no licence", cases[3].children[1].attributes.message)
    assert.is_truthy(cases[4].children[1].attributes.message:find "Skipped, which is not known")
    assert.is_truthy(cases[6].children[1].text:find("not fetched", 1, true))
  end)

  -- Whatever a run is: its file has something red where it has not passed, and nothing where it has.
  for words, run in pairs {
    ["no cases"] = run_of {}, ["a run that was cancelled"] = run_of({ { name = "a", result = "Passed" } }, { status = "Cancelled" }),
    ["only one that was skipped"] = run_of { { name = "a", result = "Passed" }, { name = "b", result = "Restricted" } },
    ["nothing known at all"] = { cases = {} },
  } do
    it("is red for " .. words, function()
      local _, counts = written(run)
      assert.is_true(counts.errors + counts.failures > 0)
    end)
  end

  it("has an error for each case without a result, and one at least, of a run without an end", function()
    local problem = "the time is over"
    local cases = { { name = "a", result = "Passed" }, { name = "b", result = "None" }, { name = "c" } }
    local suite, counts = written(run_of(cases), problem)
    assert.same({ tests = 3, failures = 0, errors = 2, skipped = 0 }, counts)
    assert.equal(problem, cases_of(suite)[2].children[1].attributes.message)
    for _, each in ipairs { {}, { { name = "a", result = "Passed" } }, { { name = "a", result = "Failed" } } } do
      suite, counts = written(run_of(each), problem)
      assert.equal(1, counts.errors)
      local all = cases_of(suite)
      assert.equal(problem, all[#all].children[1].attributes.message)
    end
  end)

  it("leaves out what XML forbids, and nothing else", function()
    local bad = "\0\1\8\11\12\31|\127|\t|\n|\255\254|\192\128|\237\160\128|\239\191\190|\239\191\191|\244\144\128\128|\195|"
    local good = "\195\188|\226\130\172|\240\159\152\128|\239\191\189|<&>\"']]>"
    local suite = written(run_of { { name = bad .. good, result = "Failed", reason = bad .. good } })
    local case = cases_of(suite)[1]
    local kept = "|\127|\t|\n|||||||" .. "|" .. good
    assert.equal(kept, case.attributes.name)
    assert.equal(kept, case.children[1].attributes.message)
    assert.equal(kept, case.children[1].text)
  end)

  it("is well-formed whatever the words", function()
    local bytes = {}
    for seed = 1, 200 do
      for i = 1, 40 do bytes[i] = string.char((seed * 7919 + i * i * 104729 + seed * i * 31) % 256) end
      local words = table.concat(bytes)
      written(run_of { { name = words, result = "Failed", reason = words, assertions = { { message = words, passed = false } } } })
    end
  end)
end)

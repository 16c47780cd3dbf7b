-- A run in words for people: Markdown for merge requests and step summaries, annotations for GitHub Actions.

local summary = {}

-- A summary may have so many rows; who wants all of them has the JUnit file.
local MOST_ROWS = 200

-- What a case says for itself, in a line.
function summary.message_of(case)
  for _, assertion in ipairs(case.assertions or {}) do
    if assertion.passed == false and assertion.message then return assertion.message end
  end
  if case.reason then return case.reason end
  if case.result == "None" then return "no result" end
  return case.result == "Restricted" and "not to be seen" or ""
end

---The cases that have not passed.
function summary.not_passed(run)
  local list = {}
  for _, case in ipairs(run.cases) do
    if case.result ~= "Passed" then list[#list + 1] = case end
  end
  return list
end

---The verdict in a line.
function summary.line(run)
  local counts = run.counts
  local parts = { ("%d of %d passed"):format(counts.passed, counts.total) }
  for _, name in ipairs { "failed", "none", "restricted" } do
    if counts[name] > 0 then parts[#parts + 1] = ("%d %s"):format(counts[name], name == "none" and "without a result" or name) end
  end
  if run.status ~= "Finished" then parts[#parts + 1] = "the run is " .. tostring(run.status) end
  local verdict = run.passed and "green" or "red"
  return ("%s is %s: %s"):format(run.name or run.test_set or run.ref, verdict, table.concat(parts, ", "))
end

local function cell(text)
  return (tostring(text or ""):gsub("[&<>|\\`*_%[%]]", { ["&"] = "&amp;", ["<"] = "&lt;", [">"] = "&gt;", ["|"] = "\\|", ["\\"] = "\\\\",
    ["`"] = "\\`", ["*"] = "\\*", ["_"] = "\\_", ["["] = "\\[", ["]"] = "\\]" }):gsub("%c+", " "))
end

---The run as Markdown: the verdict, and a table of what has not passed.
function summary.markdown(run)
  local out = { ("### %s %s"):format(run.passed and "✅" or "❌", cell(summary.line(run))), "" }
  local list = summary.not_passed(run)
  if #list > 0 then
    out[#out + 1] = "| test | result | why |"
    out[#out + 1] = "|---|---|---|"
    for index, case in ipairs(list) do
      if index > MOST_ROWS then
        out[#out + 1] = ("| and %d more | | |"):format(#list - MOST_ROWS)
        break
      end
      local name = case.key and case.name and ("%s (%s)"):format(case.name, case.key) or case.name or case.key or "?"
      out[#out + 1] = ("| %s | %s | %s |"):format(cell(name), cell(case.result), cell(summary.message_of(case)))
    end
    out[#out + 1] = ""
  end
  if run.url then out[#out + 1] = ("[The run in Test Manager](%s)"):format(run.url) else out[#out + 1] = "Run " .. cell(run.ref) end
  return table.concat(out, "\n") .. "\n"
end

local function data(text)
  return (text:gsub("[%%\r\n]", { ["%"] = "%25", ["\r"] = "%0D", ["\n"] = "%0A" }))
end

local function property(text)
  return (data(text):gsub("[:,]", { [":"] = "%3A", [","] = "%2C" }))
end

---The lines by which GitHub Actions shows what has not passed.
function summary.annotations(run)
  local lines = {}
  for _, case in ipairs(summary.not_passed(run)) do
    local kind = case.result == "Restricted" and "warning" or "error"
    lines[#lines + 1] = ("::%s title=%s::%s"):format(kind, property(case.name or case.key or "?"), data(summary.message_of(case)))
  end
  if #lines == 0 and not run.passed then lines[1] = "::error::" .. data(summary.line(run)) end
  return lines
end

return summary

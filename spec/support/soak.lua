-- 100,000 small calls of all kinds in one process: descriptors and memory must stay where they are in the first half.
-- Run by spec/support/host.c, for its `host`: host soak.lua
-- luacheck: read globals host

local uipath = require "uipath"

local CALLS = 100000
-- Looked at after each tenth. A single look may meet a buffer more, or pages that lie otherwise; the least of five tells what is kept for
-- good. So much more may be kept after the second half: less than three bytes for each of its calls.
local MOST_ALLOCATED_KB = 128
local MOST_RESIDENT_KB = 512

local sandbox = assert(require("uipath.sandbox").start({ tls = true }))
local over_tls = uipath.connect(sandbox.options)
local plain_options = { base_url = sandbox.fault_url, organization = "acme", tenant = "T", access_token = "token", max_attempts = 1 }
local plain = uipath.connect(plain_options)

-- Each kind makes 100 calls.
local kinds = {
  function() -- one after the other, HTTP/2
    for i = 1, 100 do assert(#assert(over_tls:get("odata/Machines", { top = 1, skip = i % 5 })).value == 1) end
  end,
  function() -- one after the other, HTTP/1.1
    for i = 1, 100 do assert(plain:get("fault/scalar/" .. i) == i) end
  end,
  function() -- side by side, HTTP/2
    local calls = {}
    for i = 1, 100 do calls[i] = over_tls:start("GET", "odata/Machines", { top = 1 }) end
    for _, call in ipairs(calls) do assert(call:wait()) end
  end,
  function() -- side by side, HTTP/1.1, with descriptors
    local calls = {}
    for i = 1, 100 do
      calls[i] = plain:start("POST", "fault/ok", { body = { number = i } })
      assert(calls[i]:fd() > 0)
    end
    for _, call in ipairs(calls) do assert(call:wait()) end
  end,
  function() -- errors
    for i = 1, 100 do
      local fault = ({ "status/404", "reset", "truncated", "invalid_json", "error/forbidden" })[i % 5 + 1]
      assert(plain:get("fault/" .. fault) == nil)
    end
  end,
  function() -- cancelled, collected, timed out
    for i = 1, 100 do
      local call = plain:start("GET", "fault/stall", { timeout = 0.001 * (i % 5 + 1) })
      if i % 3 == 0 then call:cancel() elseif i % 3 == 1 then call:wait() end
    end
  end,
  function() -- clients of their own, with functions
    for i = 1, 100 do
      plain_options.access_token = function() return "token" .. i, 100 end
      plain_options.on_event = function() end
      assert(uipath.connect(plain_options):get "fault/ok")
    end
  end,
}

local function figures()
  collectgarbage()
  collectgarbage()
  host.sleep(0.2) -- what was cancelled is closed by the engine's own thread
  local resident, allocated = host.memory()
  return { descriptors = host.descriptors(), resident = resident, allocated = allocated }
end

-- For each figure the least of these tenths.
local function least_of(tenths)
  local least = {}
  for _, tenth in ipairs(tenths) do
    for name, figure in pairs(tenth) do least[name] = math.min(least[name] or figure, figure) end
  end
  return least
end

local began = host.now()
local halves, tenths = {}, {}
for done = 100, CALLS, 100 do
  kinds[done / 100 % #kinds + 1]()
  if done % (CALLS / 10) == 0 then tenths[#tenths + 1] = figures() end
  if #tenths == 5 then halves[#halves + 1], tenths = least_of(tenths), {} end
end
sandbox:stop()
local first, last = halves[1], halves[2]
print(("%s: %d calls in %.0f s"):format(rawget(_G, "jit") and "LuaJIT" or _VERSION, CALLS, host.now() - began))
for _, name in ipairs { "descriptors", "resident", "allocated" } do
  print(("  %s: at least %d in the first half, %d in the second"):format(name, first[name], last[name]))
end
-- Connections are kept for later: as many as once were needed at the same time.
assert(last.descriptors <= first.descriptors + 2, "descriptors leak")
assert(last.allocated <= first.allocated + MOST_ALLOCATED_KB, "memory leaks")
assert(last.resident <= first.resident + MOST_RESIDENT_KB, "memory leaks")

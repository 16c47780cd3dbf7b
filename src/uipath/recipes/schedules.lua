-- client.schedules: the triggers by which time starts processes.

local find = require "uipath.recipes.find"
local lost = require "uipath.recipes.lost"
local shared = require "uipath.recipes.shared"
local uipath = require "uipath"

local SCHEDULE = { noun = "schedule", set = "odata/ProcessSchedules" }
local SET_ENABLED = "odata/ProcessSchedules/UiPath.Server.Configuration.OData.SetEnabled"

-- What a 207 says of the schedules that it refuses: errors by their ids.
local function refusal_of(answer)
  for _, each in pairs(type(answer) == "table" and answer or {}) do
    local words = type(each) == "table" and (shared.text(each.message) or shared.text(each.Message))
    if words then return words end
  end
  if type(answer) == "table" and answer.value == false then return "the service has not done it" end
end

local function switch(enabled)
  return function(client, name, options)
    local schedule, err = find.one(client, SCHEDULE, name, options.call)
    if not schedule then return nil, err end
    local body = { scheduleIds = uipath.array { schedule.Id }, enabled = enabled }
    local done, response = client:post(SET_ENABLED, body, options.call)
    if done == nil then return lost.settle(client, response, options.call) end
    local words = refusal_of(done)
    if words then return nil, shared.failure("failed", words, { status = response.status }) end
    return true
  end
end

local NAME_ARGUMENT = { "name", "name", complete = "schedules" }
local CALLS = { { "GET", "odata/ProcessSchedules" }, { "POST", SET_ENABLED } }

return {
  name = "schedules",
  help = "schedules: list, enable, disable",
  methods = {
    {
      name = "each", help = "iterates over the folder's schedules", folder = true, iterates = true, paging = true, arguments = {},
      calls = { CALLS[1] }, run = function(client, options) return client:each("odata/ProcessSchedules", options.call) end,
    },
    {
      name = "enable", help = "lets a schedule start its process", folder = true, arguments = { NAME_ARGUMENT }, calls = CALLS,
      run = switch(true),
    },
    {
      name = "disable", help = "keeps a schedule from starting its process", folder = true, arguments = { NAME_ARGUMENT }, calls = CALLS,
      run = switch(false),
    },
  },
}

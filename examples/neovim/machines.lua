-- The tenant's machines in a buffer of Neovim, which goes on while it waits:
--   :luafile examples/neovim/machines.lua
--   :Machines
-- with UIPATH_ORGANIZATION, UIPATH_TENANT, UIPATH_CLIENT_ID … in the environment, and the module
-- installed for LuaJIT.

local uipath = require "uipath"

local uv = vim.uv or vim.loop -- the older name
local client

-- Calls done(value, response), or done(nil, err), when the call is over.
local function await(call, done)
  local function finish() vim.schedule(function() done(call:wait(0)) end) end
  if call:done() then return finish() end
  local poll = uv.new_poll(call:fd())
  poll:start("r", function()
    call:wait(0) -- readable is also a call that needs its Lua, for an access_token function, say
    if not call:done() then return end
    poll:close()
    finish()
  end)
end

local function show(buffer, lines)
  if vim.api.nvim_buf_is_valid(buffer) then vim.api.nvim_buf_set_lines(buffer, 0, -1, true, lines) end
end

vim.api.nvim_create_user_command("Machines", function()
  client = client or uipath.connect {}
  vim.cmd "new"
  local buffer = vim.api.nvim_get_current_buf()
  vim.bo[buffer].buftype = "nofile"
  show(buffer, { "asking " .. tostring(client) })
  local query = { select = { "Id", "Name" }, orderby = "Name", top = 50 }
  await(client:start("GET", "odata/Machines", query), function(page, err)
    if not page then return show(buffer, { (tostring(err):gsub("\n", " ")) }) end
    local lines = {}
    for _, machine in ipairs(page.value) do lines[#lines + 1] = machine.Id .. "\t" .. machine.Name end
    show(buffer, lines)
  end)
end, { desc = "UiPath's machines" })

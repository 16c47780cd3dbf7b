-- Whole collections: client:each, pages, collect and count.
--
-- A walk asks for its first page alone, as most lists have no second one, unless its own options say
-- otherwise; what comes tells how to go on (the reply's envelope, its count, its links). From then on
-- pages are under way ahead of the one that is read. Everything is done with client:get, client:start
-- and call:wait, so that a walk waits wherever these know how to.

local internal = require "uipath.internal"
local uipath = require "uipath"
local envelope = require "uipath.envelope"

local paging = {}

-- Over HTTP/2 a page's weight is lower than that of the pages before it, and of whatever else is under way: a server that heeds it sends
-- the page that is awaited whole, and not a part of each. A few differ, then it begins anew.
local DEFAULT_WEIGHT = 16

-- A server that sends so many pages without a row, one linking to the next, is not going to send any.
local MOST_EMPTY_PAGES = 1000

-- A larger heap is left to the collector: to go through it at once would take as long as a page.
local MOST_CLEARED_KB = 16 * 1024

-- ---------------------------------------------------------------------------
-- Services and their parameters
-- ---------------------------------------------------------------------------

-- The parameters of each kind of list, and the most rows of a page that it allows.
local ODATA = { offset = "skip", size = "top", cap = 1000, counts = true }
local QUEUE_ITEMS = { offset = "skip", size = "top", cap = 100, counts = true }
local ORCHESTRATOR = { offset = "skip", size = "take", cap = 1000, in_query = true }
local FILES = { size = "takeHint", token = "continuationToken", cap = 1000, in_query = true }
-- Test Manager and Identity; services of which nothing is known get the same careful treatment.
local OTHERS = { offset = "skip", size = "top", cap = 100 }

local function service_of(url, is_odata)
  local path = url:match("^[^?]*")
  if is_odata then return path:find("/odata/QueueItems/?$") and QUEUE_ITEMS or ODATA end
  if path:find("/api/Buckets/[^/]+/ListFiles/?$") then return FILES end
  -- A first segment that ends in _ names a service; what is left is Orchestrator's.
  local service = path:match("/(%w+_)/")
  if service == "orchestrator_" or (not service and path:find("/api/")) then return ORCHESTRATOR end
  return OTHERS
end

-- ---------------------------------------------------------------------------
-- Options
-- ---------------------------------------------------------------------------

-- What is not passed on as it is.
local OWN = { page_size = true, limit = true, top = true, skip = true, prefetch = true, by = true, on_progress = true, count = true }

-- The option's value, if it is a whole number from `least`.
local function whole_number(options, name, least)
  local value = options[name]
  if value == nil then return nil end
  if type(value) ~= "number" or value < least or value ~= math.floor(value) or value > 2 ^ 53 then
    internal.raise(("%s must be a whole number from %d"):format(name, least))
  end
  return math.tointeger and math.tointeger(value) or value -- luacheck: ignore 143
end

-- Whether the list or string of properties names this one, or all.
local function selects(list, name)
  for _, part in ipairs(type(list) == "table" and list or { list }) do
    for word in tostring(part):gmatch("[^,%s]+") do
      if word == name or word == "*" then return true end
    end
  end
  return false
end

local function check_by(walk, options)
  local by = options.by
  if by == nil then return end
  if type(by) ~= "string" or not by:find("^[%a_][%w_]*$") then internal.raise("by must be the name of a property, such as \"Id\"") end
  if not walk.service.counts then internal.raise("by is for the lists of Orchestrator's odata/… alone") end
  if options.orderby ~= nil then internal.raise("by and orderby exclude each other: by is the order") end
  if options.skip ~= nil then internal.raise("by and skip exclude each other") end
  if options.select ~= nil and not selects(options.select, by) then internal.raise(("by: select must contain '%s'"):format(by)) end
  walk.by, walk.filter = by, options.filter
  -- Put into parentheses later, and so needed as text.
  if type(walk.filter) == "table" then
    local ok, text = pcall(uipath.odata.filter, (table.unpack or unpack)(walk.filter, 1, #walk.filter)) -- luacheck: ignore 113 143
    if not ok then internal.raise(text) end
    walk.filter = text
  end
end

-- Calls one of the client's methods that may raise the user's mistakes, with the user's position.
local function attempt(method, ...)
  local ok, value, response = pcall(method, ...)
  if ok then return value, response end
  internal.raise(value)
end

-- ---------------------------------------------------------------------------
-- Walks
-- ---------------------------------------------------------------------------

local Walk = {}
Walk.__index = Walk

-- A walk through all rows of the path. Raises the caller's mistakes.
local function new_walk(client, path, options)
  local url, is_odata = attempt(internal.address, client, path, options)
  options = options or {}
  local walk = setmetatable({ client = client, path = path, options = {}, queue = {}, first = 1, last = 0, delivered = 0 }, Walk)
  walk.service = service_of(url or "", is_odata)
  for name, value in pairs(options) do
    if not OWN[name] then walk.options[name] = value end
  end
  local query = type(options.query) == "table" and options.query or {}
  if walk.service.in_query then
    walk.query = {}
    for name, value in pairs(query) do walk.query[name] = value end
  end
  local limit, top = whole_number(options, "limit", 0), whole_number(options, "top", 0)
  if limit and top then internal.raise("limit and top mean the same here: give one of them") end
  walk.limit = limit or top or math.huge
  walk.start = whole_number(options, "skip", 0) or 0
  walk.size = math.min(whole_number(options, "page_size", 1) or walk.service.cap, walk.service.cap)
  walk.prefetch = whole_number(options, "prefetch", 1) or internal.prefetch(client)
  walk.expects_pages = options.prefetch ~= nil
  walk.on_progress = options.on_progress
  if walk.on_progress ~= nil and type(walk.on_progress) ~= "function" then internal.raise("on_progress must be a function") end
  if options.count ~= nil and type(options.count) ~= "boolean" then internal.raise("count must be true or false") end
  walk.counts = walk.service.counts and options.count ~= false
  if not walk.service.counts then walk.options.count = options.count end
  for _, name in ipairs { walk.service.size, walk.service.offset, walk.service.token } do
    local with_dollar = "$" .. name
    if internal.has_parameter(url or "", name) or internal.has_parameter(url or "", with_dollar) or options[with_dollar] ~= nil
      or query[name] ~= nil or query[with_dollar] ~= nil then
      internal.raise(("'%s' is the walk's own: give limit, page_size and skip instead"):format(name))
    end
  end
  if walk.service.token and options.skip then internal.raise("skip is not for lists that are paged by continuationToken") end
  check_by(walk, options)
  walk.next_offset, walk.limit_end = walk.start, walk.start + walk.limit
  return walk
end

-- The options of the request for so many rows.
function Walk:options_for(offset, rows)
  local options, service = {}, self.service
  for name, value in pairs(self.options) do options[name] = value end
  local parameters = options
  if service.in_query then
    parameters = {}
    for name, value in pairs(self.query) do parameters[name] = value end
    options.query = parameters
  end
  parameters[service.size] = rows
  if service.token then
    parameters[service.token] = self.token
  elseif self.by then
    options.orderby = self.by
    options.filter = self.filter
    if self.last_key ~= nil then
      local beyond = uipath.odata.filter(self.by .. " gt ?", self.last_key)
      options.filter = self.filter and ("(%s) and %s"):format(self.filter, beyond) or beyond
    end
  elseif offset > 0 then
    parameters[service.offset] = offset
  end
  -- By key each page counts what is left; else the first tells it for all.
  if self.counts and (self.by or not self.pages) then options.count = true end
  return options
end

-- Puts a request for rows from an offset under way, at the end of the queue (at its front: as the next to be read).
function Walk:send(offset, rows, at_front)
  local slot = { offset = offset, asked = rows }
  local options = self:options_for(offset, rows)
  self.sent = (self.sent or 0) + 1
  options[internal.weight] = DEFAULT_WEIGHT - self.sent % DEFAULT_WEIGHT
  slot.call = attempt(self.client.start, self.client, "GET", self.path, options)
  if at_front then
    self.first = self.first - 1
    self.queue[self.first] = slot
  else
    self.last = self.last + 1
    self.queue[self.last] = slot
  end
end

-- Cancels all that is under way.
function Walk:cancel()
  for place = self.first, self.last do
    self.queue[place].call:cancel()
    self.queue[place] = nil
  end
  self.first, self.last = 1, 0
end

function Walk:stop()
  self.over = true
  self:cancel()
end

-- Raises an error of ours or of a call, when all before it has been delivered.
function Walk:fail(err)
  self:stop()
  if type(err) == "table" then err.delivered = self.delivered end
  error(err, 0)
end

local function complaint(slot, message, ...)
  return internal.error("decode", message:format(...), { method = "GET", url = slot.url, retryable = false })
end

-- Raises what is wrong with a page.
function Walk:complain(...)
  self:fail(complaint(...))
end

-- Raises what is wrong with the way on, when the page's own rows have been delivered.
function Walk:complain_later(...)
  self:stop()
  self.pending_error = complaint(...)
end

-- Where the walk by offset ends, as far as is known.
function Walk:finish()
  return math.min(self.limit_end, self.counted_end or math.huge)
end

-- Has pages under way ahead: as many as are wanted, and one while it is not known whether there are more.
function Walk:fetch_ahead()
  if self.over or self.link or self.by or self.service.token then return end
  local most = self.probing and 1 or self.prefetch
  local finish = self:finish()
  while self.last - self.first + 1 < most and self.next_offset < finish do
    -- The last page is asked for whole even where the count ends before: a count that is too low is found out by that.
    local rows = math.min(self.size, self.limit_end - self.next_offset)
    self:send(self.next_offset, rows)
    self.next_offset = self.next_offset + rows
  end
end

-- Lua 5.2's; not every Lua of 5.1's kind can tell whether the user has stopped the collector.
local can_ask = pcall(collectgarbage, "isrunning")

-- Sets how many hundredths of what it has left the collector lets the heap become before it begins
-- anew; gives what that was. Lua 5.5 has another name for it.
local function set_pause(hundredths)
  if _VERSION == "Lua 5.5" then return collectgarbage("param", "pause", hundredths) end
  return collectgarbage("setpause", hundredths)
end

-- Collects, and leaves the heap alone after that until it is half as large again as it was. Gives
-- its size then, expected_kb or so.
local function collect_all(before_kb, expected_kb)
  local pause = set_pause(math.floor(math.min(150 * before_kb / expected_kb, 1000)))
  local ok, err = pcall(collectgarbage) -- in Lua 5.3 and LuaJIT a finalizer may raise
  set_pause(pause)
  if not ok then error(err, 0) end
  local after_kb = collectgarbage "count"
  -- The rows are kept: the heap may become as large as the user has it.
  if after_kb > 2 * expected_kb then collectgarbage() end
  return after_kb
end

-- The rows of the pages that were delivered are garbage now, unless the loop has kept them. Taken
-- away at once, while they are in the processor's cache, they cost a half of what the collector
-- takes when it goes after them between those that are being made. That holds where they are most
-- of the heap: what else a program has is not to be gone through for each page.
function Walk:clear_up()
  if self.keeps_rows or not can_ask or not collectgarbage "isrunning" then return end
  local before = collectgarbage "count"
  self.least_kb = self.least_kb or before
  if before < 2 * self.least_kb or before > MOST_CLEARED_KB then return end
  self.least_kb = collect_all(before, self.least_kb)
end

-- Sends the request whose page is to be read next, unless that is under way, and gives its slot and results.
function Walk:receive()
  self:clear_up()
  if self.first <= self.last then
    local slot = self.queue[self.first]
    self.queue[self.first] = nil
    self.first = self.first + 1
    local value, response = slot.call:wait()
    internal.forget(slot.call)
    return slot, value, response
  end
  if self.link then
    local slot = { offset = self.chain.offset, asked = self.chain.asked }
    local options = {}
    for _, name in ipairs { "folder", "headers", "timeout", "max_attempts", "level" } do options[name] = self.options[name] end
    return slot, attempt(self.client.get, self.client, self.link, options)
  end
  local slot = { offset = self.next_offset, asked = math.min(self.size, self.limit - self.delivered) }
  self.next_offset = slot.offset + slot.asked
  return slot, attempt(self.client.get, self.client, self.path, self:options_for(slot.offset, slot.asked))
end

-- ---------------------------------------------------------------------------
-- What a page says about the next one
-- ---------------------------------------------------------------------------

-- Whether the link or token leads to a page that was not read before; else the walk fails.
function Walk:is_new(slot, word, what)
  self.seen = self.seen or {}
  self.empty_pages = #slot.rows == 0 and (self.empty_pages or 0) + 1 or 0
  if self.empty_pages > MOST_EMPTY_PAGES then
    self:complain(slot, "%d pages without a row, each with a %s", MOST_EMPTY_PAGES, what)
  elseif self.seen[word] then
    self:complain_later(slot, "the %s leads back to a page that was read already, after %d rows", what, self.delivered + #slot.rows)
    return false
  end
  self.seen[word] = true
  return true
end

-- Remembers the page, so that it is known again should the server send it for the next one. Orchestrator heeds the offset: rows without
-- a key, as with a select, may be alike there, and are no sign.
function Walk:remember(slot)
  local mark = envelope.mark(slot.rows)
  self.previous = mark and (mark.key or not self.service.counts) and mark or nil
end

-- A page with a link to the next: the server pages by its own rules, and knows best.
function Walk:follow(slot, link)
  local url = internal.resolve(slot.url, link)
  if not url then return self:complain_later(slot, "the nextLink is no URL") end
  if self.link and self.previous and envelope.holds(slot.rows, self.previous, 1) then
    self:complain(slot, "the nextLink leads to the same page again, after %d rows", self.delivered)
  end
  self:remember(slot)
  if not self:is_new(slot, url, "nextLink") then return end
  if not self.link then
    self:cancel()
    self.chain = { offset = slot.offset, asked = slot.asked, rows = 0 }
  end
  self.chain.rows = self.chain.rows + #slot.rows
  self.link = url
end

-- The last page of a chain of links. It may have been the first request's row limit that ended it.
function Walk:end_chain(slot)
  local chain = self.chain
  local rows = chain.rows + #slot.rows
  self.link, self.chain = nil, nil
  self.next_offset = chain.offset + rows
  if self.next_offset >= self:finish() or rows == 0 then return self:stop() end
  if not self.counted_end and rows < chain.asked then return self:stop() end
  -- More than the count said may be there, but has not been asked for.
  if #slot.rows == 0 then self:stop() end
end

function Walk:continue_by_token(slot, token)
  if not token then return self:stop() end
  if self:is_new(slot, token, "continuationToken") then self.token = token end
end

-- By key: how many rows are left tells the count, which is of the rows beyond the last key.
function Walk:continue_by_key(slot, total)
  local rows = slot.rows
  local number = #rows
  if number == 0 or (total and total <= number) then return self:stop() end
  local key = rows[number][self.by]
  if key == nil or key == uipath.null then return self:complain_later(slot, "by: a row has no %s", self.by) end
  local last = self.last_value
  local is_greater = last == nil or key ~= last
  if type(key) == "number" and type(last) == "number" then is_greater = key > last end
  if not is_greater then self:complain(slot, "by: the rows are not in the order of %s", self.by) end
  self.last_value, self.last_key = key, key -- as the server sent it, and as a filter says it
  -- Text stays text, but for what OData writes without quotes.
  if type(key) == "string" then
    local ok, marked = pcall(uipath.odata.guid, key)
    if not ok and key:find("^%d%d%d%d%-%d%d%-%d%dT") then ok, marked = pcall(uipath.odata.date, key) end
    if ok then self.last_key = marked end
  end
end

-- By offset. The number of rows received may be less than was asked for: because the server allows no more, because a set that
-- changes has fewer, or because it ends here.
function Walk:continue_by_offset(slot)
  local received, next_offset = #slot.rows, slot.offset + #slot.rows
  if self.previous and envelope.holds(slot.rows, self.previous, self.counted_end and 1 or received) then
    -- A service that knows no offset sends the same again: all there is, if that was less than it could have been.
    if self.counted_end or not self.was_short then
      self:complain(slot, "the server sends the same page for every offset, after %d rows", self.delivered)
    end
    slot.rows = {}
    return self:stop()
  end
  self:remember(slot)
  self.was_short = received < slot.asked
  if self.counted_end and next_offset > self.counted_end then
    -- There is more than was counted, on a page that may be short for being capped; how much, an empty page will tell.
    self.counted_end, self.miscounted = nil, true
  end
  if next_offset >= self:finish() then
    if self.first > self.last or self.queue[self.first].offset >= self:finish() then return self:stop() end
    return
  end
  if received == 0 then
    if not self.counted_end or self.pages == 1 then return self:stop() end
    -- Rows have gone since they were counted; those of the pages behind are still due.
    if self.first > self.last and self.next_offset >= self.counted_end then self:stop() end
    return
  end
  if received > slot.asked then
    self:cancel()
    self.next_offset = next_offset
  elseif received < slot.asked then
    if self.pages == 1 then
      -- Fewer than asked for though there may be more: a page of this server holds no more.
      self:cancel()
      self.size, self.next_offset = received, next_offset
      self.probing = not self.counted_end
    elseif self.counted_end or self.first <= self.last then
      self:send(next_offset, slot.asked - received, true)
    else
      self.next_offset, self.probing = next_offset, true
    end
  else
    self.probing = self.miscounted
  end
end

-- Reads a reply: gives its rows, and has the next ones fetched.
function Walk:read(slot, value, response)
  local page = envelope.read(value)
  slot.url = response.url
  if not page then self:complain(slot, "the reply is no list of rows: %s", envelope.describe(value)) end
  slot.rows = page.rows
  self.pages = (self.pages or 0) + 1
  local number = #page.rows
  if self.pages == 1 and not self.by then
    if page.total then self.counted_end = page.total end
    if page.total and number == 0 and not page.link and page.total > slot.offset and slot.asked > 0 then
      self:complain(slot, "the server counts %d rows, and sends none", page.total)
    end
    if page.total then self.total = math.max(0, math.min(self.limit, page.total - self.start)) end
  elseif self.pages == 1 and page.total then
    self.total = math.min(self.limit, page.total)
  end
  local most = self.limit - self.delivered
  if number >= most then
    for index = number, most + 1, -1 do page.rows[index] = nil end
    self:stop()
  elseif self.by then
    self:continue_by_key(slot, page.total)
  elseif page.link then
    self:follow(slot, page.link)
  elseif self.link then
    self:end_chain(slot)
  elseif self.service.token or page.token then
    self:continue_by_token(slot, page.token)
  else
    self:continue_by_offset(slot)
  end
  return slot.rows
end

-- The rows of the next page that has any; nil at the end.
function Walk:next_rows()
  if self.limit == 0 then self.over = true end
  -- Where more than a page is wanted, the first need not be awaited to know that.
  local expects_pages = self.expects_pages or self.limit < math.huge
  if not self.pages and expects_pages and self.limit > self.size then self:fetch_ahead() end
  while not self.over do
    local slot, value, response = self:receive()
    if value == nil then self:fail(response) end
    local rows = self:read(slot, value, response)
    self.delivered = self.delivered + #rows
    self:fetch_ahead()
    if self.on_progress then
      local ok, err = pcall(self.on_progress, self.delivered, self.total)
      if not ok then
        self:stop()
        error(err, 0)
      end
    end
    if #rows > 0 then return rows end
  end
  if self.pending_error then
    local err = self.pending_error
    self.pending_error = nil
    self:fail(err)
  end
end

-- What a loop is closed with, however it is left (Lua 5.4; LuaJIT collects it).
local closing = { __close = function(self) self.walk:stop() end }

local function closing_value(walk)
  return setmetatable({ walk = walk }, closing)
end

-- ---------------------------------------------------------------------------
-- What users call
-- ---------------------------------------------------------------------------

---Iterates all rows of a list: `for row, index in client:each "odata/Jobs" do`. Raises error objects.
---@param path string
---@param options? uipath.PagingOptions
---@return fun(): table?, integer?
function paging:each(path, options)
  local walk = new_walk(self, path, options)
  local rows, index, before, number = nil, 0, 0, 0
  local function next_row()
    index = index + 1
    if index > number then
      before, rows = before + number, nil
      rows = walk:next_rows()
      if not rows then
        index, number = 0, 0
        return nil
      end
      index, number = 1, #rows
    end
    return rows[index], before + index
  end
  return next_row, nil, nil, closing_value(walk)
end

---Iterates the pages of a list: `for rows, page in client:pages "odata/Jobs" do`; page is its number. Raises error objects.
---@param path string
---@param options? uipath.PagingOptions
---@return fun(): table[]?, integer?
function paging:pages(path, options)
  local walk = new_walk(self, path, options)
  local page = 0
  local function next_page()
    local rows = walk:next_rows()
    if not rows then return nil end
    page = page + 1
    return rows, page
  end
  return next_page, nil, nil, closing_value(walk)
end

-- Runs fn, in which a walk raises error objects, and gives its result, or nil and such an error.
local function protect(fn)
  local ok, value = pcall(fn)
  if ok then return value end
  if uipath.is_error(value) then return nil, value end
  error(value, 0)
end

---All rows of a list.
---@param path string
---@param options? uipath.PagingOptions
---@return table[]? rows
---@return uipath.Error? err
function paging:collect(path, options)
  local walk = new_walk(self, path, options)
  walk.keeps_rows = true
  return protect(function()
    local all, number = uipath.array {}, 0
    for rows in walk.next_rows, walk do
      for index = 1, #rows do all[number + index] = rows[index] end
      number = number + #rows
    end
    return all
  end)
end

-- The first page with as few rows as the service allows; nil where it counts none.
local function count_by_page(walk)
  local service = walk.service
  if walk.by or service.token or (service.counts and not walk.counts) then return nil end
  local options = walk:options_for(0, service.counts and 0 or 1)
  if service.counts then options.select, options.expand, options.orderby = nil, nil, nil end
  local value, response = attempt(walk.client.get, walk.client, walk.path, options)
  -- Where no rows at all cannot be asked for, one can.
  if value == nil and response.kind == "request" and service.counts then
    options.top = 1
    value, response = attempt(walk.client.get, walk.client, walk.path, options)
  end
  if value == nil then walk:fail(response) end
  local page = envelope.read(value)
  return page and page.total
end

---The number of rows that each would go through, without fetching them where the service can count.
---@param path string
---@param options? uipath.PagingOptions
---@return integer? count
---@return uipath.Error? err
function paging:count(path, options)
  local walk = new_walk(self, path, options)
  return protect(function()
    local total = count_by_page(walk)
    if total then return math.max(0, math.min(walk.limit, total - walk.start)) end
    repeat local rows = walk:next_rows() until not rows
    return walk.delivered
  end)
end

return paging

-- Whole collections: client:each, pages, collect and count.
--
-- A walk asks for its first page alone, as most lists have no second one, unless its own options say
-- otherwise; what comes tells how to go on (the reply's envelope, its count, its links). From then on
-- pages are under way ahead of the one that is read. Everything is done with client:get, client:start
-- and call:wait, so that a walk waits wherever these know how to.

local internal = require "uipath.internal"
local uipath = require "uipath"
local envelope = require "uipath.envelope"
local heap = require "uipath.paging.heap"
local keys = require "uipath.paging.keys"
local options = require "uipath.paging.options"
local refusal = require "uipath.paging.refusal"
local service = require "uipath.paging.service"

local paging = {}

-- Over HTTP/2 a page's weight is lower than that of the pages before it, and of whatever else is under way: a server that heeds it sends
-- the page that is awaited whole, and not a part of each. A few differ, then it begins anew.
local DEFAULT_WEIGHT = 16

-- A server that sends so many pages without a row, one linking to the next, is not going to send any.
local MOST_EMPTY_PAGES = 1000

-- Where it is not links that lead on but a count, which rows that have gone make too high, so many pages in succession are enough.
local MOST_EMPTY_COUNTED = 50
-- Where rows have no key and there is no count, nothing tells a page from another that holds the same. So many alike, one behind the
-- other, are one page that is sent for every offset.
local MOST_ALIKE = 200
-- So often is a service heeded that refuses a page's size and names another.
local MOST_REFUSALS = 3

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

-- A walk through all rows of the path. Raises the caller's mistakes, all of them: none is left for a later page.
local function new_walk(client, path, given)
  local url, is_odata = attempt(internal.address, client, path, given)
  local kind = service.of(url or "", is_odata)
  local walk = setmetatable(options.read(kind, path, given), Walk)
  walk.client, walk.service, walk.queue, walk.first, walk.last, walk.delivered = client, kind, {}, 1, 0, 0
  walk.expects_pages = walk.prefetch ~= nil
  walk.prefetch = walk.prefetch or internal.prefetch(client)
  walk.next_offset, walk.limit_end = walk.start, walk.start + walk.limit
  walk:check()
  return walk
end

-- Raises what any request of the walk would raise for what the caller gave.
function Walk:check()
  if self.by then self.beyond = self.by .. " gt 0" end
  if self.service.token then self.token = "token" end
  attempt(internal.check, self.client, self.path, self:options_for(self.start + self.size, self.size))
  self.beyond, self.token = nil, nil
end

-- The options of the request for so many rows.
function Walk:options_for(offset, rows)
  local asked, kind = {}, self.service
  for name, value in pairs(self.options) do asked[name] = value end
  local parameters = asked
  if kind.in_query and (asked.query == nil or type(asked.query) == "table") then
    parameters = {}
    for name, value in pairs(asked.query or {}) do parameters[name] = value end
    asked.query = parameters
  end
  parameters[kind.size] = rows
  if kind.token then
    parameters[kind.token] = self.token
  elseif self.by then
    asked.orderby, asked.filter = self.by, self.filter
    if self.beyond then asked.filter = self.filter and ("(%s) and %s"):format(self.filter, self.beyond) or self.beyond end
  elseif kind.offset and offset > 0 then
    parameters[kind.offset] = offset
  end
  -- By key each page counts what is left; else the first tells it for all.
  if self.counts and (self.by or not self.pages) then asked.count = true end
  return asked
end

-- Puts a request for rows from an offset under way, at the end of the queue (at its front: as the next to be read).
function Walk:send(offset, rows, at_front)
  local slot = { offset = offset, asked = rows }
  local asked = self:options_for(offset, rows)
  self.sent = (self.sent or 0) + 1
  asked[internal.weight] = DEFAULT_WEIGHT - self.sent % DEFAULT_WEIGHT
  slot.call = attempt(self.client.start, self.client, "GET", self.path, asked)
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
  if self.over or self.link or self.by or not self.service.offset then return end
  local most = self.probing and 1 or self.prefetch
  local finish = self:finish()
  while self.last - self.first + 1 < most and self.next_offset < finish do
    -- The last page is asked for whole even where the count ends before: a count that is too low is found out by that.
    local rows = math.min(self.size, self.limit_end - self.next_offset)
    self:send(self.next_offset, rows)
    self.next_offset = self.next_offset + rows
  end
end

-- The options of the request that follows a link: its query is the server's.
function Walk:link_options()
  local asked = {}
  for _, name in ipairs { "folder", "headers", "timeout", "max_attempts", "level" } do asked[name] = self.options[name] end
  return asked
end

-- After a refusal of so many rows a page that names how many there may be: has the page asked for again with that. false: it was none.
function Walk:ask_for_less(slot, err)
  self.refusals = (self.refusals or 0) + 1
  local cap = not self.link and self.refusals <= MOST_REFUSALS and refusal.cap(err, slot.asked)
  if not cap then return false end
  self:cancel()
  self.size, self.next_offset = cap, slot.offset
  return true
end

-- Sends the request whose page is to be read next, unless that is under way, and gives its slot and results.
function Walk:receive()
  if not self.keeps_rows then heap.clear(self) end
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
    return slot, attempt(self.client.get, self.client, self.link, self:link_options())
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
  if not url or not pcall(internal.check, self.client, url, self:link_options()) then
    return self:complain_later(slot, "the nextLink is no URL")
  end
  if self.link and self.previous and envelope.holds(slot.rows, self.previous, 1) then
    self:complain(slot, "the nextLink leads to the same page again, after %d rows", self.delivered)
  end
  self:remember(slot)
  if not self:is_new(slot, url, "nextLink") then return end
  if not self.link then
    self:cancel()
    self.chain = { offset = slot.offset, asked = slot.asked, rows = 0, mark = envelope.mark(slot.rows) }
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
  -- By offset from here on; a server that knows no offset sends the chain's first page.
  self.previous = chain.mark
end

function Walk:continue_by_token(slot, token)
  if not token then return self:stop() end
  if self:is_new(slot, token, "continuationToken") then self.token = token end
end

-- By key: how many rows are left tells the count, which is of the rows beyond the last key.
function Walk:continue_by_key(slot, total)
  local rows = slot.rows
  local number = #rows
  if number == 0 then
    if total and total > 0 then self:complain(slot, "the server counts %.0f rows, and sends none", total) end
    return self:stop()
  end
  -- A full page may be all that the count is of.
  if total and total <= number and number < slot.asked then return self:stop() end
  local key = type(rows[number]) == "table" and rows[number][self.by]
  if not key or key == uipath.null then return self:complain_later(slot, "by: a row has no %s", self.by) end
  if self.last_value ~= nil and not keys.is_beyond(key, self.last_value) then
    self:complain(slot, "by: the rows are not in the order of %s", self.by)
  end
  self.last_value, self.beyond = key, keys.beyond(self.by, key, rows)
  if not self.beyond then self:complain_later(slot, "by: no filter can say what is beyond this %s", self.by) end
end

-- Ends a walk that would go on for ever, where neither a key nor a count does.
function Walk:look_for_repetition(slot)
  local unknown = not self.previous and not self.counted_end
  self.alike = unknown and self.last_rows and envelope.are_same(slot.rows, self.last_rows) and (self.alike or 0) + 1 or 0
  self.last_rows = unknown and slot.rows or nil
  if self.alike > MOST_ALIKE then
    self:complain(slot, "the server sends the same page for every offset, after %d rows", self.delivered)
  end
end

-- By offset. The number of rows received may be less than was asked for: because the server allows no more, because a set that
-- changes has fewer, or because it ends here.
function Walk:continue_by_offset(slot)
  local received, next_offset = #slot.rows, slot.offset + #slot.rows
  if self.previous and envelope.holds(slot.rows, self.previous, self.counted_end and 1 or received) then
    -- A service that knows no offset sends the same again: all there is, if that was less than it could have been.
    if self.counted_end or not self.was_short or slot.more then
      self:complain(slot, "the server sends the same page for every offset, after %d rows", self.delivered)
    end
    slot.rows = {}
    return self:stop()
  end
  self:remember(slot)
  self:look_for_repetition(slot)
  self.was_short = received ~= slot.asked -- or longer: a server that heeds no limit sends all there is
  if self.counted_end and (next_offset > self.counted_end or (slot.more and next_offset == self.counted_end)) then
    -- There is more than was counted, on a page that may be short for being capped; how much, an empty page will tell.
    self.counted_end, self.miscounted = nil, true
  end
  if next_offset >= self:finish() then
    if self.first > self.last or self.queue[self.first].offset >= self:finish() then return self:stop() end
    return
  end
  self.empty_pages = received == 0 and (self.empty_pages or 0) + 1 or 0
  if received == 0 then
    if slot.more then self:complain(slot, "the server says that there are more rows, and sends none") end
    if not self.counted_end or self.pages == 1 then return self:stop() end
    if self.empty_pages > MOST_EMPTY_COUNTED then
      self:complain(slot, "the server counts %.0f rows, and sends %d pages without any", self.counted_end, self.empty_pages)
    end
    -- Rows have gone since they were counted; those of the pages behind are still due. Even where a page's rows are deleted as they come,
    -- half of all are seen.
    if self.first > self.last and self.next_offset >= self.counted_end then
      if self.delivered * 2 < self:finish() - self.start then
        self:complain(slot, "the server counts %.0f rows, and sends no more than %d", self.counted_end, self.delivered)
      end
      self:stop()
    end
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

-- Whether a total may be the number of rows of its own page, so that there may be more: services differ.
function Walk:is_of_the_page(slot, total, number)
  if number == 0 or total ~= number then return false end
  return number >= slot.asked or not self.service.sure
end

-- Reads a reply: gives its rows, and has the next ones fetched.
function Walk:read(slot, value, response)
  local page = envelope.read_any(value, self.member)
  slot.url = response.url
  if not page then self:complain(slot, "the reply is no list of rows: %s", envelope.describe(value)) end
  slot.rows, slot.more, self.member = page.rows, page.more, page.member
  self.pages = (self.pages or 0) + 1
  local number = #page.rows
  if self.pages == 1 and not self.by then
    if page.total and self:is_of_the_page(slot, page.total, number) then page.total = nil end
    if page.total then self.counted_end = page.total end
    if page.total and number == 0 and not page.link and page.total > slot.offset and slot.asked > 0 then
      self:complain(slot, "the server counts %.0f rows, and sends none", page.total)
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
  elseif not self.service.offset then
    self:stop()
  else
    self:continue_by_offset(slot)
  end
  return slot.rows
end

function Walk:tell_progress()
  if not self.on_progress then return end
  local ok, err = pcall(self.on_progress, self.delivered, self.total)
  if ok then return end
  self:stop()
  error(err, 0)
end

-- The rows of the next page that has any; nil at the end.
function Walk:next_rows()
  if self.limit == 0 then self.over = true end
  -- Where more than a page is wanted, the first need not be awaited to know that.
  local expects_pages = self.expects_pages or self.limit < math.huge
  if not self.pages and expects_pages and self.limit > self.size then self:fetch_ahead() end
  while not self.over do
    local slot, value, response = self:receive()
    if value ~= nil then
      local rows = self:read(slot, value, response)
      self.delivered = self.delivered + #rows
      self:fetch_ahead()
      self:tell_progress()
      if #rows > 0 then return rows end
    elseif not self:ask_for_less(slot, response) then
      self:fail(response)
    end
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
---@param given? uipath.PagingOptions
---@return fun(): table?, integer?
function paging:each(path, given)
  local walk = new_walk(self, path, given)
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
---@param given? uipath.PagingOptions
---@return fun(): table[]?, integer?
function paging:pages(path, given)
  local walk = new_walk(self, path, given)
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
---@param given? uipath.PagingOptions
---@return table[]? rows
---@return uipath.Error? err
function paging:collect(path, given)
  local walk = new_walk(self, path, given)
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
  local counts = walk.service.counts
  if walk.by or not walk.service.offset or (counts and not walk.counts) then return nil end
  local asked = walk:options_for(0, counts and 0 or 1)
  if counts then asked.select, asked.expand, asked.orderby = nil, nil, nil end
  local value, response = attempt(walk.client.get, walk.client, walk.path, asked)
  -- Where no rows at all cannot be asked for, one can.
  if value == nil and response.kind == "request" and counts then
    asked.top = 1
    value, response = attempt(walk.client.get, walk.client, walk.path, asked)
  end
  if value == nil then walk:fail(response) end
  local page = envelope.read_any(value)
  -- A total that may be of this page says nothing of the others.
  if not page or (page.total and #page.rows > 0 and page.total <= #page.rows) then return nil end
  return page.total
end

---The number of rows that each would go through, without fetching them where the service can count.
---@param path string
---@param given? uipath.PagingOptions
---@return integer? count
---@return uipath.Error? err
function paging:count(path, given)
  local walk = new_walk(self, path, given)
  return protect(function()
    local total = count_by_page(walk)
    if total then return math.max(0, math.min(walk.limit, total - walk.start)) end
    repeat local rows = walk:next_rows() until not rows
    return walk.delivered
  end)
end

return paging

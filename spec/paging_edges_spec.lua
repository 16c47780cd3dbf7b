-- Walks of lists that are told of in odd ways: by callers who say a walk's own parameters somewhere
-- else, and by services whose totals, links and refusals are their own.

local answers = require "spec.support.answers"
local assert = require "luassert"
local uipath = require "uipath"

local array = uipath.array

describe("a walk", function()
  local server
  after_each(function()
    if server then server.stop() end
    server = nil
  end)

  local function client_for(routes, changes)
    server = answers.start(routes)
    local options = {
      base_url = server.url, organization = "acme", tenant = "T", access_token = "a-fixed-token",
      timeout = 20, max_attempts = 1, profile = false,
    }
    for name, value in pairs(changes or {}) do options[name] = value end
    return uipath.connect(options)
  end

  -- So many rows from an id on.
  local function rows(from, to, name)
    local list = array {}
    for id = from, to do list[#list + 1] = { [name or "Id"] = id } end
    return list
  end

  local function page(from, to, more)
    local reply = { value = rows(from, to) }
    for name, value in pairs(more or {}) do reply[name] = value end
    return reply
  end

  -- The number of rows, and what the walk raised.
  local function walk(client, path, options)
    local number = 0
    local ok, err = pcall(function()
      for _ in client:each(path, options) do number = number + 1 end
    end)
    return number, not ok and err or nil
  end

  describe("by key", function()
    local text = "State eq 'A' or State eq 'B'"
    local ways = {
      { "in the path", "odata/Jobs?$filter=" .. text, {} },
      { "encoded in the path", "odata/Jobs?%24filter=State%20eq%20'A'%20or%20State%20eq%20'B'", {} },
      { "among other things in the path", "odata/Jobs?$select=Id&$filter=" .. text, {} },
      { "without a $ in the path", "odata/Jobs?filter=" .. text, {} },
      { "as $filter", "odata/Jobs", { ["$filter"] = text } },
      { "in query", "odata/Jobs", { query = { ["$filter"] = text } } },
      { "in query, in capitals", "odata/Jobs", { query = { ["$Filter"] = text } } },
      { "as a list", "odata/Jobs", { filter = { "State eq ? or State eq ?", "A", "B" } } },
    }
    for _, way in ipairs(ways) do
      it("takes a filter " .. way[1] .. ", and puts it into parentheses", function()
        local client = client_for {
          { match = "Id gt", body = page(3, 3, { ["@odata.count"] = 1 }) },
          { match = "odata/Jobs", body = page(1, 2, { ["@odata.count"] = 3 }) },
        }
        way[3].by = "Id"
        assert.same({ 3 }, { walk(client, way[2], way[3]) })
        local asked = server.asked()
        assert.equal(2, #asked)
        assert.is_truthy(asked[1]:find("$filter=" .. text, 1, true), asked[1])
        assert.is_truthy(asked[2]:find("$filter=(" .. text .. ") and Id gt 2", 1, true), asked[2])
      end)
    end

    it("reads a plus in a whole URL as a space, as the server does", function()
      local client = client_for {
        { match = "Id gt 2", body = page(3, 3, { ["@odata.count"] = 1 }) },
        { match = "odata/Jobs", body = page(1, 2, { ["@odata.count"] = 3 }) },
      }
      local url = server.url .. "/acme/T/orchestrator_/odata/Jobs?$filter=Id+gt+0"
      assert.same({ 3 }, { walk(client, url, { by = "Id" }) })
      assert.is_truthy(server.asked()[2]:find("$filter=(Id gt 0) and Id gt 2", 1, true))
    end)

    it("goes on behind a full page that is all that its count is of", function()
      local client = client_for {
        { match = "Id gt 4", body = page(5, 5, { ["@odata.count"] = 1 }) },
        { match = "Id gt 2", body = page(3, 4, { ["@odata.count"] = 2 }) },
        { match = "odata/Jobs", body = page(1, 2, { ["@odata.count"] = 2 }) },
      }
      assert.same({ 5 }, { walk(client, "odata/Jobs", { by = "Id", page_size = 2 }) })
    end)

    it("ends with an error where rows are counted and none are sent", function()
      local client = client_for {
        { match = "Id gt", body = page(1, 0, { ["@odata.count"] = 7 }) },
        { match = "odata/Jobs", body = page(1, 2, { ["@odata.count"] = 9 }) },
      }
      local number, err = walk(client, "odata/Jobs", { by = "Id" })
      assert.equal(2, number)
      assert.equal("decode", err.kind)
      assert.matches("counts 7 rows, and sends none", err.message)
    end)

    it("ends with an error where no filter can say a key", function()
      local client = client_for { { match = "odata/Jobs", body = { value = { { Id = "a\1b" } } } } }
      local number, err = walk(client, "odata/Jobs", { by = "Id" })
      assert.same({ 1, true }, { number, uipath.is_error(err) })
      assert.matches("no filter can say what is beyond this Id", err.message)
    end)

    it("writes ids beyond 2^53 exactly and without quotes, in every Lua", function()
      local function body(ids, count)
        return ('{"@odata.count":%d,"value":[{"Id":%s}]}'):format(count, table.concat(ids, '},{"Id":'))
      end
      local client = client_for {
        { match = "Id gt 9007199254740995", body = body({ "10007199254740993" }, 1) },
        { match = "Id gt", status = 400, body = '{"message":"not so"}' },
        { match = "odata/Jobs", body = body({ "9007199254740993", "9007199254740995" }, 3) },
      }
      assert.same({ 3 }, { walk(client, "odata/Jobs", { by = "Id" }) })
    end)

    it("takes text for text though some of it looks like such an id", function()
      local client = client_for {
        { match = "Reference gt '9007199254740993'", body = { ["@odata.count"] = 0, value = array {} } },
        { match = "Reference gt", status = 400, body = '{"message":"not so"}' },
        { match = "odata/QueueItems", body = {
          ["@odata.count"] = 3, value = { { Reference = "12" }, { Reference = "9007199254740993" } },
        } },
      }
      assert.same({ 2 }, { walk(client, "odata/QueueItems", { by = "Reference" }) })
    end)
  end)

  describe("raises before it asks for anything:", function()
    local filter = { filter = "Id gt 0", by = "Id" }
    for what, call in pairs {
      ["a filter twice"] = { "odata/Jobs?$filter=Id gt 1", filter },
      ["a filter twice, without by"] = { "odata/Jobs?$filter=Id gt 1", { filter = "Id gt 0" } },
      ["by and an order in the path"] = { "odata/Jobs?$orderby=Name", { by = "Id" } },
      ["by and $orderby"] = { "odata/Jobs", { by = "Id", ["$orderby"] = "Name" } },
      ["by and an order in query"] = { "odata/Jobs", { by = "Id", query = { ["$orderby"] = "Name" } } },
      ["by what the path does not select"] = { "odata/Jobs?$select=Name", { by = "Id" } },
      ["by what query does not select"] = { "odata/Jobs", { by = "Id", query = { ["$select"] = "Name" } } },
      ["a filter that is none"] = { "odata/Jobs", { by = "Id", ["$filter"] = 5 } },
      ["an offset in the path"] = { "odata/Jobs?%24SKIP=5", {} },
      ["an offset in query, in capitals"] = { "odata/Jobs", { query = { ["$Skip"] = 5 } } },
      ["an offset as an option, in capitals"] = { "odata/Jobs", { ["$Skip"] = 5 } },
      ["an offset in the query of another service"] = { "du_/api/list", { query = { Skip = 5 } } },
      ["a size in the query of another service"] = { "api/Folders/All", { query = { Take = 5 } } },
      ["a count that is none"] = { "odata/Jobs?$count=many", {} },
      ["a count twice"] = { "odata/Jobs?$count=true", { count = true } },
      ["an option of a wrong type"] = { "odata/Jobs", { orderby = {} } },
      ["a query that is no table"] = { "api/Folders/All", { query = "x" } },
      ["a header that is none"] = { "odata/Jobs", { headers = { ["X Y"] = "z" } } },
      ["an offset where there is none"] = { "orgaudit_/api/query/events", { skip = 5 } },
    } do
      it(what, function()
        local client = client_for { { match = "/", body = page(1, 1000) } }
        for _, method in ipairs { "each", "pages", "collect", "count" } do
          local ok, message = pcall(function() client[method](client, call[1], call[2]) end)
          assert.is_false(ok)
          assert.matches("^spec/paging_edges_spec.lua:%d+: ", message)
        end
        assert.same({}, server.asked())
      end)
    end
  end)

  it("bears $count anywhere, and adds no other", function()
    local client = client_for {
      { match = "odata/Jobs", body = page(1, 2, { ["@odata.count"] = 2 }) },
    }
    for _, call in ipairs {
      { "odata/Jobs?$count=true&$filter=Id gt 0" }, { "odata/Jobs?$count=True" },
      { "odata/Jobs", { ["$count"] = "true" } }, { "odata/Jobs", { ["$count"] = true } },
      { "odata/Jobs", { query = { ["$count"] = true } } }, { "odata/Jobs", { query = { count = "true" } } },
    } do
      assert.equal(2, #assert(client:collect(call[1], call[2])))
      assert.equal(2, client:count(call[1], call[2]))
    end
    for _, line in ipairs(server.asked()) do
      assert.is_truthy(line:find("$count=true", 1, true), line)
      assert.equal(1, select(2, line:lower():gsub("count=true", "")), line)
    end
  end)

  it("does not ask for a count that the path turns off", function()
    local client = client_for { { match = "odata/Jobs", body = page(1, 2) } }
    assert.equal(2, #assert(client:collect("odata/Jobs?$count=false", { limit = 2 })))
    assert.same({}, server.asked "count")
  end)

  it("is not changed by what becomes of its options meanwhile", function()
    local client = client_for {
      { match = "skip=2", body = page(3, 3) }, { match = "skip=3", body = page(1, 0) },
      { match = "odata/Jobs", body = page(1, 2) },
    }
    local options = { filter = { "Id gt ?", 0 }, query = { x = "1" }, select = { "Id" }, page_size = 2 }
    local number = 0
    for _ in client:each("odata/Jobs", options) do
      number = number + 1
      options.query["$skip"], options.filter[2], options.select[1] = 5, 9, {}
    end
    assert.equal(3, number)
    for _, line in ipairs(server.asked()) do
      assert.is_truthy(line:find("$filter=Id gt 0&$select=Id", 1, true), line)
    end
  end)

  describe("with a total that is of the page alone", function()
    it("goes on behind a full page", function()
      local client = client_for {
        { match = "skip=200", body = { totalCount = 50, results = rows(201, 250) } },
        { match = "skip=100", body = { totalCount = 100, results = rows(101, 200) } },
        { match = "skip=", body = { totalCount = 0, results = array {} } },
        { match = "api/Things", body = { totalCount = 100, results = rows(1, 100) } },
      }
      assert.equal(250, #assert(client:collect "feedback_/api/Things"))
      assert.equal(250, client:count "feedback_/api/Things")
    end)

    it("goes on behind a page that a service caps", function()
      local client = client_for {
        { match = "skip=50", body = { total = 7, data = rows(51, 57) } },
        { match = "skip=", body = { total = 0, data = array {} } },
        { match = "api/Things", body = { total = 50, data = rows(1, 50) } },
      }
      assert.equal(57, #assert(client:collect "feedback_/api/Things"))
    end)

    it("believes it of a service that heeds neither limit nor offset", function()
      local client = client_for {
        { match = "api/Things", body = { totalCount = 150, results = rows(1, 150) } },
        { match = "api/Bare", body = rows(1, 150) },
      }
      assert.equal(150, #assert(client:collect "feedback_/api/Things"))
      assert.equal(150, #assert(client:collect "feedback_/api/Bare"))
    end)

    it("believes the short page of a service that is known to count right", function()
      local client = client_for { { match = "api/User", body = { totalCount = 7, results = rows(1, 7) } } }
      assert.equal(7, #assert(client:collect "identity_/api/User/users/x"))
      assert.equal(1, #server.asked())
    end)
  end)

  it("goes on where the reply says that there is more, whatever it counts", function()
    local client = client_for {
      { match = "skip=3", body = { totalItems = 3, hasNextPage = false, data = rows(4, 4) } },
      { match = "skip=", body = { totalItems = 3, hasNextPage = false, data = array {} } },
      { match = "list", body = { totalItems = 3, hasNextPage = true, data = rows(1, 3) } },
    }
    assert.equal(4, #assert(client:collect "testmanager_/api/v2/list"))
  end)

  it("ends with an error where the reply says that there is more, and sends none", function()
    local client = client_for {
      { match = "skip=", body = { hasNextPage = true, data = array {} } },
      { match = "list", body = { hasNextPage = true, data = rows(1, 3) } },
    }
    local number, err = walk(client, "testmanager_/api/v2/list")
    assert.equal(3, number)
    assert.matches("says that there are more rows, and sends none", err.message)
  end)

  it("ends with an error, and soon, where a huge count has nothing behind it", function()
    local client = client_for {
      { match = "skip=", body = page(1, 0) },
      { match = "odata/Jobs", body = page(1, 2, { ["@odata.count"] = 4e15 }) },
    }
    local number, err = walk(client, "odata/Jobs")
    assert.equal(2, number)
    assert.equal("decode", err.kind)
    assert.matches("counts 4000000000000000 rows, and sends %d+ pages without any", err.message)
    assert.is_true(#server.asked() < 100)
  end)

  it("ends with an error where the same rows, which have no key, come for every offset", function()
    local client = client_for { { match = "odata/Jobs", body = { value = { { State = "A" }, { State = "B" } } } } }
    local number, err = walk(client, "odata/Jobs")
    assert.is_true(number >= 2 and number < 1000, number)
    assert.matches("sends the same page for every offset", err.message)
  end)

  it("ends with an error where less than half of what is counted comes", function()
    local client = client_for {
      { match = "skip=", body = page(1, 0) },
      { match = "odata/Few", body = page(1, 4, { ["@odata.count"] = 9 }) },
      { match = "odata/Half", body = page(1, 4, { ["@odata.count"] = 8 }) },
    }
    local number, err = walk(client, "odata/Few")
    assert.equal(4, number)
    assert.matches("counts 9 rows, and sends no more than 4", err.message)
    assert.same({ 4 }, { walk(client, "odata/Half") })
  end)

  describe("of the audit log", function()
    local routes = {
      { match = "before=2", body = {
        auditEvents = rows(3, 3, "id"), next = "/acme/orgaudit_/api/query/events?after=3", previous = uipath.null } },
      { match = "query/events", body = {
        auditEvents = rows(1, 2, "id"), next = "/acme/orgaudit_/api/query/events?after=2",
        previous = "/acme/orgaudit_/api/query/events?before=2" } },
    }

    it("follows the link to what is older", function()
      local client = client_for(routes)
      assert.equal(3, #assert(client:collect("orgaudit_/api/query/events", { query = { status = 0 } })))
      assert.equal(3, #assert(client:collect("orgaudit_/api/query/events", { limit = 1000 })))
      assert.equal(3, client:count "tenantaudit_/api/query/events")
      assert.same({}, server.asked "after=")
    end)

    it("has its own name for the size of a page", function()
      local client = client_for(routes)
      assert.equal(1, #assert(client:collect("orgaudit_/api/query/events", { limit = 1 })))
      assert.same({ "GET /acme/orgaudit_/api/query/events?maxCount=1" }, server.asked())
    end)
  end)

  it("follows a link that is called next", function()
    local client = client_for {
      { match = "cursor=b", body = { results = rows(3, 3) } },
      { match = "api/Things", body = { results = rows(1, 2), next = "?cursor=b" } },
    }
    assert.equal(3, #assert(client:collect("feedback_/api/Things", { limit = 3 })))
  end)

  describe("of a list under any name", function()
    it("takes the one member that is an array of objects", function()
      local client = client_for {
        { match = "skip=2", body = { entries = array {}, notes = array {} } },
        { match = "api/Things", body = { entries = rows(1, 2), notes = array {}, words = { "a" }, totalCount = 2 } },
        { match = "api/None", body = { entries = array {} } },
      }
      assert.equal(2, #assert(client:collect "feedback_/api/Things"))
      assert.equal(0, #assert(client:collect "feedback_/api/None"))
    end)

    for what, body in pairs {
      ["several lists"] = { one = rows(1, 2), other = rows(1, 2) },
      ["a list of words"] = { words = { "a", "b" } },
      ["no list"] = { count = 3 },
      ["an object where the list is due"] = { data = {} },
      ["one thing that has a list"] = { Id = 5, Parts = rows(1, 2) },
    } do
      it("says so where the reply is " .. what, function()
        local client = client_for { { match = "api/Things", body = body } }
        local list, err = client:collect "feedback_/api/Things"
        assert.is_nil(list)
        assert.equal("decode", err.kind)
        assert.matches("the reply is no list of rows: an object with ", err.message)
      end)
    end

    it("does not take a thing with a list for a list outside of walks", function()
      assert.is_nil(require("uipath.output.values").rows { Name = "x", Parts = { { a = 1 } } })
    end)
  end)

  describe("asks again with the cap that a refusal names", function()
    for _, message in ipairs {
      "The field take must be between 0 and 50.",
      "The limit of '50' for Top query has been exceeded. The value from the incoming request is '100'.",
      "Page size must be less than or equal to 50 (was 100)", "pageSize must be less than 51",
      "At most 50 rows are allowed", "Maximum page size: 50",
    } do
      it(message, function()
        local client = client_for {
          { match = "top=100", status = 400, body = { message = message, errorCode = 1009, traceId = "00-12-99" } },
          { match = "skip=50", body = { totalCount = 57, results = rows(51, 57) } },
          { match = "top=50", body = { totalCount = 57, results = rows(1, 50) } },
        }
        assert.equal(57, #assert(client:collect "testmanager_/api/v2/list"))
        assert.equal(57, #assert(client:collect("testmanager_/api/v2/list", { limit = 1000 })))
      end)
    end

    it("where only a detail names it", function()
      local client = client_for {
        { match = "take=1000", status = 400, body = {
          message = "Your request is not valid!",
          error = { details = "The following errors were found:\r\n - The field take must be between 0 and 100" } } },
        { match = "take=100", body = { PageItems = rows(1, 3), Count = 3 } },
      }
      assert.equal(3, #assert(client:collect "api/Folders/GetAll"))
    end)

    it("by key as well", function()
      local client = client_for {
        { match = "top=1000", status = 400, body = { message = "The maximum for $top is 2." } },
        { match = "Id gt 2", body = page(3, 3, { ["@odata.count"] = 1 }) },
        { match = "odata/Jobs", body = page(1, 2, { ["@odata.count"] = 3 }) },
      }
      assert.same({ 3 }, { walk(client, "odata/Jobs", { by = "Id" }) })
    end)

    it("but not for ever, and not where it names none", function()
      local client = client_for {
        { match = "odata/Never", status = 400, body = { message = "The maximum is 5, or 4, or 3, or 2, or 1." } },
        { match = "odata/Other", status = 400, body = { message = "The name is too long: 12 letters." } },
      }
      local list, err = client:collect "odata/Never"
      assert.is_nil(list)
      assert.equal(400, err.status)
      assert.is_true(#server.asked "Never" <= 4)
      list, err = client:collect "odata/Other"
      assert.is_nil(list)
      assert.equal("request", err.kind)
      assert.equal(1, #server.asked "Other")
    end)
  end)

  describe("follows a nextLink", function()
    -- The routes are written before the server's port is known; so is the link.
    local function links_to(link)
      return client_for {
        { match = "skiptoken=2", body = page(3, 3) },
        { match = "odata/Jobs", body = page(1, 2, { ["@odata.nextLink"] = link }) },
      }
    end
    for _, origin in ipairs { "https://127.0.0.1", "http://127.0.0.1:8443", "HTTP://127.0.0.1:80" } do
      it("that names our host at " .. origin, function()
        local client = links_to(origin .. "/acme/T/orchestrator_/odata/Jobs?$skiptoken=2")
        assert.equal(3, #assert(client:collect("odata/Jobs", { limit = 3 })))
      end)
    end

    it("to no other host", function()
      for _, link in ipairs {
        "https://127.0.0.2/acme/T/orchestrator_/odata/Jobs?$skiptoken=2",
        "https://127.0.0.1.example/acme/T/orchestrator_/odata/Jobs?$skiptoken=2",
      } do
        local number, err = walk(links_to(link), "odata/Jobs")
        assert.same({ 2, "usage" }, { number, err.kind })
        assert.equal(1, #server.asked())
        server.stop()
      end
      server = nil
    end)

    it("of the wildest kinds to an error, not a raised message", function()
      for _, link in ipairs { "http://x@127.0.0.1/odata/Jobs", "http://", "::", "/odata/\1", "/odata/%2e%2e/x" } do
        local number, err = walk(links_to(link), "odata/Jobs")
        assert.equal(2, number)
        assert.is_true(uipath.is_error(err), link .. ": " .. tostring(err))
        server.stop()
      end
      server = nil
    end)
  end)

  it("goes on by offset where links end before what was counted", function()
    local client = client_for {
      { match = "skip=3", body = page(4, 5) },
      { match = "token=2", body = page(1, 0) },
      { match = "token=1", body = page(3, 3, { ["@odata.nextLink"] = "?token=2" }) },
      { match = "odata/Jobs", body = page(1, 2, { ["@odata.nextLink"] = "?token=1", ["@odata.count"] = 5 }) },
    }
    assert.equal(5, #assert(client:collect "odata/Jobs"))
  end)
end)

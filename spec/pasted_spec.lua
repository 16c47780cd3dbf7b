-- Mistakes that nobody sees in credentials, names and scopes that were copied from somewhere are named.

local assert = require "luassert"
local command = require "spec.support.command"
local replies = require "spec.support.replies"
local uipath = require "uipath"

local function options_with(name, value)
  local options = { base_url = "https://h.example", organization = "acme", tenant = "T", client_id = "id", client_secret = "s3cr3t",
                    scope = "OR.Jobs", profile = false }
  if name == "access_token" then options.client_id, options.client_secret, options.scope = nil, nil, nil end
  options[name] = value
  return options
end

-- what, text around or within the word, what the message says
local BLEMISHES = {
  { "a blank behind", "%s ", "blank" }, { "a blank before", " %s", "blank" },
  { "a line end", "%s\n", "control" }, { "a line end of Windows", "%s\r\n", "control" }, { "a tab", "%s\t", "control" },
  { "a control character of the second set", "a\194\133%s", "control" }, { "a line separator", "%s\226\128\168", "control" },
  { "a byte order mark", "\239\187\191%s", "byte order mark" }, { "a no-break space", "%s\194\160", "no-break space" },
  { "a no-break space within", "a\194\160%s", "no-break space" }, { "a narrow no-break space", "%s\226\128\175", "no-break space" },
  { "an ideographic space", "%s\227\128\128", "space" }, { "a zero-width space", "%s\226\128\139", "zero-width" },
  { "a zero-width joiner within", "a\226\128\141%s", "zero-width" }, { "a word joiner", "\226\129\160%s", "invisible" },
  { "a mark of direction", "\226\128\142%s", "invisible" }, { "a soft hyphen", "a\194\173%s", "invisible" },
}
local QUOTES = {
  { "quotes", '"%s"', "quotes" }, { "single quotes", "'%s'", "quotes" }, { "backquotes", "`%s`", "quotes" },
  { "typographic quotes", "“%s”", "quotes" },
}

describe("uipath.connect refuses", function()
  local function expect_refusal(name, value, word)
    local ok, message = pcall(uipath.connect, options_with(name, value))
    assert.is_false(ok, name)
    assert.is_truthy(message:find("'" .. name .. "'", 1, true), message)
    assert.is_truthy(message:find(word, 1, true), message)
    assert.is_nil(message:find("w0rd", 1, true), message)
  end

  for _, row in ipairs(BLEMISHES) do
    it(row[1] .. " in credentials and names", function()
      for _, name in ipairs { "client_id", "client_secret", "organization", "tenant", "access_token" } do
        expect_refusal(name, row[2]:format "w0rd", row[3])
      end
      if row[3] ~= "blank" then expect_refusal("scope", row[2]:format "w0rd", row[3]) end
    end)
  end

  for _, row in ipairs(QUOTES) do
    it(row[1] .. " around all but a secret, which may have them by chance", function()
      for _, name in ipairs { "client_id", "organization", "tenant", "access_token", "scope" } do
        expect_refusal(name, row[2]:format "w0rd", row[3])
      end
      assert(uipath.connect(options_with("client_secret", row[2]:format "w0rd")))
    end)
  end

  it("separators of scopes that are none", function()
    for _, text in ipairs { "OR.Jobs,OR.Queues", "OR.Jobs, OR.Queues", "OR.Jobs;OR.Queues", "OR.Jobs|OR.Queues", "OR.Jobs+OR.Queues",
      "OR.Jobs%20OR.Queues" } do
      expect_refusal("scope", text, "separated by spaces, and not by")
      expect_refusal("scope", { "OR.Default", text }, "separated by spaces, and not by")
    end
    expect_refusal("scope", 'OR.Jobs "OR.Queues"', "quotes")
    expect_refusal("scope", "OR.Jobs OR.Queues、OR.Folders", "ASCII")
    assert(uipath.connect(options_with("scope", "  OR.Jobs   OR.Queues.Read ")))
  end)

  it("what is in a variable, too, by its name", function()
    local variables = { UIPATH_CLIENT_ID = "a", UIPATH_CLIENT_SECRET = "b ", UIPATH_ORGANIZATION = "o", UIPATH_TENANT = "t" }
    local result = command.luipath({ "get", "odata/Jobs" }, { environment = variables })
    assert.equal(2, result.code)
    assert.matches("variable UIPATH_CLIENT_SECRET must not begin or end with a blank", result.errors)
  end)

  it("it in an address", function()
    expect_refusal("base_url", "\239\187\191https://h.example", "byte order mark")
    expect_refusal("base_url", '"https://h.example"', "quotes")
    expect_refusal("identity_url", "https://h.example\226\128\139/identity_", "zero-width")
  end)

  it("and nothing that may be meant", function()
    for name, value in pairs { client_secret = "a b$\"'%ü", client_id = "a b", organization = "a b", tenant = "Größe 7" } do
      assert(uipath.connect(options_with(name, value)))
    end
  end)
end)

describe("a secret that is refused", function()
  it("and stands in quotes has a hint that says so, without the secret", function()
    local server = replies.start()
    server:answer { status = 400, body = '{"error":"invalid_client"}' }
    for secret, word in pairs { ['"w0rd"'] = "be in quotes", ["w0rd\255"] = "no UTF-8" } do
      local client = server:client { access_token = false, client_id = "a", client_secret = secret }
      local _, err = client:get "odata/Jobs"
      assert.equal("invalid_client", err.code)
      assert.is_truthy(err.hint:find(word, 1, true), err.hint)
      assert.is_nil(err.hint:find("w0rd", 1, true))
    end
    local _, err = server:client({ access_token = false, client_id = "a", client_secret = "b" }):get "odata/Jobs"
    assert.is_nil(err.hint:find("copied", 1, true))
    server:stop()
  end)
end)

describe("a token function", function()
  it("that gives a token with a line end is told so", function()
    local client = uipath.connect(options_with("access_token", function() return "w0rd\n" end))
    local _, err = client:get "odata/Jobs"
    assert.equal("auth", err.kind)
    assert.matches("blanks or line ends around it", err.message)
    assert.is_nil(tostring(err):find("w0rd", 1, true))
  end)
end)

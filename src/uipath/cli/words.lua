-- What the module says to scripts, in the words of the shell: its options are flags here, and what
-- has no flag is a variable.

local words = {}

-- Flags that bear the names of options.
local FLAGS = {}
for name in ([[apply body by count expand filter folder idempotent level max_attempts orderby organization
  page_size profile search select skip tenant timeout top]]):gmatch "[%w_]+" do FLAGS[name] = true end

local VARIABLES = {
  access_token = "UIPATH_PAT", base_url = "UIPATH_URI", ca_file = "SSL_CERT_FILE",
  ca_dir = "SSL_CERT_DIR", client_id = "UIPATH_CLIENT_ID", client_secret = "UIPATH_CLIENT_SECRET",
  deployment = "UIPATH_DEPLOYMENT", identity_url = "UIPATH_IDENTITY_URI",
  insecure = "UIPATH_INSECURE", proxy = "HTTPS_PROXY", scope = "UIPATH_AUTH_SCOPES",
}

local function flag_of(name)
  if name == "limit" then return "--top" end
  if name == "headers" then return "--header" end
  return FLAGS[name] and "--" .. name:gsub("_", "-") or nil
end

local function spoken(name) return flag_of(name) or VARIABLES[name] end

-- Patterns, each with what it becomes.
local RULES = {
  -- What has a way of its own in the shell says it last.
  { "(give a folder): .-; in the shell (.*)$", "%1: %2" },
  { "; in the shell (%-%-.*)$", ": %1" },
  { "uipath%.endpoints%(pattern%)", "luipath endpoints PATTERN" },
  { "give limit, page_size and skip instead", "give --top, --page-size and --skip instead" },
  { "^by and (%l+) exclude each other", "--by and --%1 exclude each other" },
  { "exclude each other: by is", "exclude each other: --by is" },
  { "^by: select must", "--by: --select must" },
  { "options 'client_id' and 'client_secret', or 'access_token' %(variables ([^;]*); or a profile%)",
    "set the variables %1; or name a profile (--profile)" },
  { "missing option '([%l_]+)' %(variable (%u[%u_]*)%)", function(name, variable)
    local flag = flag_of(name)
    if not flag then return "missing variable " .. variable end
    return ("missing %s (or the variable %s)"):format(flag, variable)
  end },
  -- { folder = "Shared" }
  { "{ ([%l_]+) = \"?([^\"{}]-)\"? }", function(name, value)
    local flag = flag_of(name)
    if flag then return value == "true" and flag or flag .. " " .. value end
    return VARIABLES[name] and VARIABLES[name] .. "=" .. value
  end },
  { "insecure = true", "UIPATH_INSECURE=1" },
  { "idempotent = true", "--idempotent" },
  { "%f[%w_]([%l_]+) = (%d+)", function(name, value)
    local flag = flag_of(name)
    return flag and flag .. " " .. value
  end },
  { "options? '([%l_]+)'", function(name) return spoken(name) end },
  { "check base_url, organization and tenant", "check UIPATH_URI, --organization and --tenant" },
  -- The option that a message is about stands at its beginning.
  { "^([%l_]+)(:? )", function(name, behind)
    local flag = flag_of(name)
    return flag and flag .. behind
  end },
  { "%f[%w_]([%l]+_[%l_]+)%f[^%w_]", spoken },
}

---@param message string
---@return string
function words.of(message)
  for _, rule in ipairs(RULES) do message = message:gsub(rule[1], rule[2]) end
  return message
end

---The words of an error object: what the service says stays as it is.
---@param err table
---@return string
function words.of_error(err)
  local hint = err.hint
  if hint then err.hint = words.of(hint) end
  if err.kind == "usage" and not err.status then err.message = words.of(err.message) end
  return tostring(err)
end

return words

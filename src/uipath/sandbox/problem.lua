--- The ways in which the services say no. A handler ends by raising one; server.lua sends it.

local json = require("uipath.sandbox.json")

local problem = {}

local Problem = {}

--- The id by which UiPath's support would find this request.
function problem.trace_id()
  local id = ngx.var.request_id
  return "00-" .. id .. "-" .. id:sub(17) .. "-00"
end

--- Whether a value that was raised is a problem to be sent, and not a mistake of the sandbox.
function problem.is(value)
  return getmetatable(value) == Problem
end

--- Raises any reply.
---@param status integer
---@param body? string
---@param headers? table<string, string>
function problem.raise(status, body, headers)
  error(setmetatable({ status = status, body = body or "", headers = headers }, Problem), 0)
end

--- Orchestrator's own shape: message, errorCode, traceId.
function problem.orchestrator(status, code, message)
  problem.raise(status, json.object({
    "message", message, "errorCode", code, "resourceIds", json.null,
    "traceId", problem.trace_id(),
  }, 4))
end

--- Query options that OData or its limits do not allow.
function problem.bad_query(message)
  problem.orchestrator(400, 1000, "Invalid OData query options. " .. message)
end

--- A body that is not what the operation takes.
function problem.bad_body(message)
  problem.orchestrator(400, 1009, message)
end

--- An entity that does not exist.
function problem.not_found(entity)
  problem.orchestrator(404, 1002, entity .. " does not exist.")
end

--- The envelope of the ABP framework, which Orchestrator uses for 401 and 403 alone.
local function abp(message, details, unauthorized)
  return json.object({
    "message", message, "errorCode", 0, "result", json.null, "targetUrl", json.null,
    "success", false,
    "error", { code = 0, message = message, details = details, validationErrors = json.null },
    "unAuthorizedRequest", unauthorized, "__abp", true,
  }, 8)
end

--- No token, or one that is not valid (any more).
function problem.unauthenticated(reason)
  problem.raise(401, abp("You are not authenticated!",
    "You should be authenticated (sign in) in order to perform this operation.", false),
    reason and { ["WWW-Authenticate"] = 'Bearer error="' .. reason .. '"' })
end

--- A valid token without the scope needed.
function problem.forbidden()
  problem.raise(403, abp("You are not authorized!",
    "You are not allowed to perform this operation.", true))
end

--- The same, as Identity says it: it names the scopes.
function problem.identity_forbidden(held, needed)
  problem.raise(403, json.encode { errorMessage = ("Scope(s) '%s' is(are) invalid. "
    .. "Expect to have '%s'. "):format(table.concat(held, ","), table.concat(needed, "' or '")) })
end

--- ASP.NET's shape, which Identity and Test Manager use for arguments that they do not take.
function problem.validation(field, message)
  problem.raise(400, json.object({
    "errors", { [field] = json.array { message } },
    "type", "https://tools.ietf.org/html/rfc9110#section-15.5.1",
    "title", "One or more validation errors occurred.", "status", 400,
    "traceId", problem.trace_id(),
  }, 5), { ["Content-Type"] = "application/problem+json; charset=utf-8" })
end

return problem

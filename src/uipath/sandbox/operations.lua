--- OData's actions and functions, and the operations beside OData: what is neither a set nor an
--- entity. The files of the entities add theirs here.

local folders = require("uipath.sandbox.folder")
local identity = require("uipath.sandbox.identity")
local json = require("uipath.sandbox.json")
local problem = require("uipath.sandbox.problem")
local query = require("uipath.sandbox.query")

local operations = {}

local list = {}

---@class uipath.sandbox.Operation
---@field scope string  as a set's
---@field access "Read"|"Write"
---@field folder? boolean  whether the request must name a folder
---@field run fun(request: table): integer, string|table, table|nil

--- Adds an operation.
---@param method string
---@param path string  below the service, with `{}` for each of its arguments
---@param operation uipath.sandbox.Operation
function operations.add(method, path, operation)
  operation.method = method
  operation.pattern = "^" .. path:gsub("[%(%)%.%-%+%?%[%]%^%$%%]", "%%%0"):gsub("{}", "(.-)") .. "$"
  list[#list + 1] = operation
end

--- The operation of a path with its arguments, in which two quotes stand for one.
---@return uipath.sandbox.Operation|nil operation
---@return string[]|nil captures
function operations.find(method, path)
  for _, operation in ipairs(list) do
    if operation.method == method then
      local captures = { path:match(operation.pattern) }
      if captures[1] then
        for index, text in ipairs(captures) do captures[index] = text:gsub("''", "'") end
        return operation, captures
      end
    end
  end
end

--- Runs an operation. It gets its captures as a list with folder, options (the query), base and
--- settings beside them.
---@return integer status
---@return string body
---@return table<string, string>|nil headers
function operations.run(operation, captures, facts, place)
  if not identity.allows(facts, operation.scope, operation.access) then problem.forbidden() end
  captures.folder = operation.folder and folders.of_request() or nil
  captures.options, captures.query = ngx.req.get_uri_args(), ngx.var.args or ""
  captures.base, captures.settings = place.base, place.settings
  local status, body, headers = operation.run(captures)
  if type(body) == "table" then body = json.encode(body) end
  return status, body, headers
end

--- A request's body, wherever nginx has put it.
---@return string|nil
function operations.bytes()
  ngx.req.read_body()
  local text = ngx.req.get_body_data()
  if text then return text end
  local path = ngx.req.get_body_file()
  local file = path and io.open(path, "rb")
  text = file and file:read("*a")
  if file then file:close() end
  return text
end

--- The body of a request as a table; raises when it is not a JSON object.
---@return table
function operations.body()
  local text = operations.bytes()
  local value = text and json.decode(text)
  if type(value) ~= "table" then problem.bad_body("The request body is not a JSON object.") end
  return value
end

--- A member of the body, which must be there and of this type.
function operations.member(body, name, kind)
  local value = body[name]
  if type(value) ~= kind then problem.bad_body("The " .. name .. " field is required.") end
  return value
end

--- A value of a member; nil for null.
function operations.value(value)
  if value == json.null then return nil end
  return value
end

--- One row of a set as the reply's body.
function operations.entity(request, set, name, row)
  return query.entity({ set = set, name = name, options = {}, base = request.base }, row)
end

--- A page of a set as the reply's body.
function operations.page(request, set, name)
  return query.page({
    set = set, name = name, folder = request.folder, options = request.options,
    query = request.query, base = request.base, page_size = request.settings.page_size,
    next_link = request.settings.next_link,
  })
end

return operations

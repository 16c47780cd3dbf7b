-- How values are written: as a table, JSON, lines of JSON, CSV or Lua.

local output = {}

output.formats = { "table", "json", "jsonl", "csv", "lua" }

---@class uipath.Writer
---@field value fun(value: any) a single value
---@field rows fun(rows: table[]) a part of a list
---@field finish fun() the end of the list

---@param format "table"|"json"|"jsonl"|"csv"|"lua"
---@param write fun(text: string)
---@param options table see the writers of each format
---@return uipath.Writer
function output.writer(format, write, options)
  if format == "json" then return require("uipath.output.json").writer(write) end
  if format == "jsonl" then return require("uipath.output.json").lines(write) end
  if format == "csv" then return require("uipath.output.csv").writer(write, options) end
  if format == "lua" then return require("uipath.output.lua").writer(write) end
  return require("uipath.output.table").writer(write, options)
end

return output

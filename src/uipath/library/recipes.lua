---@meta uipath.recipes
-- What editors know of the groups of recipes: client.jobs, client.queues and so on. Nothing of this is run; spec/library_spec.lua compares
-- it with what the groups say of themselves.

---A name, an id (a number), a key (a GUID), a row, or `{ name = … }` for a name that looks like something else.
---@alias uipath.Ref string|integer|table

---An id (a number), a key (a GUID) or a row.
---@alias uipath.RowRef string|integer|table

---What the requests of any recipe can be told. `false` as folder: none, where the client has one.
---@class uipath.RecipeOptions
---@field folder? uipath.Folder|false
---@field headers? table<string, string|number>
---@field timeout? number seconds; of what waits, for the whole wait
---@field max_attempts? integer

-- ---------------------------------------------------------------------------
-- Jobs
-- ---------------------------------------------------------------------------

---@class uipath.StartOptions : uipath.RecipeOptions
---@field count? integer how many jobs, default 1
---@field reference? string a text of one's own, by which the job is found later
---@field priority? "Low"|"Normal"|"High"|integer 1 to 100
---@field runtime? string "Unattended", "Serverless", …
---@field environment? table<string, string|number|boolean>|string environment variables
---@field fields? table anything else of the request's startInfo

---@class uipath.WaitOptions : uipath.RecipeOptions
---@field on_change? fun(job: table) called whenever the State has changed

---@class uipath.RunOptions : uipath.StartOptions, uipath.WaitOptions

---@class uipath.Jobs
local Jobs = {}

---Starts a process. Fewer jobs than asked for: nil and an error with `jobs`. An answer that was lost is looked for; see `err.uncertain`.
---@param process uipath.Ref
---@param input? table<string, any> its input arguments
---@param options? uipath.StartOptions
---@return table? job
---@return table[]|uipath.Error jobs all of them, or the error
function Jobs:start(process, input, options) end

---Waits until it is Successful. Faulted and Stopped give nil and an error of kind "failed" with `job`; of a list all are waited for.
---@param job uipath.RowRef|uipath.RowRef[]
---@param options? uipath.WaitOptions `timeout`: default 3600 s; the job goes on
---@return table? job or list
---@return uipath.Error? err
function Jobs:wait(job, options) end

---Its output arguments; `{}` where there are none.
---@param job uipath.RowRef
---@param options? uipath.RecipeOptions
---@return table? output
---@return string|uipath.Error|nil note that an older robot may have dropped the output; or the error
function Jobs:output(job, options) end

---Starts a process, waits for it and gives its output.
---@param process uipath.Ref
---@param input? table<string, any>
---@param options? uipath.RunOptions
---@return table? output
---@return table|uipath.Error job
function Jobs:run(process, input, options) end

---@param job uipath.RowRef|uipath.RowRef[]
---@param options? uipath.RecipeOptions|{ kill?: boolean }
---@return true? done
---@return uipath.Error? err
function Jobs:stop(job, options) end

---Starts a job that has ended once more.
---@param job uipath.RowRef
---@param options? uipath.RecipeOptions
---@return table? job the new one
---@return uipath.Error? err
function Jobs:restart(job, options) end

---@param options? uipath.PagingOptions
---@return fun(): table?, integer?
function Jobs:each(options) end

---Iterates over the lines of its log.
---@param job uipath.RowRef
---@param options? uipath.PagingOptions|{ follow?: boolean } `follow`: until the job has ended
---@return fun(): table?
function Jobs:logs(job, options) end

-- ---------------------------------------------------------------------------
-- Processes, schedules, folders
-- ---------------------------------------------------------------------------

---@class uipath.Processes
local Processes = {}

---@param options? uipath.PagingOptions
---@return fun(): table?, integer?
function Processes:each(options) end

---@class uipath.Schedules
local Schedules = {}

---@param options? uipath.PagingOptions
---@return fun(): table?, integer?
function Schedules:each(options) end

---@param name uipath.Ref
---@param options? uipath.RecipeOptions
---@return true? done
---@return uipath.Error? err
function Schedules:enable(name, options) end

---@param name uipath.Ref
---@param options? uipath.RecipeOptions
---@return true? done
---@return uipath.Error? err
function Schedules:disable(name, options) end

---@class uipath.Folders
local Folders = {}

---@param path uipath.Ref
---@param options? uipath.RecipeOptions
---@return table? folder
---@return uipath.Error? err
function Folders:find(path, options) end

---@param options? uipath.PagingOptions
---@return fun(): table?, integer?
function Folders:each(options) end

-- ---------------------------------------------------------------------------
-- Queues
-- ---------------------------------------------------------------------------

---@alias uipath.Date number|string|table as `uipath.odata.date` takes it

---@class uipath.ItemOptions : uipath.RecipeOptions
---@field reference? string one that is there already is a "conflict" where the queue has each but once
---@field priority? "Low"|"Normal"|"High"
---@field defer? uipath.Date not to be taken before
---@field due? uipath.Date
---@field risk? uipath.Date
---@field progress? string

---A value for all items, `{ field = "InvoiceNo" }`, or a function of content and index.
---@alias uipath.PerItem string|number|{ field: string }|fun(content: table, index: integer): any

---@class uipath.ManyOptions : uipath.RecipeOptions
---@field commit? "all"|"each"|"until_failure" default "all": a request's items or none of them
---@field chunk? integer items of a request, default 500
---@field reference? uipath.PerItem
---@field priority? uipath.PerItem
---@field defer? uipath.PerItem
---@field due? uipath.PerItem
---@field risk? uipath.PerItem
---@field progress? uipath.PerItem

---An item that is not there. `code` is "NotAdded" for one that was only refused along with others.
---@class uipath.ItemFailure
---@field index integer
---@field code string|integer
---@field message string
---@field content table

---@class uipath.Queues
local Queues = {}

---@param queue uipath.Ref
---@param content table<string, any> flat: nested tables raise
---@param options? uipath.ItemOptions
---@return table? item
---@return uipath.Error? err
function Queues:add(queue, content, options) end

---Adds many. A list is checked whole before anything is sent; of an iterator never more than one request is held.
---@param queue uipath.Ref
---@param contents table<string, any>[]|fun(): table<string, any>?
---@param options? uipath.ManyOptions
---@return integer? added
---@return uipath.ItemFailure[]|uipath.Error|nil failures or the error, with `added`, `failures`, `index`, `unknown`
function Queues:add_many(queue, contents, options) end

---@param queue uipath.Ref
---@param options? uipath.PagingOptions
---@return fun(): table?, integer?
function Queues:each(queue, options) end

---@param queue uipath.Ref
---@param options? uipath.PagingOptions
---@return integer? count
---@return uipath.Error? err
function Queues:count(queue, options) end

---Takes the next item as a transaction; `uipath.null`: there is nothing to do.
---@param queue uipath.Ref
---@param options? uipath.RecipeOptions
---@return table|lightuserdata|nil item
---@return uipath.Error? err
function Queues:take(queue, options) end

---@param item uipath.RowRef
---@param options? uipath.RecipeOptions|{ output?: table, error?: string, business?: boolean }
---@return true? done
---@return uipath.Error? err
function Queues:finish(item, options) end

-- ---------------------------------------------------------------------------
-- Assets
-- ---------------------------------------------------------------------------

---@class uipath.AssetOptions : uipath.RecipeOptions
---@field type? string instead of what the value is by itself: "Text", "Integer", "Bool", "Credential", "Secret", "KeyValueList", …
---@field description? string

---@class uipath.Assets
local Assets = {}

---By the asset's type; `uipath.null` of one with users' values alone. A Credential or Secret is a "usage" error.
---@param name uipath.Ref
---@param options? uipath.RecipeOptions
---@return string|integer|boolean|table|lightuserdata|nil value
---@return table|uipath.Error asset
function Assets:get(name, options) end

---Sets the value; the asset is made if there is none. What else it holds stays as it is.
---@param name uipath.Ref
---@param value string|integer|boolean|table `{ username =, password = }`, `{ secret = }`, or the pairs of a key-value list
---@param options? uipath.AssetOptions
---@return table? asset
---@return uipath.Error? err
function Assets:set(name, value, options) end

---@param name uipath.Ref
---@param options? uipath.RecipeOptions
---@return string? username
---@return string|uipath.Error password
---@return table? asset
function Assets:credential(name, options) end

---@param name uipath.Ref
---@param options? uipath.RecipeOptions
---@return string? value
---@return table|uipath.Error asset
function Assets:secret(name, options) end

---@param name uipath.Ref
---@param options? uipath.RecipeOptions
---@return true? done
---@return uipath.Error? err
function Assets:delete(name, options) end

---@param options? uipath.PagingOptions
---@return fun(): table?, integer?
function Assets:each(options) end

-- ---------------------------------------------------------------------------
-- Buckets, exports
-- ---------------------------------------------------------------------------

---@class uipath.TransferOptions : uipath.RecipeOptions
---@field on_progress? fun(done: integer, total: integer?)
---@field total_timeout? number seconds for the whole; `timeout` is for a standstill

---@class uipath.Buckets
local Buckets = {}

---@param options? uipath.PagingOptions
---@return fun(): table?, integer?
function Buckets:each(options) end

---Iterates over its files: rows with `fullPath`, `size`, `contentType`, `lastModified`.
---@param bucket uipath.Ref
---@param options? uipath.PagingOptions|{ prefix?: string }
---@return fun(): table?, integer?
function Buckets:files(bucket, options) end

---@param bucket uipath.Ref
---@param path string
---@param file string
---@param options? uipath.TransferOptions
---@return integer? bytes
---@return uipath.Response|uipath.Error response
function Buckets:download(bucket, path, file, options) end

---@param bucket uipath.Ref
---@param path string
---@param body string|table a string, or uipath.file
---@param options? uipath.TransferOptions|{ content_type?: string }
---@return true? done
---@return uipath.Error? err
function Buckets:upload(bucket, path, body, options) end

---@param bucket uipath.Ref
---@param path string
---@param options? uipath.TransferOptions
---@return string? content
---@return uipath.Error? err
function Buckets:read(bucket, path, options) end

---@param bucket uipath.Ref
---@param path string
---@param options? uipath.RecipeOptions
---@return true? done
---@return uipath.Error? err
function Buckets:delete(bucket, path, options) end

---@class uipath.ExportOptions : uipath.RecipeOptions
---@field queue? uipath.Ref whose items, for "QueueItems"
---@field filter? string|any[]
---@field orderby? string|string[]
---@field on_progress? fun(done: integer, total: integer?)

---@class uipath.Exports
local Exports = {}

---Has the service make a file of a list, waits for it (`timeout`: default 3600 s) and fetches it as it is.
---@param kind "Jobs"|"RobotLogs"|"AuditLogs"|"QueueItems"
---@param file string
---@param options? uipath.ExportOptions
---@return integer? bytes
---@return uipath.Response|uipath.Error response
function Exports:save(kind, file, options) end

-- ---------------------------------------------------------------------------
-- Packages
-- ---------------------------------------------------------------------------

---@class uipath.Packages
local Packages = {}

---Puts a file into the folder's feed if it has one, else the tenant's. A version that is there already is a "conflict".
---@param file string
---@param options? uipath.RecipeOptions
---@return { Id: string, Version: string, Key: string }? package
---@return uipath.Error? err
function Packages:publish(file, options) end

---@param id string|table
---@param options? uipath.RecipeOptions
---@return table[]? versions
---@return uipath.Error? err
function Packages:versions(id, options) end

---@param id string|table
---@param version string
---@param file string
---@param options? uipath.TransferOptions
---@return integer? bytes
---@return uipath.Error? err
function Packages:download(id, version, file, options) end

---Makes or updates the folder's process of that package, and nothing else of it.
---@param id string|table
---@param version? string default: the latest
---@param options? uipath.RecipeOptions|{ name?: string }
---@return table? process
---@return uipath.Error? err
function Packages:deploy(id, version, options) end

---@param process uipath.Ref
---@param options? uipath.RecipeOptions
---@return table? process
---@return uipath.Error? err
function Packages:rollback(process, options) end

---@meta uipath
-- What editors know of the module: point LuaLS's `workspace.library` here. Nothing of this is run; spec/library_spec.lua
-- compares it with the module.

---@class uipath
---@field _VERSION string `"uipath X.Y.Z"`
---@field null lightuserdata JSON null, the very value of `cjson.null`; truthy, so compare with `==`
local uipath = {}

-- ---------------------------------------------------------------------------
-- Options
-- ---------------------------------------------------------------------------

---What is missing is taken from the environment, then from the profile, then from its default. Credentials (`client_id`,
---`client_secret`, `scope`, `access_token`) and the address (`base_url`, `identity_url`, `deployment`, `organization`, `tenant`)
---come whole from the first source that names any of them. `false` unsets an option.
---@class uipath.ConnectOptions
---@field organization? string|false `UIPATH_ORGANIZATION`; required but for `deployment = "standalone"`
---@field tenant? string|false `UIPATH_TENANT`; for tenant-level services
---@field client_id? string|false `UIPATH_CLIENT_ID`: the external application's App ID
---@field client_secret? string|false `UIPATH_CLIENT_SECRET`: its App Secret
---@field scope? string|string[]|false `UIPATH_AUTH_SCOPES`: space-separated, or a list
---@field access_token? string|(fun(): string?, (number|string)?)|false `UIPATH_PAT`: a token, or a function giving `token [, expires_in]`
---@field base_url? string|false `UIPATH_URI`; default `https://cloud.uipath.com`
---@field identity_url? string|false `UIPATH_IDENTITY_URI`; default `{base_url}/{organization}/identity_`
---@field deployment? "cloud"|"suite"|"standalone"|false `UIPATH_DEPLOYMENT`; default `"cloud"`
---@field profile? string|false `UIPATH_PROFILE`: a profile of the official command's `~/.uipath/config`
---@field folder? uipath.Folder|false `UIPATH_FOLDER_PATH`, `UIPATH_FOLDER_KEY`
---@field timeout? number|false `UIPATH_CALL_TIMEOUT`: seconds for one call in all, default 100; for streamed files seconds without progress
---@field connect_timeout? number|false seconds, default 10
---@field max_attempts? integer|false `UIPATH_MAX_ATTEMPTS`; default 4
---@field max_response_bytes? integer|false after decompression; default 256 MiB
---@field prefetch? integer|false pages in flight while paging, default 4
---@field token_store? uipath.TokenStore|false where tokens are shared beyond this process
---@field ca_file? string|false `SSL_CERT_FILE`; default: the system's certificates
---@field ca_dir? string|false `SSL_CERT_DIR`: a hashed directory
---@field proxy? string|false `HTTPS_PROXY`, `NO_PROXY`; loopback is never proxied
---@field insecure? boolean `UIPATH_INSECURE`: no TLS check, and plain `http://` beyond loopback
---@field nulls? "keep"|"drop"|false `"drop"` leaves null members of objects out
---@field on_event? fun(event: uipath.Event)|false called for every attempt, retry and token fetch

---A number is an id, a GUID a key, any other string a path.
---@alias uipath.Folder integer|string

---One plain table for each attempt, retry and token fetch; never a secret in it.
---@class uipath.Event
---@field type "attempt"|"retry"|"token"
---@field method? string
---@field url? string
---@field attempt? integer from 1
---@field status? integer
---@field elapsed? number seconds the attempt or the fetch took
---@field delay? number of a retry: seconds until the next attempt
---@field reason? string of a retry
---@field message? string of a failure

---@class uipath.CallOptions
---@field filter? string|any[] OData; `{ "Name eq ? and Id gt ?", name, 5 }` quotes each value by its type
---@field select? string|string[]
---@field expand? string|string[]
---@field orderby? string|string[]
---@field top? integer
---@field skip? integer
---@field count? boolean
---@field search? string
---@field apply? string
---@field query? table<string, string|number|boolean|any[]> any other parameter
---@field body? any with `request`, `delete` and `start`
---@field folder? uipath.Folder|false
---@field headers? table<string, string|number>
---@field timeout? number seconds
---@field max_attempts? integer
---@field idempotent? boolean POST and PATCH may be sent again
---@field level? "organization"|"tenant" where the service's name does not say it

---`timeout` is seconds without progress here.
---@class uipath.FileOptions : uipath.CallOptions
---@field total_timeout? number seconds for the whole, default: no limit
---@field on_progress? fun(done: integer, total: integer?) bytes; `done` falls back where it has to begin anew

---@class uipath.UploadOptions : uipath.FileOptions
---@field method? "PUT"|"POST"|"PATCH" of a path that takes the bytes itself

---Where a storage has a file, as GetReadUri, GetWriteUri and their like give it.
---@class uipath.Access
---@field Uri string
---@field Verb? string
---@field RequiresAuth? boolean
---@field Headers? { Keys: string[], Values: string[] }

---@class uipath.PagingOptions : uipath.CallOptions
---@field page_size? integer rows a request, lowered to the service's cap (QueueItems and Test Manager 100, else 1000)
---@field limit? integer rows in all; `top` means the same
---@field prefetch? integer pages in flight; given here, the first page is not awaited before that
---@field by? string walk by this key instead of by offset
---@field on_progress? fun(done: integer, total: integer?)

---Asked before the token endpoint, told what was fetched and what was refused. `key` is a hash that holds no secret.
---@class uipath.TokenStore
---@field load fun(key: string): string?, integer? the token and when it expires, in seconds since 1970
---@field save fun(key: string, token: string, expires_at: integer?)
---@field drop fun(key: string, token: string) forgets the token, unless the key has another by now
---@field lock? fun(key: string, seconds: number): boolean true for one caller at a time: it fetches, the others look again (in nginx)
---@field unlock? fun(key: string)

-- ---------------------------------------------------------------------------
-- Results
-- ---------------------------------------------------------------------------

---@class uipath.Response
---@field status integer
---@field headers table<string, string> look-up ignores case
---@field url string
---@field attempts integer
---@field elapsed number seconds
---@field http_version string
---@field hint? string why a list of folders may be empty although the token is good

---@class uipath.Parameter
---@field name string
---@field location "path"|"query"|"header"
---@field type string
---@field required boolean
---@field values? string[] the values it may have, where they are listed

---@class uipath.Endpoint one operation of a service
---@field method string
---@field path string as client:get takes it, with `{name}` for what is to be filled in
---@field service string
---@field operation? string the name of the operation in the definitions
---@field scopes? string as words: "OR.Jobs or OR.Jobs.Read"; absent where none are published
---@field oauth boolean false where external applications are not let in at all
---@field permissions? string what the role of the application must allow
---@field parameters uipath.Parameter[]
---@field folder boolean whether it works in a folder
---@field removed? string since when Automation Cloud no longer has it: "2025-09", "2026-04-30"
---@field instead? string what there is instead
---@field body? "json"|"multipart"

---@alias uipath.ErrorKind
---| "auth" # no token to be had, or refused again after renewal
---| "forbidden" # 403
---| "not_found" # 404
---| "conflict" # 409
---| "rate_limit" # 429 after all attempts
---| "request" # any other 4xx
---| "server" # 5xx
---| "redirect" # a 3xx that is not followed
---| "network" # DNS, connection, TLS, reset
---| "timeout" # the deadline, or 408 after all attempts
---| "cancelled"
---| "decode" # not the JSON it should be
---| "too_large" # beyond max_response_bytes
---| "file" # a local file
---| "failed" # a 2xx whose body tells of failures
---| "usage" # a URL of another host, a service that needs a tenant

---What can go wrong at run time. `tostring` gives one line that begins with `where`; no secret is ever in it.
---@class uipath.Error
---@field kind uipath.ErrorKind
---@field message string the server's own words
---@field status? integer
---@field code? string|integer UiPath's errorCode, or OAuth's `error`
---@field hint? string what to do
---@field method? string
---@field url? string
---@field token_url? string of the token endpoint, where it was a token that could not be had
---@field attempts? integer
---@field retry_after? number seconds
---@field trace_id? string
---@field headers? table<string, string>
---@field retryable? boolean the same call may succeed later
---@field uncertain? boolean what was asked for may have been done: look before you do it again
---@field job? table of a recipe about jobs: the job that failed, or for which the time was over
---@field jobs? table[] those that have been started, or of a list that was waited for
---@field item? table of queues:add, of kind "conflict": the item that has the reference
---@field added? integer of queues:add_many: how many items are there
---@field failures? uipath.ItemFailure[] of queues:add_many
---@field index? integer of queues:add_many: from this one on nothing was sent
---@field unknown? { from: integer, to: integer } of queues:add_many: these may be there
---@field export? table of exports:save
---@field where? string the caller's `file:line`
---@field body? any decoded

---@class uipath.TokenDescription
---@field expires_at? integer seconds since 1970
---@field scopes string[]
---@field source string

-- ---------------------------------------------------------------------------
-- Module
-- ---------------------------------------------------------------------------

---No network. Raises on bad or missing options.
---@param options? uipath.ConnectOptions
---@return uipath.Client
function uipath.connect(options) end

---Marks a table so that it is written as a JSON array even when empty.
---@generic T : table
---@param t? T
---@return T t
function uipath.array(t) end

---A multipart/form-data body.
---@param parts table a list of `{ name =, value = string | uipath.file }`, or `{ name = value }`
---@return table body
function uipath.multipart(parts) end

---A file to be streamed, as a body or a part.
---@param path string
---@param options? { filename?: string, content_type?: string }
---@return table body
function uipath.file(path, options) end

---Runs `fn(item, index)` for all items; calls made inside overlap.
---@param list any[]
---@param fn fun(item: any, index: integer): any, any
---@param options? { concurrency?: integer } default 8
---@return table results `results.n == #list`
---@return table? errors by index, where the result is nil
function uipath.map(list, fn, options) end

---Runs a few functions side by side; the first error in time cancels the others.
---@param fn fun(): any, any
---@param ... fun(): any, any
---@return any ... one result each, or nil and the error
function uipath.all(fn, ...) end

---Waits as a call does: blocks with signals let through, lets others go on in `map`, yields in nginx.
---@param seconds number
---@return true
function uipath.sleep(seconds) end

---Like `assert`, but raises a string with the caller's position.
---@generic T
---@param value T?
---@param err? any
---@return T value
function uipath.check(value, err) end

---Loads all Lua files that calls can need later, for hosts that change their root or their user after start (haproxy's `chroot`).
---Raises where one cannot be read.
---@return true
function uipath.preload() end

---@param value any
---@return boolean
function uipath.is_error(value) end

---The endpoints of the catalogue.
---@param pattern? string a part of "METHOD path" in any case, or a Lua pattern for it
---@return uipath.Endpoint[]
function uipath.endpoints(pattern) end

---The least scopes for a list of `{ method, path }`, or for a recipe by its name: `"jobs.run"`.
---@param list { [1]: string, [2]: string }[]|string
---@return string[]? scopes ready to be the option `scope`
---@return uipath.Endpoint[]|uipath.Error unpublished the endpoints whose scopes are not published, which may need more; or the error
function uipath.scopes_for(list) end

uipath.json = {}

---Exact: integers in the range of int64 become Lua integers (5.4), those beyond it floats; on LuaJIT integers past ±2^53 become strings.
---@param text string
---@return any value
---@return uipath.Error? err with line and column
function uipath.json.decode(text) end

---@param value any
---@return string? text
---@return uipath.Error? err with the path to what cannot be written
function uipath.json.encode(value) end

---Stores for the option `token_store`: where tokens are shared beyond the process.
uipath.store = {}

---A dictionary that all workers of an nginx share: `lua_shared_dict NAME 1m;`.
---@param name string
---@return uipath.TokenStore
function uipath.store.shared_dict(name) end

---A file that is readable by its owner alone, made when it is first needed.
---@param path? string default: `uipath/tokens` in `$XDG_CACHE_HOME` or `~/.cache`
---@return uipath.TokenStore
function uipath.store.file(path) end

---A Redis server. In nginx by a cosocket, elsewhere by LuaSocket. When it is away calls fetch for themselves.
---@param options? uipath.RedisOptions
---@return uipath.TokenStore
function uipath.store.redis(options) end

---@class uipath.RedisOptions
---@field host? string default `127.0.0.1`
---@field port? integer default 6379
---@field username? string
---@field password? string
---@field database? integer default 0
---@field prefix? string of the keys, default `uipath:`
---@field timeout? number seconds for each step, default 1
---@field tls? boolean TLS, as `rediss://` says it elsewhere; LuaSec outside nginx
---@field ca_file? string authorities for that, default `/etc/ssl/certs`; in nginx `lua_ssl_trusted_certificate` has them

uipath.odata = {}

---A filter in which each `?` outside quotes is replaced by a value.
---@param text string
---@param ... any
---@return string
function uipath.odata.filter(text, ...) end

---@param s string
---@return table literal that `?` inserts unquoted
function uipath.odata.guid(s) end

---@param t number|string|table seconds since 1970, text, or what `os.date "!*t"` gives
---@return table literal
function uipath.odata.date(t) end

---@param s string
---@return table literal
function uipath.odata.enum(s) end

---An Int64 for a filter or key, beyond 2^53 too: LuaJIT has such an id as a string of its digits, which a filter would put in quotes.
---@param s string|integer
---@return table literal
function uipath.odata.integer(s) end

---`(5)`, `('O''Brien')`: ready for a path.
---@param value any
---@param ... any
---@return string
function uipath.odata.key(value, ...) end

-- ---------------------------------------------------------------------------
-- Clients
-- ---------------------------------------------------------------------------

---@class uipath.Client
---@field assets uipath.Assets
---@field buckets uipath.Buckets
---@field exports uipath.Exports
---@field folders uipath.Folders
---@field jobs uipath.Jobs
---@field packages uipath.Packages
---@field processes uipath.Processes
---@field queues uipath.Queues
---@field schedules uipath.Schedules
---@field tests uipath.Tests
local Client = {}

---Reads what is at a path: an object, or a page of a list.
---@param path string
---@param options? uipath.CallOptions
---@return any value
---@return uipath.Response|uipath.Error response or, where value is nil, the error
function Client:get(path, options) end

---Deletes what is at a path.
---@param path string
---@param options? uipath.CallOptions
---@return any value
---@return uipath.Response|uipath.Error response
function Client:delete(path, options) end

---Sends a body to a path, to make something or to have something done.
---@param path string
---@param body? any a table (sent as JSON), a string, uipath.multipart or uipath.file
---@param options? uipath.CallOptions
---@return any value
---@return uipath.Response|uipath.Error response
function Client:post(path, body, options) end

---Replaces what is at a path.
---@param path string
---@param body? any
---@param options? uipath.CallOptions
---@return any value
---@return uipath.Response|uipath.Error response
function Client:put(path, body, options) end

---Changes what is at a path.
---@param path string
---@param body? any
---@param options? uipath.CallOptions
---@return any value
---@return uipath.Response|uipath.Error response
function Client:patch(path, body, options) end

---A call with any method; a body goes into the options.
---@param method string
---@param path string
---@param options? uipath.CallOptions
---@return any value
---@return uipath.Response|uipath.Error response
function Client:request(method, path, options) end

---Begins a call and returns at once.
---@param method string
---@param path string
---@param options? uipath.CallOptions
---@return uipath.Call
function Client:start(method, path, options) end

---A client that shares tokens and connections and differs in the options named.
---@param options uipath.ConnectOptions
---@return uipath.Client
function Client:with(options) end

---Short for `client:with{ folder = folder }`.
---@param folder uipath.Folder|false
---@return uipath.Client
function Client:folder(folder) end

---Iterates over all rows of a collection. Raises the error object.
---@param path string
---@param options? uipath.PagingOptions
---@return fun(): table?, integer?
function Client:each(path, options) end

---Iterates over its pages. Raises the error object.
---@param path string
---@param options? uipath.PagingOptions
---@return fun(): table[]?, integer?
function Client:pages(path, options) end

---All rows of a collection as one list.
---@param path string
---@param options? uipath.PagingOptions
---@return table[]? rows
---@return uipath.Error? err
function Client:collect(path, options) end

---The number of rows that `each` would go through.
---@param path string
---@param options? uipath.CallOptions
---@return integer? count
---@return uipath.Error? err
function Client:count(path, options) end

---Streams a file into one of this machine, by way of a temporary one: what was there before stays until all has come. A connection that
---breaks is taken up where it broke. Where the answer of a path is an access object, that is followed, without our token.
---@param source string|uipath.Access
---@param file string its path
---@param options? uipath.FileOptions
---@return integer? bytes
---@return uipath.Response|uipath.Error response
function Client:download(source, file, options) end

---Streams a file (or a string) to where it is to be stored: an access object, a path that answers GET with one, or, with
---`options.method`, a path that takes the bytes itself.
---@param target string|uipath.Access
---@param body string|table a string or uipath.file
---@param options? uipath.UploadOptions
---@return true? done
---@return uipath.Response|uipath.Error response
function Client:upload(target, body, options) end

---What is known of the current token, fetched if need be; no secret.
---@return uipath.TokenDescription?
---@return uipath.Error? err
function Client:token() end

---The token itself.
---@return string?
---@return uipath.Error? err
function Client:access_token() end

---What the catalogue knows of a path: one endpoint for each method.
---@param path string
---@return uipath.Endpoint[]?
---@return uipath.Error? err
function Client:describe(path) end

---Whether the token's scopes allow a call.
---@param method string
---@param path string
---@return boolean? allowed nil when it cannot be known
---@return string|uipath.Error|nil missing the scopes as words, or the error
function Client:can(method, path) end

-- ---------------------------------------------------------------------------
-- Calls under way
-- ---------------------------------------------------------------------------

---What `client:start` gives. A call that is collected is cancelled.
---@class uipath.Call
local Call = {}

---@param seconds? number after which nil and an error of kind "timeout" come, and the call goes on
---@return any value
---@return uipath.Response|uipath.Error response
function Call:wait(seconds) end

---@return boolean
function Call:done() end

function Call:cancel() end

---A descriptor for any event loop: readable when the call is done or needs its Lua, and `call:wait(0)` is then due.
---@return integer
function Call:fd() end

return uipath

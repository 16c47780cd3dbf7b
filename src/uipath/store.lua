-- Where tokens are kept beyond the process: stores for the option token_store.

---@class uipath.token_store
---@field load fun(key: string): string?, number?  the token and when it expires, in seconds since 1970
---@field save fun(key: string, token: string, expires_at: number?)
---@field drop fun(key: string, token: string)  forgets the token, unless the key has another by now
---@field lock? fun(key: string, seconds: number): boolean  for who is to fetch: true for one at a time
---@field unlock? fun(key: string)

local store = {}

---A dictionary that all workers of an nginx share: `lua_shared_dict NAME 1m;`.
---@param name string
---@return uipath.token_store
function store.shared_dict(name)
  return require("uipath.store.shared_dict")(name)
end

return { store = store }

--- gzip through nginx's own zlib, so that a page that is sent again and again is compressed once.
--- nginx's filter, which does it for every reply anew, is there for everything else.

local ffi = require("ffi")

local gzip = {}

local LEVEL, GZIP_WINDOW, MEMORY, METHOD, FINISH, STREAM_END = 1, 31, 8, 8, 4, 1

ffi.cdef [[
  typedef struct {
    const char *next_in; unsigned avail_in; unsigned long total_in;
    char *next_out; unsigned avail_out; unsigned long total_out;
    const char *msg; void *state; void *zalloc; void *zfree; void *opaque;
    int data_type; unsigned long adler; unsigned long reserved;
  } uipath_z_stream;
  const char *zlibVersion(void);
  int deflateInit2_(uipath_z_stream *, int, int, int, int, int, const char *, int);
  int deflate(uipath_z_stream *, int);
  int deflateEnd(uipath_z_stream *);
  unsigned long deflateBound(uipath_z_stream *, unsigned long);
]]

--- The library if this nginx has it.
local function find_zlib()
  local found = pcall(function() return ffi.C.deflateInit2_ end)
  return found and ffi.C or nil
end

local zlib = find_zlib()

--- A text compressed; nil where nginx has no zlib.
---@param text string
---@return string|nil
function gzip.compress(text)
  if not zlib then return nil end
  local stream = ffi.new("uipath_z_stream")
  local begun = zlib.deflateInit2_(stream, LEVEL, METHOD, GZIP_WINDOW, MEMORY, 0, zlib.zlibVersion(),
    ffi.sizeof(stream))
  if begun ~= 0 then return nil end
  local room = tonumber(zlib.deflateBound(stream, #text))
  local output = ffi.new("char[?]", room)
  stream.next_in, stream.avail_in = text, #text
  stream.next_out, stream.avail_out = output, room
  local ended = zlib.deflate(stream, FINISH)
  local packed = ended == STREAM_END and ffi.string(output, room - stream.avail_out) or nil
  zlib.deflateEnd(stream)
  return packed
end

--- Whether the request's sender reads gzip.
function gzip.is_accepted()
  local accepted = ngx.var.http_accept_encoding
  return accepted ~= nil and accepted:find("gzip", 1, true) ~= nil
end

return gzip

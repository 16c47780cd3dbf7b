--- The shell script that keeps a sandbox's nginx: it makes the private folder, runs nginx in it,
--- and removes it when nginx ends. It runs in a session of its own, so that neither Ctrl-C in the
--- terminal nor the end of the starter reaches it other than by the ways made for it:
---   - a line or the end of file on the pipe `starter`, which the starter holds open;
---   - nginx ends by itself when the starter's process is gone (see `watch` in server.lua), which
---     also covers a starter that dies before it has opened that pipe, and one whose other children
---     hold the pipe open.
--- It says on its standard output `folder PATH`, then what nginx says, then, from nginx,
--- `ready PID`.

local supervisor = {}

--- Arguments: a file with the text of nginx.conf without its modules, which is removed; "tls" or nothing; the modules' root.
local SCRIPT = [=[
umask 077
PATH=$PATH:/usr/sbin:/usr/local/sbin:/usr/local/openresty/nginx/sbin
need() {
  for tool; do
    command -v "$tool" >/dev/null || { echo "missing $tool"; exit 1; }
  done
}
need mktemp mkfifo rm sed
need nginx

folder=$(mktemp -d "${TMPDIR:-/tmp}/uipath-sandbox.XXXXXXXXXX") || exit 1
nginx= reader=
finish() {
  [ -z "$nginx$reader" ] || kill -KILL $nginx $reader 2>/dev/null
  wait
  rm -rf "$folder"
}
trap finish EXIT
trap 'exit 1' HUP INT PIPE TERM
echo "folder $folder"
mkfifo "$folder/starter" || exit 1

if [ "$2" = tls ]; then
  need openssl
  (
    cd "$folder" || exit 1
    certify() { # name, subject's alternative names, first day, last day
      openssl req -new -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -subj "/CN=$1" \
        -addext "subjectAltName=$2" -keyout "$1.key" -out "$1.csr" &&
      openssl ca -batch -notext -config ca.conf -startdate "$3" -enddate "$4" \
        -in "$1.csr" -out "$1.crt"
    }
    cat >ca.conf <<END
[ca]
default_ca = sandbox
[sandbox]
database = index.txt
rand_serial = yes
new_certs_dir = .
certificate = ca.crt
private_key = ca.key
default_md = sha256
policy = any
copy_extensions = copy
unique_subject = no
[any]
commonName = supplied
END
    : >index.txt
    openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 30 \
      -subj "/CN=uipath sandbox authority" -keyout ca.key -out ca.crt &&
    certify server DNS:localhost,IP:127.0.0.1 20200101000000Z 20491231000000Z &&
    certify wrong_host DNS:elsewhere.invalid 20200101000000Z 20491231000000Z &&
    certify expired DNS:localhost,IP:127.0.0.1 20200101000000Z 20200201000000Z
  ) >"$folder/openssl.log" 2>&1 || { cat "$folder/openssl.log"; exit 1; }
fi

# Where nginx is built without its Lua module it can be loaded; where it is built with it, not.
modules=$(nginx -V 2>&1 | sed -n 's/.*--modules-path=\([^ ]*\).*/\1/p')
for module in ndk_http_module ngx_http_lua_module; do
  [ ! -e "$modules/$module.so" ] || echo "load_module $modules/$module.so;"
done >"$folder/nginx.conf"
case $3 in /*) root=$3 ;; *) root=$PWD/$3 ;; esac
sed "s|@ROOT@|$root|" "$1" >>"$folder/nginx.conf"
rm -f "$1"

ulimit -n "$(ulimit -H -n)" 2>/dev/null
nginx -p "$folder" -c nginx.conf </dev/null 2>&1 &
nginx=$!
# The starter's end of standard output may be gone by the time that the shell reports nginx's death;
# it stays open until all is over, for a starter that waits for that.
exec 3>&1 >/dev/null 2>&1
(read -r _ <"$folder/starter"; kill -KILL $nginx) 3>&- &
reader=$!
wait $nginx
nginx=
]=]

--- Variables that a sanitizer's or valgrind's run of the starter sets and that nginx must not see.
local FOREIGN = "LD_PRELOAD ASAN_OPTIONS LSAN_OPTIONS MSAN_OPTIONS TSAN_OPTIONS UBSAN_OPTIONS NGINX"

local function quote(text)
  return "'" .. text:gsub("'", "'\\''") .. "'"
end

---@class uipath.sandbox.Launch
---@field configuration string  path of a file with the text of nginx.conf: it holds the secret, and others see a command's arguments
---@field root string  folder below which `uipath/sandbox` is found
---@field tls? boolean
---@field keep_lua_path? boolean  LUA_PATH and LUA_CPATH are meant for LuaJIT, which nginx has too

--- The command for `io.popen` that starts the supervisor in the background.
---@param launch uipath.sandbox.Launch
---@return string
function supervisor.command(launch)
  -- What the sandbox itself needs may be installed where the starter does not look.
  local paths = launch.keep_lua_path and 'export LUA_PATH="$LUA_PATH;;" LUA_CPATH="$LUA_CPATH;;";' or "unset LUA_PATH LUA_CPATH;"
  return table.concat({
    "unset " .. FOREIGN .. ";", paths,
    "command -v setsid >/dev/null || { echo missing setsid; exit 1; };",
    "setsid sh -c", quote(SCRIPT), "uipath-sandbox",
    quote(launch.configuration), launch.tls and "tls" or "''", quote(launch.root),
    "</dev/null 2>&1 &",
  }, " ")
end

return supervisor

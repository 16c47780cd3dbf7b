-- The scripts that complete luipath's words in a shell: what argparse makes of the options, and the
-- paths of the catalogue.

local uipath = require "uipath"

local completion = {}

-- The commands that take a path, with the method of HTTP of those that make a call.
local METHODS = {
  get = "GET", post = "POST", put = "PUT", patch = "PATCH", delete = "DELETE", describe = false,
  can = false,
}
local COMMANDS = { "get", "post", "put", "patch", "delete", "describe", "can" }

-- Paths up to what only the caller knows: a key, a part in braces.
local function paths_of(method)
  local found, seen = {}, {}
  for _, row in ipairs(uipath.endpoints()) do
    local path = row.path:match "^[^({]*"
    if not row.removed and (not method or row.method == method) and not seen[path] then
      seen[path] = true
      found[#found + 1] = path
    end
  end
  table.sort(found)
  return found
end

local function indented(list, indent)
  return indent .. table.concat(list, "\n" .. indent)
end

-- ---------------------------------------------------------------------------
-- bash
-- ---------------------------------------------------------------------------

local BASH = [==[

# Paths, one segment further at a time.
_luipath_paths() {
    local command="$1" word="$2" path rest last=
    local quote="${word%%[!\"\']*}"
    word="${word#"$quote"}"
    while read -r path; do
        [[ -n "$path" && "$path" == "$word"* ]] || continue
        rest="${path:${#word}}"
        [[ "$rest" == */* ]] && path="$word${rest%%/*}/"
        [[ "$path" == */ ]] && compopt -o nospace 2>/dev/null
        [[ "$path" == "$last" ]] || COMPREPLY+=("$path")
        last="$path"
    done <<< "$(_luipath_list_"$command")"
}

_luipath() {
    local command= argument word="${COMP_WORDS[COMP_CWORD]}"
    COMPREPLY=()
    _luipath_words "$@"
    [[ "$word" != -* ]] || return 0
    case "${COMP_WORDS[COMP_CWORD-1]}" in
        --all|--count|--guard|--idempotent|--sandbox) ;;
        -*) return 0 ;;
    esac
    for argument in "${COMP_WORDS[@]:1:COMP_CWORD-1}"; do
        case "$argument" in
            COMMANDS) command="$argument"; break ;;
        esac
    done
    [[ -z "$command" ]] || _luipath_paths "$command" "$word"
}

complete -F _luipath -o bashdefault -o default luipath
]==]

local function bash(words)
  words = words:gsub("_luipath", "_luipath_words"):gsub("\ncomplete [^\n]*\n?$", "\n")
  local parts = { words }
  for _, command in ipairs(COMMANDS) do
    -- Neither keys nor what is in braces is part of these paths, and so no quote.
    parts[#parts + 1] = ("_luipath_list_%s() {\n    echo '%s'\n}\n"):format(
      command, table.concat(paths_of(METHODS[command]), "\n"))
  end
  parts[#parts + 1] = (BASH:gsub("COMMANDS", table.concat(COMMANDS, "|")))
  return table.concat(parts, "\n")
end

-- ---------------------------------------------------------------------------
-- zsh and fish
-- ---------------------------------------------------------------------------

local function zsh(words)
  local lists = {}
  for _, command in ipairs(COMMANDS) do
    lists[#lists + 1] = ("_luipath_list_%s() {\n  local -a paths=(\n%s\n  )\n  _multi_parts / paths\n}\n"):format(
      command, indented(paths_of(METHODS[command]), "    "))
    -- The arguments that are no option's; of `can`, the method is the first.
    local section = "(\n    " .. command .. "%).-\n        )\": :_files\""
    if command == "can" then words = words:gsub(section, "%1\": :(DELETE GET PATCH POST PUT)\"", 1) end
    words = words:gsub(section, "%1\": :_luipath_list_" .. command .. "\"", 1)
  end
  return (words:gsub("\n_luipath\n?$", function() return "\n" .. table.concat(lists, "\n") .. "\n_luipath\n" end))
end

local function fish(words)
  local lines = { words }
  for _, command in ipairs(COMMANDS) do
    lines[#lines + 1] = ("complete -c luipath -n '__fish_luipath_seen_command %s' -f -a '%s'"):format(
      command, table.concat(paths_of(METHODS[command]), " "))
  end
  return table.concat(lines, "\n") .. "\n"
end

local shells = { bash = bash, zsh = zsh, fish = fish }

---@param parser table argparse's
---@param shell "bash"|"zsh"|"fish"
---@return string
function completion.script(parser, shell)
  return shells[shell](parser["get_" .. shell .. "_complete"](parser))
end

return completion

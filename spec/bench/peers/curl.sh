#!/bin/sh
# curl and jq: curl.sh OPTIONS.json CA_DIR PATH COUNT ROWS
set -eu
option() { jq -r ".$1" "$options"; }
options=$1 ca_dir=$2 path=$3 count=$4 size=$5
base=$(option base_url)/$(option organization)
token=$(curl -sf --capath "$ca_dir" "$base/identity_/connect/token" -d grant_type=client_credentials --data-urlencode "client_id=$(option client_id)" \
  --data-urlencode "client_secret=$(option client_secret)" --data-urlencode "scope=$(option scope)" | jq -r .access_token)
page=0
while [ $page -lt "$count" ]; do
  url="$base/$(option tenant)/orchestrator_/$(echo "$path" | sed "s/%d/$((page * size))/")"
  curl -sf --compressed --capath "$ca_dir" -H "Authorization: Bearer $token" -H "X-UIPATH-OrganizationUnitId: $(option folder)" "$url" |
    jq -r '.value[].Id'
  page=$((page + 1))
done

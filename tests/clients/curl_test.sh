#!/usr/bin/env bash
# What only the wire shows: TLS with the certificate that it makes, broken and missing answers, bad arguments, the end.
set -euo pipefail
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
. "$here/stand_in.sh"
command -v curl > /dev/null && command -v jq > /dev/null || skip "curl or jq is not installed"
die() { echo "failed: $*"; exit 1; }

start_stand_in 'speed = 60
client_secret = "right"'
manager="$url/subscriptions/$subscription"
call() { curl -sS --cacert "$ca" -H "Authorization: Bearer test" "$@"; }
status() { call -o /dev/null -w '%{http_code}' "$@"; }
exit_of() { "$@" > /dev/null 2>&1 && echo 0 || echo $?; }

[ "$(exit_of curl -sS "$url/metadata/endpoints")" = 60 ] || die "a client that does not know the authority must refuse"
curl -sS --cacert "$ca" "https://localhost:${url##*:}/metadata/endpoints?api-version=2015-01-01" > /dev/null
[ "$(stat -c %a "$work/key.pem")" = 600 ] || die "the key is for its owner only"

token=$(curl -sS --cacert "$ca" -d 'grant_type=client_credentials&client_id=app&client_secret=right' \
  "$url/$tenant/oauth2/v2.0/token" | jq -r .access_token)
groups=$(curl -sS --cacert "$ca" -H "Authorization: Bearer $token" "$manager/resourceGroups?api-version=2021-04-01")
[ "$groups" = '{"value":[]}' ] || die "$groups"
[ "$(status -X PUT -d '{"location": "eastus"}' "$manager/resourceGroups/g?api-version=2021-04-01")" = 201 ]
padding=$(printf 'x%.0s' $(seq 4000))
[ "$(status "$manager/resourceGroups?api-version=2021-04-01&padding=$padding")" = 200 ] || die "a URL of 4 KB"

list="$manager/resourceGroups?api-version=2021-04-01"
admin failure -d '{"operation": "LIST resourceGroups", "kind": "truncated"}' > /dev/null
[ "$(exit_of call "$list")" = 18 ] || die "a truncated body"
admin failure -d '{"operation": "LIST resourceGroups", "kind": "hang"}' > /dev/null
[ "$(exit_of call --max-time 1 "$list")" = 28 ] || die "an answer that never comes"
admin failure -d '{"operation": "LIST resourceGroups", "kind": "html", "status": 502}' > /dev/null
call "$list" | grep -q '<html>' || die "a gateway's page"
[ "$(status "$list")" = 200 ] || die "failures are over"

set=$manager/resourceGroups/g/providers/Microsoft.Compute/virtualMachineScaleSets/s
call -X PUT -d '{"location": "eastus", "sku": {"name": "Standard_ND96isr_H100_v5", "capacity": 1},
  "properties": {"virtualMachineProfile": {"priority": "Spot", "evictionPolicy": "Delete"}}}' \
  "$set?api-version=2022-08-01" > /dev/null
metadata() { curl -sS -H 'Metadata: true' "$imds/vm/s_0/metadata/$1?api-version=2020-07-01" "${@:2}"; }
bare=$(curl -sS -o /dev/null -w '%{http_code}' "$imds/vm/s_0/metadata/instance?api-version=2021-02-01")
[ "$bare" = 400 ] || die "without the header Metadata: $bare"
[ "$(metadata instance/compute/vmScaleSetName -G -d format=text)" = s ] || die "instance metadata"
admin clock -d '{"skip_s": 600}' > /dev/null
[ "$(admin state | jq -r '.vms[0].power')" = running ] || die "booted after ten minutes"
admin evict -d '{"vm": "s_0", "notice_s": 600}' > /dev/null
event=$(metadata scheduledevents | jq -r '.Events[0].EventId')
[ "$(metadata scheduledevents | jq -r '.Events[0].EventType')" = Preempt ]
metadata scheduledevents -d "{\"StartRequests\": [{\"EventId\": \"$event\"}]}"
[ "$(admin state | jq '.vms | length')" = 0 ] || die "an approved eviction happens at once"
[ "$(call "$set?api-version=2022-08-01" | jq .sku.capacity)" = 0 ] || die "an evicted VM is no part of the capacity"

kill -TERM "$stand_in_pid"
wait "$stand_in_pid" || die "SIGTERM ends it with 0"
stand_in_pid=
printf 'speed = 1\nregions = [\n' > "$work/bad.toml"
[ "$(exit_of virga-arm --scenario "$work/bad.toml" --dir "$work")" = 2 ] || die "bad TOML"
printf 'spead = 1\n' > "$work/bad.toml"
said=$(virga-arm --scenario "$work/bad.toml" --dir "$work" 2>&1 || true)
[[ $said == *'bad.toml:1:1: unknown key "spead"'*'did you mean "speed"'* ]] || die "$said"
[ "$(exit_of virga-arm --speed fast)" = 2 ] && [ "$(exit_of virga-arm --listen nowhere --dir "$work")" = 2 ]
said=$(virga-arm --scenario "$work" 2>&1 || echo "exit $?")
[[ $said == "virga-arm: cannot read $work: it is a folder"*"exit 2" ]] || die "a folder as scenario: $said"
[ "$(exit_of virga-arm --listen 0.0.0.0:0 --dir "$work")" = 2 ] || die "others than this machine without --anyone"
echo "curl: all steps did what they should"

#!/usr/bin/env bash
# `virga fabric` from the outside: files there and back, what is wrong with them, exit codes. Needs no daemon.
set -euo pipefail

folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"

failed() { printf 'FAILED: %s\n' "$1"; exit 1; }
# refuses TEXT ARGUMENTS…: exit code 2, and TEXT in what it says
refuses() {
  local text=$1 code=0 said
  shift
  said=$(virga fabric "$@" 2>&1) || code=$?
  [ "$code" = 2 ] || failed "virga fabric $*: exit code $code, not 2: $said"
  case $said in *"$text"*) ;; *) failed "virga fabric $*: says \"$said\", not \"$text\"" ;; esac
}

virga fabric --hosts 40 --write ibnetdiscover --output net.gz
[ "$(virga fabric net.gz --compare net.gz)" = equal ] || failed "a fabric differs from itself"
[ "$(virga fabric --hosts 40 --compare net.gz)" = equal ] || failed "a fabric differs from what was written of it"
code=0
virga fabric --hosts 40 --speed EDR --compare net.gz > differences || code=$?
[ "$code" = 1 ] || failed "a difference ends with $code, not 1"
grep -q "^only in the second: cable leaf-1-1.33. to spine-1.1. 4xNDR$" differences || failed "differences are not told"

for format in topology.conf topology.yaml; do
  virga fabric net.gz --write "$format" --output "$format"
  virga fabric "$format" --write "$format" | cmp - "$format" || failed "$format is not written as it was read"
done
[ "$(virga fabric topology.conf --compare topology.yaml)" = equal ] || failed "Slurm's two formats differ"
virga fabric topology.conf --json | grep -q '"hosts":40,' || failed "hosts are missing from the JSON"
virga fabric net.gz --picture net.svg > /dev/null
grep -q '>spine-1</text>' net.svg || failed "a spine is missing from the picture"

refuses "no fabric; name a FILE, or build one with --hosts N"
refuses "nowhere.txt: cannot be read: No such file or directory" nowhere.txt
refuses "FILE excludes --hosts" net.gz --hosts 4
refuses "use three levels" --hosts 4000 --levels 2
refuses '--nodes: no host "node-41" in this fabric; it has node-01 to node-40' net.gz --nodes 'node-[40-41]'
refuses '--path: no HCA "node-99" in this fabric' net.gz --path node-99 node-01
for ratio in nan inf 0 -1 65 2x; do
  refuses "$ratio is no oversubscription; write a number from 1 to 64" topology.conf --oversubscription="$ratio"
done
refuses '536870912 units a pod are more than the 64 hosts' --hosts 64 --levels 3 --units-per-pod 536870912
refuses '--nodes: "," names no host' net.gz --nodes ,
printf 'SwitchName=s1 Nodes=n[1-2]\nSwitchName=s2 Nodes=n2\nSwitchName=s3 Switches=s[1-2],s4\n' > bad.conf
refuses 'bad.conf:2: host "n2" is there twice, first in line 1; keep one' bad.conf
refuses 'bad.conf:3: a cable to nowhere: "s4" below switch "s3"' bad.conf
printf 'SwitchName=s1 Nodes=n1\nSwitchName=s2\n' > bad.conf
refuses 'bad.conf:2: switch "s2" has no ports in use' bad.conf
gzip -dc net.gz | grep -v '^\[33\]' > cut.txt
refuses 'but that leads nowhere' cut.txt
echo "virga fabric does what it should"

#!/usr/bin/env bash
# The speed table of the decisions, in one go: allocations, long queues, fair shares, plans, growth; then the replays of
# recorded workloads, where there are any.
#
#   bench/speed.sh [FOLDER_WITH_TRACES]      default: $VIRGA_SHARED_DATA; needs build/release (script/build)
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
data=${1:-${VIRGA_SHARED_DATA:-}}
bench/decisions.sh
echo
if [ -n "$data" ]; then
  bench/simulate.py --data "$data"
else
  echo "replays: skipped, no folder with traces was given"
fi

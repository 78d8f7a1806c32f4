#!/usr/bin/env bash
# Debian's Python SDK (python3-azure) against the stand-in.
set -euo pipefail
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
. "$here/stand_in.sh"
/usr/bin/python3 -c 'import azure.mgmt.compute, azure.mgmt.network, azure.mgmt.resource' 2> /dev/null ||
  skip "python3-azure is not installed"
start_stand_in 'speed = 60
[boot.default]
least = "20s"
mean_extra = "5s"
[capacity.few]
size = "Standard_NC24ads_A100_v4"
vms = 1'
REQUESTS_CA_BUNDLE=$ca /usr/bin/python3 "$here/python_sdk.py" "$url" "$subscription"

#!/usr/bin/env bash
# What the stand-in answers, held against Microsoft's own schemas of resources ($VIRGA_SHARED_DATA/azure/*.types.json).
set -euo pipefail
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
. "$here/stand_in.sh"
[ -f "${VIRGA_SHARED_DATA:-}/azure/microsoft.compute-2022-08-01.types.json" ] ||
  skip "VIRGA_SHARED_DATA names no folder with azure/*.types.json"
start_stand_in 'speed = 1000'
python3 "$here/schemas.py" "$VIRGA_SHARED_DATA/azure" "$url" "$subscription" "$ca"

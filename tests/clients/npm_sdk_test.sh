#!/usr/bin/env bash
# The npm clients @azure/arm-compute and @azure/identity against the stand-in. $VIRGA_AZURE_NPM is a folder where
#   npm install @azure/arm-compute@24.1.0 @azure/identity@4.13.1
# was run; without it the test is skipped.
set -euo pipefail
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
. "$here/stand_in.sh"
command -v node > /dev/null || skip "node is not installed"
modules=${VIRGA_AZURE_NPM:-}
[ -d "$modules/node_modules/@azure/arm-compute" ] || skip "VIRGA_AZURE_NPM names no folder with @azure/arm-compute"
start_stand_in 'speed = 60
[boot.default]
least = "20s"
mean_extra = "5s"
[capacity.few]
size = "Standard_NC24ads_A100_v4"
vms = 1'
# Modules are looked for beside the script.
cp "$here/npm_sdk.mjs" "$work/"
ln -s "$modules/node_modules" "$work/node_modules"
NODE_EXTRA_CA_CERTS=$ca node "$work/npm_sdk.mjs" "$url" "$subscription" "$tenant"

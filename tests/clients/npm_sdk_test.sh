#!/usr/bin/env bash
# The npm clients @azure/arm-compute and @azure/identity against the stand-in. They are fetched once into build/deps, or
# lie in the folder that $VIRGA_AZURE_NPM names; without npm or a network to its packages the test is skipped.
set -euo pipefail
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
. "$here/stand_in.sh"
command -v node > /dev/null || skip "node is not installed"
modules=${VIRGA_AZURE_NPM:-$here/../../build/deps/azure-npm}
if [ ! -d "$modules/node_modules/@azure/arm-compute" ]; then
  command -v npm > /dev/null || skip "npm is not installed"
  mkdir -p "$modules"
  timeout 240 npm install --silent --no-audit --no-fund --prefix "$modules" \
    @azure/arm-compute@24.1.0 @azure/identity@4.13.1 > "$work/npm.log" 2>&1 ||
    skip "npm could not fetch @azure/arm-compute: $(tail -n 1 "$work/npm.log")"
fi
modules=$(cd "$modules" && pwd)
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

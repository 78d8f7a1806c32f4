#!/usr/bin/env bash
# Debian's az against the stand-in: the commands that people manage machines with. See az_launcher.py.
set -euo pipefail
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
. "$here/stand_in.sh"
/usr/bin/python3 -c 'import azure.cli' 2> /dev/null || skip "azure-cli is not installed"

start_stand_in 'speed = 120
[boot.default]
least = "20s"
mean_extra = "5s"
[capacity.few]
size = "Standard_NC24ads_A100_v4"
vms = 1'
export AZURE_CONFIG_DIR=$work/az REQUESTS_CA_BUNDLE=$ca AZURE_CORE_COLLECT_TELEMETRY=0 AZURE_CORE_OUTPUT=json
export AZURE_CORE_ONLY_SHOW_ERRORS=1

az() { /usr/bin/python3 "$here/az_launcher.py" "$@"; }
step=0
# run EXPECTED COMMAND…: the output must hold the text.
run() {
  local expected=$1 out
  shift
  step=$((step + 1))
  if ! out=$(az "$@" 2>&1) || [[ $out != *"$expected"* ]]; then
    printf 'step %s: az %s\nexpected: %s\ngot: %s\n' "$step" "$*" "$expected" "$out"
    exit 1
  fi
}
fails() {
  local expected=$1 out
  shift
  step=$((step + 1))
  if out=$(az "$@" 2>&1) || [[ $out != *"$expected"* ]]; then
    printf 'step %s: az %s\nexpected to fail with: %s\ngot: %s\n' "$step" "$*" "$expected" "$out"
    exit 1
  fi
}

size=Standard_ND96isr_H100_v5
image=Canonical:0001-com-ubuntu-server-jammy:22_04-lts-gen2:latest
run "" cloud register -n Virga --endpoint-resource-manager "$url"
run "" cloud set -n Virga
run "$subscription" login --service-principal -u 00000000-0000-0000-0000-00000000000a -p secret --tenant "$tenant"
run '"Succeeded"' group create -n g -l eastus
run '"name": "eastus"' account list-locations
run standardNDSH100v5Family vm list-usage -l eastus
run "$size" vm list-skus -l eastus --size "$size"

run '"singlePlacementGroup": true' vmss create -g g -n s --image "$image" --vm-sku "$size" --instance-count 2 --lb "" \
  --admin-username virga --admin-password 'Secret.123456' --orchestration-mode Uniform --single-placement-group true \
  --upgrade-policy-mode Manual --disable-overprovision
run '"capacity": 3' vmss scale -g g -n s --new-capacity 3
run '"name": "s"' vmss list -g g
run '"provisioningState": "Succeeded"' vmss show -g g -n s
run '"name": "s_2"' vmss list-instances -g g -n s
run PowerState/running vmss list-instances -g g -n s --expand instanceView
run '"statusesSummary"' vmss get-instance-view -g g -n s
run PowerState/running vmss get-instance-view -g g -n s --instance-id 0
run "$size" vmss list-skus -g g -n s
run 'privateIPAddress' vmss nic list -g g --vmss-name s
run '"a": "b"' vmss update -g g -n s --set tags.a=b
run "" vmss restart -g g -n s --instance-ids 0
run "" vmss stop -g g -n s --instance-ids 0
run "" vmss start -g g -n s --instance-ids 0
run "" vmss deallocate -g g -n s --instance-ids 1
run "" vmss reimage -g g -n s --instance-id 0
run "" vmss delete-instances -g g -n s --instance-ids 1
fails "not an active" vmss delete-instances -g g -n s --instance-ids 17
run "" vmss create -g g -n spot --image "$image" --vm-sku Standard_DS1_v2 --instance-count 1 --lb "" \
  --admin-username virga --admin-password 'Secret.123456' --orchestration-mode Uniform --priority Spot \
  --eviction-policy Delete
run "" vmss simulate-eviction -g g -n spot --instance-id 0
run "" vmss create -g g -n flex --orchestration-mode Flexible --platform-fault-domain-count 1

run '"name": "near"' ppg create -g g -n near
run '"name": "held"' capacity reservation group create -g g -n held
run '"capacity": 1' capacity reservation create -g g -c held -n r --sku Standard_NC24ads_A100_v4 --capacity 1
fails AllocationFailed capacity reservation create -g g -c held -n r --sku Standard_NC24ads_A100_v4 --capacity 2
fails AllocationFailed vmss create -g g -n none --image "$image" --vm-sku Standard_NC24ads_A100_v4 --instance-count 2 \
  --lb "" --admin-username virga --admin-password 'Secret.123456' --orchestration-mode Uniform
run '"name": "as"' vm availability-set create -g g -n as
run '"powerState": "VM running"' vm create -g g -n one --image "$image" --size Standard_D2s_v3 --admin-username virga \
  --admin-password 'Secret.123456' --public-ip-address "" --nsg ""
run '"vmSize": "Standard_D2s_v3"' vm show -g g -n one
run "" vm delete -g g -n one --yes
run '"registrationState": "Registered"' provider show -n Microsoft.Compute
run virtualMachineScaleSets resource list -g g
run "" image list -g g
run "" identity list -g g
providers=/subscriptions/$subscription/resourceGroups/g/providers
network=$providers/Microsoft.Network/interconnectGroups/i
run '"i"' rest --method put --url "$url$network?api-version=2025-07-01" --resource "$url" \
  --body '{"location": "eastus"}'
block=$url$providers/Microsoft.Compute/interconnectBlocks/block
run '"block"' rest --method put --url "$block?api-version=2026-03-01" \
  --resource "$url" --body '{"location": "eastus", "sku": {"name": "Standard_ND128isr_NDR_GB200_v6", "capacity": 18},
    "properties": {"interconnectGroup": {"id": "'"$network"'"}}}'
run "" group delete -n g --yes
fails ResourceGroupNotFound group show -n g
echo "az: $step commands did what they should"

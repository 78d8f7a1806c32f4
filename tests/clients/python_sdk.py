"""The Python SDK of Azure against virga-arm: each step ends in an assertion. Arguments: URL SUBSCRIPTION."""
import json
import os
import ssl
import sys
import time
import urllib.request

from azure.core.credentials import AccessToken
from azure.core.exceptions import HttpResponseError, ResourceNotFoundError
from azure.mgmt.compute import ComputeManagementClient
from azure.mgmt.network import NetworkManagementClient
from azure.mgmt.resource import ResourceManagementClient

url, subscription = sys.argv[1:3]
H100 = "Standard_ND96isr_H100_v5"
POLL = 0.2  # seconds; the stand-in says Retry-After, which counts for more


class Token:
    def get_token(self, *scopes, **more):
        return AccessToken("static", int(time.time()) + 3600)


def client(kind, version):
    return kind(Token(), subscription, base_url=url, credential_scopes=[url + "/.default"], api_version=version,
                polling_interval=POLL)


def admin(what, body=None):
    context = ssl.create_default_context(cafile=os.environ["REQUESTS_CA_BUNDLE"])
    data = None if body is None else json.dumps(body).encode()
    with urllib.request.urlopen(f"{url}/admin/{what}", data, context=context) as answer:
        return json.load(answer)


def scale_set(size, capacity, **more):
    return {
        "location": "eastus", "sku": {"name": size, "capacity": capacity}, "tags": {"job": "7"},
        "single_placement_group": True, "overprovision": False, "upgrade_policy": {"mode": "Manual"},
        "virtual_machine_profile": {
            "os_profile": {"computer_name_prefix": "nd", "admin_username": "virga", "admin_password": "Secret.123456"},
            "network_profile": {"network_interface_configurations": [{
                "name": "nic", "primary": True,
                "ip_configurations": [{"name": "ip", "subnet": {"id": subnet.id}}]}]},
            **more}}


def fails(code, call):
    try:
        call()
    except HttpResponseError as error:
        assert error.error and error.error.code == code, (code, error)
        return error
    raise AssertionError(f"{code} was expected")


resources = client(ResourceManagementClient, "2021-04-01")
compute = client(ComputeManagementClient, "2022-08-01")
networks = client(NetworkManagementClient, "2022-07-01")

group = resources.resource_groups.create_or_update("g", {"location": "eastus"})
assert group.properties.provisioning_state == "Succeeded"
assert resources.resource_groups.check_existence("g") and not resources.resource_groups.check_existence("h")
networks.virtual_networks.begin_create_or_update("g", "net", {
    "location": "eastus", "address_space": {"address_prefixes": ["10.1.0.0/16"]},
    "subnets": [{"name": "nodes", "address_prefix": "10.1.0.0/20"}]}).result()
subnet = networks.subnets.get("g", "net", "nodes")

sets, vms = compute.virtual_machine_scale_sets, compute.virtual_machine_scale_set_vms
made = sets.begin_create_or_update("g", "s", scale_set(H100, 2)).result()
assert made.provisioning_state == "Succeeded" and made.sku.capacity == 2 and made.unique_id
fails("InvalidParameter", lambda: sets.begin_update("g", "s", {"sku": {"name": H100, "capacity": 101}}))
grown = sets.begin_update("g", "s", {"sku": {"name": H100, "capacity": 100}}).result()
assert grown.sku.capacity == 100
listed = list(vms.list("g", "s", expand="instanceView"))
assert len(listed) == 100 and listed[7].name == "s_7" and listed[7].tags == {"job": "7"}
assert listed[7].instance_view.statuses[-1].code == "PowerState/running"
cards = list(networks.network_interfaces.list_virtual_machine_scale_set_network_interfaces("g", "s"))
assert len({card.ip_configurations[0].private_ip_address for card in cards}) == 100
assert sets.get_instance_view("g", "s").virtual_machine.statuses_summary
sets.begin_delete_instances("g", "s", {"instance_ids": ["0", "99"]}).result()
assert sets.get("g", "s").sku.capacity == 98
sets.begin_power_off("g", "s", vm_instance_i_ds={"instance_ids": ["1"]}).result()
assert vms.get_instance_view("g", "s", "1").statuses[-1].code == "PowerState/stopped"
vms.begin_start("g", "s", "1").result()
assert vms.get("g", "s", "1", expand="instanceView").instance_view.statuses[-1].code == "PowerState/running"
assert [s.name for s in sets.list_all()] == ["s"]
try:
    sets.get("g", "nothing")
    raise AssertionError("404 was expected")
except ResourceNotFoundError:
    pass

usage = {u.name.value: u for u in compute.usage.list("eastus")}
assert usage["standardNDSH100v5Family"].current_value == 98 * 96
assert any(s.name == H100 and s.family == "standardNDSH100v5Family"
           for s in client(ComputeManagementClient, "2021-07-01").resource_skus.list(filter="location eq 'eastus'"))

# A shortage is known only at the end of the operation, the quota at once.
fails("AllocationFailed", sets.begin_create_or_update("g", "few", scale_set("Standard_NC24ads_A100_v4", 2)).result)
admin("quota", {"family": "StandardNCADSA100v4Family", "vcpus": 24})
error = fails("OperationNotAllowed", lambda: sets.begin_update("g", "few", {"sku": {"capacity": 2}}))
assert "Current Limit: 24" in error.error.message

# The client waits when it is told to, and goes on.
admin("failure", {"operation": "PATCH virtualMachineScaleSets", "kind": "status", "status": 429, "retry_after_s": 2,
                  "code": "TooManyRequests"})
started = time.monotonic()
sets.begin_update("g", "s", {"tags": {"job": "8"}}).result()
assert time.monotonic() - started > 1.9

# Flexible sets and VMs.
flexible = {"location": "eastus", "orchestration_mode": "Flexible", "platform_fault_domain_count": 1}
flexible_set = sets.begin_create_or_update("g", "flex", flexible).result()
vm = compute.virtual_machines.begin_create_or_update("g", "one", {
    "location": "eastus", "hardware_profile": {"vm_size": "Standard_D4s_v5"},
    "virtual_machine_scale_set": {"id": flexible_set.id}}).result()
assert vm.provisioning_state == "Succeeded" and vm.vm_id
view = compute.virtual_machines.get("g", "one", expand="instanceView").instance_view
assert view.statuses[-1].code == "PowerState/running"
compute.virtual_machines.begin_delete("g", "one").result()
assert not list(compute.virtual_machines.list("g"))

sets.begin_delete("g", "s", force_deletion=True).result()
resources.resource_groups.begin_delete("g").result()
assert not list(resources.resource_groups.list())
bill = admin("bill")
assert not any(v["exists"] for v in bill["vms"]) and bill["total"]["usd"] > 0
print("python SDK: all steps did what they should; calls by status:", admin("calls")["by_status"])

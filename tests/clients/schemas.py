#!/usr/bin/env python3
"""Makes one of each resource and validates what comes back. Arguments: SCHEMAS URL SUBSCRIPTION CA.

The schemas are Bicep's types: a list of types that refer to each other by index. Flags of a property are bits: 1
required, 2 read-only, 4 write-only. A body that comes back must have known names, right types and no write-only values.
"""
import json
import pathlib
import ssl
import sys
import urllib.request

folder, url, subscription, ca = sys.argv[1:5]
REQUIRED, WRITE_ONLY = 1, 4
GROUP = f"/subscriptions/{subscription}/resourceGroups/g"
COMPUTE, NETWORK = GROUP + "/providers/Microsoft.Compute", GROUP + "/providers/Microsoft.Network"


class Schemas:
    def __init__(self, name):
        self.types = json.loads((pathlib.Path(folder) / f"{name}.types.json").read_text())
        self.version = name[-10:]

    def resolve(self, reference):
        return self.types[int(reference["$ref"][2:])]

    def resource(self, name):
        for t in self.types:
            if t["$type"] == "ResourceType" and t["name"].lower() == f"{name}@{self.version}".lower():
                return self.resolve(t["body"])
        raise SystemExit(f"no schema of {name} in {self.version}")

    def check(self, t, value, where):
        """A list of what is wrong."""
        kind = t["$type"]
        if kind == "AnyType":
            return []
        if kind == "StringType":
            return [] if isinstance(value, str) else [f"{where}: {value!r} is no text"]
        if kind == "StringLiteralType":
            same = isinstance(value, str) and value.lower() == t["value"].lower()
            return [] if same else [f"{where}: {value!r} is not {t['value']!r}"]
        if kind == "IntegerType":
            good = isinstance(value, int) and not isinstance(value, bool)
            return [] if good else [f"{where}: {value!r} is no whole number"]
        if kind == "BooleanType":
            return [] if isinstance(value, bool) else [f"{where}: {value!r} is neither true nor false"]
        if kind == "ArrayType":
            if not isinstance(value, list):
                return [f"{where}: {value!r} is no list"]
            item = self.resolve(t["itemType"])
            return [w for i, v in enumerate(value) for w in self.check(item, v, f"{where}[{i}]")]
        if kind == "UnionType":
            found = [self.check(self.resolve(e), value, where) for e in t["elements"]]
            return min(found, key=len)
        return self.check_object(t, value, where)

    def check_object(self, t, value, where):
        if not isinstance(value, dict):
            return [f"{where}: {value!r} is no object"]
        wrong = []
        properties = t.get("properties", {})
        for name, inner in value.items():
            known = properties.get(name)
            if known is None and "additionalProperties" in t:
                wrong += self.check(self.resolve(t["additionalProperties"]), inner, f"{where}.{name}")
            elif known is None:
                wrong.append(f"{where}.{name}: no such property")
            elif known["flags"] & WRITE_ONLY:
                wrong.append(f"{where}.{name}: is write-only")
            else:
                wrong += self.check(self.resolve(known["type"]), inner, f"{where}.{name}")
        for name, known in properties.items():
            if known["flags"] & REQUIRED and name not in value:
                wrong.append(f"{where}.{name}: is missing")
        return wrong


def call(method, path, version, body=None):
    mark = "&" if "?" in path else "?"
    request = urllib.request.Request(f"{url}{path}{mark}api-version={version}", method=method,
                                     data=None if body is None else json.dumps(body).encode(),
                                     headers={"Authorization": "Bearer test"})
    with urllib.request.urlopen(request, context=ssl.create_default_context(cafile=ca)) as answer:
        return json.load(answer)


compute, newest = Schemas("microsoft.compute-2022-08-01"), Schemas("microsoft.compute-2026-03-01")
network = Schemas("microsoft.network-2022-07-01")
call("PUT", GROUP, "2021-04-01", {"location": "eastus"})
call("PUT", f"{NETWORK}/interconnectGroups/i", "2025-07-01", {"location": "eastus"})
PROFILE = {
    "osProfile": {"computerNamePrefix": "nd", "adminUsername": "virga", "adminPassword": "Secret.1",
                  "customData": "aGk="},
    "storageProfile": {"imageReference": {"publisher": "p", "offer": "o", "sku": "s", "version": "latest"},
                       "osDisk": {"createOption": "FromImage", "caching": "ReadWrite"}},
    "networkProfile": {"networkInterfaceConfigurations": [{"name": "nic", "properties": {
        "primary": True, "ipConfigurations": [{"name": "ip", "properties": {
            "subnet": {"id": f"{NETWORK}/virtualNetworks/v/subnets/n"}}}]}}]}}
SET = {"location": "eastus", "tags": {"a": "b"}, "sku": {"name": "Standard_ND96isr_H100_v5", "capacity": 2},
       "properties": {"singlePlacementGroup": True, "overprovision": False, "upgradePolicy": {"mode": "Manual"},
                      "virtualMachineProfile": PROFILE}}
FLEXIBLE = {"location": "eastus", "sku": {"name": "Standard_D4s_v5", "capacity": 1}, "properties": {
    "orchestrationMode": "Flexible", "platformFaultDomainCount": 1, "virtualMachineProfile": PROFILE}}
VM = {"location": "eastus", "properties": {
    "hardwareProfile": {"vmSize": "Standard_D4s_v5"},
    "osProfile": {"computerName": "one", "adminUsername": "virga", "adminPassword": "Secret.1", "customData": "aGk="},
    "networkProfile": {"networkInterfaces": [{"id": f"{NETWORK}/networkInterfaces/c"}]}}}
CARD = {"location": "eastus", "properties": {"ipConfigurations": [{"name": "ip", "properties": {
    "subnet": {"id": f"{NETWORK}/virtualNetworks/v/subnets/n"}}}]}}
RESERVATION = {"location": "eastus", "sku": {"name": "Standard_NC24ads_A100_v4", "capacity": 1}}
PLAIN = {"location": "eastus"}

# (schemas, path, type, body of the PUT or None)
RESOURCES = [
    (network, f"{NETWORK}/virtualNetworks/v", "Microsoft.Network/virtualNetworks",
     {"location": "eastus", "properties": {
         "addressSpace": {"addressPrefixes": ["10.1.0.0/16"]},
         "subnets": [{"name": "n", "properties": {"addressPrefix": "10.1.0.0/20"}}]}}),
    (network, f"{NETWORK}/networkInterfaces/c", "Microsoft.Network/networkInterfaces", CARD),
    (compute, f"{COMPUTE}/virtualMachineScaleSets/s", "Microsoft.Compute/virtualMachineScaleSets", SET),
    (newest, f"{COMPUTE}/virtualMachineScaleSets/t", "Microsoft.Compute/virtualMachineScaleSets", SET),
    (newest, f"{COMPUTE}/virtualMachineScaleSets/flexible", "Microsoft.Compute/virtualMachineScaleSets", FLEXIBLE),
    (compute, f"{COMPUTE}/virtualMachineScaleSets/s/virtualMachines/0",
     "Microsoft.Compute/virtualMachineScaleSets/virtualMachines", None),
    (compute, f"{COMPUTE}/virtualMachines/one", "Microsoft.Compute/virtualMachines", VM),
    (compute, f"{COMPUTE}/availabilitySets/a", "Microsoft.Compute/availabilitySets", PLAIN),
    (compute, f"{COMPUTE}/proximityPlacementGroups/p", "Microsoft.Compute/proximityPlacementGroups", PLAIN),
    (newest, f"{COMPUTE}/interconnectBlocks/b", "Microsoft.Compute/interconnectBlocks",
     {"location": "eastus", "sku": {"name": "Standard_ND128isr_NDR_GB200_v6", "capacity": 18}, "zones": ["1"],
      "properties": {"interconnectGroup": {"id": f"{NETWORK}/interconnectGroups/i"}}}),
    (compute, f"{COMPUTE}/capacityReservationGroups/h", "Microsoft.Compute/capacityReservationGroups", PLAIN),
    (compute, f"{COMPUTE}/capacityReservationGroups/h/capacityReservations/r",
     "Microsoft.Compute/capacityReservationGroups/capacityReservations", RESERVATION),
]
wrong = []
checked = 0


def members_of_flexible():
    """What its capacity made: VMs and interfaces."""
    found = []
    for path, schemas, kind in [(f"{COMPUTE}/virtualMachines", newest, "Microsoft.Compute/virtualMachines"),
                                (f"{NETWORK}/networkInterfaces", network, "Microsoft.Network/networkInterfaces")]:
        found += [(schemas, kind, item) for item in call("GET", path, schemas.version)["value"]
                  if item["name"].startswith("flexible_")]
    assert len(found) == 2, found
    return found


for schemas, path, kind, body in RESOURCES:
    answers = [] if body is None else [call("PUT", path, schemas.version, body)]
    answers.append(call("GET", path, schemas.version))
    if kind.lower().endswith(("virtualmachines", "capacityreservations")):
        answers.append(call("GET", path + "?$expand=instanceView", schemas.version))
    for answer in answers:
        # A child is named PARENT/CHILD in templates only; its schema knows the answer's other members.
        wrong += schemas.check(schemas.resource(kind), answer, f"{kind} {schemas.version}")
        checked += 1
for schemas, kind, answer in members_of_flexible():
    wrong += schemas.check(schemas.resource(kind), answer, f"{kind} of a Flexible set")
    checked += 1
for line in sorted(set(wrong)):
    print(line)
print(f"schemas: {checked} answers of {len(RESOURCES)} resources, {len(set(wrong))} findings")
sys.exit(1 if wrong else 0)

// Azure's JavaScript client against virga-arm, with a static token and with a service principal. It speaks 2026-03-01,
// and is the only real client here of interconnect blocks. Arguments: URL SUBSCRIPTION TENANT.
import assert from "node:assert";
import { ComputeManagementClient } from "@azure/arm-compute";
import { ClientSecretCredential } from "@azure/identity";

const [url, subscription, tenant] = process.argv.slice(2);
const H100 = "Standard_ND96isr_H100_v5";

async function rest(method, path, version, body) {
  const answer = await fetch(`${url}/subscriptions/${subscription}${path}?api-version=${version}`, {
    method, headers: { Authorization: "Bearer static", "Content-Type": "application/json" },
    body: body && JSON.stringify(body),
  });
  assert(answer.ok, `${method} ${path}: ${answer.status}`);
  return answer.status === 204 || answer.status === 202 ? null : answer.json();
}
const admin = (what, body) => fetch(`${url}/admin/${what}`, { method: "POST", body: JSON.stringify(body) });
const poll = { updateIntervalInMs: 200 };
const model = (size, capacity) => ({
  location: "eastus", sku: { name: size, capacity }, singlePlacementGroup: true, overprovision: false,
  upgradePolicy: { mode: "Manual" },
  virtualMachineProfile: {
    osProfile: { computerNamePrefix: "nd", adminUsername: "virga", adminPassword: "S.123456x" },
  },
});

async function run(credential, group) {
  const client = new ComputeManagementClient(credential, subscription, { endpoint: url });
  const sets = client.virtualMachineScaleSets;
  await rest("PUT", `/resourceGroups/${group}`, "2021-04-01", { location: "eastus" });
  const made = await sets.createOrUpdate(group, "s", model(H100, 2), poll);
  assert.equal(made.provisioningState, "Succeeded");
  const grown = await sets.update(group, "s", { sku: { name: H100, capacity: 4 } }, poll);
  assert.equal(grown.sku.capacity, 4);
  const vms = [];
  for await (const vm of client.virtualMachineScaleSetVMs.list(group, "s", { expand: "instanceView" })) vms.push(vm);
  assert.deepEqual(vms.map((vm) => vm.name), ["s_0", "s_1", "s_2", "s_3"]);
  assert.equal(vms[0].instanceView.statuses.at(-1).code, "PowerState/running");
  await sets.deleteInstances(group, "s", { instanceIds: ["3"] }, poll);
  await sets.powerOff(group, "s", poll);
  await sets.start(group, "s", poll);
  assert.equal((await sets.get(group, "s")).sku.capacity, 3);
  await assert.rejects(sets.get(group, "none"), (error) => error.code === "ResourceNotFound");
  await assert.rejects(sets.createOrUpdate(group, "few", model("Standard_NC24ads_A100_v4", 2), poll), (error) =>
    `${error.code} ${error.message}`.includes("AllocationFailed"));
  const usages = [];
  for await (const usage of client.usage.list("eastus")) usages.push(usage.name.value);
  assert(usages.includes("standardNDSH100v5Family"));
  await admin("failure", { operation: "PATCH virtualMachineScaleSets", kind: "status", status: 429, retry_after_s: 2 });
  const started = Date.now();
  await sets.update(group, "s", { tags: { a: "b" } }, poll);
  assert(Date.now() - started > 1900, "the client waits as told");
  // What only 2026-03-01 has.
  const network = await rest("PUT", `/resourceGroups/${group}/providers/Microsoft.Network/interconnectGroups/i`,
    "2025-07-01", { location: "eastus" });
  const block = `/resourceGroups/${group}/providers/Microsoft.Compute/interconnectBlocks/b`;
  const put = await rest("PUT", block, "2026-03-01", {
    location: "eastus", sku: { name: "Standard_ND128isr_NDR_GB200_v6", capacity: 18 }, zones: ["1"],
    properties: { interconnectGroup: { id: network.id } } });
  assert.equal(put.properties.provisioningState, "Succeeded");
  assert.equal((await rest("GET", block, "2026-03-01")).sku.capacity, 18);
  await sets.delete(group, "s", { forceDeletion: true, ...poll });
  await rest("DELETE", `/resourceGroups/${group}`, "2021-04-01");
}

await run({ getToken: async () => ({ token: "static", expiresOnTimestamp: Date.now() + 3.6e6 }) }, "static");
await run(new ClientSecretCredential(tenant, "app", "secret", { authorityHost: url, disableInstanceDiscovery: true }),
  "principal");
console.log("npm SDK: all steps did what they should, with both credentials");

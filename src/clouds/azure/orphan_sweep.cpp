#include "clouds/azure/orphan_sweep.hpp"

#include <algorithm>
#include <set>

#include "clouds/azure/json_path.hpp"
#include "clouds/azure/scale_sets.hpp"

namespace virga::azure {
namespace {

/// So that releases do not have to wait for the budget behind a long clean-up; the rest is found again.
constexpr std::size_t k_deletions_most = 50;

bool is_there(JsonNode node) { return node && node.kind() != JsonNode::Kind::null; }

/// Names are compared without case: Azure gives ids back in more than one.
std::string lower_name(const std::string& id) { return lower(id.substr(id.rfind('/') + 1)); }

bool is_free_interface(JsonNode node) {
  const JsonNode properties = at(node, "properties");
  return !is_there(at(properties, "virtualMachine")) && !is_there(at(properties, "privateEndpoint"));
}

bool is_free_address(JsonNode node) {
  const JsonNode properties = at(node, "properties");
  return !is_there(at(properties, "ipConfiguration")) && !is_there(at(properties, "natGateway"));
}

bool is_free_disk(JsonNode node) { return text(at(node, "managedBy")).empty(); }

}  // namespace

struct OrphanSweep::Kind {
  std::string_view type;
  ApiVersion version;
  CallKind list;
  CallKind remove;
  std::string_view remove_query;
  bool (*is_free)(JsonNode);  ///< nullptr: a VM, which is told by its scale set
};

/// In the order in which they let go of each other.
const OrphanSweep::Kind OrphanSweep::k_kinds[] = {
    {"Microsoft.Compute/virtualMachines", ApiVersion::compute_newest, CallKind::vm_list, CallKind::vm_delete,
     "&forceDeletion=true", nullptr},
    {"Microsoft.Network/networkInterfaces", ApiVersion::network, CallKind::network_read, CallKind::network_delete, "",
     is_free_interface},
    {"Microsoft.Network/publicIPAddresses", ApiVersion::network, CallKind::network_read, CallKind::network_delete, "",
     is_free_address},
    {"Microsoft.Compute/disks", ApiVersion::disks, CallKind::disk_read, CallKind::disk_delete, "", is_free_disk},
};

OrphanSweep::~OrphanSweep() {
  if (thread_.joinable()) thread_.join();
}

void OrphanSweep::start() {
  std::call_once(started_, [this] {
    thread_ = std::thread([this] {
      do {
        sweep();
      } while (access_.stopper.sleep(access_.settings.sweep_interval));
    });
  });
}

void OrphanSweep::sweep() {
  const auto orphans = look();
  if (!orphans) return complain("looking for what VMs left behind", orphans.error());
  const Time now = Stopper::now();
  std::map<std::string, Time> since;
  std::size_t removed = 0;
  for (const Orphan& orphan : *orphans) {
    const auto known = since_.find(orphan.id);
    const Time first = known == since_.end() ? now : known->second;
    since[orphan.id] = first;
    if (known == since_.end() || now - first < access_.settings.stranger_grace || removed == k_deletions_most) continue;
    ++removed;
    remove(orphan);
  }
  since_ = std::move(since);
}

Arm<std::vector<OrphanSweep::Orphan>> OrphanSweep::look() {
  std::vector<Orphan> orphans;
  for (const Kind& kind : k_kinds) {
    const auto looked = kind.is_free == nullptr ? look_for_machines(orphans) : look_for(kind, orphans);
    if (!looked) return failed(looked.error());
  }
  return orphans;
}

bool OrphanSweep::is_ours(JsonNode resource) const {
  return text(at(at(resource, "tags"), k_tag_cluster)) == access_.settings.cluster;
}

Arm<void> OrphanSweep::look_for(const Kind& kind, std::vector<Orphan>& orphans) {
  ArmCall call{.path = client_.group_path() + "/providers/" + std::string(kind.type),
               .version = kind.version,
               .kind = kind.list,
               .resource = "group"};
  auto listed = client_.list(std::move(call), [&](JsonNode node) {
    if (is_ours(node) && kind.is_free(node)) orphans.push_back({text(at(node, "id")), &kind});
  });
  if (!listed && !listed.error().says_absent()) return listed;
  return {};
}

Arm<void> OrphanSweep::look_for_machines(std::vector<Orphan>& orphans) {
  const Kind& kind = k_kinds[0];
  std::map<std::string, std::string> set_of;  ///< by the VM's id
  ArmCall call{.path = client_.group_path() + "/providers/" + std::string(kind.type),
               .version = kind.version,
               .kind = kind.list,
               .resource = "group"};
  auto listed = client_.list(std::move(call), [&](JsonNode node) {
    const bool leaves = text(at(at(node, "properties"), "provisioningState")) == "Deleting";
    const std::string set = text(at(at(at(node, "properties"), "virtualMachineScaleSet"), "id"));
    if (is_ours(node) && !leaves) set_of[text(at(node, "id"))] = set.empty() ? "" : lower_name(set);
  });
  if (!listed && !listed.error().says_absent()) return listed;
  if (set_of.empty()) return {};
  const auto sets = ScaleSets(client_).list();
  if (!sets) return failed(sets.error());
  std::set<std::string> there;
  for (const ListedSet& set : *sets) there.insert(lower_name(set.name));
  for (const auto& [id, set] : set_of) {
    if (!there.contains(set)) orphans.push_back({id, &kind});
  }
  return {};
}

/// What cannot be deleted yet (Azure keeps an interface for its VM for three minutes) is found again.
void OrphanSweep::remove(const Orphan& orphan) {
  const auto begun = client_.call({.method = "DELETE",
                                   .path = orphan.id,
                                   .version = orphan.kind->version,
                                   .kind = orphan.kind->remove,
                                   .resource = orphan.id,
                                   .query = std::string(orphan.kind->remove_query)});
  if (!begun && !begun.error().says_absent()) complain("deleting what a VM left behind", begun.error());
}

void OrphanSweep::complain(const std::string& what, const ArmError& error) {
  if (!access_.stopper.stopped()) access_.complaints.add(what, error);
}

}  // namespace virga::azure

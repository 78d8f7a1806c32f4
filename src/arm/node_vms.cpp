#include "arm/node_vms.hpp"

#include <unistd.h>

#include <algorithm>

#include "arm/sizes.hpp"
#include "clouds/host/host_cloud.hpp"
#include "clouds/host/tier.hpp"

namespace virga::arm {

Result<std::unique_ptr<NodeVms>> NodeVms::open(const NodeVmsOptions& options) {
  if (probe_tier().tier == Tier::plain) {
    return fail(
        Code::unavailable,
        "this machine lets nobody make the namespaces that nodes of the stand-in need; run it as root, or allow "
        "user namespaces");
  }
  if (!options.machine_address.empty() && probe_tier().tier != Tier::root) {
    return fail(Code::denied, "only root can give this machine the address " + options.machine_address);
  }
  auto nodes = std::unique_ptr<NodeVms>(new NodeVms(options));
  const auto left = nodes->cloud_->list({});
  if (!left) return unexpected(left.error());
  for (const ListedVm& vm : *left) {
    nodes->last_ = std::max(nodes->last_, vm.vm.value);
    nodes->there_.insert(vm.vm);
  }
  nodes->release_all();
  return nodes;
}

NodeVms::NodeVms(const NodeVmsOptions& options) : private_files_(options.private_files) {
  HostCloudOptions host{options.home, options.node_program, "virga-arm"};
  host.address_of = [this](const WantedVm& vm) { return nodes_.at(vm.vm).address; };
  host.machine_on_fabric = !options.machine_address.empty();
  host.machine_address = options.machine_address;
  host.serve_metadata = [this](int listener) { server_->add_metadata_listener(listener); };
  cloud_ = make_host_cloud(std::move(host), *this);
}

NodeVms::~NodeVms() { release_all(); }

void NodeVms::release_all() {
  std::unique_lock lock(mutex_);
  const std::set<VmId> left = there_;
  lock.unlock();
  for (const VmId vm : left) cloud_->release(vm);
  lock.lock();
  changed_.wait(lock, [&] { return there_.empty(); });
}

void NodeVms::start(const VmOrder& order, Reply reply, Time now) {
  if (!order.custom_data.starts_with("#!")) {
    return reply({false, "its custom data is no script that starts with #!, so the node has nothing to run"}, now);
  }
  const VmId vm{++last_};
  nodes_[vm] = {order.vm_id, order.address, std::move(reply)};
  {
    std::lock_guard lock(mutex_);
    there_.insert(vm);
  }
  ReserveGang gang{GangId{vm.value}, {}, {{vm, order.name}}};
  gang.pool.name = "nodes";
  gang.pool.shared_files = !private_files_;
  gang.pool.sku.name = order.size;
  if (const AzureSize* size = find_azure_size(order.size)) {
    gang.pool.sku.resources.cpus = size->vcpus;
    gang.pool.sku.resources.memory_bytes = size->memory_mib << 20;
  }
  cloud_->reserve(gang, [&](const WantedVm&) { return order.custom_data; });
}

void NodeVms::stop(const std::string& vm_id) {
  for (auto at = nodes_.begin(); at != nodes_.end();) {
    if (at->second.vm_id == vm_id) {
      cloud_->release(at->first);
      at = nodes_.erase(at);
    } else {
      ++at;
    }
  }
}

/// From the threads of the cloud.
void NodeVms::post(EventBody event) {
  const auto is_over = [&](VmId vm) {
    std::lock_guard lock(mutex_);
    there_.erase(vm);
    changed_.notify_all();
  };
  if (const auto* released = std::get_if<VmReleased>(&event)) return is_over(released->vm);
  if (const auto* refused = std::get_if<GangRefused>(&event)) is_over(VmId{refused->gang.value});
  server_->post([this, event = std::move(event)](Time now) { take(event, now); });
}

void NodeVms::take(const EventBody& event, Time now) {
  const auto answer = [&](GangId gang, const VmOutcome& outcome) {
    const auto found = nodes_.find(VmId{gang.value});
    if (found == nodes_.end()) return;  // stopped meanwhile
    const Reply reply = std::exchange(found->second.reply, nullptr);
    if (!outcome.ready) nodes_.erase(found);
    if (reply) reply(outcome, now);
  };
  if (const auto* granted = std::get_if<GangGranted>(&event)) answer(granted->gang, {});
  if (const auto* refused = std::get_if<GangRefused>(&event)) answer(refused->gang, {false, refused->message});
  if (const auto* failed = std::get_if<VmFailed>(&event)) {
    const auto found = nodes_.find(failed->vm);
    if (found == nodes_.end() || !death_) return;
    const std::string vm_id = found->second.vm_id;
    death_(vm_id, now);
  }
}

}  // namespace virga::arm

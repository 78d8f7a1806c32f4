#include "sim/world/sim_cloud.hpp"

#include <algorithm>

namespace virga {

namespace {

constexpr Duration k_retry_after = Duration::seconds(30);

}  // namespace

SimCloud::SimCloud(EventQueue& queue, Machines& machines, std::uint64_t seed, const DeliveryFaults& delivery,
                   EventSink& sink)
    : queue_(queue),
      machines_(machines),
      courier_(queue, seed, delivery, sink),
      alive_(std::make_shared<SimCloud*>(this)) {
  machines_.on_death = [this](VmId vm) {
    if (watched_.contains(vm)) tell_death(vm);
  };
}

SimCloud::~SimCloud() { machines_.on_death = nullptr; }

std::function<void()> SimCloud::guarded(std::function<void()> action) {
  return [alive = std::weak_ptr<SimCloud*>(alive_), action = std::move(action)] {
    if (alive.lock() != nullptr) action();
  };
}

void SimCloud::tell_death(VmId vm) {
  watched_.erase(vm);  // once
  courier_.send(gang_of_[vm].value, VmFailed{vm, "the machine is gone"}, machines_.latency());
}

void SimCloud::reserve(const ReserveGang& command, const std::function<std::string(const WantedVm&)>& user_data) {
  for (const WantedVm& vm : command.vms) {
    gang_of_[vm.vm] = command.gang;
    VIRGA_ASSERT(user_data(vm).starts_with("#!"), "user data is a script");
  }
  if (!under_way_.insert(command.gang).second) return;  // its answer is on the way
  queue_.after(machines_.latency(), guarded([this, command] { attempt(command); }));
}

void SimCloud::attempt(const ReserveGang& command) {
  const bool complete = std::all_of(command.vms.begin(), command.vms.end(),
                                    [&](const WantedVm& vm) { return machines_.find(vm.vm) != nullptr; });
  std::optional<Shortage> short_of;
  if (!complete) short_of = create_missing(command);
  const Duration takes =
      complete ? machines_.latency() : machines_.random().between(Duration::seconds(1), k_retry_after);
  queue_.after(takes, guarded([this, command, short_of] {
                 if (short_of) {
                   give_back(command, *short_of);
                 } else {
                   grant(command);
                 }
               }));
}

/// Why not all machines of the gang could be made; some of them may have been.
std::optional<SimCloud::Shortage> SimCloud::create_missing(const ReserveGang& command) {
  const PoolTraits& traits = machines_.traits(command.pool.name);
  if (machines_.throttles()) return Shortage{Refusal::throttled, "429: too many requests", k_retry_after};
  const std::uint32_t there = machines_.count(command.pool.name);
  std::uint32_t missing = 0;
  for (const WantedVm& vm : command.vms) missing += machines_.find(vm.vm) == nullptr;
  if (there + missing > traits.quota) return Shortage{Refusal::quota, "the quota is used up", {}};
  std::optional<Shortage> short_of;
  std::uint32_t left = traits.capacity > there ? traits.capacity - there : 0;
  if (missing > left) {
    short_of = Shortage{Refusal::capacity, "no capacity for " + std::to_string(missing) + " machines", {}};
    if (machines_.random().chance(1, 2)) return short_of;
  }
  for (const WantedVm& vm : command.vms) {
    if (machines_.find(vm.vm) != nullptr) continue;
    if (left == 0) break;
    if (machines_.create_fails(vm.name)) return Shortage{Refusal::fault, vm.name + ": provisioning failed", {}};
    --left;
    machines_.create({.vm = vm.vm, .gang = command.gang, .pool = command.pool.name, .name = vm.name});
  }
  return short_of;
}

void SimCloud::grant(const ReserveGang& command) {
  GangGranted granted{command.gang, {}, {}};
  for (const WantedVm& vm : command.vms) {
    const Machine* machine = machines_.find(vm.vm);
    if (machine == nullptr || machine->deleting) {  // it was taken away before the last one came
      return give_back(command, {Refusal::fault, vm.name + ": gone before it was granted", {}});
    }
    granted.addresses.push_back(machine->address);
  }
  under_way_.erase(command.gang);
  courier_.send(command.gang.value, std::move(granted), machines_.latency());
  for (const WantedVm& vm : command.vms) adopt(vm.vm);
}

void SimCloud::give_back(const ReserveGang& command, Shortage why) {
  auto left = std::make_shared<std::size_t>(command.vms.size());
  for (const WantedVm& vm : command.vms) {
    machines_.remove(
        vm.vm, guarded([this, left, gang = command.gang, why] {
          if (--*left > 0) return;
          under_way_.erase(gang);
          courier_.send(gang.value, GangRefused{gang, why.refusal, why.message, why.retry_after}, machines_.latency());
        }));
  }
}

void SimCloud::release(VmId vm) {
  watched_.erase(vm);
  machines_.remove(vm, guarded([this, vm] { courier_.send(gang_of_[vm].value, VmReleased{vm}, machines_.latency()); }));
}

Result<std::vector<ListedVm>> SimCloud::list(const std::vector<KnownVm>&) {
  std::vector<ListedVm> listed;
  for (const auto& [id, machine] : machines_.all()) listed.push_back({id, machine.pool, machine.address});
  return listed;
}

void SimCloud::adopt(VmId vm) {
  const Machine* machine = machines_.find(vm);
  watched_.insert(vm);
  if (machine != nullptr) gang_of_[vm] = machine->gang;
  if (machine == nullptr || machine->dead) tell_death(vm);
}

}  // namespace virga

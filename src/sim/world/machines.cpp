#include "sim/world/machines.hpp"

#include <algorithm>
#include <utility>

namespace virga {

namespace {

constexpr Duration k_delete_min = Duration::seconds(1);
constexpr Duration k_delete_mean = Duration::seconds(8);
constexpr Duration k_throttle_pause = Duration::seconds(20);

std::string address_of(VmId vm) {
  return "10." + std::to_string((vm.value >> 16) % 256) + "." + std::to_string((vm.value >> 8) % 256) + "." +
         std::to_string(vm.value % 256);
}

}  // namespace

const Machine* Machines::find(VmId vm) const {
  auto found = machines_.find(vm);
  return found != machines_.end() ? &found->second : nullptr;
}

std::uint32_t Machines::count(const std::string& pool) const {
  return static_cast<std::uint32_t>(
      std::count_if(machines_.begin(), machines_.end(), [&](const auto& m) { return m.second.pool == pool; }));
}

int Machines::boots_of(VmId vm) const {
  auto found = boots_.find(vm);
  return found != boots_.end() ? found->second : 0;
}

Duration Machines::metered(const std::string& pool) const {
  auto found = metered_.find(pool);
  return found != metered_.end() ? found->second : Duration{};
}

Duration Machines::draw_boot(const PoolTraits& traits) {
  if (random_.chance(1, 50)) return random_.between(traits.boot_median, traits.boot_tail);
  // The median of an exponential distribution is ln 2 of its mean.
  const Duration mean{(traits.boot_median - traits.boot_min).ns / 693 * 1'000};
  return std::min(traits.boot_min + random_.exponential(mean), traits.boot_tail);
}

bool Machines::create_fails(const std::string& name) {
  return (!broken_name_.empty() && name == broken_name_) || random_.chance(faults_.no_create, 1'000);
}

void Machines::create(Machine wanted) {
  ++version_;
  const VmId vm = wanted.vm;
  wanted.created = queue_.now();
  wanted.address = address_of(vm);
  const PoolTraits& traits = traits_[wanted.pool];
  const std::size_t digits = wanted.name.find_last_not_of("0123456789") + 1;
  std::uint32_t number = 0;
  for (std::size_t i = digits; i < wanted.name.size(); ++i) {
    number = number * 10 + static_cast<std::uint32_t>(wanted.name[i] - '0');
  }
  wanted.leaf = number / std::max(traits.leaf_size, 1U);
  machines_[vm] = std::move(wanted);
  const Duration takes = draw_boot(traits);
  if (random_.chance(faults_.boot_hang, 1'000)) return;
  if (random_.chance(faults_.boot_death, 1'000)) {
    queue_.after(random_.between(Duration{}, takes), [this, vm] { kill(vm, Death::crash); });
    return;
  }
  queue_.after(takes, [this, vm] { boot(vm); });
}

void Machines::boot(VmId vm) {
  auto found = machines_.find(vm);
  if (found == machines_.end() || found->second.dead || found->second.deleting) return;
  found->second.up = true;
  ++boots_[vm];
  if (check(vm, faults_.boot_sick) && on_up) on_up(vm);
}

bool Machines::check(VmId vm, std::uint32_t falls_sick) {
  auto found = machines_.find(vm);
  if (found == machines_.end() || !found->second.up) return true;
  Machine& machine = found->second;
  machine.sick = machine.sick || health_random_.chance(falls_sick, 1'000);
  if (!machine.sick) return true;
  ++machine.failed_checks;
  if (on_sick) on_sick(vm);
  return false;
}

bool Machines::check_after_job(VmId vm) { return check(vm, faults_.job_sick); }
bool Machines::check_before_job(VmId vm) { return check(vm, 0); }

void Machines::stop_meter(Machine& machine) {
  if (!machine.metered) return;
  machine.metered = false;
  Duration& sum = metered_[machine.pool];
  sum = sum + (queue_.now() - machine.created);
}

void Machines::erase(VmId vm) {
  auto found = machines_.find(vm);
  if (found != machines_.end()) {
    ++version_;
    stop_meter(found->second);
    machines_.erase(found);
  }
  auto waiting = waiting_for_deletion_.find(vm);
  if (waiting == waiting_for_deletion_.end()) return;
  const std::vector<std::function<void()>> all = std::move(waiting->second);
  waiting_for_deletion_.erase(waiting);
  for (const auto& gone : all) gone();
}

void Machines::remove(VmId vm, std::function<void()> gone) {
  auto found = machines_.find(vm);
  if (found == machines_.end()) return gone();
  waiting_for_deletion_[vm].push_back(std::move(gone));
  if (found->second.deleting) return;
  ++version_;
  found->second.deleting = true;
  const bool was_alive = !found->second.dead;
  found->second.up = false;
  if (was_alive && on_down) on_down(vm);
  Duration takes = k_delete_min + random_.exponential(k_delete_mean);
  while (throttles()) takes = takes + k_throttle_pause;  // the adapter asks again after a 429
  queue_.after(takes, [this, vm] { erase(vm); });
}

void Machines::kill(VmId vm, Death death) {
  auto found = machines_.find(vm);
  if (found == machines_.end() || found->second.dead || found->second.deleting) return;
  ++version_;
  found->second.dead = true;
  found->second.up = false;
  if (on_down) on_down(vm);
  if (death == Death::vanish) erase(vm);
  if (on_death) on_death(vm);
}

void Machines::evict(VmId vm, Duration notice) {
  // The notice itself reaches nobody: core has no event for it. Here is where the adapter would be told.
  queue_.after(notice, [this, vm] { kill(vm, Death::vanish); });
}

void Machines::kill_leaf(const std::string& pool, std::uint32_t leaf, Death death) {
  std::vector<VmId> below;
  for (const auto& [vm, machine] : machines_) {
    if (machine.pool == pool && machine.leaf == leaf) below.push_back(vm);
  }
  for (VmId vm : below) kill(vm, death);
}

}  // namespace virga

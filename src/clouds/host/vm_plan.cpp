#include "clouds/host/vm_plan.hpp"

#include <time.h>
#include <unistd.h>

#include <algorithm>

#include "clouds/host/addresses.hpp"

namespace virga::host {

VmFile plan_vm_file(Tier tier, const ReserveGang& command, const WantedVm& wanted,
                    const std::set<std::uint32_t>& taken) {
  const auto smaller = [](std::uint64_t a, std::uint64_t b) { return a == 0 ? b : std::min(a, b); };
  const Pool& pool = command.pool;
  const auto machine_cpus = static_cast<std::uint64_t>(sysconf(_SC_NPROCESSORS_ONLN));
  const auto machine_memory =
      static_cast<std::uint64_t>(sysconf(_SC_PHYS_PAGES)) * static_cast<std::uint64_t>(sysconf(_SC_PAGESIZE));
  VmFile file;
  file.vm = wanted.vm;
  file.gang = command.gang;
  file.pool = pool.name;
  file.name = wanted.name;
  file.tier = tier;
  file.network = pool.network;
  file.shared_files = pool.shared_files;
  timespec now{};
  clock_gettime(CLOCK_REALTIME, &now);
  file.attempt = static_cast<std::uint64_t>(now.tv_sec) * 1'000'000'000 + static_cast<std::uint64_t>(now.tv_nsec);
  file.limit_cpus = static_cast<std::uint32_t>(pool.limit_cpus ? smaller(pool.limit_cpus, machine_cpus)
                                                               : smaller(pool.sku.resources.cpus, machine_cpus));
  file.limit_memory_bytes =
      pool.limit_memory_bytes ? pool.limit_memory_bytes : smaller(pool.sku.resources.memory_bytes, machine_memory);
  file.index = choose_index(file.name, taken);
  return file;
}

}  // namespace virga::host

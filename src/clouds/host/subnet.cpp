#include "clouds/host/subnet.hpp"

#include <arpa/inet.h>
#include <fcntl.h>
#include <ifaddrs.h>
#include <sys/file.h>

#include <bitset>
#include <cstdlib>

#include "base/digest.hpp"
#include "clouds/host/fabric.hpp"
#include "clouds/host/sys.hpp"
#include "clouds/host/vm_file.hpp"

namespace virga::host {

namespace {

constexpr int k_first = 64;
constexpr int k_count = 128;

/// By other ports than ours.
std::bitset<256> taken_subnets(const Home& home) {
  std::bitset<256> taken;
  ifaddrs* all = nullptr;
  if (getifaddrs(&all) != 0) return taken;
  const std::string own = machine_port(home);
  for (const ifaddrs* at = all; at != nullptr; at = at->ifa_next) {
    if (at->ifa_addr == nullptr || at->ifa_addr->sa_family != AF_INET || own == at->ifa_name) continue;
    const std::uint32_t address = ntohl(reinterpret_cast<const sockaddr_in*>(at->ifa_addr)->sin_addr.s_addr);
    if (address >> 24 == 10) taken.set(address >> 16 & 255);
  }
  freeifaddrs(all);
  return taken;
}

}  // namespace

int subnet_of(const Home& home) {
  const int wanted = static_cast<int>(digest_of(home.path) % k_count);
  UniqueFd file(open((home.path + "/subnet").c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0644));
  if (!file || flock(file.get(), LOCK_EX) != 0) return k_first + wanted;
  char text[16] = "";
  if (pread(file.get(), text, sizeof text - 1, 0) < 0) return k_first + wanted;
  const int kept = std::atoi(text);
  const bool usable = kept >= k_first && kept < k_first + k_count;
  if (usable && lock_holder(fabric_lock_path(home)) != 0) return kept;
  const std::bitset<256> taken = taken_subnets(home);
  if (usable && !taken[static_cast<std::size_t>(kept)]) return kept;
  int chosen = k_first + wanted;
  for (int i = 0; i < k_count && taken[static_cast<std::size_t>(chosen)]; ++i) {
    chosen = k_first + (wanted + 1 + i) % k_count;
  }
  const std::string line = std::to_string(chosen) + "\n";
  if (pwrite(file.get(), line.data(), line.size(), 0) != static_cast<ssize_t>(line.size()) ||
      ftruncate(file.get(), static_cast<off_t>(line.size())) != 0) {
    return k_first + wanted;
  }
  return chosen;
}

std::string machine_port(const Home& home) { return "virga" + hex_of(digest_of(home.path)).substr(0, 8); }

}  // namespace virga::host

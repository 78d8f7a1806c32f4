#include "arm/addresses.hpp"

namespace virga::arm {
namespace {

constexpr std::uint32_t k_reserved_first = 4;
constexpr std::uint32_t k_reserved_last = 1;
constexpr Network k_shared = {10u << 24, 8};

std::uint64_t room_of(const Network& network) {
  constexpr std::uint64_t k_reserved = k_reserved_first + k_reserved_last;
  return network.size() > k_reserved ? network.size() - k_reserved : 0;
}

}  // namespace

void Addresses::define(std::string_view subnet, Network network) {
  network.first &= static_cast<std::uint32_t>(~(network.size() - 1));
  pools_[lower_case(subnet)].network = network;
}

bool Addresses::has(std::string_view subnet, std::uint64_t count) const {
  const auto found = pools_.find(lower_case(subnet));
  if (found == pools_.end()) return true;
  return found->second.used.size() + count <= room_of(found->second.network);
}

std::optional<std::string> Addresses::take(std::string_view subnet) {
  const auto [found, is_new] = pools_.try_emplace(lower_case(subnet));
  Pool& pool = found->second;
  if (is_new) pool.network = k_shared;
  const std::uint64_t room = room_of(pool.network);
  if (pool.used.size() >= room) return std::nullopt;
  for (;;) {
    const auto offset = static_cast<std::uint32_t>(pool.next++ % room);
    const std::uint32_t address = pool.network.first + k_reserved_first + offset;
    if (pool.used.insert(address).second) return dotted_quad(address);
  }
}

bool Addresses::in_use(std::string_view subnet) const {
  const auto found = pools_.find(lower_case(subnet));
  return found != pools_.end() && !found->second.used.empty();
}

void Addresses::drop(std::string_view subnet) { pools_.erase(lower_case(subnet)); }

void Addresses::give_back(std::string_view subnet, std::string_view address) {
  const auto found = pools_.find(lower_case(subnet));
  const auto network = parse_network(std::string(address) + "/32");
  if (found != pools_.end() && network) found->second.used.erase(network->first);
}

}  // namespace virga::arm

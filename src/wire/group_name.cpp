#include "wire/group_name.hpp"

#include <grp.h>

#include <cerrno>
#include <vector>

namespace virga {
namespace {

/// A group's entry holds the names of all its members: one of a whole site is long.
constexpr std::size_t k_entry_bytes_first = 4096;
constexpr std::size_t k_entry_bytes_max = 16 << 20;

}  // namespace

std::string group_name(std::uint32_t gid) {
  group entry{};
  group* found = nullptr;
  for (std::size_t size = k_entry_bytes_first; size <= k_entry_bytes_max; size *= 4) {
    std::vector<char> buffer(size);
    const int error = getgrgid_r(gid, &entry, buffer.data(), buffer.size(), &found);
    if (error == 0 && found != nullptr) return entry.gr_name;
    if (error != ERANGE) break;
  }
  return std::to_string(gid);
}

}  // namespace virga

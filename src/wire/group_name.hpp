// The name of a group, by its number.
//
//   group_name(0)             // "root"
//   group_name(4'000'000)     // "4000000", where the machine knows no such group
//
// May be called on any thread; asks the C library's name services, which may take their time.
#pragma once

#include <cstdint>
#include <string>

namespace virga {

std::string group_name(std::uint32_t gid);

}  // namespace virga

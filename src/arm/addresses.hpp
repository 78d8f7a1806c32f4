// Private addresses, from the subnets that were PUT.
//
//   Addresses addresses;
//   addresses.define(subnet_id, *parse_network("10.0.0.0/24"));
//   std::optional<std::string> address = addresses.take(subnet_id);   // "10.0.0.4"; nothing when the subnet is full
//   addresses.give_back(subnet_id, *address);
//
// As in Azure, the first four and the last address of a subnet are not given out. Machines without a subnet share
// 10.0.0.0/8.
#pragma once

#include <map>
#include <optional>
#include <set>
#include <string>
#include <string_view>

#include "arm/text.hpp"

namespace virga::arm {

class Addresses {
 public:
  void define(std::string_view subnet, Network network);
  /// Machines without a subnet are never out of addresses.
  bool has(std::string_view subnet, std::uint64_t count) const;
  std::optional<std::string> take(std::string_view subnet);
  bool in_use(std::string_view subnet) const;
  /// The subnet is no more: what was taken from it is given back to nobody.
  void drop(std::string_view subnet);
  void give_back(std::string_view subnet, std::string_view address);

 private:
  struct Pool {
    Network network;
    std::set<std::uint32_t> used;
    std::uint32_t next = 0;  ///< addresses are not given out again at once
  };
  std::map<std::string, Pool> pools_;
};

}  // namespace virga::arm

// Reads one table [cloud.azure.pool.NAME].
//
//   PoolReader reader({section, pool, "/subscriptions/…/resourceGroups/g"});
//   AzurePool placed = reader.read();                       // what is wrong is in the section's mistakes
#pragma once

#include <string>

#include "clouds/azure/pool_settings.hpp"
#include "wire/toml_section.hpp"

namespace virga {

class PoolReader {
 public:
  /// `group` is the id of the resource group in which resources that are named without a path lie.
  PoolReader(TomlSection& section, const Pool& pool, std::string group)
      : section_(section), pool_(pool), group_(std::move(group)) {}

  AzurePool read();

 private:
  void resource(std::string_view key, std::string_view type, std::string& id);
  void read_zones();
  void check_orchestration();
  void check_reservation();
  void check_targeted();
  void check_interconnect();

  TomlSection& section_;
  const Pool& pool_;
  const std::string group_;
  AzurePool placed_;
};

}  // namespace virga

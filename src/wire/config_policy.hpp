// The half of virga.toml that says who may use how much, and who comes first:
// [scheduler], [priority], [qos.NAME], [tenant.NAME], [reservation.NAME], and what a partition says about them.
//
//   ConfigPolicy policy(top, config, mistakes);          // reads its tables from the top of the file
//   policy.read_partition(section, partition);           // for each partition
//   policy.check_names();                                // what needs all partitions
//
// Only config_toml.cpp includes this.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "core/config.hpp"
#include "wire/toml_section.hpp"

namespace virga {

class ConfigPolicy {
 public:
  /// Fills scheduler, priority, qos, tenants and reservations of `config`, which must outlive this.
  ConfigPolicy(TomlSection& top, Config& config, Mistakes& mistakes);

  void read_partition(TomlSection& section, Partition& partition) const;
  /// Reservations name partitions, which may come later in the file.
  void check_names();

 private:
  void read_scheduler(TomlSection& top);
  void read_priority(TomlSection& top);
  void read_licenses(TomlSection& top);
  void read_qos(const NamedTable& named);
  void read_tenant(const NamedTable& named);
  void read_reservation(const NamedTable& named);
  void check_parents(const std::vector<NamedTable>& tables);
  void check_preempt(const std::vector<NamedTable>& tables);
  void check_members(TomlSection& section, std::string_view key, const std::vector<std::string>& words,
                     const std::vector<std::string>& known, std::string_view kind) const;

  Config& config_;
  Mistakes& mistakes_;
  std::vector<std::string> qos_names_;  ///< also of those with mistakes, so that these are told once
  std::vector<std::string> tenant_names_;
  std::vector<NamedTable> reservations_;
};

}  // namespace virga

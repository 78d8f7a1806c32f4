// The checks of doctor.hpp, which share a client and a report.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "clouds/azure/arm_client.hpp"
#include "core/config.hpp"
#include "wire/check_report.hpp"

namespace virga::azure {

struct Examination {
  ArmClient& client;
  const AzureSettings& settings;
  std::vector<Pool> pools;  ///< Azure's
  CheckReport report = {};

  Arm<HttpAnswer> read(std::string path, ApiVersion version) {
    return client.call(
        {.path = std::move(path), .version = version, .kind = CallKind::catalogue_read, .is_patient = false});
  }
  void ok(std::string what, std::string text) { report.add({std::move(what), Verdict::ok, std::move(text), {}}); }
  std::string subscription_path() const { return "/subscriptions/" + settings.subscription; }
};

/// The resource group, and what the caller may do in it.
void check_group(Examination& e);
void check_network(Examination& e);
void check_image(Examination& e);
/// Sizes, restrictions, quotas and scale sets of the pools.
void check_pools(Examination& e);

}  // namespace virga::azure

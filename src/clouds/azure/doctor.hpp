// Whether a subscription is ready for the pools of virga.toml: what would go wrong with the first job, found out by
// reading alone.
//
//   CheckReport report = examine_azure(settings, config.pools);      // some seconds; `virga doctor azure` prints it
//
// Nothing is written to Azure. Each check is made once, without patience; what needs one that failed is skipped.
#pragma once

#include <vector>

#include "clouds/azure/settings.hpp"
#include "core/config.hpp"
#include "wire/check_report.hpp"

namespace virga {

/// Pools of other clouds are not looked at.
CheckReport examine_azure(const AzureSettings& settings, const std::vector<Pool>& pools);

}  // namespace virga

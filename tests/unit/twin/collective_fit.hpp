// The calibration of the constants of collectives, as docs/accuracy.md describes it.
//
//   const auto constants = fitted(measurements, "gcp");   // as if that source had never been published
//   error_of(measurement, constants);                     // 0.1: 10 % off, beyond what the source's rounding explains
//
// One vector of constants for all rows. Each starts at a prior that is taken from NCCL's sources or from data sheets,
// and leaves it only as far as the measurements demand; a constant that nothing measures stays there.
#pragma once

#include <array>
#include <string>
#include <vector>

#include "unit/twin/collective_data.hpp"

namespace virga {

struct FittedConstants {
  CollectiveConstants constants;
  std::array<double, 3> nvlink_latency_s;  ///< in the order of k_nvlinks
  std::array<double, 5> nic_latency_s;     ///< in the order of k_networks
};

FittedConstants calibrated_constants();
FittedConstants prior_constants();
CollectiveEstimate estimate(const Measurement& m, const FittedConstants& fitted);
/// Relative error of the time.
double error_of(const Measurement& m, const FittedConstants& fitted);
FittedConstants fitted(const std::vector<Measurement>& measurements, const std::string& left_out);
std::vector<std::pair<const char*, double>> listed(const FittedConstants& fitted);

}  // namespace virga

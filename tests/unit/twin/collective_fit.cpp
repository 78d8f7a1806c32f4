#include "unit/twin/collective_fit.hpp"

#include <algorithm>
#include <cmath>
#include <map>

namespace virga {
namespace {

struct Parameter {
  const char* name;
  double* value;
  double prior;
};

std::vector<Parameter> parameters_of(FittedConstants& f) {
  CollectiveConstants& c = f.constants;
  return {
      {"base_ll_s", &c.base_ll_s, 6.6e-6},         // NCCL's tuning model
      {"base_ll128_s", &c.base_ll128_s, 14e-6},    // the same
      {"base_simple_s", &c.base_simple_s, 20e-6},  // the same has 8.4, without the launch
      {"base_nvls_s", &c.base_nvls_s, 23e-6},      // the same
      {"ramp_ll_s", &c.ramp_ll_s, 10e-6},
      {"ramp_simple_s", &c.ramp_simple_s, 10e-6},
      {"ramp_half_bytes", &c.ramp_half_bytes, 16384},
      {"hop_ll128_s", &c.hop_ll128_s, 1.3e-6},                      // NCCL's tuning model: 1.9 - 0.6
      {"hop_simple_s", &c.hop_simple_s, 2.8e-6},                    // the same: 3.4 - 0.6
      {"nic_hop_ll_s", &c.nic_hop_ll_s, 1e-6},                      // the same: posting a message
      {"nic_hop_simple_s", &c.nic_hop_simple_s, 14e-6},             // the same
      {"ll_efficiency", &c.ll_efficiency, 0.25},                    // the same
      {"ll_bytes_s", &c.ll_bytes_s, 39e9},                          // the same
      {"ring_efficiency_ampere", &c.ring_efficiency_ampere, 0.95},  // NCCL's search of rings, with headers
      {"ring_efficiency_hopper", &c.ring_efficiency_hopper, 0.95},
      {"ring_efficiency_blackwell", &c.ring_efficiency_blackwell, 0.95},
      {"pair_efficiency", &c.pair_efficiency, 0.95},                // the same
      {"nvls_efficiency_hopper", &c.nvls_efficiency_hopper, 0.65},  // NCCL's tuning model: 5/6 of the rings' 0.8
      {"nvls_efficiency_blackwell", &c.nvls_efficiency_blackwell, 0.65},
      {"nic_efficiency", &c.nic_efficiency, 0.95},    // headers of InfiniBand
      {"tree_efficiency", &c.tree_efficiency, 0.92},  // NCCL's tuning model
      {"fill_bytes", &c.fill_bytes, 16e6},            // 32 channels of 512 KiB
      {"nvlink3 latency_s", &f.nvlink_latency_s[0], 1.5e-6},
      {"nvlink4 latency_s", &f.nvlink_latency_s[1], 1.5e-6},
      {"nvlink5 latency_s", &f.nvlink_latency_s[2], 1.5e-6},
      {"ib_hdr latency_s", &f.nic_latency_s[0], 2e-6},
      {"ib_ndr latency_s", &f.nic_latency_s[1], 2e-6},
      {"roce latency_s", &f.nic_latency_s[2], 4e-6},
      {"efa latency_s", &f.nic_latency_s[3], 35e-6},  // stated by aws-ofi-nccl for p5en and p6
      {"tcpxo latency_s", &f.nic_latency_s[4],
       11.5e-6},  // half of TCP's 23 us there and back at Google (Snap, SOSP'19)
  };
}

/// A doubling of a constant costs as much as 1 % of mean error.
constexpr double k_trust_in_priors = 0.01;

double misfit(const std::vector<const Measurement*>& rows, const std::vector<double>& weights, FittedConstants& f) {
  double sum = 0;
  double weight = 0;
  for (std::size_t i = 0; i < rows.size(); ++i) {
    sum += weights[i] * std::min(1.0, error_of(*rows[i], f));
    weight += weights[i];
  }
  double priors = 0;
  for (const Parameter& p : parameters_of(f)) priors += std::abs(std::log2(*p.value / p.prior));
  return (weight > 0 ? sum / weight : 0) + k_trust_in_priors * priors / 10;
}

}  // namespace

FittedConstants calibrated_constants() {
  FittedConstants f{};
  f.constants = k_collective_constants;
  for (std::size_t i = 0; i < k_nvlinks.size(); ++i) f.nvlink_latency_s[i] = k_nvlinks[i].latency_s;
  for (std::size_t i = 0; i < k_networks.size(); ++i) f.nic_latency_s[i] = k_networks[i].latency_s;
  return f;
}

FittedConstants prior_constants() {
  FittedConstants f = calibrated_constants();
  for (const Parameter& p : parameters_of(f)) *p.value = p.prior;
  return f;
}

CollectiveEstimate estimate(const Measurement& m, const FittedConstants& f) {
  Net net = m.net;
  for (std::size_t i = 0; i < k_nvlinks.size(); ++i) {
    if (k_nvlinks[i].bytes_s == net.nvlink_bytes_s) net.nvlink_latency_s = f.nvlink_latency_s[i];
  }
  for (std::size_t i = 0; i < k_networks.size(); ++i) {
    if (std::string_view(k_networks[i].kind) == net.kind) net.nic_latency_s = f.nic_latency_s[i];
  }
  return collective_estimate(m.collective, m.group, m.bytes, net, {.algorithm = m.forced}, f.constants);
}

double error_of(const Measurement& m, const FittedConstants& f) {
  const double seconds = estimate(m, f).seconds;
  if (seconds >= m.seconds_low && seconds <= m.seconds_high) return 0;
  return std::abs(seconds - m.seconds) / m.seconds;
}

FittedConstants fitted(const std::vector<Measurement>& measurements, const std::string& left_out) {
  std::vector<const Measurement*> rows;
  std::map<std::string, double> rows_of_series;
  const auto series = [](const Measurement& m) { return m.source + m.gpu + m.fabric + std::to_string(m.group.ranks); };
  for (const Measurement& m : measurements) {
    if (m.source == left_out) continue;
    rows.push_back(&m);
    rows_of_series[series(m)] += 1;
  }
  // A source with many points is not worth that many sources.
  std::vector<double> weights;
  for (const Measurement* m : rows) weights.push_back(1 / std::sqrt(rows_of_series[series(*m)]));
  FittedConstants best = prior_constants();
  double least = misfit(rows, weights, best);
  for (double step = 0.4; step > 0.004; step /= 2) {
    for (int round = 0; round < 12; ++round) {
      const double before = least;
      const std::size_t count = parameters_of(best).size();
      for (std::size_t i = 0; i < count; ++i) {
        for (const double factor : {1 + step, 1 / (1 + step)}) {
          FittedConstants tried = best;
          double& value = *parameters_of(tried)[i].value;
          value *= factor;
          const double found = misfit(rows, weights, tried);
          if (found >= least) continue;
          least = found;
          best = tried;
        }
      }
      if (before - least < 1e-5) break;
    }
  }
  return best;
}

std::vector<std::pair<const char*, double>> listed(const FittedConstants& f) {
  FittedConstants copy = f;
  std::vector<std::pair<const char*, double>> list;
  for (const Parameter& p : parameters_of(copy)) list.emplace_back(p.name, *p.value);
  return list;
}

}  // namespace virga

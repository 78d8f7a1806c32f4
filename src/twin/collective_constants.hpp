// The physical constants of collectives: few, and fitted to all measurements at once, never to one row or file.
//
//   k_collective_constants.nvls_efficiency_hopper * k_nvlink4.bytes_s;   // what NVLS gets of NVLink 4
//
// docs/accuracy.md tells how they are calibrated, on what, and how well they do where a source was left out. Seconds,
// bytes, and shares of the data sheet's rate.
#pragma once

#include <array>
#include <string_view>

namespace virga {

struct CollectiveConstants {
  // Kernel launch and the first exchange of flags.
  double base_ll_s = 9.56e-6;
  double base_ll128_s = 14e-6;
  double base_simple_s = 13.5e-6;
  double base_nvls_s = 23e-6;
  // A small message has one channel; more join with its size, each of which must be started. Half of the cost is there
  // at ramp_half_bytes.
  double ramp_ll_s = 9.98e-6;
  double ramp_simple_s = 17.9e-6;
  double ramp_half_bytes = 16.4e3;
  // What a hop costs more than by LL, since a larger piece must be complete before it goes on.
  double hop_ll128_s = 1.3e-6;
  double hop_simple_s = 2.78e-6;
  double nic_hop_ll_s = 1e-6;
  double nic_hop_simple_s = 10e-6;
  double nic_hop_simple_latencies = 2;  ///< Simple crosses the network twice: the data, and the flush that follows
  // Shares of the line rate.
  double ll_efficiency = 0.250;           ///< half of what LL sends are flags
  double ll128_efficiency = 0.92;         ///< 120 of 128 bytes are data
  double ll_bytes_s = 39e9;               ///< LL through NICs is staged in host memory and copied by a CPU core
  double ring_efficiency_ampere = 0.927;  ///< of what NCCL counts with
  double ring_efficiency_hopper = 0.985;
  double ring_efficiency_blackwell = 0.944;
  double pair_efficiency = 0.806;  ///< of two ranks, which use fewer of NVLink's lanes
  double nvls_efficiency_hopper = 0.689;
  double nvls_efficiency_blackwell = 0.600;
  double nic_efficiency = 0.962;
  double tree_efficiency = 0.909;
  double all_to_all_efficiency = 0.80;
  // Phases of a tree overlap once this many bytes are on their way, per level.
  double fill_bytes = 18.1e6;
};

inline constexpr CollectiveConstants k_collective_constants = {};

/// A generation of NVLink: the data sheet's rate, the share of it that NCCL's search counts with
/// (src/graph/topo.h: 20.0 GB/s of each 25 GB/s link on Ampere, 20.6 on Hopper, 40.1 of 50 on Blackwell), and a hop by
/// LL, calibrated.
struct NvlinkConstants {
  double bytes_s;
  double nccl_share;
  double latency_s;
};
inline constexpr NvlinkConstants k_nvlink3 = {300e9, 20.0 / 25, 1.75e-6};
inline constexpr NvlinkConstants k_nvlink4 = {450e9, 20.6 / 25, 1.25e-6};
inline constexpr NvlinkConstants k_nvlink5 = {900e9, 40.1 / 50, 2.1e-6};
inline constexpr std::array k_nvlinks = {k_nvlink3, k_nvlink4, k_nvlink5};

/// A kind of network: a NIC's usual rate, the latency from GPU to GPU, and the settings of NCCL that its provider
/// prescribes.
struct NetworkConstants {
  const char* kind;
  double nic_bytes_s;
  double latency_s;
  bool only_simple = false;   ///< NCCL_PROTO=Simple: the network may reorder what LL and LL128 rely on
  bool without_nvls = false;  ///< NCCL_NVLS_ENABLE=0
  bool tuner_plugin = false;  ///< NCCL_TUNER_PLUGIN: the provider's measurements choose, not NCCL's model
};
inline constexpr NetworkConstants k_infiniband_hdr = {"ib_hdr", 25e9, 1.99e-6};
inline constexpr NetworkConstants k_infiniband_ndr = {"ib_ndr", 50e9, 1.14e-6};
inline constexpr NetworkConstants k_roce = {"roce", 50e9, 10.4e-6};
inline constexpr NetworkConstants k_efa = {"efa", 50e9, 33.5e-6, true};  // Amazon's Elastic Fabric Adapter
inline constexpr NetworkConstants k_tcpxo = {"tcpxo", 25e9, 11.5e-6, true, true, true};  // Google's GPUDirect-TCPXO
inline constexpr std::array k_networks = {k_infiniband_hdr, k_infiniband_ndr, k_roce, k_efa, k_tcpxo};

}  // namespace virga

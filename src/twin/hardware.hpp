// The machines that train: GPUs, how many NVLink joins, and the network's share of each.
//
//   const System* nd = find_system("Standard_ND96amsr_A100_v4");     // nullptr: not in data/systems.csv
//   nd->gpu->name == "A100-SXM4-80GB";  nd->gpus_per_node == 8;  nd->net().nic_bytes_s == 25e9;
//
// Rates are bytes/s and FLOP/s, memory is bytes. Peaks are the data sheets' dense ones.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "base/enum_names.hpp"
#include "base/result.hpp"
#include "twin/collective.hpp"

namespace virga::twin {

/// What matrix products are computed in. mxfp8 and nvfp4 scale small blocks; fp8 scales whole tensors.
enum class Precision : std::uint8_t { fp16, bf16, fp8, mxfp8, nvfp4 };

struct Gpu {
  std::string name;
  std::string aliases;  ///< with blanks between
  std::string architecture;
  std::uint32_t sms = 0;  ///< streaming multiprocessors (compute units)
  double peak_16 = 0;     ///< FLOP/s
  double peak_8 = 0;      ///< 0: has no such mode
  double peak_4 = 0;
  double hbm_bytes = 0;  ///< that a program can allocate
  double hbm_bytes_s = 0;
  double nvlink_bytes_s = 0;  ///< one direction
  bool nvls = false;
  double exp_per_clock = 16;  ///< exponentials of an SM
  double plateau_16 = 0;      ///< sustained share of the peak under the power limit
  double plateau_8 = 0;
  double plateau_4 = 0;

  double peak(Precision precision) const;     ///< 0: has no such mode
  double plateau(Precision precision) const;  ///< FLOP/s
};

struct System {
  std::string name;
  const Gpu* gpu = nullptr;
  std::uint32_t gpus_per_node = 1;
  std::uint32_t domain = 1;   ///< GPUs that NVLink joins
  double nvlink_bytes_s = 0;  ///< one direction; 0: as the data sheet of the GPU says
  double nic_bytes_s = 0;     ///< of one GPU, one direction; 0: no network worth the name
  std::string network;

  Net net() const;  ///< names `network`, and must not outlive it
};

const std::vector<Gpu>& known_gpus();
const std::vector<System>& known_systems();
/// By name or alias, without case; nullptr: unknown.
const Gpu* find_gpu(std::string_view name);
const System* find_system(std::string_view name);
/// The first system of the table with this GPU; nullptr: none.
const System* find_system_of(const Gpu& gpu);

/// Read the files' texts; public for their tests.
Result<std::vector<Gpu>> parse_gpus(std::string_view csv);
Result<std::vector<System>> parse_systems(std::string_view csv, const std::vector<Gpu>& gpus);

}  // namespace virga::twin

namespace virga {
template <>
struct EnumNames<twin::Precision> {
  static constexpr std::string_view names[] = {"fp16", "bf16", "fp8", "mxfp8", "nvfp4"};
};
}  // namespace virga

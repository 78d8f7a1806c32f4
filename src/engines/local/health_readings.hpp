// What the tools that look at a node's hardware print, as values. Pure functions of their texts.
//
//   Result<std::vector<GpuReading>> gpus = read_gpus(nvidia_smi_csv);
//
// A text that does not look like that tool's is Code::corrupt, with the line that does not.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.hpp"

namespace virga {

struct GpuReading {
  std::uint32_t index = 0;
  std::optional<std::uint64_t> uncorrectable;  ///< ECC errors since the driver was loaded; none: it does not count them
};

/// Of `nvidia-smi --query-gpu=index,ecc.errors.uncorrected.volatile.total --format=csv,noheader,nounits`.
Result<std::vector<GpuReading>> read_gpus(std::string_view text);

/// Of `nvidia-smi --query-gpu=clocks_event_reasons.active --format=csv,noheader,nounits`: the reasons' bits of each
/// GPU.
Result<std::vector<std::uint64_t>> read_clock_reasons(std::string_view text);

/// Of `nvidia-smi nvlink -s`: how many links of each GPU carry data, in its order.
Result<std::vector<std::uint32_t>> read_nvlinks(std::string_view text);

/// Of `rocm-smi --showid --csv`: how many GPUs it lists.
Result<std::uint32_t> read_amd_gpus(std::string_view text);

struct XidReading {
  std::uint32_t xid = 0;
  std::string device;  ///< PCI address
};

/// Of the kernel's log: the newest message of NVIDIA's driver about a fault of hardware; nothing where there is none.
/// Such as 79, fallen off the bus; those that a wrong program causes are not among them.
std::optional<XidReading> read_xid(std::string_view text);

struct IbPort {
  std::string adapter;  ///< "mlx5_ib0"
  std::uint32_t number = 1;
  std::string state;           ///< "Active"
  std::string physical_state;  ///< "LinkUp"
  std::uint32_t gbit_per_s = 0;
  bool is_infiniband = false;  ///< else Ethernet
};

/// Of `ibstat`.
Result<std::vector<IbPort>> read_ib_ports(std::string_view text);

/// Of `all_reduce_perf` of nccl-tests or rccl-tests: the average bus bandwidth in MB/s. Wrong sums are an error too.
Result<std::uint64_t> read_all_reduce(std::string_view text);

}  // namespace virga

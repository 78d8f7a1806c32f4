// Real GPUs of this machine, asked of NVML. The library is loaded at run time: most machines have none.
#pragma once

#include <string>
#include <vector>

namespace virga {

struct RealGpus {
  std::vector<std::string> names;  ///< by index; empty where there are none
  std::string why_none;            ///< the reason, in that case
};
RealGpus find_real_gpus();

}  // namespace virga

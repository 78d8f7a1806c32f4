// A user's own machines for the performance model, as a TOML file.
//
//   name = "lab"
//   gpu = "H100"                    # of data/gpus.csv; or a table [gpu], as below
//   gpus_per_node = 8
//   nvlink_domain = 8               # absent: a node
//   nic_gbit_per_s = 400            # each GPU's share of the network, one direction; 0: none
//   network = "ib_ndr"              # ib_hdr, ib_ndr, roce, efa, tcpxo or ethernet
//   price_usd_per_node_hour = 60    # absent: no costs are told
//
//   [gpu]                           # what is absent is as in `like`
//   name = "H100-600W"
//   like = "H100"
//   hbm_gib = 79
//   hbm_gb_per_s = 3350
//   tflops_16 = 989
//   tflops_8 = 1979
//   nvlink_gb_per_s = 450
//
//   Result<OwnSystem> own = parse_system_toml(text, "lab.toml");
//   own->system();                  // points into `own`
//
// Errors: every mistake on a line of its own, file:line:column: key: what; what would be right. Code::invalid.
#pragma once

#include <memory>
#include <string>
#include <string_view>

#include "base/result.hpp"
#include "twin/hardware.hpp"

namespace virga {

struct OwnSystem {
  std::shared_ptr<const twin::Gpu> gpu;
  twin::System system;           ///< its gpu is the one above
  double usd_per_node_hour = 0;  ///< 0: not said
};

Result<OwnSystem> parse_system_toml(std::string_view text, const std::string& file_name);

}  // namespace virga

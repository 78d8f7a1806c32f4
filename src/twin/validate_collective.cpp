// Measured collective operations: which network a row means, and what its metric is.
#include <fmt/format.h>

#include <algorithm>
#include <cstdlib>

#include "twin/collective.hpp"
#include "twin/hardware.hpp"
#include "twin/validate_rows.hpp"

namespace virga::twin {

namespace {

bool has(std::string_view text, std::string_view word) { return text.find(word) != std::string_view::npos; }

struct NetworkName {
  std::string_view word;
  const char* kind;
};
constexpr NetworkName k_networks[] = {{"HDR", "ib_hdr"},       {"200G NICs", "ib_hdr"}, {"RoCE", "roce"},
                                      {"EFA", "efa"},          {"TCPXO", "tcpxo"},      {"Ethernet", "tcpxo"},

                                      {"InfiniBand", "ib_ndr"}};

/// "8x400G …" and "4xHDR200 …": bytes/s of the node's NICs together; 0: none named.
double node_bytes_s(std::string_view fabric) {
  const std::size_t times = fabric.find('x');
  if (times == std::string_view::npos || times == 0 || fabric[0] < '0' || fabric[0] > '9') return 0;
  double nics = 0;
  read_optional_number(fabric.substr(0, times), nics);
  std::string_view rest = fabric.substr(times + 1);
  while (!rest.empty() && (rest.front() < '0' || rest.front() > '9')) rest.remove_prefix(1);
  double gigabits = 0;
  std::from_chars(rest.data(), rest.data() + rest.size(), gigabits);
  return nics * gigabits * 1e9 / 8;
}

const char* kind_of(std::string_view fabric) {
  for (const NetworkName& network : k_networks) {
    if (has(fabric, network.word)) return network.kind;
  }
  return "ib_ndr";
}

struct Operation {
  Collective what;
  double bus_factor;  ///< of nccl-tests: bus bandwidth over size / time
};
bool operation_of(std::string_view name, double n, Operation& operation) {
  if (name.substr(0, 10) == "all_reduce")
    operation = {Collective::all_reduce, 2 * (n - 1) / n};
  else if (name == "all_gather")
    operation = {Collective::all_gather, (n - 1) / n};
  else if (name == "reduce_scatter")
    operation = {Collective::reduce_scatter, (n - 1) / n};
  else if (name == "all_to_all")
    operation = {Collective::all_to_all, (n - 1) / n};
  else if (name == "sendrecv")
    operation = {Collective::send_recv, 1};
  else
    return false;
  return true;
}

}  // namespace

void predict_collective(RowReader& reader, ValidatedRow& row) {
  const double bytes = reader.number<double>("message_bytes");
  const auto per_node = reader.number<std::uint32_t>("gpus_per_node");
  const std::string_view fabric = reader.text("fabric");
  if (row.gpus < 2 || bytes <= 0 || per_node == 0) {
    row.skipped = "the row does not state GPUs, GPUs per node or message size";
    return;
  }
  Operation operation{};
  if (!operation_of(row.model, row.gpus, operation)) {
    row.skipped = fmt::format("{} is no collective of the model", row.model);
    return;
  }
  std::string_view name = row.gpu;
  if (name == "Hopper class" || name == "H20" || name == "H800") name = "H100";
  const Gpu* gpu = find_gpu(name);
  const System* system = gpu == nullptr ? nullptr : find_system_of(*gpu);
  if (system == nullptr) {
    row.skipped = fmt::format("no GPU \"{}\" in data/gpus.csv", row.gpu);
    return;
  }
  Net net = system->net();
  if (const double node = node_bytes_s(fabric); node > 0) net.nic_bytes_s = node / per_node;
  net.kind = kind_of(fabric);
  if (row.gpu == "H800") net.nvlink_bytes_s = 200e9;
  const bool of_table = row.metric == "busbw_fraction_of_effective_line_rate";
  const RankGroup group{row.gpus, std::min(row.gpus, per_node), 0};
  const double seconds = collective_seconds(operation.what, group, bytes, net);
  const double bus = operation.bus_factor * bytes / seconds;
  if (row.metric == "busbw")
    row.predicted = bus / 1e9;
  else if (row.metric == "time_out_of_place")
    row.predicted = seconds * 1e6;
  else if (of_table)
    row.predicted = bus / (row.gpus > per_node ? per_node * 48.5e9 : 475e9);
  else
    row.skipped = fmt::format("{} is a threshold, not a measurement", row.metric);
  row.outside_calibration = row.predicted && (row.gpu == "H20" || row.gpu == "H800" || of_table);
}

}  // namespace virga::twin

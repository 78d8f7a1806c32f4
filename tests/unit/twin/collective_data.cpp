#include "unit/twin/collective_data.hpp"

#include <doctest/doctest.h>

#include <algorithm>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <map>

namespace virga {
namespace {

using Row = std::map<std::string, std::string>;

std::filesystem::path data_folder() {
  if (const char* folder = std::getenv("VIRGA_SHARED_DATA")) return folder;
  std::error_code no_proc;
  auto folder = std::filesystem::read_symlink("/proc/self/exe", no_proc);
  if (no_proc) folder = std::filesystem::current_path();
  for (; folder != folder.root_path(); folder = folder.parent_path()) {
    if (std::filesystem::exists(folder / "shared" / "data")) return folder / "shared" / "data";
  }
  return "shared/data";
}

std::vector<std::string> fields_of(const std::string& line) {
  std::vector<std::string> fields(1);
  bool quoted = false;
  for (const char c : line) {
    if (c == '"') {
      quoted = !quoted;
    } else if (c == ',' && !quoted) {
      fields.emplace_back();
    } else {
      fields.back() += c;
    }
  }
  return fields;
}

std::vector<Row> rows_of(const std::filesystem::path& file) {
  std::ifstream lines(file);
  std::string line;
  std::getline(lines, line);
  const auto names = fields_of(line);
  std::vector<Row> rows;
  while (std::getline(lines, line)) {
    const auto fields = fields_of(line);
    Row row;
    for (std::size_t i = 0; i < std::min(names.size(), fields.size()); ++i) row[names[i]] = fields[i];
    rows.push_back(std::move(row));
  }
  return rows;
}

bool has(const std::string& text, const char* part) { return text.find(part) != std::string::npos; }

NetworkConstants network_of(const std::string& fabric) {
  if (has(fabric, "EFA")) return k_efa;
  if (has(fabric, "RoCE")) return k_roce;
  if (has(fabric, "TCPXO") || has(fabric, "A3 Mega")) return k_tcpxo;
  return has(fabric, "200") ? k_infiniband_hdr : k_infiniband_ndr;
}

std::optional<Algorithm> forced_by(const std::string& text) {
  if (text == "Ring") return Algorithm::ring;
  if (text == "NVLS") return Algorithm::nvls;
  if (text == "NVLSTree") return Algorithm::nvls_tree;
  return std::nullopt;
}

/// Half of the last digit that is printed.
double rounding_of(const std::string& number) {
  const auto point = number.find('.');
  double half = 0.5;
  for (std::size_t i = point; i != std::string::npos && i + 1 < number.size(); ++i) half /= 10;
  return half;
}

std::optional<Measurement> measurement_of(const Row& row) {
  const std::string& metric = row.at("metric");
  if (row.at("message_bytes").empty() || row.at("gpu").empty()) return std::nullopt;
  if (metric != "busbw" && metric != "time_out_of_place") return std::nullopt;
  Measurement m;
  m.source = row.at("source_group");
  m.gpu = row.at("gpu");
  const auto collective = row.at("collective") == "sendrecv" ? std::optional(Collective::send_recv)
                                                             : enum_from_name<Collective>(row.at("collective"));
  REQUIRE(collective.has_value());
  m.collective = *collective;
  const auto nodes = std::uint32_t(std::stoul(row.at("nodes")));
  m.group.ranks = std::uint32_t(std::stoul(row.at("gpus")));
  m.group.ranks_per_domain = m.group.ranks / nodes;
  const NetworkConstants network = network_of(row.at("fabric"));
  if (has(row.at("fabric"), "4x")) m.group.nics_per_domain_share = 4;
  m.fabric = nodes == 1 ? "nvlink" : network.kind;
  const NvlinkConstants nvlink = has(m.gpu, "A100") ? k_nvlink3 : has(m.gpu, "B200") ? k_nvlink5 : k_nvlink4;
  m.net = make_net(nvlink, network, !has(m.gpu, "A100"));
  m.net.nvlink_latency_s = 0;
  m.net.nic_latency_s = 0;
  m.forced = forced_by(row.at("algorithm"));
  m.bytes = std::stod(row.at("message_bytes"));
  const double value = std::stod(row.at("value"));
  const double half = rounding_of(row.at("value"));
  if (metric == "busbw") {
    const double moved = m.bytes * bus_factor(m.collective, m.group.ranks) * 1e-9;
    m.seconds = moved / value;
    m.seconds_low = moved / (value + half);
    m.seconds_high = value > half ? moved / (value - half) : 1e9;
  } else {
    m.seconds = value * 1e-6;
    m.seconds_low = (value - half) * 1e-6;
    m.seconds_high = (value + half) * 1e-6;
  }
  return m;
}

bool same_run(const Measurement& a, const Measurement& b) {
  return a.source == b.source && a.gpu == b.gpu && a.fabric == b.fabric && a.collective == b.collective &&
         a.group.ranks == b.group.ranks && a.bytes == b.bytes && a.forced == b.forced;
}

}  // namespace

std::optional<std::vector<Measurement>> read_measurements() {
  const auto file = data_folder() / "collective-measurements.csv";
  if (!std::filesystem::exists(file)) {
    MESSAGE("skipped: no ", file.string(), "; set VIRGA_SHARED_DATA to the folder that holds it");
    return std::nullopt;
  }
  std::vector<Measurement> all;
  for (const char* metric : {"time_out_of_place", "busbw"}) {
    std::vector<Measurement> found;
    for (const Row& row : rows_of(file)) {
      if (row.at("metric") != metric) continue;
      const auto m = measurement_of(row);
      if (!m) continue;
      const bool told =
          std::any_of(all.begin(), all.end(), [&](const Measurement& other) { return same_run(*m, other); });
      if (!told) found.push_back(*m);
    }
    all.insert(all.end(), found.begin(), found.end());
  }
  return all;
}

}  // namespace virga

#include "twin/hardware.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

#include "base/assert.hpp"
#include "twin/constants.hpp"
#include "twin/csv.hpp"

namespace virga {
extern const std::string_view k_twin_gpus_csv;
extern const std::string_view k_twin_systems_csv;
}  // namespace virga

namespace virga::twin {

namespace {

bool same_word(std::string_view a, std::string_view b) {
  const auto lower = [](char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c; };
  return std::equal(a.begin(), a.end(), b.begin(), b.end(), [&](char x, char y) { return lower(x) == lower(y); });
}

bool is_called(const Gpu& gpu, std::string_view name) {
  if (same_word(gpu.name, name)) return true;
  std::string_view rest = gpu.aliases;
  while (!rest.empty()) {
    const std::size_t size = std::min(rest.find(' '), rest.size());
    if (same_word(rest.substr(0, size), name)) return true;
    rest.remove_prefix(std::min(size + 1, rest.size()));
  }
  return false;
}

const Gpu* find_in(const std::vector<Gpu>& gpus, std::string_view name) {
  const auto found = std::find_if(gpus.begin(), gpus.end(), [&](const Gpu& gpu) { return is_called(gpu, name); });
  return found == gpus.end() ? nullptr : &*found;
}

}  // namespace

double Gpu::peak(Precision precision) const {
  switch (precision) {
    case Precision::fp16:
    case Precision::bf16:
      return peak_16;
    case Precision::fp8:
    case Precision::mxfp8:
      return peak_8;
    case Precision::nvfp4:
      return peak_4;
  }
  return 0;
}

double Gpu::plateau(Precision precision) const {
  switch (precision) {
    case Precision::fp16:
    case Precision::bf16:
      return peak_16 * plateau_16;
    case Precision::fp8:
    case Precision::mxfp8:
      return peak_8 * plateau_8;
    case Precision::nvfp4:
      return peak_4 * plateau_4;
  }
  return 0;
}

Net System::net() const {
  Net net;
  net.nvlink_bytes_s = nvlink_bytes_s > 0 ? nvlink_bytes_s : gpu->nvlink_bytes_s;
  net.nic_bytes_s = nic_bytes_s > 0 ? nic_bytes_s : k_no_network_bytes_s;
  net.nvls = gpu->nvls;
  net.kind = network.c_str();
  return net;
}

Result<std::vector<Gpu>> parse_gpus(std::string_view text) {
  CsvReader csv(text);
  std::vector<Gpu> gpus;
  while (csv.next()) {
    Gpu gpu;
    bool readable = true;
    const auto number = [&](std::string_view name, auto& into, double unit) {
      double value = 0;
      readable = readable && read_optional_number(csv[csv.column(name)], value);
      into = static_cast<std::remove_reference_t<decltype(into)>>(value * unit);
    };
    gpu.name = csv[csv.column("name")];
    gpu.aliases = csv[csv.column("aliases")];
    gpu.architecture = csv[csv.column("arch")];
    number("sms", gpu.sms, 1);
    number("exp_clk", gpu.exp_per_clock, 1);
    number("tflops_16", gpu.peak_16, 1e12);
    number("tflops_8", gpu.peak_8, 1e12);
    number("tflops_4", gpu.peak_4, 1e12);
    number("hbm_gib", gpu.hbm_bytes, 1073741824.0);
    number("hbm_tb_s", gpu.hbm_bytes_s, 1e12);
    number("nvlink_gb_s", gpu.nvlink_bytes_s, 1e9);
    gpu.nvls = csv[csv.column("nvls")] == "yes";
    number("plateau_16", gpu.plateau_16, 1);
    number("plateau_8", gpu.plateau_8, 1);
    number("plateau_4", gpu.plateau_4, 1);
    if (!readable || gpu.name.empty() || gpu.sms == 0 || gpu.peak_16 <= 0 || gpu.hbm_bytes_s <= 0) {
      return fail(Code::corrupt, fmt::format("GPU table, line {}: cannot be read", csv.line()));
    }
    gpus.push_back(std::move(gpu));
  }
  return gpus;
}

Result<std::vector<System>> parse_systems(std::string_view text, const std::vector<Gpu>& gpus) {
  CsvReader csv(text);
  std::vector<System> systems;
  while (csv.next()) {
    System system;
    system.name = csv[csv.column("name")];
    system.gpu = find_in(gpus, csv[csv.column("gpu")]);
    system.network = csv[csv.column("network")];
    double gb_s = 0;
    double nvlink_gb_s = 0;
    const bool readable = read_optional_number(csv[csv.column("gpus")], system.gpus_per_node) &&
                          read_optional_number(csv[csv.column("domain")], system.domain) &&
                          read_optional_number(csv[csv.column("nvlink_gb_s")], nvlink_gb_s) &&
                          read_optional_number(csv[csv.column("nic_gb_s")], gb_s);
    if (!readable || system.name.empty() || system.gpu == nullptr || system.gpus_per_node == 0) {
      return fail(Code::corrupt, fmt::format("systems table, line {}: cannot be read", csv.line()));
    }
    system.nic_bytes_s = gb_s * 1e9;
    system.nvlink_bytes_s = nvlink_gb_s * 1e9;
    systems.push_back(std::move(system));
  }
  return systems;
}

const std::vector<Gpu>& known_gpus() {
  static const std::vector<Gpu> k_gpus = [] {
    auto gpus = parse_gpus(k_twin_gpus_csv);
    VIRGA_ASSERT(gpus.has_value() && !gpus->empty(), "the embedded table of GPUs is readable");
    return std::move(*gpus);
  }();
  return k_gpus;
}

const std::vector<System>& known_systems() {
  static const std::vector<System> k_systems = [] {
    auto systems = parse_systems(k_twin_systems_csv, known_gpus());
    VIRGA_ASSERT(systems.has_value() && !systems->empty(), "the embedded table of systems is readable");
    return std::move(*systems);
  }();
  return k_systems;
}

const Gpu* find_gpu(std::string_view name) { return find_in(known_gpus(), name); }

const System* find_system(std::string_view name) {
  const auto& all = known_systems();
  const auto found = std::find_if(all.begin(), all.end(), [&](const System& s) { return same_word(s.name, name); });
  return found == all.end() ? nullptr : &*found;
}

const System* find_system_of(const Gpu& gpu) {
  const auto& all = known_systems();
  const auto found = std::find_if(all.begin(), all.end(), [&](const System& s) { return s.gpu == &gpu; });
  return found == all.end() ? nullptr : &*found;
}

}  // namespace virga::twin

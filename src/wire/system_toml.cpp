#include "wire/system_toml.hpp"

#include <fmt/format.h>

#include "wire/toml_section.hpp"

namespace virga {
namespace {

constexpr std::string_view k_networks[] = {"ib_hdr", "ib_ndr", "roce", "efa", "tcpxo", "ethernet"};
constexpr NumberRange k_positive = {1, 1'000'000};

/// A whole number times a unit; what is absent stays.
void rate(TomlSection& section, std::string_view key, double& value, double unit) {
  std::uint32_t number = 0;
  if (section.number(key, number, k_positive)) value = number * unit;
}

void read_gpu(const toml::table& table, twin::Gpu& gpu, Mistakes& mistakes) {
  TomlSection section(table, "gpu", mistakes);
  std::string like;
  if (!section.text("like", like)) {
    section.wrong("like", "is missing; name the GPU of the catalogue that it resembles, such as \"H100\"");
  } else if (const twin::Gpu* known = twin::find_gpu(like)) {
    gpu = *known;
    gpu.aliases.clear();
  } else {
    section.wrong("like", fmt::format("\"{}\" is not in the catalogue of GPUs; write one such as \"H100\"", like));
  }
  section.text("name", gpu.name);
  rate(section, "hbm_gib", gpu.hbm_bytes, 1073741824.0);
  rate(section, "hbm_gb_per_s", gpu.hbm_bytes_s, 1e9);
  rate(section, "tflops_16", gpu.peak_16, 1e12);
  rate(section, "tflops_8", gpu.peak_8, 1e12);
  rate(section, "tflops_4", gpu.peak_4, 1e12);
  rate(section, "nvlink_gb_per_s", gpu.nvlink_bytes_s, 1e9);
  section.number("sms", gpu.sms, {1, 10'000});
  section.finish();
}

void read_system(const toml::table& root, OwnSystem& own, Mistakes& mistakes) {
  TomlSection top(root, "", mistakes);
  twin::System& system = own.system;
  system.name = "own";
  top.text("name", system.name);
  twin::Gpu gpu;
  if (const toml::node* node = root.get("gpu"); node != nullptr && node->is_table()) {
    if (const toml::table* table = top.table("gpu")) read_gpu(*table, gpu, mistakes);
  } else if (std::string name; top.text("gpu", name)) {
    if (const twin::Gpu* known = twin::find_gpu(name)) {
      gpu = *known;
    } else {
      top.wrong("gpu", fmt::format("\"{}\" is not in the catalogue of GPUs; write one such as \"H100\", or a table "
                                   "[gpu]",
                                   name));
    }
  } else if (node == nullptr) {
    top.wrong("gpu", "is missing; write a name of the catalogue such as \"H100\", or a table [gpu]");
  }
  system.gpus_per_node = 8;
  top.number("gpus_per_node", system.gpus_per_node, {1, 1024});
  system.domain = system.gpus_per_node;
  top.number("nvlink_domain", system.domain, {1, 1024});
  rate(top, "nic_gbit_per_s", system.nic_bytes_s, 1e9 / 8);
  system.network = system.nic_bytes_s > 25e9 ? "ib_ndr" : system.nic_bytes_s > 0 ? "ib_hdr" : "ethernet";
  if (std::string network; top.text("network", network)) {
    if (std::find(std::begin(k_networks), std::end(k_networks), network) != std::end(k_networks)) {
      system.network = network;
    } else {
      top.wrong("network",
                fmt::format("\"{}\" is no kind of network; write one of {}", network, fmt::join(k_networks, ", ")));
    }
  }
  if (Money price; top.price("price_usd_per_node_hour", price)) {
    own.usd_per_node_hour = static_cast<double>(price.micro_usd) / 1e6;
  }
  top.finish();
  own.gpu = std::make_shared<const twin::Gpu>(std::move(gpu));
  system.gpu = own.gpu.get();
}

}  // namespace

Result<OwnSystem> parse_system_toml(std::string_view text, const std::string& file_name) {
  const Result<toml::table> root = parse_toml(text, file_name);
  if (!root) return unexpected(root.error());
  OwnSystem own;
  Mistakes mistakes(file_name);
  read_system(*root, own, mistakes);
  if (mistakes.any()) return fail(Code::invalid, mistakes.text());
  return own;
}

}  // namespace virga

// See the header. The text is a constant of the program (cmake/embed_text.cmake); it is read once, at first use.
#include "wire/health_table.hpp"

#include <algorithm>

#include "base/assert.hpp"
#include "wire/csv_table.hpp"

namespace virga {

extern const std::string_view k_azure_health_csv;

namespace {

bool read_optional(std::string_view text, std::uint32_t& number) { return text.empty() || read_number(text, number); }

bool read_limits(std::string_view line, HealthLimits& limits) {
  limits.size = take_until(line, ',');
  const auto vendor = enum_from_name<GpuVendor>(take_until(line, ','));
  if (limits.size.empty() || !vendor) return false;
  limits.vendor = *vendor;
  return read_number(take_until(line, ','), limits.gpus) && read_optional(take_until(line, ','), limits.nvlinks) &&
         read_optional(take_until(line, ','), limits.ib_ports) &&
         read_optional(take_until(line, ','), limits.ib_gbit_per_s) &&
         read_optional(take_until(line, ','), limits.all_reduce_gb_per_s) &&
         read_optional(line, limits.all_reduce_gib) && (limits.ib_ports > 0) == (limits.ib_gbit_per_s > 0) &&
         (limits.all_reduce_gb_per_s > 0) == (limits.all_reduce_gib > 0);
}

}  // namespace

Result<std::vector<HealthLimits>> parse_health_table(std::string_view csv) {
  return read_csv_table<HealthLimits>(
      csv, "health table",
      "name,gpu_vendor,gpus,nvlinks_per_gpu,ib_ports,ib_gbit_per_s,all_reduce_gb_per_s,all_reduce_gib", read_limits);
}

const std::vector<HealthLimits>& known_health_limits() {
  static const std::vector<HealthLimits> k_limits = [] {
    auto limits = parse_health_table(k_azure_health_csv);
    VIRGA_ASSERT(limits.has_value() && !limits->empty(), "the embedded health table is readable");
    return std::move(*limits);
  }();
  return k_limits;
}

const HealthLimits* find_health_limits(std::string_view size) {
  const auto& all = known_health_limits();
  const auto found = std::find_if(all.begin(), all.end(), [&](const auto& limits) { return limits.size == size; });
  return found == all.end() ? nullptr : &*found;
}

}  // namespace virga

#include "engines/local/health_readings.hpp"

#include <algorithm>
#include <array>
#include <charconv>

#include "wire/csv_table.hpp"

namespace virga {
namespace {

/// Faults of hardware or its driver, by the numbers of NVIDIA's XID catalogue: uncorrectable memory errors and their
/// repair (48, 63, 64, 92), NVLink (74), lost or hung processors and links (56 to 58, 62, 65, 68, 69, 73, 79 to 81,
/// 119, 120).
constexpr std::array k_hardware_xids = {48U, 56U, 57U, 58U, 62U, 63U, 64U, 65U,  68U,
                                        69U, 73U, 74U, 79U, 80U, 81U, 92U, 119U, 120U};

std::string_view trimmed(std::string_view text) {
  const auto first = text.find_first_not_of(" \t\r");
  if (first == std::string_view::npos) return {};
  return text.substr(first, text.find_last_not_of(" \t\r") - first + 1);
}

Error unreadable(std::string_view tool, std::string_view line) {
  constexpr std::size_t k_shown = 100;
  return {Code::corrupt, std::string(tool) + " says: " + std::string(line.substr(0, k_shown))};
}

/// Takes the next line that is not blank; false at the end.
bool next_line(std::string_view& text, std::string_view& line) {
  while (!text.empty()) {
    line = trimmed(take_until(text, '\n'));
    if (!line.empty()) return true;
  }
  return false;
}

/// The text after `key:`, blanks aside; nothing if the line is another one.
std::optional<std::string_view> value_of(std::string_view line, std::string_view key) {
  if (!line.starts_with(key) || line.size() <= key.size() || line[key.size()] != ':') return std::nullopt;
  return trimmed(line.substr(key.size() + 1));
}

}  // namespace

Result<std::vector<GpuReading>> read_gpus(std::string_view text) {
  std::vector<GpuReading> gpus;
  for (std::string_view line; next_line(text, line);) {
    const std::string_view whole = line;
    GpuReading gpu;
    const bool has_index = read_number(trimmed(take_until(line, ',')), gpu.index);
    const std::string_view errors = trimmed(line);
    std::uint64_t count = 0;
    if (!has_index || errors.empty()) return unexpected(unreadable("nvidia-smi", whole));
    if (read_number(errors, count)) {
      gpu.uncorrectable = count;
    } else if (errors.front() != '[') {  // [N/A]
      return unexpected(unreadable("nvidia-smi", whole));
    }
    gpus.push_back(gpu);
  }
  return gpus;
}

Result<std::vector<std::uint64_t>> read_clock_reasons(std::string_view text) {
  std::vector<std::uint64_t> reasons;
  for (std::string_view line; next_line(text, line);) {
    std::uint64_t bits = 0;
    const bool is_hex = line.starts_with("0x");
    const auto [end, error] = std::from_chars(line.data() + (is_hex ? 2 : 0), line.data() + line.size(), bits, 16);
    if (!is_hex || error != std::errc{} || end != line.data() + line.size()) {
      return unexpected(unreadable("nvidia-smi", line));
    }
    reasons.push_back(bits);
  }
  return reasons;
}

Result<std::vector<std::uint32_t>> read_nvlinks(std::string_view text) {
  std::vector<std::uint32_t> active;
  for (std::string_view line; next_line(text, line);) {
    if (line.starts_with("GPU ")) {
      active.push_back(0);
    } else if (line.starts_with("Link ") && !active.empty()) {
      if (line.ends_with("GB/s")) ++active.back();
    } else if (line.find("all links are in") == std::string_view::npos) {  // inActive
      return unexpected(unreadable("nvidia-smi nvlink", line));
    }
  }
  return active;
}

Result<std::uint32_t> read_amd_gpus(std::string_view text) {
  std::uint32_t gpus = 0;
  for (std::string_view line; next_line(text, line);) {
    if (line.starts_with("card")) {
      ++gpus;
    } else if (!line.starts_with("device,") && !line.starts_with("WARNING")) {
      return unexpected(unreadable("rocm-smi", line));
    }
  }
  return gpus;
}

std::optional<XidReading> read_xid(std::string_view text) {
  // NVRM: Xid (PCI:0000:5f:00): 79, pid='<unknown>', name=<unknown>, GPU has fallen off the bus.
  constexpr std::string_view k_start = "NVRM: Xid (";
  std::optional<XidReading> newest;
  for (std::string_view line; next_line(text, line);) {
    const auto at = line.find(k_start);
    if (at == std::string_view::npos) continue;
    line.remove_prefix(at + k_start.size());
    XidReading reading;
    reading.device = take_until(line, ')');
    take_until(line, ' ');
    if (!read_number(take_until(line, ','), reading.xid)) continue;
    if (std::find(k_hardware_xids.begin(), k_hardware_xids.end(), reading.xid) != k_hardware_xids.end()) {
      newest = std::move(reading);
    }
  }
  return newest;
}

Result<std::vector<IbPort>> read_ib_ports(std::string_view text) {
  std::vector<IbPort> ports;
  std::string adapter;
  for (std::string_view line; next_line(text, line);) {
    if (line.starts_with("CA '")) {
      line.remove_prefix(4);
      adapter = take_until(line, '\'');
      continue;
    }
    if (adapter.empty()) return unexpected(unreadable("ibstat", line));
    if (line.starts_with("Port ") && line.ends_with(":") && !line.starts_with("Port GUID")) {
      IbPort port;
      port.adapter = adapter;
      if (!read_number(line.substr(5, line.size() - 6), port.number)) return unexpected(unreadable("ibstat", line));
      ports.push_back(std::move(port));
      continue;
    }
    if (ports.empty() || ports.back().adapter != adapter) continue;  // of the adapter as a whole
    IbPort& port = ports.back();
    if (const auto state = value_of(line, "State")) port.state = *state;
    if (const auto state = value_of(line, "Physical state")) port.physical_state = *state;
    if (const auto layer = value_of(line, "Link layer")) port.is_infiniband = *layer == "InfiniBand";
    if (auto rate = value_of(line, "Rate")) {
      // A rate such as 2.5 counts as 2.
      if (!read_number(take_until(*rate, '.'), port.gbit_per_s)) return unexpected(unreadable("ibstat", line));
    }
  }
  return ports;
}

Result<std::uint64_t> read_all_reduce(std::string_view text) {
  std::optional<std::uint64_t> bandwidth;
  std::string_view last;
  for (std::string_view line; next_line(text, line); last = line) {
    if (line.starts_with("# Out of bounds values") && line.find("FAILED") != std::string_view::npos) {
      return unexpected(Error{Code::corrupt, "wrong sums (out of bounds values)"});
    }
    if (!line.starts_with("# Avg bus bandwidth")) continue;
    take_until(line, ':');
    std::string_view number = trimmed(line);
    number = number.substr(0, number.find(' '));
    double gb_per_s = 0;
    const auto [end, error] = std::from_chars(number.data(), number.data() + number.size(), gb_per_s);
    if (error != std::errc{} || end != number.data() + number.size() || !(gb_per_s >= 0 && gb_per_s <= 1e6)) {
      return unexpected(unreadable("all_reduce_perf", number));
    }
    bandwidth = static_cast<std::uint64_t>(gb_per_s * 1000);
  }
  if (!bandwidth) return unexpected(unreadable("all_reduce_perf", last));
  return *bandwidth;
}

}  // namespace virga

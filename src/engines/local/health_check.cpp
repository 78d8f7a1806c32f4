#include "engines/local/health_check.hpp"

#include <fmt/format.h>

#include <algorithm>

#include "engines/local/health_readings.hpp"
#include "wire/csv_table.hpp"

namespace virga {
namespace {

using Clock = std::chrono::steady_clock;
using std::chrono::milliseconds;
using std::chrono::seconds;

constexpr seconds k_look_within{60};         ///< nvidia-smi of eight GPUs without persistence mode takes ten
constexpr seconds k_all_reduce_within{300};  ///< with the start of CUDA on each GPU
/// Bits of NVML's clock event reasons: hardware slowdown, by heat, by the power supply's brake.
constexpr std::uint64_t k_slowed_down = 0x8 | 0x40 | 0x80;
constexpr std::uint64_t k_downs_allowed = 1;

std::string first_line(std::string_view text) {
  constexpr std::size_t k_shown = 100;
  const auto start = std::min(text.find_first_not_of(" \r\n\t"), text.size());
  return std::string(text.substr(start, std::min(text.find('\n', start) - start, k_shown)));
}

HealthFinding failed(std::string check, std::string measured, std::string expected) {
  return {std::move(check), HealthState::failed, std::move(measured), std::move(expected)};
}

class Examination {
 public:
  Examination(const HealthQuestion& question, const HealthTools& tools, const LinkDowns& before)
      : question_(question), limits_(question.limits), tools_(tools), before_(before) {}

  HealthReport made() {
    give(question_.within);
    const bool nvidia = limits_.vendor == GpuVendor::nvidia;
    if (nvidia) {
      examine([this] { return gpu_count(); });
      examine([this] { return gpu_ecc(); });
      examine([this] { return gpu_throttle(); });
      examine([this] { return gpu_xid(); });
    } else {
      examine([this] { return amd_gpu_count(); });
    }
    if (limits_.nvlinks > 0) examine([this] { return nvlink(); });
    if (limits_.ib_ports > 0) {
      examine([this] { return infiniband(); });
      report_.findings.push_back(ib_flapping());  // its counters are read once: a second look would see nothing new
    }
    if (question_.full && limits_.all_reduce_gb_per_s > 0) {
      give(k_all_reduce_within);
      examine([this] { return all_reduce(); });
    }
    return std::move(report_);
  }

 private:
  template <class Check>
  void examine(Check check) {
    HealthFinding finding = check();
    if (finding.state == HealthState::failed) {
      gpus_.reset();
      finding = check();
    }
    report_.findings.push_back(std::move(finding));
  }

  /// What the tool printed, or why it did not. An exit code alone is no verdict: nvidia-smi that misses one GPU of
  /// eight still lists the others.
  Result<std::string> output_of(const std::vector<std::string>& argv, milliseconds within = k_look_within) {
    if (const auto hung = hung_.find(argv.front()); hung != hung_.end()) return fail(Code::unavailable, hung->second);
    const auto left = std::chrono::duration_cast<milliseconds>(until_ - Clock::now());
    if (left <= milliseconds::zero()) {
      return fail(Code::timeout, fmt::format("the checks were not over within {} s", given_.count()));
    }
    within = std::min(within, left);
    ToolOutput output = tools_.run(argv, within);
    if (output.end == ToolOutput::End::missing) return fail(Code::not_found, argv.front() + " is not there");
    if (output.end == ToolOutput::End::timed_out) {
      const auto shown = std::chrono::ceil<seconds>(within).count();
      hung_[argv.front()] = fmt::format("{} did not end within {} s", argv.front(), shown);
      return fail(Code::unavailable, hung_[argv.front()]);
    }
    if (output.exit_code == 0) return std::move(output.text);
    const std::string said = first_line(output.text);
    return fail(Code::internal,
                fmt::format("{} failed with {}{}{}", argv.front(), output.exit_code, said.empty() ? "" : ": ", said));
  }

  /// One look serves all that is read from it; a check that is done once more looks anew.
  const Result<std::vector<GpuReading>>& gpus() {
    if (gpus_) return *gpus_;
    auto text = output_of(
        {"nvidia-smi", "--query-gpu=index,ecc.errors.uncorrected.volatile.total", "--format=csv,noheader,nounits"});
    return gpus_.emplace(text ? read_gpus(*text) : unexpected(text.error()));
  }

  HealthFinding counted(std::uint64_t gpus) const {
    const HealthState state = gpus == limits_.gpus ? HealthState::ok : HealthState::failed;
    return {"gpu_count", state, fmt::format("{} GPU{}", gpus, gpus == 1 ? "" : "s"), std::to_string(limits_.gpus)};
  }

  HealthFinding gpu_count() {
    const auto& list = gpus();
    if (!list) return failed("gpu_count", list.error().message, fmt::format("{} GPUs", limits_.gpus));
    return counted(list->size());
  }

  HealthFinding amd_gpu_count() {
    auto text = output_of({"rocm-smi", "--showid", "--csv"});
    auto count = text ? read_amd_gpus(*text) : unexpected(text.error());
    if (!count) return failed("gpu_count", count.error().message, fmt::format("{} GPUs", limits_.gpus));
    return counted(*count);
  }

  HealthFinding gpu_ecc() {
    const std::string expected = "no uncorrectable errors";
    const auto& list = gpus();
    if (!list) return failed("gpu_ecc", list.error().message, expected);
    const auto bad = std::find_if(list->begin(), list->end(),
                                  [](const GpuReading& gpu) { return gpu.uncorrectable.value_or(0) > 0; });
    if (bad == list->end()) return {"gpu_ecc", HealthState::ok, "no uncorrectable errors", expected};
    return failed("gpu_ecc", fmt::format("GPU {} has {} of them", bad->index, *bad->uncorrectable), expected);
  }

  HealthFinding gpu_throttle() {
    const std::string expected = "none slowed down";
    const auto ask = [this](const char* field) {
      return output_of({"nvidia-smi", fmt::format("--query-gpu={}.active", field), "--format=csv,noheader,nounits"});
    };
    auto text = ask("clocks_event_reasons");
    if (!text && text.error().code == Code::internal) text = ask("clocks_throttle_reasons");  // before driver 535
    auto reasons = text ? read_clock_reasons(*text) : unexpected(text.error());
    if (!reasons) return failed("gpu_throttle", reasons.error().message, expected);
    for (std::size_t gpu = 0; gpu < reasons->size(); ++gpu) {
      const std::uint64_t why = (*reasons)[gpu] & k_slowed_down;
      if (why != 0) return failed("gpu_throttle", fmt::format("GPU {} is slowed down ({:#x})", gpu, why), expected);
    }
    return {"gpu_throttle", HealthState::ok, "none slowed down", expected};
  }

  HealthFinding gpu_xid() {
    auto log = output_of({"dmesg"});
    if (!log) return {"gpu_xid", HealthState::not_measured, log.error().message, "no fault"};
    const auto xid = read_xid(*log);
    if (!xid) return {"gpu_xid", HealthState::ok, "no fault", "no fault"};
    return failed("gpu_xid", fmt::format("XID {} of GPU {}", xid->xid, xid->device), "no fault");
  }

  HealthFinding nvlink() {
    const std::string expected = fmt::format("{} active links of each GPU", limits_.nvlinks);
    auto text = output_of({"nvidia-smi", "nvlink", "-s"});
    auto links = text ? read_nvlinks(*text) : unexpected(text.error());
    if (!links) return failed("nvlink", links.error().message, expected);
    if (links->empty()) return failed("nvlink", "no links", expected);
    for (std::size_t gpu = 0; gpu < links->size(); ++gpu) {
      if ((*links)[gpu] >= limits_.nvlinks) continue;
      return failed("nvlink", fmt::format("{} of GPU {}", (*links)[gpu], gpu), expected);
    }
    return {"nvlink", HealthState::ok, fmt::format("{} or more", limits_.nvlinks), expected};
  }

  HealthFinding infiniband() {
    const std::string expected = fmt::format("{} active ports of {} Gbit/s", limits_.ib_ports, limits_.ib_gbit_per_s);
    auto text = output_of({"ibstat"});
    auto ports = text ? read_ib_ports(*text) : unexpected(text.error());
    ports_.clear();
    if (!ports) return failed("infiniband", ports.error().message, expected);
    std::uint32_t good = 0;
    std::string bad;
    for (const IbPort& port : *ports) {
      if (!port.is_infiniband) continue;
      ports_.push_back(port);
      if (port.state == "Active" && port.physical_state == "LinkUp" && port.gbit_per_s >= limits_.ib_gbit_per_s) {
        ++good;
      } else if (bad.empty()) {
        bad = fmt::format(" ({} is {}, {}, {} Gbit/s)", port.adapter, port.state, port.physical_state, port.gbit_per_s);
      }
    }
    const HealthState state = good >= limits_.ib_ports ? HealthState::ok : HealthState::failed;
    return {"infiniband", state, fmt::format("{}{}", good, bad), expected};
  }

  HealthFinding ib_flapping() {
    const std::string expected = "each down at most once since the last check";
    HealthFinding finding{"ib_flapping", HealthState::not_measured, "no counters", expected};
    for (const IbPort& port : ports_) {
      const auto text =
          tools_.read(fmt::format("class/infiniband/{}/ports/{}/counters/link_downed", port.adapter, port.number));
      std::uint64_t downs = 0;
      if (!text || !read_number(std::string_view(*text).substr(0, text->find('\n')), downs)) continue;
      const std::string name = fmt::format("{}:{}", port.adapter, port.number);
      report_.link_downs[name] = downs;
      const auto known = before_.find(name);
      if (known == before_.end()) {
        if (finding.state == HealthState::not_measured) finding.measured = "counted from now on";
      } else if (downs > known->second + k_downs_allowed) {
        return failed("ib_flapping", fmt::format("{} went down {} times", name, downs - known->second), expected);
      } else {
        finding.state = HealthState::ok;
        finding.measured = "no more than that";
      }
    }
    return finding;
  }

  HealthFinding all_reduce() {
    const std::string expected = fmt::format("at least {} GB/s", limits_.all_reduce_gb_per_s);
    // With a part missing it would be slow for that reason, or never end.
    if (report_.first_failure() != nullptr) {
      return {"all_reduce", HealthState::not_measured, "another check failed", expected};
    }
    const std::string size = fmt::format("{}G", limits_.all_reduce_gib);
    auto text = output_of({"all_reduce_perf", "-b", size, "-e", size, "-g", std::to_string(limits_.gpus), "-c", "1"},
                          k_all_reduce_within);
    auto mb_per_s = text ? read_all_reduce(*text) : unexpected(text.error());
    if (!mb_per_s) return failed("all_reduce", mb_per_s.error().message, expected);
    const bool fast = *mb_per_s >= std::uint64_t{limits_.all_reduce_gb_per_s} * 1000;
    return {"all_reduce", fast ? HealthState::ok : HealthState::failed,
            fmt::format("{}.{} GB/s", *mb_per_s / 1000, *mb_per_s % 1000 / 100), expected};
  }

  void give(seconds within) {
    given_ = within;
    until_ = Clock::now() + within;
  }

  const HealthQuestion& question_;
  const HealthLimits& limits_;
  const HealthTools& tools_;
  const LinkDowns& before_;
  seconds given_{};
  Clock::time_point until_;                  ///< after which no tool starts
  std::map<std::string, std::string> hung_;  ///< tools, with what to say of them
  std::optional<Result<std::vector<GpuReading>>> gpus_;
  std::vector<IbPort> ports_;
  HealthReport report_;
};

}  // namespace

const HealthFinding* HealthReport::first_failure() const {
  const auto found = std::find_if(findings.begin(), findings.end(),
                                  [](const HealthFinding& finding) { return finding.state == HealthState::failed; });
  return found != findings.end() ? &*found : nullptr;
}

HealthReport check_health(const HealthQuestion& question, const HealthTools& tools, const LinkDowns& before) {
  return Examination(question, tools, before).made();
}

std::string sentence_of(const HealthFinding& finding) { return finding.measured + ", expected " + finding.expected; }

}  // namespace virga

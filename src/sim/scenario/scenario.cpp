#include "sim/scenario/scenario.hpp"

#include <fmt/format.h>

#include <map>

#include "wire/config_toml.hpp"
#include "wire/toml_section.hpp"

namespace virga {
namespace {

constexpr Duration k_day = Duration::minutes(24 * 60);
constexpr Duration k_year = k_day * 366;
constexpr std::size_t k_tenants_max = 1000;
constexpr std::size_t k_mixes_max = 100;
constexpr std::uint64_t k_jobs_max = 10'000'000;
constexpr std::uint32_t k_overlay_max = 10'000;

void read_seed(TomlSection& section, std::uint64_t& seed) {
  std::uint32_t value = static_cast<std::uint32_t>(seed);
  if (section.number("seed", value, {0, 0xffff'ffff})) seed = value;
}

bool is_power_of_two(std::uint32_t n) { return (n & (n - 1)) == 0; }

JobMix read_mix(const NamedTable& named, Mistakes& mistakes) {
  TomlSection section(*named.table, "workload.mix." + shown(named.name), mistakes);
  JobMix mix;
  mix.name = named.name;
  section.number("weight", mix.weight, {1, 1'000'000});
  const NumberRange gpus{1, 1 << 20};
  for (const auto key : {"least_gpus", "most_gpus"}) {
    auto& value = std::string_view(key) == "least_gpus" ? mix.least_gpus : mix.most_gpus;
    if (!section.number(key, value, gpus)) {
      if (!named.table->contains(key)) section.wrong(key, "missing; write a power of two, such as 8");
    } else if (!is_power_of_two(value)) {
      section.wrong(key, fmt::format("{} is no power of two; write one such as 8 or 64", value));
    }
  }
  if (mix.least_gpus > mix.most_gpus) {
    section.wrong("most_gpus", fmt::format("{} is less than least_gpus, which is {}; raise it or lower the other",
                                           mix.most_gpus, mix.least_gpus));
  }
  section.text("partition", mix.partition);
  section.duration("median", mix.median, {Duration::seconds(1), k_year});
  section.duration("longest", mix.longest, {Duration::seconds(1), k_year});
  if (mix.longest < mix.median) {
    section.wrong("longest", "shorter than the median, so half of the jobs could not be; raise it or lower median");
  }
  section.number("tail_percent", mix.tail_percent, {0, 95});
  section.duration("checkpoint", mix.checkpoint, {Duration{}, k_year});
  section.flag("requeue", mix.requeue);
  section.finish();
  return mix;
}

WorkloadSpec read_recorded(const toml::table& table, Mistakes& mistakes) {
  TomlSection section(table, "workload", mistakes);
  WorkloadSpec w;
  read_seed(section, w.seed);
  RecordedSpec& r = w.recorded;
  if (section.text("trace", r.file) && r.file.empty()) {
    section.wrong("trace", "names no file; write one such as \"philly-2017.csv.gz\", or leave the key out");
  }
  section.word("unit_column", r.unit_column);
  if (r.unit_column == UnitColumn::cpus) {
    section.wrong("unit_column", "a scenario's machine counts GPUs or nodes; write \"gpus\" or \"nodes\"");
  }
  section.number("overlay", r.overlay, {1, k_overlay_max});
  section.number("load_percent", r.load_percent, {1, 1000});
  section.duration("least_leaves_for", r.least_leaves_for, {Duration{}, k_year});
  section.finish();
  return w;
}

WorkloadSpec read_workload(const toml::table& table, Mistakes& mistakes) {
  if (table.contains("trace")) return read_recorded(table, mistakes);
  TomlSection section(table, "workload", mistakes);
  WorkloadSpec w;
  read_seed(section, w.seed);
  section.duration("span", w.span, {Duration::minutes(1), k_year * 10});
  section.number("jobs_per_day", w.jobs_per_day, {1, 1'000'000});
  section.number("peak_hour", w.peak_hour, {0, 23});
  section.number("night_percent", w.night_percent, {1, 100});
  section.number("weekend_percent", w.weekend_percent, {1, 100});
  section.number("gpus_per_node", w.gpus_per_node, {1, 1024});
  section.number("users", w.users, {1, 1'000'000});
  section.texts("tenants", w.tenants);
  section.number("limit_over_percent", w.limit_over_percent, {0, 10'000});
  const auto* mixes = section.table("mix");
  section.finish();
  if (w.tenants.size() > k_tenants_max) {
    section.wrong("tenants", fmt::format("{} of them; at most {} are possible", w.tenants.size(), k_tenants_max));
  }
  const auto days = static_cast<std::uint64_t>(w.span.ns / 1'000'000'000 / 86400 + 1);
  if (days * w.jobs_per_day > k_jobs_max) {
    section.wrong("jobs_per_day", fmt::format("about {} jobs over the span; at most {} are possible, so lower it or "
                                              "shorten span",
                                              days * w.jobs_per_day, k_jobs_max));
  }
  if (mixes == nullptr || mixes->empty()) {
    section.wrong("mix", "no kind of jobs; add a table such as [workload.mix.small] with least_gpus and most_gpus");
    return w;
  }
  const auto tables = named_tables(*mixes, "workload.mix", mistakes);
  if (tables.size() > k_mixes_max) {
    section.wrong("mix", fmt::format("{} kinds of jobs; at most {} are possible", tables.size(), k_mixes_max));
    return w;
  }
  for (const auto& named : tables) w.mixes.push_back(read_mix(named, mistakes));
  return w;
}

FaultSpec read_faults(const toml::table& table, Mistakes& mistakes) {
  TomlSection section(table, "faults", mistakes);
  FaultSpec f;
  const DurationRange mean{Duration::minutes(1), k_year * 100, true};
  const DurationRange length{Duration{}, k_year};
  read_seed(section, f.seed);
  section.duration("node_mtbf", f.node_mtbf, mean);
  section.duration("leaf_mtbf", f.leaf_mtbf, mean);
  section.duration("repair", f.repair, length);
  section.number("boot_failures_per_1000", f.boot_failures_per_1000, {0, 1000});
  section.number("quota_percent", f.quota_percent, {1, 100});
  section.duration("spot_eviction_mean", f.spot_eviction_mean, mean);
  section.duration("spot_notice", f.spot_notice, length);
  section.duration("stock_out_every", f.stock_out_every, mean);
  section.duration("stock_out_lasts", f.stock_out_lasts, length);
  section.duration("throttle_every", f.throttle_every, mean);
  section.duration("throttle_lasts", f.throttle_lasts, length);
  section.finish();
  return f;
}

Duration read_billing(const toml::table& table, Mistakes& mistakes) {
  TomlSection section(table, "billing", mistakes);
  Duration minimum;
  section.duration("minimum", minimum, {Duration{}, k_day});
  section.finish();
  return minimum;
}

/// The first line of every table and key below `table`, with the top-level key it belongs to.
void note_lines(const toml::table& table, const std::string& owner, std::map<std::uint32_t, std::string>& owners) {
  for (const auto& [key, node] : table) {
    const auto name = owner.empty() ? std::string(key.str()) : owner;
    owners.emplace(key.source().begin.line, name);
    if (const auto* inner = node.as_table()) {
      owners.emplace(inner->source().begin.line, name);
      note_lines(*inner, name, owners);
    }
  }
}

/// Lines of the scenario's own sections become empty ones.
std::string without_own_sections(std::string_view text, const toml::table& root) {
  std::map<std::uint32_t, std::string> owners;
  note_lines(root, "", owners);
  std::string result;
  bool own = false;
  std::uint32_t line = 1;
  for (std::size_t at = 0; at < text.size(); ++line) {
    const auto end = std::min(text.find('\n', at), text.size());
    if (const auto found = owners.find(line); found != owners.end()) {
      own = found->second == "workload" || found->second == "billing" || found->second == "faults";
    }
    if (!own) result += text.substr(at, end - at);
    if (end < text.size()) result += '\n';
    at = end + 1;
  }
  return result;
}

}  // namespace

Result<Scenario> parse_scenario(std::string_view text, const std::string& file_name, JobSource source) {
  Mistakes mistakes(file_name);
  Scenario scenario;
  try {
    const auto root = toml::parse(text);
    TomlSection top(root, "", mistakes);
    if (const auto* table = top.table("workload")) {
      scenario.workload = read_workload(*table, mistakes);
    } else if (!root.contains("workload") && source == JobSource::workload) {
      mistakes.add(root.source(), "no [workload], so nothing would be simulated; add one with a [workload.mix.NAME]");
    }
    if (const auto* table = top.table("billing")) scenario.billing_minimum = read_billing(*table, mistakes);
    if (const auto* table = top.table("faults")) scenario.faults = read_faults(*table, mistakes);
    scenario.config_text = without_own_sections(text, root);
  } catch (const std::exception&) {
    // No TOML at all: the reader of the configuration says where.
    auto config = parse_config(text, file_name, {});
    if (!config) return unexpected(config.error());
    return fail(Code::invalid, file_name + ":1:1: no TOML; see toml.io for its rules");
  }
  if (mistakes.any()) return fail(Code::invalid, mistakes.text());
  return scenario;
}

}  // namespace virga

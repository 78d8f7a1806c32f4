#include "arm/scenario.hpp"

#include <fmt/format.h>

#include <algorithm>

#include "arm/sizes.hpp"
#include "arm/target.hpp"
#include "arm/text.hpp"
#include "wire/toml_section.hpp"
#include "wire/words.hpp"

namespace virga::arm {
namespace {

constexpr Duration k_day = Duration::minutes(24 * 60);
constexpr DurationRange k_any_time = {Duration{}, k_day * 366, true};
constexpr DurationRange k_finite_time = {Duration{}, k_day * 366, false};
constexpr std::uint32_t k_vms_most = 1'000'000;

class Reader {
 public:
  explicit Reader(Mistakes& mistakes) : mistakes_(mistakes) {}

  Scenario read(const toml::table& root);

 private:
  void read_cloud(TomlSection& top);
  void read_boot(const NamedTable& named);
  void read_quota(const NamedTable& named);
  void read_capacity(const NamedTable& named);
  void read_restriction(const NamedTable& named);
  void read_failure(const NamedTable& named);
  void read_eviction(const NamedTable& named);
  void read_spot(TomlSection& top);
  bool read_region(TomlSection& section, std::string& region);
  bool read_size(TomlSection& section, std::string& size);
  template <class Read>
  void each(TomlSection& top, const char* key, Read read) {
    const toml::table* tables = top.table(key);
    if (tables == nullptr) return;
    for (const NamedTable& named : named_tables(*tables, key, mistakes_)) read(named);
  }

  Mistakes& mistakes_;
  Scenario scenario_;
};

Scenario Reader::read(const toml::table& root) {
  TomlSection top(root, "", mistakes_);
  read_cloud(top);
  read_spot(top);
  each(top, "boot", [this](const NamedTable& named) { read_boot(named); });
  each(top, "quota", [this](const NamedTable& named) { read_quota(named); });
  each(top, "capacity", [this](const NamedTable& named) { read_capacity(named); });
  each(top, "restriction", [this](const NamedTable& named) { read_restriction(named); });
  each(top, "failure", [this](const NamedTable& named) { read_failure(named); });
  each(top, "eviction", [this](const NamedTable& named) { read_eviction(named); });
  top.finish();
  return scenario_;
}

void Reader::read_cloud(TomlSection& top) {
  std::uint32_t seed = 1;
  if (top.number("seed", seed, {0, 4'294'967'295})) scenario_.seed = seed;
  top.number("speed", scenario_.speed, {1, 100'000});
  top.text("subscription", scenario_.subscription);
  top.text("tenant", scenario_.tenant);
  top.text("client_secret", scenario_.client_secret);
  top.duration("token_life", scenario_.token_life, {Duration::seconds(1), k_day, false});
  if (top.texts("regions", scenario_.regions)) {
    if (scenario_.regions.empty()) top.wrong("regions", "is empty; write at least one, such as [\"eastus\"]");
    for (std::string& region : scenario_.regions) region = lower_case(region);
  }
  top.number("quota_vcpus", scenario_.quota_vcpus, {0, 100'000'000});
  top.flag("partial_scale_out", scenario_.partial_scale_out);
  top.number("single_placement_group_max", scenario_.single_placement_group_max, {1, 1000});
  top.duration("write_time", scenario_.write_time, k_finite_time);
  top.duration("delete_time", scenario_.delete_time, k_finite_time);
  top.duration("list_lag", scenario_.list_lag, k_finite_time);
  top.number("page_size", scenario_.page_size, {1, 1000});
  top.flag("throttle", scenario_.throttle);
  top.duration("clock_skew", scenario_.clock_skew, k_finite_time);
  top.texts("unregistered", scenario_.unregistered);
  top.texts("missing_images", scenario_.missing_images);
  top.texts("actions", scenario_.actions);
}

void Reader::read_spot(TomlSection& top) {
  const toml::table* table = top.table("spot");
  if (table == nullptr) return;
  TomlSection section(*table, "spot", mistakes_);
  section.duration("mean_life", scenario_.spot_mean_life, {Duration::seconds(1), k_day * 366, true});
  section.duration("notice", scenario_.spot_notice, k_finite_time);
  section.finish();
}

bool Reader::read_region(TomlSection& section, std::string& region) {
  if (!section.text("region", region)) return false;
  region = lower_case(region);
  const auto& all = scenario_.regions;
  if (std::find(all.begin(), all.end(), region) != all.end()) return true;
  section.wrong("region", fmt::format("no region \"{}\" here; write one of {}", region, fmt::join(all, ", ")));
  return false;
}

bool Reader::read_size(TomlSection& section, std::string& size) {
  if (!section.text("size", size)) return false;
  if (find_azure_size(size) == nullptr) {
    section.wrong("size", fmt::format("no size \"{}\" is known; write one such as \"Standard_ND96isr_H100_v5\"", size));
    return false;
  }
  size = lower_case(size);
  return true;
}

void Reader::read_boot(const NamedTable& named) {
  TomlSection section(*named.table, "boot." + named.name, mistakes_);
  BootTime boot;
  read_size(section, boot.size);
  section.duration("least", boot.least, k_finite_time);
  section.duration("mean_extra", boot.mean_extra, k_finite_time);
  if (!section.duration("most", boot.most, k_finite_time)) boot.most = std::max(boot.most, boot.least);
  if (boot.most < boot.least) section.wrong("most", "is shorter than least");
  section.number("fail_per_mille", boot.fail_per_mille, {0, 1000});
  section.finish();
  scenario_.boot.push_back(boot);
}

void Reader::read_quota(const NamedTable& named) {
  TomlSection section(*named.table, "quota." + named.name, mistakes_);
  QuotaRule rule;
  read_region(section, rule.region);
  if (!section.text("family", rule.family)) {
    section.wrong("family", "missing; write a quota family, such as \"standardNDSH100v5Family\" or \"cores\"");
  } else if (!is_quota_family(rule.family)) {
    section.wrong("family", fmt::format("no size has the family \"{}\"; write one such as \"standardNDSH100v5Family\", "
                                        "\"cores\" or \"lowPriorityCores\"",
                                        rule.family));
  }
  if (!section.number("vcpus", rule.vcpus, {0, 100'000'000})) section.wrong("vcpus", "missing; write the limit");
  section.finish();
  scenario_.quota.push_back(rule);
}

void Reader::read_capacity(const NamedTable& named) {
  TomlSection section(*named.table, "capacity." + named.name, mistakes_);
  CapacityRule rule;
  read_region(section, rule.region);
  read_size(section, rule.size);
  if (!section.number("vms", rule.vms, {0, k_vms_most})) section.wrong("vms", "missing; write how many there are");
  section.duration("from", rule.from, k_finite_time);
  section.duration("until", rule.until, k_any_time);
  section.finish();
  scenario_.capacity.push_back(rule);
}

void Reader::read_restriction(const NamedTable& named) {
  TomlSection section(*named.table, "restriction." + named.name, mistakes_);
  RestrictionRule rule;
  read_region(section, rule.region);
  if (!read_size(section, rule.size) && !section.has("size")) {
    section.wrong("size", "missing; write which size, such as \"Standard_ND96isr_H100_v5\"");
  }
  section.texts("zones", rule.zones);
  section.text("reason", rule.reason);
  section.finish();
  scenario_.restrictions.push_back(rule);
}

void Reader::read_failure(const NamedTable& named) {
  TomlSection section(*named.table, "failure." + named.name, mistakes_);
  FailureRule rule;
  if (!section.text("operation", rule.operation)) {
    section.wrong("operation", "missing; write which calls fail, such as \"PUT virtualMachineScaleSets\"");
  } else if (!is_operation_name(rule.operation)) {
    section.wrong("operation",
                  fmt::format("no call is named \"{}\"; write a method and types as GET /admin/calls names "
                              "them, such as \"PUT virtualMachineScaleSets\"",
                              rule.operation));
  }
  if (!section.word("kind", rule.kind)) {
    section.wrong("kind", "write how it fails: status, html, truncated, hang, never_ends, async or recovers");
  }
  section.number("skip", rule.skip, {0, k_vms_most});
  section.number("count", rule.count, {1, k_vms_most});
  section.number("status", rule.status, {400, 599});
  section.text("code", rule.code);
  section.text("message", rule.message);
  section.number("retry_after_s", rule.retry_after_s, {0, 3600});
  section.duration("recovers_after", rule.recovers_after, k_finite_time);
  section.finish();
  scenario_.failures.push_back(rule);
}

void Reader::read_eviction(const NamedTable& named) {
  TomlSection section(*named.table, "eviction." + named.name, mistakes_);
  EvictionRule rule;
  if (!section.duration("at", rule.at, k_finite_time)) section.wrong("at", "missing; write when, such as \"30m\"");
  section.text("set", rule.set);
  section.number("count", rule.count, {1, k_vms_most});
  section.duration("notice", rule.notice, k_finite_time);
  section.finish();
  scenario_.evictions.push_back(rule);
}

}  // namespace

const BootTime& Scenario::boot_of(std::string_view size) const {
  static const BootTime k_default;
  const BootTime* best = &k_default;
  for (const BootTime& rule : boot) {
    if (rule.size.empty() && best->size.empty()) best = &rule;
    if (!rule.size.empty() && same_word(rule.size, size)) best = &rule;
  }
  return *best;
}

const RestrictionRule* Scenario::restriction_of(std::string_view region, std::string_view size,
                                                std::string_view zone) const {
  for (const RestrictionRule& rule : restrictions) {
    if (!rule.region.empty() && !same_word(rule.region, region)) continue;
    if (!same_word(rule.size, size)) continue;
    if (rule.zones.empty() || std::find(rule.zones.begin(), rule.zones.end(), zone) != rule.zones.end()) return &rule;
  }
  return nullptr;
}

Result<Scenario> parse_scenario(std::string_view text, std::string_view file_name) {
  const Result<toml::table> root = parse_toml(text, std::string(file_name));
  if (!root) return unexpected(root.error());
  Mistakes mistakes{std::string(file_name)};
  Scenario scenario = Reader(mistakes).read(*root);
  if (mistakes.any()) return fail(Code::invalid, mistakes.text());
  return scenario;
}

}  // namespace virga::arm

#include "wire/config_policy.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <map>

#include "wire/config_names.hpp"

namespace virga {
namespace {

constexpr std::uint32_t k_points_max = 1'000'000'000;  ///< of a weight or a priority
constexpr std::uint32_t k_count_max = 10'000'000;
constexpr std::size_t k_names_max = 10'000;  ///< QOS, tenants or reservations
constexpr Duration k_year = Duration::seconds(std::int64_t{366} * 86400);
constexpr DurationRange k_half_lives{Duration::seconds(1), k_year, true};

/// Names of users are the system's: nearly anything but what separates them.
bool is_user(std::string_view name) {
  return !name.empty() && name.size() <= 64 && name.find_first_of(" ,:/\t\n") == std::string_view::npos;
}

void check_users(TomlSection& section, const std::vector<std::string>& users) {
  for (const auto& user : users) {
    if (!is_user(user)) section.wrong("users", fmt::format("\"{}\" is no name of a user", shown(user)));
  }
}

std::vector<NamedTable> tables_of(TomlSection& top, std::string_view key, Mistakes& mistakes) {
  const auto* parent = top.table(key);
  if (parent == nullptr) return {};
  auto tables = named_tables(*parent, std::string(key), mistakes);
  if (tables.size() > k_names_max) {
    mistakes.add(parent->source(),
                 fmt::format("{} tables [{}.NAME]; at most {} are possible", tables.size(), key, k_names_max));
    tables.clear();
  }
  for (const auto& named : tables) {
    if (is_name(named.name)) continue;
    mistakes.add(named.table->source(),
                 fmt::format("\"{}\" is no name of a {}; write {}", shown(named.name), key, k_name_rule));
  }
  return tables;
}

std::vector<std::string> names_of(const std::vector<NamedTable>& tables) {
  std::vector<std::string> names;
  names.reserve(tables.size());
  for (const auto& named : tables) names.push_back(named.name);
  return names;
}

bool contains(const std::vector<std::string>& words, const std::string& word) {
  return std::find(words.begin(), words.end(), word) != words.end();
}

std::string remedy(const std::string& word, const std::vector<std::string>& known, std::string_view kind) {
  if (known.empty()) return fmt::format("this file has none; add [{}.{}]", kind, is_name(word) ? word : "NAME");
  return choice(shown(word), {known.begin(), known.end()});
}

}  // namespace

ConfigPolicy::ConfigPolicy(TomlSection& top, Config& config, Mistakes& mistakes)
    : config_(config), mistakes_(mistakes) {
  read_scheduler(top);
  read_priority(top);
  read_licenses(top);
  const auto qos = tables_of(top, "qos", mistakes_);
  const auto tenants = tables_of(top, "tenant", mistakes_);
  reservations_ = tables_of(top, "reservation", mistakes_);
  qos_names_ = names_of(qos);
  tenant_names_ = names_of(tenants);
  for (const auto& named : qos) read_qos(named);
  for (const auto& named : tenants) read_tenant(named);
  check_preempt(qos);
  check_parents(tenants);
}

void ConfigPolicy::read_scheduler(TomlSection& top) {
  const auto* table = top.table("scheduler");
  if (table == nullptr) return;
  TomlSection section(*table, "scheduler", mistakes_);
  section.word("backfill", config_.scheduler.backfill);
  section.word("policy", config_.scheduler.policy);
  section.finish();
}

void ConfigPolicy::read_priority(TomlSection& top) {
  const auto* table = top.table("priority");
  if (table == nullptr) return;
  TomlSection section(*table, "priority", mistakes_);
  PriorityWeights& weights = config_.priority;
  const NumberRange points{0, k_points_max};
  section.number("age", weights.age, points);
  section.number("fair_share", weights.fair_share, points);
  section.number("size", weights.size, points);
  section.number("qos", weights.qos, points);
  section.number("partition", weights.partition, points);
  section.duration("max_age", weights.max_age, {Duration::seconds(1), k_year});
  section.duration("decay_half_life", weights.decay_half_life, k_half_lives);
  section.finish();
}

void ConfigPolicy::read_licenses(TomlSection& top) {
  const auto* table = top.table("licenses");
  if (table == nullptr) return;
  TomlSection section(*table, "licenses", mistakes_);
  for (const auto& [key, value] : *table) {
    License license{.name = std::string(key.str()), .count = 0};
    section.number(key.str(), license.count, {1, k_count_max});
    config_.licenses.push_back(std::move(license));
  }
  section.finish();
}

void ConfigPolicy::check_members(TomlSection& section, std::string_view key, const std::vector<std::string>& words,
                                 const std::vector<std::string>& known, std::string_view kind) const {
  for (std::size_t i = 0; i < words.size(); ++i) {
    if (!contains(known, words[i])) {
      section.wrong(key, fmt::format("no {} \"{}\"; {}", kind, shown(words[i]), remedy(words[i], known, kind)));
    } else if (std::count(words.begin(), words.begin() + static_cast<std::ptrdiff_t>(i), words[i]) > 0) {
      section.wrong(key, fmt::format("\"{}\" stands there twice; name it once", shown(words[i])));
    }
  }
}

void ConfigPolicy::read_qos(const NamedTable& named) {
  Qos qos;
  qos.name = named.name;
  TomlSection section(*named.table, "qos." + shown(named.name), mistakes_);
  const NumberRange counts{0, k_count_max};
  section.number("priority", qos.priority, {0, k_points_max});
  section.number("max_jobs_per_user", qos.max_jobs_per_user, counts);
  section.number("max_nodes_per_user", qos.max_nodes_per_user, counts);
  section.number("max_submit_per_user", qos.max_submit_per_user, counts);
  section.duration("max_wall", qos.max_wall, {Duration::seconds(1), k_year, true});
  if (section.texts("preempt", qos.preempt)) {
    check_members(section, "preempt", qos.preempt, qos_names_, "qos");
    if (contains(qos.preempt, qos.name))
      section.wrong("preempt", "its own name; jobs of one QOS do not end each other");
  }
  section.duration("grace_time", qos.grace_time, {Duration{}, Duration::minutes(24 * 60)});
  section.word("preempt_mode", qos.preempt_mode);
  section.number("price_factor_percent", qos.price_factor_percent, {0, 10'000});
  section.finish();
  config_.qos.push_back(std::move(qos));
}

/// Were each of two QOS allowed to end the other's jobs, the same two jobs would push each other out for ever.
void ConfigPolicy::check_preempt(const std::vector<NamedTable>& tables) {
  for (std::size_t i = 0; i < config_.qos.size(); ++i) {
    for (std::size_t k = 0; k < i; ++k) {
      const Qos& later = config_.qos[i];
      const Qos& earlier = config_.qos[k];
      if (!contains(later.preempt, earlier.name) || !contains(earlier.preempt, later.name)) continue;
      TomlSection section(*tables[i].table, "qos." + shown(later.name), mistakes_);
      section.wrong("preempt",
                    fmt::format("\"{0}\" and \"{1}\" preempt each other, and so for ever; take \"{1}\" out of "
                                "one of the two",
                                shown(later.name), shown(earlier.name)));
    }
  }
}

void ConfigPolicy::read_tenant(const NamedTable& named) {
  Tenant tenant;
  tenant.name = named.name;
  TomlSection section(*named.table, "tenant." + shown(named.name), mistakes_);
  if (section.text("parent", tenant.parent) && !tenant.parent.empty() && !contains(tenant_names_, tenant.parent)) {
    section.wrong("parent", fmt::format("no tenant \"{}\"; {}", shown(tenant.parent),
                                        remedy(tenant.parent, tenant_names_, "tenant")));
  }
  section.number("shares", tenant.shares, {0, k_points_max});
  if (section.texts("users", tenant.users)) check_users(section, tenant.users);
  if (section.money("budget", tenant.budget)) tenant.budget_period = BudgetPeriod::month;
  section.word("budget_period", tenant.budget_period);
  section.number("budget_warn_percent", tenant.budget_warn_percent, {0, 100});
  if (named.table->contains("budget_warn_percent") && !named.table->contains("budget")) {
    section.wrong("budget_warn_percent", "there is no budget; write how many US dollars: budget = 1000");
  }
  if (named.table->contains("budget_period") && !named.table->contains("budget") &&
      tenant.budget_period != BudgetPeriod::none) {
    section.wrong("budget_period", "there is no budget; write how many US dollars: budget = 1000");
  }
  section.number("max_nodes", tenant.max_nodes, {0, k_count_max});
  section.number("max_gpus", tenant.max_gpus, {0, k_count_max});
  section.price("delay_price", tenant.delay_price);
  section.word("buy", tenant.buy);
  section.finish();
  config_.tenants.push_back(std::move(tenant));
}

void ConfigPolicy::check_parents(const std::vector<NamedTable>& tables) {
  std::map<std::string, std::string> parents;
  for (const Tenant& tenant : config_.tenants) parents.emplace(tenant.name, tenant.parent);
  for (const NamedTable& named : tables) {
    // Each tenant of a cycle would find it: it is told once, at the first of them in the alphabet.
    std::string path = shown(named.name);
    std::string at = parents[named.name];
    bool is_first = true;
    for (std::size_t steps = 0; steps < parents.size() && !at.empty() && at != named.name; ++steps) {
      is_first = is_first && named.name < at;
      path += " < " + shown(at);
      const auto next = parents.find(at);
      at = next != parents.end() ? next->second : "";
    }
    if (at != named.name || at.empty() || !is_first) continue;
    TomlSection section(*named.table, "tenant." + shown(named.name), mistakes_);
    section.wrong("parent", fmt::format("a tenant cannot be below itself ({} < {}); take one of these parents away",
                                        path, shown(named.name)));
  }
}

void ConfigPolicy::read_partition(TomlSection& section, Partition& partition) const {
  section.number("priority", partition.priority, {0, k_points_max});
  if (section.text("qos", partition.qos) && !partition.qos.empty()) {
    check_members(section, "qos", {partition.qos}, qos_names_, "qos");
  }
  if (section.texts("allow_tenants", partition.allow_tenants)) {
    check_members(section, "allow_tenants", partition.allow_tenants, tenant_names_, "tenant");
  }
}

void ConfigPolicy::check_names() {
  for (const auto& named : reservations_) read_reservation(named);
}

void ConfigPolicy::read_reservation(const NamedTable& named) {
  Reservation reservation;
  reservation.name = named.name;
  TomlSection section(*named.table, "reservation." + shown(named.name), mistakes_);
  const toml::table& table = *named.table;
  if (!section.time("start", reservation.start) && !table.contains("start")) {
    section.wrong("start", "missing; write when it begins, such as \"2026-01-31T12:00:00Z\"");
  }
  Duration duration;
  const bool has_duration = section.duration("duration", duration, {Duration::seconds(1), k_year});
  if (has_duration) reservation.end = reservation.start + duration;
  const bool has_end = section.time("end", reservation.end);
  if (table.contains("end") && table.contains("duration")) {
    section.wrong("duration", "end is there too; write one of the two");
  } else if (!table.contains("end") && !table.contains("duration")) {
    section.wrong("end", "missing; write when it ends, or duration = \"2h\"");
  } else if (has_end && reservation.start.is_set() && reservation.end <= reservation.start) {
    section.wrong("end", "not after start; write a later time");
  }
  if (!section.number("nodes", reservation.nodes, {1, k_count_max}) && !table.contains("nodes")) {
    section.wrong("nodes", "missing; write how many nodes are reserved");
  }
  std::vector<std::string> partitions;
  for (const Partition& partition : config_.partitions) partitions.push_back(partition.name);
  if (section.text("partition", reservation.partition)) {
    check_members(section, "partition", {reservation.partition}, partitions, "partition");
  } else if (!table.contains("partition")) {
    section.wrong("partition", "missing; write of which partition the nodes are");
  }
  if (section.texts("users", reservation.users)) check_users(section, reservation.users);
  if (section.texts("tenants", reservation.tenants)) {
    check_members(section, "tenants", reservation.tenants, tenant_names_, "tenant");
  }
  if (!table.contains("users") && !table.contains("tenants")) {
    section.wrong("users", "missing; write for whom it is: users = [\"ada\"], or tenants = [...]");
  }
  section.finish();
  config_.reservations.push_back(std::move(reservation));
}

}  // namespace virga

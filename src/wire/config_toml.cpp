// Reads virga.toml section by section; every check that needs two sections comes after both are read.
#include "wire/config_toml.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <map>

#include "wire/config_names.hpp"
#include "wire/config_policy.hpp"
#include "wire/config_pool.hpp"
#include "wire/config_storage.hpp"
#include "wire/config_units.hpp"
#include "wire/local_url.hpp"
#include "wire/sku_table.hpp"
#include "wire/toml_section.hpp"

namespace virga {
namespace {

constexpr std::string_view k_clouds[] = {"host", "azure"};
constexpr std::string_view k_simulated_clouds[] = {"host", "sim", "azure"};
constexpr std::uint32_t k_most_nodes = 1024;  ///< of a pool on one machine
constexpr std::uint32_t k_most_azure_nodes = 20'000;
constexpr Duration k_azure_boot_timeout = Duration::minutes(15);
constexpr std::uint32_t k_most_simulated_nodes = 200'000;
constexpr std::uint32_t k_most_plain_nodes = 254;  ///< one number of an address, without its first and last value
constexpr std::size_t k_most_pools = 64;
constexpr Duration k_year = Duration::seconds(std::int64_t{366} * 86400);

constexpr std::string_view k_digits = "0123456789";

bool consists_of(std::string_view text, std::string_view allowed) {
  return text.find_first_not_of(allowed) == std::string_view::npos;
}

class Parser {
 public:
  Parser(const toml::table& root, const ConfigContext& context, Mistakes& mistakes)
      : root_(root), context_(context), mistakes_(mistakes) {}

  Config parse();

 private:
  void read_cluster(TomlSection& top);
  void read_api(TomlSection& top);
  void skip_others(TomlSection& top);
  void read_skus(TomlSection& top);
  void read_pool(const NamedTable& named, std::size_t index);
  void read_pool_sku(TomlSection& section, Pool& pool);
  void read_node_prefix(TomlSection& section, Pool& pool, std::size_t index);
  void read_partition(const NamedTable& named, const ConfigPolicy& policy);
  void check_default_partition(const std::vector<NamedTable>& tables);
  const Sku* find_any_sku(std::string_view name) const;
  std::uint32_t most_nodes(const Pool& pool) const;
  bool has_real_azure() const;

  const toml::table& root_;
  const ConfigContext& context_;
  Mistakes& mistakes_;
  std::map<std::string, Sku, std::less<>> own_skus_;
  std::vector<std::string> pool_names_;  ///< also of pools with mistakes, so that these are told once
  Config config_;
};

Config Parser::parse() {
  TomlSection top(root_, "", mistakes_);
  read_cluster(top);
  read_api(top);
  skip_others(top);
  read_skus(top);
  const auto* pools = top.table("pool");
  const auto* partitions = top.table("partition");
  ConfigPolicy policy(top, config_, mistakes_);
  read_storage(top, config_, mistakes_);
  top.finish();

  if (pools != nullptr) {
    const auto tables = named_tables(*pools, "pool", mistakes_);
    if (tables.size() > k_most_pools) {
      mistakes_.add(pools->source(), fmt::format("{} pools; at most {} are possible", tables.size(), k_most_pools));
      return config_;
    }
    for (const auto& named : tables) pool_names_.push_back(named.name);
    for (std::size_t i = 0; i < tables.size(); ++i) read_pool(tables[i], i);
  }
  if (partitions != nullptr) {
    const auto tables = named_tables(*partitions, "partition", mistakes_);
    for (const auto& named : tables) read_partition(named, policy);
    check_default_partition(tables);
  }
  policy.check_names();
  if (pool_names_.empty()) {
    mistakes_.add(root_.source(), "no pool, so there is nothing to run on; add a table such as [pool.nd]");
  }
  if (partitions == nullptr || partitions->empty()) {
    mistakes_.add(root_.source(), fmt::format("no partition, so nobody can submit; add [partition.main] with pools = "
                                              "[\"{}\"]",
                                              pool_names_.empty() ? "nd" : shown(pool_names_.front())));
  }
  return config_;
}

void Parser::read_cluster(TomlSection& top) {
  const auto* table = top.table("cluster");
  if (table == nullptr) return;
  TomlSection section(*table, "cluster", mistakes_);
  if (section.text("name", config_.cluster_name) && !is_name(config_.cluster_name)) {
    section.wrong("name", fmt::format("\"{}\" is no name; write {}", config_.cluster_name, k_name_rule));
  }
  if (section.text("operator_group", config_.operator_group) && !is_name(config_.operator_group)) {
    section.wrong("operator_group",
                  fmt::format("\"{}\" is no name of a group; write {}", config_.operator_group, k_name_rule));
  }
  section.flag("open_queue", config_.open_queue);
  section.duration("kill_wait", config_.kill_wait, {Duration{}, Duration::minutes(60)});
  section.duration("min_job_age", config_.min_job_age, {Duration::seconds(1), k_year});
  section.duration("requeue_delay", config_.requeue_delay, {Duration{}, Duration::minutes(24 * 60)});
  section.number("max_requeues", config_.max_requeues, {0, 10'000});
  section.number("max_jobs", config_.max_jobs, {1, 10'000'000});
  section.number("first_job_id", config_.first_job_id, {1, 67'000'000});
  section.finish();
}

/// address:port, with an IPv6 address in brackets.
bool is_listen_address(std::string_view text) {
  const auto colon = text.rfind(':');
  if (colon == std::string_view::npos || colon == 0) return false;
  const auto host = text.substr(0, colon);
  const auto port = text.substr(colon + 1);
  const bool in_brackets = host.size() > 2 && host.front() == '[' && host.back() == ']';
  if (!in_brackets && host.find_first_of("[]: /") != std::string_view::npos) return false;
  return !port.empty() && port.size() <= 5 && consists_of(port, k_digits) && std::stoul(std::string(port)) <= 65535;
}

void Parser::read_api(TomlSection& top) {
  const auto* table = top.table("api");
  if (table == nullptr) return;
  TomlSection section(*table, "api", mistakes_);
  if (section.text("listen", config_.listen) && !config_.listen.empty() && !is_listen_address(config_.listen)) {
    section.wrong("listen",
                  fmt::format("\"{}\" is no address:port; write one such as \"127.0.0.1:6820\"", config_.listen));
  }
  if (section.text("token_file", config_.token_file) && !config_.token_file.empty() &&
      config_.token_file.front() != '/') {
    section.wrong("token_file",
                  fmt::format("\"{}\" is no absolute path; write one that starts with /", config_.token_file));
  }
  if (!config_.listen.empty() && config_.token_file.empty()) {
    section.wrong("listen", "without token_file anybody could submit over TCP; add token_file = \"/path\"");
  }
  section.finish();
}

/// [cloud.NAME] says how to get into a cloud, and is read by that cloud's own room; [journal] is read by
/// wire/config_journal, [engine] by wire/config_engine, [mail] by
/// wire/config_mail. They are no part of what the brain knows.
void Parser::skip_others(TomlSection& top) {
  top.table("journal");
  top.table("engine");
  top.table("mail");
  const auto* table = top.table("cloud");
  if (table == nullptr) return;
  TomlSection section(*table, "cloud", mistakes_);
  section.table("azure");
  section.finish();
}

void Parser::read_skus(TomlSection& top) {
  const auto* table = top.table("sku");
  if (table == nullptr) return;
  for (const auto& [name, sku_table] : named_tables(*table, "sku", mistakes_)) {
    TomlSection section(*sku_table, "sku." + shown(name), mistakes_);
    Sku sku;
    sku.name = name;
    if (!is_name(name)) {
      mistakes_.add(sku_table->source(), fmt::format("\"{}\" is no name of a SKU; write {}", shown(name), k_name_rule));
    }
    if (!section.number("cpus", sku.resources.cpus, {1, 100'000}) && !sku_table->contains("cpus")) {
      section.wrong("cpus", "missing; write how many CPUs such a machine has");
    }
    if (!section.bytes("memory", sku.resources.memory_bytes) && !sku_table->contains("memory")) {
      section.wrong("memory", "missing; write how much memory such a machine has, such as \"64GiB\"");
    }
    section.number("gpus", sku.resources.gpus, {0, 1024});
    section.text("gpu_model", sku.gpu_model);
    section.price("price_per_hour", sku.price_per_hour);
    section.finish();
    own_skus_.emplace(name, sku);
  }
}

const Sku* Parser::find_any_sku(std::string_view name) const {
  const auto own = own_skus_.find(name);
  return own != own_skus_.end() ? &own->second : find_sku(name);
}

void Parser::read_pool_sku(TomlSection& section, Pool& pool) {
  std::string name = "Standard_ND96isr_H100_v5";
  section.text("sku", name);
  if (const auto* sku = find_any_sku(name)) {
    pool.sku = *sku;
    if (sku->price_per_hour == Money{} && own_skus_.count(name) == 0 && !section.has("price_per_hour")) {
      section.wrong("price_per_hour", fmt::format("missing, and no list price of {} is published; write what a node "
                                                  "costs in an hour, in US dollars",
                                                  name));
    }
    return;
  }
  std::vector<std::string_view> names;
  for (const auto& [own, sku] : own_skus_) names.push_back(own);
  for (const auto& sku : known_skus()) names.push_back(sku.name);
  section.wrong("sku", fmt::format("no SKU \"{}\"; {}, or describe it in [sku.NAME]", name, choice(name, names)));
}

std::uint32_t Parser::most_nodes(const Pool& pool) const {
  if (context_.simulated) return k_most_simulated_nodes;
  if (pool.cloud == "azure") return k_most_azure_nodes;
  return context_.plain_network.empty() ? k_most_nodes : k_most_plain_nodes;
}

/// The VMs of a stand-in on this machine have no GPUs that could be checked.
bool Parser::has_real_azure() const {
  const auto endpoint = root_["cloud"]["azure"]["endpoint"].value<std::string>();
  return !context_.simulated && !(endpoint && is_local_url(*endpoint));
}

void Parser::read_pool(const NamedTable& named, std::size_t index) {
  Pool pool;
  pool.name = named.name;
  TomlSection section(*named.table, "pool." + shown(named.name), mistakes_);
  if (!is_name(pool.name)) {
    mistakes_.add(named.table->source(),
                  fmt::format("\"{}\" is no name of a pool; write {}", shown(pool.name), k_name_rule));
  }
  const std::vector<std::string_view> clouds =
      context_.simulated ? std::vector(std::begin(k_simulated_clouds), std::end(k_simulated_clouds))
                         : std::vector(std::begin(k_clouds), std::end(k_clouds));
  if (section.text("cloud", pool.cloud) && std::count(clouds.begin(), clouds.end(), pool.cloud) == 0) {
    section.wrong("cloud", fmt::format("no cloud \"{}\"; {}", pool.cloud, choice(pool.cloud, clouds)));
  }
  read_pool_sku(section, pool);
  section.number("max_nodes", pool.max_nodes, {1, most_nodes(pool)});
  if (section.number("warm_nodes", pool.warm_nodes, {0, std::max(k_most_nodes, most_nodes(pool))}) &&
      pool.warm_nodes > pool.max_nodes) {
    section.wrong("warm_nodes", fmt::format("{} nodes are to be kept ready, but the pool has at most {}; raise "
                                            "max_nodes or lower warm_nodes",
                                            pool.warm_nodes, pool.max_nodes));
  }
  section.duration("idle_time", pool.idle_time, {Duration{}, k_year, true});
  if (pool.cloud == "azure") pool.boot_timeout = k_azure_boot_timeout;
  section.duration("boot_timeout", pool.boot_timeout, {Duration::seconds(1), Duration::minutes(24 * 60)});
  std::string network;
  if (section.text("network", network)) {
    if (const auto value = enum_from_name<HostNetwork>(network)) {
      pool.network = *value;
    } else {
      section.wrong("network", fmt::format("no network \"{}\"; write \"fabric\" or \"host\"", network));
    }
  }
  section.flag("shared_files", pool.shared_files);
  std::string slurm_cluster;  // no part of what the brain knows, either: wire/config_engine
  section.text("slurm_cluster", slurm_cluster);
  section.number("limit_cpus", pool.limit_cpus, {0, 100'000});
  section.bytes("limit_memory", pool.limit_memory_bytes);
  pool.health_checks = pool.cloud == "azure" && has_real_azure();
  read_pool_supply(section, pool);
  read_node_prefix(section, pool, index);
  section.finish();
  config_.pools.push_back(std::move(pool));
}

void Parser::read_node_prefix(TomlSection& section, Pool& pool, std::size_t index) {
  const bool name_ends_in_digit = !pool.name.empty() && consists_of(pool.name.substr(pool.name.size() - 1), k_digits);
  pool.node_prefix = pool.name + (name_ends_in_digit ? "-" : "");
  if (section.text("node_prefix", pool.node_prefix)) {
    if (!is_name(pool.node_prefix)) {
      section.wrong("node_prefix", fmt::format("\"{}\" cannot stand in a hostlist such as nd[1-8]; write {}",
                                               pool.node_prefix, k_name_rule));
    } else if (k_digits.find(pool.node_prefix.back()) != std::string_view::npos) {
      section.wrong("node_prefix", fmt::format("\"{0}\" ends in a digit, so that \"{0}1\" would name two nodes; write "
                                               "\"{0}-\"",
                                               pool.node_prefix));
    }
  }
  // Prefixes do not end in a digit, so two pools have a node name in common only if they have the same prefix.
  for (const auto& other : config_.pools) {
    if (other.node_prefix != pool.node_prefix) continue;
    section.wrong("node_prefix", fmt::format("nodes of pool \"{}\" are also called \"{}1\" and so on; give one of the "
                                             "two pools another node_prefix",
                                             other.name, pool.node_prefix));
    break;
  }
  if (!context_.plain_network.empty() && pool.cloud == "host") {
    pool.node_prefix = fmt::format("{}{}.", context_.plain_network, index);
  }
}

void Parser::read_partition(const NamedTable& named, const ConfigPolicy& policy) {
  Partition partition;
  partition.name = named.name;
  TomlSection section(*named.table, "partition." + shown(named.name), mistakes_);
  if (!is_name(partition.name)) {
    mistakes_.add(named.table->source(),
                  fmt::format("\"{}\" is no name of a partition; write {}", shown(partition.name), k_name_rule));
  }
  const std::vector<std::string_view> pools(pool_names_.begin(), pool_names_.end());
  if (section.texts("pools", partition.pools)) {
    if (partition.pools.empty()) section.wrong("pools", "empty; name at least one pool");
    for (std::size_t i = 0; i < partition.pools.size(); ++i) {
      const auto& pool = partition.pools[i];
      if (std::find(pools.begin(), pools.end(), pool) == pools.end()) {
        section.wrong("pools", fmt::format("no pool \"{}\"; {}", shown(pool),
                                           pools.empty() ? "this file has none" : choice(shown(pool), pools)));
      } else if (std::find(partition.pools.begin(), partition.pools.begin() + static_cast<std::ptrdiff_t>(i), pool) !=
                 partition.pools.begin() + static_cast<std::ptrdiff_t>(i)) {
        section.wrong("pools", fmt::format("\"{}\" stands there twice; name it once", shown(pool)));
      }
    }
  } else if (!named.table->contains("pools")) {
    section.wrong("pools", fmt::format("missing; write pools = [\"{}\"]", pools.empty() ? "nd" : shown(pools.front())));
  }
  section.flag("default", partition.is_default);
  section.flag("up", partition.up);
  policy.read_partition(section, partition);
  const DurationRange limits{Duration::seconds(1), k_year, true};
  section.duration("max_time", partition.max_time, limits);
  partition.default_time = partition.max_time;
  if (section.duration("default_time", partition.default_time, limits) && partition.default_time > partition.max_time) {
    section.wrong("default_time", "longer than max_time, so that no job could run without --time; shorten it");
  }
  section.finish();
  config_.partitions.push_back(std::move(partition));
}

void Parser::check_default_partition(const std::vector<NamedTable>& tables) {
  if (config_.partitions.size() == 1 && !tables.front().table->contains("default")) {
    config_.partitions.front().is_default = true;
    return;
  }
  const Partition* first = nullptr;
  for (std::size_t i = 0; i < config_.partitions.size(); ++i) {
    auto& partition = config_.partitions[i];
    if (!partition.is_default) continue;
    if (first == nullptr) {
      first = &partition;
      continue;
    }
    mistakes_.add(tables[i].table->get("default")->source(),
                  fmt::format("partition.{}.default: partition \"{}\" is the default already; keep one of the two",
                              shown(partition.name), shown(first->name)));
  }
  if (first == nullptr && !config_.partitions.empty()) {
    mistakes_.add(tables.front().table->source(),
                  fmt::format("no partition is the default; add default = true to one, such as [partition.{}]",
                              shown(config_.partitions.front().name)));
  }
}

/// A file may leave out pools and partitions altogether, and then has those of the default text.
bool names_no_machines(const toml::table& root) { return !root.contains("pool") && !root.contains("partition"); }

}  // namespace

Result<Config> parse_config(std::string_view text, const std::string& file_name, const ConfigContext& context) {
  auto root = parse_toml(text, file_name);
  if (!root) return unexpected(root.error());
  if (names_no_machines(*root)) {
    auto defaults = parse_toml(default_config_text(), "default");
    if (!defaults) return unexpected(defaults.error());
    for (const auto* key : {"pool", "partition"}) root->insert(key, std::move(*defaults->get_as<toml::table>(key)));
  }
  Mistakes mistakes(file_name);
  Config config = Parser(*root, context, mistakes).parse();
  if (mistakes.any()) return fail(Code::invalid, mistakes.text());
  return config;
}

std::string default_config_text() {
  return R"(# Virga's configuration. What is written here holds also without this file.
# docs/configuration.md explains each key. After a change: virga reload

[cluster]
name = "virga"
operator_group = "virga-operators"   # its members see and change everybody's jobs
open_queue = true                    # users see each other's jobs
kill_wait = "30s"                    # between SIGTERM and SIGKILL
min_job_age = "5m"                   # an ended job stays in squeue and scontrol this long
requeue_delay = "2s"
max_requeues = 16                    # a job that was requeued more often is held
max_jobs = 200000

[api]
listen = ""                          # the API over TCP as well: "127.0.0.1:6820"
token_file = ""                      # who may use it: one "token user" a line

[pool.nd]
cloud = "host"                       # virtual nodes on this machine
sku = "Standard_ND96isr_H100_v5"     # what each node is taken to be
max_nodes = 8
warm_nodes = 0                       # kept ready without a job
idle_time = "20s"                    # a node that is idle for longer is released
boot_timeout = "60s"
network = "fabric"                   # "host": this machine's network instead of one of their own
limit_cpus = 0                       # what a node may really use of this machine; 0: all of it
# limit_memory = "4GiB"
node_prefix = "nd"                   # nodes are called nd1 ... nd8

[partition.main]
pools = ["nd"]
default = true
max_time = "infinite"
default_time = "infinite"
up = true
)";
}

}  // namespace virga

#include "wire/config_engine.hpp"

#include <arpa/inet.h>
#include <fmt/format.h>

#include <algorithm>
#include <set>

#include "wire/config_names.hpp"
#include "wire/toml_section.hpp"

namespace virga {
namespace {

constexpr Duration k_site_sweep = Duration::seconds(2);
/// It is part of the paths of sockets, which are short.
constexpr std::size_t k_cluster_name_max = 16;
constexpr std::string_view k_cluster_name_rule =
    "a small letter, then small letters, digits, - or _, at most 16, as Slurm's ClusterName wants it";
constexpr std::string_view k_slurm_only = "is of kind = \"slurm\" only; leave it out";

bool is_cluster_name(std::string_view name) {
  const auto is_capital = [](char c) { return c >= 'A' && c <= 'Z'; };
  return is_name(name) && name.size() <= k_cluster_name_max && std::none_of(name.begin(), name.end(), is_capital);
}

class EngineReader {
 public:
  EngineReader(const toml::table& root, EngineSettings& settings, Mistakes& mistakes)
      : root_(root), settings_(settings), mistakes_(mistakes) {}

  void read() {
    // Something else than a table is a mistake of the whole text: config_toml.cpp.
    if (const auto* table = root_["engine"].as_table()) read_engine(*table);
    read_pools();
    check_pools();
  }

 private:
  void read_engine(const toml::table& table);
  void read_cluster(TomlSection& section, SlurmClusterSettings& cluster);
  void read_named(const NamedTable& named);
  void read_pools();
  void check_pools();

  const toml::table& root_;
  EngineSettings& settings_;
  Mistakes& mistakes_;
  std::vector<std::string> names_;  ///< also of clusters with mistakes, so that these are told once
  bool has_unknown_ = false;        ///< a pool is in a cluster that is not there
};

void EngineReader::read_engine(const toml::table& table) {
  TomlSection section(table, "engine", mistakes_);
  section.word("kind", settings_.kind);
  read_cluster(section, settings_.clusters.front());
  if (settings_.kind == EngineKind::local) {
    for (const std::string_view key :
         {"conf", "partition", "address", "sweep", "foreign_jobs", "accounting", "cluster"}) {
      if (section.has(key)) section.wrong(key, k_slurm_only);
    }
  }
  const toml::table* named = section.table("cluster");
  section.finish();
  if (named == nullptr || settings_.kind == EngineKind::local) return;
  for (const NamedTable& one : named_tables(*named, "engine.cluster", mistakes_)) read_named(one);
}

void EngineReader::read_named(const NamedTable& named) {
  names_.push_back(named.name);
  SlurmClusterSettings cluster;
  cluster.name = named.name;
  if (!is_cluster_name(named.name)) {
    mistakes_.add(named.table->source(),
                  fmt::format("\"{}\" is no name of a cluster; write {}", shown(named.name), k_cluster_name_rule));
  } else if (named.name == root_["cluster"]["name"].value_or(std::string("virga"))) {
    mistakes_.add(named.table->source(),
                  fmt::format("\"{}\" is what the cluster of [engine] is called, by cluster.name; take another name",
                              shown(named.name)));
  }
  TomlSection section(*named.table, "engine.cluster." + shown(named.name), mistakes_);
  read_cluster(section, cluster);
  for (const SlurmClusterSettings& other : settings_.clusters) {
    if (cluster.conf.empty() || other.conf != cluster.conf) continue;
    section.wrong("conf", fmt::format("\"{}\" is that of [engine{}{}] already; two are two clusters of Slurm",
                                      shown(cluster.conf), other.name.empty() ? "" : ".cluster.", shown(other.name)));
  }
  section.finish();
  settings_.clusters.push_back(std::move(cluster));
}

void EngineReader::read_cluster(TomlSection& section, SlurmClusterSettings& cluster) {
  if (section.long_text("conf", cluster.conf) && !cluster.conf.starts_with('/')) {
    section.wrong("conf", fmt::format("\"{}\" is no absolute path; write one that starts with /", cluster.conf));
  }
  section.text("partition", cluster.partition);
  in_addr address{};
  if (section.text("address", cluster.address) && inet_pton(AF_INET, cluster.address.c_str(), &address) != 1) {
    section.wrong("address", fmt::format("\"{}\" is no address; write one like \"10.64.255.254\"", cluster.address));
  }
  if (section.flag("accounting", cluster.accounting) && cluster.accounting && !cluster.conf.empty()) {
    section.wrong("accounting",
                  "is of a cluster that Virga raises; the one of conf says itself whether it has slurmdbd");
  }
  section.word("foreign_jobs", cluster.foreign_jobs);
  // Who cannot be told of what happens looks for it.
  if (!cluster.conf.empty() || cluster.foreign_jobs == ForeignJobs::adopt) cluster.sweep = k_site_sweep;
  section.duration("sweep", cluster.sweep, {Duration::seconds(1), Duration::minutes(10)});
}

/// The rest of a pool is read by config_toml.cpp, which tells what is no text.
void EngineReader::read_pools() {
  const auto* pools = root_["pool"].as_table();
  if (pools == nullptr) return;
  for (const auto& [pool, node] : *pools) {
    const auto* table = node.as_table();
    if (table == nullptr) continue;
    const auto cluster = (*table)["slurm_cluster"].value<std::string>();
    if (!cluster) continue;
    TomlSection section(*table, "pool." + shown(pool.str()), mistakes_);
    const std::vector<std::string_view> names(names_.begin(), names_.end());
    if (settings_.kind == EngineKind::local) {
      section.wrong("slurm_cluster", "of [engine] kind = \"slurm\" only; leave it out");
    } else if (std::find(names.begin(), names.end(), *cluster) == names.end()) {
      section.wrong("slurm_cluster", fmt::format("no cluster \"{}\"; {}", shown(*cluster),
                                                 names.empty() ? "add [engine.cluster." + shown(*cluster) + "]"
                                                               : choice(shown(*cluster), names)));
    }
    has_unknown_ = has_unknown_ || std::find(names.begin(), names.end(), *cluster) == names.end();
    settings_.slurm_cluster_of.emplace(pool.str(), *cluster);
  }
}

void EngineReader::check_pools() {
  if (!settings_.has_several_clusters() || has_unknown_) return;  // a name that is wrong may be meant for any of them
  std::set<std::string> used;
  for (const auto& [pool, cluster] : settings_.slurm_cluster_of) used.insert(cluster);
  const toml::table& engine = *root_["engine"].as_table();
  for (const std::string& name : names_) {
    if (used.contains(name) || !is_cluster_name(name)) continue;
    mistakes_.add(engine["cluster"][name].node()->source(),
                  fmt::format("engine.cluster.{0}: no pool is in it; write slurm_cluster = \"{0}\" into one, or leave "
                              "the cluster out",
                              shown(name)));
  }
  const auto* pools = root_["pool"].as_table();
  if (pools == nullptr || pools->size() > settings_.slurm_cluster_of.size()) return;
  mistakes_.add(engine.source(),
                "engine: all pools are in other clusters, and none in this one; leave slurm_cluster out of one, or "
                "move the keys of the cluster it names here");
}

}  // namespace

const SlurmClusterSettings& EngineSettings::cluster_of(const std::string& pool) const {
  const auto named = slurm_cluster_of.find(pool);
  if (named == slurm_cluster_of.end()) return clusters.front();
  const auto found =
      std::find_if(clusters.begin(), clusters.end(), [&](const auto& one) { return one.name == named->second; });
  return found == clusters.end() ? clusters.front() : *found;
}

Result<EngineSettings> parse_engine_settings(std::string_view text, const std::string& file_name) {
  const Result<toml::table> root = parse_toml(text, file_name);
  if (!root) return unexpected(root.error());
  Mistakes mistakes(file_name);
  EngineSettings settings;
  EngineReader(*root, settings, mistakes).read();
  if (mistakes.any()) return fail(Code::invalid, mistakes.text());
  return settings;
}

}  // namespace virga

#include "programs/settings.hpp"

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <map>

#include "clouds/host/host_cloud.hpp"
#include "engines/local/storage_access.hpp"
#include "engines/slurm/cluster.hpp"
#include "wire/config_toml.hpp"

namespace virga {
namespace {

/// A job's processes are started by agents that the local engine finds on this machine alone.
Status check_azure(const AzureSettings& azure) {
  if (is_local(azure)) return {};
  return fail(Code::invalid,
              "cloud.azure.endpoint is " + azure.endpoint +
                  ", but jobs of this controller run on nodes of this machine only; write the address of a "
                  "virga-arm that was started with --nodes");
}

/// Nodes with files of their own, and what they mount, as far as it can be told before the first of them boots.
Status check_files(const Config& config, const TierReport& tier) {
  for (const Pool& pool : config.pools) {
    const bool is_here = pool.cloud == "host" && !pool.shared_files;
    if (is_here && tier.tier == Tier::plain) {
      return fail(Code::invalid, "pool." + pool.name +
                                     ".shared_files is false, but nodes of this machine are "
                                     "plain processes and see all files; leave it out, or see virga doctor");
    }
    if (!pool.shared_files && !config.storage.empty() && tier.tier != Tier::root) {
      return fail(Code::invalid, "[storage] is mounted on the nodes of pool " + pool.name +
                                     ", which only root can do; run virgad as root");
    }
  }
  for (const Storage& storage : config.storage) {
    if (storage.key_file.empty()) continue;
    if (auto key = read_account_key(storage.key_file); !key) {
      return fail(Code::invalid, "storage." + storage.name + ": " + key.error().message);
    }
  }
  return {};
}

std::string key_of(const SlurmClusterSettings& cluster) {
  return cluster.name.empty() ? "engine" : "engine.cluster." + cluster.name;
}

/// Two names of one file are one cluster.
Status check_confs(const std::vector<SlurmClusterSettings>& clusters) {
  std::map<std::string, const SlurmClusterSettings*> known;
  std::error_code ignored;
  for (const SlurmClusterSettings& cluster : clusters) {
    if (cluster.conf.empty()) continue;
    const auto [other, is_new] = known.emplace(std::filesystem::weakly_canonical(cluster.conf, ignored), &cluster);
    if (is_new) continue;
    return fail(Code::invalid, key_of(cluster) + ".conf is the same file as " + key_of(*other->second) +
                                   ".conf; two are two clusters of Slurm");
  }
  return {};
}

/// The nodes of a Slurm cluster reach its controller, which is on this machine, over the fabric.
Status check_engine(const EngineSettings& engine, const Config& config, const TierReport& tier) {
  if (engine.kind != EngineKind::slurm) return {};
  if (const auto version = slurm::find_slurm(); !version) {
    return fail(Code::invalid, "engine.kind is \"slurm\", but " + version.error().message);
  }
  for (const SlurmClusterSettings& cluster : engine.clusters) {
    if (!cluster.accounting) continue;
    const Status database = slurm::find_database();
    if (!database) return fail(Code::invalid, key_of(cluster) + ".accounting is true, but " + database.error().message);
  }
  if (tier.tier != Tier::root) {
    return fail(Code::invalid,
                "engine.kind is \"slurm\", whose nodes need networks of their own with a way to this machine, "
                "which only root can make; run virgad as root, or leave it out");
  }
  if (Status apart = check_confs(engine.clusters); !apart) return apart;
  for (const Pool& pool : config.pools) {
    const std::string name = "pool." + pool.name + ".";
    std::string wrong;
    // One address of this machine is written into the nodes' slurm.conf: there, or on the host cloud's own network.
    const SlurmClusterSettings& cluster = engine.cluster_of(pool.name);
    const char* const cloud = cluster.address.empty() ? "host" : "azure";
    if (pool.cloud != cloud) {
      const std::string key = key_of(cluster) + ".address";
      wrong = name + "cloud is \"" + pool.cloud + "\"; write \"" + cloud + "\", or " +
              (cluster.address.empty() ? "say with " + key + " where its nodes reach this machine"
                                       : "leave " + key + " out");
    }
    if (pool.network != HostNetwork::fabric) wrong = name + "network is \"host\"; write \"fabric\"";
    if (!pool.shared_files) wrong = name + "shared_files is false; leave it out";
    if (pool.health_checks) wrong = name + "health_checks is true; leave it out";
    if (!wrong.empty()) {
      return fail(Code::invalid, "nodes of engine.kind \"slurm\" cannot have that yet: " + wrong);
    }
  }
  return {};
}

}  // namespace

Result<std::string> config_text(const Home& home) {
  std::string text;
  if (std::ifstream file(home.config()); file) {
    text.assign(std::istreambuf_iterator<char>(file), {});
    if (file.bad()) return fail(Code::internal, "cannot read " + home.config());
  } else if (errno != ENOENT) {
    return fail(Code::invalid, "cannot read " + home.config() + ": " + std::strerror(errno));
  }
  return text;
}

Result<Settings> read_settings(const Home& home, const TierReport& tier) {
  const Result<std::string> text = config_text(home);
  if (!text) return unexpected(text.error());
  ConfigContext context;
  if (tier.tier == Tier::plain) {
    const std::string prefix = plain_node_prefix(home);  // "127.77.0."
    context.plain_network = prefix.substr(0, prefix.size() - 2);
  }
  Result<Config> config = parse_config(*text, home.config(), context);
  if (!config) return unexpected(config.error());
  if (Status usable = check_files(*config, tier); !usable) return unexpected(usable.error());
  const auto engine = parse_engine_settings(*text, home.config());
  if (!engine) return unexpected(engine.error());
  if (Status usable = check_engine(*engine, *config, tier); !usable) return unexpected(usable.error());
  Result<JournalSettings> journal = parse_journal_settings(*text, home.config());
  if (!journal) return unexpected(journal.error());
  Result<MailSettings> mail = parse_mail_settings(*text, home.config());
  if (!mail) return unexpected(mail.error());
  Settings settings{*std::move(config), *std::move(journal), *engine, *std::move(mail), std::nullopt};
  const auto& pools = settings.config.pools;
  const bool needs_azure = std::any_of(pools.begin(), pools.end(), [](const auto& p) { return p.cloud == "azure"; });
  // Also where no pool is Azure's any more: there may be VMs left to release.
  if (needs_azure || has_azure_settings(*text)) {
    Result<AzureSettings> azure = parse_azure_settings(*text, home.config(), pools);
    if (!azure) return unexpected(azure.error());
    if (Status usable = check_azure(*azure); !usable) return unexpected(usable.error());
    settings.azure = *std::move(azure);
  }
  return settings;
}

}  // namespace virga

#include "cli/sacctmgr_records.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <set>

#include "wire/hostlist.hpp"
#include "wire/slurm_nodes.hpp"
#include "wire/slurm_text.hpp"

namespace virga {
namespace {

constexpr const char* k_root = "root";

constexpr ColumnName k_columns[] = {
    {"Account", 10, 3},
    {"AdminLevel", 9, 2, "Admin"},
    {"Allocated", 11, 3, "% Allocated"},
    {"Classification", 9, 3, "Class"},
    {"Cluster", 10, 2},
    {"ClusterNodes", 20, 8, "Cluster Nodes"},
    {"ControlHost", 15, 8},
    {"ControlPort", 12, 8},
    {"CoordAccounts", 20, 5, "Coord Accounts"},
    {"Coordinators", 20, 6, "Coord Accounts"},
    {"Count", 6, 3},
    {"DefaultAccount", 10, 8, "Def Acct"},
    {"DefaultQOS", 9, 8, "Def QOS"},
    {"DefaultWCKey", 10, 8, "Def WCKey"},
    {"Description", 20, 3, "Descr"},
    {"End", 19, 2},
    {"Event", 7, 2},
    {"Features", 20, 3},
    {"Federation", 10, 3},
    {"FedState", 12, 8},
    {"FedStateRaw", 11, 11},
    {"Flags", 20, 2},
    {"GraceTime", 10, 3},
    {"GrpCPUMins", 11, 8},
    {"GrpCPUs", 8, 7},
    {"GrpJobs", 7, 4},
    {"GrpMem", 7, 4},
    {"GrpNodes", 8, 4},
    {"GrpSubmit", 9, 4},
    {"GrpTRES", 13, 7},
    {"GrpTRESMins", 13, 9},
    {"GrpTRESRunMins", 13, 8},
    {"GrpWall", 11, 4},
    {"ID", 6, 2},
    {"Info", 20, 4},
    {"MaxCPUMins", 11, 7},
    {"MaxCPUs", 8, 7},
    {"MaxJobs", 7, 4},
    {"MaxJobsPA", 9, 9},
    {"MaxJobsPU", 9, 8},
    {"MaxNodes", 8, 4},
    {"MaxSubmit", 9, 4},
    {"MaxSubmitPA", 11, 11},
    {"MaxSubmitPU", 11, 10},
    {"MaxTRES", 13, 7},
    {"MaxTRESMins", 13, 8},
    {"MaxTRESPA", 13, 9},
    {"MaxTRESPerNode", 14, 11},
    {"MaxTRESPU", 13, 9},
    {"MaxWall", 11, 4},
    {"MinTRES", 13, 7},
    {"Name", 10, 2},
    {"NodeCount", 9, 5},
    {"NodeNames", 20, 5, "NodeName"},
    {"NodeInx", 10, 7},
    {"NodeName", 15, 8},
    {"Organization", 20, 1, "Org"},
    {"ParentName", 10, 7},
    {"Partition", 10, 4},
    {"PluginIDSelect", 14, 2},
    {"Preempt", 10, 7},
    {"PreemptExemptTime", 19, 8},
    {"PreemptMode", 11, 8},
    {"Priority", 10, 3},
    {"Problem", 40, 1},
    {"QOS", 20, 1},
    {"Reason", 30, 1},
    {"RPC", 5, 1},
    {"Server", 10, 2},
    {"ServerType", 10, 7},
    {"Share", 9, 1},
    {"Start", 19, 3, "TimeStart"},
    {"State", 6, 5},
    {"TRES", 20, 2},
    {"Type", 8, 2},
    {"UsageFactor", 11, 6},
    {"UsageThreshold", 10, 6, "UsageThres"},
    {"User", 10, 1},
    {"WCKey", 10, 2},
};

struct Account {
  std::string name = {};
  std::string parent = {};
  std::uint32_t shares = 1;
  std::vector<std::string> users = {};
  std::size_t depth = 0;
};

/// Depth first, each level by name; "root" is above all, as in a database that was just made.
void add_accounts(const Config& config, Account account, std::vector<Account>& out) {
  const std::string name = account.name;
  const std::size_t depth = account.depth;
  std::sort(account.users.begin(), account.users.end());
  out.push_back(std::move(account));
  std::vector<const Tenant*> children;
  for (const Tenant& tenant : config.tenants) {
    const std::string parent = config.find_tenant(tenant.parent) == nullptr ? k_root : tenant.parent;
    if (parent == name && depth <= config.tenants.size()) children.push_back(&tenant);
  }
  std::sort(children.begin(), children.end(), [](const Tenant* a, const Tenant* b) { return a->name < b->name; });
  for (const Tenant* child : children) {
    add_accounts(config, {child->name, name, child->shares, child->users, depth + 1}, out);
  }
}

std::vector<Account> accounts_of(const Config& config) {
  std::vector<Account> accounts;
  add_accounts(config, {.name = k_root, .users = {k_root}}, accounts);
  return accounts;
}

std::string qos_of(const Config& config) {
  std::vector<std::string> names;
  for (const Qos& qos : config.qos) names.push_back(qos.name);
  std::sort(names.begin(), names.end());
  std::string text;
  for (const std::string& name : names) text.append(text.empty() ? "" : ",").append(name);
  return text.empty() ? "normal" : text;
}

/// The first account that names the user, in the configuration's order.
std::string default_account(const Config& config, const std::string& user) {
  for (const Tenant& tenant : config.tenants) {
    if (std::find(tenant.users.begin(), tenant.users.end(), user) != tenant.users.end()) return tenant.name;
  }
  return k_root;
}

std::string organization_of(const Account& account) {
  return account.parent.empty() || account.parent == k_root ? account.name : account.parent;
}

std::string description_of(const Account& account) {
  return account.name == k_root ? "default root account" : account.name;
}

AccountRecord user_record(const Config& config, const std::string& user) {
  return {{"User", user},
          {"DefaultAccount", default_account(config, user)},
          {"AdminLevel", user == k_root ? "Administrator" : "None"}};
}

std::string time_text(Duration time) { return long_duration_text(time); }

std::string positive(std::uint32_t number) { return number == 0 ? "" : std::to_string(number); }

}  // namespace

const std::vector<ColumnName>& sacctmgr_columns() {
  static const std::vector<ColumnName> k_all(std::begin(k_columns), std::end(k_columns));
  return k_all;
}

AccountRecords association_records(const Config& config) {
  AccountRecords records;
  const std::string qos = qos_of(config);
  for (const Account& account : accounts_of(config)) {
    AccountRecord record = {{"Cluster", config.cluster_name},
                            {"Account", account.name},
                            {"ParentName", account.parent},
                            {"Share", std::to_string(account.shares)},
                            {"QOS", qos},
                            {"depth", std::string(account.depth, ' ')}};
    records.push_back(record);
    for (const std::string& user : account.users) {
      record["User"] = user;
      record["ParentName"] = "";
      record["Share"] = "1";
      record["depth"] = std::string(account.depth + 1, ' ');
      records.push_back(record);
    }
  }
  for (std::size_t i = 0; i < records.size(); ++i) records[i]["ID"] = std::to_string(i + 1);
  return records;
}

AccountRecords account_records(const Config& config, bool with_associations) {
  std::vector<Account> accounts = accounts_of(config);
  std::sort(accounts.begin(), accounts.end(), [](const Account& a, const Account& b) { return a.name < b.name; });
  const AccountRecords associations = association_records(config);
  AccountRecords records;
  for (const Account& account : accounts) {
    const AccountRecord own = {{"Account", account.name},
                               {"Description", description_of(account)},
                               {"Organization", organization_of(account)}};
    if (!with_associations) records.push_back(own);
    for (const AccountRecord& association : associations) {
      if (!with_associations || association.at("Account") != account.name) continue;
      AccountRecord record = own;
      record.insert(association.begin(), association.end());
      records.push_back(std::move(record));
    }
  }
  return records;
}

AccountRecords user_records(const Config& config, bool with_associations) {
  AccountRecords associations = association_records(config);
  std::erase_if(associations, [](const AccountRecord& record) { return !record.contains("User"); });
  std::stable_sort(associations.begin(), associations.end(), [](const AccountRecord& a, const AccountRecord& b) {
    return std::pair(a.at("User"), a.at("Account")) < std::pair(b.at("User"), b.at("Account"));
  });
  AccountRecords records;
  std::string last;
  for (const AccountRecord& association : associations) {
    const std::string& user = association.at("User");
    if (!with_associations && user == last) continue;
    last = user;
    AccountRecord record = user_record(config, user);
    if (with_associations) record.insert(association.begin(), association.end());
    records.push_back(std::move(record));
  }
  return records;
}

AccountRecords cluster_records(const Config& config) {
  std::vector<std::string> names;
  std::uint64_t cpus = 0;
  for (const SlurmNode& node : slurm_nodes(config, {})) {
    names.push_back(node.name);
    cpus += node.total.cpus;
  }
  return {{{"Cluster", config.cluster_name},
           {"ClusterNodes", compress_hostlist(names)},
           {"NodeCount", std::to_string(names.size())},
           {"RPC", "9728"},  // of Slurm 22.05
           {"Share", "1"},
           {"TRES", fmt::format("billing={0},cpu={0},node={1}", cpus, names.size())},
           {"QOS", qos_of(config)},
           {"FedState", "NA"},
           {"FedStateRaw", "0"},
           {"ID", "0"},
           {"PluginIDSelect", "109"}}};
}

AccountRecords qos_records(const Config& config) {
  std::vector<Qos> all = config.qos;
  if (all.empty()) all.push_back({.name = "normal"});
  AccountRecords records;
  for (const Qos& qos : all) {
    std::string preempt;
    for (const std::string& name : qos.preempt) preempt.append(preempt.empty() ? "" : ",").append(name);
    records.push_back({{"Name", qos.name},
                       {"Priority", std::to_string(qos.priority)},
                       {"GraceTime", time_text(qos.grace_time)},
                       {"Preempt", preempt},
                       {"PreemptMode", "cluster"},
                       {"UsageFactor", fmt::format("{:.6f}", qos.price_factor_percent / 100.0)},
                       {"MaxWall", qos.max_wall.is_infinite() ? "" : time_text(qos.max_wall)},
                       {"MaxJobsPU", positive(qos.max_jobs_per_user)},
                       {"MaxSubmitPU", positive(qos.max_submit_per_user)},
                       {"MaxTRESPU", qos.max_nodes_per_user == 0 ? "" : fmt::format("node={}", qos.max_nodes_per_user)},
                       {"Description", qos.name == "normal" ? "Normal QOS default" : qos.name},
                       {"ID", std::to_string(records.size() + 1)}});
  }
  return records;
}

AccountRecords tres_records(const Config& config) {
  AccountRecords records;
  int id = 0;
  for (const char* type : {"cpu", "mem", "energy", "node", "billing", "fs", "vmem", "pages"}) {
    records.push_back(
        {{"Type", type}, {"Name", std::string_view(type) == "fs" ? "disk" : ""}, {"ID", std::to_string(++id)}});
  }
  const bool has_gpus = std::any_of(config.pools.begin(), config.pools.end(),
                                    [](const Pool& pool) { return pool.sku.resources.gpus != 0; });
  if (has_gpus) records.push_back({{"Type", "gres"}, {"Name", "gpu"}, {"ID", "1001"}});
  return records;
}

std::vector<std::string> dump_lines(const Config& config) {
  std::vector<Account> accounts = accounts_of(config);
  // Parents before their children, level by level.
  std::stable_sort(accounts.begin(), accounts.end(), [](const auto& a, const auto& b) { return a.depth < b.depth; });
  const std::string qos = qos_of(config);
  std::vector<std::string> lines = {fmt::format("Cluster - '{}':Fairshare=1:QOS='{}'", config.cluster_name, qos)};
  for (const Account& account : accounts) {
    std::vector<std::string> below;
    for (const std::string& user : account.users) {
      below.push_back(fmt::format("User - '{}':DefaultAccount='{}'{}:Fairshare=1", user, default_account(config, user),
                                  user == k_root ? ":AdminLevel='Administrator'" : ""));
    }
    for (const Account& child : accounts) {
      if (child.parent != account.name) continue;
      below.push_back(fmt::format("Account - '{}':Description='{}':Organization='{}':Fairshare={}{}", child.name,
                                  description_of(child), organization_of(child), child.shares,
                                  child.parent == k_root ? ":QOS='" + qos + "'" : ""));
    }
    if (below.empty()) continue;
    lines.push_back(fmt::format("Parent - '{}'", account.name));
    lines.insert(lines.end(), below.begin(), below.end());
  }
  return lines;
}

}  // namespace virga

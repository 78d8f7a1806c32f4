// slurmdb of v0.0.38: who may use what, as the configuration has it. Tenants are Slurm's accounts; as in a database
// that was just made, there is an account "root" above all others, with the user root.
#include <algorithm>
#include <set>

#include "wire/hostlist.hpp"
#include "wire/slurm_document.hpp"

namespace virga {
namespace {

using Wanted = std::map<std::string, std::string>;
constexpr const char* k_root = "root";
constexpr const char* k_normal_qos = "normal";
constexpr int k_not_found = 500;  // what slurmrestd answers

/// Does an entry with this value of `member` belong to what was asked for?
bool admits(const Wanted& wanted, const std::string& member, std::string_view value) {
  const auto it = wanted.find(member);
  return it == wanted.end() || it->second == value;
}

void put_text_or_null(JsonWriter& w, std::string_view key, std::string_view text) {
  text.empty() ? put_null(w, key) : w(key, text);
}

struct Association {
  std::string account;
  std::string parent;
  std::string user;  ///< empty: the account's own
  std::uint32_t shares = 1;
  bool is_default = false;
  std::vector<std::string> qos;
};

std::vector<std::string> qos_names(const Config& config) {
  std::vector<std::string> names;
  for (const Qos& qos : config.qos) names.push_back(qos.name);
  if (names.empty()) names.push_back(k_normal_qos);
  return names;
}

std::vector<Association> associations_of(const Config& config) {
  const std::vector<std::string> qos = qos_names(config);
  std::vector<Association> out = {{k_root, "", "", 1, false, qos}, {k_root, "", k_root, 1, true, qos}};
  std::set<std::string> seen = {k_root};
  for (const Tenant& tenant : config.tenants) {
    const std::string parent = tenant.parent.empty() ? k_root : tenant.parent;
    out.push_back({tenant.name, parent, "", tenant.shares, false, qos});
    for (const std::string& user : tenant.users) {
      out.push_back({tenant.name, "", user, 1, seen.insert(user).second, qos});
    }
  }
  return out;
}

void put_short_association(JsonWriter& w, const Association& association, const std::string& cluster) {
  w.begin_object();
  w("account", association.account);
  w("cluster", cluster);
  put_null(w, "partition");
  put_text_or_null(w, "user", association.user);
  w.end_object();
}

void put_association(JsonWriter& w, const Association& association, const std::string& cluster) {
  w.begin_object();
  w("account", association.account);
  w("cluster", cluster);
  w.key("default");
  w.put_json(R"({"qos":null})");
  w.key("flags");
  w.put_json(association.is_default ? R"(["DEFAULT"])" : "[]");
  w.key("max");
  w.put_json(
      R"({"jobs":{"per":{"count":null,"accruing":null,"submitted":null,"wall_clock":null},"active":null,)"
      R"("accruing":null,"total":null},"tres":{"total":[],"minutes":{"per":{"job":[]},"total":[]},)"
      R"("group":{"minutes":[],"active":[]},"per":{"job":[],"node":[]}},"per":{"account":{"wall_clock":null}}})");
  w("is_default", association.is_default ? 1 : 0);
  w.key("min");
  w.put_json(R"({"priority_threshold":null})");
  put_text_or_null(w, "parent_account", association.parent);
  put_null(w, "partition");
  put_null(w, "priority");
  w("qos", association.qos);
  w("shares_raw", association.shares);
  put_null(w, "usage");
  put_text_or_null(w, "user", association.user);
  w.end_object();
}

void put_account(JsonWriter& w, const std::string& name, const std::string& organization, const std::string& about,
                 const Config& config) {
  w.begin_object();
  w.key("associations");
  w.begin_array();
  for (const Association& association : associations_of(config)) {
    if (association.account == name) put_short_association(w, association, config.cluster_name);
  }
  w.end_array();
  w.key("coordinators");
  w.put_json("[]");
  w("description", about);
  w("name", name);
  w("organization", organization);
  w.key("flags");
  w.put_json("[]");
  w.end_object();
}

void put_user(JsonWriter& w, const std::string& name, const Config& config) {
  w.begin_object();
  w("administrator_level", name == k_root ? "Administrator" : "None");
  std::string account;
  w.key("associations");
  w.begin_array();
  for (const Association& association : associations_of(config)) {
    if (association.user != name) continue;
    put_short_association(w, association, config.cluster_name);
    if (association.is_default) account = association.account;
  }
  w.end_array();
  w.key("coordinators");
  w.put_json("[]");
  w.key("default");
  w.begin_object();
  w("account", account);
  w("wckey", "");
  w.end_object();
  w.key("flags");
  w.put_json("[]");
  w("name", name);
  w.end_object();
}

struct CountedTres {
  std::string_view type;
  std::string_view name;
  int id;
  std::uint64_t count;
};

void put_tres_list(JsonWriter& w, const std::vector<CountedTres>& all) {
  w.begin_array();
  for (const CountedTres& tres : all) {
    w.begin_object();
    w("type", tres.type);
    put_text_or_null(w, "name", tres.name);
    w("id", tres.id);
    w("count", tres.count);
    w.end_object();
  }
  w.end_array();
}

/// The kinds of resources that Slurm's database begins with, and GPUs.
std::vector<CountedTres> tres_of(const Resources& total, std::uint64_t nodes) {
  std::vector<CountedTres> all = {{"cpu", "", 1, total.cpus},
                                  {"mem", "", 2, total.memory_bytes >> 20},
                                  {"energy", "", 3, 0},
                                  {"node", "", 4, nodes},
                                  {"billing", "", 5, total.cpus},
                                  {"fs", "disk", 6, 0},
                                  {"vmem", "", 7, 0},
                                  {"pages", "", 8, 0}};
  if (total.gpus != 0) all.push_back({"gres", "gpu", 1001, total.gpus});
  return all;
}

void put_cluster(JsonWriter& w, const Config& config, const std::vector<SlurmNode>& nodes, const SlurmRestSite& site) {
  std::vector<std::string> names;
  Resources total;
  for (const SlurmNode& node : nodes) {
    names.push_back(node.name);
    total.cpus += node.total.cpus;
    total.gpus += node.total.gpus;
    total.memory_bytes += node.total.memory_bytes;
  }
  constexpr int k_rpc_version_22_05 = 9728;
  w.begin_object();
  w.key("controller");
  w.begin_object();
  w("host", site.controller);
  w("port", site.controller_port);
  w.end_object();
  w.key("flags");
  w.put_json("[]");
  w("name", config.cluster_name);
  w("nodes", compress_hostlist(names));
  w("select_plugin", "cons_tres");
  w.key("associations");
  w.put_json(R"({"root":null})");
  w("rpc_version", k_rpc_version_22_05);
  w.key("tres");
  put_tres_list(w, tres_of(total, names.size()));
  w.end_object();
}

void put_minutes_or_null(JsonWriter& w, std::string_view key, Duration d) {
  d.is_infinite() ? put_null(w, key) : w(key, (d.whole_seconds() + 59) / 60);
}

void put_qos_limits(JsonWriter& w, const Qos& qos) {
  w.key("limits");
  w.begin_object();
  w("grace_time", qos.grace_time.whole_seconds());
  w.key("max");
  w.begin_object();
  w.key("active_jobs");
  w.put_json(R"({"accruing":null,"count":null})");
  w.key("tres");
  w.begin_object();
  w.key("total");
  w.put_json("[]");
  w.key("minutes");
  w.put_json(R"({"per":{"qos":[],"job":[],"account":[],"user":[]}})");
  w.key("per");
  w.begin_object();
  for (const char* key : {"account", "job", "node"}) {
    w.key(key);
    w.put_json("[]");
  }
  w.key("user");
  put_tres_list(w, qos.max_nodes_per_user == 0 ? std::vector<CountedTres>{}
                                               : std::vector<CountedTres>{{"node", "", 4, qos.max_nodes_per_user}});
  w.end_object();
  w.end_object();
  w.key("wall_clock");
  w.begin_object();
  w.key("per");
  w.begin_object();
  put_null(w, "qos");
  put_minutes_or_null(w, "job", qos.max_wall);
  w.end_object();
  w.end_object();
  w.key("jobs");
  w.begin_object();
  w.key("active_jobs");
  w.begin_object();
  w.key("per");
  w.begin_object();
  put_null(w, "account");
  put_number_or_null(w, "user", qos.max_jobs_per_user);
  w.end_object();
  w.end_object();
  w.key("per");
  w.begin_object();
  put_null(w, "account");
  put_number_or_null(w, "user", qos.max_submit_per_user);
  w.end_object();
  w.end_object();
  w.key("accruing");
  w.put_json(R"({"per":{"account":null,"user":null}})");
  w.end_object();
  put_null(w, "factor");
  w.key("min");
  w.put_json(R"({"priority_threshold":null,"tres":{"per":{"job":[]}}})");
  w.end_object();
}

void put_qos(JsonWriter& w, const Qos& qos, std::size_t id) {
  w.begin_object();
  w("description", qos.name == k_normal_qos ? "Normal QOS default" : qos.name);
  w.key("flags");
  w.put_json("[]");
  w("id", id);
  put_qos_limits(w, qos);
  w("name", qos.name);
  w.key("preempt");
  w.begin_object();
  w("list", qos.preempt);
  w.key("mode");
  w.begin_array();
  if (!qos.preempt.empty()) w.put(qos.preempt_mode == PreemptMode::requeue ? "REQUEUE" : "CANCEL");
  w.end_array();
  put_null(w, "exempt_time");
  w.end_object();
  w("priority", qos.priority);
  w.key("usage_factor");
  w.put_json(std::to_string(qos.price_factor_percent / 100) + "." + std::to_string(qos.price_factor_percent / 10 % 10) +
             (qos.price_factor_percent % 10 != 0 ? std::to_string(qos.price_factor_percent % 10) : ""));
  put_null(w, "usage_threshold");
  w.end_object();
}

/// Writes one list of the database into a document; how many entries of it were wanted.
class Database {
 public:
  Database(JsonWriter& w, const Config& config, const std::vector<SlurmNode>& nodes, const SlurmRestSite& site)
      : w_(w), config_(config), nodes_(nodes), site_(site) {}

  std::size_t tres() {
    Resources none;
    none.gpus = std::any_of(nodes_.begin(), nodes_.end(), [](const SlurmNode& n) { return n.total.gpus != 0; }) ? 1 : 0;
    std::vector<CountedTres> all = tres_of(none, 0);
    for (CountedTres& each : all) each.count = 0;
    all.insert(all.begin() + 8, {"dynamic_offset", "", 1000, 0});
    w_.key("TRES");
    put_tres_list(w_, all);
    return all.size();
  }

  std::size_t qos(const Wanted& wanted) {
    w_.key("QOS");
    w_.begin_array();
    std::vector<Qos> all = config_.qos;
    if (all.empty()) all.push_back({.name = k_normal_qos});
    std::size_t found = 0;
    for (std::size_t i = 0; i < all.size(); ++i) {
      if (!admits(wanted, "name", all[i].name)) continue;
      put_qos(w_, all[i], i + 1);
      ++found;
    }
    w_.end_array();
    return found;
  }

  std::size_t associations(const Wanted& wanted) {
    w_.key("associations");
    w_.begin_array();
    std::size_t found = 0;
    for (const Association& each : associations_of(config_)) {
      if (!is_wanted(each, wanted)) continue;
      put_association(w_, each, config_.cluster_name);
      ++found;
    }
    w_.end_array();
    return found;
  }

  bool is_wanted(const Association& each, const Wanted& wanted) const {
    return admits(wanted, "account", each.account) && admits(wanted, "user", each.user) &&
           admits(wanted, "cluster", config_.cluster_name) && admits(wanted, "partition", "");
  }

  std::size_t users(const Wanted& wanted) {
    w_.key("users");
    w_.begin_array();
    std::set<std::string> done;
    for (const Association& each : associations_of(config_)) {
      if (each.user.empty() || !admits(wanted, "name", each.user) || !done.insert(each.user).second) continue;
      put_user(w_, each.user, config_);
    }
    w_.end_array();
    return done.size();
  }

  std::size_t accounts(const Wanted& wanted) {
    w_.key("accounts");
    w_.begin_array();
    std::size_t found = 0;
    const auto put = [&](const std::string& name, const std::string& organization, const std::string& about) {
      if (!admits(wanted, "name", name)) return;
      put_account(w_, name, organization, about, config_);
      ++found;
    };
    put(k_root, k_root, "default root account");
    for (const Tenant& tenant : config_.tenants) {
      put(tenant.name, tenant.parent.empty() ? tenant.name : tenant.parent, tenant.name);
    }
    w_.end_array();
    return found;
  }

  std::size_t clusters(const Wanted& wanted) {
    w_.key("clusters");
    w_.begin_array();
    const bool found = admits(wanted, "name", config_.cluster_name);
    if (found) put_cluster(w_, config_, nodes_, site_);
    w_.end_array();
    return found ? 1 : 0;
  }

  /// What slurmdbd counts of its own work has no counterpart here.
  std::size_t diag() {
    w_.key("statistics");
    w_.put_json(R"({"time_start":0,"rollups":[],"RPCs":[],"users":[]})");
    return 1;
  }

  std::size_t wckeys() {
    w_.key("wckeys");
    w_.put_json("[]");
    return 0;
  }

 private:
  JsonWriter& w_;
  const Config& config_;
  const std::vector<SlurmNode>& nodes_;
  const SlurmRestSite& site_;
};

std::size_t put_lists(Database& db, SlurmOperation what, const Wanted& wanted) {
  using S = SlurmOperation;
  switch (what) {
    case S::db_config:
      db.clusters({});
      db.tres();
      db.accounts({});
      db.users({});
      db.qos({});
      db.wckeys();
      return db.associations({});
    case S::tres:
      return db.tres();
    case S::qos_list:
    case S::qos:
      return db.qos(wanted);
    case S::associations:
    case S::association:
      return db.associations(wanted);
    case S::users:
    case S::user:
      return db.users(wanted);
    case S::clusters:
    case S::cluster:
      return db.clusters(wanted);
    case S::accounts:
    case S::account:
      return db.accounts(wanted);
    case S::db_diag:
      return db.diag();
    default:
      return db.wckeys();
  }
}

std::string_view source_of(SlurmOperation what) {
  using S = SlurmOperation;
  switch (what) {
    case S::user:
    case S::users:
      return "slurmdb_users_get";
    case S::account:
    case S::accounts:
      return "slurmdb_accounts_get";
    case S::cluster:
    case S::clusters:
      return "slurmdb_clusters_get";
    default:
      return "slurmdb_associations_get";
  }
}

}  // namespace

SlurmRestAnswer slurm_rest_database(SlurmOperation what, const Config& config, const std::vector<SlurmNode>& nodes,
                                    const SlurmRestSite& site, const std::map<std::string, std::string>& wanted) {
  using S = SlurmOperation;
  const auto document = [&](const SlurmRestErrors& errors, std::size_t* found) {
    JsonWriter w;
    begin_slurm_document(w, SlurmPlugin::slurmdb, errors);
    Database db(w, config, nodes, site);
    *found = put_lists(db, what, wanted);
    w.end_object();
    return w.take();
  };
  std::size_t found = 0;
  std::string text = document({}, &found);
  if (what == S::association && found > 1) {
    const SlurmRestErrors ambiguous = {
        {.error = {9000, "Query empty or not RFC7320 compliant"},
         .description = "Ambiguous request: More than 1 association would have been dumped."}};
    JsonWriter w;
    begin_slurm_document(w, SlurmPlugin::slurmdb, ambiguous);
    w.key("associations");
    w.put_json("[]");
    w.end_object();
    return {400, w.take()};
  }
  const bool may_be_empty = what == S::qos || what == S::wckeys || what == S::wckey;
  if (found != 0 || may_be_empty) return {200, std::move(text)};
  const SlurmRestErrors nothing = {{.error = {9003, "Nothing found with query"},
                                    .description = "Nothing found",
                                    .source = std::string(source_of(what))}};
  return {k_not_found, document(nothing, &found)};
}

}  // namespace virga

// sshare: shares of accounts and users, and what they used of them.
#include <fmt/format.h>
#include <pwd.h>
#include <unistd.h>

#include <algorithm>

#include "cli/client.hpp"
#include "cli/command_registry.hpp"
#include "cli/lookups.hpp"
#include "cli/messages.hpp"
#include "cli/named_columns.hpp"
#include "cli/setters.hpp"
#include "cli/slurm_commands.hpp"
#include "cli/submission.hpp"
#include "wire/api_bodies.hpp"
#include "wire/priorities_body.hpp"

namespace virga {
namespace {

struct SshareOptions {
  std::vector<std::string> accounts;
  std::vector<std::string> clusters;
  std::vector<std::string> users;
  std::string format;
  bool all = false;
  bool help_format = false;
  bool long_list = false;
  bool no_header = false;
  bool parsable = false;
  bool parsable2 = false;
  bool partition = false;
  bool users_only = false;
  bool verbose = false;
  bool help = false;
  bool usage = false;
  bool version = false;
};
using O = SshareOptions;

Status refuse_letter(O&, std::string_view, const OptionInfo& row) {
  return fail(Code::corrupt, std::string("getopt error, returned ") + row.letter);
}

constexpr Option<O> k_table[] = {
    {{"accounts", 'A', Takes::value, Support::done, "list", "accounts to show"}, set_list<&O::accounts>},
    {{"all", 'a', Takes::nothing, Support::done, "", "all users"}, set_flag<&O::all>},
    {{"cluster", 'M', Takes::value, Support::done, "names", "this cluster, or all"}, set_list<&O::clusters>},
    {{"clusters", 'M', Takes::value, Support::done, "names", "this cluster, or all"}, set_list<&O::clusters>},
    {{"format", 'o', Takes::value, Support::done, "fields", "columns: Account%20,User"}, set_text<&O::format>},
    {{"help", 0, Takes::nothing, Support::done, "", "this text"}, set_flag<&O::help>},
    {{"helpformat", 'e', Takes::nothing, Support::done, "", "the names of columns"}, set_flag<&O::help_format>},
    {{"long", 'l', Takes::nothing, Support::done, "", "more columns"}, set_flag<&O::long_list>},
    {{"noheader", 'n', Takes::nothing, Support::done, "", "no first lines"}, set_flag<&O::no_header>},
    {{"parsable", 'p', Takes::nothing, Support::done, "", "columns between |, one at the end"}, set_flag<&O::parsable>},
    {{"parsable2", 'P', Takes::nothing, Support::done, "", "columns between |, none at the end"},
     set_flag<&O::parsable2>},
    {{"partition", 'm', Takes::nothing, Support::done, "", "a column with the partition"}, set_flag<&O::partition>},
    {{"usage", 0, Takes::nothing, Support::done, "", "one line about each option"}, set_flag<&O::usage>},
    {{"Users", 'U', Takes::nothing, Support::done, "", "rows of users only"}, set_flag<&O::users_only>},
    {{"users", 'u', Takes::value, Support::done, "list", "users to show"}, set_list<&O::users>},
    {{"verbose", 'v', Takes::nothing, Support::done, "", "say what was asked for"}, set_flag<&O::verbose>},
    {{"version", 'V', Takes::nothing, Support::done, "", "print the version"}, set_flag<&O::version>},
    {{"", 'h', Takes::nothing, Support::done, "", "no first lines"}, set_flag<&O::no_header>},
    {{"", 'q', Takes::nothing, Support::done, "", "an error, as in Slurm"}, refuse_letter},
    {{"", 't', Takes::value, Support::done, "text", "an error, as in Slurm"}, refuse_letter},
};
constexpr InputVariable k_variables[] = {
    {"SLURM_CLUSTERS", "clusters"},
    {"SLURM_CONF", "", Support::ignored, "Virga is configured by virga.toml"},
    {"SLURM_DEBUG_FLAGS", "", Support::ignored, "there is nothing to trace"},
};
constexpr CommandInfo k_sshare = {"sshare", "[OPTIONS]", 1};

enum Field : std::size_t {
  account,
  cluster,
  effective,
  fair_share,
  grp_tres_mins,
  grp_tres_raw,
  id,
  level_fs,
  norm_shares,
  norm_usage,
  partition,
  raw_shares,
  raw_usage,
  tres_run_mins,
  user,
};
const std::vector<ColumnName>& names() {
  static const std::vector<ColumnName> k_names = {
      {"Account", -20},   {"Cluster", 10},   {"EffectvUsage", 13}, {"FairShare", 10},   {"GrpTRESMins", 30},
      {"GrpTRESRaw", 30}, {"ID", 6},         {"LevelFS", 10},      {"NormShares", 11},  {"NormUsage", 11},
      {"Partition", 12},  {"RawShares", 10}, {"RawUsage", 11},     {"TRESRunMins", 30}, {"User", 10},
  };
  return k_names;
}

constexpr const char* k_default_format = "A,User,RawShares,NormShares,RawUsage,Eff,Fairshare";
constexpr const char* k_default_partition_format = "A,User,Partition,RawShares,NormShares,RawUsage,Eff,Fairshare";
constexpr const char* k_long_format =
    "A,User,RawShares,NormShares,RawUsage,NormUsage,Eff,Fairshare,LevelFS,GrpTRESMins,TRESRunMins";
constexpr const char* k_long_partition_format =
    "A,User,Partition,RawShares,NormShares,RawUsage,NormUsage,Eff,Fairshare,LevelFS,GrpTRESMins,TRESRunMins";
constexpr const char* k_no_tres = "cpu=0,mem=0,energy=0,node=0,billing=0,fs/disk=0,vmem=0,pages=0";

/// Slurm shows a number that its column is too narrow for with a power of ten.
Cell decimal(double value, const NamedColumn& column) {
  std::string text = fmt::format("{:.6f}", value);
  const auto width = static_cast<std::size_t>(column.width < 0 ? -column.width : column.width);
  if (width > 0 && text.size() > width) text = fmt::format("{:.6e}", value);
  return Cell::number(std::move(text));
}

double part(std::uint64_t a, std::uint64_t b) { return b == 0 ? 0 : static_cast<double>(a) / static_cast<double>(b); }

struct Tree {
  std::string cluster;
  std::uint64_t all_usage = 0;
  std::uint32_t cpus_per_node = 1;  ///< Slurm counts usage by processors
};

/// Shares of usage at this level against shares: above 1 less than its part was used.
Cell level_of(const ShareRow& row, const NamedColumn& column) {
  const double used = part(row.usage, row.parent_usage);
  if (used == 0) return Cell::number(std::string("inf"));
  return decimal(part(row.shares, row.sibling_shares) / used, column);
}

Cell cell_of(const ShareRow& row, const Tree& tree, const NamedColumn& column) {
  const bool is_root = row.tenant.empty() && row.user.empty();
  constexpr double k_root_shares = 1 / 4'294'967'295.0;  // Slurm has no number there, and divides it all the same
  const std::string name = row.tenant.empty() ? "root" : row.tenant;
  switch (column.field) {
    case account:
      return std::string(row.depth, ' ') + name;
    case cluster:
      return tree.cluster;
    case effective:
      return decimal(is_root ? 1 : part(row.usage, row.parent_usage), column);
    case fair_share:
      return row.user.empty() ? Cell() : decimal(row.fair_share_ppm / 1e6, column);
    case grp_tres_raw:
    case tres_run_mins:
      return k_no_tres;
    case level_fs:
      return is_root ? Cell() : level_of(row, column);
    case norm_shares:
      return decimal(is_root ? k_root_shares : part(row.shares, row.sibling_shares), column);
    case norm_usage:
      return is_root ? Cell() : decimal(part(row.usage, tree.all_usage), column);
    case raw_shares:
      return is_root ? Cell() : Cell::number(row.shares);
    case raw_usage:
      return Cell::number(row.usage * tree.cpus_per_node / 1'000);
    case user:
      return row.user;
    default:
      return {};
  }
}

/// As Slurm has them: a level's users first, both by name.
void sort_by_name(std::vector<ShareRow>& rows, std::size_t begin, std::size_t end) {
  if (end - begin < 2) return;
  const std::uint32_t depth = rows[begin].depth;
  std::vector<std::vector<ShareRow>> branches;
  for (std::size_t i = begin; i < end; ++i) {
    if (rows[i].depth == depth) branches.emplace_back();
    branches.back().push_back(rows[i]);
  }
  std::stable_sort(branches.begin(), branches.end(), [](const auto& a, const auto& b) {
    const ShareRow& x = a.front();
    const ShareRow& y = b.front();
    if (x.user.empty() != y.user.empty()) return y.user.empty();
    return x.user.empty() ? x.tenant < y.tenant : x.user < y.user;
  });
  std::size_t at = begin;
  for (std::vector<ShareRow>& branch : branches) {
    sort_by_name(branch, 1, branch.size());
    for (ShareRow& row : branch) rows[at++] = std::move(row);
  }
}

bool contains(const std::vector<std::string>& list, const std::string& word) {
  return std::find(list.begin(), list.end(), word) != list.end();
}

std::uint32_t mean_cpus(const Config& config) {
  std::uint64_t nodes = 0;
  std::uint64_t cpus = 0;
  for (const Pool& pool : config.pools) {
    nodes += pool.max_nodes;
    cpus += std::uint64_t{pool.max_nodes} * pool.sku.resources.cpus;
  }
  return nodes == 0 ? 1 : static_cast<std::uint32_t>((cpus + nodes / 2) / nodes);
}

bool is_shown(const ShareRow& row, const O& o, const std::vector<std::string>& users) {
  if (!o.accounts.empty() && !contains(o.accounts, row.tenant.empty() ? "root" : row.tenant)) return false;
  if (row.user.empty()) return !o.users_only;
  return o.all || contains(users, row.user);
}

int show(Client& client, const O& o, const std::vector<std::string>& users, const std::vector<NamedColumn>& columns) {
  Result<PrioritiesBody> body = client.get_as<PrioritiesBody>("/v1/priorities");
  if (!body) return failed("sshare", body.error());
  Result<Config> config = client.get_as<Config>("/v1/config");
  if (!config) return failed("sshare", config.error());
  std::vector<ShareRow>& rows = body->shares;
  sort_by_name(rows, 0, rows.size());
  Tree tree{config->cluster_name, rows.empty() ? 0 : rows.front().usage, mean_cpus(*config)};
  std::vector<ShareRow> shown;
  std::vector<bool> above;  // by depth: whether the row that the next ones hang from is shown
  for (ShareRow& row : rows) {
    above.resize(row.depth + 1);
    above[row.depth] = is_shown(row, o, users);
    if (!above[row.depth]) continue;
    // Names begin at the left, whatever the depth of the first one.
    row.depth = static_cast<std::uint32_t>(std::count(above.begin(), above.end(), true) - 1);
    shown.push_back(std::move(row));
  }
  ColumnStyle style;
  style.header = !o.no_header;
  style.parsable = o.parsable || o.parsable2;
  style.end_delimiter = o.parsable && !o.parsable2;
  std::string out = column_header(columns, style);
  for (const ShareRow& row : shown) {
    std::vector<Cell> cells;
    for (const NamedColumn& column : columns) cells.push_back(cell_of(row, tree, column));
    out += column_line(cells, columns, style);
  }
  return print_out(out) ? k_exit_ok : k_exit_failure;
}

void tell_what_was_asked(const O& o, const std::vector<std::string>& users) {
  const auto tell = [](const std::vector<std::string>& names, bool all) {
    if (all) std::fputs("\t: all\n", stderr);
    for (const std::string& name : names) {
      if (!all) std::fprintf(stderr, "\t: %s\n", name.c_str());
    }
  };
  std::fputs("Users requested:\n", stderr);
  tell(users, o.all);
  std::fputs("Accounts requested:\n", stderr);
  tell(o.accounts, o.accounts.empty());
}

std::string format_of(const O& o) {
  if (!o.format.empty()) return o.format;
  if (o.long_list) return o.partition ? k_long_partition_format : k_long_format;
  return o.partition ? k_default_partition_format : k_default_format;
}

}  // namespace

int sshare_main(int argc, char** argv) {
  SshareOptions options;
  const std::span<const Option<O>> table(k_table);
  if (Status ok =
          apply_variables(k_sshare, table, std::span<const InputVariable>(k_variables), environment_variable, options);
      !ok) {
    return option_failure(k_sshare, ok.error());
  }
  Result<std::vector<std::string>> operands =
      parse_options(k_sshare, table, arguments_of(argc, argv), options, {.stop_at_operand = false});
  if (!operands && operands.error().code == Code::corrupt) {
    std::fprintf(stderr, "%s\n", operands.error().message.c_str());
    return k_exit_failure;
  }
  if (!operands) return option_failure(k_sshare, operands.error());
  if (answer_about_itself(k_sshare, rows_of(table), options.version, options.help, options.usage)) return k_exit_ok;
  if (options.help_format) return print_out(column_names(names(), 17, 4)) ? k_exit_ok : k_exit_failure;
  Result<std::vector<NamedColumn>> columns = parse_columns(format_of(options), names());
  if (!columns) {
    print_error("sshare", "Invalid field requested: \"" + columns.error().message + "\"");
    return k_exit_failure;
  }
  std::vector<std::string> users = options.users;
  const ::passwd* caller = ::getpwuid(::getuid());
  if (users.empty() && caller != nullptr) users.emplace_back(caller->pw_name);
  if (options.verbose) tell_what_was_asked(options, users);
  Result<Client> client = Client::from_environment();
  if (!client) return failed("sshare", client.error());
  if (Status ok = check_clusters(*client, options.clusters); !ok) return failed("sshare", ok.error());
  if (!options.clusters.empty()) {
    Result<PingBody> ping = client->get_as<PingBody>("/v1/ping");
    if (ping) print_out("CLUSTER: " + ping->cluster + "\n");
  }
  return show(*client, options, users, *columns);
}

CommandTable sshare_command() {
  return {k_sshare,
          "shares and usage of accounts",
          rows_of(std::span<const Option<O>>(k_table)),
          {std::begin(k_variables), std::end(k_variables)}};
}

}  // namespace virga

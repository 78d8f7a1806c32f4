// sacctmgr: accounts, users, associations and QOS. They are described in virga.toml, so that they are shown, not
// changed.
#include <fmt/format.h>
#include <strings.h>

#include <algorithm>
#include <fstream>
#include <iostream>
#include <string>

#include "cli/client.hpp"
#include "cli/command_registry.hpp"
#include "cli/lookups.hpp"
#include "cli/messages.hpp"
#include "cli/sacctmgr_records.hpp"
#include "cli/setters.hpp"
#include "cli/slurm_commands.hpp"
#include "cli/submission.hpp"

namespace virga {
namespace {

struct SacctmgrOptions {
  bool associations = false;
  bool no_header = false;
  bool parsable = false;
  bool parsable2 = false;
  bool help = false;
  bool usage = false;
  bool version = false;
};
using O = SacctmgrOptions;

constexpr Option<O> k_table[] = {
    {{"associations", 's', Takes::nothing, Support::done, "", "with the associations of each"},
     set_flag<&O::associations>},
    {{"help", 'h', Takes::nothing, Support::done, "", "this text"}, set_flag<&O::help>},
    {{"immediate", 'i', Takes::nothing, Support::quiet, "", "nothing is asked"}},
    {{"noheader", 'n', Takes::nothing, Support::done, "", "no first lines"}, set_flag<&O::no_header>},
    {{"oneliner", 'o', Takes::nothing, Support::quiet, "", "one line each"}},
    {{"parsable", 'p', Takes::nothing, Support::done, "", "columns between |, one at the end"}, set_flag<&O::parsable>},
    {{"parsable2", 'P', Takes::nothing, Support::done, "", "columns between |, none at the end"},
     set_flag<&O::parsable2>},
    {{"quiet", 'Q', Takes::nothing, Support::quiet, "", "say less"}},
    {{"readonly", 'r', Takes::nothing, Support::quiet, "", "nothing is changed anyway"}},
    {{"usage", 'h', Takes::nothing, Support::done, "", "one line about each option"}, set_flag<&O::usage>},
    {{"verbose", 'v', Takes::nothing, Support::quiet, "", "say more"}},
    {{"version", 'V', Takes::nothing, Support::done, "", "print the version"}, set_flag<&O::version>},
};
constexpr InputVariable k_variables[] = {
    {"SLURM_CONF", "", Support::ignored, "Virga is configured by virga.toml"},
};
constexpr CommandInfo k_sacctmgr = {"sacctmgr", "[OPTIONS] [COMMAND]", 1};

constexpr const char* k_in_file =
    "accounts, users and QOS are described in virga.toml: change them there, then virga reload";

/// Is `word` short for `whole`, with `least` letters at the least?
bool is_short_for(std::string_view word, std::string_view whole, std::size_t least) {
  return word.size() >= least && word.size() <= whole.size() &&
         ::strncasecmp(word.data(), whole.data(), word.size()) == 0;
}

/// A kind of records, and what of it may be asked for.
struct Entity {
  const char* name;
  std::size_t least;
  const char* format;
  const char* associated_format;  ///< with withassoc; null: there is no such thing
  const char* key;                ///< the column that a bare word is about
  AccountRecords (*records)(const Config&, bool with_associations);
};

AccountRecords nothing(const Config&, bool) { return {}; }

constexpr const char* k_with_assoc =
    ",Cluster,ParentName,User,Share,Priority,GrpJobs,GrpNodes,GrpCPUs,GrpMem,GrpSubmit,GrpWall,GrpCPUMins,MaxJobs,"
    "MaxNodes,MaxCPUs,MaxSubmit,MaxWall,MaxCPUMins,QOS,DefaultQOS";
constexpr const char* k_user_with_assoc =
    ",Cluster,Account,Partition,Share,Priority,MaxJobs,MaxNodes,MaxCPUs,MaxSubmit,MaxWall,MaxCPUMins,QOS,DefaultQOS";
constexpr Entity k_entities[] = {
    {"Accounts", 2, "Account,Description,Organization", k_with_assoc, "Account", account_records},
    {"Associations", 2,
     "Cluster,Account,User,Partition,Share,Priority,GrpJobs,GrpTRES,GrpSubmit,GrpWall,GrpTRESMins,MaxJobs,MaxTRES,"
     "MaxTRESPerNode,MaxSubmit,MaxWall,MaxTRESMins,QOS,DefaultQOS,GrpTRESRunMins",
     nullptr, "ID", [](const Config& config, bool) { return association_records(config); }},
    {"Clusters", 2,
     "Cluster,ControlHost,ControlPort,RPC,Share,GrpJobs,GrpTRES,GrpSubmit,MaxJobs,MaxTRES,MaxSubmit,MaxWall,QOS,"
     "DefaultQOS",
     nullptr, "Cluster", [](const Config& config, bool) { return cluster_records(config); }},
    {"Events", 1, "Cluster,NodeName,Start,End,State,Reason,User", nullptr, "NodeName", nothing},
    {"Federations", 1, "Federation,Cluster,ID%2,Features,FedState", nullptr, "Federation", nothing},
    {"Problems", 1, "Cluster,Account,User,Problem", nullptr, "Account", nothing},
    {"QOS", 1,
     "Name,Priority,GraceTime,Preempt,PreemptExemptTime,PreemptMode,Flags%40,UsageThreshold,UsageFactor,GrpTRES,"
     "GrpTRESMins,GrpTRESRunMins,GrpJobs,GrpSubmit,GrpWall,MaxTRES,MaxTRESPerNode,MaxTRESMins,MaxWall,MaxTRESPU,"
     "MaxJobsPU,MaxSubmitPU,MaxTRESPA,MaxJobsPA,MaxSubmitPA,MinTRES",
     nullptr, "Name", [](const Config& config, bool) { return qos_records(config); }},
    {"Resources", 4, "Name,Server,Type,Count,Allocated,ServerType", nullptr, "Name", nothing},
    {"RunawayJobs", 2, "", nullptr, "ID", nothing},
    {"TRES", 2, "Type,Name%15,ID", nullptr, "Type", [](const Config& config, bool) { return tres_records(config); }},
    {"Users", 1, "User,DefaultAccount,AdminLevel", k_user_with_assoc, "User", user_records},
    {"WCKeys", 1, "WCKey,Cluster,User", nullptr, "WCKey", nothing},
};

const Entity* entity_of(std::string_view word) {
  for (const Entity& entity : k_entities) {
    if (is_short_for(word, entity.name, entity.least)) return &entity;
  }
  return nullptr;
}

/// What stands behind the kind of records.
struct Question {
  std::vector<std::pair<std::string, std::vector<std::string>>> wanted;  ///< column and its values
  std::string format;
  bool has_format = false;
  bool with_associations = false;
  bool tree = false;
  bool without_limits = false;
  bool only_defaults = false;
  bool with_coordinators = false;
};

bool take_flag(std::string_view word, Question& q) {
  if (is_short_for(word, "WithAssoc", 5)) return q.with_associations = true;
  if (is_short_for(word, "WithCoordinators", 5)) return q.with_coordinators = true;
  if (is_short_for(word, "Tree", 4)) return q.tree = true;
  if (is_short_for(word, "WOLimits", 3)) return q.without_limits = true;
  if (is_short_for(word, "OnlyDefaults", 4)) return q.only_defaults = true;
  for (const char* quiet : {"where", "set", "WOPInfo", "WOPLimits", "WithSubAccounts", "WithRawQOSLevel", "WithDeleted",
                            "WithFed", "WithClusters", "All_Clusters", "All_Time"}) {
    if (is_short_for(word, quiet, 3)) return true;
  }
  return false;
}

std::string column_of(const Entity& entity, std::string_view key) {
  if (is_short_for(key, "Names", 1)) return entity.key;
  for (const char* name :
       {"Account", "Cluster", "User", "QOS", "Description", "Organization", "Type", "AdminLevel", "DefaultAccount",
        "ID", "ParentName", "Partition", "State", "Start", "End", "Event", "NodeName", "Share"}) {
    if (is_short_for(key, name, 2) || is_short_for(key, std::string(name) + "s", 2)) return name;
  }
  return {};
}

Result<Question> question_of(const Entity& entity, const std::vector<std::string>& words, std::size_t at) {
  Question q;
  for (; at < words.size(); ++at) {
    const std::string& word = words[at];
    const std::size_t equals = word.find('=');
    if (equals == word.npos) {
      if (!take_flag(word, q)) q.wanted.push_back({entity.key, split_list(word)});
      continue;
    }
    const std::string value = word.substr(equals + 1);
    if (is_short_for(word.substr(0, equals), "Format", 1)) {
      q.format = value;
      q.has_format = true;
      continue;
    }
    const std::string column = column_of(entity, word.substr(0, equals));
    if (column.empty()) {
      const bool is_short = std::string_view(entity.name) == "Associations";
      const char* value_word = std::string_view(entity.name) == "QOS" ? "SLURM_PRINT_VALUE" : "value";
      return fail(Code::invalid, " Unknown condition: " + word + "\n" +
                                     (is_short ? "" : fmt::format(" Use keyword 'set' to modify {}\n", value_word)));
    }
    q.wanted.push_back({column, split_list(value)});
  }
  return q;
}

std::string text_in(const AccountRecord& record, std::string_view column) {
  const auto found = record.find(column);
  return found != record.end() ? found->second : "";
}

bool is_wanted(const AccountRecord& record, const Question& q) {
  for (const auto& [column, values] : q.wanted) {
    if (column == "Start" || column == "End" || column == "Event" || column == "State") continue;
    const std::vector<std::string> has =
        column == "QOS" ? split_list(text_in(record, column)) : std::vector{text_in(record, column)};
    bool found = false;
    for (const std::string& value : values) {
      found = found || std::any_of(has.begin(), has.end(), [&](const std::string& text) {
                return text.size() == value.size() && is_short_for(value, text, value.size());
              });
    }
    if (!found) return false;
  }
  if (q.only_defaults) {
    return !text_in(record, "User").empty();
  }
  return true;
}

/// A number is shown whole in Slurm.
Cell cell_of(const AccountRecord& record, const std::string& column, bool tree) {
  std::string text = text_in(record, column);
  if (column == "Account" && tree) return text_in(record, "depth") + text;
  const bool is_number =
      !text.empty() && std::all_of(text.begin(), text.end(), [](char c) { return c >= '0' && c <= '9'; });
  return is_number ? Cell::number(std::move(text)) : Cell(std::move(text));
}

std::string format_of(const Entity& entity, const Question& q) {
  if (q.has_format) return q.format;
  std::string format = entity.format;
  if (q.without_limits) return "Cluster,Account,User,Partition";
  if (q.with_associations && entity.associated_format != nullptr) format += entity.associated_format;
  if (q.with_coordinators) format += ",CoordAccounts";
  return format;
}

int show(Client& client, const O& o, const Entity& entity, Question q) {
  q.with_associations = q.with_associations || o.associations;
  const std::string format = format_of(entity, q);
  Result<std::vector<NamedColumn>> columns = parse_columns(format, sacctmgr_columns());
  if (!columns || format.empty()) {
    std::fprintf(stderr, "Unknown field '%s'\n", columns ? "" : columns.error().message.c_str());
    return k_exit_failure;
  }
  Result<Config> config = client.get_as<Config>("/v1/config");
  if (!config) return failed("sacctmgr", config.error());
  ColumnStyle style;
  style.header = !o.no_header;
  style.parsable = o.parsable || o.parsable2;
  style.end_delimiter = o.parsable && !o.parsable2;
  for (NamedColumn& column : *columns) {
    if (q.tree && sacctmgr_columns()[column.field].name == std::string_view("Account") && column.width == 10) {
      column.width = -20;
    }
  }
  std::string out = column_header(*columns, style);
  AccountRecords records = entity.records(*config, q.with_associations);
  if (q.only_defaults) {
    const AccountRecords users = user_records(*config, false);
    std::erase_if(records, [&](const AccountRecord& record) {
      return std::none_of(users.begin(), users.end(), [&](const AccountRecord& user) {
        return text_in(user, "User") == text_in(record, "User") &&
               text_in(user, "DefaultAccount") == text_in(record, "Account");
      });
    });
    std::stable_sort(records.begin(), records.end(),
                     [](const auto& a, const auto& b) { return text_in(a, "User") < text_in(b, "User"); });
  }
  for (const AccountRecord& record : records) {
    if (!is_wanted(record, q)) continue;
    std::vector<Cell> cells;
    for (const NamedColumn& column : *columns) {
      cells.push_back(cell_of(record, sacctmgr_columns()[column.field].name, q.tree));
    }
    out += column_line(cells, *columns, style);
  }
  return print_out(out) ? k_exit_ok : k_exit_failure;
}

constexpr const char* k_no_entity =
    "No valid entity in list command\n"
    "Input line must include \"Account\", \"Association\", \"Cluster\", \"Configuration\",\n"
    "\"Event\", \"Federation\", \"Problem\", \"QOS\", \"Resource\", \"Reservation\",\n"
    "\"RunAwayJobs\", \"Stats\", \"Transaction\", \"TRES\", \"User\", or \"WCKey\"\n";

int list(const O& o, const std::vector<std::string>& words) {
  const Entity* entity = words.size() > 1 ? entity_of(words[1]) : nullptr;
  if (entity == nullptr) {
    const bool is_service =
        words.size() > 1 && (is_short_for(words[1], "Configuration", 2) || is_short_for(words[1], "Stats", 1));
    std::fputs(is_service ? "sacctmgr: error: there is no slurmdbd here; scontrol show config tells the configuration\n"
                          : k_no_entity,
               stderr);
    return k_exit_failure;
  }
  Result<Question> question = question_of(*entity, words, 2);
  if (!question) {
    std::fputs(question.error().message.c_str(), stderr);
    return k_exit_failure;
  }
  Result<Client> client = Client::from_environment();
  if (!client) return failed("sacctmgr", client.error());
  if (std::string_view(entity->name) == "RunawayJobs") {
    Result<Config> config = client->get_as<Config>("/v1/config");
    if (!config) return failed("sacctmgr", config.error());
    return print_out("Runaway Jobs: No runaway jobs found on cluster " + config->cluster_name + "\n") ? k_exit_ok
                                                                                                      : k_exit_failure;
  }
  return show(*client, o, *entity, *std::move(question));
}

int dump(const std::vector<std::string>& words) {
  std::string cluster;
  std::string path;
  for (std::size_t i = 1; i < words.size(); ++i) {
    const std::size_t equals = words[i].find('=');
    const std::string key = words[i].substr(0, equals == std::string::npos ? 0 : equals);
    if (key.empty() || is_short_for(key, "Cluster", 1)) cluster = words[i].substr(key.empty() ? 0 : equals + 1);
    if (is_short_for(key, "File", 1)) path = words[i].substr(equals + 1);
  }
  if (cluster.empty()) {
    std::fputs(" We need a cluster to dump.\n", stderr);
    return k_exit_failure;
  }
  Result<Client> client = Client::from_environment();
  if (!client) return failed("sacctmgr", client.error());
  Result<Config> config = client->get_as<Config>("/v1/config");
  if (!config) return failed("sacctmgr", config.error());
  if (cluster != config->cluster_name) {
    std::fprintf(stderr, " Cluster %s doesn't exist.\n", cluster.c_str());
    return k_exit_failure;
  }
  std::ofstream file(path.empty() ? "./" + cluster + ".cfg" : path);
  file << "# To edit this file start with a cluster line for the new cluster\n"
          "# Cluster - 'cluster_name':MaxTRESPerJob=node=50\n"
          "# Followed by Accounts you want in this fashion (root is created by default)...\n";
  for (const std::string& line : dump_lines(*config)) {
    file << line << '\n';
    std::fprintf(stderr, "sacctmgr: %s\n", line.c_str());
  }
  file.close();
  if (file) return k_exit_ok;
  std::fputs("sacctmgr: error: the file could not be written\n", stderr);
  return k_exit_failure;
}

int carry_out(const O& o, const std::vector<std::string>& words) {
  const std::string& verb = words.front();
  if (is_short_for(verb, "list", 1) || is_short_for(verb, "show", 3)) return list(o, words);
  if (is_short_for(verb, "dump", 3)) return dump(words);
  if (is_short_for(verb, "version", 4)) return print_out(version_line()) ? k_exit_ok : k_exit_failure;
  for (const char* change : {"add", "create", "modify", "update", "delete", "remove", "load", "archive", "clear",
                             "reconfigure", "shutdown"}) {
    if (!is_short_for(verb, change, 3)) continue;
    print_error("sacctmgr", k_in_file);
    return k_exit_failure;
  }
  std::fprintf(stderr, "invalid keyword: %s\n", verb.c_str());
  return k_exit_failure;
}

/// Without words on the command line: one command a line, until the end or "quit".
int converse(const O& o) {
  int exit_code = k_exit_ok;
  std::string line;
  while (print_out("sacctmgr: ") && std::getline(std::cin, line)) {
    std::vector<std::string> words;
    for (std::size_t at = 0; (at = line.find_first_not_of(" \t", at)) != line.npos;) {
      const std::size_t end = std::min(line.find_first_of(" \t", at), line.size());
      words.push_back(line.substr(at, end - at));
      at = end;
    }
    if (words.empty()) continue;
    if (is_short_for(words.front(), "quit", 1) || is_short_for(words.front(), "exit", 1)) return exit_code;
    exit_code = carry_out(o, words);
  }
  print_out("\n");
  return exit_code;
}

}  // namespace

int sacctmgr_main(int argc, char** argv) {
  SacctmgrOptions options;
  const std::span<const Option<O>> table(k_table);
  Result<std::vector<std::string>> operands =
      parse_options(k_sacctmgr, table, arguments_of(argc, argv), options, {.stop_at_operand = false});
  if (!operands) return option_failure(k_sacctmgr, operands.error());
  if (answer_about_itself(k_sacctmgr, rows_of(table), options.version, options.help, options.usage)) return k_exit_ok;
  return operands->empty() ? converse(options) : carry_out(options, *operands);
}

CommandTable sacctmgr_command() {
  return {k_sacctmgr,
          "accounts, users, associations, QOS",
          rows_of(std::span<const Option<O>>(k_table)),
          {std::begin(k_variables), std::end(k_variables)}};
}

}  // namespace virga

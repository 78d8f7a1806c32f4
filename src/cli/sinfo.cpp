// sinfo: partitions and nodes, in Slurm's tables or as its JSON.
#include <fmt/format.h>

#include <algorithm>
#include <utility>

#include "cli/client.hpp"
#include "cli/command_registry.hpp"
#include "cli/lookups.hpp"
#include "cli/messages.hpp"
#include "cli/node_table.hpp"
#include "cli/setters.hpp"
#include "cli/slurm_commands.hpp"
#include "cli/submission.hpp"
#include "wire/api_bodies.hpp"
#include "wire/hostlist.hpp"
#include "wire/slurm_json.hpp"
#include "wire/slurm_yaml.hpp"

namespace virga {
namespace {

struct SinfoOptions {
  std::vector<std::string> partitions;
  std::vector<std::string> clusters;
  std::vector<std::string> states;
  std::string nodes;
  std::string format;
  std::string long_format;
  std::string sort;
  bool by_node = false;
  bool long_list = false;
  bool summarize = false;
  bool reasons = false;
  bool dead = false;
  bool responding = false;
  bool no_header = false;
  bool reservations = false;
  bool json = false;
  bool yaml = false;
  int iterate_seconds = 0;
  bool help = false;
  bool usage = false;
  bool version = false;
};
using O = SinfoOptions;

constexpr const char* k_one_cluster = "there is one cluster";

Status set_iterate(O& o, std::string_view v, const OptionInfo&) {
  o.iterate_seconds = whole_number_or_zero(v);
  if (o.iterate_seconds == 0) return fail(Code::invalid, "Error: invalid entry for --iterate=" + std::string(v));
  return {};
}

Status set_yaml(O& o, std::string_view, const OptionInfo&) {
  o.json = o.yaml = true;
  return {};
}

std::string as_asked(std::string json, const O& o) { return o.yaml ? slurm_yaml(json, true) : std::move(json) + "\n"; }

constexpr Option<O> k_table[] = {
    {{"all", 'a', Takes::nothing, Support::quiet, "", "no partition is hidden"}},
    {{"cluster", 'M', Takes::value, Support::done, "names", "this cluster, or all"}, set_list<&O::clusters>},
    {{"clusters", 'M', Takes::value, Support::done, "names", "this cluster, or all"}, set_list<&O::clusters>},
    {{"dead", 'd', Takes::nothing, Support::done, "", "nodes that do not answer"}, set_flag<&O::dead>},
    {{"exact", 'e', Takes::nothing, Support::quiet, "", "nodes share a line if they are alike"}},
    {{"federation", 0, Takes::nothing, Support::quiet, "", k_one_cluster}},
    {{"Format", 'O', Takes::value, Support::done, "fields", "columns by name: NodeList:20,CPUs"},
     set_text<&O::long_format>},
    {{"format", 'o', Takes::value, Support::done, "letters", "columns by letter: %P %.6D %N"}, set_text<&O::format>},
    {{"help", 0, Takes::nothing, Support::done, "", "this text"}, set_flag<&O::help>},
    {{"hide", 0, Takes::nothing, Support::quiet, "", "no partition is hidden"}},
    {{"iterate", 'i', Takes::value, Support::done, "seconds", "show it again and again"}, set_iterate},
    {{"json", 0, Takes::nothing, Support::done, "", "as Slurm's JSON (v0.0.38)"}, set_flag<&O::json>},
    {{"list-reasons", 'R', Takes::nothing, Support::done, "", "why nodes are drained"}, set_flag<&O::reasons>},
    {{"local", 0, Takes::nothing, Support::quiet, "", k_one_cluster}},
    {{"long", 'l', Takes::nothing, Support::done, "", "more columns"}, set_flag<&O::long_list>},
    {{"Node", 'N', Takes::nothing, Support::done, "", "one line for each node"}, set_flag<&O::by_node>},
    {{"noconvert", 0, Takes::nothing, Support::quiet, "", "units stay as they are"}},
    {{"nodes", 'n', Takes::value, Support::done, "hosts", "nodes to show"}, set_text<&O::nodes>},
    {{"noheader", 'h', Takes::nothing, Support::done, "", "no first line"}, set_flag<&O::no_header>},
    {{"partition", 'p', Takes::value, Support::done, "list", "partitions to show"}, set_list<&O::partitions>},
    {{"reservation", 'T', Takes::nothing, Support::quiet, "", "those of virga.toml have no nodes of their own to list"},
     set_flag<&O::reservations>},
    {{"responding", 'r', Takes::nothing, Support::done, "", "nodes that answer"}, set_flag<&O::responding>},
    {{"sort", 'S', Takes::value, Support::done, "letters", "order: #P,-t; # for the configuration's order"},
     set_text<&O::sort>},
    {{"states", 't', Takes::value, Support::done, "list", "states to show: idle,alloc,drain,..."},
     set_list<&O::states>},
    {{"summarize", 's', Takes::nothing, Support::done, "", "one line for each partition"}, set_flag<&O::summarize>},
    {{"usage", 0, Takes::nothing, Support::done, "", "one line about each option"}, set_flag<&O::usage>},
    {{"verbose", 'v', Takes::nothing, Support::quiet, "", "say more"}},
    {{"version", 'V', Takes::nothing, Support::done, "", "print the version"}, set_flag<&O::version>},
    {{"yaml", 0, Takes::nothing, Support::done, "", "the same in YAML"}, set_yaml},
};
constexpr InputVariable k_variables[] = {
    {"SINFO_ALL", "all"},
    {"SINFO_FEDERATION", "federation"},
    {"SINFO_FORMAT", "format"},
    {"SINFO_LOCAL", "local"},
    {"SINFO_PARTITION", "partition"},
    {"SINFO_SORT", "sort"},
    {"SLURM_CLUSTERS", "clusters"},
    {"SLURM_TIME_FORMAT", "", Support::done, "relative, standard or a form of strftime"},
    {"SLURM_CONF", "", Support::ignored, "Virga is configured by virga.toml"},
    {"SLURM_DEBUG_FLAGS", "", Support::ignored, "there is nothing to trace"},
};
constexpr CommandInfo k_sinfo = {"sinfo", "[OPTIONS]", 1};

/// Slurm's widths: long enough for the longest node list and partition name there is.
struct Widths {
  std::size_t partition = 9;
  std::size_t node = 9;
};

Widths widths_of(const Config& config, const std::vector<SlurmNode>& nodes) {
  Widths w;
  for (const Partition& p : config.partitions)
    w.partition = std::max(w.partition, p.name.size() + (p.is_default ? 1 : 0));
  for (const SlurmNode& n : nodes) w.node = std::max(w.node, n.name.size());
  return w;
}

std::string letters_for(const O& o, const Widths& w) {
  if (!o.format.empty()) return o.format;
  const std::size_t p = w.partition;
  if (o.reasons) {
    return o.long_list ? "%20E %12U %19H %6t %N" : "%20E %9u %19H %N";
  }
  if (o.by_node) {
    return o.long_list ? fmt::format("%{}N %.6D %.{}P %.11T %4c %.8z %.6m %.8d %.6w %.8f %20E", w.node, p)
                       : fmt::format("%{}N %.6D %.{}P %6t", w.node, p);
  }
  if (o.summarize) return fmt::format("%{}P %.5a %.10l %.16F %N", p);
  return o.long_list ? fmt::format("%{}P %.5a %.10l %.10s %.4r %.8h %.10g %.6D %.11T %N", p)
                     : fmt::format("%{}P %.5a %.10l %.6D %.6t %N", p);
}

Status check_states(const O& o) {
  for (const std::string& word : o.states) {
    for (const std::string& part : split_list(word, '&')) {
      if (node_state_matches(SlurmNode{}, part)) continue;
      return fail(Code::invalid,
                  "Bad state string: \"" + part +
                      "\"\nvalid states: unknown,down,idle,allocated,?,mixed,future,drain,drained,draining,"
                      "no_respond,reserved,perfctrs,cloud,completing,powering_down,powered_down,"
                      "power_down,powering_up,fail,maint,reboot,reboot^,unknown");
    }
  }
  return {};
}

bool wanted(const SlurmNode& node, const O& o, const std::vector<std::string>& names) {
  if (!names.empty() && std::find(names.begin(), names.end(), node.name) == names.end()) return false;
  if (o.reasons && node.reason.empty()) return false;
  if (o.dead) return false;  // a node that does not answer is gone within a second
  if (o.states.empty()) return true;
  return std::any_of(o.states.begin(), o.states.end(), [&](const std::string& word) {
    const std::vector<std::string> parts = split_list(word, '&');  // "idle&drain": both
    return std::all_of(parts.begin(), parts.end(),
                       [&](const std::string& part) { return node_state_matches(node, part).value_or(false); });
  });
}

/// Busy and drained nodes first, as Slurm sorts by state.
int rank(const NodeRow& row) {
  if (row.nodes.empty()) return 0;
  const SlurmNode& node = *row.nodes.front();
  const int base = node.base == SlurmNode::Base::mixed ? 3 : node.base == SlurmNode::Base::allocated ? 2 : 1;
  return base + (node.drained ? 10 : 0) + (node.power == SlurmNode::Power::on ? 0 : 20);
}

void sort_rows(std::vector<NodeRow>& rows) {
  std::stable_sort(rows.begin(), rows.end(), [](const NodeRow& a, const NodeRow& b) {
    return a.partition != b.partition ? a.partition < b.partition : rank(a) > rank(b);
  });
}

/// "P,-t,#P": letters of --format; a # means the order of the configuration, a - the other way round.
struct SortKey {
  char letter = 0;
  bool configured = false;
  bool descending = false;
};

std::vector<SortKey> sort_keys(const std::string& text) {
  std::vector<SortKey> keys;
  SortKey key;
  for (const char c : text) {
    if (c == '#') {
      key.configured = true;
    } else if (c == '-' || c == '+') {
      key.descending = c == '-';
    } else if (c != ',') {
      key.letter = c;
      keys.push_back(key);
      key = {};
    }
  }
  return keys;
}

/// Negative, zero or positive, as the first row comes before, with or after the second.
int compare(const NodeRow& a, const NodeRow& b, const SortKey& key) {
  const auto order = [](const auto& x, const auto& y) { return x < y ? -1 : y < x ? 1 : 0; };
  if ((key.letter == 'P' || key.letter == 'R') && key.configured) return order(a.partition, b.partition);
  if (key.letter == 'P' || key.letter == 'R') return order(a.partition->name, b.partition->name);
  if (a.nodes.empty() || b.nodes.empty()) return order(a.nodes.size(), b.nodes.size());
  if (key.letter == 'N' || key.letter == 'n') return order(a.nodes.front(), b.nodes.front());
  if (key.letter == 't' || key.letter == 'T') return order(rank(a), rank(b));
  for (const TableField<NodeRow>& field : node_fields()) {
    if (field.letter != key.letter) continue;
    const std::string x = field.text(a);
    const std::string y = field.text(b);
    const int first = whole_number_or_zero(x);
    const int second = whole_number_or_zero(y);
    return first != second ? order(first, second) : order(x, y);
  }
  return 0;
}

void sort_rows(std::vector<NodeRow>& rows, const std::vector<SortKey>& keys) {
  std::stable_sort(rows.begin(), rows.end(), [&](const NodeRow& a, const NodeRow& b) {
    for (const SortKey& key : keys) {
      if (const int way = compare(a, b, key); way != 0) return key.descending ? way > 0 : way < 0;
    }
    return false;
  });
}

int show_once(Client& client, const O& o) {
  Result<Config> config = client.get_as<Config>("/v1/config");
  if (!config) return failed("sinfo", config.error());
  Result<VmsBody> vms = client.get_as<VmsBody>("/v1/vms");
  if (!vms) return failed("sinfo", vms.error());
  if (o.reservations && !config->reservations.empty()) {
    print_error("sinfo", "reservations are shares of partitions, without nodes of their own: see virga.toml");
    return k_exit_failure;
  }
  if (o.reservations) return print_out("No reservations in the system\n") ? k_exit_ok : k_exit_failure;
  std::vector<std::string> names;
  if (!o.nodes.empty()) {
    Result<std::vector<std::string>> list = expand_hostlist(o.nodes);
    if (!list) return failed("sinfo", list.error());
    names = std::move(*list);
  }
  std::vector<SlurmNode> nodes = slurm_nodes(*config, *vms);
  const Widths widths = widths_of(*config, nodes);
  std::erase_if(nodes, [&](const SlurmNode& node) { return !wanted(node, o, names); });
  if (o.json) return print_out(as_asked(slurm_nodes_json(nodes), o)) ? k_exit_ok : k_exit_failure;
  if (!o.partitions.empty()) {
    std::erase_if(config->partitions, [&](const Partition& p) {
      return std::find(o.partitions.begin(), o.partitions.end(), p.name) == o.partitions.end();
    });
  }
  const std::vector<FieldNames> fields = fields_of(node_fields());
  const TableFormat format = !o.long_format.empty() ? parse_name_format(o.long_format, fields)
                                                    : parse_letter_format(letters_for(o, widths), fields);
  for (const std::string& unknown : format.unknown) {
    if (o.long_format.empty())
      std::fprintf(stderr, "Invalid node format specification: %s\n", unknown.c_str());
    else
      print_error("sinfo", "Invalid job format specification: " + unknown);
  }
  const bool keep_empty = !o.reasons && !o.by_node;
  std::vector<NodeRow> rows = gather_rows(*config, nodes, format, {.one_by_one = o.by_node, .keep_empty = keep_empty});
  if (!o.sort.empty())
    sort_rows(rows, sort_keys(o.sort));
  else if (!o.by_node)
    sort_rows(rows);
  std::string text = o.long_list || o.iterate_seconds > 0 ? date_line() : "";
  text += render(format, node_fields(), rows, !o.no_header);
  return print_out(text) ? k_exit_ok : k_exit_failure;
}

}  // namespace

int sinfo_main(int argc, char** argv) {
  SinfoOptions options;
  const std::span<const Option<O>> table(k_table);
  const std::span<const InputVariable> variables(k_variables);
  if (Status ok = apply_variables(k_sinfo, table, variables, environment_variable, options); !ok)
    return option_failure(k_sinfo, ok.error());
  Result<std::vector<std::string>> operands =
      parse_options(k_sinfo, table, arguments_of(argc, argv), options, {.stop_at_operand = false});
  if (!operands) return option_failure(k_sinfo, operands.error());
  if (answer_about_itself(k_sinfo, rows_of(table), options.version, options.help, options.usage)) return k_exit_ok;
  if (Status ok = check_states(options); !ok) return failed("sinfo", ok.error());
  Result<Client> client = Client::from_environment();
  if (!client) return failed("sinfo", client.error());
  if (Status ok = check_clusters(*client, options.clusters); !ok) return failed("sinfo", ok.error());
  return iterate(options.iterate_seconds, [&] {
    if (!options.json && !print_cluster_line(*client, options.clusters, options.no_header)) return k_exit_failure;
    return show_once(*client, options);
  });
}

CommandTable sinfo_command() {
  return {k_sinfo,
          "partitions and nodes",
          rows_of(std::span<const Option<O>>(k_table)),
          {std::begin(k_variables), std::end(k_variables)}};
}

}  // namespace virga

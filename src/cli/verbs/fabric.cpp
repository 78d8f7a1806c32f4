// `virga fabric`: a network is built from options or read from a file, then described, drawn, compared or written in
// another format. It needs no daemon and no home.
#include <fmt/format.h>

#include <CLI/CLI.hpp>

#include "cli/fabric_report.hpp"
#include "cli/messages.hpp"
#include "cli/verbs/verb.hpp"
#include "fabric/fat_tree.hpp"
#include "wire/fabric_formats.hpp"
#include "wire/fabric_forwarding.hpp"
#include "wire/fabric_svg.hpp"
#include "wire/hostlist.hpp"
#include "wire/json_codec.hpp"
#include "wire/text_file.hpp"
#include "wire/text_lines.hpp"

namespace virga {
namespace {

struct Arguments {
  std::string file;
  std::string format;
  FatTreeShape shape;
  std::string wiring = "rail";
  std::string speed = "NDR";
  double leaf_oversubscription = 1;
  double spine_oversubscription = 1;
  std::string forwarding;
  std::string nodes;
  std::vector<std::pair<std::string, std::string>> paths;
  std::string compare;
  std::string write;
  std::string output;
  std::string picture;
  bool json = false;
};

template <NamedEnum E>
std::vector<std::string> names_of() {
  return {std::begin(EnumNames<E>::names), std::end(EnumNames<E>::names)};
}

/// As CLI::Range, which lets NaN through.
CLI::Validator ratio_of_oversubscription() {
  return {[](const std::string& text) {
            double ratio = 0;
            const bool fine = CLI::detail::lexical_cast(text, ratio) && ratio >= 1 && ratio <= 64;
            return fine ? std::string() : fmt::format("{} is no oversubscription; write a number from 1 to 64", text);
          },
          "1 to 64"};
}

void describe_input(CLI::App& app, Arguments& args) {
  CLI::Option* file = app.add_option("FILE", args.file,
                                     "the fabric: output of ibnetdiscover, Slurm's topology.conf or topology.yaml, or "
                                     "a CSV of hosts and switches, plain or gzip'ed");
  app.add_option("--format", args.format, "what FILE is, where its text does not tell")
      ->check(CLI::IsMember(names_of<FabricFormat>()))
      ->needs(file);
  CLI::Option* hosts =
      app.add_option("--hosts", args.shape.hosts, "build a fat tree of so many hosts instead")->excludes(file);
  app.add_option("--rails", args.shape.rails, "HCAs of each host (8)")->needs(hosts);
  app.add_option("--switch-ports", args.shape.switch_ports, "ports of each switch (64, as Quantum-2)")->needs(hosts);
  app.add_option("--levels", args.shape.levels, "of switches: 2 or 3 (the fewest that do)")->needs(hosts);
  app.add_option("--hosts-per-unit", args.shape.hosts_per_unit, "hosts on the same leaves (as many as fit)")
      ->needs(hosts);
  app.add_option("--units-per-pod", args.shape.units_per_pod, "of three levels (as many as fit)")->needs(hosts);
  app.add_option("--wiring", args.wiring, "rail: each rail has leaves of its own (the default); rack: hosts do")
      ->check(CLI::IsMember(names_of<Wiring>()))
      ->needs(hosts);
  app.add_option("--speed", args.speed, "of the cables, 4 lanes each (NDR); of hosts, where FILE does not tell")
      ->check(CLI::IsMember(names_of<LinkSpeed>()));
  app.add_option("--oversubscription", args.leaf_oversubscription,
                 "of leaves: 2 is 2 to 1 (1); of all switches, where FILE does not tell")
      ->check(ratio_of_oversubscription());
  app.add_option("--spine-oversubscription", args.spine_oversubscription, "of spines of three levels (1)")
      ->check(ratio_of_oversubscription())
      ->needs(hosts);
}

void describe_output(CLI::App& app, Arguments& args) {
  app.add_option("--forwarding", args.forwarding,
                 "the subnet's own tables (dump_lfts, ibroute) instead of our D-mod-k routing");
  app.add_option("--nodes", args.nodes, "only these hosts, such as node-[1-8]; the ring goes in this order");
  app.add_option("--path", args.paths, "FROM TO: the way between two hosts or HCAs (node-1 or node-1/mlx5_0)");
  CLI::Option* compare = app.add_option("--compare", args.compare,
                                        "tell what is different in this other file; exit code 1 if anything is");
  CLI::Option* write = app.add_option("--write", args.write, "print the fabric in this format, and nothing else")
                           ->check(CLI::IsMember({"ibnetdiscover", "topology.conf", "topology.yaml", "topograph"}))
                           ->excludes(compare);
  app.add_option("--output,-o", args.output, "the file that --write writes; gzip'ed if the name ends in .gz")
      ->needs(write);
  app.add_option("--picture", args.picture, "draw it, coloured by the load of all-to-all")->type_name("FILE.svg");
  app.add_flag("--json", args.json, "as JSON")->excludes(write)->excludes(compare);
}

TreeRates rates_of(const Arguments& args) { return {args.shape.link, args.shape.leaf_oversubscription_permille}; }

Result<FabricGraph> read_file(const Arguments& args, const std::string& path) {
  const Result<std::string> text = read_text_file(path);
  if (!text) return unexpected(text.error());
  std::optional<FabricFormat> format;
  if (!args.format.empty()) format = enum_from_name<FabricFormat>(args.format);
  return read_fabric(*text, path, format, rates_of(args));
}

Result<std::vector<std::uint32_t>> chosen_hosts(const FabricGraph& graph, const std::string& list) {
  if (list.empty()) return in_tree_order(graph, all_hosts(graph));
  const auto names = expand_hostlist(list, 200'000);
  if (!names) return unexpected(names.error());
  if (names->empty()) return fail(Code::invalid, fmt::format("--nodes: \"{}\" names no host", as_shown(list)));
  std::map<std::string_view, std::uint32_t> host_of_name;
  for (std::uint32_t host = 0; host < graph.hosts().size(); ++host) host_of_name[graph.hosts()[host].name] = host;
  std::vector<std::uint32_t> hosts;
  std::vector<bool> is_chosen(graph.hosts().size(), false);
  for (const std::string& name : *names) {
    const auto found = host_of_name.find(name);
    if (found == host_of_name.end()) {
      return fail(Code::invalid, fmt::format("--nodes: no host \"{}\" in this fabric; it has {} to {}", name,
                                             graph.hosts().front().name, graph.hosts().back().name));
    }
    if (is_chosen[found->second]) return fail(Code::invalid, fmt::format("--nodes: \"{}\" is there twice", name));
    is_chosen[found->second] = true;
    hosts.push_back(found->second);
  }
  return hosts;
}

Result<ForwardingTables> tables_for(const Arguments& args, const FabricGraph& graph) {
  if (args.forwarding.empty()) return route_d_mod_k(graph);
  const Result<std::string> text = read_text_file(args.forwarding);
  if (!text) return unexpected(text.error());
  return read_forwarding(*text, args.forwarding, graph);
}

Result<int> compare_with(const Arguments& args, const FabricGraph& graph) {
  const Result<FabricGraph> other = read_file(args, args.compare);
  if (!other) return unexpected(other.error());
  const std::vector<std::string> lines = differences(graph, *other);
  if (lines.empty()) {
    print_out("equal\n");
    return k_exit_ok;
  }
  print_out(fmt::format("{}\n", fmt::join(lines, "\n")));
  return k_exit_failure;
}

Result<int> write_as(const Arguments& args, const FabricGraph& graph) {
  const Result<std::string> text = write_fabric(graph, *enum_from_name<FabricFormat>(args.write));
  if (!text) return unexpected(text.error());
  if (args.output.empty()) return print_out(*text) ? k_exit_ok : k_exit_failure;
  if (const Status written = write_text_file(args.output, *text); !written) return unexpected(written.error());
  return k_exit_ok;
}

Status draw(const Arguments& args, const FabricGraph& graph, const ForwardingTables& tables,
            const std::vector<std::uint32_t>& hosts) {
  const Result<AllToAll> all = load_all_to_all(graph, tables, hcas_of(graph, hosts));
  if (!all) return unexpected(all.error());
  return write_text_file(args.picture, draw_fabric(graph, all->loads));
}

Result<int> describe_fabric(const Arguments& args, const FabricGraph& graph) {
  const Result<ForwardingTables> tables = tables_for(args, graph);
  if (!tables) return unexpected(tables.error());
  const auto hosts = chosen_hosts(graph, args.nodes);
  if (!hosts) return unexpected(hosts.error());
  Result<FabricReport> report = report_of(graph, *tables, *hosts);
  if (!report) return unexpected(report.error());
  report->name = args.file.empty() ? "built" : args.file;
  report->routing = args.forwarding.empty() ? "d-mod-k" : args.forwarding;
  for (const auto& [from, to] : args.paths) {
    auto path = fabric_path(graph, *tables, from, to);
    if (!path) return fail(Code::invalid, "--path: " + path.error().message);
    report->paths.push_back(std::move(*path));
  }
  if (!args.picture.empty()) {
    if (const Status drawn = draw(args, graph, *tables, *hosts); !drawn) return unexpected(drawn.error());
  }
  return print_out(args.json ? to_json_text(*report) + "\n" : text_of(*report)) ? k_exit_ok : k_exit_failure;
}

std::uint32_t permille_of(double ratio) { return static_cast<std::uint32_t>(std::lround(ratio * 1000)); }

Result<int> run(Arguments& args, bool is_built) {
  args.shape.wiring = *enum_from_name<Wiring>(args.wiring);
  args.shape.link.speed = *enum_from_name<LinkSpeed>(args.speed);
  args.shape.leaf_oversubscription_permille = permille_of(args.leaf_oversubscription);
  args.shape.spine_oversubscription_permille = permille_of(args.spine_oversubscription);
  if (args.file.empty() && !is_built) {
    return fail(Code::invalid, "no fabric; name a FILE, or build one with --hosts N (see 'virga fabric --help')");
  }
  const Result<FabricGraph> graph = is_built ? build_fat_tree(args.shape) : read_file(args, args.file);
  if (!graph) return unexpected(graph.error());
  if (!args.compare.empty()) return compare_with(args, *graph);
  if (!args.write.empty()) return write_as(args, *graph);
  return describe_fabric(args, *graph);
}

}  // namespace

int fabric_main(int argc, char** argv) {
  Arguments args;
  CLI::App app("The network under a pool: built as a fat tree or read from a file; described, drawn, written.",
               "virga fabric");
  describe_input(app, args);
  describe_output(app, args);
  try {
    app.parse(argc, argv);
  } catch (const CLI::CallForHelp& help) {
    return app.exit(help);
  } catch (const CLI::ParseError& wrong) {
    return complain({Code::invalid, fmt::format("{} (see 'virga fabric --help')", wrong.what())});
  }
  const Result<int> code = run(args, app.count("--hosts") > 0);
  return code ? *code : complain(code.error());
}

}  // namespace virga

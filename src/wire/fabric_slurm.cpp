#include "wire/fabric_slurm.hpp"

#include <fmt/format.h>

#include "wire/hostlist.hpp"
#include "wire/switch_tree_reader.hpp"
#include "wire/words.hpp"

namespace virga {
namespace {

constexpr std::string_view k_blocks = "blocks";

struct Values {
  std::string_view switch_name;
  std::string_view block_name;
  std::string_view children;
  std::string_view nodes;
  std::string_view ignored;  ///< LinkSpeed, BlockSizes
};

std::string_view* value_of(Values& values, std::string_view key) {
  if (same_word(key, "SwitchName")) return &values.switch_name;
  if (same_word(key, "BlockName")) return &values.block_name;
  if (same_word(key, "Switches")) return &values.children;
  if (same_word(key, "Nodes")) return &values.nodes;
  if (same_word(key, "LinkSpeed") || same_word(key, "BlockSizes")) return &values.ignored;
  return nullptr;
}

class Reader {
 public:
  Reader(std::string_view text, const std::string& file_name) : text_(text), mistakes_(file_name), tree_(mistakes_) {}

  Result<FabricGraph> read(const TreeRates& rates) {
    std::string joined;
    std::uint32_t first = 0;
    for (TextLines lines(text_); lines.next() && !mistakes_.full();) {
      auto line = lines.line();
      line = trimmed_blanks(line.substr(0, line.find('#')));
      if (joined.empty()) first = lines.number();
      const bool goes_on = line.ends_with('\\');
      if (goes_on) line.remove_suffix(1);
      joined.append(line).append(" ");
      if (goes_on) continue;
      row(first, joined);
      joined.clear();
    }
    if (!joined.empty()) row(first, joined);
    if (!blocks_.empty()) tree_.add_switch({.line = first, .name = k_blocks, .children = compress_hostlist(blocks_)});
    if (tree_.empty() && !mistakes_.any()) {
      mistakes_.add(0, "no switch in it; a line such as SwitchName=s1 Nodes=n[1-4] would be right");
    }
    return tree_.graph(rates);
  }

 private:
  void row(std::uint32_t number, std::string_view line) {
    Values values;
    bool good = true;
    while (!(line = trimmed_blanks(line)).empty()) {
      const auto end = std::min(line.find_first_of(" \t"), line.size());
      const std::string_view word = line.substr(0, end);
      line.remove_prefix(end);
      const auto sign = word.find('=');
      std::string_view* value = sign == std::string_view::npos ? nullptr : value_of(values, word.substr(0, sign));
      if (value == nullptr) {
        mistakes_.add(number, fmt::format("\"{}\" is no setting of topology.conf; it has SwitchName, Switches, Nodes, "
                                          "LinkSpeed, BlockName and BlockSizes",
                                          as_shown(word)));
        good = false;
      } else {
        *value = word.substr(sign + 1);
      }
    }
    if (!good) return;
    if (!values.switch_name.empty()) {
      tree_.add_switch({number, values.switch_name, values.children, values.nodes});
    } else if (!values.block_name.empty()) {
      blocks_.emplace_back(values.block_name);
      tree_.add_switch({number, values.block_name, {}, values.nodes});
    } else if (!values.children.empty() || !values.nodes.empty()) {
      mistakes_.add(number, "Switches and Nodes without SwitchName or BlockName; name the switch that they hang on");
    }
  }

  std::string_view text_;
  TextMistakes mistakes_;
  SwitchTreeReader tree_;
  std::vector<std::string> blocks_;
};

}  // namespace

Result<FabricGraph> read_topology_conf(std::string_view text, const std::string& file_name, const TreeRates& rates) {
  return Reader(text, file_name).read(rates);
}

std::string write_topology_conf(const SwitchTree& tree) {
  std::string text =
      "# Switches for Slurm's topology/tree; each stands for all switches that share what is below it.\n";
  for (const auto& s : tree.switches) {
    std::vector<std::string> children;
    std::vector<std::string> hosts;
    for (const std::uint32_t child : s.children) children.push_back(tree.switches[child].name);
    for (const std::uint32_t host : s.hosts) hosts.push_back(tree.hosts[host]);
    text += "SwitchName=" + s.name;
    if (!children.empty()) text += " Switches=" + compress_hostlist(children);
    if (!hosts.empty()) text += " Nodes=" + compress_hostlist(hosts);
    text += '\n';
  }
  return text;
}

}  // namespace virga

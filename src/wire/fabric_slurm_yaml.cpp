#include "wire/fabric_slurm_yaml.hpp"

#include <fmt/format.h>

#include "wire/hostlist.hpp"
#include "wire/switch_tree_reader.hpp"
#include "wire/yaml_text.hpp"

namespace virga {
namespace {

using Kind = YamlNode::Kind;

class Reader {
 public:
  explicit Reader(const std::string& file_name) : mistakes_(file_name), tree_(mistakes_) {}

  Result<FabricGraph> read(const YamlNode& root, const TreeRates& rates) {
    const YamlNode* topology = chosen(root);
    if (topology == nullptr) return mistakes_.error();
    if (const YamlNode* tree = topology->find("tree")) {
      list(*tree, "switches", "switch", "children");
    } else if (const YamlNode* block = topology->find("block")) {
      list(*block, "blocks", "block", "");
      if (!blocks_.empty()) {
        const std::string names = compress_hostlist(blocks_);
        tree_.add_switch({block->line, "blocks", names, {}});
      }
    }
    if (tree_.empty() && !mistakes_.any()) mistakes_.add(topology->line, "this topology has no switches; list them");
    return tree_.graph(rates);
  }

 private:
  const YamlNode* chosen(const YamlNode& root) {
    const YamlNode* first = nullptr;
    for (const YamlNode& topology : root.items) {
      if (topology.find("topology") == nullptr) {
        mistakes_.add(topology.line, "a topology without a name; its first line is - topology: NAME");
        return nullptr;
      }
      const YamlNode* is_default = topology.find("cluster_default");
      if (topology.find("tree") == nullptr && topology.find("block") == nullptr) continue;
      if (first == nullptr) first = &topology;
      if (is_default != nullptr && is_default->text == "true") return &topology;
    }
    if (first == nullptr) {
      mistakes_.add(0, "no topology of kind tree or block in it; it starts with - topology: NAME and has tree: below");
    }
    return first;
  }

  void list(const YamlNode& of, std::string_view list_name, std::string_view name, std::string_view children) {
    const YamlNode* items = of.find(list_name);
    if (items == nullptr || items->kind != Kind::sequence) {
      return mistakes_.add(of.line, fmt::format("no list \"{}\" here; write one item for each {}", list_name, name));
    }
    for (const YamlNode& item : items->items) {
      SwitchTreeReader::Line line{.line = item.line};
      for (const auto& [key, value] : item.members) {
        if (key == name) {
          line.name = value.text;
        } else if (key == "nodes") {
          line.hosts = value.text;
        } else if (key == children && !children.empty()) {
          line.children = value.text;
        } else {
          mistakes_.add(value.line, fmt::format("\"{}\" is not known here; a {} has {}{}{} and nodes", as_shown(key),
                                                name, name, children.empty() ? "" : ", ", children));
        }
      }
      if (line.name.empty()) {
        mistakes_.add(item.line, fmt::format("a {} without a name; write {}: NAME", name, name));
        continue;
      }
      if (children.empty()) blocks_.emplace_back(line.name);
      tree_.add_switch(line);
      if (mistakes_.full()) return;
    }
  }

  TextMistakes mistakes_;
  SwitchTreeReader tree_;
  std::vector<std::string> blocks_;
};

}  // namespace

Result<FabricGraph> read_topology_yaml(std::string_view text, const std::string& file_name, const TreeRates& rates) {
  const Result<YamlNode> root = parse_yaml(text, file_name);
  if (!root) return unexpected(root.error());
  return Reader(file_name).read(*root, rates);
}

std::string write_topology_yaml(const SwitchTree& tree) {
  std::string text = "---\n- topology: fabric\n  cluster_default: true\n  tree:\n    switches:\n";
  for (const auto& s : tree.switches) {
    std::vector<std::string> children;
    std::vector<std::string> hosts;
    for (const std::uint32_t child : s.children) children.push_back(tree.switches[child].name);
    for (const std::uint32_t host : s.hosts) hosts.push_back(tree.hosts[host]);
    text += "      - switch: " + s.name + '\n';
    if (!children.empty()) text += "        children: " + compress_hostlist(children) + '\n';
    if (!hosts.empty()) text += "        nodes: " + compress_hostlist(hosts) + '\n';
  }
  return text;
}

}  // namespace virga

#include "wire/fabric_csv.hpp"

#include <algorithm>
#include <map>

#include "wire/fabric_text.hpp"

namespace virga {

Result<FabricGraph> read_fabric_csv(std::string_view text, const std::string& file_name, const TreeRates& rates) {
  Result<FabricText> network = parse_fabric_text(text, file_name);
  if (!network) return unexpected(network.error());
  SwitchTree tree;
  std::map<std::string, std::uint32_t> switch_of_path;
  const auto number_of = [&](const std::string& path) {
    const auto [at, is_new] = switch_of_path.try_emplace(path, static_cast<std::uint32_t>(tree.switches.size()));
    if (is_new) {
      auto& added = tree.switches.emplace_back();
      added.name = path;
      std::replace(added.name.begin(), added.name.end(), '/', '.');
    }
    return std::pair(at->second, is_new);
  };
  std::vector<std::uint32_t> tops;
  std::vector<std::uint32_t> leaves;
  for (const std::string& leaf : network->leaf_names) {
    std::string path = leaf;
    auto [below, is_new] = number_of(path);
    leaves.push_back(below);
    while (is_new) {
      const auto slash = path.rfind('/');
      if (slash == std::string::npos) {
        tops.push_back(below);
        break;
      }
      path.resize(slash);
      const auto [above, above_is_new] = number_of(path);
      tree.switches[above].children.push_back(below);
      below = above;
      is_new = above_is_new;
    }
  }
  if (tops.size() > 1) {
    auto& core = tree.switches.emplace_back();
    core.name = switch_of_path.contains("core") ? "core of all" : "core";
    core.children = tops;
  }
  tree.hosts = std::move(network->hosts);
  for (std::uint32_t slot = 0; slot < tree.hosts.size(); ++slot) {
    tree.switches[leaves[network->fabric.leaf(slot)]].hosts.push_back(slot);
  }
  auto graph = graph_of(tree, rates);
  if (!graph) return fail(graph.error().code, file_name + ": " + graph.error().message);
  return graph;
}

}  // namespace virga

#include "wire/fabric_formats.hpp"

#include "wire/fabric_csv.hpp"
#include "wire/fabric_ibnetdiscover.hpp"
#include "wire/fabric_slurm.hpp"
#include "wire/fabric_slurm_yaml.hpp"
#include "wire/fabric_topograph.hpp"
#include "wire/text_lines.hpp"
#include "wire/words.hpp"

namespace virga {

FabricFormat format_of(std::string_view text) {
  for (TextLines lines(text); lines.next();) {
    const auto line = trimmed_blanks(lines.line());
    if (line.empty() || line.front() == '#') continue;
    if (line == "---" || line.starts_with("- ")) return FabricFormat::topology_yaml;
    const auto key = line.substr(0, line.find('='));
    for (const std::string_view known : {"SwitchName", "BlockName", "BlockSizes"}) {
      if (same_word(key, known)) return FabricFormat::topology_conf;
    }
    if (line.find(',') != std::string_view::npos && line.find('"') == std::string_view::npos) return FabricFormat::csv;
    if (line.starts_with("switches:")) return FabricFormat::topograph;
    return FabricFormat::ibnetdiscover;
  }
  return FabricFormat::ibnetdiscover;
}

Result<FabricGraph> read_fabric(std::string_view text, const std::string& file_name, std::optional<FabricFormat> format,
                                const TreeRates& rates) {
  switch (format.value_or(format_of(text))) {
    case FabricFormat::ibnetdiscover:
      return read_ibnetdiscover(text, file_name);
    case FabricFormat::topology_conf:
      return read_topology_conf(text, file_name, rates);
    case FabricFormat::topology_yaml:
      return read_topology_yaml(text, file_name, rates);
    case FabricFormat::csv:
      return read_fabric_csv(text, file_name, rates);
    case FabricFormat::topograph:
      break;
  }
  return fail(Code::invalid, file_name +
                                 ": topograph's models are written, not read; give ibnetdiscover's output, "
                                 "topology.conf, topology.yaml or a CSV");
}

Result<std::string> write_fabric(const FabricGraph& graph, FabricFormat format) {
  switch (format) {
    case FabricFormat::ibnetdiscover:
      return write_ibnetdiscover(graph);
    case FabricFormat::topology_conf:
      return write_topology_conf(tree_of(graph));
    case FabricFormat::topology_yaml:
      return write_topology_yaml(tree_of(graph));
    case FabricFormat::topograph:
      return write_topograph(tree_of(graph));
    case FabricFormat::csv:
      break;
  }
  return fail(Code::invalid,
              "CSV is read, not written; write ibnetdiscover, topology.conf, topology.yaml or topograph");
}

}  // namespace virga

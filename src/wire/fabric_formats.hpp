// All texts that a fabric can be read from and written to.
//
//   Result<FabricGraph> graph = read_fabric(text, "topology.conf", std::nullopt, {});     // by what is in it
//   std::string yaml = *write_fabric(*graph, FabricFormat::topology_yaml);
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "base/enum_names.hpp"
#include "base/result.hpp"
#include "fabric/switch_tree.hpp"

namespace virga {

enum class FabricFormat : std::uint8_t { ibnetdiscover, topology_conf, topology_yaml, csv, topograph };
template <>
struct EnumNames<FabricFormat> {
  static constexpr std::string_view names[] = {"ibnetdiscover", "topology.conf", "topology.yaml", "csv", "topograph"};
};

/// By the first line that is no comment.
FabricFormat format_of(std::string_view text);
/// `format` empty: that of the text. `rates` is for formats that have none. Code::invalid: the text's mistakes, or a
/// format that is only written.
Result<FabricGraph> read_fabric(std::string_view text, const std::string& file_name, std::optional<FabricFormat> format,
                                const TreeRates& rates);
/// Code::invalid: a format that is only read.
Result<std::string> write_fabric(const FabricGraph& graph, FabricFormat format);

}  // namespace virga

#include "wire/fabric_forwarding.hpp"

#include <fmt/format.h>

#include <charconv>
#include <map>
#include <optional>

#include "wire/text_lines.hpp"

namespace virga {
namespace {

template <class T>
std::optional<T> number_from(std::string_view text, int base) {
  T value{};
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value, base);
  if (error != std::errc{}) return std::nullopt;
  return value;
}

/// The hexadecimal number behind the word.
std::optional<std::uint64_t> hex_after(std::string_view line, std::string_view word) {
  const auto at = line.find(word);
  if (at == std::string_view::npos) return std::nullopt;
  return number_from<std::uint64_t>(line.substr(at + word.size()), 16);
}

}  // namespace

Result<ForwardingTables> read_forwarding(std::string_view text, const std::string& file_name,
                                         const FabricGraph& graph) {
  Result<ForwardingTables> tables = ForwardingTables::sized_for(graph);
  if (!tables) return tables;
  TextMistakes mistakes(file_name);
  std::map<std::uint64_t, std::uint32_t> switch_of_guid;
  std::map<std::uint64_t, std::uint32_t> hca_of_port_guid;
  std::map<std::uint32_t, std::uint32_t> hca_of_lid;
  for (std::uint32_t s = 0; s < graph.switches().size(); ++s) switch_of_guid[graph.switches()[s].guid] = s;
  for (std::uint32_t h = 0; h < graph.hcas().size(); ++h) {
    const FabricHca& hca = graph.hcas()[h];
    hca_of_port_guid[hca.guid + hca.port] = h;
    if (hca.lid != 0) hca_of_lid[hca.lid] = h;
  }
  std::optional<std::uint32_t> at;
  bool any = false;
  for (TextLines lines(text); lines.next() && !mistakes.full();) {
    const std::string_view line = lines.line();
    if (line.starts_with("Unicast lids")) {
      const auto guid = hex_after(line, " guid 0x");
      const auto found = guid ? switch_of_guid.find(*guid) : switch_of_guid.end();
      at = found != switch_of_guid.end() ? std::optional(found->second) : std::nullopt;
      any = true;
      if (!at) {
        mistakes.add(lines.number(), fmt::format("the switch of \"{}\" is not in the fabric; read both from one subnet",
                                                 as_shown(line.substr(line.find(" guid ") + 1))));
      }
      continue;
    }
    if (!line.starts_with("0x") || !at) continue;
    const auto lid = number_from<std::uint32_t>(line.substr(2), 16);
    const auto blank = line.find(' ');
    const auto port =
        blank == std::string_view::npos ? std::nullopt : number_from<std::uint32_t>(line.substr(blank + 1), 10);
    if (!lid || !port || *port > graph.switches()[*at].ports) {
      mistakes.add(lines.number(),
                   fmt::format("\"{}\" cannot be read; an entry is written as: 0x0001 033 : (…)", as_shown(line)));
      continue;
    }
    std::optional<std::uint32_t> to;
    if (const auto guid = hex_after(line, "(Channel Adapter portguid 0x")) {
      if (const auto found = hca_of_port_guid.find(*guid); found != hca_of_port_guid.end()) to = found->second;
    }
    if (const auto found = hca_of_lid.find(*lid); !to && found != hca_of_lid.end()) to = found->second;
    if (to) tables->set(*at, *to, *port);
  }
  if (!any) mistakes.add(0, "no forwarding table in it; the output of dump_lfts or ibroute would be right");
  if (mistakes.any()) return mistakes.error();
  return tables;
}

}  // namespace virga

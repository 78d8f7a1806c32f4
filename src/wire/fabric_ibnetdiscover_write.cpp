// Writing; see the header.
#include <fmt/format.h>

#include <iterator>

#include "wire/fabric_ibnetdiscover.hpp"

namespace virga {
namespace {

constexpr std::uint64_t k_made_up_guid = 0x0200'6000'0000'0000;

class Writer {
 public:
  explicit Writer(const FabricGraph& graph) : graph_(graph) {}

  std::string write() {
    text_ = "#\n# Topology file\n#\n";
    // The first HCA comes first: ibsim attaches whoever does not say where to the first node.
    for (std::uint32_t i = 0; i < graph_.hcas().size(); ++i) {
      if (graph_.hcas()[i].port == 1 || i == 0 || graph_.hcas()[i - 1].guid != graph_.hcas()[i].guid) hca(i);
    }
    for (std::uint32_t i = 0; i < graph_.switches().size(); ++i) fabric_switch(i);
    return std::move(text_);
  }

 private:
  template <class... Args>
  void add(fmt::format_string<Args...> form, Args&&... args) {
    fmt::format_to(std::back_inserter(text_), form, std::forward<Args>(args)...);
  }
  std::uint64_t switch_guid(std::uint32_t i) const {
    const std::uint64_t guid = graph_.switches()[i].guid;
    return guid != 0 ? guid : k_made_up_guid + (std::uint64_t{i} + 1) * 0x1000;
  }
  std::uint64_t hca_guid(std::uint32_t i) const {
    const std::uint64_t guid = graph_.hcas()[i].guid;
    return guid != 0 ? guid : k_made_up_guid + (std::uint64_t{i} + 1) * 0x1000 + 0x800;
  }
  /// Without the port, which a record does not have in its name.
  std::string description(std::uint32_t i) const {
    const std::string text = hca_text(graph_, i);
    const auto port = text.rfind(fmt::format(" port {}", graph_.hcas()[i].port));
    return port == std::string::npos ? text : text.substr(0, port);
  }
  static std::string link_text(const Link& link) { return fmt::format("{}x{}", link.lanes, name_of(link.speed)); }

  void hca(std::uint32_t first) {
    const std::uint64_t guid = hca_guid(first);
    std::uint32_t end = first + 1;
    while (graph_.hcas()[first].guid != 0 && end < graph_.hcas().size() && graph_.hcas()[end].guid == guid) ++end;
    add("\ncaguid=0x{:x}\nCa\t{} \"H-{:016x}\"\t\t# \"{}\"\n", guid, graph_.hcas()[end - 1].port, guid,
        description(first));
    for (std::uint32_t i = first; i < end; ++i) {
      const FabricHca& h = graph_.hcas()[i];
      const FabricSwitch& on = graph_.switches()[h.on_switch];
      add("[{}]({:x}) \t\"S-{:016x}\"[{}]\t\t# lid {} lmc 0 \"{}\" lid {} {}\n", h.port, guid + h.port,
          switch_guid(h.on_switch), h.switch_port, h.lid, on.name, on.lid, link_text(h.link));
    }
  }

  void fabric_switch(std::uint32_t i) {
    const FabricSwitch& s = graph_.switches()[i];
    const std::uint64_t guid = switch_guid(i);
    add("\nswitchguid=0x{:x}({:x})\nSwitch\t{} \"S-{:016x}\"\t\t# \"{}\" base port 0 lid {} lmc 0\n", guid, guid,
        s.ports, guid, s.name, s.lid);
    for (std::uint32_t port = 1; port <= s.ports; ++port) {
      const FabricPeer peer = graph_.peer(i, port);
      if (peer.kind == FabricPeer::Kind::hca) {
        const std::uint64_t to = hca_guid(peer.index);
        add("[{}]\t\"H-{:016x}\"[{}]({:x}) \t\t# \"{}\" lid {} {}\n", port, to, peer.port, to + peer.port,
            description(peer.index), graph_.hcas()[peer.index].lid, link_text(peer.link));
      } else if (peer.kind == FabricPeer::Kind::fabric_switch) {
        add("[{}]\t\"S-{:016x}\"[{}]\t\t# \"{}\" lid {} {}\n", port, switch_guid(peer.index), peer.port,
            graph_.switches()[peer.index].name, graph_.switches()[peer.index].lid, link_text(peer.link));
      }
    }
  }

  const FabricGraph& graph_;
  std::string text_;
};

}  // namespace

std::string write_ibnetdiscover(const FabricGraph& graph) { return Writer(graph).write(); }

}  // namespace virga

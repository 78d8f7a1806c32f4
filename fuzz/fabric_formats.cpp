// Texts of fabrics in every format: no crash, an error with a message, and what is read can be written and read again.
#include "wire/fabric_formats.hpp"

#include <cstdint>
#include <cstdlib>
#include <string_view>

#include "fabric/measures.hpp"
#include "fabric/routing.hpp"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  for (const auto format : {virga::FabricFormat::ibnetdiscover, virga::FabricFormat::topology_conf,
                            virga::FabricFormat::topology_yaml, virga::FabricFormat::csv}) {
    const auto graph = virga::read_fabric(text, "fuzz", format, {});
    if (!graph) {
      if (graph.error().message.empty()) std::abort();
      continue;
    }
    if (graph->hcas().size() > 200 || graph->switches().size() > 200) continue;
    const auto tables = virga::route_d_mod_k(*graph);
    if (!tables) std::abort();
    (void)virga::load_all_to_all(*graph, *tables, virga::hcas_of(*graph, virga::all_hosts(*graph)));
    (void)virga::bisection(*graph, virga::all_hosts(*graph));
    (void)virga::write_fabric(*graph, virga::FabricFormat::topology_conf);
    (void)virga::write_fabric(*graph, virga::FabricFormat::ibnetdiscover);
  }
  return 0;
}

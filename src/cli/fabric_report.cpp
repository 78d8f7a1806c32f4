#include "cli/fabric_report.hpp"

#include <fmt/format.h>

#include <map>

#include "twin/collective.hpp"

namespace virga {
namespace {

constexpr std::uint64_t k_all_reduce_bytes[] = {1ULL << 20, 1ULL << 26, 1ULL << 30, 1ULL << 33};

std::string port_text(const FabricGraph& graph, std::uint32_t fabric_switch, std::uint32_t port) {
  return fmt::format("{}[{}]", graph.switches()[fabric_switch].name, port);
}

std::string worst_text(const FabricGraph& graph, const WorstLink& worst) {
  if (worst.out_of_hca) {
    const FabricHca& hca = graph.hcas()[worst.index];
    return hca_text(graph, worst.index) + " -> " + port_text(graph, hca.on_switch, hca.switch_port);
  }
  const FabricPeer peer = graph.peer(worst.index, worst.port);
  const std::string to =
      peer.kind == FabricPeer::Kind::hca ? hca_text(graph, peer.index) : port_text(graph, peer.index, peer.port);
  return port_text(graph, worst.index, worst.port) + " -> " + to;
}

FabricPattern pattern_of(const FabricGraph& graph, std::string name, const LinkLoads& loads) {
  const WorstLink worst = worst_link(graph, loads);
  return {std::move(name),   worst_text(graph, worst), worst.flows,
          worst.mbps / 1000, worst.slow_down_permille, worst_switch_link(graph, loads).flows};
}

std::vector<FabricLevel> levels_of(const FabricGraph& graph) {
  std::vector<FabricLevel> levels(graph.levels());
  for (std::uint32_t s = 0; s < graph.switches().size(); ++s) {
    const std::uint32_t level = graph.switches()[s].level;
    FabricLevel& of = levels[level - 1];
    of.level = level;
    ++of.switches;
    for (std::uint32_t port = 1; port <= graph.switches()[s].ports; ++port) {
      const FabricPeer peer = graph.peer(s, port);
      if (peer.kind == FabricPeer::Kind::none) continue;
      const bool is_up = peer.kind == FabricPeer::Kind::fabric_switch && graph.switches()[peer.index].level > level;
      ++(is_up ? of.ports_up : of.ports_down);
      (is_up ? of.gbps_up : of.gbps_down) += peer.link.mbps();
    }
  }
  for (FabricLevel& of : levels) {
    of.gbps_down /= 1000;
    of.gbps_up /= 1000;
  }
  return levels;
}

std::vector<FabricCables> cables_of(const FabricGraph& graph) {
  std::map<std::string, FabricCables> kinds;
  const auto kind_of = [&](const Link& link, bool is_bundle) -> FabricCables& {
    const std::string name = is_bundle ? "bundle" : fmt::format("{}x{}", link.lanes, name_of(link.speed));
    FabricCables& kind = kinds.try_emplace(name, FabricCables{name, 0, 0, 0}).first->second;
    kind.gbps = link.mbps() / 1000 + (is_bundle ? kind.gbps : 0);
    return kind;
  };
  for (const FabricHca& hca : graph.hcas()) ++kind_of(hca.link, false).to_hosts;
  for (const FabricCable& cable : graph.cables()) ++kind_of(cable.link, cable.is_bundle).between_switches;
  std::vector<FabricCables> cables;
  cables.reserve(kinds.size());
  for (auto& [name, of] : kinds) cables.push_back(std::move(of));
  return cables;
}

std::vector<FabricAllReduce> all_reduces_of(const FabricGraph& graph, std::span<const std::uint32_t> hosts,
                                            const LinkLoads& ring) {
  const FabricHost& first = graph.hosts()[hosts.front()];
  const Link& link = graph.hcas()[first.hcas.front()].link;
  const bool is_hdr = link.speed <= LinkSpeed::hdr;
  Net net = make_net(k_nvlink4, is_hdr ? k_infiniband_hdr : k_infiniband_ndr, true);
  const auto slow_down = static_cast<double>(worst_link(graph, ring).slow_down_permille) / 1000;
  net.nic_bytes_s = static_cast<double>(link.mbps()) * 1e6 / 8 / slow_down;
  RankGroup group;
  group.ranks_per_domain = static_cast<std::uint32_t>(first.hcas.size());
  group.ranks = group.ranks_per_domain * static_cast<std::uint32_t>(hosts.size());
  std::vector<FabricAllReduce> all;
  if (group.ranks == 1) return all;
  for (const std::uint64_t bytes : k_all_reduce_bytes) {
    const CollectiveEstimate time = collective_estimate(Collective::all_reduce, group, static_cast<double>(bytes), net);
    all.push_back({bytes, group.ranks, static_cast<std::uint64_t>(time.seconds * 1e9 + 0.5),
                   static_cast<std::uint64_t>(time.busbw * 8 / 1e9 + 0.5), std::string(name_of(time.algorithm)),
                   std::string(name_of(time.protocol))});
  }
  return all;
}

Result<std::uint32_t> find_hca(const FabricGraph& graph, const std::string& name) {
  const auto end = std::min(name.find_first_of(" /"), name.size());
  for (const FabricHost& host : graph.hosts()) {
    if (std::string_view(name).substr(0, end) != host.name) continue;
    if (end == name.size()) return host.hcas.front();
    for (const std::uint32_t hca : host.hcas) {
      if (graph.hcas()[hca].name == std::string_view(name).substr(end + 1)) return hca;
    }
  }
  return fail(Code::not_found, fmt::format("no HCA \"{}\" in this fabric; name one as {} or {}", name,
                                           graph.hosts().front().name, hca_text(graph, 0)));
}

std::string rate_text(std::uint64_t gbps) {
  if (gbps < 10'000) return fmt::format("{} Gb/s", gbps);
  if (gbps < 10'000'000) return fmt::format("{}.{} Tb/s", gbps / 1000, gbps / 100 % 10);
  return fmt::format("{}.{} Pb/s", gbps / 1'000'000, gbps / 100'000 % 10);
}

std::string ratio_text(std::uint64_t permille) { return fmt::format("{}.{:02}", permille / 1000, permille / 10 % 100); }

void add_line(std::string& text, std::string_view name, const std::string& value) {
  text += fmt::format("{:<13} {}\n", name, value);
}

}  // namespace

Result<FabricReport> report_of(const FabricGraph& graph, const ForwardingTables& tables,
                               std::span<const std::uint32_t> hosts) {
  FabricReport report;
  report.hosts = graph.hosts().size();
  report.hcas = graph.hcas().size();
  report.rails = graph.rails();
  report.switches = graph.switches().size();
  report.levels = levels_of(graph);
  report.cables = cables_of(graph);
  report.chosen_hosts = hosts.size();
  const Result<AllToAll> all = load_all_to_all(graph, tables, hcas_of(graph, hosts));
  if (!all) return unexpected(all.error());
  const Result<LinkLoads> ring = load_pairs(graph, tables, ring_pairs(graph, hosts));
  if (!ring) return unexpected(ring.error());
  std::uint64_t pairs = 0;
  for (const std::uint64_t count : all->pairs_by_cables) pairs += count;
  for (std::size_t cables = 0; cables < all->pairs_by_cables.size(); ++cables) {
    const std::uint64_t count = all->pairs_by_cables[cables];
    if (count > 0) report.distances.push_back({cables, count, count * 1000 / pairs});
  }
  const Bisection halves = bisection(graph, hosts);
  report.bisection_gbps = halves.mbps / 1000;
  report.bisection_hosts_gbps = halves.hosts_mbps / 1000;
  report.patterns.push_back(pattern_of(graph, "all-to-all", all->loads));
  report.patterns.push_back(pattern_of(graph, "ring", *ring));
  report.all_reduces = all_reduces_of(graph, hosts, *ring);
  return report;
}

Result<FabricPath> fabric_path(const FabricGraph& graph, const ForwardingTables& tables, const std::string& from,
                               const std::string& to) {
  const Result<std::uint32_t> first = find_hca(graph, from);
  if (!first) return unexpected(first.error());
  const Result<std::uint32_t> last = find_hca(graph, to);
  if (!last) return unexpected(last.error());
  const Result<std::vector<Hop>> hops = path_of(graph, tables, *first, *last);
  if (!hops) return unexpected(hops.error());
  FabricPath path{hca_text(graph, *first), hca_text(graph, *last), {}};
  for (const Hop& hop : *hops) path.hops.push_back(port_text(graph, hop.fabric_switch, hop.port));
  return path;
}

std::string text_of(const FabricReport& report) {
  std::string text;
  add_line(text, "fabric",
           fmt::format("{}: {} hosts, {} HCAs, {} rail{}, {} switches", report.name, report.hosts, report.hcas,
                       report.rails, report.rails == 1 ? "" : "s", report.switches));
  for (const FabricLevel& level : report.levels) {
    std::string line = fmt::format("{} switch{}, {} cables down ({})", level.switches, level.switches == 1 ? "" : "es",
                                   level.ports_down, rate_text(level.gbps_down));
    if (level.ports_up > 0) {
      line += fmt::format(", {} up ({}): {} to 1", level.ports_up, rate_text(level.gbps_up),
                          ratio_text(level.gbps_down * 1000 / std::max<std::uint64_t>(level.gbps_up, 1)));
    }
    add_line(text, fmt::format("level {}", level.level), line);
  }
  for (const FabricCables& cables : report.cables) {
    if (cables.link == "bundle") {
      add_line(text, "cables",
               fmt::format("{} bundles between switches, {} each way together", cables.between_switches,
                           rate_text(cables.gbps)));
      continue;
    }
    add_line(text, "cables",
             fmt::format("{} to hosts, {} between switches, {} ({} each way)", cables.to_hosts, cables.between_switches,
                         cables.link, rate_text(cables.gbps)));
  }
  add_line(text, "routing", report.routing);
  if (report.chosen_hosts < report.hosts) {
    add_line(text, "nodes", fmt::format("{} of {}; what follows is theirs alone", report.chosen_hosts, report.hosts));
  }
  for (const FabricDistance& distance : report.distances) {
    add_line(text, "distance",
             fmt::format("{} cables for {}.{} % of the pairs of HCAs", distance.cables, distance.permille / 10,
                         distance.permille % 10));
  }
  if (report.bisection_hosts_gbps > 0) {
    const std::uint64_t share = report.bisection_gbps * 1000 / report.bisection_hosts_gbps;
    add_line(text, "bisection",
             fmt::format("{} each way, {}.{} % of what the hosts can send", rate_text(report.bisection_gbps),
                         share / 10, share % 10));
  }
  for (const FabricPattern& pattern : report.patterns) {
    add_line(text, pattern.pattern,
             pattern.flows == 0 ? "nothing to send"
                                : fmt::format("slow-down {}; worst link {}, {} flow{} on {}",
                                              ratio_text(pattern.slow_down_permille), pattern.worst_link, pattern.flows,
                                              pattern.flows == 1 ? "" : "s", rate_text(pattern.gbps)));
  }
  for (const FabricAllReduce& all_reduce : report.all_reduces) {
    const std::uint64_t mib = all_reduce.bytes >> 20;
    add_line(text, "all-reduce",
             fmt::format("{} {} over {} GPUs: {:.3f} ms, busbw {} GB/s ({}, {})", mib < 1024 ? mib : mib / 1024,
                         mib < 1024 ? "MiB" : "GiB", all_reduce.gpus, static_cast<double>(all_reduce.nanoseconds) / 1e6,
                         all_reduce.busbw_gbps / 8, all_reduce.algorithm, all_reduce.protocol));
  }
  for (const FabricPath& path : report.paths) {
    add_line(text, "path", fmt::format("{} -> {} -> {}", path.from, fmt::join(path.hops, " -> "), path.to));
  }
  return text;
}

}  // namespace virga

#include "fabric/graph.hpp"

#include <algorithm>
#include <array>

#include "base/assert.hpp"

namespace virga {
namespace {

std::string port_text(const std::string& name, std::uint32_t port) { return name + "[" + std::to_string(port) + "]"; }

std::string peer_text(const FabricGraph& graph, const FabricPeer& peer) {
  if (peer.kind == FabricPeer::Kind::hca) return hca_text(graph, peer.index);
  return port_text(graph.switches()[peer.index].name, peer.port);
}

std::string link_text(const Link& link) { return std::to_string(link.lanes) + "x" + std::string(name_of(link.speed)); }

/// One line for everything that counts, in an order that does not depend on that of the graph.
std::vector<std::string> facts_of(const FabricGraph& graph) {
  std::vector<std::string> facts;
  for (const FabricSwitch& s : graph.switches()) {
    facts.push_back("switch " + s.name + " guid " + std::to_string(s.guid) + " ports " + std::to_string(s.ports) +
                    " level " + std::to_string(s.level));
  }
  for (std::uint32_t i = 0; i < graph.hcas().size(); ++i) {
    const FabricHca& h = graph.hcas()[i];
    facts.push_back("HCA " + hca_text(graph, i) + " guid " + std::to_string(h.guid) + " port " +
                    std::to_string(h.port) + " rail " + std::to_string(h.rail));
    facts.push_back("cable " + hca_text(graph, i) + " to " +
                    port_text(graph.switches()[h.on_switch].name, h.switch_port) + " " + link_text(h.link));
  }
  for (const FabricCable& c : graph.cables()) {
    const std::string a = port_text(graph.switches()[c.a].name, c.port_a);
    const std::string b = port_text(graph.switches()[c.b].name, c.port_b);
    facts.push_back("cable " + std::min(a, b) + " to " + std::max(a, b) + " " + link_text(c.link));
  }
  std::sort(facts.begin(), facts.end());
  return facts;
}

}  // namespace

std::uint64_t lane_mbps(LinkSpeed speed) {
  constexpr std::array<std::uint64_t, 9> k_mbps = {2'500,  5'000,  10'000,  10'000, 14'000,
                                                   25'000, 50'000, 100'000, 200'000};
  return k_mbps[static_cast<std::size_t>(speed)];
}

std::string hca_text(const FabricGraph& graph, std::uint32_t hca) {
  const FabricHca& h = graph.hcas()[hca];
  return h.name.empty() ? graph.hosts()[h.host].name : graph.hosts()[h.host].name + " " + h.name;
}

Result<std::uint32_t> FabricGraphBuilder::add_switch(FabricSwitch fabric_switch) {
  const std::string& name = fabric_switch.name;
  const auto index = static_cast<std::uint32_t>(graph_.switches_.size());
  if (fabric_switch.ports == 0 || fabric_switch.ports > k_switch_ports_max) {
    return fail(Code::invalid, "switch \"" + name + "\" has " + std::to_string(fabric_switch.ports) + " ports; 1 to " +
                                   std::to_string(k_switch_ports_max) + " would be right");
  }
  if (graph_.peers_.size() + fabric_switch.ports > k_fabric_ports_max) {
    return fail(Code::invalid, "with switch \"" + name + "\" there are more than " +
                                   std::to_string(k_fabric_ports_max) + " ports in all");
  }
  if (!switch_of_name_.try_emplace(name, index).second) {
    return fail(Code::invalid, "two switches are named \"" + name + "\"; each needs a name of its own");
  }
  if (fabric_switch.guid != 0) {
    const auto [known, is_new] = name_of_guid_.try_emplace(fabric_switch.guid, name);
    if (!is_new) {
      return fail(Code::invalid, "switches \"" + known->second + "\" and \"" + name + "\" have one GUID; keep one");
    }
  }
  graph_.first_port_.push_back(graph_.ports_total());
  graph_.peers_.resize(graph_.peers_.size() + fabric_switch.ports);
  graph_.switches_.push_back(std::move(fabric_switch));
  return index;
}

Status FabricGraphBuilder::take_port(std::uint32_t fabric_switch, std::uint32_t port, const FabricPeer& peer) {
  VIRGA_ASSERT(fabric_switch < graph_.switches_.size(), "a cable goes to a switch that was never added");
  const FabricSwitch& s = graph_.switches_[fabric_switch];
  if (port == 0 || port > s.ports) {
    return fail(Code::invalid, "switch \"" + s.name + "\" has no port " + std::to_string(port) + "; it has 1 to " +
                                   std::to_string(s.ports));
  }
  FabricPeer& at = graph_.peers_[graph_.port_number(fabric_switch, port)];
  if (at.kind != FabricPeer::Kind::none) {
    return fail(Code::invalid, "port " + std::to_string(port) + " of switch \"" + s.name +
                                   "\" has two cables, one of them to " + peer_text(graph_, at) + "; keep one");
  }
  at = peer;
  return {};
}

Result<std::uint32_t> FabricGraphBuilder::add_hca(FabricHca hca, std::string_view host) {
  const auto index = static_cast<std::uint32_t>(graph_.hcas_.size());
  auto known = host_of_name_.find(host);
  const bool is_new = known == host_of_name_.end();
  if (is_new) {
    known = host_of_name_.emplace(std::string(host), static_cast<std::uint32_t>(graph_.hosts_.size())).first;
    graph_.hosts_.push_back({std::string(host), {}});
  }
  FabricHost& of = graph_.hosts_[known->second];
  hca.host = known->second;
  hca.rail = static_cast<std::uint32_t>(of.hcas.size());
  if (!hca_of_name_.try_emplace(std::pair(hca.host, hca.name), index).second) {
    return fail(Code::invalid, hca.name.empty() ? "host \"" + of.name + "\" is there twice; keep one"
                                                : "host \"" + of.name + "\" has two HCAs named \"" + hca.name +
                                                      "\"; two hosts of one name need names of their own");
  }
  if (hca.guid != 0) {
    const auto [first, is_first] = name_of_hca_.try_emplace(std::pair(hca.guid, hca.port), of.name + " " + hca.name);
    if (!is_first) {
      return fail(Code::invalid, "HCAs \"" + first->second + "\" and \"" + of.name + " " + hca.name +
                                     "\" have one GUID and port; keep one");
    }
  }
  const FabricPeer peer{FabricPeer::Kind::hca, index, hca.port, hca.link};
  graph_.hcas_.push_back(hca);
  of.hcas.push_back(index);
  if (Status taken = take_port(hca.on_switch, hca.switch_port, peer); !taken) return unexpected(taken.error());
  return index;
}

Status FabricGraphBuilder::connect(FabricCable cable) {
  if (cable.a > cable.b) {
    std::swap(cable.a, cable.b);
    std::swap(cable.port_a, cable.port_b);
  }
  if (cable.a == cable.b) {
    return fail(Code::invalid, "a cable joins switch \"" + graph_.switches_[cable.a].name + "\" to itself");
  }
  using Kind = FabricPeer::Kind;
  if (Status ok = take_port(cable.a, cable.port_a, {Kind::fabric_switch, cable.b, cable.port_b, cable.link}); !ok) {
    return ok;
  }
  if (Status ok = take_port(cable.b, cable.port_b, {Kind::fabric_switch, cable.a, cable.port_a, cable.link}); !ok) {
    return ok;
  }
  graph_.cables_.push_back(cable);
  return {};
}

std::vector<std::uint32_t> FabricGraphBuilder::leaves() const {
  constexpr std::uint64_t k_many_more = 4;
  std::vector<std::uint64_t> hcas(graph_.switches_.size(), 0);
  std::vector<std::uint64_t> neighbours(hcas.size(), 0);
  std::vector<std::uint64_t> hcas_of_neighbours(hcas.size(), 0);
  std::vector<bool> has_bare_neighbour(hcas.size(), false);
  for (const FabricHca& hca : graph_.hcas_) ++hcas[hca.on_switch];
  for (const FabricCable& cable : graph_.cables_) {
    for (const auto& [self, other] : {std::pair(cable.a, cable.b), std::pair(cable.b, cable.a)}) {
      ++neighbours[self];
      hcas_of_neighbours[self] += hcas[other];
      if (hcas[other] == 0) has_bare_neighbour[self] = true;
    }
  }
  std::vector<std::uint32_t> found;
  for (std::uint32_t s = 0; s < hcas.size(); ++s) {
    const bool is_above =
        neighbours[s] > 0 && !has_bare_neighbour[s] && hcas_of_neighbours[s] >= k_many_more * hcas[s] * neighbours[s];
    if (hcas[s] > 0 && !is_above) found.push_back(s);
  }
  return found;
}

Result<FabricGraph> FabricGraphBuilder::build() {
  FabricGraph& g = graph_;
  if (g.hcas_.empty()) return fail(Code::invalid, "no host; a fabric needs at least one host on a switch");
  std::vector<std::uint32_t> order = leaves();
  std::vector<std::uint32_t> found(g.switches_.size(), 0);
  for (const std::uint32_t leaf : order) found[leaf] = 1;
  std::vector<std::vector<std::uint32_t>> joined(g.switches_.size());
  for (const FabricCable& cable : g.cables_) {
    joined[cable.a].push_back(cable.b);
    joined[cable.b].push_back(cable.a);
  }
  for (std::size_t i = 0; i < order.size(); ++i) {
    for (const std::uint32_t next : joined[order[i]]) {
      if (found[next] != 0) continue;
      found[next] = found[order[i]] + 1;
      order.push_back(next);
    }
  }
  for (std::uint32_t i = 0; i < g.switches_.size(); ++i) {
    FabricSwitch& s = g.switches_[i];
    if (found[i] == 0) {
      return fail(Code::invalid,
                  "switch \"" + s.name + "\" has no cable that leads to a host; cable it or leave it out");
    }
    if (s.level == 0) s.level = found[i];
    g.levels_ = std::max(g.levels_, s.level);
  }
  for (const FabricHost& host : g.hosts_) {
    g.rails_ = std::max(g.rails_, static_cast<std::uint32_t>(host.hcas.size()));
  }
  return std::move(graph_);
}

std::vector<std::string> differences(const FabricGraph& a, const FabricGraph& b, std::size_t lines_max) {
  const std::vector<std::string> of_a = facts_of(a);
  const std::vector<std::string> of_b = facts_of(b);
  std::vector<std::string> out;
  std::size_t i = 0;
  std::size_t j = 0;
  while ((i < of_a.size() || j < of_b.size()) && out.size() < lines_max) {
    if (j == of_b.size() || (i < of_a.size() && of_a[i] < of_b[j])) {
      out.push_back("only in the first: " + of_a[i++]);
    } else if (i == of_a.size() || of_b[j] < of_a[i]) {
      out.push_back("only in the second: " + of_b[j++]);
    } else {
      ++i;
      ++j;
    }
  }
  return out;
}

}  // namespace virga

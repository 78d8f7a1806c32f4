// Flows that share links: what rate each gets.
//
//   FlowPaths flows;
//   flows.add({{0, 1}});                            // through links 0 and 1
//   flows.add({{1}});
//   const std::vector<double> capacities = {10, 4};
//   max_min_rates(capacities, flows);               // {2, 2}
//
// Max-min fairness: no flow could have more without taking from one that has no more than it. Congestion control comes
// near to that where all flows go on for long, as those of a collective do; lossless fabrics (InfiniBand's credits)
// too, as long as nothing is blocked behind something else. Rates have the capacities' unit.
//
// Progressive filling (Bertsekas and Gallager, Data Networks, section 6.5.2): all rates grow together until a link is
// full; its flows are done; the others go on with what is left. The share that a link has for each of its open flows
// only grows meanwhile, so the links wait in a heap by the share they had when they were last looked at. With V visits
// of flows to links and L links: O(V) memory, O(V + L log L) time for each link that fills up after others, which in a
// regular network is a few in all. The result does not depend on the order of anything but the links' numbers.
//
// Raising a capacity may slow a flow down (another grows on a link that both share), but never the slowest one. A flow
// through no link is not limited: infinite. A link of no capacity lets nothing through: 0.
#pragma once

#include <cstddef>
#include <cstdint>
#include <initializer_list>
#include <span>
#include <vector>

namespace virga {

/// The links that each flow goes through; flows are numbered as they are added.
class FlowPaths {
 public:
  void add(std::span<const std::uint32_t> links);
  void add(std::initializer_list<std::uint32_t> links) { add(std::span(links.begin(), links.size())); }

  std::size_t size() const { return starts_.size() - 1; }
  std::span<const std::uint32_t> path(std::size_t flow) const {
    return std::span(links_).subspan(starts_[flow], starts_[flow + 1] - starts_[flow]);
  }
  /// Of all flows together.
  std::size_t visits() const { return links_.size(); }

 private:
  std::vector<std::size_t> starts_ = {0};
  std::vector<std::uint32_t> links_;
};

/// The rate of each flow. Links are numbered as their capacities; each is at least 0, and paths name no other link.
std::vector<double> max_min_rates(std::span<const double> capacities, const FlowPaths& flows);

}  // namespace virga

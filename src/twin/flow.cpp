#include "twin/flow.hpp"

#include <algorithm>
#include <functional>
#include <limits>
#include <queue>
#include <utility>

#include "base/assert.hpp"

namespace virga {
namespace {

constexpr double k_unlimited = std::numeric_limits<double>::infinity();

class Filling {
 public:
  Filling(std::span<const double> capacities, const FlowPaths& flows)
      : flows_(flows),
        left_(capacities.begin(), capacities.end()),
        open_(capacities.size(), 0),
        rates_(flows.size(), k_unlimited) {
    for (const double capacity : capacities) VIRGA_ASSERT(capacity >= 0, "a link's capacity is at least 0");
    list_flows_of_links();
  }

  std::vector<double> run() {
    for (std::uint32_t link = 0; link < open_.size(); ++link) {
      if (open_[link] > 0) waiting_.emplace(share(link), link);
    }
    while (!waiting_.empty()) {
      const auto [seen, link] = waiting_.top();
      waiting_.pop();
      if (open_[link] == 0) continue;
      const double now = share(link);
      if (now > seen) {
        waiting_.emplace(now, link);  // some of its flows were limited elsewhere since
      } else {
        level_ = std::max(level_, now);
        fill(link);
      }
    }
    return std::move(rates_);
  }

 private:
  using Waiting = std::pair<double, std::uint32_t>;

  void list_flows_of_links() {
    std::vector<std::size_t> counts(open_.size() + 1, 0);
    for (std::size_t flow = 0; flow < flows_.size(); ++flow) {
      for (const std::uint32_t link : flows_.path(flow)) {
        VIRGA_ASSERT(link < open_.size(), "a path names a link without a capacity");
        ++counts[link + 1];
        ++open_[link];
      }
    }
    for (std::size_t link = 1; link < counts.size(); ++link) counts[link] += counts[link - 1];
    starts_ = counts;
    flows_of_links_.resize(flows_.visits());
    for (std::size_t flow = 0; flow < flows_.size(); ++flow) {
      for (const std::uint32_t link : flows_.path(flow)) flows_of_links_[counts[link]++] = std::uint32_t(flow);
    }
  }

  double share(std::uint32_t link) const { return std::max(0.0, left_[link]) / open_[link]; }

  /// The link is full at the present level: its open flows have that rate.
  void fill(std::uint32_t link) {
    for (std::size_t i = starts_[link]; i < starts_[link + 1]; ++i) {
      const std::uint32_t flow = flows_of_links_[i];
      if (rates_[flow] != k_unlimited) continue;
      rates_[flow] = level_;
      for (const std::uint32_t visited : flows_.path(flow)) {
        left_[visited] -= level_;
        --open_[visited];
      }
    }
  }

  const FlowPaths& flows_;
  std::vector<double> left_;         // of each link's capacity
  std::vector<std::uint32_t> open_;  // visits of flows without a rate
  std::vector<double> rates_;
  std::vector<std::size_t> starts_;
  std::vector<std::uint32_t> flows_of_links_;
  std::priority_queue<Waiting, std::vector<Waiting>, std::greater<>> waiting_;
  double level_ = 0;  // rounding must not let a later link have less than an earlier one
};

}  // namespace

void FlowPaths::add(std::span<const std::uint32_t> links) {
  links_.insert(links_.end(), links.begin(), links.end());
  starts_.push_back(links_.size());
}

std::vector<double> max_min_rates(std::span<const double> capacities, const FlowPaths& flows) {
  return Filling(capacities, flows).run();
}

}  // namespace virga

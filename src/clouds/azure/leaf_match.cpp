#include "clouds/azure/leaf_match.hpp"

#include <algorithm>
#include <cassert>
#include <numeric>
#include <tuple>

namespace virga::azure {
namespace {

/// Instances by Azure's leaf, each list ascending, none empty.
using Free = std::map<std::string, std::vector<std::size_t>>;

Free::iterator best_leaf(Free& free, std::size_t wanted, const std::string& own) {
  if (const auto found = free.find(own); found != free.end()) return found;
  const auto rank = [wanted](const auto& leaf) {
    const std::size_t has = leaf.second.size();
    // Enough before too few; of those with enough the smallest, of the others the largest.
    return std::tuple(has < wanted,
                      has < wanted ? -static_cast<std::ptrdiff_t>(has) : static_cast<std::ptrdiff_t>(has));
  };
  return std::min_element(free.begin(), free.end(), [&](const auto& a, const auto& b) { return rank(a) < rank(b); });
}

}  // namespace

std::vector<std::size_t> match_leaves(const std::vector<std::uint32_t>& leaf_of_place,
                                      const std::vector<std::string>& leaf_of_instance,
                                      const std::map<std::uint32_t, std::string>& known) {
  assert(leaf_of_place.size() <= leaf_of_instance.size());
  Free free;
  for (std::size_t i = 0; i < leaf_of_instance.size(); ++i) free[leaf_of_instance[i]].push_back(i);
  std::map<std::uint32_t, std::vector<std::size_t>> wanted;
  for (std::size_t place = 0; place < leaf_of_place.size(); ++place) wanted[leaf_of_place[place]].push_back(place);

  std::vector<std::size_t> result(leaf_of_place.size());
  if (free.size() == 1) {
    std::iota(result.begin(), result.end(), 0);
    return result;
  }
  const auto serve = [&](const std::vector<std::size_t>& places, std::string own) {
    for (std::size_t done = 0; done < places.size();) {
      const auto leaf = best_leaf(free, places.size() - done, own);
      const std::size_t take = std::min(leaf->second.size(), places.size() - done);
      for (std::size_t i = 0; i < take; ++i) result[places[done + i]] = leaf->second[i];
      leaf->second.erase(leaf->second.begin(), leaf->second.begin() + static_cast<std::ptrdiff_t>(take));
      if (leaf->second.empty()) free.erase(leaf);
      done += take;
      own.clear();
    }
  };
  // Those that have a leaf already come first, so that no other takes its instances.
  for (const bool has_leaf : {true, false}) {
    for (const auto& [leaf, places] : wanted) {
      const auto own = known.find(leaf);
      if ((own != known.end()) == has_leaf) serve(places, has_leaf ? own->second : "");
    }
  }
  return result;
}

}  // namespace virga::azure

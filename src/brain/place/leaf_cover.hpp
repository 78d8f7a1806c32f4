// Which leaves a gang takes when each leaf has room for so many of its nodes: as few as can be, below few spines.
//
//   LeafCover cover(fabric);
//   std::vector<LeafTake> takes;
//   cover.choose(room_of_leaf, 70, 0, takes);   // leaf 0: 32, leaf 1: 32, leaf 5: 6
//
// Within a scope (one spine, one pod, everything) the fewest leaves are the emptiest ones, largest first; the last of
// them is exchanged for the fullest leaf that still holds the remainder, so that whole leaves stay for others. That is
// exact: no choice within the scope has fewer leaves. Of the scopes the narrowest is taken, unless a wider one needs
// fewer leaves and the links up to it are not oversubscribed (Fabric's taper): crossing a tapered level costs more than
// one more leaf. With a CollectiveWish the twin decides between them instead: the scope in which the gang's all-reduce
// is predicted to take the least time. Where a scope has several spines, leaves that are equally empty come from few
// spines.
//
// Ties go to the lower number. Cost O(leaves + nodes per leaf); nothing is allocated after the first calls.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "brain/place/collective_time.hpp"
#include "fabric/fabric.hpp"

namespace virga {

struct LeafTake {
  std::uint32_t leaf = 0;
  std::uint32_t nodes = 0;

  friend bool operator==(const LeafTake&, const LeafTake&) = default;
};

class LeafCover {
 public:
  /// `fabric` must outlive this.
  explicit LeafCover(const Fabric& fabric);

  /// False, with `takes` empty, if there is not enough room or leaves_max (0: no limit) leaves cannot hold the gang.
  /// Else `takes` is in rank order.
  bool choose(std::span<const std::uint32_t> room, std::uint32_t nodes, std::uint32_t leaves_max,
              std::vector<LeafTake>& takes, const CollectiveWish& wish = {});

 private:
  /// The leaves below one spine, one pod or the core.
  struct Scope {
    std::uint32_t first_leaf = 0;
    std::uint32_t end_leaf = 0;
    std::uint64_t room = 0;
    std::uint32_t leaves = 0;  ///< how many the gang needs here; 0: it does not fit
  };
  /// How many leaves of each room the gang takes: all of them above `edge`, some of `edge`, and one for the remainder.
  struct Split {
    std::uint32_t edge = 0;
    std::uint32_t edge_leaves = 0;
    std::uint32_t last = 0;  ///< the room of the leaf that takes the remainder
    std::uint32_t remainder = 0;
  };

  void count_rooms(std::span<const std::uint32_t> room, const Scope& scope);
  std::uint32_t leaves_needed(std::span<const std::uint32_t> room, std::uint32_t nodes, const Scope& scope);
  Scope pod_scope(std::uint32_t pod) const;
  Scope best_of(std::span<const std::uint32_t> room, std::uint32_t nodes, std::uint32_t least, bool of_pods);
  Scope choose_scope(std::span<const std::uint32_t> room, std::uint32_t nodes, std::uint32_t leaves_max);
  Spread spread_of(std::span<const LeafTake> takes) const;
  void prefer_faster(std::span<const std::uint32_t> room, std::uint32_t nodes, std::uint32_t leaves_max,
                     const CollectiveWish& wish, std::vector<LeafTake>& takes);
  Split split(std::span<const std::uint32_t> room, std::uint32_t nodes, const Scope& scope);
  void share_edge_among_spines(std::span<const std::uint32_t> room, const Scope& scope, const Split& split);
  std::uint32_t next_spine(const Scope& scope, std::uint32_t wanted) const;
  void use_spine(std::uint32_t spine);
  void take(std::span<const std::uint32_t> room, const Scope& scope, const Split& split, std::vector<LeafTake>& takes);
  void take_last(std::span<const std::uint32_t> room, const Scope& scope, const Split& split,
                 std::vector<LeafTake>& takes) const;

  const Fabric& fabric_;
  std::vector<std::uint32_t> leaves_with_room_;  ///< of the scope at hand: how many leaves have room for exactly k
  std::vector<std::uint64_t> room_of_spine_;
  std::vector<std::uint32_t> edge_of_spine_;   ///< leaves of the edge's room that a spine has
  std::vector<std::uint32_t> share_of_spine_;  ///< how many of them are taken
  std::vector<std::uint8_t> spine_used_;
  std::vector<std::uint8_t> pod_used_;
  std::uint32_t room_max_ = 0;  ///< the largest room of a leaf of the scope at hand
  std::vector<Scope> scopes_;   ///< that hold the gang, from narrow to wide; each has fewer leaves than the one before
  std::vector<LeafTake> others_;
};

}  // namespace virga

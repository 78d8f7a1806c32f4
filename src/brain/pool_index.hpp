// One pool as the schedule sees it: which of its node numbers exist, what is free on them, and when the rest comes
// free. Derived from State::vms, kept up to date by index_vm(), never stored.
//
//   PoolIndex& pool = state.index.pools[0];
//   pool.fitting(request)                      // nodes with room now, booting and requested ones included
//   pool.choose(request, false, false, slots)  // which ones, along the fabric
//   pool.shadow(open, nodes, now)              // when enough will be free
//
// A slot is a node's number less one. Slots of one scale set form a cell; where InfiniBand does not reach across sets,
// a gang that needs it stays within one cell. Of cells that have equally many of its nodes already, it gets the one
// where its all-reduce is predicted to take the least time (place/collective_time.hpp), then the fullest. Counting is
// O(levels), choosing and updating O(log n) (place/node_index.hpp).
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <set>
#include <span>
#include <tuple>
#include <utility>
#include <vector>

#include "brain/place/collective_time.hpp"
#include "brain/place/node_index.hpp"
#include "brain/place/node_wish.hpp"
#include "brain/sched/release_profile.hpp"
#include "core/config.hpp"
#include "core/vm.hpp"

namespace virga {

/// A gang's wish, in the pool's own terms.
struct GangRequest {
  std::uint32_t nodes = 1;
  Resources per_node;
  bool exclusive = false;
  bool one_cell = false;         ///< InfiniBand must reach from each node to each
  std::uint32_t leaves_max = 0;  ///< 0: any number
  Time ends = Time::never();     ///< where a node's time is paid for: when this gang is expected to be done with it
  std::uint64_t reduce_bytes = k_reference_bytes;  ///< of the all-reduce by which placements are compared
  NodeWish wish = {};                              ///< single nodes that it must or may not have
};

class PoolIndex {
 public:
  explicit PoolIndex(const Pool& pool);

  // Upkeep -----------------------------------------------------------------------------------------------------------

  /// The VMs' room, state and jobs are as given; each is busy until then (Time{}: nobody holds it). VMs next to each
  /// other that change in the same way, as those of a gang do, are cheapest.
  struct Present {
    const Vm* vm = nullptr;
    Time busy_until;
  };
  void put(std::span<const Present> vms);
  /// No VM has this number; a drained number is not given to a new one.
  void clear(std::uint32_t slot, bool drained);

  // Questions --------------------------------------------------------------------------------------------------------

  std::uint32_t size() const { return static_cast<std::uint32_t>(slots_.size()); }
  /// Zero where nobody has that number.
  VmId vm_at(std::uint32_t slot) const { return slots_[slot].vm; }
  bool is_absent(std::uint32_t slot) const { return !slots_[slot].vm && !slots_[slot].drained; }
  /// A VM that takes jobs.
  bool is_usable(std::uint32_t slot) const { return slots_[slot].usable; }
  std::uint32_t usable() const { return usable_; }    ///< of these, neither drained nor about to go
  std::uint32_t absent() const { return absent_; }    ///< numbers that a new VM could have
  std::uint32_t drained() const { return drained_; }  ///< numbers that no job may have

  /// How many nodes (of the best cell, where the gang must stay within one) have room for their share now.
  std::uint32_t fitting(const GangRequest& request) const;
  /// The same among nodes that answer.
  std::uint32_t fitting_ready(const GangRequest& request) const;
  /// The same with numbers that could be asked for counted in.
  std::uint32_t fitting_or_absent(const GangRequest& request) const;

  /// Chooses slots in rank order. With `grow`, absent ones fill up what is missing. False if fabric and cells do not
  /// allow it. With `ends`, a part of one node comes from the one in use whose own end it puts off least; if there are
  /// several that are busy for longer anyhow, from the first of these that ends. `passed_over`, if not null, is set
  /// where another choice was slower.
  bool choose(const GangRequest& request, bool ready_only, bool grow, std::vector<std::uint32_t>& slots,
              PassedOver* passed_over = nullptr) const;

  /// The predicted all-reduce of a gang on these slots, in rank order; nothing where the fabric does not join them.
  std::optional<Duration> collective_time(const GangRequest& request, std::span<const std::uint32_t> slots) const;
  std::optional<Spread> spread(std::span<const std::uint32_t> slots) const;
  const CollectiveTime& collectives() const { return collectives_; }

  /// Nodes that nobody is on, absent ones included.
  std::uint32_t free_now() const;
  /// When `need` nodes will be free, if `open` are now and what runs ends as expected.
  Shadow shadow(std::uint32_t open, std::uint32_t need, Time now) const {
    return releases_.shadow({.free_units = open, .need = need, .now = now});
  }
  /// The same for a gang that has a wish: when the nodes that it may have will be free, the required ones all of them.
  /// `may_grow`: those that do not exist could be asked for now.
  Shadow wished_shadow(const GangRequest& request, bool may_grow, Time now) const;
  /// When how many of the nodes in use are expected back, in the order of time. O(nodes log nodes).
  std::vector<std::pair<Time, std::uint32_t>> releases() const;
  /// Will nobody be on this node by then? Such a node counts for whoever holds the pool.
  bool is_free_by(std::uint32_t slot, Time at) const { return slots_[slot].busy_until <= at; }

 private:
  struct Slot {
    VmId vm;
    bool usable = false;
    bool ready = false;
    bool drained = false;
    bool occupied = false;
    bool exclusive = false;
    Resources used;
    Time busy_until;

    bool same_but_vm(const Slot& other) const {
      return !vm == !other.vm && usable == other.usable && ready == other.ready && drained == other.drained &&
             occupied == other.occupied && exclusive == other.exclusive && used == other.used &&
             busy_until == other.busy_until;
    }
  };
  struct Cell {
    std::uint32_t first = 0;
    std::shared_ptr<const Fabric> fabric;  ///< the two below refer to it
    NodeIndex present;                     ///< nodes that are asked for, boot or answer
    NodeIndex ready;                       ///< those that answer
  };

  /// A node that something runs on and that has room for more: how much, when it is expected back, and its slot.
  using SharedKey = std::tuple<std::uint32_t, Time, std::uint32_t>;

  Resources room_of(const Slot& slot) const;
  std::uint32_t room_level(const Resources& room) const;
  bool is_shared(const Slot& slot) const;
  static Slot slot_for(const Present& present);
  void replace(std::span<const std::uint32_t> numbers, const Slot& now);
  template <class Count>
  std::uint32_t over_cells(const GangRequest& request, Count count) const;
  std::uint32_t ranks_per_node(const GangRequest& request) const;
  CollectiveWish wish_of(const GangRequest& request) const;
  const Cell* cell_to_choose(const GangRequest& request, const PlaceRequest& place, bool ready_only, bool grow,
                             PassedOver* passed_over) const;
  Duration least_time(const PlaceRequest& place) const;
  /// `cells` with their room, the fullest first.
  const Cell* fastest_cell(std::span<const std::pair<std::uint32_t, const Cell*>> cells, const PlaceRequest& place,
                           bool ready_only, bool grow, PassedOver* passed_over) const;
  static bool choose_in(const Cell& cell, PlaceRequest request, bool ready_only, bool grow,
                        std::vector<std::uint32_t>& slots);
  std::uint32_t leaves_of(const std::vector<std::uint32_t>& slots) const;
  bool choose_anywhere(const GangRequest& request, bool ready_only, bool grow, std::vector<std::uint32_t>& slots,
                       PassedOver* passed_over) const;
  WishedPool wished_pool(const GangRequest& request, bool ready_only, bool grow) const;
  static WishedGang wished_gang(const GangRequest& request);
  bool choose_by_wish(const GangRequest& request, bool ready_only, bool grow, std::vector<std::uint32_t>& slots) const;
  bool choose_by_end(const GangRequest& request, bool ready_only, std::vector<std::uint32_t>& slots) const;
  bool choose_across(PlaceRequest request, bool ready_only, bool grow, std::vector<std::uint32_t>& slots) const;

  Resources total_;
  CollectiveTime collectives_;
  PoolFabric shape_;
  std::uint32_t cell_nodes_ = 1;
  std::vector<Slot> slots_;
  std::vector<Cell> cells_;
  ReleaseProfile releases_;
  std::set<SharedKey> shared_;
  std::uint32_t usable_ = 0;
  std::uint32_t absent_ = 0;
  std::uint32_t drained_ = 0;
  std::vector<std::uint32_t> run_;  ///< working memory of put() and replace(): numbers, and the same in their cell
  std::vector<std::uint32_t> in_cell_;
};

}  // namespace virga

// Which single nodes of a pool a job wants or does not want (--nodelist, --exclude), or that they follow each other
// (--contiguous), and the nodes that it gets then.
//
//   NodeWish wish = {.required = {4}, .excluded = {7}};
//   WishedPool pool{slots, cell_nodes, leaf_of, room_of};
//   if (choose_wished(pool, {.wish = &wish, .nodes = 3, .one_cell = true}, slots)) …
//
// Such jobs are few: what they cost is a walk over the pool, O(slots log slots), unlike NodeIndex. Required nodes come
// first; of the others, those that are there come before those that must be asked for, and leaves where the gang has
// nodes already, then those with the most room, before others. With a limit on leaves the leaf comes before that.
#pragma once

#include <cstdint>
#include <functional>
#include <vector>

namespace virga {

/// Slots, ascending.
struct NodeWish {
  std::vector<std::uint32_t> required;
  std::vector<std::uint32_t> excluded;
  bool contiguous = false;

  bool is_empty() const { return required.empty() && excluded.empty() && !contiguous; }
  bool requires_slot(std::uint32_t slot) const;
  bool excludes(std::uint32_t slot) const;
};

/// What a node is to the job: present has room for its share, absent may be asked for.
enum class WishedRoom : std::uint8_t { none, present, absent };

struct WishedPool {
  std::uint32_t slots = 0;
  std::uint32_t cell_nodes = 1;
  std::function<std::uint32_t(std::uint32_t slot)> leaf_of;  ///< numbered over all of the pool, ascending in each cell
  std::function<WishedRoom(std::uint32_t slot)> room_of;
};

struct WishedGang {
  const NodeWish* wish = nullptr;
  std::uint32_t nodes = 1;
  bool one_cell = false;
  std::uint32_t leaves_max = 0;  ///< 0: any number
};

/// False, with `slots` empty, if they cannot be had; ascending.
bool choose_wished(const WishedPool& pool, const WishedGang& gang, std::vector<std::uint32_t>& slots);
/// How many nodes it could have at most, required ones among them or not.
std::uint32_t count_wished(const WishedPool& pool, const WishedGang& gang);

}  // namespace virga

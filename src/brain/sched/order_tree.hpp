// An ordered index whose subtrees carry summaries: a B+-tree stored in two vectors, no pointers, no allocation per
// entry, the same shape on every machine.
//
//   OrderTree<ReleaseEntry, ReleaseColumns> tree;      // Entry has a `key` with a total order
//   tree.insert({{end, job}, units});
//   tree.erase({end, job});
//   const ReleaseEntry* hit = tree.first(query);       // in order, subtrees that hold nothing are skipped
//
// Columns is what an inner node knows about its children, column by column, so that a search reads one contiguous run:
//   Summary              a value: what is known about a subtree; starts empty, `add(entry)`
//   put(slot, summary)   all(count) -> Summary   copy(from_columns, from, to)
//   add(slot, entry)     remove(slot, entry) -> false if the slot must be summed up anew
// Query has `next_slot(columns, from, count)`, the first slot that may hold a hit or `count`, and `hit(entry)`.
//
// insert, erase, find: O(log n), about 4 levels for a million entries. first: O(log n) for each subtree whose summary
// promised a hit. Bayer, McCreight, "Organization and Maintenance of Large Ordered Indices", 1972; nodes are joined
// lazily, below a quarter, as in Johnson, Shasha, "B-trees with inserts and deletes: why free-at-empty is better",
// 1993.
#pragma once

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <vector>

#include "base/assert.hpp"

namespace virga {

inline constexpr std::uint32_t k_tree_fanout = 32;
inline constexpr std::uint32_t k_tree_leaf_size = 64;

template <class Entry, class Columns>
class OrderTree {
 public:
  using Key = decltype(Entry::key);
  using Summary = typename Columns::Summary;

  std::size_t size() const { return size_; }
  bool empty() const { return size_ == 0; }

  void insert(const Entry& entry);
  /// False if there is no such key.
  bool erase(const Key& key);
  /// Calls change(entry), which leaves the key as it is. False if there is no such key.
  template <class Change>
  bool change(const Key& key, Change&& change);
  const Entry* find(const Key& key) const;
  const Entry* front() const;

  /// The first entry that the query hits; the query may count as it goes along.
  template <class Query>
  const Entry* first(Query&& query) const {
    return empty() ? nullptr : search(root_, height_, nullptr, query);
  }
  /// The same among the entries behind `after`, which need not be there (any more).
  template <class Query>
  const Entry* first_after(const Key& after, Query&& query) const {
    return empty() ? nullptr : search(root_, height_, &after, query);
  }

  /// Calls on_slot(columns, slot) and on_entry(entry) for what lies before `key`, each entry covered once.
  template <class OnSlot, class OnEntry>
  void fold_before(const Key& key, OnSlot&& on_slot, OnEntry&& on_entry) const;

 private:
  struct Leaf {
    std::uint32_t count = 0;
    std::array<Entry, k_tree_leaf_size> entries;
  };
  struct Inner {
    std::uint32_t count = 0;
    std::array<std::uint32_t, k_tree_fanout> child;
    std::array<Key, k_tree_fanout> separator;  ///< no entry of the child is smaller; that of slot 0 is not looked at
    Columns columns;
  };
  struct Step {
    std::uint32_t node = 0;
    std::uint32_t slot = 0;
  };
  static constexpr std::uint32_t k_height_max = 12;
  static constexpr std::uint32_t k_none = 0xffffffff;
  /// From the root's level down to level 1; path[level] is the step taken in the inner node of that level.
  using Path = std::array<Step, k_height_max + 1>;

  static std::uint32_t slot_of(const Inner& node, const Key& key) {
    const auto begin = node.separator.begin() + 1;
    return static_cast<std::uint32_t>(std::upper_bound(begin, node.separator.begin() + node.count, key) - begin);
  }
  static std::uint32_t position_of(const Leaf& leaf, const Key& key) {
    const auto end = leaf.entries.begin() + leaf.count;
    const auto at = std::lower_bound(leaf.entries.begin(), end, key,
                                     [](const Entry& entry, const Key& k) { return entry.key < k; });
    return static_cast<std::uint32_t>(at - leaf.entries.begin());
  }

  std::uint32_t descend(const Key& key, Path& path) const {
    std::uint32_t node = root_;
    for (std::uint32_t level = height_; level > 0; --level) {
      path[level] = {node, slot_of(inners_[node], key)};
      node = inners_[node].child[path[level].slot];
    }
    return node;
  }
  Summary summary_of(std::uint32_t node, std::uint32_t level) const {
    if (level > 0) return inners_[node].columns.all(inners_[node].count);
    Summary summary;
    const Leaf& leaf = leaves_[node];
    for (std::uint32_t i = 0; i < leaf.count; ++i) summary.add(leaf.entries[i]);
    summary.finish();
    return summary;
  }
  std::uint32_t count_of(std::uint32_t node, std::uint32_t level) const {
    return level > 0 ? inners_[node].count : leaves_[node].count;
  }

  template <class T>
  static std::uint32_t take(std::vector<T>& pool, std::vector<std::uint32_t>& spare) {
    if (spare.empty()) {
      pool.emplace_back();
      return static_cast<std::uint32_t>(pool.size() - 1);
    }
    const std::uint32_t node = spare.back();
    spare.pop_back();
    pool[node].count = 0;
    return node;
  }
  void give_back(std::uint32_t node, std::uint32_t level) {
    (level > 0 ? spare_inners_ : spare_leaves_).push_back(node);
  }

  static void open_slot(Inner& node, std::uint32_t slot) {
    for (std::uint32_t i = node.count; i > slot; --i) copy_slot(node, i - 1, node, i);
    ++node.count;
  }
  static void close_slot(Inner& node, std::uint32_t slot) {
    --node.count;
    for (std::uint32_t i = slot; i < node.count; ++i) copy_slot(node, i + 1, node, i);
  }
  static void copy_slot(const Inner& from, std::uint32_t i, Inner& to, std::uint32_t j) {
    to.child[j] = from.child[i];
    to.separator[j] = from.separator[i];
    to.columns.copy(from.columns, i, j);
  }

  std::uint32_t insert_splitting_leaf(std::uint32_t node, std::uint32_t position, const Entry& entry);
  std::uint32_t split_inner(std::uint32_t node);
  void add_child(Inner& node, std::uint32_t slot, std::uint32_t child, std::uint32_t level, const Key& separator);
  void grow_root(std::uint32_t right, const Key& separator);
  void join(std::uint32_t left, std::uint32_t right, std::uint32_t level, const Key& separator);
  bool join_around(const Step& step, std::uint32_t level);

  template <class Query>
  const Entry* search(std::uint32_t node, std::uint32_t level, const Key* after, Query& query) const;

  std::vector<Leaf> leaves_;
  std::vector<Inner> inners_;
  std::vector<std::uint32_t> spare_leaves_;
  std::vector<std::uint32_t> spare_inners_;
  std::uint32_t root_ = k_none;
  std::uint32_t height_ = 0;  ///< 0: the root is a leaf
  std::size_t size_ = 0;
};

/// The full leaf gives its upper half to a new one. Entries that come in order leave full leaves behind.
template <class Entry, class Columns>
std::uint32_t OrderTree<Entry, Columns>::insert_splitting_leaf(std::uint32_t node, std::uint32_t position,
                                                               const Entry& entry) {
  const std::uint32_t right = take(leaves_, spare_leaves_);
  Leaf& from = leaves_[node];
  Leaf& to = leaves_[right];
  const std::uint32_t keep = position == from.count ? from.count : from.count / 2;
  std::copy(from.entries.begin() + keep, from.entries.begin() + from.count, to.entries.begin());
  to.count = from.count - keep;
  from.count = keep;
  Leaf& target = position <= keep && keep < k_tree_leaf_size ? from : to;
  if (&target == &to) position -= keep;
  std::copy_backward(target.entries.begin() + position, target.entries.begin() + target.count,
                     target.entries.begin() + target.count + 1);
  target.entries[position] = entry;
  ++target.count;
  return right;
}

template <class Entry, class Columns>
std::uint32_t OrderTree<Entry, Columns>::split_inner(std::uint32_t node) {
  const std::uint32_t right = take(inners_, spare_inners_);
  Inner& from = inners_[node];
  Inner& to = inners_[right];
  const std::uint32_t keep = from.count / 2;
  for (std::uint32_t i = keep; i < from.count; ++i) copy_slot(from, i, to, i - keep);
  to.count = from.count - keep;
  from.count = keep;
  return right;
}

template <class Entry, class Columns>
void OrderTree<Entry, Columns>::add_child(Inner& node, std::uint32_t slot, std::uint32_t child, std::uint32_t level,
                                          const Key& separator) {
  open_slot(node, slot);
  node.child[slot] = child;
  node.separator[slot] = separator;
  node.columns.put(slot, summary_of(child, level));
}

template <class Entry, class Columns>
void OrderTree<Entry, Columns>::grow_root(std::uint32_t right, const Key& separator) {
  const std::uint32_t left = root_;
  root_ = take(inners_, spare_inners_);
  Inner& node = inners_[root_];
  add_child(node, 0, left, height_, separator);
  add_child(node, 1, right, height_, separator);
  ++height_;
  VIRGA_ASSERT(height_ <= k_height_max, "an ordered index is deeper than any number of entries makes it");
}

template <class Entry, class Columns>
void OrderTree<Entry, Columns>::insert(const Entry& entry) {
  if (root_ == k_none) root_ = take(leaves_, spare_leaves_);
  Path path;
  std::uint32_t left = descend(entry.key, path);
  Leaf& leaf = leaves_[left];
  const std::uint32_t position = position_of(leaf, entry.key);
  VIRGA_ASSERT(position == leaf.count || leaf.entries[position].key != entry.key, "a key is in the index twice");
  ++size_;
  std::uint32_t right = k_none;
  Key separator{};
  if (leaf.count < k_tree_leaf_size) {
    std::copy_backward(leaf.entries.begin() + position, leaf.entries.begin() + leaf.count,
                       leaf.entries.begin() + leaf.count + 1);
    leaf.entries[position] = entry;
    ++leaf.count;
  } else {
    right = insert_splitting_leaf(left, position, entry);
    separator = leaves_[right].entries[0].key;
  }
  for (std::uint32_t level = 1; level <= height_; ++level) {
    const auto [node, slot] = path[level];
    if (right == k_none) {
      inners_[node].columns.add(slot, entry);
      continue;
    }
    inners_[node].columns.put(slot, summary_of(left, level - 1));
    left = node;
    if (inners_[node].count < k_tree_fanout) {
      add_child(inners_[node], slot + 1, right, level - 1, separator);
      right = k_none;
      continue;
    }
    const std::uint32_t new_node = split_inner(node);
    const std::uint32_t keep = inners_[node].count;
    Inner& target = slot < keep ? inners_[node] : inners_[new_node];
    add_child(target, (slot < keep ? slot : slot - keep) + 1, right, level - 1, separator);
    right = new_node;
    separator = inners_[new_node].separator[0];
  }
  if (right != k_none) grow_root(right, separator);
}

/// Appends what `right` holds to `left`, its neighbour of the same parent, where `separator` stood between them.
template <class Entry, class Columns>
void OrderTree<Entry, Columns>::join(std::uint32_t left, std::uint32_t right, std::uint32_t level,
                                     const Key& separator) {
  if (level == 0) {
    Leaf& to = leaves_[left];
    const Leaf& from = leaves_[right];
    std::copy(from.entries.begin(), from.entries.begin() + from.count, to.entries.begin() + to.count);
    to.count += from.count;
  } else {
    Inner& to = inners_[left];
    const Inner& from = inners_[right];
    for (std::uint32_t i = 0; i < from.count; ++i) copy_slot(from, i, to, to.count + i);
    to.separator[to.count] = separator;
    to.count += from.count;
  }
  give_back(right, level);
}

/// Joins the child of this step with a neighbour if it has become nearly empty; true if the parent has changed.
template <class Entry, class Columns>
bool OrderTree<Entry, Columns>::join_around(const Step& step, std::uint32_t level) {
  Inner& parent = inners_[step.node];
  const std::uint32_t size_max = level > 0 ? k_tree_fanout : k_tree_leaf_size;
  const std::uint32_t count = count_of(parent.child[step.slot], level);
  if (count >= size_max / 4 || parent.count < 2) return false;
  for (const std::uint32_t left : {step.slot, step.slot - 1}) {
    if (left >= parent.count - 1) continue;  // also what 0 - 1 is
    const std::uint32_t both = count_of(parent.child[left], level) + count_of(parent.child[left + 1], level);
    if (both > size_max * 3 / 4) continue;
    join(parent.child[left], parent.child[left + 1], level, parent.separator[left + 1]);
    close_slot(parent, left + 1);
    parent.columns.put(left, summary_of(parent.child[left], level));
    return true;
  }
  return false;
}

template <class Entry, class Columns>
bool OrderTree<Entry, Columns>::erase(const Key& key) {
  if (empty()) return false;
  Path path;
  const std::uint32_t node = descend(key, path);
  Leaf& leaf = leaves_[node];
  const std::uint32_t position = position_of(leaf, key);
  if (position == leaf.count || leaf.entries[position].key != key) return false;
  const Entry entry = leaf.entries[position];
  std::copy(leaf.entries.begin() + position + 1, leaf.entries.begin() + leaf.count, leaf.entries.begin() + position);
  --leaf.count;
  --size_;
  for (std::uint32_t level = 1; level <= height_; ++level) {
    const Step& step = path[level];
    Columns& columns = inners_[step.node].columns;
    const std::uint32_t child = inners_[step.node].child[step.slot];
    if (count_of(child, level - 1) == 0) {
      give_back(child, level - 1);
      close_slot(inners_[step.node], step.slot);
    } else if (!join_around(step, level - 1) && !columns.remove(step.slot, entry)) {
      columns.put(step.slot, summary_of(child, level - 1));
    }
  }
  while (height_ > 0 && inners_[root_].count == 1) {
    const std::uint32_t child = inners_[root_].child[0];
    give_back(root_, height_);
    root_ = child;
    --height_;
  }
  VIRGA_ASSERT(size_ > 0 || height_ == 0, "an empty index has inner nodes");
  return true;
}

template <class Entry, class Columns>
template <class Change>
bool OrderTree<Entry, Columns>::change(const Key& key, Change&& change) {
  if (empty()) return false;
  Path path;
  const std::uint32_t node = descend(key, path);
  Leaf& leaf = leaves_[node];
  const std::uint32_t position = position_of(leaf, key);
  if (position == leaf.count || leaf.entries[position].key != key) return false;
  const Entry before = leaf.entries[position];
  change(leaf.entries[position]);
  for (std::uint32_t level = 1; level <= height_; ++level) {
    const Step& step = path[level];
    Columns& columns = inners_[step.node].columns;
    if (columns.remove(step.slot, before)) {
      columns.add(step.slot, leaf.entries[position]);
    } else {
      columns.put(step.slot, summary_of(inners_[step.node].child[step.slot], level - 1));
    }
  }
  return true;
}

template <class Entry, class Columns>
const Entry* OrderTree<Entry, Columns>::find(const Key& key) const {
  if (empty()) return nullptr;
  Path path;
  const Leaf& leaf = leaves_[descend(key, path)];
  const std::uint32_t position = position_of(leaf, key);
  return position < leaf.count && leaf.entries[position].key == key ? &leaf.entries[position] : nullptr;
}

template <class Entry, class Columns>
const Entry* OrderTree<Entry, Columns>::front() const {
  if (empty()) return nullptr;
  std::uint32_t node = root_;
  for (std::uint32_t level = height_; level > 0; --level) node = inners_[node].child[0];
  return &leaves_[node].entries[0];
}

template <class Entry, class Columns>
template <class OnSlot, class OnEntry>
void OrderTree<Entry, Columns>::fold_before(const Key& key, OnSlot&& on_slot, OnEntry&& on_entry) const {
  if (empty()) return;
  Path path;
  const Leaf& leaf = leaves_[descend(key, path)];
  for (std::uint32_t level = height_; level > 0; --level) {
    for (std::uint32_t slot = 0; slot < path[level].slot; ++slot) on_slot(inners_[path[level].node].columns, slot);
  }
  const std::uint32_t position = position_of(leaf, key);
  for (std::uint32_t i = 0; i < position; ++i) on_entry(leaf.entries[i]);
}

template <class Entry, class Columns>
template <class Query>
const Entry* OrderTree<Entry, Columns>::search(std::uint32_t node, std::uint32_t level, const Key* after,
                                               Query& query) const {
  if (level == 0) {
    const Leaf& leaf = leaves_[node];
    std::uint32_t i = 0;
    if (after != nullptr) {
      i = position_of(leaf, *after);
      if (i < leaf.count && leaf.entries[i].key == *after) ++i;
    }
    for (; i < leaf.count; ++i) {
      if (query.hit(leaf.entries[i])) return &leaf.entries[i];
    }
    return nullptr;
  }
  const Inner& inner = inners_[node];
  std::uint32_t slot = 0;
  if (after != nullptr) {
    slot = slot_of(inner, *after);
    if (query.next_slot(inner.columns, slot, slot + 1) == slot) {
      if (const Entry* found = search(inner.child[slot], level - 1, after, query)) return found;
    }
    ++slot;
  }
  for (slot = query.next_slot(inner.columns, slot, inner.count); slot < inner.count;
       slot = query.next_slot(inner.columns, slot + 1, inner.count)) {
    if (const Entry* found = search(inner.child[slot], level - 1, nullptr, query)) return found;
  }
  return nullptr;
}

}  // namespace virga

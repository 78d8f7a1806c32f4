// A map whose keys are ids that were given out one after the other: std::map's interface and order, and a search that
// does not go through a tree of all of them.
//
//   IdMap<JobId, Job> jobs;
//   jobs.emplace(JobId{7}, Job{});
//   for (auto& [id, job] : jobs) …                 // in the order of ids
//   if (auto it = jobs.find(JobId{7}); it != jobs.end()) it->second.state = …
//
// Ids with the same upper bits share a page of k_page elements, or pointers to large ones; the pages are in a std::map.
// So find() costs O(log pages) and two steps, and with the ids of what lives being close together there are few pages.
// Any ids will do, but ids far apart cost a page each (2 KiB of pointers, up to 20 KiB of elements). Elements never
// move; an iterator is valid until its element is erased.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <iterator>
#include <map>
#include <memory>
#include <optional>
#include <tuple>
#include <type_traits>
#include <utility>

#include "base/assert.hpp"

namespace virga {

/// An IdMap or a std::map.
template <class M>
concept AnyMap = requires {
  typename M::key_type;
  typename M::mapped_type;
};

template <class Key, class T>
class IdMap {
  static constexpr std::uint64_t k_page = 256;

 public:
  using key_type = Key;
  using mapped_type = T;
  using value_type = std::pair<const Key, T>;

 private:
  /// Small elements lie in the page itself, so that neighbours are neighbours in memory too.
  static constexpr bool k_in_page = sizeof(T) <= 64;
  using Slot = std::conditional_t<k_in_page, std::optional<value_type>, std::unique_ptr<value_type>>;
  struct Page {
    std::array<Slot, k_page> slots;
    std::uint32_t used = 0;
  };
  using Pages = std::map<std::uint64_t, Page>;

  template <bool is_const>
  class Iterator {
   public:
    using iterator_category = std::forward_iterator_tag;
    using difference_type = std::ptrdiff_t;
    using value_type = IdMap::value_type;
    using reference = std::conditional_t<is_const, const value_type&, value_type&>;
    using pointer = std::conditional_t<is_const, const value_type*, value_type*>;
    using PagesOf = std::conditional_t<is_const, const Pages, Pages>;
    using PageAt = std::conditional_t<is_const, typename Pages::const_iterator, typename Pages::iterator>;

    Iterator() = default;
    Iterator(PagesOf* pages, PageAt page, std::uint64_t slot) : pages_(pages), page_(page), slot_(slot) {}
    // NOLINTNEXTLINE(google-explicit-constructor): as std::map's, an iterator is a const_iterator too
    operator Iterator<true>() const { return {pages_, page_, slot_}; }

    reference operator*() const { return *page_->second.slots[slot_]; }
    pointer operator->() const { return &**this; }
    Iterator& operator++() {
      ++slot_;
      settle();
      return *this;
    }
    friend bool operator==(const Iterator& a, const Iterator& b) { return a.page_ == b.page_ && a.slot_ == b.slot_; }

   private:
    friend class IdMap;
    /// To the first element from here on.
    void settle() {
      while (page_ != pages_->end()) {
        for (; slot_ < k_page; ++slot_) {
          if (page_->second.slots[slot_]) return;
        }
        ++page_;
        slot_ = 0;
      }
    }

    PagesOf* pages_ = nullptr;
    PageAt page_ = {};
    std::uint64_t slot_ = 0;
  };

 public:
  using iterator = Iterator<false>;
  using const_iterator = Iterator<true>;

  IdMap() = default;
  IdMap(IdMap&&) noexcept = default;
  IdMap& operator=(IdMap&&) noexcept = default;
  IdMap(const IdMap& other) { *this = other; }
  IdMap& operator=(const IdMap& other) {
    if (this == &other) return *this;
    clear();
    for (const value_type& element : other) emplace(element.first, element.second);
    return *this;
  }
  ~IdMap() = default;

  iterator begin() { return first_of<iterator>(pages_); }
  const_iterator begin() const { return first_of<const_iterator>(pages_); }
  iterator end() { return {&pages_, pages_.end(), 0}; }
  const_iterator end() const { return {&pages_, pages_.end(), 0}; }

  std::size_t size() const { return size_; }
  bool empty() const { return size_ == 0; }
  void clear() {
    pages_.clear();
    size_ = 0;
  }

  iterator find(Key key) { return found_in<iterator>(pages_, key); }
  const_iterator find(Key key) const { return found_in<const_iterator>(pages_, key); }
  bool contains(Key key) const { return find(key) != end(); }
  /// The element must be there.
  T& at(Key key) { return known(find(key), end())->second; }
  const T& at(Key key) const { return known(find(key), end())->second; }
  /// The first one that is not before the key.
  iterator lower_bound(Key key) { return from_in<iterator>(pages_, key); }
  const_iterator lower_bound(Key key) const { return from_in<const_iterator>(pages_, key); }

  /// Nothing happens, and the second is false, if the key is there already.
  template <class... Args>
  std::pair<iterator, bool> emplace(Key key, Args&&... args) {
    const auto page = pages_.try_emplace(page_of(key)).first;
    Slot& slot = page->second.slots[slot_of(key)];
    const bool is_new = !slot;
    if (is_new) {
      fill(slot, std::forward_as_tuple(key), std::forward_as_tuple(std::forward<Args>(args)...));
      ++page->second.used;
      ++size_;
    }
    return {{&pages_, page, slot_of(key)}, is_new};
  }
  template <class V>
  void insert_or_assign(Key key, V&& value) {
    const auto [at, is_new] = emplace(key);
    at->second = std::forward<V>(value);
  }
  T& operator[](Key key) { return emplace(key).first->second; }

  iterator erase(iterator at) {
    iterator next = at;
    ++next;
    drop(at);
    return next;
  }
  std::size_t erase(Key key) {
    const iterator at = find(key);
    if (at == end()) return 0;
    drop(at);
    return 1;
  }

 private:
  static std::uint64_t page_of(Key key) { return key.value / k_page; }
  static std::uint64_t slot_of(Key key) { return key.value % k_page; }

  template <class KeyArgs, class ValueArgs>
  static void fill(Slot& slot, KeyArgs key, ValueArgs value) {
    if constexpr (k_in_page) {
      slot.emplace(std::piecewise_construct, std::move(key), std::move(value));
    } else {
      slot = std::make_unique<value_type>(std::piecewise_construct, std::move(key), std::move(value));
    }
  }
  void drop(iterator at) {
    at.page_->second.slots[at.slot_].reset();
    --size_;
    if (--at.page_->second.used == 0) pages_.erase(at.page_);
  }
  template <class It, class P>
  static It first_of(P& pages) {
    It at(&pages, pages.begin(), 0);
    at.settle();
    return at;
  }
  template <class It, class P>
  static It found_in(P& pages, Key key) {
    const auto page = pages.find(page_of(key));
    if (page == pages.end() || !page->second.slots[slot_of(key)]) return It(&pages, pages.end(), 0);
    return It(&pages, page, slot_of(key));
  }
  template <class It, class P>
  static It from_in(P& pages, Key key) {
    const auto page = pages.lower_bound(page_of(key));
    const bool is_own = page != pages.end() && page->first == page_of(key);
    It at(&pages, page, is_own ? slot_of(key) : 0);
    at.settle();
    return at;
  }
  template <class It>
  static It known(It at, It end) {
    VIRGA_ASSERT(at != end, "the id is known");
    return at;
  }

  Pages pages_;
  std::size_t size_ = 0;
};

}  // namespace virga

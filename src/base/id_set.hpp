// A set of ids that were given out one after the other: std::set's interface and order, a bit for each.
//
//   IdSet<JobId> living;
//   living.insert(JobId{7});
//   for (JobId id : living) …              // ascending
//   living.erase(JobId{7});
//
// 512 neighbouring ids share a page of bits, and the pages are in a std::map: insert, erase and contains cost O(log
// pages) and allocate only for a page's first id. Ids far apart cost a page each. An erased id's iterator is invalid,
// all others stay valid.
#pragma once

#include <array>
#include <bit>
#include <cstddef>
#include <cstdint>
#include <iterator>
#include <map>

namespace virga {

template <class Key>
class IdSet {
  static constexpr std::uint64_t k_word = 64;
  static constexpr std::uint64_t k_words = 8;
  static constexpr std::uint64_t k_page = k_word * k_words;

  struct Page {
    std::array<std::uint64_t, k_words> words = {};
    std::uint32_t used = 0;
  };
  using Pages = std::map<std::uint64_t, Page>;
  using PageAt = typename Pages::const_iterator;

 public:
  using value_type = Key;

  class const_iterator {
   public:
    using iterator_category = std::forward_iterator_tag;
    using difference_type = std::ptrdiff_t;
    using value_type = Key;
    using reference = Key;
    using pointer = const Key*;

    const_iterator() = default;
    const_iterator(const Pages* pages, PageAt page, std::uint64_t bit) : pages_(pages), page_(page), bit_(bit) {
      settle();
    }
    Key operator*() const { return Key{static_cast<decltype(Key::value)>(page_->first * k_page + bit_)}; }
    const_iterator& operator++() {
      ++bit_;
      settle();
      return *this;
    }
    const_iterator operator++(int) {
      const_iterator before = *this;
      ++*this;
      return before;
    }
    friend bool operator==(const const_iterator& a, const const_iterator& b) {
      return a.page_ == b.page_ && a.bit_ == b.bit_;
    }

   private:
    /// To the first id from here on.
    void settle() {
      for (; page_ != pages_->end(); ++page_, bit_ = 0) {
        for (; bit_ < k_page; bit_ = (bit_ / k_word + 1) * k_word) {
          const std::uint64_t rest = page_->second.words[bit_ / k_word] >> (bit_ % k_word);
          if (rest == 0) continue;
          bit_ += static_cast<std::uint64_t>(std::countr_zero(rest));
          return;
        }
      }
      bit_ = 0;
    }

    const Pages* pages_ = nullptr;
    PageAt page_;
    std::uint64_t bit_ = 0;
  };
  using iterator = const_iterator;

  std::size_t size() const { return size_; }
  bool empty() const { return size_ == 0; }
  const_iterator begin() const { return {&pages_, pages_.begin(), 0}; }
  const_iterator end() const { return {&pages_, pages_.end(), 0}; }

  bool contains(Key key) const {
    const auto page = pages_.find(key.value / k_page);
    return page != pages_.end() && (page->second.words[word_of(key)] & bit_of(key)) != 0;
  }
  /// True if it is new.
  bool insert(Key key) {
    Page& page = pages_[key.value / k_page];
    std::uint64_t& word = page.words[word_of(key)];
    if ((word & bit_of(key)) != 0) return false;
    word |= bit_of(key);
    ++page.used;
    ++size_;
    return true;
  }
  /// How many were erased: 0 or 1.
  std::size_t erase(Key key) {
    const auto page = pages_.find(key.value / k_page);
    if (page == pages_.end() || (page->second.words[word_of(key)] & bit_of(key)) == 0) return 0;
    page->second.words[word_of(key)] &= ~bit_of(key);
    if (--page->second.used == 0) pages_.erase(page);
    --size_;
    return 1;
  }
  void clear() {
    pages_.clear();
    size_ = 0;
  }

 private:
  static constexpr std::size_t word_of(Key key) { return key.value % k_page / k_word; }
  static constexpr std::uint64_t bit_of(Key key) { return std::uint64_t{1} << (key.value % k_word); }

  Pages pages_;
  std::size_t size_ = 0;
};

}  // namespace virga

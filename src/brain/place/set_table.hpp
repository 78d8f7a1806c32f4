// Many small sets of numbers below one limit, for example "the leaves that have exactly k free nodes" for every k.
//
//   SetTable leaves_by_free(33, 356);        // rows 0 … 32, members 0 … 355
//   leaves_by_free.insert(row, leaf);
//   leaves_by_free.next(row, 0);             // the least member; k_none if the row is empty
//   leaves_by_free.next_row(16);             // the least row from 16 on that has a member
//
// Bitmaps in three layers (members, words that have a member, rows that have a word), as in van Emde Boas' idea cut
// down to two levels of 64. Insert, erase and next cost O(1) for up to 4,096 members, and O(members / 4,096) beyond.
// Nothing is allocated after construction. Memory: rows · members / 8 bytes.
#pragma once

#include <bit>
#include <cstdint>
#include <vector>

namespace virga {

inline constexpr std::uint32_t k_none = 0xffffffff;

class SetTable {
 public:
  SetTable() = default;
  SetTable(std::uint32_t rows, std::uint32_t members)
      : rows_(rows),
        words_((members + 63) / 64),
        tops_((words_ + 63) / 64),
        stride_(words_ + tops_),
        bits_(static_cast<std::size_t>(rows) * stride_, 0),
        filled_((rows + 63) / 64, 0) {}

  void insert(std::uint32_t row, std::uint32_t member) {
    std::uint64_t* bits = row_of(row);
    bits[tops_ + member / 64] |= bit(member);
    bits[member / 4096] |= bit(member / 64);
    filled_[row / 64] |= bit(row);
  }

  void erase(std::uint32_t row, std::uint32_t member) {
    std::uint64_t* bits = row_of(row);
    if ((bits[tops_ + member / 64] &= ~bit(member)) != 0) return;
    if ((bits[member / 4096] &= ~bit(member / 64)) != 0) return;
    for (std::uint32_t i = 0; i < tops_; ++i) {
      if (bits[i] != 0) return;
    }
    filled_[row / 64] &= ~bit(row);
  }

  bool has_any(std::uint32_t row) const { return (filled_[row / 64] & bit(row)) != 0; }

  /// 64 members of a row: those from 64 · index on.
  std::uint64_t word(std::uint32_t row, std::uint32_t index) const { return row_of(row)[tops_ + index]; }
  std::uint32_t words() const { return words_; }

  /// The least member from `from` on.
  std::uint32_t next(std::uint32_t row, std::uint32_t from) const {
    const std::uint64_t* bits = row_of(row);
    std::uint32_t at = from / 64;
    if (at >= words_) return k_none;
    if (const std::uint64_t here = bits[tops_ + at] >> (from % 64)) return from + low(here);
    for (++at; at < words_; at = (at / 64 + 1) * 64) {
      if (const std::uint64_t here = bits[at / 64] >> (at % 64)) {
        at += low(here);
        return at * 64 + low(bits[tops_ + at]);
      }
    }
    return k_none;
  }

  /// The least row from `from` on that is not empty.
  std::uint32_t next_row(std::uint32_t from) const {
    if (from >= rows_) return k_none;
    std::uint32_t at = from / 64;
    if (const std::uint64_t here = filled_[at] >> (from % 64)) return from + low(here);
    for (++at; at < filled_.size(); ++at) {
      if (filled_[at] != 0) return at * 64 + low(filled_[at]);
    }
    return k_none;
  }

 private:
  static std::uint64_t bit(std::uint32_t i) { return std::uint64_t{1} << (i % 64); }
  static std::uint32_t low(std::uint64_t word) { return static_cast<std::uint32_t>(std::countr_zero(word)); }
  std::uint64_t* row_of(std::uint32_t row) { return bits_.data() + static_cast<std::size_t>(row) * stride_; }
  const std::uint64_t* row_of(std::uint32_t row) const {
    return bits_.data() + static_cast<std::size_t>(row) * stride_;
  }

  std::uint32_t rows_ = 0;
  std::uint32_t words_ = 0;
  std::uint32_t tops_ = 0;
  std::uint32_t stride_ = 0;
  std::vector<std::uint64_t> bits_;  ///< each row: which words are not empty, then the words
  std::vector<std::uint64_t> filled_;
};

}  // namespace virga

// A 64-bit digest of bytes, equal on every machine: FNV-1a (http://www.isthe.com/chongo/tech/comp/fnv/).
// It compares states and names folders; it protects against nobody.
//
//   Digest d;
//   d.add("abc");
//   d.value();
#pragma once

#include <cstdint>
#include <string_view>

namespace virga {

class Digest {
 public:
  constexpr void add(std::string_view bytes) {
    for (char c : bytes) {
      value_ ^= static_cast<unsigned char>(c);
      value_ *= 0x100000001b3ULL;
    }
  }
  constexpr std::uint64_t value() const { return value_; }

 private:
  std::uint64_t value_ = 0xcbf29ce484222325ULL;
};

constexpr std::uint64_t digest_of(std::string_view bytes) {
  Digest d;
  d.add(bytes);
  return d.value();
}

}  // namespace virga

// Slicing by eight: eight tables let one step take eight bytes, which is several times faster than byte by byte.
// After Kounavis and Berry, "A Systematic Approach to Building High Performance Software-Based CRC Generators", 2005.
#include "base/crc32c.hpp"

#include <array>
#include <cstddef>

namespace virga {

namespace {

constexpr std::uint32_t k_polynomial_reflected = 0x82F63B78;
using Tables = std::array<std::array<std::uint32_t, 256>, 8>;

/// tables[k][b] is the effect of byte b followed by k zero bytes.
constexpr Tables make_tables() {
  Tables tables{};
  for (std::uint32_t b = 0; b < 256; ++b) {
    std::uint32_t crc = b;
    for (int bit = 0; bit < 8; ++bit) crc = (crc >> 1) ^ ((crc & 1) != 0 ? k_polynomial_reflected : 0);
    tables[0][b] = crc;
  }
  for (std::size_t k = 1; k < 8; ++k) {
    for (std::size_t b = 0; b < 256; ++b) {
      tables[k][b] = (tables[k - 1][b] >> 8) ^ tables[0][tables[k - 1][b] & 0xFF];
    }
  }
  return tables;
}

constexpr Tables k_tables = make_tables();

constexpr std::uint32_t load_le(const unsigned char* p) {
  return std::uint32_t{p[0]} | std::uint32_t{p[1]} << 8 | std::uint32_t{p[2]} << 16 | std::uint32_t{p[3]} << 24;
}

}  // namespace

std::uint32_t crc32c(std::string_view bytes, std::uint32_t before) {
  const auto* p = reinterpret_cast<const unsigned char*>(bytes.data());
  std::size_t left = bytes.size();
  std::uint32_t crc = ~before;
  for (; left >= 8; left -= 8, p += 8) {
    const std::uint32_t low = crc ^ load_le(p);
    const std::uint32_t high = load_le(p + 4);
    crc = k_tables[7][low & 0xFF] ^ k_tables[6][low >> 8 & 0xFF] ^ k_tables[5][low >> 16 & 0xFF] ^
          k_tables[4][low >> 24] ^ k_tables[3][high & 0xFF] ^ k_tables[2][high >> 8 & 0xFF] ^
          k_tables[1][high >> 16 & 0xFF] ^ k_tables[0][high >> 24];
  }
  for (; left > 0; --left, ++p) crc = (crc >> 8) ^ k_tables[0][(crc ^ *p) & 0xFF];
  return ~crc;
}

}  // namespace virga

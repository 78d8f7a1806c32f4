// CRC-32C against its published check values, and Boost's implementation as the oracle.
#include "base/crc32c.hpp"

#include <doctest/doctest.h>

#include <boost/crc.hpp>
#include <string>

namespace virga {

TEST_CASE("crc32c: the published check value, and Boost's answer for every length and cut") {
  CHECK(crc32c("123456789") == 0xE3069283);
  CHECK(crc32c("") == 0);
  CHECK(crc32c(std::string(32, '\0')) == 0x8A9136AA);  // RFC 3720, B.4
  std::string bytes;
  for (int n = 0; n < 100; ++n) {
    boost::crc_optimal<32, 0x1EDC6F41, 0xFFFFFFFF, 0xFFFFFFFF, true, true> oracle;
    oracle.process_bytes(bytes.data(), bytes.size());
    CHECK(crc32c(bytes) == oracle.checksum());
    const std::size_t cut = bytes.size() / 3;
    CHECK(crc32c(bytes.substr(cut), crc32c(bytes.substr(0, cut))) == oracle.checksum());
    bytes.push_back(static_cast<char>(n * 37 + 11));
  }
}

}  // namespace virga

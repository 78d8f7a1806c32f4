// CRC-32C (Castagnoli): polynomial 0x1EDC6F41, reflected (0x82F63B78), start and final exclusive-or 0xFFFFFFFF; the
// checksum of iSCSI and ext4. It finds every burst of up to 32 damaged bits.
//
//   crc32c("123456789") == 0xE3069283;
//   crc32c(rest, crc32c(first));   // the same as of both together
#pragma once

#include <cstdint>
#include <string_view>

namespace virga {

std::uint32_t crc32c(std::string_view bytes, std::uint32_t before = 0);

}  // namespace virga

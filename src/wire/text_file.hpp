// Whole text files, plain or gzip'ed.
//
//   Result<std::string> text = read_text_file("kth.swf.gz");      // unpacked, whatever the name says
//   Status written = write_text_file("starts.csv.gz", text);      // packed, since the name ends in .gz
#pragma once

#include <cstddef>
#include <string>
#include <string_view>

#include "base/result.hpp"

namespace virga {

inline constexpr std::size_t k_text_bytes_max = std::size_t{4} << 30;

/// Code::invalid also where more than `bytes_max` come out of it.
Result<std::string> read_text_file(const std::string& path, std::size_t bytes_max = k_text_bytes_max);
Status write_text_file(const std::string& path, std::string_view text);

}  // namespace virga

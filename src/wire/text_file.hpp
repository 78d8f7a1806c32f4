// Whole text files, plain or gzip'ed.
//
//   Result<std::string> text = read_text_file("kth.swf.gz");      // unpacked, whatever the name says
//   Status written = write_text_file("starts.csv.gz", text);      // packed, since the name ends in .gz
#pragma once

#include <string>
#include <string_view>

#include "base/result.hpp"

namespace virga {

Result<std::string> read_text_file(const std::string& path);
Status write_text_file(const std::string& path, std::string_view text);

}  // namespace virga

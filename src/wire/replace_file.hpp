// Writes a whole file so that readers see the old text or the new one, never a part.
//
//   Status written = replace_file(path, text, 0600);
//   Status written = replace_file(path, text, 0600, Durable::yes);   // on return it survives a power cut
//
// Several processes may replace one file at a time: the last one counts. What the machine has run out of (space, files)
// is Code::exhausted and retryable.
#pragma once

#include <sys/types.h>

#include <cstdint>
#include <string>
#include <string_view>

#include "base/result.hpp"

namespace virga {

enum class Durable : std::uint8_t { no, yes };

Status replace_file(const std::string& path, std::string_view text, mode_t mode, Durable durable = Durable::no);

}  // namespace virga

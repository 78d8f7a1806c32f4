// The lines of a training run, and the bar that a terminal shows for them.
//
//   std::optional<Progress> p = parse_progress("step 40/300 loss 2.913 tokens/s 12345");
//   progress_bar(*p, Duration::seconds(9), 40);   // [█████▏      ] 40/300  loss 2.913  12345 tokens/s  58 s left
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "base/time.hpp"

namespace virga {

struct Progress {
  std::uint64_t step = 0;
  std::uint64_t steps = 0;
  std::string loss;  ///< as the job wrote it
  std::string tokens_per_second;
};

std::optional<Progress> parse_progress(std::string_view line);
/// `first` and `elapsed` are of the first progress line seen, so that a resumed run is estimated rightly.
std::string progress_bar(const Progress& now, const Progress& first, Duration elapsed, std::uint32_t width);

}  // namespace virga

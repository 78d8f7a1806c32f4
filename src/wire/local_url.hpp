// Whether a URL names this machine, as that of a stand-in for a cloud does.
#pragma once

#include <algorithm>
#include <iterator>
#include <string_view>

namespace virga {

inline bool is_local_url(std::string_view url) {
  constexpr std::string_view k_here[] = {"https://127.", "https://localhost:", "https://localhost/", "https://[::1]"};
  return std::any_of(std::begin(k_here), std::end(k_here),
                     [&](std::string_view here) { return url.starts_with(here); });
}

}  // namespace virga

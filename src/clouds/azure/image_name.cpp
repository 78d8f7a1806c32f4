#include "clouds/azure/image_name.hpp"

#include "wire/csv_table.hpp"

namespace virga::azure {

std::optional<ImageName> parse_image_name(std::string_view text) {
  constexpr std::string_view k_allowed = "0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ-_.";
  ImageName name;
  for (std::string_view* const word : {&name.publisher, &name.offer, &name.sku}) {
    *word = take_until(text, ':');
    if (word->empty() || word->find_first_not_of(k_allowed) != std::string_view::npos) return std::nullopt;
  }
  name.version = text;
  const bool is_good = !text.empty() && text.find_first_not_of(k_allowed) == std::string_view::npos;
  return is_good ? std::optional(name) : std::nullopt;
}

}  // namespace virga::azure

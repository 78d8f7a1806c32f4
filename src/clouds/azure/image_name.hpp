// A publisher's image by its four words, as virga.toml, Azure's paths and its bodies have them.
//
//   const auto image = parse_image_name("microsoft-dsvm:ubuntu-hpc:2204:latest");
//   image->offer == "ubuntu-hpc";                            // a view into the text
#pragma once

#include <optional>
#include <string_view>

namespace virga::azure {

struct ImageName {
  std::string_view publisher;
  std::string_view offer;
  std::string_view sku;
  std::string_view version;
};

/// Nothing for the id of an image, and for what is neither.
std::optional<ImageName> parse_image_name(std::string_view text);

}  // namespace virga::azure

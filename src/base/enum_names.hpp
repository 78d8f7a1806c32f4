// Text names of enum values, from one table per enum.
//
//   enum class Colour { red, green };
//   template <> struct EnumNames<Colour> { static constexpr std::string_view names[] = {"red", "green"}; };
//   name_of(Colour::green) == "green";   enum_from_name<Colour>("red") == Colour::red;
//
// The table follows the order of the enumerators, which start at 0 without gaps.
#pragma once

#include <cstddef>
#include <iterator>
#include <optional>
#include <string_view>

namespace virga {

template <class E>
struct EnumNames;

template <class E>
concept NamedEnum = requires {
  EnumNames<E>::names;
};

template <NamedEnum E>
constexpr std::string_view name_of(E value) {
  return EnumNames<E>::names[static_cast<std::size_t>(value)];
}

template <NamedEnum E>
constexpr std::optional<E> enum_from_name(std::string_view name) {
  for (std::size_t i = 0; i < std::size(EnumNames<E>::names); ++i) {
    if (EnumNames<E>::names[i] == name) return static_cast<E>(i);
  }
  return std::nullopt;
}

}  // namespace virga

// Two records side by side, in words: only the fields that are not the same.
//
//   auto [ours, theirs] = difference_of(account, recorded);    // "ended 2026-…:07Z, exit {…}" and the other's
//
// Works for every type with visit(); long values are cut.
#pragma once

#include <string>
#include <utility>
#include <vector>

#include "core/event.hpp"
#include "wire/json_codec.hpp"

namespace virga {

/// At most so many characters of a value are shown.
inline constexpr std::size_t k_shown_max = 240;

std::string cut(std::string text);

template <class T>
std::vector<std::pair<std::string, std::string>> fields_of(const T& record) {
  std::vector<std::pair<std::string, std::string>> fields;
  T::visit(record, [&](std::string_view name, const auto& value) {
    JsonWriter w;
    w.put(value);
    fields.emplace_back(name, w.take());
  });
  return fields;
}

template <class T>
std::pair<std::string, std::string> difference_of(const T& a, const T& b) {
  std::pair<std::string, std::string> words;
  const auto of_a = fields_of(a);
  const auto of_b = fields_of(b);
  for (std::size_t i = 0; i < of_a.size(); ++i) {
    if (of_a[i].second == of_b[i].second) continue;
    const char* comma = words.first.empty() ? "" : ", ";
    words.first += comma + of_a[i].first + " " + cut(of_a[i].second);
    words.second += comma + of_b[i].first + " " + cut(of_b[i].second);
  }
  return words;
}

/// "job_ended {…}"
std::string event_words(const Event& event);
/// Both of one type, and what differs in them; else both whole.
std::pair<std::string, std::string> event_difference(const Event& a, const Event& b);

}  // namespace virga

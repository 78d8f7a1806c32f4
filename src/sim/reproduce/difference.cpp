#include "sim/reproduce/difference.hpp"

namespace virga {

std::string cut(std::string text) {
  if (text.size() > k_shown_max) {
    text.resize(k_shown_max);
    text += "…";
  }
  return text;
}

std::string event_words(const Event& event) {
  const std::string body = std::visit([](const auto& e) { return to_json_text(e); }, event.body);
  return std::string(name_of(event.body)) + (body == "{}" ? "" : " " + cut(body));
}

std::pair<std::string, std::string> event_difference(const Event& a, const Event& b) {
  if (a.body.index() != b.body.index()) return {event_words(a), event_words(b)};
  const std::string name(name_of(a.body));
  std::pair<std::string, std::string> words = std::visit(
      [&](const auto& body) { return difference_of(body, std::get<std::decay_t<decltype(body)>>(b.body)); }, a.body);
  if (a.at != b.at) {
    words.first = "at " + iso8601(a.at) + (words.first.empty() ? "" : ", ") + words.first;
    words.second = "at " + iso8601(b.at) + (words.second.empty() ? "" : ", ") + words.second;
  }
  return {name + " " + words.first, name + " " + words.second};
}

}  // namespace virga

#include "engines/local/scheduled_events.hpp"

#include <fmt/format.h>
#include <time.h>

#include <algorithm>
#include <boost/json.hpp>
#include <set>

#include "wire/words.hpp"

namespace virga {
namespace {

namespace json = boost::json;

std::string text_of(const json::object& object, std::string_view name) {
  const json::value* value = object.if_contains(name);
  const json::string* text = value == nullptr ? nullptr : value->if_string();
  return text == nullptr ? "" : std::string(*text);
}

std::optional<NoticeKind> kind_of(const std::string& type) {
  for (std::size_t i = 0; i < std::size(EnumNames<NoticeKind>::names); ++i) {
    if (same_word(type, EnumNames<NoticeKind>::names[i])) return static_cast<NoticeKind>(i);
  }
  return std::nullopt;
}

bool is_about(const ScheduledEvent& event, const std::string& instance) {
  return std::any_of(event.resources.begin(), event.resources.end(),
                     [&](const std::string& name) { return same_word(name, instance); });
}

}  // namespace

Result<std::vector<ScheduledEvent>> parse_scheduled_events(std::string_view body) {
  boost::system::error_code error;
  const json::value value = json::parse(json::string_view(body.data(), body.size()), error);
  if (error) return fail(Code::invalid, "scheduled events: no JSON: " + error.message());
  const json::object* document = value.if_object();
  const json::value* list = document == nullptr ? nullptr : document->if_contains("Events");
  if (list == nullptr || !list->is_array()) return fail(Code::invalid, "scheduled events: there is no list 'Events'");
  std::vector<ScheduledEvent> events;
  for (const json::value& entry : list->get_array()) {
    if (!entry.is_object()) return fail(Code::invalid, "scheduled events: an event is no object");
    const json::object& object = entry.get_object();
    ScheduledEvent event{.id = text_of(object, "EventId"),
                         .type = text_of(object, "EventType"),
                         .resources = {},
                         .started = text_of(object, "EventStatus") == "Started",
                         .not_before = text_of(object, "NotBefore"),
                         .description = text_of(object, "Description")};
    if (event.id.empty() || event.type.empty()) {
      return fail(Code::invalid, "scheduled events: an event has no EventId or no EventType");
    }
    if (const json::value* names = object.if_contains("Resources"); names != nullptr && names->is_array()) {
      for (const json::value& name : names->get_array()) {
        if (name.is_string()) event.resources.emplace_back(name.get_string());
      }
    }
    events.push_back(std::move(event));
  }
  return events;
}

std::optional<Time> time_from_rfc1123(std::string_view text) {
  // Programs here never leave the C locale, so strptime() reads English names.
  const std::string whole(text);
  tm parts{};
  const char* end = strptime(whole.c_str(), "%a, %d %b %Y %H:%M:%S GMT", &parts);
  if (end == nullptr || end != whole.c_str() + whole.size()) return std::nullopt;
  return Time::from_seconds(timegm(&parts));
}

EventBook::News EventBook::read(const std::vector<ScheduledEvent>& document, Time now) {
  News news;
  std::set<std::string_view> present;
  for (const ScheduledEvent& event : document) {
    present.insert(event.id);
    if (seen_.contains(event.id) || !is_about(event, instance_)) continue;
    const auto kind = kind_of(event.type);
    seen_[event.id] = kind.has_value();
    news.remarks.push_back(fmt::format("{} of this node, {}{}{}: {}", event.type,
                                       event.started ? "started" : "not before ",
                                       event.started            ? ""
                                       : event.not_before == "" ? "now"
                                                                : event.not_before,
                                       kind ? "" : " (told to nobody)", event.description));
    if (!kind) continue;
    std::optional<Time> at = time_from_rfc1123(event.not_before);
    if (!at && !event.not_before.empty()) {
      news.remarks.push_back(fmt::format("NotBefore '{}' cannot be read: taken as now", event.not_before));
    }
    news.notices.push_back({event.id, *kind, event.started ? now : std::max(now, at.value_or(now))});
  }
  std::stable_sort(news.notices.begin(), news.notices.end(),
                   [](const NodeNotice& a, const NodeNotice& b) { return a.at < b.at; });
  for (auto it = seen_.begin(); it != seen_.end();) {
    if (present.contains(it->first)) {
      ++it;
      continue;
    }
    if (it->second) news.called_off.push_back({it->first});
    it = seen_.erase(it);
  }
  return news;
}

}  // namespace virga

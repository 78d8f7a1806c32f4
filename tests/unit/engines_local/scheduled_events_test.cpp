// Scheduled Events as texts: which of them are notices for this node, and when.
#include "engines/local/scheduled_events.hpp"

#include <doctest/doctest.h>

namespace virga {
namespace {

/// 2026-09-19T18:29:47Z, which is also "Sat, 19 Sep 2026 18:29:47 GMT".
constexpr Time k_now = Time::from_seconds(1'789'842'587);

std::string event(const std::string& id, const std::string& type, const std::string& not_before,
                  const std::string& resource = "nd_0", const std::string& status = "Scheduled") {
  return R"({"EventId":")" + id + R"(","EventType":")" + type + R"(","ResourceType":"VirtualMachine","Resources":[")" +
         resource + R"("],"EventStatus":")" + status + R"(","NotBefore":")" + not_before +
         R"(","Description":"why","EventSource":"Platform","DurationInSeconds":-1})";
}

std::string document(const std::string& events, int incarnation = 1) {
  return R"({"DocumentIncarnation":)" + std::to_string(incarnation) + R"(,"Events":[)" + events + "]}";
}

EventBook::News read(EventBook& book, const std::string& text) {
  auto parsed = parse_scheduled_events(text);
  REQUIRE(parsed);
  return book.read(*parsed, k_now);
}

}  // namespace

TEST_CASE("scheduled events: a preemption with notice is told once") {
  EventBook book("nd_0");
  const std::string text = document(event("A", "Preempt", "Sat, 19 Sep 2026 18:30:17 GMT"));
  const auto news = read(book, text);
  REQUIRE(news.notices.size() == 1);
  CHECK(news.notices[0].event == "A");
  CHECK(news.notices[0].kind == NoticeKind::preempt);
  CHECK(news.notices[0].at == k_now + Duration::seconds(30));
  REQUIRE(news.remarks.size() == 1);
  CHECK(news.remarks[0] == "Preempt of this node, not before Sat, 19 Sep 2026 18:30:17 GMT: why");
  // An unchanged document, and one that differs in its number alone, say nothing.
  for (const std::string& again : {text, document(event("A", "Preempt", "Sat, 19 Sep 2026 18:30:17 GMT"), 2)}) {
    const auto nothing = read(book, again);
    CHECK(nothing.notices.empty());
    CHECK(nothing.remarks.empty());
    CHECK(nothing.called_off.empty());
  }
}

TEST_CASE("scheduled events: what has started already, or is late or without a time, is now") {
  EventBook book("nd_0");
  const auto news =
      read(book, document(event("A", "Terminate", "", "nd_0", "Started") + "," +
                          event("B", "Redeploy", "Sat, 19 Sep 2026 18:40:00 GMT", "nd_0", "Started") + "," +
                          event("C", "Reboot", "") + "," + event("D", "Preempt", "Sat, 19 Sep 2026 18:00:00 GMT") +
                          "," + event("E", "Preempt", "soon")));
  REQUIRE(news.notices.size() == 5);
  for (const NodeNotice& notice : news.notices) CHECK(notice.at == k_now);
  CHECK(news.notices[0].kind == NoticeKind::terminate);
  CHECK(news.notices[1].kind == NoticeKind::redeploy);
  CHECK(news.notices[2].kind == NoticeKind::reboot);
  CHECK(news.remarks.back() == "NotBefore 'soon' cannot be read: taken as now");
}

TEST_CASE("scheduled events: other machines' events are not ours") {
  EventBook book("nd_0");
  CHECK(read(book, document(event("A", "Preempt", "", "nd_00") + "," + event("B", "Preempt", "", "nd_1")))
            .notices.empty());
  CHECK(read(book, R"({"Events":[{"EventId":"C","EventType":"Preempt"}]})").notices.empty());
  const std::string both = R"({"Events":[{"EventId":"D","EventType":"preempt","Resources":["nd_1","ND_0"]}]})";
  CHECK(read(book, both).notices.size() == 1);
}

TEST_CASE("scheduled events: a freeze and an unknown type are remarks") {
  EventBook book("nd_0");
  const auto news = read(book, document(event("A", "Freeze", "") + "," + event("B", "Polish", "")));
  CHECK(news.notices.empty());
  REQUIRE(news.remarks.size() == 2);
  CHECK(news.remarks[0] == "Freeze of this node, not before now (told to nobody): why");
  CHECK(read(book, document("")).called_off.empty());
}

TEST_CASE("scheduled events: two at once come soonest first, a document that shrinks calls off") {
  EventBook book("nd_0");
  const std::string late = event("A", "Terminate", "Sat, 19 Sep 2026 18:40:00 GMT");
  const std::string soon = event("B", "Preempt", "Sat, 19 Sep 2026 18:30:00 GMT");
  const auto news = read(book, document(late + "," + soon));
  REQUIRE(news.notices.size() == 2);
  CHECK(news.notices[0].event == "B");
  CHECK(news.notices[1].event == "A");
  const auto shrunk = read(book, document(late, 2));
  CHECK(shrunk.notices.empty());
  REQUIRE(shrunk.called_off.size() == 1);
  CHECK(shrunk.called_off[0].event == "B");
  CHECK(read(book, document("", 3)).called_off.size() == 1);
  CHECK(read(book, document(late, 4)).notices.size() == 1);  // planned anew
}

TEST_CASE("scheduled events: what is no such document is an error") {
  const auto message = [](const std::string& text) {
    auto parsed = parse_scheduled_events(text);
    return parsed ? std::string("taken") : parsed.error().message;
  };
  CHECK(message("<html><body>Bad Gateway</body></html>").starts_with("scheduled events: no JSON: "));
  CHECK(message(document(event("A", "Preempt", "")).substr(0, 60)).starts_with("scheduled events: no JSON: "));
  CHECK(message("[]") == "scheduled events: there is no list 'Events'");
  CHECK(message(R"({"Events":{}})") == "scheduled events: there is no list 'Events'");
  CHECK(message(R"({"Events":[1]})") == "scheduled events: an event is no object");
  CHECK(message(R"({"Events":[{"EventId":7,"EventType":"Preempt"}]})") ==
        "scheduled events: an event has no EventId or no EventType");
  CHECK(message(R"({"Events":[]})") == "taken");
}

TEST_CASE("scheduled events: times of RFC 1123") {
  CHECK(time_from_rfc1123("Sat, 19 Sep 2026 18:29:47 GMT") == k_now);
  CHECK(time_from_rfc1123("Thu, 01 Jan 1970 00:00:00 GMT") == Time::from_seconds(0));
  CHECK(time_from_rfc1123("Thu, 29 Feb 2024 23:59:59 GMT") == Time::from_seconds(1'709'251'199));
  for (const char* bad : {"", "2026-09-19T18:29:47Z", "Sat, 19 Sep 2026 18:29:47", "Sat, 19 Sep 2026 18:29:47 GMT+1",
                          "Sat, 39 Sep 2026 18:29:47 GMT", "Sat, 19 Foo 2026 18:29:47 GMT"}) {
    CHECK_MESSAGE(!time_from_rfc1123(bad), bad);
  }
}

}  // namespace virga

// The live stream of events: history from the journal in bounded pieces, then what happens, without gap or repetition.
//
//   feed->open(since, actor, responder);        // any thread
//   feed->on_event(seq, event);                 // control thread, for every event
//
// A tenant's budget that has reached its line (budget_warn_percent) is told once in a period on each stream of somebody
// who may see it, as a message `budget_warning` without a number: it follows from the state, and no event says it.
//
// A stream asks for its next piece when the one before is written; it is cut from the ring of recent events, or read
// from the journal when it is further behind. So a slow client costs no memory, and history and present are one thing:
// both run on the control thread, between two batches. All members live there.
#pragma once

#include <cstdint>
#include <deque>
#include <map>
#include <memory>
#include <optional>
#include <string>

#include "control/controller.hpp"
#include "http/exchange.hpp"

namespace virga {

class EventFeed : public std::enable_shared_from_this<EventFeed> {
 public:
  explicit EventFeed(Controller& controller) : controller_(controller) {}

  /// Events after `since`; without it, those to come.
  void open(std::optional<Seq> since, Actor actor, Responder responder);
  void on_event(Seq seq, const Event& event);

 private:
  class Source;
  struct Item {
    Seq seq;
    std::string text;          ///< a whole message of text/event-stream
    std::optional<JobId> job;  ///< whose owner may see it, when users do not see each other's jobs
    std::optional<Actor> actor;
  };
  struct Stream {
    Seq position;  ///< the last event that was sent or skipped
    Actor actor;
    Responder responder;
    bool wants = false;
    std::map<std::string, Time> warned;  ///< tenants of whose budgets it was told, and in which period
  };

  static Item item_of(Seq seq, const Event& event);
  void start(std::optional<Seq> since, Actor actor, Responder responder, Journal& journal, const Brain& brain);
  void want(std::uint64_t id, Journal& journal, const Brain& brain);
  void close(std::uint64_t id);
  void serve(Stream& stream, Journal& journal, const Brain& brain);
  static std::string new_warnings(Stream& stream, const Brain& brain);
  bool add_events(Stream& stream, Journal& journal, const Brain& brain, std::string& piece) const;
  void serve_soon();
  bool may_see_item(const Stream& stream, const Item& item, const Brain& brain) const;
  bool add_to_piece(Stream& stream, const Item& item, const Brain& brain, std::string& piece) const;

  Controller& controller_;
  std::map<std::uint64_t, Stream> streams_;
  std::uint64_t last_stream_ = 0;
  std::deque<Item> ring_;  ///< the newest events, consecutive; empty while nobody listens
  std::size_t ring_bytes_ = 0;
  bool serving_is_coming_ = false;
};

}  // namespace virga

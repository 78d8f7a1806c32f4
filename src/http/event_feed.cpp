#include "http/event_feed.hpp"

#include "http/budget_reads.hpp"
#include "http/job_reads.hpp"
#include "wire/event_json.hpp"

namespace virga {
namespace {

constexpr std::size_t k_piece_bytes_max = 256u << 10;
constexpr std::size_t k_piece_events_max = 1'000;  ///< read from the journal at a time, so that control is not held up
constexpr std::size_t k_ring_events_max = 8'192;
constexpr std::size_t k_ring_bytes_max = 8u << 20;
constexpr std::size_t k_streams_max = 1'024;

}  // namespace

/// What the session tells about a stream, carried to the control thread.
class EventFeed::Source : public StreamSource {
 public:
  Source(std::shared_ptr<EventFeed> feed, std::uint64_t id) : feed_(std::move(feed)), id_(id) {}
  void want_more() override {
    feed_->controller_.with_journal(
        [feed = feed_, id = id_](Journal& journal, const Brain& brain) { feed->want(id, journal, brain); });
  }
  void abandoned() override {
    feed_->controller_.view([feed = feed_, id = id_](const Brain&) { feed->close(id); });
  }

 private:
  std::shared_ptr<EventFeed> feed_;
  std::uint64_t id_;
};

void EventFeed::open(std::optional<Seq> since, Actor actor, Responder responder) {
  controller_.with_journal(
      [self = shared_from_this(), since, actor = std::move(actor), responder = std::move(responder)](
          Journal& journal, const Brain& brain) { self->start(since, actor, responder, journal, brain); });
}

void EventFeed::start(std::optional<Seq> since, Actor actor, Responder responder, Journal& journal,
                      const Brain& brain) {
  Result<JournalInfo> info = journal.info();
  if (!info) return responder.error(info.error());
  Seq last = std::max(info->last, brain.state().seq);
  Seq from = since.value_or(last);
  if (from > last) {
    return responder.error({Code::invalid, "since is " + std::to_string(from.value) + ", but the last event is " +
                                               std::to_string(last.value)});
  }
  if (from < last && (!info->first || from.value + 1 < info->first.value)) {
    Seq oldest{info->first ? info->first.value - 1 : last.value};
    return responder.error({Code::conflict, "the events after " + std::to_string(from.value) +
                                                " are compacted away; the oldest that can be had come with since=" +
                                                std::to_string(oldest.value)},
                           410);
  }
  if (streams_.size() >= k_streams_max) {
    return responder.error({Code::exhausted, "too many event streams are open already", true}, 503);
  }
  std::uint64_t id = ++last_stream_;
  streams_.emplace(id, Stream{from, std::move(actor), responder, false, {}});
  responder.start_stream(std::make_shared<Source>(shared_from_this(), id));
}

void EventFeed::close(std::uint64_t id) {
  streams_.erase(id);
  if (!streams_.empty()) return;
  ring_.clear();
  ring_bytes_ = 0;
}

EventFeed::Item EventFeed::item_of(Seq seq, const Event& event) {
  Item item{seq, {}, std::nullopt, std::nullopt};
  std::visit(
      [&](const auto& body) {
        if constexpr (requires { body.job; }) item.job = body.job;
        if constexpr (requires { body.actor; }) item.actor = body.actor;
      },
      event.body);
  item.text.append("id: ").append(std::to_string(seq.value)).append("\nevent: ").append(name_of(event.body));
  item.text.append("\ndata: ").append(event_json(seq, event)).append("\n\n");
  return item;
}

void EventFeed::on_event(Seq seq, const Event& event) {
  if (streams_.empty()) return;
  ring_.push_back(item_of(seq, event));
  ring_bytes_ += ring_.back().text.size();
  while (ring_.size() > k_ring_events_max || ring_bytes_ > k_ring_bytes_max) {
    ring_bytes_ -= ring_.front().text.size();
    ring_.pop_front();
  }
  serve_soon();
}

void EventFeed::serve_soon() {
  if (serving_is_coming_) return;
  serving_is_coming_ = true;
  controller_.with_journal([self = shared_from_this()](Journal& journal, const Brain& brain) {
    self->serving_is_coming_ = false;
    for (auto& [id, stream] : self->streams_) {
      if (stream.wants) self->serve(stream, journal, brain);
    }
  });
}

void EventFeed::want(std::uint64_t id, Journal& journal, const Brain& brain) {
  auto it = streams_.find(id);
  if (it == streams_.end()) return;
  it->second.wants = true;
  serve(it->second, journal, brain);
}

bool EventFeed::may_see_item(const Stream& stream, const Item& item, const Brain& brain) const {
  if (brain.state().config.open_queue || stream.actor.is_operator) return true;
  if (item.actor && item.actor->uid == stream.actor.uid) return true;
  if (!item.job) return !item.actor;
  auto job = brain.state().jobs.find(*item.job);
  return job != brain.state().jobs.end() && job->second.owner.uid == stream.actor.uid;
}

/// False when the piece is large enough.
bool EventFeed::add_to_piece(Stream& stream, const Item& item, const Brain& brain, std::string& piece) const {
  stream.position = item.seq;
  if (may_see_item(stream, item, brain)) piece += item.text;
  return piece.size() < k_piece_bytes_max;
}

std::string EventFeed::new_warnings(Stream& stream, const Brain& brain) {
  std::string text;
  const State& state = brain.state();
  if (state.config.tenants.empty()) return text;
  for (const Tenant* tenant : budgets_for(state.config, stream.actor)) {
    const Time period = tenant->budget_period == BudgetPeriod::month ? month_start(state.now) : Time{};
    const auto told = stream.warned.find(tenant->name);
    if (told != stream.warned.end() && told->second == period) continue;
    const BudgetStatus status = budget_status(state, *tenant, state.now);
    if (status.warning.empty()) continue;
    stream.warned[tenant->name] = period;
    text.append("event: budget_warning\ndata: ").append(to_json_text(status)).append("\n\n");
  }
  return text;
}

/// Sends the next piece, if there is any.
void EventFeed::serve(Stream& stream, Journal& journal, const Brain& brain) {
  std::string piece = new_warnings(stream, brain);
  const Seq last = brain.state().seq;
  bool broken = false;
  if (stream.position < last) broken = !add_events(stream, journal, brain, piece);
  if (piece.empty() && !broken) {
    // Nothing that this user may see; there may be more of it.
    if (stream.position < last) serve_soon();
    return;
  }
  stream.wants = false;
  stream.responder.stream_piece(std::move(piece), broken);
}

/// What comes next on the stream, as much as a piece holds. False if that cannot be had any more.
bool EventFeed::add_events(Stream& stream, Journal& journal, const Brain& brain, std::string& piece) const {
  bool broken = false;
  const Seq before = stream.position;
  Seq next{stream.position.value + 1};
  if (!ring_.empty() && ring_.front().seq <= next) {
    for (std::size_t i = next.value - ring_.front().seq.value; i < ring_.size(); ++i) {
      if (!add_to_piece(stream, ring_[i], brain, piece)) break;
    }
  } else {
    std::size_t events = 0;
    Status read = journal.read(stream.position, [&](Seq seq, const Event& event) {
      broken = seq.value != stream.position.value + 1;  // compacted away meanwhile
      return !broken && add_to_piece(stream, item_of(seq, event), brain, piece) && ++events < k_piece_events_max;
    });
    broken = broken || !read;
  }
  return !broken && stream.position != before;
}

}  // namespace virga

#include "http/standing.hpp"

#include <utility>

#include "wire/error_codes.hpp"

namespace virga {
namespace {

constexpr int k_misdirected = 421;

ControllerBody body_of(const ControllerId& id) { return {id.name, id.host, id.pid, id.socket, id.url}; }

HttpReply misdirected_reply(const LeadershipView& view, bool had_the_lead) {
  ProblemBody body;
  body.type = "urn:virga:error:unavailable";
  body.status = k_misdirected;
  body.title = http_reason(k_misdirected);
  body.code = name_of(Code::unavailable);
  body.retryable = true;
  if (view.leader && view.leader_is_alive && !had_the_lead) body.leader = body_of(view.leader->who);
  body.detail = body.leader    ? "this controller follows; " + body.leader->name + " on " + body.leader->host + " leads"
                : had_the_lead ? "this controller lost its lead; another one takes over"
                               : "this controller follows, and nobody leads at the moment";
  return {k_misdirected, "application/problem+json", to_json_text(body), {}};
}

/// What a reply has to pass on its way out.
class GuardedSink : public ReplySink {
 public:
  using Guard = std::function<HttpReply(HttpReply)>;
  GuardedSink(std::shared_ptr<ReplySink> sink, Guard guard) : sink_(std::move(sink)), guard_(std::move(guard)) {}

  void reply(std::uint64_t slot, HttpReply reply) override { sink_->reply(slot, guard_(std::move(reply))); }
  void reply_made_later(std::uint64_t slot, std::function<HttpReply()> make) override {
    sink_->reply_made_later(slot, [guard = guard_, make = std::move(make)] { return guard(make()); });
  }
  void on_abandon(std::uint64_t slot, std::function<void()> abandoned) override {
    sink_->on_abandon(slot, std::move(abandoned));
  }
  void start_stream(std::uint64_t slot, std::shared_ptr<StreamSource> source) override {
    sink_->start_stream(slot, std::move(source));
  }
  void stream_piece(std::uint64_t slot, std::string piece, bool last) override {
    sink_->stream_piece(slot, std::move(piece), last);
  }

 private:
  std::shared_ptr<ReplySink> sink_;
  Guard guard_;
};

}  // namespace

std::optional<Responder> Standing::admit(const Request& request, const Responder& responder) const {
  if (leadership_ == nullptr) return responder;
  const bool is_read = request.is_read();
  auto guarded = [&](GuardedSink::Guard guard) {
    return responder.through(
        [&](std::shared_ptr<ReplySink> sink) { return std::make_shared<GuardedSink>(std::move(sink), guard); });
  };
  if (leadership_->leads()) {
    // A change is answered when it is in the journal, so it was this leader's to make, whatever happens then.
    if (!is_read) return responder;
    return guarded([leadership = leadership_](HttpReply reply) {
      return leadership->leads() ? std::move(reply) : misdirected_reply(leadership->view(), true);
    });
  }
  if (leadership_->term() != 0) {
    responder.send(misdirected_reply(leadership_->view(), true));
    return std::nullopt;
  }
  const LeadershipView view = leadership_->view();
  if (!is_read || request.wants_leader) {
    responder.send(misdirected_reply(view, false));
    return std::nullopt;
  }
  return guarded([leadership = leadership_](HttpReply reply) {
    const LeadershipView now = leadership->view();
    reply.headers += "Virga-Follows: " + (now.leader ? now.leader->who.name : std::string("nobody")) +
                     "; lag=" + std::to_string(now.last.value - std::min(now.applied, now.last).value) + "\r\n";
    return reply;
  });
}

std::optional<StandbyBody> Standing::body(Seq applied) const {
  if (leadership_ == nullptr) return std::nullopt;
  const LeadershipView view = leadership_->view();
  StandbyBody body;
  body.role = view.leads ? "leads" : "follows";
  body.self = body_of(view.self);
  body.leader_is_alive = view.leads || view.leader_is_alive;
  const Seq last = std::max(view.last, applied);
  body.lag_events = last.value - applied.value;
  if (view.leader) {
    body.leader = body_of(view.leader->who);
    body.term = view.leader->term;
    body.leader_since = view.leader->since;
    if (view.before)
      body.last_takeover = TakeoverBody{view.leader->since, view.before->who.name, view.leader->who.name};
  }
  for (const FollowerInfo& follower : view.followers) {
    body.followers.push_back(
        {body_of(follower.who), last.value - std::min(follower.applied, last).value, follower.seen_ago});
  }
  return body;
}

}  // namespace virga

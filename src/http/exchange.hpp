// One request and the way back to whoever asked.
//
//   void ping(Request request, Responder responder) {
//     responder.json(200, PingBody{...});          // at once, or later, from any thread; the first answer counts
//   }
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.hpp"
#include "core/job.hpp"
#include "wire/api_routes.hpp"
#include "wire/json_codec.hpp"
#include "wire/slurm_rest.hpp"

namespace virga {

/// As it came from the wire.
struct RawRequest {
  std::string method;
  std::string target;
  std::string authorization;
  std::string slurm_user;   ///< X-SLURM-USER-NAME
  std::string slurm_token;  ///< X-SLURM-USER-TOKEN
  std::string last_event_id;
  bool wants_leader = false;  ///< `Virga-Ask: leader`: no answer of a follower will do
  std::string body;
  std::optional<Actor> peer;  ///< over a Unix socket: who the kernel says it is
};

/// As the handlers see it: routed, authenticated, decoded.
struct Request {
  const Route* route = nullptr;  ///< of Virga's own interface; else `slurm` has both
  struct {
    const SlurmRestRoute* route = nullptr;
    const SlurmRestCodec* codec = nullptr;
  } slurm;
  std::vector<std::string> parameters;  ///< of the path, decoded
  std::map<std::string, std::string> query;
  std::string body;
  Actor actor;
  std::string last_event_id;
  bool wants_leader = false;

  bool is_read() const { return (route != nullptr ? route->method : slurm.route->method) == "GET"; }
  const std::string* find_query(const std::string& name) const {
    auto it = query.find(name);
    return it == query.end() ? nullptr : &it->second;
  }
};

struct HttpReply {
  int status = 200;
  std::string_view content_type = "application/json";
  std::string body;
  std::string headers;  ///< further ones, each with its line end
};

HttpReply error_reply(const Error& error, int status = 0);

/// What the session offers to a live stream; all calls on the http thread.
class StreamSource {
 public:
  virtual ~StreamSource() = default;
  /// The session can write again.
  virtual void want_more() = 0;
  /// The session is gone.
  virtual void abandoned() = 0;
};

/// A session, as its requests see it. May be called from any thread, and after the session is gone.
class ReplySink {
 public:
  virtual ~ReplySink() = default;
  virtual void reply(std::uint64_t slot, HttpReply reply) = 0;
  virtual void reply_made_later(std::uint64_t slot, std::function<HttpReply()> make) = 0;
  /// Called once if the session ends before the answer was given, on the http thread.
  virtual void on_abandon(std::uint64_t slot, std::function<void()> abandoned) = 0;
  /// The answer is a stream from now on; its pieces come with stream_piece(), one for each want_more().
  virtual void start_stream(std::uint64_t slot, std::shared_ptr<StreamSource> source) = 0;
  virtual void stream_piece(std::uint64_t slot, std::string piece, bool last) = 0;
};

class Responder {
 public:
  Responder(std::shared_ptr<ReplySink> sink, std::uint64_t slot) : sink_(std::move(sink)), slot_(slot) {}

  void send(HttpReply reply) const { sink_->reply(slot_, std::move(reply)); }
  void error(const Error& error, int status = 0) const { send(error_reply(error, status)); }
  template <class T>
  void json(int status, const T& value) const {
    send({status, "application/json", to_json_text(value), {}});
  }
  /// For bodies that take long to write: `value` is turned into JSON on the http thread, not on the caller's.
  template <class T>
  void json_later(int status, T value) const {
    sink_->reply_made_later(slot_, [status, value = std::make_shared<T>(std::move(value))] {
      return HttpReply{status, "application/json", to_json_text(*value), {}};
    });
  }
  /// The same for an answer that `make` makes.
  void later(std::function<HttpReply()> make) const { sink_->reply_made_later(slot_, std::move(make)); }
  void on_abandon(std::function<void()> abandoned) const { sink_->on_abandon(slot_, std::move(abandoned)); }
  void start_stream(std::shared_ptr<StreamSource> source) const { sink_->start_stream(slot_, std::move(source)); }
  void stream_piece(std::string piece, bool last) const { sink_->stream_piece(slot_, std::move(piece), last); }
  /// The same way back, through another sink that `wrap` makes of this one's.
  template <class Wrap>
  Responder through(Wrap wrap) const {
    return {wrap(sink_), slot_};
  }

 private:
  std::shared_ptr<ReplySink> sink_;
  std::uint64_t slot_;
};

/// "a=1&b=x%20y"; Code::invalid for what is none, or a name given twice.
Result<std::map<std::string, std::string>> parse_query(std::string_view text);

}  // namespace virga

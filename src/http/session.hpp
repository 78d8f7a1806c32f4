// One connection: reads pipelined requests ahead, and answers them in their order.
//
//   auto session = make_session(context, fd, host, id, actor);
//   session->start();
//
// All calls on the http thread. Answers come from any thread through the ReplySink of make_reply_sink(), which finds
// the session by its id, so that an answer to a session that is gone does no harm.
#pragma once

#include <atomic>
#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <thread>
#include <unordered_map>
#include <vector>

#include "http/exchange.hpp"

namespace boost::asio {
class io_context;
}

namespace virga {

struct HttpLimits {
  std::size_t body_bytes_max = 64u << 20;
  std::uint32_t header_bytes_max = 64u << 10;
  std::size_t connections_max = 4'096;
  std::size_t in_flight_max = 64;  ///< pipelined requests of one connection that wait for their answers
  std::chrono::seconds idle_max{600};
  std::chrono::seconds stall_max{60};  ///< half a request, or an answer that is not taken
  std::chrono::seconds linger_max{5};  ///< how long the rest of a refused request is read away
  std::chrono::seconds heartbeat{15};
};

class Session {
 public:
  using Clock = std::chrono::steady_clock;

  virtual ~Session() = default;
  virtual void start() = 0;
  virtual void deliver(std::uint64_t slot, HttpReply reply) = 0;
  virtual void on_abandon(std::uint64_t slot, std::function<void()> abandoned) = 0;
  virtual void start_stream(std::uint64_t slot, std::shared_ptr<StreamSource> source) = 0;
  virtual void stream_piece(std::uint64_t slot, std::string piece, bool last) = 0;
  /// Writes what is ready.
  virtual void flush() = 0;
  /// Heartbeats and time limits.
  virtual void sweep(Clock::time_point now) = 0;
  /// Ends once everything is written; long polls are told that the server goes.
  virtual void finish() = 0;
  virtual void close() = 0;
};

/// The living sessions by id, and the way onto the http thread.
class SessionTable {
 public:
  using Work = std::function<void()>;

  explicit SessionTable(boost::asio::io_context& context) : context_(&context) {}

  /// Any thread: at once if it is the http thread, else soon on it. Nothing after close().
  void run(Work work);
  void set_http_thread() { http_thread_ = std::this_thread::get_id(); }
  /// No more work is taken; must come before the io_context goes.
  void close();

  // On the http thread only:
  std::shared_ptr<Session> find(std::uint64_t id) const;
  std::uint64_t add(const std::function<std::shared_ptr<Session>(std::uint64_t id)>& make);
  void remove(std::uint64_t id) { sessions_.erase(id); }
  std::size_t size() const { return sessions_.size(); }
  void needs_flush(std::uint64_t id) { to_flush_.push_back(id); }
  void flush_all();
  /// Over a copy, since `each` may end sessions.
  void for_each(const std::function<void(Session&)>& each);

 private:
  void drain();

  boost::asio::io_context* context_;
  std::atomic<std::thread::id> http_thread_;
  std::mutex mutex_;  ///< of what follows
  std::vector<Work> inbox_;
  bool closed_ = false;

  std::unordered_map<std::uint64_t, std::shared_ptr<Session>> sessions_;
  std::uint64_t last_id_ = 0;
  std::vector<std::uint64_t> to_flush_;
};

struct SessionHost {
  std::shared_ptr<SessionTable> table;
  HttpLimits limits;
  std::function<void(RawRequest, Responder)> handle;
};

/// Takes over `fd`.
std::shared_ptr<Session> make_session(boost::asio::io_context& context, int fd, bool is_tcp,
                                      std::shared_ptr<const SessionHost> host, std::uint64_t id,
                                      std::optional<Actor> peer);
std::shared_ptr<ReplySink> make_reply_sink(std::shared_ptr<SessionTable> table, std::uint64_t id);

}  // namespace virga

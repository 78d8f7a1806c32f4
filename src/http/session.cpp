#include "http/session.hpp"

#include <poll.h>

#include <boost/asio/generic/stream_protocol.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/write.hpp>
#include <boost/beast/core/flat_buffer.hpp>
#include <boost/beast/http/parser.hpp>
#include <boost/beast/http/string_body.hpp>
#include <deque>

#include "wire/error_codes.hpp"

namespace virga {
namespace {

namespace asio = boost::asio;
namespace http = boost::beast::http;
using boost::beast::error_code;

constexpr std::size_t k_read_bytes = 16u << 10;
constexpr std::size_t k_read_body_bytes = 128u << 10;
constexpr std::size_t k_write_bytes_max = 1u << 20;  ///< gathered into one write

/// A request's place in the order of answers.
struct Slot {
  std::uint64_t id = 0;
  bool ready = false;
  bool close_after = false;
  bool head_only = false;
  std::string head;
  std::string body;
  std::shared_ptr<StreamSource> stream;
  std::function<void()> abandoned;
};

class SessionOnSocket : public Session, public std::enable_shared_from_this<SessionOnSocket> {
 public:
  SessionOnSocket(asio::io_context& context, int fd, bool is_tcp, std::shared_ptr<const SessionHost> host,
                  std::uint64_t id, std::optional<Actor> peer)
      : socket_(context, asio::generic::stream_protocol(is_tcp ? AF_INET : AF_UNIX, is_tcp ? IPPROTO_TCP : 0), fd),
        host_(std::move(host)),
        id_(id),
        peer_(std::move(peer)),
        sink_(make_reply_sink(host_->table, id)) {}

  void start() override { read(); }
  void deliver(std::uint64_t slot, HttpReply reply) override;
  void on_abandon(std::uint64_t slot, std::function<void()> abandoned) override;
  void start_stream(std::uint64_t slot, std::shared_ptr<StreamSource> source) override;
  void stream_piece(std::uint64_t slot, std::string piece, bool last) override;
  void flush() override;
  void sweep(Clock::time_point now) override;
  void finish() override;
  void close() override;

 private:
  using Parser = http::request_parser<http::string_body>;

  bool takes_requests() const { return !closed_ && !last_request_seen_ && slots_.size() < host_->limits.in_flight_max; }
  void read();
  void on_read(error_code error, std::size_t n);
  void on_end_of_input();
  void parse();
  void take_request();
  void refuse(const error_code& error);
  void welcome_body();
  Slot& new_slot();
  Slot* find_slot(std::uint64_t id);
  void mark_ready(Slot& slot);
  void gather();
  void on_written(error_code error);
  bool peer_is_gone();

  asio::generic::stream_protocol::socket socket_;
  std::shared_ptr<const SessionHost> host_;
  std::uint64_t id_;
  std::optional<Actor> peer_;
  std::shared_ptr<ReplySink> sink_;

  boost::beast::flat_buffer buffer_;
  std::optional<Parser> parser_;
  bool body_welcomed_ = false;  ///< "100 Continue" was sent for the request that is being read
  bool reading_ = false;
  bool input_ended_ = false;
  bool last_request_seen_ = false;
  bool closed_ = false;
  bool finishing_ = false;

  std::deque<Slot> slots_;
  std::uint64_t last_slot_ = 0;
  std::vector<std::string> outgoing_;
  bool writing_ = false;
  bool flush_asked_ = false;
  bool close_after_write_ = false;
  bool lingers_ = false;  ///< refused in the middle: what still comes is read away, so that the answer is not lost

  std::shared_ptr<StreamSource> stream_;
  std::uint64_t stream_slot_ = 0;
  std::string stream_out_;
  bool stream_wants_ = false;  ///< want_more() was called and no piece came yet

  Clock::time_point last_read_ = Clock::now();
  Clock::time_point last_write_ = Clock::now();
};

// Reading ------------------------------------------------------------------------------------------------------------

void SessionOnSocket::read() {
  // Also while answers are waited for: this is how a client's going away is noticed.
  if (reading_ || closed_ || input_ended_ || (!stream_ && slots_.size() >= host_->limits.in_flight_max)) return;
  reading_ = true;
  bool in_body = parser_ && parser_->is_header_done();
  auto space = buffer_.prepare(in_body ? k_read_body_bytes : k_read_bytes);
  socket_.async_read_some(space, [self = shared_from_this()](error_code error, std::size_t n) {
    self->reading_ = false;
    self->on_read(error, n);
  });
}

void SessionOnSocket::on_read(error_code error, std::size_t n) {
  if (closed_) return;
  last_read_ = Clock::now();
  if (error == asio::error::eof) {
    on_end_of_input();
  } else if (error) {
    return close();
  } else {
    buffer_.commit(n);
    if (stream_ || last_request_seen_) buffer_.consume(buffer_.size());
    parse();
  }
  read();
  host_->table->flush_all();
}

bool SessionOnSocket::peer_is_gone() {
  pollfd p{socket_.native_handle(), 0, 0};
  return ::poll(&p, 1, 0) > 0 && (p.revents & (POLLHUP | POLLERR)) != 0;
}

void SessionOnSocket::on_end_of_input() {
  input_ended_ = true;
  bool only_waits = true;  // for something that may take for ever
  for (const Slot& slot : slots_) only_waits = only_waits && !slot.ready && slot.abandoned;
  bool done = only_waits && !writing_;
  if (done || stream_ || peer_is_gone()) return close();
  // The client only said that it has no further requests: it still gets its answers.
  parse();
  if (slots_.empty() && !writing_) close();
}

void SessionOnSocket::parse() {
  while (takes_requests() && buffer_.size() > 0) {
    if (!parser_) {
      parser_.emplace();
      parser_->eager(true);
      parser_->body_limit(host_->limits.body_bytes_max);
      parser_->header_limit(host_->limits.header_bytes_max);
      body_welcomed_ = false;
    }
    error_code error;
    std::size_t used = parser_->put(buffer_.data(), error);
    buffer_.consume(used);
    if (error && error != http::error::need_more) return refuse(error);
    if (parser_->is_done()) {
      take_request();
    } else {
      welcome_body();
      if (error || used == 0) break;
    }
  }
  if (buffer_.size() == 0 && buffer_.capacity() > k_read_body_bytes) buffer_.shrink_to_fit();
}

/// curl waits for a word before it sends a large body. It can only be given when no answer is due before it.
void SessionOnSocket::welcome_body() {
  if (body_welcomed_ || !parser_->is_header_done() || !slots_.empty() || writing_) return;
  if (!boost::beast::iequals(parser_->get()[http::field::expect], "100-continue")) return;
  body_welcomed_ = true;
  outgoing_.emplace_back("HTTP/1.1 100 Continue\r\n\r\n");
  flush();
}

void SessionOnSocket::refuse(const error_code& error) {
  Error what{Code::invalid, "the request is no HTTP: " + error.message()};
  int status = 400;
  if (error == http::error::body_limit) {
    what = {Code::exhausted,
            "the body is larger than " + std::to_string(host_->limits.body_bytes_max >> 20) + " MiB, the limit"};
    status = 413;
  } else if (error == http::error::header_limit || error == http::error::buffer_overflow) {
    what = {Code::exhausted,
            "the header is larger than " + std::to_string(host_->limits.header_bytes_max >> 10) + " KiB, the limit"};
    status = 431;
  }
  last_request_seen_ = true;
  lingers_ = true;
  parser_.reset();
  buffer_.consume(buffer_.size());
  Slot& slot = new_slot();
  slot.close_after = true;
  deliver(slot.id, error_reply(what, status));
}

Slot& SessionOnSocket::new_slot() {
  Slot& slot = slots_.emplace_back();
  slot.id = ++last_slot_;
  return slot;
}

void SessionOnSocket::take_request() {
  http::request<http::string_body>& message = parser_->get();
  RawRequest request;
  request.method = std::string(message.method_string());
  request.target = std::string(message.target());
  request.authorization = std::string(message[http::field::authorization]);
  request.slurm_user = std::string(message["X-SLURM-USER-NAME"]);
  request.slurm_token = std::string(message["X-SLURM-USER-TOKEN"]);
  request.last_event_id = std::string(message["Last-Event-ID"]);
  request.wants_leader = message["Virga-Ask"] == "leader";
  request.body = std::move(message.body());
  request.peer = peer_;
  Slot& slot = new_slot();
  slot.head_only = message.method() == http::verb::head;
  slot.close_after = finishing_ || !parser_->keep_alive() || message.version() < 11;
  if (slot.close_after) last_request_seen_ = true;
  parser_.reset();
  host_->handle(std::move(request), Responder(sink_, slot.id));
}

// Answering ----------------------------------------------------------------------------------------------------------

Slot* SessionOnSocket::find_slot(std::uint64_t id) {
  if (slots_.empty() || id < slots_.front().id || id > slots_.back().id) return nullptr;
  return &slots_[id - slots_.front().id];
}

void SessionOnSocket::mark_ready(Slot& slot) {
  slot.ready = true;
  slot.abandoned = nullptr;
  if (flush_asked_) return;
  flush_asked_ = true;
  host_->table->needs_flush(id_);
}

void SessionOnSocket::deliver(std::uint64_t id, HttpReply reply) {
  Slot* slot = find_slot(id);
  if (slot == nullptr || slot->ready) return;
  std::string& head = slot->head;
  head.reserve(160);
  head.append("HTTP/1.1 ").append(std::to_string(reply.status)).append(" ").append(http_reason(reply.status));
  head.append("\r\nContent-Type: ").append(reply.content_type);
  head.append("\r\nContent-Length: ").append(std::to_string(reply.body.size())).append("\r\n");
  head.append(reply.headers);
  if (slot->close_after) head.append("Connection: close\r\n");
  head.append("\r\n");
  if (!slot->head_only) slot->body = std::move(reply.body);
  mark_ready(*slot);
}

void SessionOnSocket::on_abandon(std::uint64_t id, std::function<void()> abandoned) {
  Slot* slot = find_slot(id);
  if (closed_) return abandoned();
  if (slot == nullptr || slot->ready) return;
  if (input_ended_ || finishing_) {
    // Came too late to be asked whether it may be given up.
    abandoned();
    return deliver(id, error_reply({Code::unavailable, "virgad is going down", true}));
  }
  slot->abandoned = std::move(abandoned);
}

void SessionOnSocket::start_stream(std::uint64_t id, std::shared_ptr<StreamSource> source) {
  Slot* slot = find_slot(id);
  if (closed_ || finishing_ || slot == nullptr || slot->ready) return source->abandoned();
  slot->head =
      "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nCache-Control: no-store\r\n"
      "Connection: close\r\n\r\n";
  slot->stream = std::move(source);
  slot->close_after = true;
  last_request_seen_ = true;
  mark_ready(*slot);
}

void SessionOnSocket::stream_piece(std::uint64_t id, std::string piece, bool last) {
  if (closed_ || !stream_ || id != stream_slot_) return;
  stream_wants_ = false;
  stream_out_ += piece;
  if (last) close_after_write_ = true;
  flush();
}

void SessionOnSocket::gather() {
  std::size_t bytes = 0;
  while (!stream_ && !close_after_write_ && !slots_.empty() && slots_.front().ready && bytes < k_write_bytes_max) {
    Slot slot = std::move(slots_.front());
    slots_.pop_front();
    bytes += slot.head.size() + slot.body.size();
    outgoing_.push_back(std::move(slot.head));
    if (!slot.body.empty()) outgoing_.push_back(std::move(slot.body));
    if (slot.stream) {
      stream_ = std::move(slot.stream);
      stream_slot_ = slot.id;
    } else if (slot.close_after) {
      close_after_write_ = true;
    }
  }
  if (!stream_out_.empty()) outgoing_.push_back(std::exchange(stream_out_, {}));
}

void SessionOnSocket::flush() {
  flush_asked_ = false;
  if (writing_ || closed_) return;
  gather();
  if (outgoing_.empty()) {
    if (close_after_write_ && lingers_ && !input_ended_ && !finishing_) {
      error_code ignored;
      socket_.shutdown(asio::socket_base::shutdown_send, ignored);
    } else if (close_after_write_) {
      close();
    }
    return;
  }
  writing_ = true;
  last_write_ = Clock::now();
  std::vector<asio::const_buffer> parts;
  parts.reserve(outgoing_.size());
  for (const std::string& part : outgoing_) parts.push_back(asio::buffer(part));
  asio::async_write(socket_, std::move(parts),
                    [self = shared_from_this()](error_code error, std::size_t) { self->on_written(error); });
}

void SessionOnSocket::on_written(error_code error) {
  writing_ = false;
  outgoing_.clear();
  if (closed_) return;
  if (error) return close();
  last_write_ = Clock::now();
  if (stream_ && !stream_wants_ && stream_out_.empty() && !close_after_write_) {
    stream_wants_ = true;
    stream_->want_more();
  }
  if (!stream_) parse();  // there is room again for what was read ahead
  flush();
  if (closed_) return;
  if (slots_.empty() && !writing_ && !stream_ && (input_ended_ || finishing_)) return close();
  read();
}

// Ends ---------------------------------------------------------------------------------------------------------------

void SessionOnSocket::sweep(Clock::time_point now) {
  if (closed_) return;
  const HttpLimits& limits = host_->limits;
  if (writing_) {
    if (now - last_write_ > limits.stall_max) close();  // it does not take its answer; streams are resumed by number
    return;
  }
  if (stream_) {
    if (now - last_write_ < limits.heartbeat) return;
    stream_out_ += ": still here\n\n";
    return flush();
  }
  if (close_after_write_ && now - last_write_ > limits.linger_max) return close();
  if (parser_ && now - last_read_ > limits.stall_max) return close();
  if (slots_.empty() && now - std::max(last_read_, last_write_) > limits.idle_max) close();
}

void SessionOnSocket::finish() {
  if (closed_) return;
  finishing_ = true;
  last_request_seen_ = true;
  for (Slot& slot : slots_) {
    if (slot.ready || !slot.abandoned) continue;
    auto abandoned = std::exchange(slot.abandoned, nullptr);
    abandoned();
    deliver(slot.id, error_reply({Code::unavailable, "virgad is going down", true}));
  }
  if (stream_) close_after_write_ = true;
  flush();
  if (!closed_ && slots_.empty() && !writing_) close();
}

void SessionOnSocket::close() {
  if (closed_) return;
  closed_ = true;
  auto self = shared_from_this();
  error_code ignored;
  socket_.shutdown(asio::socket_base::shutdown_send, ignored);
  socket_.close(ignored);
  for (Slot& slot : slots_) {
    if (slot.abandoned) slot.abandoned();
    if (slot.stream) slot.stream->abandoned();
  }
  slots_.clear();
  if (stream_) stream_->abandoned();
  stream_.reset();
  host_->table->remove(id_);
}

}  // namespace

std::shared_ptr<Session> make_session(asio::io_context& context, int fd, bool is_tcp,
                                      std::shared_ptr<const SessionHost> host, std::uint64_t id,
                                      std::optional<Actor> peer) {
  return std::make_shared<SessionOnSocket>(context, fd, is_tcp, std::move(host), id, std::move(peer));
}

}  // namespace virga

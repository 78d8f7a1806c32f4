#include "arm/server.hpp"

#include <algorithm>
#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/signal_set.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/write.hpp>
#include <boost/beast/core/flat_buffer.hpp>
#include <boost/beast/core/tcp_stream.hpp>
#include <boost/beast/http/parser.hpp>
#include <boost/beast/http/read.hpp>
#include <boost/beast/http/string_body.hpp>
#include <boost/beast/ssl/ssl_stream.hpp>
#include <charconv>
#include <csignal>
#include <functional>
#include <optional>

namespace virga::arm {
namespace {

namespace asio = boost::asio;
namespace beast = boost::beast;
namespace http = boost::beast::http;
using asio::ip::tcp;
using beast::error_code;

constexpr std::size_t k_body_bytes_max = 8u << 20;
constexpr std::uint32_t k_header_bytes_max = 64u << 10;
constexpr auto k_idle_max = std::chrono::minutes(10);  // between two requests
constexpr auto k_head_max = std::chrono::seconds(20);  // for the handshake, and for the head of a request
constexpr auto k_body_max = std::chrono::minutes(2);
constexpr auto k_linger_max = std::chrono::seconds(5);
constexpr std::size_t k_read_bytes = 16u << 10;
constexpr auto k_accept_pause = std::chrono::milliseconds(100);

using Handler = std::function<Answer(const Request&)>;
using PlainStream = beast::tcp_stream;
using TlsStream = beast::ssl_stream<beast::tcp_stream>;

Request request_of(const http::request<http::string_body>& message) {
  Request request;
  request.method = std::string(message.method_string());
  request.target = std::string(message.target());
  for (const auto& field : message) {
    request.headers.push_back({std::string(field.name_string()), std::string(field.value())});
  }
  request.body = message.body();
  const auto now = std::chrono::system_clock::now().time_since_epoch();
  request.received = {std::chrono::duration_cast<std::chrono::nanoseconds>(now).count()};
  return request;
}

std::string head_of(const Answer& answer, bool keep_alive) {
  std::string head = "HTTP/1.1 " + std::to_string(answer.status) + " " +
                     std::string(http::obsolete_reason(static_cast<http::status>(answer.status))) + "\r\n";
  const auto add = [&](std::string_view name, std::string_view value) {
    head.append(name).append(": ").append(value).append("\r\n");
  };
  for (const Header& header : answer.headers) add(header.name, header.value);
  if (!answer.body.empty()) add("Content-Type", answer.content_type);
  if (answer.status != 204) add("Content-Length", std::to_string(answer.body.size()));
  add("Cache-Control", "no-cache");
  if (!keep_alive) add("Connection", "close");
  return head + "\r\n";
}

/// One connection: request, answer, and so on. It keeps itself alive through its callbacks.
template <class Stream>
class Session : public std::enable_shared_from_this<Session<Stream>> {
 public:
  template <class... More>
  Session(const Handler& handler, std::string node, tcp::socket socket, More&... more)
      : stream_(std::move(socket), more...), handler_(handler), node_(std::move(node)) {}

  void start() {
    lowest().expires_after(k_head_max);
    if constexpr (std::is_same_v<Stream, TlsStream>) {
      stream_.async_handshake(asio::ssl::stream_base::server, [self = this->shared_from_this()](error_code error) {
        if (!error) self->read_head();
      });
    } else {
      read_head();
    }
  }

 private:
  beast::tcp_stream& lowest() { return beast::get_lowest_layer(stream_); }

  /// A connection may rest between requests, but not within one.
  void wait_for_request() {
    if (buffer_.size() > 0) return read_head();
    lowest().expires_after(k_idle_max);
    stream_.async_read_some(buffer_.prepare(k_read_bytes),
                            [self = this->shared_from_this()](error_code error, std::size_t size) {
                              if (error) return;
                              self->buffer_.commit(size);
                              self->read_head();
                            });
  }

  void read_head() {
    parser_.emplace();
    parser_->body_limit(k_body_bytes_max);
    parser_->header_limit(k_header_bytes_max);
    lowest().expires_after(k_head_max);
    http::async_read_header(stream_, buffer_, *parser_,
                            [self = this->shared_from_this()](error_code error, std::size_t) {
                              if (error) return self->refuse(error);
                              self->lowest().expires_after(k_body_max);
                              if (beast::iequals(self->parser_->get()[http::field::expect], "100-continue"))
                                return self->ask_for_body();
                              self->read_body();
                            });
  }

  void ask_for_body() {
    out_ = "HTTP/1.1 100 Continue\r\n\r\n";
    asio::async_write(stream_, asio::buffer(out_), [self = this->shared_from_this()](error_code error, std::size_t) {
      if (!error) self->read_body();
    });
  }

  void read_body() {
    http::async_read(stream_, buffer_, *parser_, [self = this->shared_from_this()](error_code error, std::size_t) {
      error ? self->refuse(error) : self->answer();
    });
  }

  /// What is no request is told so; a connection that ended has nobody to tell.
  void refuse(error_code error) {
    if (error == http::error::end_of_stream || error.category() != http::make_error_code({}).category()) return;
    if (error == http::error::partial_message) return;
    Answer answer = refusal(400, "InvalidRequest", "This is no HTTP/1.1 request: " + error.message());
    if (error == http::error::body_limit) answer = refusal(413, "RequestEntityTooLarge", "The body is too long.");
    if (error == http::error::header_limit) answer = refusal(431, "RequestHeaderTooLarge", "The headers are too long.");
    out_ = head_of(answer, false) + answer.body;
    asio::async_write(stream_, asio::buffer(out_), [self = this->shared_from_this()](error_code failed, std::size_t) {
      if (failed) return;
      error_code ignored;  // the connection ends either way
      self->lowest().socket().shutdown(tcp::socket::shutdown_send, ignored);
      self->lowest().expires_after(k_linger_max);
      self->buffer_.clear();
      self->drain();
    });
  }

  /// What the client still sends is read and dropped: closed at once, it would lose the answer to a reset.
  void drain() {
    lowest().async_read_some(buffer_.prepare(k_read_bytes),
                             [self = this->shared_from_this()](error_code error, std::size_t) {
                               if (!error) self->drain();
                             });
  }

  void answer() {
    const bool keep_alive = parser_->get().keep_alive();
    Request request = request_of(parser_->get());
    request.node = node_;
    const Answer answer = handler_(request);
    lowest().expires_after(k_body_max);
    if (answer.delivery == Delivery::never) return wait_for_end();
    out_ = head_of(answer, keep_alive) + answer.body;
    const bool truncated = answer.delivery == Delivery::truncated;
    if (truncated) out_.resize(out_.size() - answer.body.size() / 2 - 1);
    asio::async_write(
        stream_, asio::buffer(out_),
        [self = this->shared_from_this(), goes_on = keep_alive && !truncated](error_code error, std::size_t) {
          if (!error && goes_on) return self->wait_for_request();
          error_code ignored;  // the connection ends either way
          self->lowest().socket().shutdown(tcp::socket::shutdown_both, ignored);
        });
  }

  /// An answer that never comes: until the client gives up.
  void wait_for_end() {
    lowest().expires_never();
    stream_.async_read_some(buffer_.prepare(1), [self = this->shared_from_this()](error_code, std::size_t) {});
  }

  Stream stream_;
  const Handler& handler_;
  const std::string node_;  ///< Request::node
  beast::flat_buffer buffer_;
  std::optional<http::request_parser<http::string_body>> parser_;
  std::string out_;
};

struct Listener {
  Listener(asio::io_context& context, Handler h) : acceptor(context), pause(context), handler(std::move(h)) {}
  tcp::acceptor acceptor;
  asio::steady_timer pause;
  Handler handler;
};

Result<tcp::endpoint> endpoint_of(const std::string& address) {
  const std::size_t colon = address.rfind(':');
  const auto bad = [&] {
    return fail(Code::invalid, "'" + address + "' is no address; write a numeric host and a port, 127.0.0.1:0");
  };
  if (colon == std::string::npos) return bad();
  std::string host = address.substr(0, colon);
  if (host.starts_with('[') && host.ends_with(']')) host = host.substr(1, host.size() - 2);
  error_code error;
  const auto ip = asio::ip::make_address(host, error);
  std::uint16_t port = 0;
  const char* const end = address.data() + address.size();
  const auto read = std::from_chars(address.data() + colon + 1, end, port);
  if (error || read.ec != std::errc{} || read.ptr != end) return bad();
  return tcp::endpoint(ip, port);
}

Status listen_on(Listener& listener, const std::string& address, bool anyone) {
  const Result<tcp::endpoint> endpoint = endpoint_of(address);
  if (!endpoint) return unexpected(endpoint.error());
  if (!anyone && !endpoint->address().is_loopback()) {
    return fail(Code::invalid, "'" + address +
                                   "' is no loopback address, and whoever reaches it may do everything; write "
                                   "127.0.0.1:0, or add --anyone if that is meant");
  }
  error_code error;
  listener.acceptor.open(endpoint->protocol(), error);
  if (!error) listener.acceptor.set_option(tcp::acceptor::reuse_address(true), error);
  if (!error) listener.acceptor.bind(*endpoint, error);
  if (!error) listener.acceptor.listen(asio::socket_base::max_listen_connections, error);
  if (error) return fail(Code::conflict, "cannot listen on " + address + ": " + error.message());
  return {};
}

std::string address_of(const tcp::acceptor& acceptor) {
  const tcp::endpoint endpoint = acceptor.local_endpoint();
  const std::string host = endpoint.address().to_string();
  return (endpoint.address().is_v6() ? "[" + host + "]" : host) + ":" + std::to_string(endpoint.port());
}

class Server : public ArmServer {
 public:
  Server(StandIn& stand_in, ArmClock clock)
      : stand_in_(stand_in),
        clock_(clock),
        context_(1),
        tls_(asio::ssl::context::tls_server),
        manager_(context_, [this](const Request& request) { return serve(request, false); }),
        metadata_(context_, [this](const Request& request) { return serve(request, true); }),
        nodes_(context_, metadata_.handler),
        timer_(context_),
        signals_(context_) {}

  Status open(const ArmServerOptions& options);
  void run() override;
  void stop() override {
    asio::post(context_, [this] { context_.stop(); });
  }
  void post(std::function<void(Time)> work) override {
    asio::post(context_, [this, work = std::move(work)] {
      work(clock_.now());
      wait_for_due();
    });
  }
  void add_metadata_listener(int socket) override {
    asio::post(context_, [this, socket] { listen_for_nodes(socket); });
  }
  std::string url() const override { return "https://" + address_of(manager_.acceptor); }
  std::string imds_url() const override { return "http://" + address_of(metadata_.acceptor); }

 private:
  Answer serve(const Request& request, bool metadata);
  void listen_for_nodes(int socket);
  template <class Welcome>
  void accept(Listener& listener, Welcome welcome);
  void wait_for_due();

  StandIn& stand_in_;
  ArmClock clock_;
  asio::io_context context_;
  asio::ssl::context tls_;
  Listener manager_;
  Listener metadata_;
  Listener nodes_;
  asio::steady_timer timer_;
  asio::signal_set signals_;
};

Status Server::open(const ArmServerOptions& options) {
  error_code error;
  // Before anybody is told that it is ready: a signal from here on is an orderly end.
  for (const int signal : {SIGTERM, SIGINT}) {
    if (!error) signals_.add(signal, error);
  }
  if (error) return fail(Code::internal, "cannot catch SIGTERM and SIGINT: " + error.message());
  tls_.set_options(asio::ssl::context::no_tlsv1 | asio::ssl::context::no_tlsv1_1, error);
  if (!error) tls_.use_certificate_chain_file(options.certificate.certificate, error);
  if (!error) tls_.use_private_key_file(options.certificate.key, asio::ssl::context::pem, error);
  if (error)
    return fail(Code::invalid,
                "cannot use the certificate " + options.certificate.certificate + ": " + error.message());
  if (Status listening = listen_on(manager_, options.listen, options.anyone); !listening) return listening;
  return listen_on(metadata_, options.imds, options.anyone);
}

Answer Server::serve(const Request& request, bool metadata) {
  const Time now = clock_.now();
  Answer answer = metadata ? stand_in_.handle_metadata(request, now) : stand_in_.handle(request, now);
  const Time received = request.received.is_set() ? request.received : now;
  answer.headers.push_back({"Date", http_date(received + stand_in_.world().scenario.clock_skew)});
  if (const auto wish = stand_in_.take_clock_wish()) {
    clock_.change(wish->speed.value_or(1), wish->skip);
    stand_in_.advance(clock_.now());
  }
  wait_for_due();
  return answer;
}

template <class Welcome>
void Server::accept(Listener& listener, Welcome welcome) {
  listener.acceptor.async_accept([this, &listener, welcome](error_code error, tcp::socket socket) {
    if (error == asio::error::operation_aborted) return;  // it listens elsewhere now
    if (!error) {
      error_code ignored;  // only slower
      socket.set_option(tcp::no_delay(true), ignored);
      welcome(std::move(socket));
      return accept(listener, welcome);
    }
    // No descriptor left: connections wait in the kernel meanwhile.
    listener.pause.expires_after(k_accept_pause);
    listener.pause.async_wait([this, &listener, welcome](error_code stopped) {
      if (!stopped) accept(listener, welcome);
    });
  });
}

void Server::wait_for_due() {
  const Time due = stand_in_.next_due();
  if (due.is_never()) {
    timer_.cancel();
    return;
  }
  timer_.expires_after(clock_.until(due));
  timer_.async_wait([this](error_code error) {
    if (error) return;
    stand_in_.advance(clock_.now());
    wait_for_due();
  });
}

void Server::run() {
  signals_.async_wait([this](error_code error, int) {
    if (!error) context_.stop();
  });
  accept(manager_, [this](tcp::socket socket) {
    std::make_shared<Session<TlsStream>>(manager_.handler, "", std::move(socket), tls_)->start();
  });
  accept(metadata_, [this](tcp::socket socket) {
    std::make_shared<Session<PlainStream>>(metadata_.handler, "", std::move(socket))->start();
  });
  wait_for_due();
  context_.run();
}

/// The network between the nodes was made anew, and with it the socket.
void Server::listen_for_nodes(int socket) {
  error_code error;
  nodes_.acceptor.close(error);  // of a network that is gone
  nodes_.acceptor.assign(tcp::v4(), socket, error);
  if (error) return;  // no memory: nodes wait for an answer in vain
  accept(nodes_, [this](tcp::socket connection) {
    error_code gone;  // a client that left at once asks nothing
    const tcp::endpoint node = connection.remote_endpoint(gone);
    if (gone) return;
    std::make_shared<Session<PlainStream>>(nodes_.handler, node.address().to_string(), std::move(connection))->start();
  });
}

}  // namespace

Result<std::string> host_of(const std::string& address) {
  const Result<tcp::endpoint> endpoint = endpoint_of(address);
  if (!endpoint) return unexpected(endpoint.error());
  return endpoint->address().to_string();
}

Time ArmClock::now() const {
  const std::int64_t passed = std::chrono::duration_cast<std::chrono::nanoseconds>(Real::now() - real_origin_).count();
  if (passed > (k_end_of_time - origin_).ns / speed_) return k_end_of_time;
  return origin_ + Duration{passed} * speed_;
}

void ArmClock::change(std::uint32_t speed, Duration skip) {
  origin_ = std::min(now() + skip, k_end_of_time);
  real_origin_ = Real::now();
  speed_ = speed;
}

ArmClock::Real::duration ArmClock::until(Time time) const {
  // Never busy: what is due in less than a millisecond is done after one.
  constexpr std::int64_t k_least_ns = 1'000'000;
  return std::chrono::nanoseconds(std::max((time - now()).ns / speed_, k_least_ns));
}

Result<std::unique_ptr<ArmServer>> ArmServer::open(const ArmServerOptions& options, StandIn& stand_in, ArmClock clock) {
  auto server = std::make_unique<Server>(stand_in, clock);
  if (Status opened = server->open(options); !opened) return unexpected(opened.error());
  return std::unique_ptr<ArmServer>(std::move(server));
}

}  // namespace virga::arm

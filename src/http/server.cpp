#include "http/server.hpp"

#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>
#include <unistd.h>

#include <boost/asio/executor_work_guard.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/posix/stream_descriptor.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/steady_timer.hpp>
#include <cerrno>
#include <filesystem>
#include <future>
#include <optional>
#include <thread>

#include "http/handlers.hpp"
#include "http/listen.hpp"
#include "http/router.hpp"
#include "http/session.hpp"

namespace virga {
namespace {

namespace asio = boost::asio;

constexpr auto k_sweep_interval = std::chrono::seconds(5);
/// When the process has no descriptor left, the queue of the kernel is left alone for this long.
constexpr auto k_accept_pause = std::chrono::milliseconds(100);
constexpr auto k_stop_grace = std::chrono::seconds(2);
constexpr auto k_stop_look_interval = std::chrono::milliseconds(2);

}  // namespace

struct HttpServer::Inside {
  Inside(HttpOptions o, Controller& c)
      : options(std::move(o)),
        controller(c),
        context(1),
        guard(context.get_executor()),
        table(std::make_shared<SessionTable>(context)),
        sweep_timer(context),
        stop_timer(context) {}

  struct Listener {
    Listener(asio::io_context& context, int fd, bool tcp) : descriptor(context, fd), pause(context), is_tcp(tcp) {}
    asio::posix::stream_descriptor descriptor;
    asio::steady_timer pause;
    bool is_tcp;
  };

  Status open();
  Status reload();
  void accept_on(Listener& listener);
  void accept_all(Listener& listener);
  void welcome(int fd, bool is_tcp);
  void sweep();
  void begin_stop();
  void wait_for_sessions(Session::Clock::time_point until);
  void run();

  HttpOptions options;
  Controller& controller;
  asio::io_context context;
  asio::executor_work_guard<asio::io_context::executor_type> guard;
  std::shared_ptr<SessionTable> table;
  std::unique_ptr<Api> api;
  std::unique_ptr<Router> router;
  std::shared_ptr<SessionHost> host;
  std::optional<UnixListener> unix_listener;
  std::vector<std::unique_ptr<Listener>> listeners;
  asio::steady_timer sweep_timer;
  asio::steady_timer stop_timer;
  std::uint16_t tcp_port = 0;
  bool stopping = false;
  std::thread thread;
};

Status HttpServer::Inside::open() {
  std::optional<TokenTable> tokens;
  if (!options.listen.empty()) {
    if (options.token_file.empty()) {
      return fail(Code::invalid, "listen is '" + options.listen + "', but there is no token_file: TCP needs tokens");
    }
    Result<TokenTable> loaded = TokenTable::load(options.token_file);
    if (!loaded) return unexpected(loaded.error());
    tokens = *std::move(loaded);
    Result<int> fd = listen_tcp(options.listen);
    if (!fd) return unexpected(fd.error());
    tcp_port = port_of(*fd);
    listeners.push_back(std::make_unique<Listener>(context, *fd, true));
  }
  std::error_code ignored;  // told by the socket's own failure
  std::filesystem::create_directories(options.home.run(), ignored);
  // As root it serves everybody, and the kernel says who each is. Else it is its user's own.
  Result<UnixListener> opened = UnixListener::open(options.home.api_socket(), ::geteuid() == 0 ? 0666 : 0600);
  if (!opened) return unexpected(opened.error());
  unix_listener.emplace(*std::move(opened));
  listeners.push_back(std::make_unique<Listener>(context, unix_listener->take_fd(), false));

  ApiOptions api_options{options.home.path, options.version,    options.daemon_uid, [this] { return reload(); },
                         options.market,    options.leadership, options.cluster_of};
  api = std::make_unique<Api>(std::move(api_options), controller);
  router = std::make_unique<Router>(
      Identities(options.daemon_uid, options.operator_group), std::move(tokens),
      [this](Request request, Responder responder) { api->handle(std::move(request), std::move(responder)); });
  host = std::make_shared<SessionHost>();
  host->table = table;
  host->handle = [this](RawRequest raw, Responder responder) { router->handle(std::move(raw), std::move(responder)); };
  // The operator group may change with the configuration.
  controller.listen([this, table = table](Seq, const Event& event) {
    const auto* changed = std::get_if<ConfigChanged>(&event.body);
    if (changed == nullptr) return;
    table->run([this, group = changed->config.operator_group] { router->identities().set_operator_group(group); });
  });
  return {};
}

Status HttpServer::Inside::reload() {
  if (!options.reload) return fail(Code::internal, "this virgad has no configuration to reload");
  if (Status reloaded = options.reload(); !reloaded) return reloaded;
  if (options.token_file.empty() || options.listen.empty()) return {};
  Result<TokenTable> tokens = TokenTable::load(options.token_file);
  if (!tokens) return unexpected(tokens.error());
  router->set_tokens(*std::move(tokens));
  return {};
}

void HttpServer::Inside::accept_on(Listener& listener) {
  listener.descriptor.async_wait(asio::posix::stream_descriptor::wait_read,
                                 [this, &listener](const boost::system::error_code& error) {
                                   if (!error && !stopping) accept_all(listener);
                                 });
}

void HttpServer::Inside::accept_all(Listener& listener) {
  for (;;) {
    int fd = ::accept4(listener.descriptor.native_handle(), nullptr, nullptr, SOCK_CLOEXEC | SOCK_NONBLOCK);
    if (fd >= 0) {
      welcome(fd, listener.is_tcp);
      continue;
    }
    if (errno == EINTR || errno == ECONNABORTED) continue;
    if (errno == EAGAIN || errno == EWOULDBLOCK) return accept_on(listener);
    // No descriptor or memory left: connections wait in the kernel meanwhile.
    listener.pause.expires_after(k_accept_pause);
    return listener.pause.async_wait([this, &listener](const boost::system::error_code& error) {
      if (!error && !stopping) accept_on(listener);
    });
  }
}

void HttpServer::Inside::welcome(int fd, bool is_tcp) {
  std::optional<Actor> peer;
  Result<Actor> actor = is_tcp ? Result<Actor>() : router->identities().actor_of_peer(fd);
  if (!actor || table->size() >= host->limits.connections_max) {
    static constexpr std::string_view k_full =
        "HTTP/1.1 503 Service Unavailable\r\nContent-Length: 0\r\nRetry-After: 1\r\nConnection: close\r\n\r\n";
    (void)!::send(fd, k_full.data(), k_full.size(), MSG_NOSIGNAL | MSG_DONTWAIT);
    ::close(fd);
    return;
  }
  if (is_tcp) {
    int on = 1;
    ::setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
  } else {
    peer = *std::move(actor);
  }
  std::uint64_t id = table->add(
      [&](std::uint64_t number) { return make_session(context, fd, is_tcp, host, number, std::move(peer)); });
  table->find(id)->start();
}

void HttpServer::Inside::sweep() {
  sweep_timer.expires_after(k_sweep_interval);
  sweep_timer.async_wait([this](const boost::system::error_code& error) {
    if (error || stopping) return;
    const auto now = Session::Clock::now();
    table->for_each([now](Session& session) { session.sweep(now); });
    sweep();
  });
}

void HttpServer::Inside::run() {
  table->set_http_thread();
  for (auto& listener : listeners) accept_on(*listener);
  sweep();
  context.run();
}

void HttpServer::Inside::begin_stop() {
  stopping = true;
  for (auto& listener : listeners) {
    boost::system::error_code ignored;
    listener->descriptor.close(ignored);
    listener->pause.cancel();
  }
  sweep_timer.cancel();
  table->for_each([](Session& session) { session.finish(); });
  guard.reset();
  wait_for_sessions(Session::Clock::now() + k_stop_grace);
}

/// The thread ends once all sessions are gone, or when the grace is over.
void HttpServer::Inside::wait_for_sessions(Session::Clock::time_point until) {
  if (table->size() == 0) return;
  if (Session::Clock::now() >= until) return table->for_each([](Session& session) { session.close(); });
  stop_timer.expires_after(k_stop_look_interval);
  stop_timer.async_wait([this, until](const boost::system::error_code&) { wait_for_sessions(until); });
}

HttpServer::HttpServer(std::unique_ptr<Inside> inside) : inside_(std::move(inside)) {}
HttpServer::~HttpServer() { stop(); }

std::uint16_t HttpServer::tcp_port() const { return inside_->tcp_port; }

Result<std::unique_ptr<HttpServer>> HttpServer::start(HttpOptions options, Controller& controller) {
  auto inside = std::make_unique<Inside>(std::move(options), controller);
  if (Status opened = inside->open(); !opened) return unexpected(opened.error());
  inside->thread = std::thread([in = inside.get()] { in->run(); });
  return std::unique_ptr<HttpServer>(new HttpServer(std::move(inside)));
}

void HttpServer::stop() {
  Inside& in = *inside_;
  if (!in.thread.joinable()) return;
  in.unix_listener->remove_name();
  asio::post(in.context, [&in] { in.begin_stop(); });
  in.thread.join();
  in.table->close();
}

}  // namespace virga

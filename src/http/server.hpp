// The HTTP API: JSON over a Unix socket, and over TCP where the configuration asks for it. One thread of its own.
//
//   auto server = HttpServer::start({.home = home, .daemon_uid = geteuid(), …}, controller);   // before
//   controller.run() … server->stop();                                     // answers what can be answered, then closes
//   everything
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>

#include "base/result.hpp"
#include "control/controller.hpp"
#include "core/market.hpp"
#include "wire/home.hpp"

namespace virga {

struct HttpOptions {
  Home home;
  std::string listen;      ///< host:port of the TCP listener; empty for none. Port 0 takes a free one.
  std::string token_file;  ///< needed with `listen`
  std::uint32_t daemon_uid = 0;
  std::string operator_group;
  std::function<Status()> reload;  ///< reads the configuration again; called on the http thread
  /// What the clouds would lend; called on a thread of its own, may block. It is not called after the server is gone.
  std::function<Market(const MarketQuery&)> market;
  /// In which of several clusters of Slurm the nodes of a pool are, or ""; of any thread. Empty: nothing is known of
  /// it.
  std::function<std::string(const std::string& pool)> cluster_of = {};
  std::string version;
  const Leadership* leadership = nullptr;  ///< where several controllers share the journal; outlives the server
};

class HttpServer {
 public:
  /// The socket takes connections once this returns; they are answered as soon as the controller runs.
  static Result<std::unique_ptr<HttpServer>> start(HttpOptions options, Controller& controller);
  ~HttpServer();

  void stop();
  std::uint16_t tcp_port() const;  ///< 0 without a TCP listener

 private:
  struct Inside;
  explicit HttpServer(std::unique_ptr<Inside> inside);
  std::unique_ptr<Inside> inside_;
};

}  // namespace virga

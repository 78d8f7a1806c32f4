// The stand-in on the network: the resource manager over HTTPS, the metadata service over plain HTTP. One thread.
//
//   auto server = ArmServer::open({.listen = "127.0.0.1:0", .imds = "127.0.0.1:0", .certificate = files}, stand_in,
//                                 ArmClock(start, speed));
//   (*server)->url();          // "https://127.0.0.1:41233"
//   (*server)->run();          // until SIGTERM, SIGINT or stop()
//
// Addresses are host:port with a numeric host; port 0 takes a free one.
#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>

#include "arm/certificate.hpp"
#include "arm/stand_in.hpp"
#include "base/result.hpp"

namespace virga::arm {

/// The address of HOST:PORT; Code::invalid for what is none.
Result<std::string> host_of(const std::string& address);

/// The stand-in's time, which may run faster than the machine's; it stops at k_end_of_time.
class ArmClock {
 public:
  using Real = std::chrono::steady_clock;

  ArmClock(Time start, std::uint32_t speed) : origin_(start), real_origin_(Real::now()), speed_(speed) {}

  Time now() const;
  void change(std::uint32_t speed, Duration skip);
  /// How long until then, on the machine's clock.
  Real::duration until(Time time) const;

 private:
  Time origin_;
  Real::time_point real_origin_;
  std::uint32_t speed_;
};

struct ArmServerOptions {
  std::string listen;
  std::string imds;
  bool anyone = false;  ///< addresses other than loopback are allowed
  CertificateFiles certificate;
};

class ArmServer {
 public:
  static Result<std::unique_ptr<ArmServer>> open(const ArmServerOptions& options, StandIn& stand_in, ArmClock clock);
  virtual ~ArmServer() = default;

  virtual void run() = 0;
  // From any thread:
  virtual void stop() = 0;
  /// Runs on the server's thread, with the stand-in's time.
  virtual void post(std::function<void(Time)> work) = 0;
  /// Takes over a listening socket whose clients are virtual nodes: they are told from each other by their addresses.
  virtual void add_metadata_listener(int socket) = 0;
  virtual std::string url() const = 0;
  virtual std::string imds_url() const = 0;
};

}  // namespace virga::arm

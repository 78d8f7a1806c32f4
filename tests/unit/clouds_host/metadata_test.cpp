// The metadata service's address: nodes reach it, and are known there by their own addresses.
#include <arpa/inet.h>
#include <fmt/format.h>
#include <sys/socket.h>

#include <thread>

#include "unit/clouds_host/bench.hpp"

namespace virga::host_test {

namespace cc = cloud_contract;

namespace {

/// Tells each who connects its own address, until it is destroyed.
class Mirror {
 public:
  ~Mirror() {
    shutdown(listener_, SHUT_RDWR);
    if (thread_.joinable()) thread_.join();
    close(listener_);
  }
  void serve(int listener) {
    REQUIRE(listener_ < 0);
    listener_ = listener;
    thread_ = std::thread([this] {
      sockaddr_in peer{};
      socklen_t size = sizeof peer;
      for (int fd; (fd = accept(listener_, reinterpret_cast<sockaddr*>(&peer), &size)) >= 0; close(fd)) {
        char text[INET_ADDRSTRLEN] = "";
        inet_ntop(AF_INET, &peer.sin_addr, text, sizeof text);
        const std::string line = std::string(text) + "\n";
        [[maybe_unused]] ssize_t n = write(fd, line.data(), line.size());
      }
    });
  }

 private:
  int listener_ = -1;
  std::thread thread_;
};

void check_metadata(Tier tier) {
  Instance instance;
  auto under_test = instance.under_test(tier);
  Mirror mirror;
  HostCloudOptions options = instance.options();
  // Addresses of somebody else's choosing, in a network that has nothing to do with the fabric's own.
  options.address_of = [](const WantedVm& vm) { return fmt::format("192.168.7.{}", 10 + vm.vm.value); };
  options.serve_metadata = [&](int listener) { mirror.serve(listener); };
  cc::RecordingSink sink;
  auto cloud = make_host_cloud(options, sink);
  cloud->reserve(cc::gang(under_test, 1, 1, 2), under_test.user_data);
  CHECK(sink.first<GangGranted>(1)[0].addresses == std::vector<std::string>{"192.168.7.11", "192.168.7.12"});
  const std::string ask = "bash -c \"cat < /dev/tcp/169.254.169.254/80\"";
  CHECK(inside(instance, VmId{1}, ask) == "192.168.7.11");
  CHECK(inside(instance, VmId{2}, ask) == "192.168.7.12");
  CHECK(inside(instance, VmId{1}, "bash -c \"echo > /dev/tcp/node-2/9\"").find("refused") != std::string::npos);
  cc::release_all(*cloud, sink, {1, 2});
  cc::check_nothing_left(under_test);
}

}  // namespace

TEST_CASE("root tier: metadata address") {
  if (enter(Tier::root)) check_metadata(Tier::root);
}

TEST_CASE("user tier: metadata address") {
  if (enter(Tier::user)) check_metadata(Tier::user);
}

}  // namespace virga::host_test

// A metadata service for tests: answers as it is told to, and notes what it was asked.
//
//   FakeMetadata service;
//   service.set_events("nd_1", R"({"DocumentIncarnation":1,"Events":[…]})");
//   setenv("VIRGA_IMDS", service.url("nd_1").c_str(), 1);
//   service.break_next(3, "HTTP/1.1 502 Bad Gateway\r\n\r\n<html>");    // raw; "" closes, "hang" never answers
#pragma once

#include <arpa/inet.h>
#include <doctest/doctest.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <atomic>
#include <map>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

namespace virga::test {

class FakeMetadata {
 public:
  FakeMetadata() {
    listener_ = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    socklen_t size = sizeof(address);
    REQUIRE(bind(listener_, reinterpret_cast<sockaddr*>(&address), size) == 0);
    REQUIRE(listen(listener_, 64) == 0);
    REQUIRE(getsockname(listener_, reinterpret_cast<sockaddr*>(&address), &size) == 0);
    port_ = ntohs(address.sin_port);
    thread_ = std::thread([this] { serve(); });
  }
  ~FakeMetadata() {
    stop_ = true;
    thread_.join();
    for (int fd : hanging_) close(fd);
    close(listener_);
  }
  FakeMetadata(const FakeMetadata&) = delete;
  FakeMetadata& operator=(const FakeMetadata&) = delete;

  /// Of the instance with this name.
  std::string url(const std::string& vm) const { return "http://127.0.0.1:" + std::to_string(port_) + "/vm/" + vm; }
  void set_events(const std::string& vm, const std::string& document) {
    std::lock_guard lock(mutex_);
    events_[vm] = document;
  }
  void break_next(int count, const std::string& answer) {
    std::lock_guard lock(mutex_);
    broken_ = count;
    broken_answer_ = answer;
  }
  int broken_left() {
    std::lock_guard lock(mutex_);
    return broken_;
  }
  /// Questions for the document of events so far, broken ones included.
  int questions(const std::string& vm) {
    std::lock_guard lock(mutex_);
    return questions_[vm];
  }
  /// Bodies of the approvals.
  std::vector<std::string> approvals(const std::string& vm) {
    std::lock_guard lock(mutex_);
    return approvals_[vm];
  }
  /// Requests without the header `Metadata: true`, or of another shape than the service takes.
  int wrong() {
    std::lock_guard lock(mutex_);
    return wrong_;
  }

 private:
  void serve() {
    while (!stop_) {
      pollfd waiting{listener_, POLLIN, 0};
      if (poll(&waiting, 1, 5) <= 0) continue;
      int fd = accept4(listener_, nullptr, nullptr, SOCK_CLOEXEC);
      if (fd < 0) continue;
      const std::string reply = answer(read_request(fd));
      if (reply == "hang") {
        hanging_.push_back(fd);
        continue;
      }
      (void)!send(fd, reply.data(), reply.size(), MSG_NOSIGNAL);
      close(fd);
    }
  }

  static std::string read_request(int fd) {
    std::string text;
    for (;;) {
      const std::size_t head = text.find("\r\n\r\n");
      if (head != std::string::npos) {
        const std::size_t at = text.find("Content-Length: ");
        const std::size_t body = at == std::string::npos ? 0 : std::stoul(text.substr(at + 16));
        if (text.size() >= head + 4 + body) return text;
      }
      char bytes[4096];
      ssize_t n = recv(fd, bytes, sizeof(bytes), 0);
      if (n <= 0) return text;
      text.append(bytes, static_cast<std::size_t>(n));
    }
  }

  std::string answer(const std::string& request) {
    std::lock_guard lock(mutex_);
    const std::size_t start = request.find("/vm/");
    const std::size_t end = request.find("/metadata/");
    if (start == std::string::npos || end == std::string::npos || request.find("\r\nMetadata: true\r\n") == end) {
      ++wrong_;
      return "HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n\r\n";
    }
    const std::string vm = request.substr(start + 4, end - start - 4);
    const bool is_events = request.find("/metadata/scheduledevents?api-version=2020-07-01 HTTP") == end;
    if (is_events) ++questions_[vm];
    if (broken_ > 0) {
      --broken_;
      return broken_answer_;
    }
    if (is_events && request.starts_with("POST ")) {
      approvals_[vm].push_back(request.substr(request.find("\r\n\r\n") + 4));
      return with_body("");
    }
    if (is_events) return with_body(events_.contains(vm) ? events_[vm] : R"({"DocumentIncarnation":0,"Events":[]})");
    if (request.find("/metadata/instance/compute/name?api-version=2021-02-01&format=text HTTP") == end) {
      return with_body(vm);
    }
    ++wrong_;
    return "HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n";
  }
  static std::string with_body(const std::string& body) {
    return "HTTP/1.1 200 OK\r\nContent-Length: " + std::to_string(body.size()) + "\r\n\r\n" + body;
  }

  int listener_ = -1;
  int port_ = 0;
  std::atomic<bool> stop_{false};
  std::thread thread_;
  std::vector<int> hanging_;
  std::mutex mutex_;
  std::map<std::string, std::string> events_;
  std::map<std::string, int> questions_;
  std::map<std::string, std::vector<std::string>> approvals_;
  int broken_ = 0;
  std::string broken_answer_;
  int wrong_ = 0;
};

}  // namespace virga::test

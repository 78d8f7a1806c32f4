// Submits jobs through the API socket as fast as the controller takes them: N connections, each with a window of
// pipelined requests. Prints one line of JSON: how many were accepted, and how long it took.
//
//   submit_load SOCKET CLIENTS JOBS_PER_CLIENT WINDOW held|run [COMMAND]
//
// Each 201 counts; it comes only after the job's event is on stable storage.
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <atomic>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <string>
#include <thread>
#include <vector>

namespace {

int connect_to(const char* path) {
  int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  std::snprintf(address.sun_path, sizeof address.sun_path, "%s", path);
  if (connect(fd, reinterpret_cast<sockaddr*>(&address), sizeof address) != 0) {
    std::perror(path);
    std::exit(1);
  }
  return fd;
}

std::string request_text(bool held, const std::string& command) {
  std::string body = R"({"spec":{"name":"bench","work_dir":"/tmp","std_out":"/dev/null","nodes":1,"tasks":1,"held":)";
  body += held ? "true" : "false";
  body += R"(},"payload":{"script":"#!/bin/sh\nexec )" + command + R"(\n","environment":["PATH=/usr/bin:/bin"]}})";
  return "POST /v1/jobs HTTP/1.1\r\nHost: virga\r\nContent-Type: application/json\r\nContent-Length: " +
         std::to_string(body.size()) + "\r\n\r\n" + body;
}

/// Counts complete answers in a stream of them. Our server always sends Content-Length.
class Answers {
 public:
  long feed(const char* data, std::size_t n) {
    buffer_.append(data, n);
    long found = 0;
    while (true) {
      std::size_t end = buffer_.find("\r\n\r\n");
      if (end == std::string::npos) return found;
      std::size_t at = buffer_.find("Content-Length: ");
      std::size_t length = at < end ? std::strtoul(buffer_.c_str() + at + 16, nullptr, 10) : 0;
      if (buffer_.size() < end + 4 + length) return found;
      if (buffer_.compare(0, 12, "HTTP/1.1 201") == 0) {
        ++found;
      } else {
        std::fprintf(stderr, "%s\n", buffer_.substr(0, end + 4 + length).c_str());
        std::exit(1);
      }
      buffer_.erase(0, end + 4 + length);
    }
  }

 private:
  std::string buffer_;
};

void client(const char* path, long jobs, long window, const std::string& request, std::atomic<long>& accepted) {
  int fd = connect_to(path);
  Answers answers;
  long sent = 0;
  long got = 0;
  std::vector<char> buffer(1 << 16);
  while (got < jobs) {
    std::string burst;
    while (sent < jobs && sent - got < window) {
      burst += request;
      ++sent;
    }
    for (std::size_t off = 0; off < burst.size();) {
      ssize_t n = write(fd, burst.data() + off, burst.size() - off);
      if (n <= 0) std::exit(1);
      off += static_cast<std::size_t>(n);
    }
    ssize_t n = read(fd, buffer.data(), buffer.size());
    if (n <= 0) std::exit(1);
    got += answers.feed(buffer.data(), static_cast<std::size_t>(n));
  }
  accepted += got;
  close(fd);
}

}  // namespace

int main(int argc, char** argv) {
  if (argc < 6) {
    std::fputs("usage: submit_load SOCKET CLIENTS JOBS_PER_CLIENT WINDOW held|run [COMMAND]\n", stderr);
    return 2;
  }
  const long clients = std::atol(argv[2]);
  const long jobs = std::atol(argv[3]);
  const long window = std::atol(argv[4]);
  const std::string request = request_text(std::strcmp(argv[5], "held") == 0, argc > 6 ? argv[6] : "true");
  std::atomic<long> accepted{0};
  const auto start = std::chrono::steady_clock::now();
  std::vector<std::thread> threads;
  for (long i = 0; i < clients; ++i)
    threads.emplace_back(client, argv[1], jobs, window, std::cref(request), std::ref(accepted));
  for (std::thread& t : threads) t.join();
  const double seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
  std::printf("{\"accepted\":%ld,\"seconds\":%.4f,\"per_second\":%.0f}\n", accepted.load(), seconds,
              static_cast<double>(accepted.load()) / seconds);
}

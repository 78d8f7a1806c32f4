// Which of several controllers a command asks, while the lead goes from one to the next.
#include <doctest/doctest.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <string>
#include <thread>
#include <vector>

#include "cli/client.hpp"
#include "support/temp_dir.hpp"

namespace virga::test {
namespace {

/// Gives one answer after the other on a socket, each on a connection of its own.
class Answers {
 public:
  Answers(const std::string& path, std::vector<std::string> answers) : answers_(std::move(answers)) {
    sockaddr_un name{};
    name.sun_family = AF_UNIX;
    std::strncpy(name.sun_path, path.c_str(), sizeof name.sun_path - 1);
    listener_ = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    REQUIRE(bind(listener_, reinterpret_cast<sockaddr*>(&name), sizeof name) == 0);
    REQUIRE(listen(listener_, 8) == 0);
    thread_ = std::thread([this] { run(); });
  }
  ~Answers() {
    shutdown(listener_, SHUT_RDWR);  // accept() returns
    thread_.join();
    close(listener_);
  }

 private:
  void run() {
    for (const std::string& answer : answers_) {
      const int client = accept(listener_, nullptr, nullptr);
      if (client < 0) return;
      std::string request;
      char bytes[4096];
      while (request.find("\r\n\r\n") == request.npos) {
        const long n = recv(client, bytes, sizeof bytes, 0);
        if (n <= 0) break;
        request.append(bytes, static_cast<std::size_t>(n));
      }
      (void)send(client, answer.data(), answer.size(), MSG_NOSIGNAL);
      close(client);
    }
  }

  std::vector<std::string> answers_;
  int listener_ = -1;
  std::thread thread_;
};

std::string answer(const std::string& status, const std::string& body) {
  return "HTTP/1.1 " + status +
         "\r\nContent-Type: application/json\r\nConnection: close\r\nContent-Length: " + std::to_string(body.size()) +
         "\r\n\r\n" + body;
}

}  // namespace

TEST_CASE("find leader: a follower that still names a leader who is gone is waited for") {
  TempDir home;
  const std::string run = home / "run";
  std::filesystem::create_directory(run);
  const std::string follows =
      answer("421 Misdirected Request",
             R"({"type":"about:blank","title":"follows","status":421,"code":"unavailable","detail":"it follows",)"
             R"("retryable":true,"leader":{"name":"main","host":"h","pid":1,"socket":")" +
                 run + R"(/api.sock","url":""}})");
  Answers follower(run + "/virgad-b.sock", {follows, follows, follows, follows, answer("200 OK", R"({"leads":true})")});
  setenv("VIRGA_HOME", home.path().c_str(), 1);
  unsetenv("VIRGA_API");
  Result<Client> client = Client::from_environment();
  REQUIRE(client);
  const Result<std::string> got = client->get("/v1/status");
  unsetenv("VIRGA_HOME");
  REQUIRE_MESSAGE(got, got.error().message);
  CHECK(*got == R"({"leads":true})");
}

}  // namespace virga::test

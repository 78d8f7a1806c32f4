// The stand-in on the network: its end, its addresses, its certificate, and clients that talk no HTTP.
#include "arm/server.hpp"

#include <sys/stat.h>

#include <boost/asio/connect.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/read.hpp>
#include <boost/asio/write.hpp>
#include <charconv>
#include <csignal>
#include <filesystem>
#include <fstream>
#include <sstream>
#include <thread>

#include "unit/arm/client.hpp"

namespace virga::arm::test {
namespace {

namespace asio = boost::asio;

struct Folder {
  Folder() {
    std::string name = (std::filesystem::temp_directory_path() / "virga-arm-test.XXXXXX").string();
    REQUIRE(::mkdtemp(name.data()) != nullptr);
    path = name;
  }
  ~Folder() {
    std::error_code ignored;  // what is left is in the folder for temporary files
    std::filesystem::remove_all(path, ignored);
  }
  std::string path;
};

std::string text_of(const std::string& path) {
  std::ifstream file(path);
  std::stringstream text;
  text << file.rdbuf();
  return text.str();
}

CertificateFiles files_in(const Folder& folder, const std::vector<std::string>& addresses = {}) {
  const Result<CertificateFiles> files = make_certificate(folder.path, addresses);
  REQUIRE_MESSAGE(files, files.error().message);
  return *files;
}

struct Served {
  explicit Served(const std::string& listen, bool anyone = false)
      : server(ArmServer::open({listen, "127.0.0.1:0", anyone, files_in(folder)}, client.azure, ArmClock(k_start, 1))) {
  }
  Folder folder;
  Client client;
  Result<std::unique_ptr<ArmServer>> server;
};

/// What the metadata service says to these bytes, until it closes.
std::string said_to(ArmServer& server, const std::string& bytes) {
  asio::io_context context;
  asio::ip::tcp::socket socket(context);
  const std::string url = server.imds_url();
  std::uint16_t port = 0;
  std::from_chars(url.data() + url.rfind(':') + 1, url.data() + url.size(), port);
  socket.connect({asio::ip::make_address("127.0.0.1"), port});
  asio::write(socket, asio::buffer(bytes));
  boost::system::error_code error;
  std::string answer;
  asio::read(socket, asio::dynamic_buffer(answer), error);
  CHECK(error == asio::error::eof);
  return answer;
}

}  // namespace

TEST_CASE("a signal that comes before run() ends it in order") {
  Served served("127.0.0.1:0");
  REQUIRE(served.server);
  std::raise(SIGTERM);
  (*served.server)->run();
}

TEST_CASE("an address that is not of the loopback must be meant") {
  Served refused("0.0.0.0:0");
  REQUIRE_FALSE(refused.server);
  CHECK(refused.server.error().code == Code::invalid);
  CHECK(refused.server.error().message.find("--anyone") != std::string::npos);
  CHECK(Served("0.0.0.0:0", true).server);
  CHECK(*host_of("[::1]:80") == "::1");
  CHECK_FALSE(host_of("localhost:80"));
}

TEST_CASE("what is no request, or too long, is told so") {
  Served served("127.0.0.1:0");
  REQUIRE(served.server);
  ArmServer& server = **served.server;
  std::thread thread([&server] { server.run(); });
  CHECK(said_to(server, "GARBAGE\r\n\r\n").starts_with("HTTP/1.1 400"));
  CHECK(said_to(server, "GET / HTTP/1.1\r\nX: " + std::string(70'000, 'x') + "\r\n\r\n").starts_with("HTTP/1.1 431"));
  const std::string long_body = std::string(9'000'000, 'x');
  CHECK(said_to(server, "POST / HTTP/1.1\r\nContent-Length: 9000000\r\n\r\n" + long_body).starts_with("HTTP/1.1 413"));
  CHECK(said_to(server, "POST / HTTP/1.1\r\nExpect: 100-continue\r\nConnection: close\r\nContent-Length: 2\r\n\r\n{}")
            .starts_with("HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 404"));
  server.stop();
  thread.join();
}

TEST_CASE("the certificate's files are kept while they are good, and made again when they are not") {
  const Folder folder;
  std::ofstream(folder.path + "/key.pem") << "old";
  ::chmod((folder.path + "/key.pem").c_str(), 0644);
  const CertificateFiles files = files_in(folder);
  struct stat status = {};
  REQUIRE(::stat(files.key.c_str(), &status) == 0);
  CHECK((status.st_mode & 0777) == 0600);
  const std::string key = text_of(files.key);
  files_in(folder);
  CHECK(text_of(files.key) == key);
  files_in(folder, {"10.1.2.3"});
  CHECK(text_of(files.key) != key);
  const std::string with_address = text_of(files.certificate);
  files_in(folder, {"10.1.2.3"});
  CHECK(text_of(files.certificate) == with_address);
  for (const std::string& path : {files.ca, files.certificate, files.key}) {
    INFO(path);
    std::ofstream(path) << "broken\n";
    files_in(folder);
    CHECK(text_of(path).find("-----BEGIN") == 0);
    CHECK_FALSE(std::filesystem::exists(path + ".new"));
  }
}

TEST_CASE("the clock stops at its end instead of running over") {
  ArmClock clock(k_start, 100'000);
  clock.change(100'000, k_end_of_time - k_start);
  CHECK(clock.now() == k_end_of_time);
  clock.change(100'000, Duration::minutes(60));
  CHECK(clock.now() == k_end_of_time);
}

}  // namespace virga::arm::test

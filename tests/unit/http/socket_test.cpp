// Sockets and bytes: who may listen, who may ask, pipelining, limits, half-closed connections, curl.
#include <doctest/doctest.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>

#include <array>
#include <cstdio>
#include <cstring>
#include <fstream>

#include "http/auth.hpp"
#include "http/exchange.hpp"
#include "unit/http/world.hpp"

namespace virga::test {

namespace {

std::string get(const std::string& target, const std::string& headers = "") {
  return "GET " + target + " HTTP/1.1\r\nHost: x\r\n" + headers + "\r\n";
}
std::string post(const std::string& target, const std::string& body) {
  return "POST " + target + " HTTP/1.1\r\nHost: x\r\nContent-Length: " + std::to_string(body.size()) + "\r\n\r\n" +
         body;
}
std::size_t count(const std::string& text, const std::string& part) {
  std::size_t n = 0;
  for (std::size_t at = text.find(part); at != text.npos; at = text.find(part, at + 1)) ++n;
  return n;
}

Result<std::unique_ptr<HttpServer>> start_second(World& world, const Home& home) {
  HttpOptions options;
  options.home = home;
  options.daemon_uid = ::geteuid();
  return HttpServer::start(options, world.controller);
}

void write_tokens(const std::string& path, const std::string& text, mode_t mode) {
  std::ofstream(path) << text;
  ::chmod(path.c_str(), mode);
}

}  // namespace

TEST_CASE("pipelined requests are answered in their order") {
  World world;
  RawSocket socket(world.temp.home.api_socket());
  std::string all;
  for (int i = 0; i < 300; ++i) all += post("/v1/jobs", to_json_text(world.small_job()));
  all += get("/v1/nothing") + get("/v1/ping", "Connection: close\r\n");
  std::thread writer([&] { socket.send(all); });
  std::string answer = socket.read_all();
  writer.join();
  CHECK(count(answer, "HTTP/1.1 201 Created") == 300);
  std::size_t at = 0;
  for (int id = 1; id <= 300; ++id) {
    at = answer.find("{\"job_id\":" + std::to_string(id) + ",", at);
    REQUIRE(at != answer.npos);
  }
  CHECK(answer.find("404 Not Found", at) < answer.find("\"cluster\"", at));
  CHECK(answer.find("Connection: close") != answer.npos);
}

TEST_CASE("a request in single bytes, and one that ends early") {
  World world;
  RawSocket socket(world.temp.home.api_socket());
  for (char c : post("/v1/jobs?dry_run=true", to_json_text(world.small_job()))) socket.send(std::string(1, c));
  CHECK(socket.read_until("{\"job_id\":0,\"warnings\":[]}").find("200 OK") != std::string::npos);
  socket.send("POST /v1/jobs HTTP/1.1\r\nContent-Length: 100\r\n\r\n{");
  socket.end_input();
  CHECK(socket.read_all() == "");
  RawSocket half(world.temp.home.api_socket());
  half.send(get("/v1/ping"));
  half.end_input();  // as `nc -N` does
  CHECK(half.read_all().find("200 OK") != std::string::npos);
}

TEST_CASE("what is no HTTP, or too much of it, is refused") {
  World world;
  auto ask = [&](const std::string& bytes) {
    RawSocket socket(world.temp.home.api_socket());
    socket.send(bytes);
    return socket.read_all();
  };
  CHECK(ask("hello\r\n\r\n").starts_with("HTTP/1.1 400 "));
  CHECK(ask(get("/", "X: " + std::string(100'000, 'x') + "\r\n")).starts_with("HTTP/1.1 431 "));
  std::string large = "POST /v1/jobs HTTP/1.1\r\nContent-Length: 70000000\r\n\r\n" + std::string(1 << 20, ' ');
  CHECK(ask(large).starts_with("HTTP/1.1 413 "));
  CHECK(ask("DELETE /v1/jobs HTTP/1.1\r\nConnection: close\r\n\r\n").find("Allow: GET, POST\r\n") != std::string::npos);
  std::string head = ask("HEAD /v1/ping HTTP/1.1\r\nConnection: close\r\n\r\n");
  CHECK(head.starts_with("HTTP/1.1 405 "));
  CHECK(head.ends_with("\r\n\r\n"));
  CHECK(ask("GET /v1/ping HTTP/1.0\r\n\r\n").find("Connection: close") != std::string::npos);
  std::string chunked =
      "POST /v1/jobs/7/cancel HTTP/1.1\r\nTransfer-Encoding: chunked\r\nConnection: close\r\n\r\n2\r\n{}\r\n0\r\n\r\n";
  CHECK(ask(chunked).find("Invalid job id specified: 7") != std::string::npos);
  CHECK(world.client().get("/v1/ping"));
}

TEST_CASE("the socket: its mode, a second daemon, one left behind, a path that is taken") {
  World world;
  struct stat info {};
  REQUIRE(::stat(world.temp.home.api_socket().c_str(), &info) == 0);
  CHECK((info.st_mode & 0777) == (::geteuid() == 0 ? 0666 : 0600));
  auto second = start_second(world, world.temp.home);
  REQUIRE_FALSE(second);
  CHECK(second.error().code == Code::conflict);
  CHECK(second.error().message.find("process " + std::to_string(::getpid())) != std::string::npos);
  CHECK(world.client().get("/v1/ping"));

  TempHome other;
  std::filesystem::create_directories(other.home.run());
  std::ofstream(other.home.api_socket()) << "mine";
  auto taken = start_second(world, other.home);
  REQUIRE_FALSE(taken);
  CHECK(taken.error().message.find("is taken by something that is no socket") != std::string::npos);
  std::filesystem::remove(other.home.api_socket());

  // A dead process leaves a socket that nobody listens on.
  int fd = ::socket(AF_UNIX, SOCK_STREAM, 0);
  sockaddr_un name{};
  name.sun_family = AF_UNIX;
  std::strcpy(name.sun_path, other.home.api_socket().c_str());
  REQUIRE(::bind(fd, reinterpret_cast<const sockaddr*>(&name), sizeof name) == 0);
  ::close(fd);
  auto replaced = start_second(world, other.home);
  REQUIRE(replaced);
  CHECK(Client::on_socket(other.home.api_socket()).get("/v1/ping"));
  (*replaced)->stop();
  CHECK_FALSE(std::filesystem::exists(other.home.api_socket()));
}

TEST_CASE("TCP needs a token, and the token names the user") {
  TempHome files;
  std::string tokens = files.home.path + "/tokens";
  write_tokens(tokens, "# tokens\n\n0123456789abcdef root\nfedcba9876543210 no-such-user-here\n", 0600);
  World world([&](HttpOptions& options, Config&) {
    options.listen = "127.0.0.1:0";
    options.token_file = tokens;
  });
  std::uint16_t port = world.server->tcp_port();
  REQUIRE(port != 0);
  std::string text = std::to_string(port);
  auto denied = Client::on_tcp("127.0.0.1", text, "").get("/v1/ping");
  REQUIRE_FALSE(denied);
  CHECK(denied.error().code == Code::denied);
  CHECK_FALSE(Client::on_tcp("127.0.0.1", text, "0123456789abcdeg").get("/v1/ping"));
  CHECK_FALSE(Client::on_tcp("127.0.0.1", text, "0123456789abcde").get("/v1/ping"));
  CHECK_FALSE(Client::on_tcp("127.0.0.1", text, "fedcba9876543210").get("/v1/ping"));
  Client client = Client::on_tcp("127.0.0.1", text, "0123456789abcdef");
  JobId id = world.submit(client, world.small_job());
  auto job = client.get_as<JobBody>("/v1/jobs/" + std::to_string(id.value));
  REQUIRE(job);
  CHECK(job->job.owner.uid == 0);
  CHECK(job->job.owner.user == "root");
  RawSocket raw(port);
  raw.send(get("/v1/ping", "Connection: close\r\n"));
  std::string answer = raw.read_all();
  CHECK(answer.starts_with("HTTP/1.1 401 "));
  CHECK(answer.find("WWW-Authenticate: Bearer\r\n") != answer.npos);
}

TEST_CASE("token files that must not be used") {
  TempHome files;
  std::string path = files.home.path + "/tokens";
  auto load = [&](const std::string& text, mode_t mode) {
    write_tokens(path, text, mode);
    auto table = TokenTable::load(path);
    return table ? std::string("good") : table.error().message;
  };
  CHECK(load("0123456789abcdef ann\n", 0600) == "good");
  CHECK(load("0123456789abcdef ann\n", 0640).find("chmod 600") != std::string::npos);
  CHECK(load("0123456789abcdef ann\n", 0604).find("chmod 600") != std::string::npos);
  CHECK(load("0123456789abcdef\n", 0600).find(":1: must be `token user`") != std::string::npos);
  CHECK(load("\nshort ann\n", 0600).find(":2: the token is shorter") != std::string::npos);
  CHECK(load("# nothing\n", 0600).find("no token in it") != std::string::npos);
  CHECK_FALSE(TokenTable::load(files.home.path + "/missing"));
  CHECK_FALSE(TokenTable::load(files.home.path));
  write_tokens(path, "0123456789abcdef ann\n0123456789abcdeg bob\n", 0600);
  TokenTable table = TokenTable::load(path).value();
  CHECK(table.user_of("Bearer 0123456789abcdeg").value() == "bob");
  CHECK_FALSE(table.user_of("0123456789abcdeg"));
  CHECK_FALSE(table.user_of("Bearer "));
  CHECK_FALSE(table.user_of("Bearer 0123456789abcdefx"));
}

TEST_CASE("listen without tokens, or at no address, is refused") {
  World world;
  TempHome other;
  auto start = [&](const std::string& listen, const std::string& tokens) {
    HttpOptions options;
    options.home = other.home;
    options.listen = listen;
    options.token_file = tokens;
    auto server = HttpServer::start(options, world.controller);
    return server ? std::string("started") : server.error().message;
  };
  CHECK(start("127.0.0.1:0", "").find("TCP needs tokens") != std::string::npos);
  std::string path = other.home.path + "/tokens";
  write_tokens(path, "0123456789abcdef root\n", 0600);
  CHECK(start("6820", path).find("must be host:port") != std::string::npos);
  CHECK(start("127.0.0.1:http", path).find("must be host:port") != std::string::npos);
  CHECK_FALSE(std::filesystem::exists(other.home.api_socket()));
}

TEST_CASE("queries") {
  auto query = parse_query("a=1&b=x%3Dy&&c");
  REQUIRE(query);
  CHECK(query->at("a") == "1");
  CHECK(query->at("b") == "x=y");
  CHECK(query->at("c") == "");
  CHECK_FALSE(parse_query("a=1&a=2"));
  CHECK_FALSE(parse_query("a=%zz"));
}

TEST_CASE("curl can do what the commands can") {
  if (std::system("command -v curl >/dev/null") != 0) return;
  World world;
  auto curl = [&](const std::string& rest) {
    std::string command = "curl -sS --max-time 30 --unix-socket " + world.temp.home.api_socket() + " " + rest + " 2>&1";
    FILE* pipe = ::popen(command.c_str(), "r");
    std::string out;
    std::array<char, 4096> bytes{};
    while (std::size_t n = std::fread(bytes.data(), 1, bytes.size(), pipe)) out.append(bytes.data(), n);
    ::pclose(pipe);
    return out;
  };
  CHECK(curl("http://virga/v1/ping").find("\"state\":\"up\"") != std::string::npos);
  std::string file = world.temp.home.path + "/job.json";
  SubmitBody body = world.small_job();
  body.payload.script += std::string(3'000'000, '#');  // so large that curl asks before it sends
  std::ofstream(file) << to_json_text(body);
  CHECK(curl("http://virga/v1/jobs --data-binary @" + file) == "{\"job_id\":1,\"warnings\":[],\"dry_run\":null}");
  CHECK(curl("-X POST http://virga/v1/jobs/1/cancel") == "{}");
  CHECK(curl("http://virga/v1/jobs/1/wait").find("\"state\":\"CANCELLED\"") != std::string::npos);
  CHECK(curl("-w '%{http_code} %{content_type}' http://virga/v1/jobs/9").ends_with("404 application/problem+json"));
}

}  // namespace virga::test

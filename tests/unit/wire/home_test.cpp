// Which folder an instance lives in, and which names are refused.
#include "wire/home.hpp"

#include <doctest/doctest.h>

#include <cstdlib>
#include <optional>
#include <string>

namespace {

/// Sets or removes a variable for one test.
class Variable {
 public:
  Variable(const char* name, std::optional<std::string> value) : name_(name) {
    if (const char* old = std::getenv(name)) old_ = old;
    set(value);
  }
  ~Variable() { set(old_); }
  Variable(const Variable&) = delete;
  Variable& operator=(const Variable&) = delete;

 private:
  void set(const std::optional<std::string>& value) const {
    if (value) {
      setenv(name_, value->c_str(), 1);
    } else {
      unsetenv(name_);
    }
  }
  const char* name_;
  std::optional<std::string> old_;
};

std::string message(const std::string& virga_home) {
  const Variable home("VIRGA_HOME", virga_home);
  const auto result = virga::home_from_environment();
  REQUIRE_FALSE(result.has_value());
  CHECK(result.error().code == virga::Code::invalid);
  return result.error().message;
}

}  // namespace

TEST_CASE("VIRGA_HOME names the folder, tidied") {
  const Variable home("VIRGA_HOME", "/srv//virga/./a/../b/");
  const auto result = virga::home_from_environment();
  REQUIRE(result.has_value());
  CHECK(result->path == "/srv/virga/b");
  CHECK(result->api_socket() == "/srv/virga/b/run/api.sock");
  CHECK(result->agent_socket(virga::VmId{7}) == "/srv/virga/b/run/agents/7.sock");
}

TEST_CASE("without it the state folder of the user counts") {
  const Variable home("VIRGA_HOME", std::nullopt);
  const Variable user_home("HOME", "/people/ada");
  {
    const Variable state("XDG_STATE_HOME", "/data/state");
    CHECK(virga::home_from_environment()->path == "/data/state/virga");
  }
  const Variable state("XDG_STATE_HOME", std::nullopt);
  CHECK(virga::home_from_environment()->path == "/people/ada/.local/state/virga");
  const Variable no_home("HOME", std::nullopt);
  CHECK(virga::home_from_environment()->path.ends_with("/.local/state/virga"));  // from the user database
}

TEST_CASE("relative, endless and senseless homes are refused with a remedy") {
  CHECK(message("virga") == "VIRGA_HOME is the relative path \"virga\"; set it to one that starts with /");
  CHECK(message("/").find("names no folder of its own") != std::string::npos);
  CHECK(message("/a\nb").find("names no folder of its own") != std::string::npos);
  const auto text = message("/" + std::string(100, 'x'));
  CHECK(text.find("of 101 bytes, too long for the sockets below it; set VIRGA_HOME to a path of at most 80 bytes") !=
        std::string::npos);

  const Variable longest("VIRGA_HOME", "/" + std::string(79, 'x'));
  REQUIRE(virga::home_from_environment().has_value());
  CHECK(virga::home_from_environment()->agent_socket(virga::VmId{9'999'999'999}).size() == 107);
}

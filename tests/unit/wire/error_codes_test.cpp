// Every code has its own meaning outside, and errors survive the way through HTTP.
#include "wire/error_codes.hpp"

#include <doctest/doctest.h>

#include <set>

#include "wire/api_bodies.hpp"
#include "wire/json_codec.hpp"

using virga::Code;
using virga::Error;

TEST_CASE("an error survives the way through a problem document") {
  for (std::size_t i = 0; i < std::size(virga::EnumNames<Code>::names); ++i) {
    Error error{static_cast<Code>(i), "what \"is\" wrong\n and where", i % 2 == 0};
    std::string text = virga::problem_text(error);
    auto problem = virga::from_json_text<virga::ProblemBody>(text);
    REQUIRE(problem);
    CHECK(problem->status == static_cast<unsigned>(virga::http_status(error.code)));
    CHECK(virga::http_reason(static_cast<int>(problem->status)) == problem->title);
    CHECK(problem->title != "Unknown");
    Error back = virga::error_from_problem(static_cast<int>(problem->status), text);
    CHECK(back.code == error.code);
    CHECK(back.message == error.message);
    CHECK(back.retryable == error.retryable);
  }
}

TEST_CASE("exit codes differ, and none is 0") {
  std::set<int> seen;
  for (std::size_t i = 0; i < std::size(virga::EnumNames<Code>::names); ++i) {
    int code = virga::exit_code(static_cast<Code>(i));
    CHECK(code > 0);
    CHECK(code < 64);
    CHECK(seen.insert(code).second);
  }
  CHECK(virga::exit_code(Code::invalid) == 2);
}

TEST_CASE("Slurm's numbers") {
  CHECK(virga::slurm_error_number({Code::not_found, "Invalid job id specified: 7"}) == 2017);
  CHECK(virga::slurm_error_number({Code::not_found, "something else"}) == 9003);
  CHECK(virga::slurm_error_number({Code::denied, "Access/permission denied: job 1 belongs to ann"}) == 2002);
  CHECK(virga::slurm_error_number({Code::invalid, "invalid partition specified: x"}) == 2000);
  CHECK(virga::slurm_error_number({Code::internal, "Invalid job id specified: 7"}) == -1);
}

TEST_CASE("a precise status overrides, and foreign answers become errors too") {
  CHECK(virga::problem_text({Code::denied, "no token"}, 401).find("\"status\":401") != std::string::npos);
  Error error = virga::error_from_problem(502, "<html>\nbad gateway");
  CHECK(error.code == Code::unavailable);
  CHECK(error.retryable);
  CHECK(error.message.find("<html>") != std::string::npos);
  CHECK(error.message.find('\n') == std::string::npos);
  CHECK(virga::error_from_problem(404, "").code == Code::not_found);
  CHECK(virga::error_from_problem(418, "").code == Code::invalid);
  CHECK(virga::error_from_problem(500, "").code == Code::internal);
}

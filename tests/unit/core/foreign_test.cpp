// What is told of jobs that came past Virga, as text and back.
#include "core/foreign.hpp"

#include <doctest/doctest.h>

namespace virga {

TEST_CASE("foreign reason: what is written is read") {
  const std::vector<ForeignJob> jobs = {{50000017, "ada"}, {50000021, "bob"}};
  CHECK(foreign_reason(jobs) == "foreign: job 50000017 of ada, job 50000021 of bob");
  CHECK(foreign_jobs_of(foreign_reason(jobs)) == jobs);
  CHECK(foreign_reason(std::vector<ForeignJob>(1000, {1, "ada"})).size() < 1000);
  for (const char* text : {"", "bad fan", "job 7 of ada", "foreign: ", "foreign: job x of ada", "foreign: job 7"}) {
    CAPTURE(text);
    CHECK(foreign_jobs_of(text).empty());
  }
  CHECK(is_engine(engine_actor()));
  CHECK_FALSE(is_engine({0, 0, "root", true}));
}

}  // namespace virga

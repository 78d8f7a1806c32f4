// The term that a home remembers: it only grows, and tells who comes too late.
#include "wire/term_file.hpp"

#include <doctest/doctest.h>

#include "support/temp_dir.hpp"

namespace virga {

TEST_CASE("term file: the highest term counts, and one controller alone has none") {
  test::TempDir dir;
  const Home home{dir.path()};
  CHECK_FALSE(has_later_term(home, 1));
  note_term(home, 3);
  CHECK(has_later_term(home, 2));
  CHECK_FALSE(has_later_term(home, 3));
  CHECK_FALSE(has_later_term(home, 0));
  note_term(home, 2);
  CHECK(has_later_term(home, 2));
  CHECK(check_term(home, 3));
  CHECK(check_term(home, 2).error().message.find(home.path + "/term") != std::string::npos);
  note_term(home, 10);
  CHECK(has_later_term(home, 9));
  forget_terms(home);
  CHECK_FALSE(has_later_term(home, 1));
}

}  // namespace virga

#include "wire/term_file.hpp"

#include <fmt/format.h>
#include <unistd.h>

#include <cstdio>
#include <fstream>
#include <mutex>
#include <string>

#include "wire/replace_file.hpp"

namespace virga {

namespace {

std::string term_path(const Home& home) { return home.path + "/term"; }

}  // namespace

void note_term(const Home& home, std::uint64_t term) {
  static std::mutex one_writer;  // of this process: an engine has a thread for each of its clusters
  const std::lock_guard lock(one_writer);
  if (term == 0 || has_later_term(home, term)) return;
  if (Status noted = replace_file(term_path(home), std::to_string(term), 0600); !noted) {
    fmt::print(stderr, "virgad: {}\n", noted.error().message);
  }
}

bool has_later_term(const Home& home, std::uint64_t term) {
  if (term == 0) return false;
  std::uint64_t highest = 0;
  return std::ifstream(term_path(home)) >> highest && highest > term;
}

Status check_term(const Home& home, std::uint64_t term) {
  if (!has_later_term(home, term)) return {};
  return fail(
      Code::conflict,
      fmt::format("this journal is in term {}, but nodes of {} were led under a later one: it is an older copy, "
                  "or that of another instance; if it is the right one, and no other controller runs, remove {}",
                  term, home.path, term_path(home)));
}

void forget_terms(const Home& home) { unlink(term_path(home).c_str()); }

}  // namespace virga

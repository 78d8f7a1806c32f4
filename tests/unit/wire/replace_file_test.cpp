// Files that are replaced as a whole.
#include "wire/replace_file.hpp"

#include <doctest/doctest.h>
#include <sys/stat.h>

#include <filesystem>
#include <fstream>
#include <iterator>
#include <string>

#include "support/temp_dir.hpp"

namespace virga {
namespace {

std::string text_of(const std::string& path) {
  std::ifstream file(path);
  return {std::istreambuf_iterator<char>(file), {}};
}

}  // namespace

TEST_CASE("replace_file: text and mode are the new ones, and nothing else is left in the folder") {
  const test::TempDir folder;
  const std::string path = folder / "file";
  REQUIRE(replace_file(path, "old and longer", 0600));
  REQUIRE(replace_file(path, "new", 0644, Durable::yes));
  CHECK(text_of(path) == "new");
  struct stat info {};
  REQUIRE(stat(path.c_str(), &info) == 0);
  CHECK((info.st_mode & 0777U) == 0644);
  CHECK(std::distance(std::filesystem::directory_iterator(folder.path()), {}) == 1);
}

TEST_CASE("replace_file: what cannot be written is told with the path, and the old text stays") {
  const test::TempDir folder;
  CHECK(replace_file(folder / "no/file", "x", 0600).error().message.find(folder / "no/file") != std::string::npos);
  REQUIRE(std::filesystem::create_directory(folder / "taken"));
  CHECK_FALSE(replace_file(folder / "taken", "x", 0600));
  CHECK(std::distance(std::filesystem::directory_iterator(folder.path()), {}) == 1);
}

}  // namespace virga

// Node lists, with what `scontrol show hostnames|hostlist` of Slurm 22.05 makes of them.
#include "wire/hostlist.hpp"

#include <doctest/doctest.h>

namespace virga {
namespace {

using Names = std::vector<std::string>;

std::string error_of(std::string_view text, std::size_t names_max = k_hostlist_names_max) {
  auto names = expand_hostlist(text, names_max);
  return names ? "" : names.error().message;
}

}  // namespace

TEST_CASE("hostlist: expanding") {
  CHECK(expand_hostlist("") == Names{});
  CHECK(expand_hostlist("nd-[1-4]") == Names{"nd-1", "nd-2", "nd-3", "nd-4"});
  CHECK(expand_hostlist("127.77.0.[1-2,4]") == Names{"127.77.0.1", "127.77.0.2", "127.77.0.4"});
  CHECK(expand_hostlist("n[001-003,5],a[1-2]b[3-4]") ==
        Names{"n001", "n002", "n003", "n5", "a1b3", "a1b4", "a2b3", "a2b4"});
  CHECK(expand_hostlist("x[1-2]-[1-2]") == Names{"x1-1", "x1-2", "x2-1", "x2-2"});
  CHECK(expand_hostlist("n[08-10]y") == Names{"n08y", "n09y", "n10y"});
  CHECK(expand_hostlist("a, b\tc\n,,d") == Names{"a", "b", "c", "d"});
  CHECK(expand_hostlist("n1,n1") == Names{"n1", "n1"});
}

TEST_CASE("hostlist: bad lists are refused with the reason") {
  CHECK(error_of("n[1-").find("'[' without ']'") != std::string::npos);
  CHECK(error_of("n1]").find("']' without '['") != std::string::npos);
  CHECK(error_of("n[[1]]").find("'[' inside '['") != std::string::npos);
  CHECK(error_of("n[]").find("neither a number nor a range") != std::string::npos);
  CHECK(error_of("n[1,]").find("neither a number nor a range") != std::string::npos);
  CHECK(error_of("n[a-b]").find("'a-b'") != std::string::npos);
  CHECK(error_of("n[3-1]").find("runs backwards") != std::string::npos);
}

TEST_CASE("hostlist: never more names than allowed") {
  CHECK(expand_hostlist("n[1-10]", 10)->size() == 10);
  for (const char* text : {"n[1-11]", "n[1-5],n[1-6]", "a[1-4]b[1-4]", "n[1-5,1-6]", "n[0-999999999999999999]"}) {
    CHECK_MESSAGE(error_of(text, 10).find("more than 10 names") != std::string::npos, text);
  }
  CHECK_FALSE(expand_hostlist("n[1-999999999999999999],m[1-9]"));
  CHECK_FALSE(expand_hostlist("n[1-65536]x[1-65536]x[1-65536]"));
}

TEST_CASE("hostlist: folding") {
  CHECK(compress_hostlist({}) == "");
  CHECK(compress_hostlist({"nd-1"}) == "nd-1");
  CHECK(compress_hostlist({"nd-1", "nd-2", "nd-3"}) == "nd-[1-3]");
  CHECK(compress_hostlist({"127.77.0.1", "127.77.0.2", "127.77.0.4"}) == "127.77.0.[1-2,4]");
  CHECK(compress_hostlist({"n001", "n002", "n3", "a"}) == "n[001-002,3],a");
  CHECK(compress_hostlist({"a1b1", "a1b2", "a2b1"}) == "a1b[1-2],a2b1");
  CHECK(compress_hostlist({"n9", "n10", "n11"}) == "n[9-11]");
  CHECK(compress_hostlist({"n09", "n10"}) == "n[09-10]");
  CHECK(compress_hostlist({"n099", "n100"}) == "n[099-100]");
  CHECK(compress_hostlist({"n1", "n2", "n2", "n4"}) == "n[1-2,2,4]");
  CHECK(compress_hostlist({"b2", "a1", "b1", "a2"}) == "b2,a1,b1,a2");
  CHECK(compress_hostlist({"n", "n1", "n2"}) == "n,n[1-2]");
  CHECK(compress_hostlist({"n1", "n01"}) == "n[1,01]");
  CHECK(compress_hostlist({"12", "13"}) == "[12-13]");
  CHECK(compress_hostlist({"n2", "n1", "n5", "n3"}) == "n[2,1,5,3]");
}

TEST_CASE("hostlist: what is folded unfolds to the same") {
  Names names;
  for (std::uint32_t i = 0; i < 3000; ++i) {
    std::uint32_t x = i * 2654435761U;
    std::string number = std::to_string(x % 40);
    names.push_back(std::string(1, static_cast<char>('a' + x % 3)) + (x % 7 == 0 ? "0" + number : number) +
                    (x % 11 == 0 ? "x" : ""));
  }
  CHECK(expand_hostlist(compress_hostlist(names)) == names);
}

}  // namespace virga

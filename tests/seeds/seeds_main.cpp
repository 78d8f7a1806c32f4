// virga_seeds FIRST COUNT [--verbose]: runs that many seeds; exit code 1 if one is red. See sim/world/seed_run.hpp.
#include <charconv>
#include <cstdio>
#include <string_view>

#include "sim/world/simulate_seeds.hpp"

namespace {

bool parse(std::string_view text, std::uint64_t& number) {
  auto [rest, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  return error == std::errc{} && rest == text.data() + text.size();
}

}  // namespace

int main(int argc, char** argv) {
  virga::SimulateOptions options;
  const bool extra_is_wrong = argc > 4 || (argc == 4 && std::string_view(argv[3]) != "--verbose");
  if (argc < 3 || extra_is_wrong || !parse(argv[1], options.first) || !parse(argv[2], options.count)) {
    std::fprintf(stderr, "usage: virga_seeds FIRST COUNT [--verbose]\n");
    return 2;
  }
  options.verbose = argc == 4;
  return virga::simulate_seeds(options, [](const std::string& line) { std::printf("%s\n", line.c_str()); });
}

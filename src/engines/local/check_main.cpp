#include "engines/local/check_main.hpp"

#include <fmt/format.h>
#include <getopt.h>

#include <algorithm>
#include <cstdio>
#include <string>

#include "engines/local/health_check.hpp"
#include "wire/json_codec.hpp"

namespace virga {
namespace {

struct CheckBody {
  std::string size;
  bool full = false;
  bool healthy = false;
  std::vector<HealthFinding> checks;

  template <class Self, class V>
  static void visit(Self& s, V&& v) {
    v("size", s.size);
    v("full", s.full);
    v("healthy", s.healthy);
    v("checks", s.checks);
  }
};

int usage_error(const std::string& what) {
  std::fprintf(stderr, "virga-node check: %s\nusage: virga-node check --size SKU [--full] [--json] [--tools DIR]\n",
               what.c_str());
  return 2;
}

std::string sizes_text() {
  std::string text;
  for (const HealthLimits& limits : known_health_limits()) text += (text.empty() ? "" : ", ") + limits.size;
  return text;
}

void print_table(const CheckBody& body) {
  std::size_t measured = 8;
  for (const HealthFinding& finding : body.checks) measured = std::max(measured, finding.measured.size());
  fmt::print("{:<12}  {:<12}  {:<{}}  {}\n", "CHECK", "STATE", "MEASURED", measured, "EXPECTED");
  for (const HealthFinding& finding : body.checks) {
    fmt::print("{:<12}  {:<12}  {:<{}}  {}\n", finding.check, name_of(finding.state), finding.measured, measured,
               finding.expected);
  }
  fmt::print("{}\n", body.healthy ? "healthy" : "sick");
}

}  // namespace

int virga_node_check_main(int argc, char** argv) {
  static const option k_options[] = {{"size", required_argument, nullptr, 's'},
                                     {"full", no_argument, nullptr, 'f'},
                                     {"json", no_argument, nullptr, 'j'},
                                     {"tools", required_argument, nullptr, 't'},
                                     {nullptr, 0, nullptr, 0}};
  CheckBody body;
  bool json = false;
  std::string tools;
  optind = 1;
  opterr = 0;
  for (int option; (option = getopt_long(argc, argv, "", k_options, nullptr)) != -1;) {
    if (option == 's') {
      body.size = optarg;
    } else if (option == 'f') {
      body.full = true;
    } else if (option == 'j') {
      json = true;
    } else if (option == 't') {
      tools = optarg;
    } else {
      return usage_error(fmt::format("unknown or incomplete option \"{}\"", argv[optind - 1]));
    }
  }
  if (optind < argc) return usage_error(fmt::format("\"{}\" is one word too many", argv[optind]));
  if (body.size.empty()) return usage_error("--size is missing; write the SKU that this node is");
  const HealthLimits* limits = find_health_limits(body.size);
  if (limits == nullptr) {
    return usage_error(
        fmt::format("--size: nothing is known of a healthy \"{}\"; write one of {}", body.size, sizes_text()));
  }
  HealthReport report = check_health({*limits, body.full}, real_tools(tools), {});
  body.healthy = report.first_failure() == nullptr;
  body.checks = std::move(report.findings);
  if (json) {
    fmt::print("{}\n", to_json_text(body));
  } else {
    print_table(body);
  }
  return body.healthy ? 0 : 1;
}

}  // namespace virga

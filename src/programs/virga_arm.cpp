// virga-arm: a stand-in for the Azure Resource Manager on this machine, for trying and testing tools of Azure without
// an account. docs/virga-arm.md tells what it serves.
//
//   virga-arm [--scenario FILE] [--listen 127.0.0.1:0] [--imds 127.0.0.1:0] [--dir DIR] [--speed N]
//             [--nodes DIR [--private-files] [--machine-address ADDRESS]] [--anyone]
//
// Prints one line once it takes connections: where it listens, and the certificate authority to trust. SIGTERM and
// SIGINT end it. Exit code: 0 after that, 2 for bad arguments, a bad scenario or a folder that cannot be used, 5 if it
// cannot listen, 1 for all else.
#include <arpa/inet.h>

#include <cerrno>
#include <chrono>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <exception>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <string>
#include <vector>

#include "arm/node_vms.hpp"
#include "arm/server.hpp"
#include "wire/error_codes.hpp"

namespace {

using virga::Code;
using virga::Result;
using virga::Status;
using virga::arm::Scenario;

constexpr const char* k_usage =
    "usage: virga-arm [--scenario FILE] [--listen ADDRESS:PORT] [--imds ADDRESS:PORT] [--dir DIR] [--speed N] "
    "[--nodes DIR [--private-files] [--machine-address ADDRESS]] [--anyone]\n";

struct Arguments {
  std::string scenario;
  std::string listen = "127.0.0.1:0";
  std::string imds = "127.0.0.1:0";
  std::string folder;
  std::string nodes;            ///< where virtual nodes live that are the VMs; "": the VMs are simulated
  bool private_files = false;   ///< these see nothing of this machine's files
  std::string machine_address;  ///< this machine's, among them
  std::uint32_t speed = 0;      ///< 0: as the scenario says
  bool anyone = false;          ///< others than this machine may connect
};

Result<Arguments> parse_arguments(int argc, char** argv) {
  Arguments arguments;
  for (int i = 1; i < argc; ++i) {
    const std::string option = argv[i];
    if (option == "--anyone") {
      arguments.anyone = true;
      continue;
    }
    if (option == "--private-files") {
      arguments.private_files = true;
      continue;
    }
    if (i + 1 >= argc) return virga::fail(Code::invalid, "unknown or incomplete option '" + option + "'; " + k_usage);
    const std::string value = argv[++i];
    if (option == "--scenario") {
      arguments.scenario = value;
    } else if (option == "--listen") {
      arguments.listen = value;
    } else if (option == "--imds") {
      arguments.imds = value;
    } else if (option == "--dir") {
      arguments.folder = value;
    } else if (option == "--nodes") {
      arguments.nodes = value;
    } else if (option == "--machine-address") {
      in_addr address{};
      if (inet_pton(AF_INET, value.c_str(), &address) != 1) {
        return virga::fail(Code::invalid, "--machine-address is '" + value + "'; write one like 10.64.255.254");
      }
      arguments.machine_address = value;
    } else if (option == "--speed") {
      char* end = nullptr;
      const long speed = std::strtol(value.c_str(), &end, 10);
      if (*end != '\0' || speed < 1 || speed > 100'000) {
        return virga::fail(Code::invalid, "--speed is '" + value + "'; write a whole number from 1 to 100000");
      }
      arguments.speed = static_cast<std::uint32_t>(speed);
    } else {
      return virga::fail(Code::invalid, "unknown option '" + option + "'; " + k_usage);
    }
  }
  if (arguments.private_files && arguments.nodes.empty()) {
    return virga::fail(Code::invalid, "--private-files is for virtual nodes; give their folder with --nodes, too");
  }
  if (!arguments.machine_address.empty() && arguments.nodes.empty()) {
    return virga::fail(Code::invalid, "--machine-address is for virtual nodes; give their folder with --nodes, too");
  }
  return arguments;
}

Result<Scenario> read_scenario(const std::string& path) {
  if (path.empty()) return Scenario{};
  std::error_code ignored;  // what is not there is told by the reading
  if (std::filesystem::is_directory(path, ignored)) {
    return virga::fail(Code::invalid, "cannot read " + path + ": it is a folder; write the name of a scenario file");
  }
  std::ifstream file(path);
  if (!file) return virga::fail(Code::invalid, "cannot read " + path + ": " + std::strerror(errno));
  const std::string text{std::istreambuf_iterator<char>(file), {}};
  return virga::arm::parse_scenario(text, path);
}

Result<std::string> folder_of(const Arguments& arguments) {
  if (!arguments.folder.empty()) return arguments.folder;
  const char* temp = std::getenv("TMPDIR");
  std::string path = std::string(temp == nullptr ? "/tmp" : temp) + "/virga-arm.XXXXXX";
  if (mkdtemp(path.data()) == nullptr) return virga::fail(Code::internal, "cannot make a folder like " + path);
  return path;
}

/// The addresses that the certificate must name besides those of the loopback.
Result<std::vector<std::string>> addresses_of(const Arguments& arguments) {
  if (!arguments.anyone) return std::vector<std::string>();
  const Result<std::string> host = virga::arm::host_of(arguments.listen);
  if (!host) return virga::unexpected(host.error());
  return std::vector<std::string>{*host};
}

std::string folder_of_this_program() {
  std::error_code ignored;
  return std::filesystem::read_symlink("/proc/self/exe", ignored).parent_path();
}

Result<std::unique_ptr<virga::arm::NodeVms>> open_nodes(const Arguments& arguments) {
  const std::string& folder = arguments.nodes;
  std::error_code error;
  std::filesystem::create_directories(folder, error);
  const std::filesystem::path home = error ? "" : std::filesystem::canonical(folder, error);
  if (error) return virga::fail(Code::invalid, "cannot make the folder " + folder + ": " + error.message());
  return virga::arm::NodeVms::open({virga::Home{home}, folder_of_this_program() + "/virga-node",
                                    arguments.private_files, arguments.machine_address});
}

virga::Time wall_clock() {
  const auto now = std::chrono::system_clock::now().time_since_epoch();
  return {std::chrono::duration_cast<std::chrono::nanoseconds>(now).count()};
}

Status serve(const Arguments& arguments) {
  Result<Scenario> scenario = read_scenario(arguments.scenario);
  if (!scenario) return virga::unexpected(scenario.error());
  if (arguments.speed > 0) scenario->speed = arguments.speed;
  const Result<std::string> folder = folder_of(arguments);
  if (!folder) return virga::unexpected(folder.error());
  const Result<std::vector<std::string>> addresses = addresses_of(arguments);
  if (!addresses) return virga::unexpected(addresses.error());
  const Result<virga::arm::CertificateFiles> files = virga::arm::make_certificate(*folder, *addresses);
  if (!files) return virga::unexpected(files.error());

  std::unique_ptr<virga::arm::NodeVms> nodes;
  if (!arguments.nodes.empty()) {
    auto opened = open_nodes(arguments);
    if (!opened) return virga::unexpected(opened.error());
    nodes = *std::move(opened);
  }
  const virga::Time start = wall_clock();
  virga::arm::SimulatedVms simulated(*scenario);
  virga::arm::VmBackend& vms = nodes ? static_cast<virga::arm::VmBackend&>(*nodes) : simulated;
  virga::arm::StandIn stand_in(*scenario, vms, start);
  auto server = virga::arm::ArmServer::open({arguments.listen, arguments.imds, arguments.anyone, *files}, stand_in,
                                            virga::arm::ArmClock(start, scenario->speed));
  if (!server) return virga::unexpected(server.error());
  if (nodes) nodes->connect(**server);
  std::printf("ready %s imds %s ca %s subscription %s tenant %s\n", (*server)->url().c_str(),
              (*server)->imds_url().c_str(), files->ca.c_str(), scenario->subscription.c_str(),
              scenario->tenant.c_str());
  std::fflush(stdout);
  (*server)->run();
  if (nodes) nodes->release_all();
  return {};
}

}  // namespace

int main(int argc, char** argv) try {
  std::signal(SIGPIPE, SIG_IGN);
  if (argc == 2 && (std::strcmp(argv[1], "--help") == 0 || std::strcmp(argv[1], "-h") == 0)) {
    std::fputs(k_usage, stdout);
    return 0;
  }
  const Result<Arguments> arguments = parse_arguments(argc, argv);
  const Status served = arguments ? serve(*arguments) : virga::unexpected(arguments.error());
  if (served) return 0;
  std::fprintf(stderr, "virga-arm: %s\n", served.error().message.c_str());
  return virga::exit_code(served.error().code);
} catch (const std::exception& error) {  // no memory, or a mistake of ours
  std::fprintf(stderr, "virga-arm: %s\n", error.what());
  return 1;
}

#include "unit/clouds_azure/stand_in.hpp"

#include <doctest/doctest.h>
#include <fcntl.h>
#include <signal.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstdlib>
#include <fstream>
#include <sstream>

#include "wire/metadata_client.hpp"

extern char** environ;

namespace virga::azure_test {
namespace {

constexpr const char* k_quick = "[boot.default]\nleast = \"20s\"\nmean_extra = \"10s\"\nmost = \"2m\"\n";

std::string program() {
  const auto own = std::filesystem::read_symlink("/proc/self/exe").parent_path();
  for (const auto& folder : {own, own.parent_path() / "bin"}) {
    if (std::filesystem::exists(folder / "virga-arm")) return folder / "virga-arm";
  }
  const char* bin = std::getenv("VIRGA_BIN");
  return std::string(bin != nullptr ? bin : ".") + "/virga-arm";
}

}  // namespace

ArmProcess::ArmProcess(const std::string& scenario, int speed) {
  std::string pattern = (std::filesystem::temp_directory_path() / "virga-azure-test-XXXXXX").string();
  REQUIRE(mkdtemp(pattern.data()) != nullptr);
  folder_ = pattern;
  std::ofstream(folder_ / "scenario.toml") << scenario << k_quick;
  std::ofstream(folder_ / "secret") << "s3cret\n";
  int ends[2];
  REQUIRE(pipe2(ends, O_CLOEXEC) == 0);
  posix_spawn_file_actions_t actions;
  posix_spawn_file_actions_init(&actions);
  posix_spawn_file_actions_adddup2(&actions, ends[1], 1);
  std::string words[] = {
      program(), "--dir", folder_.string(), "--scenario", folder_ / "scenario.toml", "--speed", std::to_string(speed)};
  std::vector<char*> arguments;
  for (std::string& word : words) arguments.push_back(word.data());
  arguments.push_back(nullptr);
  const int spawned = posix_spawn(&pid_, words[0].c_str(), &actions, nullptr, arguments.data(), environ);
  posix_spawn_file_actions_destroy(&actions);
  close(ends[1]);
  REQUIRE_MESSAGE(spawned == 0, "cannot start ", words[0]);
  const bool ready = read_ready_line(ends[0]);
  close(ends[0]);
  REQUIRE_MESSAGE(ready, "virga-arm did not start");
}

bool ArmProcess::read_ready_line(int from) {
  std::string line;
  char c = 0;
  while (line.size() < 4096 && read(from, &c, 1) == 1 && c != '\n') line += c;
  std::istringstream words(line);
  std::string ready, word;
  words >> ready >> url_ >> word >> imds_;
  return ready == "ready" && word == "imds";
}

ArmProcess::~ArmProcess() {
  if (pid_ > 0) {
    kill(pid_, SIGKILL);
    waitpid(pid_, nullptr, 0);
  }
  std::error_code ignored;
  std::filesystem::remove_all(folder_, ignored);
}

AzureSettings ArmProcess::settings() const {
  AzureSettings settings;
  settings.cluster = "c1";
  settings.subscription = "11111111-1111-1111-1111-111111111111";
  settings.tenant = "22222222-2222-2222-2222-222222222222";
  settings.client_id = "app";
  settings.secret_file = folder_ / "secret";
  settings.endpoint = url_;
  settings.login_endpoint = url_;
  settings.imds = imds_;
  settings.ca_file = folder_ / "ca.pem";
  settings.region = "eastus";
  settings.resource_group = "g";
  settings.request_timeout = Duration::seconds(20);
  settings.operation_timeout = Duration::seconds(50);
  settings.throttle_patience = Duration::seconds(5);
  settings.recover_patience = Duration::seconds(3);
  settings.watch_interval = Duration::seconds(1);
  settings.stranger_grace = Duration::seconds(30);
  return settings;
}

azure::HttpAnswer ArmProcess::send(const std::string& method, const std::string& path, const std::string& body) {
  azure::HttpConnection http({folder_ / "ca.pem", Duration::seconds(10), Duration::seconds(30)}, stopper_);
  const auto answer = http.send({method, url_ + path, body, {"Authorization: Bearer other-tool"}});
  REQUIRE_MESSAGE(answer.has_value(), answer.error().message);
  return *answer;
}

JsonDocument ArmProcess::get(const std::string& what) {
  const auto document = JsonDocument::parse(send("GET", "/admin/" + what, "").body);
  REQUIRE(document.has_value());
  return *document;
}

void ArmProcess::post(const std::string& what, const std::string& body) {
  const azure::HttpAnswer answer = send("POST", "/admin/" + what, body);
  REQUIRE_MESSAGE(answer.status == 200, answer.body);
}

void ArmProcess::forget_calls() { send("DELETE", "/admin/calls", ""); }

std::string ArmProcess::machine_of(const std::string& instance) {
  const std::string target = "/vm/" + instance + "/metadata/instance/compute/vmId?api-version=2021-02-01&format=text";
  const auto answer = MetadataClient::at(imds_)->get(target, std::chrono::seconds(10));
  REQUIRE_MESSAGE(answer.has_value(), answer.error().message);
  REQUIRE_MESSAGE(answer->status == 200, answer->body);
  return answer->body;
}

std::set<std::string> ArmProcess::vm_addresses() {
  const JsonDocument state = get("state");
  const JsonNode vms = state.root().find("vms");
  std::set<std::string> addresses;
  for (std::size_t i = 0; i < vms.size(); ++i) {
    const JsonNode vm = vms.element(i);
    if (vm.find("provisioningState").string() != "Deleting") addresses.emplace(vm.find("address").string());
  }
  return addresses;
}

std::size_t ArmProcess::vms() { return vm_addresses().size(); }

std::size_t ArmProcess::resources(const std::string& type) {
  const JsonDocument state = get("state");
  const JsonNode resources = state.root().find("resources");
  std::size_t count = 0;
  for (std::size_t i = 0; i < resources.size(); ++i) {
    const std::string id(resources.element(i).find("id").string());
    if (id.find("/" + type + "/") != std::string::npos) ++count;
  }
  return count;
}

bool ArmProcess::has(const std::string& path) {
  const JsonDocument state = get("state");
  const JsonNode resources = state.root().find("resources");
  for (std::size_t i = 0; i < resources.size(); ++i) {
    if (resources.element(i).find("id").string().ends_with(path)) return true;
  }
  return false;
}

std::uint64_t ArmProcess::calls(const std::string& operation) {
  const JsonDocument calls = get("calls");
  const JsonNode counts = calls.root().find("counts").find(operation);
  return counts ? counts.find("all").unsigned_integer().value_or(0) : 0;
}

std::uint64_t ArmProcess::answers(int status) {
  const JsonDocument calls = get("calls");
  const JsonNode count = calls.root().find("by_status").find(std::to_string(status));
  return count ? count.unsigned_integer().value_or(0) : 0;
}

azure::HttpAnswer ArmProcess::ask(const std::string& method, const std::string& path, const std::string& body) {
  const AzureSettings own = settings();
  return send(method, "/subscriptions/" + own.subscription + "/resourceGroups/" + own.resource_group + path, body);
}

int ArmProcess::call(const std::string& method, const std::string& path, const std::string& body) {
  return ask(method, path, body).status;
}

}  // namespace virga::azure_test

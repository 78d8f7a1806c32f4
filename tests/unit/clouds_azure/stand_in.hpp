// A virga-arm of one's own, in a temporary folder, and what a test asks of it over its admin API.
//
//   ArmProcess arm;                                   // sixty times as fast as Azure
//   auto cloud = make_azure_cloud({arm.settings(), "#!/bin/sh\n", {}}, sink);
//   arm.post("failure", R"({"operation": "PUT virtualMachineScaleSets", "kind": "html", "count": 1})");
//   CHECK(arm.vms() == 0);
#pragma once

#include <sys/types.h>

#include <cstdint>
#include <filesystem>
#include <set>
#include <string>

#include "clouds/azure/http.hpp"
#include "clouds/azure/settings.hpp"
#include "wire/json_codec.hpp"

namespace virga::azure_test {

class ArmProcess {
 public:
  /// `scenario` is added to one whose VMs boot within seconds of the stand-in.
  explicit ArmProcess(const std::string& scenario = "", int speed = 60);
  ~ArmProcess();
  ArmProcess(const ArmProcess&) = delete;
  ArmProcess& operator=(const ArmProcess&) = delete;

  /// With times that suit tests.
  AzureSettings settings() const;
  const std::string& imds() const { return imds_; }
  const std::filesystem::path& folder() const { return folder_; }

  JsonDocument get(const std::string& what);
  void post(const std::string& what, const std::string& body);
  void forget_calls();
  /// VMs that exist and are not being deleted.
  std::size_t vms();
  std::set<std::string> vm_addresses();
  /// The id that an instance of this name learns from its metadata service.
  std::string machine_of(const std::string& instance);
  /// Scale sets that are there, whatever their state.
  std::size_t sets() { return resources("virtualMachineScaleSets"); }
  /// Of this type, such as "disks".
  std::size_t resources(const std::string& type);
  /// Whether there is a resource with this end of its id.
  bool has(const std::string& path);
  std::uint64_t calls(const std::string& operation);
  std::uint64_t answers(int status);
  /// A call as another tool makes it; `path` is within the resource group. call() gives its status.
  azure::HttpAnswer ask(const std::string& method, const std::string& path, const std::string& body = "");
  int call(const std::string& method, const std::string& path, const std::string& body = "");

 private:
  azure::HttpAnswer send(const std::string& method, const std::string& path, const std::string& body);
  bool read_ready_line(int from);

  std::filesystem::path folder_;
  pid_t pid_ = 0;
  std::string url_;
  std::string imds_;
  azure::Stopper stopper_;
};

}  // namespace virga::azure_test

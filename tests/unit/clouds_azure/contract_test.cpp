// The contract that every cloud keeps, kept by the Azure one: through HTTPS, with virtual nodes as the instances.
#include <doctest/doctest.h>
#include <fmt/format.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <future>
#include <mutex>
#include <optional>
#include <thread>

#include "arm/node_vms.hpp"
#include "clouds/azure/azure_cloud.hpp"
#include "clouds/host/process.hpp"
#include "clouds/host/tier.hpp"
#include "clouds/host/vm_file.hpp"
#include "ports/contract/cloud_contract.hpp"

namespace virga::azure_test {
namespace {

namespace files = std::filesystem;
using arm::ArmClock;
using arm::ArmServer;
using arm::make_certificate;
using arm::NodeVms;
using arm::Scenario;
using arm::StandIn;
using arm::VmBackend;
using arm::VmOrder;

/// Nodes, one of which may be broken: its boot fails, whatever it is asked to run.
class BreakableNodes : public VmBackend {
 public:
  explicit BreakableNodes(NodeVms& nodes) : nodes_(nodes) {}
  void break_boot(const std::string& instance) {
    std::lock_guard lock(mutex_);
    broken_ = instance;
  }
  void start(const VmOrder& order, Reply reply, Time now) override {
    {
      std::lock_guard lock(mutex_);
      if (order.name == broken_) return reply({false, order.name + " has no power"}, now);
    }
    nodes_.start(order, std::move(reply), now);
  }
  void stop(const std::string& vm_id) override { nodes_.stop(vm_id); }
  void on_death(Death death) override { nodes_.on_death(std::move(death)); }

 private:
  NodeVms& nodes_;
  std::mutex mutex_;
  std::string broken_;
};

struct Folder {
  Folder() {
    char pattern[] = "/tmp/virga-azure-nodes-XXXXXX";
    REQUIRE(mkdtemp(pattern) != nullptr);
    path = pattern;
    files::create_directories(path + "/nodes");
    std::ofstream(path + "/secret") << "s3cret\n";
  }
  ~Folder() { files::remove_all(path); }
  std::string path;
};

std::string node_program() {
  const auto own = files::read_symlink("/proc/self/exe").parent_path();
  return own / "virga-node";
}

Time wall_clock() {
  const auto now = std::chrono::system_clock::now().time_since_epoch();
  return {std::chrono::duration_cast<std::chrono::nanoseconds>(now).count()};
}

/// A stand-in in this process, sixty times as fast as Azure, whose VMs are virtual nodes.
class ArmWithNodes {
 public:
  ArmWithNodes() : nodes_(open_nodes()), breakable_(*nodes_), stand_in_(Scenario(), breakable_, wall_clock()) {
    const auto certificate = make_certificate(folder.path, {});
    REQUIRE(certificate);
    auto server =
        ArmServer::open({"127.0.0.1:0", "127.0.0.1:0", false, *certificate}, stand_in_, ArmClock(wall_clock(), 60));
    REQUIRE(server);
    server_ = *std::move(server);
    nodes_->connect(*server_);
    ca_ = certificate->ca;
    thread_ = std::thread([this] { server_->run(); });
  }
  ~ArmWithNodes() {
    server_->stop();
    thread_.join();
    nodes_->release_all();
  }

  AzureSettings settings() const {
    AzureSettings settings;
    settings.cluster = "c1";
    settings.subscription = "11111111-1111-1111-1111-111111111111";
    settings.tenant = "22222222-2222-2222-2222-222222222222";
    settings.client_id = "app";
    settings.secret_file = folder.path + "/secret";
    settings.endpoint = server_->url();
    settings.login_endpoint = server_->url();
    settings.ca_file = ca_;
    settings.region = "eastus";
    settings.resource_group = "g";
    settings.recover_patience = Duration::seconds(2);
    settings.watch_interval = Duration::seconds(1);
    settings.stranger_grace = Duration::seconds(30);
    return settings;
  }

  std::unique_ptr<Cloud> open(EventSink& sink) {
    auto board = std::make_shared<NodeBoard>(folder.path + "/board");
    AzureOptions options;
    options.settings = settings();
    options.join_script = fmt::format("#!/bin/sh\nexec {} join --board {}/board\n", node_program(), folder.path);
    options.publish = [board](const auto& machines) { return board->put(machines); };
    options.withdraw = [board](VmId vm) { board->remove(vm); };
    return make_azure_cloud(std::move(options), sink);
  }

  /// Of the node that the VM is, in the folder of the stand-in.
  std::optional<host::VmFile> node_of(VmId vm) const {
    std::ifstream names(folder.path + "/board/hosts");
    std::string address, name;
    while (names >> address >> name) {
      if (name != fmt::format("gpu{}", vm.value)) continue;
      const auto nodes = host::load_vm_files({folder.path + "/nodes"});
      REQUIRE(nodes);
      for (const host::VmFile& file : *nodes) {
        if (file.address == address) return file;
      }
    }
    return std::nullopt;
  }

  std::string user_data(VmId vm) const {
    return fmt::format("#!/bin/sh\necho $(hostname) $VIRGA_IMDS >> {}/ran-{}\nexec sleep 100000\n", folder.path,
                       vm.value);
  }
  int runs(VmId vm) const {
    std::ifstream file(fmt::format("{}/ran-{}", folder.path, vm.value));
    int count = 0;
    for (std::string line; std::getline(file, line);) {
      if (line == fmt::format("gpu{} http://169.254.169.254", vm.value)) ++count;
    }
    return count;
  }
  void break_boot(const std::string& node) { breakable_.break_boot(node.empty() ? "" : machine_of(node)); }
  /// A set gives its instances to nodes in ascending order.
  static std::string machine_of(const std::string& node) {
    return fmt::format("virga-c1-gpu-1_{}", std::stoi(node.substr(3)) - 1);
  }

  std::string leftovers() {
    std::string left;
    const auto nodes = host::load_vm_files({folder.path + "/nodes"});
    REQUIRE(nodes);
    for (const host::VmFile& file : *nodes) left += file.name + " ";
    std::promise<std::string> asked;
    server_->post([&](Time) {
      std::string there;
      for (const auto& [number, machine] : stand_in_.world().machines.all()) there += machine.spec.id + " ";
      asked.set_value(there);
    });
    left += asked.get_future().get();
    std::error_code ignored;
    for (const auto& file : files::directory_iterator(folder.path + "/board/machines", ignored)) {
      left += file.path().string() + " ";
    }
    return left;
  }

  Folder folder;

 private:
  std::unique_ptr<NodeVms> open_nodes() const {
    auto nodes = NodeVms::open({Home{folder.path + "/nodes"}, node_program()});
    REQUIRE_MESSAGE(nodes.has_value(), nodes.error().message);
    return *std::move(nodes);
  }

  std::unique_ptr<NodeVms> nodes_;
  BreakableNodes breakable_;
  StandIn stand_in_;
  std::unique_ptr<ArmServer> server_;
  std::string ca_;
  std::thread thread_;
};

}  // namespace

TEST_CASE("azure: contract, with virtual nodes") {
  if (probe_tier().tier == Tier::plain) {
    MESSAGE("skipped: this machine lets nobody make the namespaces that virtual nodes need");
    return;
  }
  ArmWithNodes arm;
  CloudUnderTest under_test;
  under_test.open = [&](EventSink& sink) { return arm.open(sink); };
  under_test.pool.name = "gpu";
  under_test.pool.node_prefix = "gpu";
  under_test.pool.cloud = "azure";
  under_test.pool.sku.name = "Standard_ND96isr_H100_v5";
  under_test.user_data = [&](const WantedVm& vm) { return arm.user_data(vm.vm); };
  under_test.runs = [&](VmId vm) { return arm.runs(vm); };
  under_test.kill = [&](VmId vm) {
    const auto node = arm.node_of(vm);
    REQUIRE(node);
    host::kill_and_wait(node->living_init());
  };
  under_test.break_boot = [&](const std::string& node) { arm.break_boot(node); };
  under_test.machine_of = ArmWithNodes::machine_of;
  under_test.leftovers = [&] { return arm.leftovers(); };
  check_cloud_contract(under_test);
}

}  // namespace virga::azure_test

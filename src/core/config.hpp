// The supercomputer as its platform engineer describes it (virga.toml, parsed by wire/config_toml.hpp).
//
// A pool is one SKU in one placement group of one cloud; a partition is what users see of one or more pools.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "core/job.hpp"
#include "core/policy.hpp"
#include "core/storage.hpp"

namespace virga {

/// What the brain needs to know of a VM size. Prices are list prices per hour.
struct Sku {
  std::string name;
  Resources resources;
  std::string gpu_model;
  Money price_per_hour;

  template <class Self, class V>
  static void visit(Self& s, V&& v) {
    v("name", s.name);
    v("resources", s.resources);
    v("gpu_model", s.gpu_model);
    v("price_per_hour", s.price_per_hour);
  }
};

/// How the host cloud connects the virtual nodes of a pool.
enum class HostNetwork : std::uint8_t {
  fabric,  ///< own network namespace, 10.x addresses, no way out
  host,    ///< this machine's network, 127.x addresses
};
template <>
struct EnumNames<HostNetwork> {
  static constexpr std::string_view names[] = {"fabric", "host"};
};

/// How a pool's VMs are paid for. Reserved ones cost the same whether they run or not, so they are taken first; spot
/// ones can be taken back by the cloud at any time.
enum class Purchase : std::uint8_t { on_demand, reserved, spot };
template <>
struct EnumNames<Purchase> {
  static constexpr std::string_view names[] = {"on_demand", "reserved", "spot"};
};

/// The network of a pool as a regular tree over its node numbers; 0 means that the level does not divide the pool.
/// Tapers are oversubscriptions times 1000: bandwidth below a level's switches divided by that above them.
struct PoolFabric {
  std::uint32_t nodes_per_leaf = 0;
  std::uint32_t leaves_per_spine = 0;
  std::uint32_t spines_per_pod = 0;
  std::uint32_t leaf_taper_permille = 1000;
  std::uint32_t spine_taper_permille = 1000;
  std::uint32_t pod_taper_permille = 1000;

  template <class Self, class V>
  static void visit(Self& s, V&& v) {
    v("nodes_per_leaf", s.nodes_per_leaf);
    v("leaves_per_spine", s.leaves_per_spine);
    v("spines_per_pod", s.spines_per_pod);
    v("leaf_taper_permille", s.leaf_taper_permille);
    v("spine_taper_permille", s.spine_taper_permille);
    v("pod_taper_permille", s.pod_taper_permille);
  }
};

struct Pool {
  std::string name;
  std::string cloud = "host";
  Sku sku;
  std::uint32_t max_nodes = 8;
  std::uint32_t warm_nodes = 0;               ///< kept ready without a job
  Duration idle_time = Duration::minutes(5);  ///< an idle node is released after this
  Duration boot_timeout = Duration::seconds(60);
  HostNetwork network = HostNetwork::fabric;
  std::uint32_t limit_cpus = 0;          ///< what a node may really use of this machine; 0: all of it
  std::uint64_t limit_memory_bytes = 0;  ///< the same for memory
  std::string node_prefix;               ///< node names are prefix + 1 … max_nodes
  Purchase purchase = Purchase::on_demand;
  Money price_per_hour;  ///< of one node; zero: the SKU's list price
  Duration boot_time;    ///< expected, from request to ready, until the pool has boots of its own to learn from
  std::uint32_t spare_nodes = 0;    ///< kept for jobs that lost a node: nobody else gets the last ones
  std::uint32_t set_nodes_max = 0;  ///< VMs of one scale set, which share an InfiniBand partition; 0: all of the pool
  bool ib_spans_sets = false;       ///< one dedicated fabric: InfiniBand works across the pool's scale sets
  bool health_checks = false;       ///< a node is checked before its first job and between jobs
  std::string health_tools = {};    ///< a folder that is first on the PATH of these checks; empty: none
  Duration quarantine_time = Duration::minutes(30);  ///< a sick VM without jobs is kept for so long
  PoolFabric fabric;
  std::vector<std::string> features = {};  ///< what jobs may ask for with --constraint
  std::uint64_t tmp_bytes = 0;             ///< of /tmp on each node, as --tmp counts it
  bool shared_files = true;  ///< its nodes see this machine's files; else only what is mounted (Config::storage)

  Money node_price() const { return price_per_hour.micro_usd > 0 ? price_per_hour : sku.price_per_hour; }

  template <class Self, class V>
  static void visit(Self& s, V&& v) {
    v("name", s.name);
    v("cloud", s.cloud);
    v("sku", s.sku);
    v("max_nodes", s.max_nodes);
    v("warm_nodes", s.warm_nodes);
    v("idle_time", s.idle_time);
    v("boot_timeout", s.boot_timeout);
    v("network", s.network);
    v("limit_cpus", s.limit_cpus);
    v("limit_memory_bytes", s.limit_memory_bytes);
    v("node_prefix", s.node_prefix);
    v("purchase", s.purchase);
    v("price_per_hour", s.price_per_hour);
    v("boot_time", s.boot_time);
    v("spare_nodes", s.spare_nodes);
    v("set_nodes_max", s.set_nodes_max);
    v("ib_spans_sets", s.ib_spans_sets);
    v("health_checks", s.health_checks);
    v("health_tools", s.health_tools);
    v("quarantine_time", s.quarantine_time);
    v("fabric", s.fabric);
    v("features", s.features);
    v("tmp_bytes", s.tmp_bytes);
    v("shared_files", s.shared_files);
  }
};

struct Partition {
  std::string name;
  std::vector<std::string> pools;  ///< in order of preference
  Duration max_time = Duration::infinite();
  Duration default_time = Duration::infinite();
  bool is_default = false;
  bool up = true;                               ///< its waiting jobs are started
  std::uint32_t priority = 0;                   ///< its part of a job's priority
  std::string qos = {};                         ///< of jobs that name none; empty: none
  std::vector<std::string> allow_tenants = {};  ///< empty: all
  bool takes_jobs = true;                       ///< jobs may be submitted to it

  template <class Self, class V>
  static void visit(Self& s, V&& v) {
    v("name", s.name);
    v("pools", s.pools);
    v("max_time", s.max_time);
    v("default_time", s.default_time);
    v("is_default", s.is_default);
    v("up", s.up);
    v("priority", s.priority);
    v("qos", s.qos);
    v("allow_tenants", s.allow_tenants);
    v("takes_jobs", s.takes_jobs);
  }
};

struct Config {
  std::string cluster_name = "virga";
  std::vector<Pool> pools;
  std::vector<Partition> partitions;
  Duration kill_wait = Duration::seconds(30);   ///< between SIGTERM and SIGKILL
  Duration min_job_age = Duration::minutes(5);  ///< an ended job stays in squeue and scontrol this long
  Duration requeue_delay = Duration::seconds(2);
  std::uint32_t max_requeues = 16;   ///< then the job is held
  std::uint32_t max_jobs = 200'000;  ///< in the queue at a time
  std::uint32_t first_job_id = 1;    ///< the numbers of jobs begin here, or go on where they are if that is higher
  bool open_queue = true;            ///< users see each other's jobs
  std::string operator_group = "virga-operators";
  std::string listen;      ///< optional TCP address:port of the API
  std::string token_file;  ///< tokens of that TCP listener, one `token user` a line
  SchedulerPolicy scheduler;
  PriorityWeights priority;
  std::vector<Qos> qos;         ///< empty: jobs may name none
  std::vector<Tenant> tenants;  ///< empty: --account is a word for the accounts and nothing else
  std::vector<Reservation> reservations;
  std::vector<License> licenses;  ///< what jobs may take with --licenses
  std::vector<Storage> storage;   ///< mounted on the nodes of pools without shared files

  /// Null where there is none of that name.
  const Qos* find_qos(std::string_view name) const { return find(qos, name); }
  const Tenant* find_tenant(std::string_view name) const { return find(tenants, name); }
  /// The tenant and those above it, in that order; empty if it does not exist.
  std::vector<const Tenant*> way_up(std::string_view tenant) const {
    std::vector<const Tenant*> way;
    for (const Tenant* at = find_tenant(tenant); at != nullptr && way.size() <= tenants.size();
         at = find_tenant(at->parent)) {
      way.push_back(at);
    }
    return way;
  }

  template <class Self, class V>
  static void visit(Self& s, V&& v) {
    v("cluster_name", s.cluster_name);
    v("pools", s.pools);
    v("partitions", s.partitions);
    v("kill_wait", s.kill_wait);
    v("min_job_age", s.min_job_age);
    v("requeue_delay", s.requeue_delay);
    v("max_requeues", s.max_requeues);
    v("max_jobs", s.max_jobs);
    v("first_job_id", s.first_job_id);
    v("open_queue", s.open_queue);
    v("operator_group", s.operator_group);
    v("listen", s.listen);
    v("token_file", s.token_file);
    v("scheduler", s.scheduler);
    v("priority", s.priority);
    v("qos", s.qos);
    v("tenants", s.tenants);
    v("reservations", s.reservations);
    v("licenses", s.licenses);
    v("storage", s.storage);
  }

 private:
  template <class Named>
  static const Named* find(const std::vector<Named>& all, std::string_view name) {
    for (const Named& one : all) {
      if (one.name == name) return &one;
    }
    return nullptr;
  }
};

}  // namespace virga

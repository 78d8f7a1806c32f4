// All that the brain knows. Ordered containers only, so that iteration is the same everywhere.
//
// save()/load() write exactly what visit() names; derived indices are rebuilt.
#pragma once

#include <algorithm>
#include <cstdint>
#include <map>
#include <set>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "base/id_map.hpp"
#include "brain/indices.hpp"
#include "brain/policy/policy_state.hpp"
#include "core/config.hpp"
#include "core/event.hpp"
#include "core/job.hpp"
#include "core/vm.hpp"

namespace virga {

/// A pool that the cloud refused lately is not asked again before `until`.
struct PoolBackoff {
  Time until;
  Refusal refusal = Refusal::fault;
  std::string message;
  std::uint32_t refusals_in_a_row = 0;
  std::uint32_t nodes = 0;  ///< the smallest request that was refused: a smaller one may be tried meanwhile

  template <class Self, class V>
  static void visit(Self& s, V&& v) {
    v("until", s.until);
    v("refusal", s.refusal);
    v("message", s.message);
    v("refusals_in_a_row", s.refusals_in_a_row);
    v("nodes", s.nodes);
  }
};

/// What a pool's boots and refusals were like so far.
struct PoolHistory {
  Duration boot_time;  ///< from request to ready, an exponential mean with weight 1/8
  std::uint64_t boots = 0;
  std::uint64_t refusals = 0;
  Time last_refusal;

  template <class Self, class V>
  static void visit(Self& s, V&& v) {
    v("boot_time", s.boot_time);
    v("boots", s.boots);
    v("refusals", s.refusals);
    v("last_refusal", s.last_refusal);
  }
};

/// A reservation that the cloud has not answered yet.
struct Gang {
  GangId id;
  std::string pool;
  JobId job;              ///< the job that made it necessary; zero for a warm pool
  std::vector<VmId> vms;  ///< in the order of the command

  template <class Self, class V>
  static void visit(Self& s, V&& v) {
    v("id", s.id);
    v("pool", s.pool);
    v("job", s.job);
    v("vms", s.vms);
  }
};

/// A drain that outlives the VM: the next VM of that name is drained too, until an operator resumes the node.
struct NodeMark {
  bool drained = false;
  std::string reason;
  Actor by;
  Time at;

  template <class Self, class V>
  static void visit(Self& s, V&& v) {
    v("drained", s.drained);
    v("reason", s.reason);
    v("by", s.by);
    v("at", s.at);
  }
};

struct State {
  Config config;
  Time now;  ///< of the last event
  Seq seq;   ///< of the last event
  bool shutting_down = false;
  JobId last_job;
  VmId last_vm;
  GangId last_gang;
  IdMap<JobId, Job> jobs;  ///< waiting, living, and those ended less than min_job_age ago
  IdMap<VmId, Vm> vms;
  std::map<GangId, Gang> gangs;
  std::map<std::string, PoolBackoff> backoffs;  ///< by pool
  std::map<std::string, PoolHistory> history;   ///< by pool
  std::map<std::string, NodeMark> node_marks;   ///< by node name
  std::map<std::string, JobId> idempotency;     ///< "uid/key" of the jobs above
  std::uint64_t jobs_archived = 0;              ///< ended jobs that left `jobs`
  PolicyState policy;                           ///< dependencies, limits, usage, budgets

  Indices index;  ///< derived from the above, never stored

  void rebuild_indices();
  /// The number that the next job gets.
  JobId next_job() const { return {std::max(last_job.value + 1, config.first_job_id)}; }
  const Pool* find_pool(const std::string& name) const;
  const Partition* find_partition(const std::string& name) const;
  /// The pool that a node name belongs to, and its number there; null for a name that no pool has.
  const Pool* find_pool_of_node(const std::string& node, std::uint32_t* number = nullptr) const;
  /// The pool's place in Config::pools and in Indices::pools. The pool must be configured.
  std::uint32_t number_of_pool(const std::string& name) const;
  /// The same for Config::partitions.
  std::uint32_t number_of_partition(const std::string& name) const;
  const Pool& pool_of(const Vm& vm) const { return config.pools[vm.pool_number]; }
  /// Where the job's nodes are, or were; null if it never had any, or that pool is not configured any more.
  const Pool* pool_of(const Job& job) const;

  template <class Self, class V>
  static void visit(Self& s, V&& v) {
    v("config", s.config);
    v("now", s.now);
    v("seq", s.seq);
    v("shutting_down", s.shutting_down);
    v("last_job", s.last_job);
    v("last_vm", s.last_vm);
    v("last_gang", s.last_gang);
    v("jobs", s.jobs);
    v("vms", s.vms);
    v("gangs", s.gangs);
    v("backoffs", s.backoffs);
    v("history", s.history);
    v("node_marks", s.node_marks);
    v("idempotency", s.idempotency);
    v("jobs_archived", s.jobs_archived);
    v("policy", s.policy);
  }
};

/// Brings the indices in step with the job. Call after every change of its state, reason, eligibility or nodes.
void index_job(State& state, Job& job);
/// Takes the job out of all indices: it leaves State::jobs, or its place in the queue changes.
void unindex_job(State& state, Job& job);
/// Brings the indices in step with the VM. Call after every change of its state, room, jobs or drain.
void index_vm(State& state, Vm& vm);
/// The same for several VMs of one pool.
void index_vms(State& state, std::span<Vm* const> vms);
/// The same for a VM that leaves State::vms, and for a number without one whose drain mark changed.
void index_absent_node(State& state, const Pool& pool, std::uint32_t number);

}  // namespace virga

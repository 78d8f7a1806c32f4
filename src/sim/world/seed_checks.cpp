#include "sim/world/seed_checks.hpp"

#include <fmt/format.h>

#include <algorithm>

#include "brain/invariants.hpp"
#include "brain/policy/reservations.hpp"

namespace virga {

namespace {

/// A release may take so long: the lender throttles, facts come late.
constexpr Duration k_release_slack = Duration::minutes(40);
constexpr std::uint64_t k_events_per_digest = 50;

}  // namespace

SeedChecks::SeedChecks(const SeedPlan& plan, const EventQueue& queue, Machines& machines, Processes& processes,
                       JournalDisk& disk)
    : plan_(plan), queue_(queue), machines_(machines), processes_(processes), disk_(disk) {
  for (const PlannedJob& job : plan.jobs) planned_.emplace(job.spec.name, &job);
  processes_.seen_start = [this](const Run& run) { run_started(run); };
  processes_.seen_end = [this](const Run& run) {
    if (run.ended_itself && run.exit.ok()) succeeded_.insert({run.job, run.incarnation});
  };
  processes_.seen_forget = [this](const Run& run) {
    fail(broken::k_incarnation,
         fmt::format("job {}'s incarnation {} is forgotten while it runs", run.job.value, run.incarnation));
  };
  processes_.seen_stop_under = [this](VmId vm, const Run& run) {
    const Machine* machine = machines_.find(vm);
    if (machine == nullptr || !machine->deleting) return;
    fail(broken::k_gang,
         fmt::format("node {} is released under job {}, which runs on it", machine->name, run.job.value));
  };
  disk_.on_job_record = [this](const Job& record, const Job*) { job_record(record); };
}

void SeedChecks::fail(const char* invariant, std::string what) {
  if (!broken_) broken_ = Broken{invariant, std::move(what), queue_.now()};
}

void SeedChecks::accepted(std::size_t planned, JobId job) {
  if (!plan_.jobs[planned].fits) {
    fail(broken::k_refusal, fmt::format("job {} was accepted, and no pool can ever hold it", job.value));
  }
  auto [known, is_new] = job_of_.emplace(planned, job);
  if (!is_new && known->second != job) {
    fail(broken::k_job, fmt::format("one submission became the jobs {} and {}", known->second.value, job.value));
  }
  if (!ends_.contains(job)) living_.insert(job);
}

void SeedChecks::refused(std::size_t planned, const Error& why) {
  if (plan_.jobs[planned].fits) fail(broken::k_refusal, "a job that fits was refused: " + why.message);
}

void SeedChecks::job_record(const Job& record) {
  for (const JobNode& node : record.nodes) note_needed(node.vm);  // between two samples
  const auto end = std::pair(record.state, record.incarnation);
  if (record.state == JobState::completed && !succeeded_.contains({record.id, record.incarnation})) {
    fail(broken::k_truth,
         fmt::format("job {} is told to be COMPLETED, and its script did not succeed", record.id.value));
  }
  auto known = ends_.find(record.id);
  if (known != ends_.end() && end != known->second && record.incarnation >= known->second.second) {
    fail(broken::k_job, fmt::format("job {} ended as {}, and later as {}", record.id.value,
                                    name_of(known->second.first), name_of(record.state)));
  }
  if (!is_final(record.state)) {
    fail(broken::k_job, fmt::format("the accounts have job {} as {}", record.id.value, name_of(record.state)));
  }
  if (record.requeue_after_end) return;
  ends_.emplace(record.id, end);
  living_.erase(record.id);
}

void SeedChecks::run_started(const Run& run) {
  const std::uint32_t job = run.job.value;
  const auto planned = planned_.find(run.spec.spec->name);
  if (planned == planned_.end()) return fail(broken::k_job, fmt::format("job {} was never submitted", job));
  const std::set<VmId> nodes(run.nodes.begin(), run.nodes.end());
  const JobSpec& wish = planned->second->spec;
  if (nodes.size() != wish.nodes) {
    fail(broken::k_gang, fmt::format("job {} starts on {} of {} nodes", job, nodes.size(), wish.nodes));
  }
  if (!executed_.insert({run.job, run.incarnation}).second) {
    fail(broken::k_incarnation, fmt::format("job {}'s incarnation {} ran twice", job, run.incarnation));
  }
  for (auto it = processes_.all().lower_bound({run.job, 0}); it != processes_.all().end(); ++it) {
    const Run& other = it->second;
    if (other.job != run.job) break;
    if (other.incarnation == run.incarnation || other.alive_on.empty()) continue;
    fail(broken::k_incarnation,
         fmt::format("job {}'s incarnations {} and {} run at the same time", job, other.incarnation, run.incarnation));
  }
  if (ends_.contains(run.job)) fail(broken::k_job, fmt::format("job {} runs after its end", job));
  for (VmId vm : nodes) {
    used_.insert(vm);
    check_room(vm);
  }
  if (!plan_.config.qos.empty()) check_limits(run);
}

/// By what users asked for, not by what the controller believes that they did.
void SeedChecks::check_limits(const Run& started) {
  const Config& config = plan_.config;
  const auto way_up = [&](const std::string& tenant) {
    std::set<std::string> names;
    for (const Tenant* at = config.find_tenant(tenant); at != nullptr; at = config.find_tenant(at->parent)) {
      names.insert(at->name);
    }
    return names;
  };
  const auto qos_of = [&](const JobSpec& spec) {
    if (!spec.qos.empty()) return spec.qos;
    const auto named = [&](const Partition& p) { return p.name == spec.partition; };
    return std::find_if(config.partitions.begin(), config.partitions.end(), named)->qos;
  };
  const std::string qos_name = qos_of(planned_.at(started.spec.spec->name)->spec);
  std::uint32_t user_jobs = 0;
  std::uint32_t user_nodes = 0;
  std::map<std::string, std::uint32_t> tenant_nodes;
  for (const auto& [key, run] : processes_.all()) {
    const auto planned = planned_.find(run.spec.spec->name);
    if (run.alive_on.empty() || planned == planned_.end()) continue;
    const JobSpec& spec = planned->second->spec;
    for (const std::string& tenant : way_up(spec.account)) tenant_nodes[tenant] += spec.nodes;
    if (run.spec.owner.uid != started.spec.owner.uid || qos_of(spec) != qos_name) continue;
    ++user_jobs;
    user_nodes += spec.nodes;
  }
  const Qos& qos = *config.find_qos(qos_name);
  if ((qos.max_jobs_per_user != 0 && user_jobs > qos.max_jobs_per_user) ||
      (qos.max_nodes_per_user != 0 && user_nodes > qos.max_nodes_per_user)) {
    fail(broken::k_limits, fmt::format("a user has {} jobs on {} nodes, QOS {} allows {} and {}", user_jobs, user_nodes,
                                       qos_name, qos.max_jobs_per_user, qos.max_nodes_per_user));
  }
  for (const auto& [name, nodes] : tenant_nodes) {
    const std::uint32_t most = config.find_tenant(name)->max_nodes;
    if (most != 0 && nodes > most) {
      fail(broken::k_limits, fmt::format("tenant {} has {} nodes, {} are allowed", name, nodes, most));
    }
  }
}

void SeedChecks::check_room(VmId vm) {
  const Machine* machine = machines_.find(vm);
  if (machine == nullptr) return;
  const auto pool = std::find_if(plan_.config.pools.begin(), plan_.config.pools.end(),
                                 [&](const Pool& p) { return p.name == machine->pool; });
  Resources used;
  std::set<std::uint32_t> gpus;
  int runs = 0;
  bool exclusive = false;
  for (const auto& [key, run] : processes_.all()) {
    if (!run.alive_on.contains(vm)) continue;
    ++runs;
    const JobSpec& spec = run.spec.spec;
    exclusive = exclusive || spec.exclusive;
    used.cpus += spec.per_node.cpus;
    used.memory_bytes += spec.per_node.memory_bytes;
    for (const JobNode& node : run.spec.nodes) {
      if (node.vm != vm) continue;
      used.gpus += static_cast<std::uint32_t>(node.gpus.size());
      gpus.insert(node.gpus.begin(), node.gpus.end());
      if (node.gpus.size() < spec.per_node.gpus) {
        fail(broken::k_room, fmt::format("job {} has too few GPUs on {}", run.job.value, machine->name));
      }
    }
  }
  const Resources& has = pool->sku.resources;
  const bool one_exclusive = exclusive && runs == 1;
  if ((!one_exclusive && !used.fits_in(has)) || (exclusive && runs > 1) || gpus.size() != used.gpus ||
      (!gpus.empty() && *gpus.rbegin() >= has.gpus)) {
    fail(broken::k_room,
         fmt::format("{} holds {} jobs with {} CPUs, {} GPUs and {} bytes, and has {}, {} and {}", machine->name, runs,
                     used.cpus, used.gpus, used.memory_bytes, has.cpus, has.gpus, has.memory_bytes));
  }
}

void SeedChecks::note_needed(VmId vm) {
  since_.erase({vm, "idle"});
  since_.erase({vm, "quarantine"});
}

bool SeedChecks::longer_than(Duration limit, std::string_view what, VmId vm) {
  const auto [since, is_new] = since_.emplace(std::pair(vm, std::string(what)), queue_.now());
  return !is_new && queue_.now() - since->second > limit;
}

void SeedChecks::check_billed(const Brain& brain) {
  for (const auto& [id, machine] : machines_.all()) {
    auto known = brain.state().vms.find(id);
    if (!machine.metered) {
      fail(broken::k_billing, fmt::format("machine {} exists and has no meter", machine.name));
    } else if (known == brain.state().vms.end() && !machine.deleting) {
      fail(broken::k_billing, fmt::format("machine {} (VM {}) is billed, and nobody knows it", machine.name, id.value));
    } else if (known == brain.state().vms.end() || known->second.state == VmState::releasing) {
      if (longer_than(k_release_slack, "released", id)) {
        fail(broken::k_idle, fmt::format("machine {} (VM {}) is still billed {} minutes after its release",
                                         machine.name, id.value, k_release_slack.whole_seconds() / 60));
      }
    }
  }
}

void SeedChecks::check_idle(const Brain& brain) {
  const State& state = brain.state();
  std::set<std::string> wanted;  // pools that a waiting job could use, or that are reserved
  for (const auto& [id, job] : state.jobs) {
    if (job.indexed_as != IndexedAs::queued) continue;
    for (const Pool& pool : state.config.pools) {
      if (can_fit(state.config, job.spec, pool)) wanted.insert(pool.name);
    }
  }
  for (const Reservation& reservation : plan_.config.reservations) {
    if (queue_.now() < boots_from(plan_.config, reservation) || queue_.now() >= reservation.end) continue;
    const auto named = [&](const Partition& p) { return p.name == reservation.partition; };
    const auto& partitions = plan_.config.partitions;
    wanted.insert(std::find_if(partitions.begin(), partitions.end(), named)->pools.front());
  }
  for (const Pool& pool : state.config.pools) {
    std::uint32_t overdue = 0;
    std::string which;
    for (const auto& [id, vm] : state.vms) {
      if (vm.pool != pool.name) continue;
      if (!vm.jobs.empty() || wanted.contains(pool.name) || vm.state == VmState::requested ||
          vm.state == VmState::releasing) {
        note_needed(id);
      } else {
        // An operator who ends a quarantine gives the node its idle time anew.
        const bool sick = vm.is_sick();
        since_.erase({id, sick ? "idle" : "quarantine"});
        const Duration stays = sick ? pool.quarantine_time : pool.idle_time;
        if (!longer_than(stays + pool.boot_timeout + k_release_slack, sick ? "quarantine" : "idle", id)) continue;
        ++overdue;
        which = fmt::format("{} ({}{})", vm.name, name_of(vm.state), vm.drained ? ", drained" : "");
      }
    }
    if (overdue > pool.warm_nodes + pool.spare_nodes) {
      std::string front = "none";
      if (!state.index.front.empty()) {
        const Job& first = state.jobs.at(*state.index.front.begin());
        front = fmt::format("job {}: {} {}", first.id.value, name_of(first.reason), first.detail);
      }
      fail(broken::k_idle, fmt::format("{} machines of pool {} are kept, {} are to be kept; the last is {}; front: {}",
                                       overdue, pool.name, pool.warm_nodes, which, front));
    }
  }
}

void SeedChecks::sample(const Brain& brain) {
  if (disk_.full) since_.clear();  // no decision can be made durable, so none is made: that is no idleness
  check_billed(brain);
  check_idle(brain);
  for (JobId id : living_) {
    if (!brain.state().jobs.contains(id)) fail(broken::k_job, fmt::format("job {} is lost", id.value));
  }
  const std::uint64_t seq = brain.state().seq.value;
  if (digests_.empty() || seq >= digests_.back().first + k_events_per_digest) {
    digests_.emplace_back(seq, brain.digest());
    check_invariants(brain.state());
  }
}

void SeedChecks::check_replay(const Brain& brain) {
  digests_.emplace_back(brain.state().seq.value, brain.digest());
  if (disk_.history.size() != brain.state().seq.value) {
    fail(broken::k_replay, fmt::format("the journal has {} events, the state is that after {}", disk_.history.size(),
                                       brain.state().seq.value));
  }
  Brain replayed;
  auto next = digests_.begin();
  for (std::uint64_t n = 1; n <= disk_.history.size() && next != digests_.end(); ++n) {
    replayed.apply({n}, disk_.history[n - 1]);
    replayed.take_commands();
    while (next != digests_.end() && next->first == n) {
      if (replayed.digest() != next->second) {
        return fail(broken::k_replay, fmt::format("after event {} the replay has another state", n));
      }
      ++next;
    }
  }
}

void SeedChecks::finish(const Brain& brain) {
  for (const auto& [id, machine] : machines_.all()) {
    fail(broken::k_billing, fmt::format("machine {} (VM {}) is left after the end", machine.name, id.value));
  }
  for (const auto& [planned, job] : job_of_) {
    if (!ends_.contains(job)) fail(broken::k_job, fmt::format("job {} has no end in the accounts", job.value));
  }
  for (VmId vm : used_) {
    if (!disk_.vms.contains(vm)) fail(broken::k_billing, fmt::format("VM {} ran jobs and has no account", vm.value));
  }
  check_replay(brain);
}

}  // namespace virga

#include "sim/scenario/run_recorder.hpp"

#include <algorithm>
#include <set>

namespace virga {
namespace {

PoolKind kind_of(Purchase purchase) {
  switch (purchase) {
    case Purchase::reserved:
      return PoolKind::reserved;
    case Purchase::spot:
      return PoolKind::spot;
    case Purchase::on_demand:
      return PoolKind::on_demand;
  }
  return PoolKind::on_demand;
}

}  // namespace

RunRecorder::RunRecorder(const Config& config, const PoolLayout& layout, RunRecord& record)
    : config_(config), layout_(layout), record_(record) {
  const bool gpus = std::any_of(config.pools.begin(), config.pools.end(),
                                [](const Pool& pool) { return pool.sku.resources.gpus > 0; });
  record.unit = gpus ? "GPU" : "node";
  for (const Pool& pool : config.pools) {
    pools_.emplace(pool.name, static_cast<std::uint32_t>(record.pools.size()));
    record.pools.push_back({.name = pool.name,
                            .kind = kind_of(pool.purchase),
                            .price_per_node_hour = pool.node_price(),
                            .max_nodes = pool.max_nodes,
                            .units_per_node = gpus ? pool.sku.resources.gpus : 1});
  }
  record.rows = layout.node_rows();
}

// Jobs ---------------------------------------------------------------------------------------------------------------

void RunRecorder::accepted(JobId id, const SimJob& job, const JobSpec& spec, Time now) {
  jobs_.emplace(id,
                Progress{.place = record_.jobs.size(), .checkpoint_every = job.checkpoint, .saved = {}, .waits = {}});
  JobRecord record;
  record.id = id;
  record.user = job.user;
  record.tenant = job.tenant;
  record.partition = spec.partition;
  record.nodes = spec.nodes;
  record.units = record_.unit == "GPU" ? std::uint64_t{spec.nodes} * spec.per_node.gpus : spec.nodes;
  record.submit = now;
  record.eligible = now;
  record.start = Time::never();
  record.needed = job.duration;
  record.limit = spec.time_limit;
  record_.jobs.push_back(std::move(record));
}

void RunRecorder::refused(const SimJob& job, const std::string& why) {
  const std::string reason = why.substr(0, why.find(": "));
  auto known = std::find_if(record_.skipped.begin(), record_.skipped.end(),
                            [&](const SkippedInput& skipped) { return skipped.reason == reason; });
  if (known == record_.skipped.end()) {
    known = record_.skipped.insert(known, {reason, 0, "a job of " + job.user + ": " + why});
  }
  ++known->count;
}

Duration RunRecorder::saved_of(JobId id) const {
  const auto known = jobs_.find(id);
  return known != jobs_.end() ? known->second.saved : Duration{};
}

void RunRecorder::add_gang(const Job& account, Time end, bool failed) {
  std::vector<std::uint32_t> rows;
  std::set<std::uint32_t> leaves;
  for (const JobNode& node : account.nodes) {
    rows.push_back(layout_.row_of(node.name));
    leaves.insert(layout_.leaf_of(rows.back()));
    used_[node.vm] = true;
  }
  if (rows.empty()) return;
  JobRecord& job = record_.jobs[jobs_.at(account.id).place];
  job.leaves = static_cast<std::uint32_t>(leaves.size());
  job.least_leaves = layout_.least_leaves(layout_.pool_of(rows.front()), job.nodes);
  std::sort(rows.begin(), rows.end());
  GangRun gang{.job = account.id, .start = account.started, .end = end, .rows = {}, .failed = failed};
  for (const std::uint32_t row : rows) {
    if (!gang.rows.empty() && gang.rows.back().first + gang.rows.back().count == row) {
      ++gang.rows.back().count;
    } else {
      gang.rows.push_back({row, 1});
    }
  }
  record_.gangs.push_back(std::move(gang));
}

bool RunRecorder::ended(const Job& account) {
  Progress& progress = jobs_.at(account.id);
  JobRecord& job = record_.jobs[progress.place];
  const bool over = !account.requeue_after_end;
  const bool done = account.state == JobState::completed;
  job.incarnations = account.incarnation + 1;
  job.cost = account.cost;
  if (account.state == JobState::preempted) ++job.preempted;
  Duration ran;
  if (account.started.is_set()) {
    ran = account.ended - account.started;
    job.start = std::min(job.start, account.started);
    add_gang(account, account.ended, !done);
  }
  if (!done) {
    Duration kept;
    const std::int64_t every = progress.checkpoint_every.ns;
    if (!over && every > 0) kept = std::min(Duration{ran.ns / every * every}, job.needed - progress.saved);
    const Duration lost = over ? progress.saved + ran : ran - kept;
    job.lost_node_seconds += static_cast<std::uint64_t>(lost.whole_seconds()) * job.nodes;
    progress.saved = progress.saved + kept;
  }
  if (!over) return false;
  // Who never came to the end needed no more than what it ran.
  if (!done) job.needed = std::min(job.needed, progress.saved + ran);
  job.end = account.ended;
  job.state = account.state;
  return true;
}

// VMs ----------------------------------------------------------------------------------------------------------------

void RunRecorder::reserved(const ReserveGang& command, Time now) {
  std::vector<VmId>& gang = gangs_[command.gang];
  if (!gang.empty()) return;  // asked again for the same
  for (const WantedVm& wanted : command.vms) {
    gang.push_back(wanted.vm);
    vms_[wanted.vm] =
        VmUse{.id = wanted.vm, .name = wanted.name, .pool = pools_.at(command.pool.name), .requested = now};
  }
}

void RunRecorder::granted(GangId gang, const std::vector<Time>& billed_since) {
  const std::vector<VmId>& vms = gangs_.at(gang);
  for (std::size_t i = 0; i < vms.size(); ++i) {
    vms_.at(vms[i]).granted = billed_since[i];
    used_.emplace(vms[i], false);
  }
}

void RunRecorder::refused(GangId gang) {
  ++refusals_;
  for (const VmId vm : gangs_.at(gang)) vms_.erase(vm);
  gangs_.erase(gang);
}

void RunRecorder::ready(VmId vm, Time now) { vms_.at(vm).ready = now; }

void RunRecorder::evicting(VmId vm) { vms_.at(vm).evicted = true; }

void RunRecorder::released(const VmRecord& account) { vms_.at(account.id).released = account.released; }

/// A gang of VMs that somebody waited for, and that then ran nothing.
void RunRecorder::find_waste() {
  for (const auto& [id, gang] : gangs_) {
    const bool any = std::any_of(gang.begin(), gang.end(), [&](VmId vm) {
      const auto used = used_.find(vm);
      return used != used_.end() && used->second;
    });
    for (const VmId vm : gang) {
      VmUse& use = vms_.at(vm);
      const Pool& pool = config_.pools[use.pool];
      use.gang_wasted = !any && pool.warm_nodes == 0 && pool.purchase != Purchase::reserved;
    }
  }
}

// Series -------------------------------------------------------------------------------------------------------------

void RunRecorder::note_wait(const Job& job) {
  auto& [samples, detail] = jobs_.at(job.id).waits[job.reason];
  ++samples;
  if (!job.detail.empty()) detail = job.detail;
}

void RunRecorder::sample(const State& state) {
  SeriesSample sample{.at = state.now, .queued_jobs = 0, .queued_units = 0, .running_units = 0, .pools = {}};
  sample.pools.resize(record_.pools.size());
  for (const auto& [id, job] : state.jobs) {
    const bool waits = job.state == JobState::pending || job.state == JobState::configuring;
    if (!waits && job.state != JobState::running) continue;
    const std::uint64_t units = record_.jobs[jobs_.at(id).place].units;
    if (!waits) {
      sample.running_units += units;
      continue;
    }
    note_wait(job);
    ++sample.queued_jobs;
    sample.queued_units += units;
  }
  for (const auto& [id, vm] : state.vms) {
    PoolSample& pool = sample.pools[pools_.at(vm.pool)];
    switch (vm.state) {
      case VmState::requested:
        ++pool.requested;
        break;
      case VmState::booting:
        ++pool.booting;
        break;
      case VmState::ready:
        ++pool.ready;
        break;
      case VmState::releasing:
        ++pool.releasing;
        break;
    }
  }
  record_.series.push_back(std::move(sample));
}

bool RunRecorder::all_held(const State& state) {
  return std::all_of(state.jobs.begin(), state.jobs.end(), [](const auto& entry) {
    const Reason reason = entry.second.reason;
    return is_final(entry.second.state) || reason == Reason::held_admin || reason == Reason::held_user;
  });
}

void RunRecorder::name_waits() {
  for (const auto& [id, progress] : jobs_) {
    std::uint64_t longest = 0;
    for (const auto& [reason, wait] : progress.waits) {
      if (wait.first <= longest) continue;
      longest = wait.first;
      record_.jobs[progress.place].wait_reason = reason;
      record_.jobs[progress.place].wait_detail = wait.second;
    }
  }
}

void RunRecorder::finish(const State& state) {
  name_waits();
  for (const auto& [id, job] : state.jobs) {
    if (is_final(job.state)) continue;
    JobRecord& record = record_.jobs[jobs_.at(id).place];
    record.state = job.state;
    record.wait_reason = job.reason;
    record.wait_detail = job.detail;
    if (!holds_nodes(job.state) || !job.started.is_set()) continue;
    record.start = std::min(record.start, job.started);
    add_gang(job, Time::never(), false);
  }
  find_waste();
  for (const auto& [id, vm] : vms_) record_.vms.push_back(vm);
  std::stable_sort(record_.faults.begin(), record_.faults.end(),
                   [](const FaultRecord& a, const FaultRecord& b) { return a.at < b.at; });
}

}  // namespace virga

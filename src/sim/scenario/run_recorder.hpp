// Turns what happens in a scenario into the RunRecord of its report.
//
//   RunRecorder recorder(config, layout, record);
//   recorder.accepted(id, job, spec, now);              // a submission was granted
//   recorder.ended(account);                            // an incarnation is over: ports/journal.hpp's account of it
//   recorder.sample(brain.state());                     // one point of the series
//   recorder.finish(brain.state());                     // what still waits, runs or exists
//
// It also knows what a job has done for good: work up to its last checkpoint is kept, all later work of an incarnation
// that was interrupted is lost and done again. Writing a checkpoint and reading it back takes no time here.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <utility>
#include <vector>

#include "brain/state.hpp"
#include "core/command.hpp"
#include "sim/report/run_record.hpp"
#include "sim/scenario/pool_layout.hpp"
#include "sim/scenario/workload.hpp"

namespace virga {

class RunRecorder {
 public:
  RunRecorder(const Config& config, const PoolLayout& layout, RunRecord& record);

  // Jobs.
  void accepted(JobId id, const SimJob& job, const JobSpec& spec, Time now);
  /// A submission that was refused.
  void refused(const SimJob& job, const std::string& why);
  /// An incarnation is over. True if the job is, too.
  bool ended(const Job& account);
  /// How much of its work the job need not do again, thanks to its last checkpoint. None of a job that is not known
  /// yet: it may start before its submission is answered.
  Duration saved_of(JobId id) const;

  // VMs.
  void reserved(const ReserveGang& command, Time now);
  void granted(GangId gang, const std::vector<Time>& billed_since);
  void refused(GangId gang);
  void ready(VmId vm, Time now);
  void evicting(VmId vm);
  void released(const VmRecord& account);
  const std::vector<VmId>& vms_of(GangId gang) const { return gangs_.at(gang); }

  void fault(const FaultRecord& fault) { record_.faults.push_back(fault); }
  void sample(const State& state);
  /// Whether all jobs that are left wait for somebody who lets them go: no time will do that.
  static bool all_held(const State& state);
  void finish(const State& state);

  std::uint64_t refusals() const { return refusals_; }

 private:
  struct Progress {
    std::size_t place = 0;  ///< in RunRecord::jobs
    Duration checkpoint_every;
    Duration saved;
    std::map<Reason, std::pair<std::uint64_t, std::string>> waits;  ///< samples, newest detail
  };

  void add_gang(const Job& account, Time end, bool failed);
  void note_wait(const Job& job);
  void name_waits();
  void find_waste();

  const Config& config_;
  const PoolLayout& layout_;
  RunRecord& record_;
  std::map<JobId, Progress> jobs_;
  std::map<VmId, VmUse> vms_;
  std::map<GangId, std::vector<VmId>> gangs_;
  std::map<VmId, bool> used_;  ///< by VM that was granted: a job ran on it
  std::map<std::string, std::uint32_t> pools_;
  std::uint64_t refusals_ = 0;
};

}  // namespace virga

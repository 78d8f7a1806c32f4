// Commands: what the brain wants done in the world. Control carries them out through the ports.
//
// Each command is idempotent under its natural key, so that it can be given again after a crash:
//   ReserveGang (gang), ReleaseVm (vm), StartJob, SignalJob, EndJob, ForgetJob (job, incarnation), Archive… (id).
#pragma once

#include <cstdint>
#include <string>
#include <variant>
#include <vector>

#include "base/result.hpp"
#include "core/event.hpp"
#include "core/job.hpp"
#include "core/vm.hpp"

namespace virga {

struct WantedVm {
  VmId vm;
  std::string name;
};

/// All of them or none. Answered by GangGranted or GangRefused, then VmReady or VmFailed for each.
struct ReserveGang {
  GangId gang;
  Pool pool;
  std::vector<WantedVm> vms;
};

/// Answered by VmReleased, also for a VM that the cloud does not know (any more).
struct ReleaseVm {
  VmId vm;
  std::string pool;
};

/// Answered by JobStarted or JobLaunchFailed, and later by JobEnded.
struct StartJob {
  Job job;  ///< a copy: its nodes are in rank order
};

struct SignalJob {
  JobId job;
  std::uint32_t incarnation = 0;
  std::uint32_t signal = 0;
  bool batch_shell_only = false;   ///< else: every process of its steps
  std::uint32_t step = k_no_step;  ///< only the processes of this step
  bool whole_job = false;          ///< the batch shell, all that it started, and the steps
};

/// End every process of the job on every living node of it; answered by JobEnded (also when nothing runs any more).
struct EndJob {
  JobId job;
  std::uint32_t incarnation = 0;
  std::uint32_t signal = 15;  ///< 9 ends it for sure
  SharedList<JobNode> nodes;
  Reason why = Reason::cancelled;  ///< told in the job's standard error
};

/// The end of this incarnation is in the journal; the engine may drop what it kept of it.
struct ForgetJob {
  JobId job;
  std::uint32_t incarnation = 0;
  SharedList<JobNode> nodes;
};

/// Put a finished incarnation (or a changed record) into the accounts; replaces what has the same job and incarnation.
struct ArchiveJob {
  Job job;
};
struct ArchiveVm {
  VmRecord vm;
};

/// For the log: a tenant's budget has reached the share at which it warns. Once for each time in a period.
struct WarnOfBudget {
  std::string tenant;
  std::string text;  ///< one line
};

/// Tell whoever the job names what has become of it. Sent at most once, after the event is in the journal; not again
/// after a crash.
struct SendMail {
  Job job;  ///< as it was then
  MailType what = k_mail_begin;
};

/// The answer to an outside request.
struct Reply {
  RequestId request = 0;
  Result<std::uint64_t> result;  ///< the job's or step's id, or 0; or why not
};

using Command = std::variant<ReserveGang, ReleaseVm, StartJob, SignalJob, EndJob, ForgetJob, ArchiveJob, ArchiveVm,
                             Reply, WarnOfBudget, SendMail>;

}  // namespace virga

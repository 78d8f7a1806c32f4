// Parts of what a job asks for: its warning, what it waits for, the tasks of an array, mails. core/job.hpp has the
// whole.
#pragma once

#include <cstdint>
#include <string_view>
#include <vector>

#include "base/enum_names.hpp"
#include "base/ids.hpp"
#include "base/time.hpp"

namespace virga {

/// `--signal=[B:]SIG[@seconds]`
struct WarningSignal {
  std::uint32_t signal = 0;  ///< 0: none asked for
  Duration before_end = Duration::seconds(60);
  bool batch_shell_only = false;

  template <class Self, class V>
  static void visit(Self& s, V&& v) {
    v("signal", s.signal);
    v("before_end", s.before_end);
    v("batch_shell_only", s.batch_shell_only);
  }
};

/// What one job waits for in another: Slurm's --dependency. Brain's rules are in brain/policy/dependencies.hpp.
enum class DependencyKind : std::uint8_t {
  after,       ///< begun, or cancelled before that; `delay` later
  afterany,    ///< ended, however
  afterok,     ///< ended with exit code 0
  afternotok,  ///< ended otherwise
  singleton,   ///< all earlier jobs of the same name and user have ended; names no job
  aftercorr,   ///< as afterok, but a task of an array waits for the same task of the other array alone
};
template <>
struct EnumNames<DependencyKind> {
  static constexpr std::string_view names[] = {"after", "afterany", "afterok", "afternotok", "singleton", "aftercorr"};
};

/// Slurm's NO_VAL: no task of an array is meant. SLURM_ARRAY_TASK_ID never has it.
inline constexpr std::uint32_t k_no_array_task = 4'294'967'294U;

/// The priority of a job that asked for none: it is computed.
inline constexpr std::uint32_t k_no_priority = k_no_array_task;

/// Slurm's number of no step: the whole job is meant.
inline constexpr std::uint32_t k_no_step = k_no_array_task;

/// What a job's --mail-type asks for: a set of these bits.
enum MailType : std::uint32_t {
  k_mail_begin = 1U << 0U,
  k_mail_end = 1U << 1U,
  k_mail_fail = 1U << 2U,
  k_mail_requeue = 1U << 3U,
  k_mail_time_limit = 1U << 4U,
  k_mail_time_90 = 1U << 5U,
  k_mail_time_80 = 1U << 6U,
  k_mail_time_50 = 1U << 7U,
  k_mail_invalid_dependency = 1U << 8U,
  k_mail_array_tasks = 1U << 9U,  ///< of an array, one mail for each task instead of one for all
  k_mail_stage_out = 1U << 10U,   ///< of burst buffers, which there are none of
};

struct Dependency {
  DependencyKind kind = DependencyKind::afterany;
  JobId job = {};                        ///< a job, or the id of a whole array; none with singleton
  std::uint32_t task = k_no_array_task;  ///< of that array; none: all of them
  Duration delay = {};                   ///< only of `after`

  friend bool operator==(const Dependency&, const Dependency&) = default;

  template <class Self, class V>
  static void visit(Self& s, V&& v) {
    v("kind", s.kind);
    v("job", s.job);
    v("task", s.task);
    v("delay", s.delay);
  }
};

/// first, first + step … up to `last`, which is one of them.
struct IndexRange {
  std::uint32_t first = 0;
  std::uint32_t last = 0;
  std::uint32_t step = 1;

  friend bool operator==(const IndexRange&, const IndexRange&) = default;

  template <class Self, class V>
  static void visit(Self& s, V&& v) {
    v("first", s.first);
    v("last", s.last);
    v("step", s.step);
  }
};

/// `--array=0-9:3,20%2`: ranges are ascending, and no index stands in two of them.
struct ArraySpec {
  std::vector<IndexRange> tasks;  ///< empty: no array
  std::uint32_t limit = 0;        ///< how many run at a time; 0: all

  friend bool operator==(const ArraySpec&, const ArraySpec&) = default;

  template <class Self, class V>
  static void visit(Self& s, V&& v) {
    v("tasks", s.tasks);
    v("limit", s.limit);
  }
};

}  // namespace virga

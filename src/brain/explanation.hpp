// Why a job is where it is: ranked reasons, what would help, and what it costs.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "base/enum_names.hpp"
#include "base/money.hpp"
#include "base/time.hpp"
#include "core/job.hpp"

namespace virga {

struct ExplainedReason {
  Reason reason = Reason::none;
  std::string text;  ///< one sentence with this job's own numbers
  std::string fix;   ///< what would remove it; empty if only waiting helps

  template <class Self, class V>
  static void visit(Self& s, V&& v) {
    v("reason", s.reason);
    v("text", s.text);
    v("fix", s.fix);
  }
};

/// How far an expected start can be relied on.
enum class Confidence : std::uint8_t {
  none,      ///< nobody can say: it is held, or what it waits for has no known end
  promise,   ///< nodes are kept for it from then on: no later job delays it, if what runs keeps its limits
  estimate,  ///< those before it are counted in as if all ran to their limits: mostly earlier, later if others cut in
};
template <>
struct EnumNames<Confidence> {
  static constexpr std::string_view names[] = {"none", "promise", "estimate"};
};

/// What one pool of its partition could do for a waiting job.
struct ExplainedOption {
  std::string pool;
  Time start = Time::never();  ///< if the whole gang came from this pool
  Money price;                 ///< that running it there adds to the bill; reserved nodes are paid for anyhow
  std::string text;
  std::string cluster = {};  ///< as that of the explanation

  template <class Self, class V>
  static void visit(Self& s, V&& v) {
    v("pool", s.pool);
    v("start", s.start);
    v("price", s.price);
    v("text", s.text);
    v("cluster", s.cluster);
  }
};

/// Where a gang's nodes lie on the fabric, and what its collectives are predicted to take there.
struct ExplainedPlacement {
  std::string pool;  ///< empty: the job has no nodes, only one, or the twin does not know their size
  std::uint32_t nodes = 0;
  std::uint32_t leaves = 0;
  std::uint32_t spines = 0;
  std::uint64_t bytes = 0;  ///< of the all-reduce: the model's gradients, 1 GiB where it is not known
  Duration all_reduce;
  std::string text;         ///< the same in a sentence
  std::string passed_over;  ///< which other placement would have been slower; empty: there was none to choose from

  template <class Self, class V>
  static void visit(Self& s, V&& v) {
    v("pool", s.pool);
    v("nodes", s.nodes);
    v("leaves", s.leaves);
    v("spines", s.spines);
    v("bytes", s.bytes);
    v("all_reduce", s.all_reduce);
    v("text", s.text);
    v("passed_over", s.passed_over);
  }
};

/// What the training that a job names in its comment would be like in one pool.
struct ExplainedTraining {
  std::string pool;
  Duration step;
  Duration run;  ///< for the tokens that it names; zero: it names none
  std::uint64_t tokens_per_second = 0;
  std::uint64_t memory_bytes = 0;  ///< of the fullest GPU
  std::string text;

  template <class Self, class V>
  static void visit(Self& s, V&& v) {
    v("pool", s.pool);
    v("step", s.step);
    v("run", s.run);
    v("tokens_per_second", s.tokens_per_second);
    v("memory_bytes", s.memory_bytes);
    v("text", s.text);
  }
};

struct Explanation {
  JobId job;
  JobState state = JobState::pending;
  std::vector<ExplainedReason> reasons;  ///< the one that matters most comes first
  std::uint32_t jobs_ahead = 0;          ///< pending jobs that are served before this one
  Time retry_at = Time::never();         ///< when the cloud is asked again, where a refusal is the reason
  Money price_per_hour;                  ///< of all its nodes, list price
  Time expected_start = Time::never();   ///< of a waiting job
  Confidence confidence = Confidence::none;
  Money expected_price;                     ///< list price until its time limit, or for an hour where it has none
  std::vector<ExplainedOption> options;     ///< of a waiting job, in the order of its partition
  ExplainedPlacement placement;             ///< of a job that has nodes, or the promise of them
  std::vector<ExplainedTraining> training;  ///< in its nodes' pool; of a waiting job in each that could hold it
  std::vector<std::string> warnings;        ///< of the budgets that it is charged to, and of the training that it names
  /// Of several clusters of Slurm, that of its nodes. The brain does not know: who tells it fills it in.
  std::string cluster;

  template <class Self, class V>
  static void visit(Self& s, V&& v) {
    v("job", s.job);
    v("state", s.state);
    v("reasons", s.reasons);
    v("jobs_ahead", s.jobs_ahead);
    v("retry_at", s.retry_at);
    v("price_per_hour", s.price_per_hour);
    v("expected_start", s.expected_start);
    v("confidence", s.confidence);
    v("expected_price", s.expected_price);
    v("options", s.options);
    v("placement", s.placement);
    v("training", s.training);
    v("warnings", s.warnings);
    v("cluster", s.cluster);
  }
};

}  // namespace virga

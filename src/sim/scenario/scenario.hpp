// What a scenario adds to a virga.toml: the jobs that arrive ([workload]), how the cloud bills ([billing]) and what
// goes wrong ([faults]).
//
//   Result<Scenario> scenario = parse_scenario(text, "eagle.toml");
//   Result<Config> config = parse_config(scenario->config_text, "eagle.toml", {});
//   std::vector<SimJob> jobs = make_workload(scenario->workload);       // sim/scenario/workload.hpp
//
// `config_text` is the same text without these sections; its line numbers are those of the file. All their mistakes are
// told at once, one a line: file:line:column: what is wrong; what would be right.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.hpp"
#include "base/time.hpp"
#include "sim/traces/trace.hpp"

namespace virga {

/// One kind of jobs: [workload.mix.NAME]
struct JobMix {
  std::string name;
  std::uint32_t weight = 1;      ///< of `weight` summed over all kinds, so many jobs are of this one
  std::uint32_t least_gpus = 1;  ///< a job takes a power of two from here …
  std::uint32_t most_gpus = 1;   ///< … to here, each equally often
  std::string partition;         ///< empty: the default one
  Duration median = Duration::minutes(30);
  Duration longest = Duration::minutes(24 * 60);
  std::uint32_t tail_percent = 50;  ///< the chance of each further doubling above the median (Pareto's tail)
  Duration checkpoint;              ///< how often a job saves its progress; zero: never
  bool requeue = true;
};

/// A recorded workload instead of a drawn one: [workload] with the key `trace`.
struct RecordedSpec {
  std::string file;  ///< empty: none
  UnitColumn unit_column = UnitColumn::gpus;
  std::uint32_t overlay = 1;
  std::uint32_t load_percent = 0;  ///< 0: as it was; else times are stretched until the machine's load is this
  Duration least_leaves_for;       ///< a job waits so long for nodes on as few leaves as can be
};

struct WorkloadSpec {
  RecordedSpec recorded;  ///< where it is one, only the seed counts of all that follows
  std::uint64_t seed = 1;
  Duration span = Duration::minutes(24 * 60);
  std::uint32_t jobs_per_day = 100;     ///< mean over the whole span
  std::uint32_t peak_hour = 14;         ///< of the day, when most jobs arrive
  std::uint32_t night_percent = 100;    ///< arrivals twelve hours from the peak, of those at the peak
  std::uint32_t weekend_percent = 100;  ///< arrivals on days 5 and 6 of each week, of those on others
  std::uint32_t gpus_per_node = 8;
  std::uint32_t users = 1;
  std::vector<std::string> tenants;      ///< users are dealt to them in turn
  std::uint32_t limit_over_percent = 0;  ///< limits are up to this much longer than the job
  std::vector<JobMix> mixes;             ///< in the order of the file
};

/// Mean times are for one thing of the kind; infinite: it does not happen.
struct FaultSpec {
  std::uint64_t seed = 1;
  Duration node_mtbf = Duration::infinite();
  Duration leaf_mtbf = Duration::infinite();
  Duration repair = Duration::minutes(240);
  std::uint32_t boot_failures_per_1000 = 0;
  std::uint32_t quota_percent = 100;  ///< of the nodes of a pool that is not reserved, the cloud allows so many
  Duration spot_eviction_mean = Duration::infinite();  ///< life of a spot VM
  Duration spot_notice = Duration::seconds(30);
  Duration stock_out_every = Duration::infinite();  ///< of a pool that is not reserved
  Duration stock_out_lasts = Duration::minutes(60);
  Duration throttle_every = Duration::infinite();
  Duration throttle_lasts = Duration::minutes(2);
};

struct Scenario {
  WorkloadSpec workload;
  FaultSpec faults;
  Duration billing_minimum;  ///< every VM is paid for so long, however soon it is given back
  std::string config_text;
};

/// Where the jobs come from: a trace needs no [workload].
enum class JobSource : std::uint8_t { workload, trace };

/// `file_name` is only for the messages. A text without [workload] is refused; one without [faults] has none.
Result<Scenario> parse_scenario(std::string_view text, const std::string& file_name,
                                JobSource source = JobSource::workload);

}  // namespace virga

// Slurm's words for dependencies, arrays and switches, both ways.
//
//   parse_dependencies("afterok:12:13_4,after:7+5");   dependencies_text(spec);    //
//   "afterok:12,afterok:13_4,after:7+5" parse_array("0-9:3,20%2");                         array_text(spec.array); //
//   "0-9:3,20%2" parse_switches("2@1:00:00");
//
// Grammars are those of sbatch(1), Slurm 22.05. Not taken over: aftercorr, afterburstbuffer and expand.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.hpp"
#include "core/array.hpp"
#include "core/job.hpp"

namespace virga {

struct DependencyList {
  std::vector<Dependency> all;
  bool any = false;  ///< separated by `?`: one of them is enough
};
Result<DependencyList> parse_dependencies(std::string_view text);
/// "" for none. With `?` between them where one is enough.
std::string dependencies_text(const JobSpec& spec);

/// Indices in any order and as often as one likes, as Slurm takes them; the result is ascending, each once.
Result<ArraySpec> parse_array(std::string_view text);
/// "0-9:3,20%2"; "" for no array.
std::string array_text(const ArraySpec& array);
/// Single indices in any order as ranges, ascending, each once.
std::vector<IndexRange> joined_ranges(const std::vector<IndexRange>& ranges);
/// "12_3" for a task of an array, else "12": how Slurm's users see a job.
std::string job_label(const Job& job);

/// What squeue calls the priority: that of the policy, or without one a number that falls with the job's; 0 while held.
/// "BEGIN,end,TIME_LIMIT_80": MailType bits; NONE takes all back. Nothing for a word that Slurm has not.
std::optional<std::uint32_t> parse_mail_types(std::string_view text);
/// "a:2,b:1": what a job asked for.
std::string shown_licenses(const JobSpec& spec);
/// The same as scontrol shows it: "BEGIN,END".
std::string mail_types_text(std::uint32_t types);

std::int64_t shown_priority(const Job& job);

/// What the job still waits for, as squeue tells it: "afterok:12(unfulfilled)"; "" once it waits for nobody.
std::string shown_dependencies(const Job& job);

/// The job's QOS; where it has none, what Slurm calls the one that everybody has.
std::string_view shown_qos(const JobSpec& spec);

struct SwitchLimit {
  std::uint32_t count = 0;
  Duration wait = Duration::infinite();
};
/// "2", "2@60" (minutes), "2@1:00:00".
Result<SwitchLimit> parse_switches(std::string_view text);

}  // namespace virga

// Jobs that run on Virga's nodes without having come through Virga: somebody gave them to the engine's own batch
// system.
//
//   NodeUpdated fact{engine_actor(), "nd1", true, foreign_reason({{50000017, "ada"}})};   // such a job is on the node
//   NodeUpdated over{engine_actor(), "nd1", false, ""};                                  // none is there any more
//
// They are a property of the VM, kept in its drain_reason, and not of the node's name: an operator's drain of the name
// stands beside it, and neither ends the other. While they last the VM takes no new job, and is not given back as idle.
#pragma once

#include <charconv>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "core/job.hpp"
#include "core/vm.hpp"

namespace virga {

struct ForeignJob {
  std::uint32_t id = 0;  ///< the batch system's
  std::string user;
  std::string cluster = {};  ///< of several batch systems, the one that it is in
  friend bool operator==(const ForeignJob&, const ForeignJob&) = default;
};

/// Whose facts about nodes these are. No user has such a name: it has a colon.
inline Actor engine_actor() { return {0, 0, "virgad:engine", true}; }
inline bool is_engine(const Actor& actor) { return actor.user == engine_actor().user; }

inline constexpr std::string_view k_foreign_prefix = "foreign: ";
/// A node has room for many; what is told of it has not.
inline constexpr std::size_t k_foreign_told_max = 32;

/// "foreign: job 50000017 of ada, job 50000021 of bob"; of several clusters: "foreign: job 50000017 of ada in west"
inline std::string foreign_reason(const std::vector<ForeignJob>& jobs) {
  std::string text(k_foreign_prefix);
  for (std::size_t i = 0; i < jobs.size() && i < k_foreign_told_max; ++i) {
    text += (i == 0 ? "job " : ", job ") + std::to_string(jobs[i].id) + " of " + jobs[i].user;
    if (!jobs[i].cluster.empty()) text += " in " + jobs[i].cluster;
  }
  return text;
}

inline bool is_foreign_reason(std::string_view reason) { return reason.starts_with(k_foreign_prefix); }

/// What foreign_reason() was made of; nothing of any other text.
inline std::vector<ForeignJob> foreign_jobs_of(std::string_view reason) {
  std::vector<ForeignJob> jobs;
  if (!is_foreign_reason(reason)) return jobs;
  reason.remove_prefix(k_foreign_prefix.size());
  constexpr std::string_view k_job = "job ";
  constexpr std::string_view k_of = " of ";
  constexpr std::string_view k_in = " in ";
  while (reason.starts_with(k_job)) {
    reason.remove_prefix(k_job.size());
    ForeignJob job;
    const auto read = std::from_chars(reason.data(), reason.data() + reason.size(), job.id);
    reason.remove_prefix(static_cast<std::size_t>(read.ptr - reason.data()));
    if (read.ec != std::errc() || !reason.starts_with(k_of)) break;
    reason.remove_prefix(k_of.size());
    const std::size_t end = reason.find(", ");
    const std::string_view whose = reason.substr(0, end);
    const std::size_t in = whose.find(k_in);  // users' names have no blanks
    job.user = whose.substr(0, in);
    if (in != std::string_view::npos) job.cluster = whose.substr(in + k_in.size());
    jobs.push_back(std::move(job));
    reason.remove_prefix(end == std::string_view::npos ? reason.size() : end + 2);
  }
  return jobs;
}

/// Whether such jobs are on the VM.
inline bool is_occupied(const Vm& vm) { return vm.drained && is_foreign_reason(vm.drain_reason); }

}  // namespace virga

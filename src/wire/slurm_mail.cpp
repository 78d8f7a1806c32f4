#include "wire/slurm_mail.hpp"

#include <fmt/format.h>

#include <algorithm>

#include "wire/slurm_json.hpp"
#include "wire/slurm_reasons.hpp"
#include "wire/slurm_text.hpp"

namespace virga {
namespace {

std::string_view event_text(MailType what) {
  switch (what) {
    case k_mail_begin:
      return "Began";
    case k_mail_end:
      return "Ended";
    case k_mail_fail:
      return "Failed";
    case k_mail_requeue:
      return "Requeued";
    case k_mail_time_limit:
      return "Reached time limit";
    case k_mail_time_90:
      return "Reached 90% of time limit";
    case k_mail_time_80:
      return "Reached 80% of time limit";
    case k_mail_time_50:
      return "Reached 50% of time limit";
    case k_mail_invalid_dependency:
      return "Invalid dependency";
    case k_mail_stage_out:
      return "Staged Out";
    case k_mail_array_tasks:
      break;
  }
  return "unknown";
}

std::string time_text(const Job& job, MailType what, Time now) {
  if (!job.started.is_set() || what == k_mail_invalid_dependency) return "";
  if (what == k_mail_begin) return ", Queued time " + long_duration_text(job.started - job.submitted);
  return ", Run time " + long_duration_text(job_run_time(job, now));
}

std::string end_text(const Job& job, MailType what) {
  if (what != k_mail_end && what != k_mail_fail) return "";
  std::string text = fmt::format(", {}", slurm_state(job));
  if (job.exit.signal == 0) text += fmt::format(", ExitCode {}", job.exit.code);
  return text;
}

/// A line break in a subject would begin a header of the sender's choice.
std::string one_line(std::string text) {
  for (char& c : text) {
    if (static_cast<unsigned char>(c) < 0x20 || c == 0x7F) c = '?';
  }
  return text;
}

}  // namespace

std::string mail_subject(const Job& job, MailType what, Time now) {
  const std::string_view event = event_text(what);
  const std::string name = one_line(job.spec->name);
  if (job.array_job && (job.spec->mail_types & k_mail_array_tasks) == 0) {
    return fmt::format("Slurm Array Summary Job_id={}_* ({}) Name={} {}", job.array_job.value, job.id.value, name,
                       event);
  }
  const std::string rest = time_text(job, what, now) + end_text(job, what);
  if (job.array_job) {
    return fmt::format("Slurm Array Task Job_id={}_{} ({}) Name={} {}{}", job.array_job.value, job.array_task,
                       job.id.value, name, event, rest);
  }
  return fmt::format("Slurm Job_id={} Name={} {}{}", job.id.value, name, event, rest);
}

std::string mail_receiver(const Job& job) { return job.spec->mail_user.empty() ? job.owner.user : job.spec->mail_user; }

bool is_mail_receiver(std::string_view text) {
  const auto is_safe = [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
           std::string_view("._+@%=-").find(c) != std::string_view::npos;
  };
  for (const std::string& address : split_list(text)) {
    if (address.front() == '-' || !std::all_of(address.begin(), address.end(), is_safe)) return false;
  }
  return !text.empty() && text.front() != ',';
}

}  // namespace virga

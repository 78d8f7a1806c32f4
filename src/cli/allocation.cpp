#include "cli/allocation.hpp"

#include <fmt/format.h>

#include <cstdlib>

#include "cli/cancel_on_signal.hpp"
#include "cli/messages.hpp"
#include "cli/submission.hpp"
#include "wire/api_bodies.hpp"

namespace virga {
namespace {

constexpr int k_short_ms = 3;
constexpr int k_long_ms = 15;
/// So many looks, a third of a second or less, are "at once".
constexpr int k_looks_at_once = 20;

bool has_begun(const Job& job) { return job.state != JobState::pending && job.state != JobState::configuring; }

}  // namespace

Result<Job> wait_for_allocation(Client& client, JobId id, const JobOptions& options,
                                const std::function<void(const std::string&)>& say) {
  const std::string job_path = fmt::format("/v1/jobs/{}", id.value);
  const int looks = options.immediate ? k_looks_at_once + static_cast<int>(options.immediate_seconds) * 1000 / k_long_ms
                                      : k_looks_at_once;
  for (int look = 0; look < looks; ++look) {
    Result<JobBody> now = client.get_as<JobBody>(job_path);
    if (!now) return unexpected(now.error());
    if (has_begun(now->job)) return now->job;
    CancelOnSignal::sleep_ms(look < k_looks_at_once / 2 ? k_short_ms : k_long_ms);
  }
  if (options.immediate) {
    (void)client.post_as<NoBody>(job_path + "/cancel", NoBody{}, Client::Retry::safe);
    return fail(Code::refused, "Requested nodes are busy");
  }
  say(fmt::format("job {} queued and waiting for resources", id.value));
  Result<JobBody> started = wait_for_job(client, id, false);
  if (!started) return unexpected(started.error());
  if (!is_final(started->job.state)) say(fmt::format("job {} has been allocated resources", id.value));
  return started->job;
}

int immediate_exit_code() {
  const char* text = std::getenv("SLURM_EXIT_IMMEDIATE");
  const int code = whole_number_or_zero(text != nullptr ? text : "");
  return code > 0 && code <= 255 ? code : k_exit_failure;
}

}  // namespace virga

#include "http/job_reads.hpp"

#include <algorithm>
#include <chrono>

#include "brain/fleet/health.hpp"

namespace virga {

Time api_now(const Brain& brain) {
  auto wall = std::chrono::system_clock::now().time_since_epoch();
  return std::max(brain.state().now, Time{std::chrono::duration_cast<std::chrono::nanoseconds>(wall).count()});
}

bool may_see_payload(const Actor& actor, const Job& job) { return actor.is_operator || actor.uid == job.owner.uid; }

bool may_see(const Actor& actor, const Job& job, const Config& config) {
  return config.open_queue || may_see_payload(actor, job);
}

Error no_such_job(JobId id) { return {Code::not_found, "Invalid job id specified: " + std::to_string(id.value)}; }

VmRecord record_so_far(const Vm& vm, const State& state, Time now) {
  VmRecord record;
  record.id = vm.id;
  record.name = vm.name;
  record.pool = vm.pool;
  record.granted = vm.granted;
  record.ready = vm.ready;
  record.reason = vm.release_reason;
  record.wasted_since = wasted_since(state, vm);
  if (const Pool* pool = state.find_pool(vm.pool)) {
    record.sku = pool->sku.name;
    if (vm.granted.is_set() && now > vm.granted) record.cost = price_for(pool->node_price(), now - vm.granted);
  }
  return record;
}

Result<Job> find_job(JobId id, const Actor& actor, Journal& journal, const Brain& brain) {
  const State& state = brain.state();
  auto it = state.jobs.find(id);
  if (it != state.jobs.end()) {
    if (!may_see(actor, it->second, state.config)) return unexpected(no_such_job(id));
    return it->second;
  }
  AccountQuery query;
  query.jobs = {id};
  Result<std::vector<Job>> archived = journal.archived_jobs(query);
  if (!archived) return unexpected(archived.error());
  auto newest = std::max_element(archived->begin(), archived->end(),
                                 [](const Job& a, const Job& b) { return a.incarnation < b.incarnation; });
  if (newest == archived->end() || !may_see(actor, *newest, state.config)) return unexpected(no_such_job(id));
  return std::move(*newest);
}

}  // namespace virga

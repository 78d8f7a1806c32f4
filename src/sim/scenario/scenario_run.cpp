#include "sim/scenario/scenario_run.hpp"

#include <algorithm>
#include <charconv>
#include <memory>
#include <utility>

#include "control/controller.hpp"
#include "sim/scenario/fault_injector.hpp"
#include "sim/scenario/run_recorder.hpp"
#include "sim/world/memory_journal.hpp"
#include "sim/world/sim_cloud.hpp"
#include "sim/world/sim_engine.hpp"

namespace virga {
namespace {

constexpr std::int64_t k_first_second = 1'799'020'800;  ///< a Monday: 2027-01-04T00:00:00Z
constexpr std::int64_t k_samples = 2'000;               ///< of the series, over the arrivals' span
constexpr std::uint64_t k_no_snapshot = std::uint64_t{1} << 60;
constexpr int k_steps_at_once_max = 100'000;
constexpr Duration k_limit_slack = Duration::minutes(1);  ///< starts and ends of processes count as run time

/// Notes what is asked for; else the cloud behind it.
class RecordingCloud : public Cloud {
 public:
  RecordingCloud(Cloud& inner, RunRecorder& recorder, const EventQueue& queue)
      : inner_(inner), recorder_(recorder), queue_(queue) {}

  void reserve(const ReserveGang& command, const std::function<std::string(const WantedVm&)>& user_data) override {
    recorder_.reserved(command, queue_.now());
    inner_.reserve(command, user_data);
  }
  void release(VmId vm) override { inner_.release(vm); }
  Result<std::vector<ListedVm>> list(const std::vector<KnownVm>& known) override { return inner_.list(known); }
  void adopt(VmId vm) override { inner_.adopt(vm); }
  Market market(const MarketQuery& query) override { return inner_.market(query); }

 private:
  Cloud& inner_;
  RunRecorder& recorder_;
  const EventQueue& queue_;
};

/// A job goes on from its last checkpoint; else the engine behind it.
class ResumingEngine : public Engine {
 public:
  ResumingEngine(Engine& inner, const RunRecorder& recorder) : inner_(inner), recorder_(recorder) {}

  std::string user_data(const WantedVm& vm, const Pool& pool) override { return inner_.user_data(vm, pool); }
  void attach(VmId vm, const std::string& pool) override { inner_.attach(vm, pool); }
  void detach(VmId vm) override { inner_.detach(vm); }
  void start(const StartJob& command, LaunchPayload payload) override {
    RunPlan plan = RunPlan::from(payload);
    plan.duration = plan.duration - recorder_.saved_of(command.job.id);
    plan.hangs_without_node = true;  // in its next collective, until the cloud tells that the node is gone
    inner_.start(command, plan.payload());
  }
  void signal(const SignalJob& command) override { inner_.signal(command); }
  void end(const EndJob& command) override { inner_.end(command); }
  void forget(const ForgetJob& command) override { inner_.forget(command); }

 private:
  Engine& inner_;
  const RunRecorder& recorder_;
};

/// The uid behind "user17".
Actor actor_of(const SimJob& job) {
  std::uint32_t number = 0;
  const std::size_t digits = std::min(job.user.find_first_of("0123456789"), job.user.size());
  std::from_chars(job.user.data() + digits, job.user.data() + job.user.size(), number);
  return {10'000 + number, 10'000 + number, job.user, false};
}

class ScenarioWorld {
 public:
  ScenarioWorld(const ScenarioInput& input, RunRecord& record);

  Status run();
  ScenarioStats stats() const { return {disk_.history.size(), recorder_.refusals()}; }

 private:
  void prepare_pools();
  void submit_next();
  void sample_again();
  void hear(const Event& event);
  Status turn();
  bool over() const { return stuck_ || (next_job_ == input_.jobs.size() && waiting_answers_ == 0 && open_jobs_ == 0); }
  void add_boot_failures();

  const ScenarioInput& input_;
  RunRecord& record_;
  const PoolLayout layout_;
  RunRecorder recorder_;
  EventQueue queue_;
  SimClock clock_;
  LenderFaults lender_;
  const DeliveryFaults delivery_;  // none: what goes wrong on the way is for the seeds
  Machines machines_;
  Processes processes_;
  JournalDisk disk_;
  Controller controller_;
  SimCloud sim_cloud_;
  SimEngine sim_engine_;
  RecordingCloud cloud_;
  ResumingEngine engine_;
  FaultInjector faults_;
  std::unique_ptr<Journal> journal_;
  Duration sample_step_;
  Time last_arrival_;
  std::size_t next_job_ = 0;
  std::size_t waiting_answers_ = 0;
  std::size_t open_jobs_ = 0;
  bool stuck_ = false;                 ///< all jobs that are left are held
  std::vector<std::string> messages_;  ///< of the controller
};

ScenarioWorld::ScenarioWorld(const ScenarioInput& input, RunRecord& record)
    : input_(input),
      record_(record),
      layout_(input.config),
      recorder_(input.config, layout_, record),
      queue_(Time::from_seconds(k_first_second)),
      clock_(queue_),
      machines_(queue_, input.faults.seed + 1, lender_),
      processes_(queue_, machines_, input.faults.seed + 2),
      sim_cloud_(queue_, machines_, input.faults.seed + 3, delivery_, controller_),
      sim_engine_(queue_, processes_, input.faults.seed + 4, delivery_, controller_),
      cloud_(sim_cloud_, recorder_, queue_),
      engine_(sim_engine_, recorder_),
      faults_({queue_, machines_, lender_, controller_}, input_.config, layout_, input.faults) {
  record_.from = queue_.now();
  last_arrival_ = queue_.now() + (input_.jobs.back().submit - Time{});
  sample_step_ = std::max(Duration::minutes(1), Duration{(last_arrival_ - record_.from).ns / k_samples});
}

/// How fast machines boot: half of them within the pool's boot_time.
void ScenarioWorld::prepare_pools() {
  for (const Pool& pool : input_.config.pools) {
    PoolTraits& traits = machines_.traits(pool.name);
    traits.boot_median = pool.boot_time.ns > 0 ? pool.boot_time : Duration{pool.boot_timeout.ns / 3};
    traits.boot_min = {traits.boot_median.ns / 2};
    traits.boot_tail =
        std::max(traits.boot_median, std::min(traits.boot_median * 3, Duration{pool.boot_timeout.ns / 20 * 19}));
    traits.leaf_size = std::max(pool.fabric.nodes_per_leaf, 1U);
  }
}

void ScenarioWorld::submit_next() {
  const SimJob& job = input_.jobs[next_job_++];
  JobSpec spec = spec_of(input_.config, job);
  ++waiting_answers_;
  controller_.request(JobSubmitted{actor_of(job), spec, ""}, RunPlan{.duration = job.duration}.payload(),
                      [this, &job, spec](Result<std::uint64_t> answer, const Brain&) {
                        --waiting_answers_;
                        if (!answer) return recorder_.refused(job, answer.error().message);
                        ++open_jobs_;
                        recorder_.accepted({static_cast<std::uint32_t>(*answer)}, job, spec, queue_.now());
                      });
  if (next_job_ == input_.jobs.size()) return;
  queue_.at(record_.from + (input_.jobs[next_job_].submit - Time{}), [this] { submit_next(); });
}

void ScenarioWorld::sample_again() {
  controller_.view([this](const Brain& brain) {
    recorder_.sample(brain.state());
    stuck_ = next_job_ == input_.jobs.size() && RunRecorder::all_held(brain.state());
  });
  queue_.after(sample_step_, [this] { sample_again(); });
}

void ScenarioWorld::hear(const Event& event) {
  if (const auto* e = std::get_if<GangGranted>(&event.body)) {
    std::vector<Time> billed_since;
    for (const VmId vm : recorder_.vms_of(e->gang)) {
      const Machine* machine = machines_.find(vm);
      billed_since.push_back(machine != nullptr ? machine->created : event.at);
    }
    recorder_.granted(e->gang, billed_since);
  } else if (const auto* refused = std::get_if<GangRefused>(&event.body)) {
    recorder_.refused(refused->gang);
  } else if (const auto* ready = std::get_if<VmReady>(&event.body)) {
    recorder_.ready(ready->vm, event.at);
  } else if (const auto* evicting = std::get_if<VmEvicting>(&event.body)) {
    recorder_.evicting(evicting->vm);
  }
}

/// The controller takes what has arrived and what is due.
Status ScenarioWorld::turn() {
  for (int steps = 0; controller_.step_now(); ++steps) {
    if (steps > k_steps_at_once_max) {
      return fail(Code::internal, input_.name + ": the controller has always something to do, and no time passes");
    }
  }
  return {};
}

void ScenarioWorld::add_boot_failures() {
  for (const auto& [id, account] : disk_.vms) {
    recorder_.released(account);
    const bool own_will = account.reason == "idle" || account.reason == "evicted";
    if (account.ready.is_set() || own_will || faults_.killed(id)) continue;
    recorder_.fault({account.released, "boot failure", account.name + ": " + account.reason});
  }
}

Status ScenarioWorld::run() {
  journal_ = *open_memory_journal(disk_);
  disk_.on_job_record = [this](const Job& account, const Job*) {
    if (recorder_.ended(account)) --open_jobs_;
  };
  faults_.on_fault = [this](const FaultRecord& fault) { recorder_.fault(fault); };
  controller_.log_to([this](const std::string& line) { messages_.push_back(line); });
  controller_.snapshot_every(k_no_snapshot);
  controller_.listen([this](Seq, const Event& event) { hear(event); });
  prepare_pools();
  faults_.start();
  Status recovered = controller_.recover({journal_.get(), &cloud_, &engine_, &clock_}, input_.config);
  if (!recovered) return recovered;
  if (!messages_.empty()) return fail(Code::internal, input_.name + ": " + messages_.front());
  queue_.at(record_.from + (input_.jobs.front().submit - Time{}), [this] { submit_next(); });
  sample_again();
  const Time deadline = last_arrival_ + (last_arrival_ - record_.from) * 2 + Duration::minutes(60 * 24 * 60);
  while (!over()) {
    const Time next = std::min(queue_.next_time(), controller_.next_deadline());
    if (next > deadline) break;
    if (queue_.next_time() <= next) {
      queue_.run_one();
    } else {
      queue_.jump_to(next);
    }
    if (Status turned = turn(); !turned) return turned;
  }
  record_.to = queue_.now();
  add_boot_failures();
  controller_.view([this](const Brain& brain) { recorder_.finish(brain.state()); });
  return turn();
}

}  // namespace

JobSpec spec_of(const Config& config, const SimJob& job) {
  JobSpec spec;
  spec.name = job.user;
  spec.account = job.tenant;
  spec.work_dir = "/";
  spec.partition = job.partition;
  spec.nodes = job.nodes;
  spec.tasks = job.nodes;
  spec.requeue = job.requeue;
  spec.time_limit = job.limit + k_limit_slack;
  spec.per_node.gpus = job.gpus_per_node;
  spec.exclusive = job.gpus_per_node == 0;
  const auto partition = std::find_if(config.partitions.begin(), config.partitions.end(), [&](const Partition& p) {
    return job.partition.empty() ? p.is_default : p.name == job.partition;
  });
  if (partition == config.partitions.end()) return spec;  // refused, which is told
  spec.partition = partition->name;
  spec.time_limit = std::min(spec.time_limit, partition->max_time);
  bool first = true;
  for (const Pool& pool : config.pools) {
    const Resources& has = pool.sku.resources;
    const bool in = std::find(partition->pools.begin(), partition->pools.end(), pool.name) != partition->pools.end();
    if (in && job.least_leaves_for > Duration{} && pool.fabric.nodes_per_leaf > 0) {
      const std::uint32_t leaf = pool.fabric.nodes_per_leaf;
      spec.switches = std::max(spec.switches, (job.nodes + leaf - 1) / leaf);
      spec.switches_wait = job.least_leaves_for;
    }
    if (!in || has.gpus < job.gpus_per_node || has.gpus == 0) continue;
    const auto share = [&](std::uint64_t all) { return all / has.gpus * job.gpus_per_node; };
    const auto cpus = static_cast<std::uint32_t>(share(has.cpus));
    spec.per_node.cpus = first ? cpus : std::min(spec.per_node.cpus, cpus);
    spec.per_node.memory_bytes =
        first ? share(has.memory_bytes) : std::min(spec.per_node.memory_bytes, share(has.memory_bytes));
    first = false;
  }
  return spec;
}

Result<RunRecord> run_scenario(const ScenarioInput& input, ScenarioStats* stats) {
  RunRecord record;
  record.name = input.name;
  record.seed = input.seed;
  record.version = VIRGA_VERSION;
  record.traces = input.traces;
  record.billing_minimum = input.billing_minimum;
  record.skipped = input.skipped;
  record.policy = std::string(name_of(input.config.scheduler.backfill)) + " backfill, " +
                  std::string(name_of(input.config.scheduler.policy));
  if (input.jobs.empty()) return fail(Code::invalid, input.name + ": no job to simulate");
  ScenarioWorld world(input, record);
  if (Status ran = world.run(); !ran) return unexpected(ran.error());
  if (record.jobs.empty()) {
    return fail(Code::invalid, input.name + ": none of its jobs can run here: " + record.skipped.back().example);
  }
  if (stats != nullptr) *stats = world.stats();
  return record;
}

}  // namespace virga

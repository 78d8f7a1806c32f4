#include "engines/slurm/accounts.hpp"

#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <charconv>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <set>
#include <utility>

#include "engines/slurm/adoption.hpp"
#include "wire/command.hpp"
#include "wire/replace_file.hpp"

namespace virga::slurm {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

/// slurmctld passes on what it hears of steps and jobs within this, if nothing is in the way.
constexpr milliseconds k_first_pause{300};
constexpr milliseconds k_between{1'000};
constexpr milliseconds k_pause_most{30'000};
constexpr milliseconds k_pause_most_at_first{3'000};
/// sacct gives up a slurmdbd that hangs after 45 s.
constexpr seconds k_limit{60};
/// Steps of a node that was lost never end there. What is not there at all after so long does not come.
constexpr seconds k_whole_within{60};
constexpr seconds k_there_within{600};
/// The journal has it by then.
constexpr seconds k_kept_for{60};
constexpr std::size_t k_ids_at_once = 500;
constexpr std::size_t k_steps_most = 1'000;

constexpr const char* k_columns = "JobIDRaw,State,ExitCode,Start,End,NNodes,NTasks,UserCPU,SystemCPU,MaxRSS,JobName";
constexpr std::size_t k_column_count = 11;

template <class Number>
std::optional<Number> number_of(std::string_view text) {
  Number number{};
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (error != std::errc() || end != text.data() + text.size() || text.empty()) return std::nullopt;
  return number;
}

std::vector<std::string_view> split(std::string_view text, std::string_view mark) {
  std::vector<std::string_view> parts;
  for (;;) {
    const std::size_t at = text.find(mark);
    parts.push_back(text.substr(0, at));
    if (at == std::string_view::npos) return parts;
    text.remove_prefix(at + mark.size());
  }
}

JobState state_of(std::string_view text) {
  text = text.substr(0, text.find(' '));  // "CANCELLED by 1000"
  if (text == "COMPLETED") return JobState::completed;
  if (text == "TIMEOUT" || text == "DEADLINE") return JobState::timeout;
  if (text == "NODE_FAIL" || text == "BOOT_FAIL") return JobState::node_fail;
  if (text == "FAILED" || text == "OUT_OF_MEMORY") return JobState::failed;
  return JobState::cancelled;  // also one of which no end is known
}

ExitStatus exit_of(std::string_view text) {
  const std::size_t colon = std::min(text.find(':'), text.size());
  return {number_of<std::uint32_t>(text.substr(0, colon)).value_or(0),
          number_of<std::uint32_t>(text.substr(std::min(colon + 1, text.size()))).value_or(0)};
}

/// SLURM_TIME_FORMAT makes them seconds; "Unknown" stays.
Time time_of(std::string_view text) {
  const auto seconds = number_of<std::int64_t>(text);
  return seconds && *seconds > 0 ? Time::from_seconds(*seconds) : Time{};
}

}  // namespace

std::optional<Duration> parse_cpu_time(std::string_view text) {
  std::int64_t days = 0;
  if (const std::size_t dash = text.find('-'); dash != std::string_view::npos) {
    const auto whole = number_of<std::int64_t>(text.substr(0, dash));
    if (!whole) return std::nullopt;
    days = *whole;
    text.remove_prefix(dash + 1);
  }
  std::int64_t millis = 0;
  if (const std::size_t point = text.find('.'); point != std::string_view::npos) {
    const auto part = number_of<std::int64_t>(text.substr(point + 1));
    if (!part || text.size() - point != 4) return std::nullopt;
    millis = *part;
    text = text.substr(0, point);
  }
  std::int64_t sum = 0;
  const auto parts = split(text, ":");
  if (parts.size() < 2 || parts.size() > 3) return std::nullopt;
  for (const std::string_view part : parts) {
    const auto value = number_of<std::int64_t>(part);
    if (!value) return std::nullopt;
    sum = sum * 60 + *value;
  }
  return Duration{((days * 86'400 + sum) * 1'000 + millis) * 1'000'000};
}

std::vector<std::string> sacct_arguments(const std::vector<std::uint32_t>& ids, const std::string& mark) {
  return {"sacct",
          "--parsable2",
          "--noheader",
          "--noconvert",
          "--delimiter=" + mark,
          fmt::format("--jobs={}", fmt::join(ids, ",")),
          std::string("--format=") + k_columns};
}

std::map<std::uint32_t, AccountedJob> parse_accounts(std::string_view text, const std::string& mark) {
  std::map<std::uint32_t, AccountedJob> jobs;
  std::set<std::uint32_t> open;
  std::set<std::uint32_t> there;
  for (const std::string_view line : split(text, "\n")) {
    const auto fields = split(line, mark);
    if (fields.size() != k_column_count) continue;  // the rest of a name that has a newline
    const std::size_t dot = std::min(fields[0].find('.'), fields[0].size());
    const auto id = number_of<std::uint32_t>(fields[0].substr(0, dot));
    if (!id) continue;
    AccountedJob& job = jobs[*id];
    const std::string_view part = fields[0].substr(std::min(dot + 1, fields[0].size()));
    if (part.empty()) there.insert(*id);
    if (!time_of(fields[4]).is_set()) open.insert(*id);
    Usage usage;
    usage.user_cpu = parse_cpu_time(fields[7]).value_or(Duration{});
    usage.system_cpu = parse_cpu_time(fields[8]).value_or(Duration{});
    usage.max_rss_bytes = number_of<std::uint64_t>(fields[9]).value_or(0);
    if (part == "batch") job.usage = usage;
    const auto number = number_of<std::uint32_t>(part);
    if (!number || job.steps.size() >= k_steps_most) continue;  // the job itself; "batch", "extern"
    Step step;
    step.id = *number;
    step.state = state_of(fields[1]);
    step.exit = exit_of(fields[2]);
    step.started = time_of(fields[3]);
    step.ended = time_of(fields[4]);
    step.nodes = number_of<std::uint32_t>(fields[5]).value_or(0);
    step.tasks = number_of<std::uint32_t>(fields[6]).value_or(0);
    step.usage = usage;
    step.name = fields[10];
    job.steps.push_back(std::move(step));
  }
  for (auto& [id, job] : jobs) {
    job.whole = there.contains(id) && !open.contains(id);
    std::stable_sort(job.steps.begin(), job.steps.end(), [](const Step& a, const Step& b) { return a.id < b.id; });
    for (Step& step : job.steps) {
      if (!step.ended.is_set()) step.ended = step.started;
    }
  }
  return jobs;
}

Accounts::Accounts(AccountsOptions options, EventSink& sink) : options_(std::move(options)), sink_(sink) {
  load();
  thread_ = std::thread([this] { loop(); });
}

Accounts::~Accounts() {
  {
    const std::lock_guard lock(mutex_);
    stopping_ = true;
  }
  changed_.notify_all();
  thread_.join();
}

std::string Accounts::path_of(const JobKey& key) const {
  return fmt::format("{}/{}.{}", options_.folder, key.job.value, key.incarnation);
}

void Accounts::load() {
  std::error_code ignored;
  std::filesystem::create_directories(options_.folder, ignored);
  for (const auto& entry : std::filesystem::directory_iterator(options_.folder, ignored)) {
    const std::string name = entry.path().filename();
    const std::size_t dot = std::min(name.find('.'), name.size());
    const auto job = number_of<std::uint32_t>(std::string_view(name).substr(0, dot));
    const auto incarnation = number_of<std::uint32_t>(std::string_view(name).substr(std::min(dot + 1, name.size())));
    std::ifstream file(entry.path());
    std::uint32_t id = 0;
    if (!job || !incarnation || !(file >> id)) continue;
    asked_[{{*job}, *incarnation}] = {id, Clock::now(), Clock::now(), k_first_pause, false};
  }
}

Status Accounts::note(const JobKey& key, std::uint32_t id) {
  if (Status noted = replace_file(path_of(key), std::to_string(id) + "\n", 0600, Durable::yes); !noted) return noted;
  {
    const std::lock_guard lock(mutex_);
    asked_[key] = {id, Clock::now(), Clock::now() + k_first_pause, k_first_pause, false};
  }
  changed_.notify_all();
  return {};
}

void Accounts::loop() {
  for (;;) {
    {
      std::unique_lock lock(mutex_);
      const auto none = Clock::time_point::max();
      for (;;) {
        if (stopping_) return;
        auto next = none;
        for (const auto& [key, asked] : asked_) next = std::min(next, asked.due);
        if (next != none) next = std::max(next, not_before_);
        if (next <= Clock::now()) break;
        if (next == none) {
          changed_.wait(lock);
        } else {
          changed_.wait_until(lock, next);
        }
      }
    }
    const std::vector<std::uint32_t> ids = take_due();
    const bool answered = ids.empty() || ask(ids);
    const std::lock_guard lock(mutex_);
    retry_after_ = answered ? milliseconds{0} : std::clamp(retry_after_ * 2, k_between, k_pause_most);
    not_before_ = Clock::now() + std::max(retry_after_, ids.empty() ? milliseconds{0} : k_between);
  }
}

/// What is due to be asked for; files that are no longer needed go.
std::vector<std::uint32_t> Accounts::take_due() {
  const std::lock_guard lock(mutex_);
  std::vector<std::uint32_t> ids;
  for (auto it = asked_.begin(); it != asked_.end();) {
    const Asked& asked = it->second;
    const bool due = asked.due <= Clock::now();
    if (due && asked.told) {
      unlink(path_of(it->first).c_str());
      it = asked_.erase(it);
      continue;
    }
    if (due && ids.size() < k_ids_at_once) ids.push_back(asked.id);
    ++it;
  }
  return ids;
}

bool Accounts::ask(const std::vector<std::uint32_t>& ids) {
  const std::string mark = random_mark();
  std::vector<std::string> environment = options_.environment;
  environment.emplace_back("SLURM_TIME_FORMAT=%s");
  const CommandEnd end = run_command(sacct_arguments(ids, mark), environment, k_limit);
  if (!end.ok()) {
    if (!std::exchange(trouble_told_, true)) {
      options_.say("the usage of jobs is told later, as Slurm's accounts do not answer: " + end.why());
    }
    if (Status kept = options_.keep(); !kept) options_.say(kept.error().message);
    start_anew();
    return false;
  }
  if (std::exchange(trouble_told_, false)) options_.say("Slurm's accounts answer again");
  tell(parse_accounts(end.out, mark), ids);
  return true;
}

/// A slurmdbd that comes back is told by slurmctld first, which looks for it every some seconds.
void Accounts::start_anew() {
  const std::lock_guard lock(mutex_);
  for (auto& [key, entry] : asked_) {
    if (!entry.told) entry.since = Clock::now();
  }
}

void Accounts::tell(const std::map<std::uint32_t, AccountedJob>& known, const std::vector<std::uint32_t>& asked) {
  const std::lock_guard lock(mutex_);
  for (auto& [key, entry] : asked_) {
    if (entry.told || std::find(asked.begin(), asked.end(), entry.id) == asked.end()) continue;
    const auto job = known.find(entry.id);
    const auto waited = Clock::now() - entry.since;
    if (job != known.end() && (job->second.whole || waited > k_whole_within)) {
      sink_.post(JobAccounted{key.job, key.incarnation, job->second.usage, job->second.steps});
      entry.told = true;
      entry.due = Clock::now() + k_kept_for;
    } else if (job == known.end() && waited > k_there_within) {
      entry.told = true;
      entry.due = Clock::now();
    } else {
      entry.due = Clock::now() + entry.pause;
      entry.pause = std::min(entry.pause * 2, waited < k_whole_within ? k_pause_most_at_first : k_pause_most);
    }
  }
}

}  // namespace virga::slurm

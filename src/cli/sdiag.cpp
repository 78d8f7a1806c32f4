// sdiag: what the scheduler does. Virga counts jobs; cycles of a scheduler and messages it has none of, and shows
// zeros.
#include <fmt/format.h>

#include <ctime>

#include "cli/client.hpp"
#include "cli/command_registry.hpp"
#include "cli/lookups.hpp"
#include "cli/messages.hpp"
#include "cli/setters.hpp"
#include "cli/slurm_commands.hpp"
#include "cli/submission.hpp"
#include "wire/api_bodies.hpp"

namespace virga {
namespace {

struct SdiagOptions {
  std::vector<std::string> clusters;
  bool help = false;
  bool usage = false;
  bool version = false;
};
using O = SdiagOptions;

constexpr const char* k_no_messages = "there are no remote procedure calls to sort";
constexpr Option<O> k_table[] = {
    {{"all", 'a', Takes::nothing, Support::quiet, "", "all statistics"}},
    {{"cluster", 'M', Takes::value, Support::done, "names", "this cluster, or all"}, set_list<&O::clusters>},
    {{"clusters", 'M', Takes::value, Support::done, "names", "this cluster, or all"}, set_list<&O::clusters>},
    {{"help", 'h', Takes::nothing, Support::done, "", "this text"}, set_flag<&O::help>},
    {{"reset", 'r', Takes::nothing, Support::refused, "", "what Virga counts is its journal's"}},
    {{"sort-by-id", 'i', Takes::nothing, Support::quiet, "", k_no_messages}},
    {{"sort-by-time", 't', Takes::nothing, Support::quiet, "", k_no_messages}},
    {{"sort-by-time2", 'T', Takes::nothing, Support::quiet, "", k_no_messages}},
    {{"usage", 0, Takes::nothing, Support::done, "", "one line about each option"}, set_flag<&O::usage>},
    {{"version", 'V', Takes::nothing, Support::done, "", "print the version"}, set_flag<&O::version>},
};
constexpr InputVariable k_variables[] = {
    {"SLURM_CLUSTERS", "clusters"},
    {"SLURM_CONF", "", Support::ignored, "Virga is configured by virga.toml"},
};
constexpr CommandInfo k_sdiag = {"sdiag", "[OPTIONS]", 1};

std::string date_of(std::time_t at) {
  std::tm broken{};
  ::localtime_r(&at, &broken);
  char text[64];
  const std::size_t size = std::strftime(text, sizeof text, "%a %b %d %H:%M:%S %Y", &broken);
  return fmt::format("{} ({})", std::string_view(text, size), static_cast<std::int64_t>(at));
}

std::string report(const StatusBody& status, std::time_t now) {
  const auto count = [&](std::initializer_list<const char*> states) {
    std::uint64_t sum = 0;
    for (const char* state : states) {
      const auto found = status.jobs.find(state);
      if (found != status.jobs.end()) sum += found->second;
    }
    return sum;
  };
  std::uint64_t all = status.jobs_archived;
  for (const auto& [state, jobs] : status.jobs) all += jobs;
  const std::uint64_t pending = count({"PENDING"});
  const std::uint64_t running = count({"RUNNING", "COMPLETING", "CONFIGURING"});
  const std::string stars(55, '*');
  std::string text = fmt::format(
      "{0}\nsdiag output at {1}\nData since      {2}\n{0}\n"
      "Server thread count:  1\nAgent queue size:     0\nAgent count:          0\nAgent thread count:   0\n"
      "DBD Agent queue size: 0\n\n"
      "Jobs submitted: {3}\nJobs started:   {4}\nJobs completed: {5}\nJobs canceled:  {6}\nJobs failed:    {7}\n\n"
      "Job states ts:  {1}\nJobs pending:   {8}\nJobs running:   {9}\n",
      stars, date_of(now), date_of(now - static_cast<std::time_t>(status.uptime_seconds.whole_seconds())), all,
      all - pending, count({"COMPLETED"}), count({"CANCELLED"}),
      count({"FAILED", "TIMEOUT", "NODE_FAIL", "OUT_OF_MEMORY", "BOOT_FAIL"}), pending, running);
  text +=
      "\nMain schedule statistics (microseconds):\n\tLast cycle:   0\n\tMax cycle:    0\n\tTotal cycles: 0\n"
      "\tLast queue length: " +
      std::to_string(pending) + "\n";
  text +=
      "\nBackfilling stats\n\tTotal backfilled jobs (since last slurm start): 0\n"
      "\tTotal backfilled jobs (since last stats cycle start): 0\n"
      "\tTotal backfilled heterogeneous job components: 0\n\tTotal cycles: 0\n\tLast cycle when: N/A\n"
      "\tLast cycle: 0\n\tMax cycle:  0\n\tLast depth cycle: 0\n\tLast depth cycle (try sched): 0\n"
      "\tLast queue length: 0\n\tLast table size: 0\n"
      "\nLatency for 1000 calls to gettimeofday(): 0 microseconds\n";
  text += "\nRemote Procedure Call statistics by message type\n\nRemote Procedure Call statistics by user\n";
  return text + "\nPending RPC statistics\n\tNo pending RPCs\n";
}

}  // namespace

int sdiag_main(int argc, char** argv) {
  SdiagOptions options;
  const std::span<const Option<O>> table(k_table);
  if (Status ok =
          apply_variables(k_sdiag, table, std::span<const InputVariable>(k_variables), environment_variable, options);
      !ok) {
    return option_failure(k_sdiag, ok.error());
  }
  Result<std::vector<std::string>> operands =
      parse_options(k_sdiag, table, arguments_of(argc, argv), options, {.stop_at_operand = false});
  if (!operands) return option_failure(k_sdiag, operands.error());
  if (answer_about_itself(k_sdiag, rows_of(table), options.version, options.help, options.usage)) return k_exit_ok;
  Result<Client> client = Client::from_environment();
  if (!client) return failed("sdiag", client.error());
  if (Status ok = check_clusters(*client, options.clusters); !ok) return failed("sdiag", ok.error());
  Result<StatusBody> status = client->get_as<StatusBody>("/v1/status");
  if (!status) return failed("sdiag", status.error());
  return print_out(report(*status, std::time(nullptr))) ? k_exit_ok : k_exit_failure;
}

CommandTable sdiag_command() {
  return {k_sdiag,
          "what the scheduler does",
          rows_of(std::span<const Option<O>>(k_table)),
          {std::begin(k_variables), std::end(k_variables)}};
}

}  // namespace virga

// The commands of Slurm that Virga has not built yet. Their options are known, so that nobody takes one for a typing
// error; all but the questions about the command itself are refused.
#include "cli/command_registry.hpp"
#include "cli/messages.hpp"

namespace virga {
namespace {

constexpr auto nothing = Takes::nothing;
constexpr auto value = Takes::value;
constexpr auto optional = Takes::optional;

struct Bare {
  const char* name;
  char letter;
  Takes takes;
};

constexpr Bare k_sstat[] = {
    {"allsteps", 'a', nothing},   {"fields", 'o', value},      {"format", 'o', value},      {"help", 'h', nothing},
    {"helpformat", 'e', nothing}, {"jobs", 'j', value},        {"noconvert", 0, nothing},   {"noheader", 'n', nothing},
    {"parsable", 'p', nothing},   {"parsable2", 'P', nothing}, {"pidformat", 'i', nothing}, {"usage", 0, nothing},
    {"verbose", 'v', nothing},    {"version", 'V', nothing},
};
constexpr Bare k_strigger[] = {
    {"backup_slurmctld_assumed_control", 'C', nothing},
    {"backup_slurmctld_failure", 'B', nothing},
    {"backup_slurmctld_resumed_operation", 'c', nothing},
    {"burst_buffer", 0, nothing},
    {"clear", 0, nothing},
    {"cluster", 'M', value},
    {"clusters", 'M', value},
    {"down", 'd', nothing},
    {"drained", 'D', nothing},
    {"fail", 'F', nothing},
    {"fini", 'f', nothing},
    {"flags", 0, value},
    {"front_end", 0, nothing},
    {"get", 0, nothing},
    {"help", 0, nothing},
    {"id", 'i', value},
    {"idle", 'I', nothing},
    {"jobid", 'j', value},
    {"node", 'n', optional},
    {"noheader", 'N', nothing},
    {"offset", 'o', value},
    {"primary_database_failure", 'h', nothing},
    {"primary_database_resumed_operation", 'H', nothing},
    {"primary_slurmctld_acct_buffer_full", 'e', nothing},
    {"primary_slurmctld_failure", 'a', nothing},
    {"primary_slurmctld_resumed_control", 'b', nothing},
    {"primary_slurmctld_resumed_operation", 'A', nothing},
    {"primary_slurmdbd_failure", 'g', nothing},
    {"primary_slurmdbd_resumed_operation", 'G', nothing},
    {"program", 'p', value},
    {"quiet", 'Q', nothing},
    {"reconfig", 'r', nothing},
    {"set", 0, nothing},
    {"time", 't', nothing},
    {"up", 'u', nothing},
    {"usage", 0, nothing},
    {"user", 0, value},
    {"verbose", 'v', nothing},
    {"version", 'V', nothing},
};
constexpr Bare k_sattach[] = {
    {"debugger-test", 0, nothing}, {"error-filter", 0, value}, {"help", 'h', nothing},      {"input-filter", 0, value},
    {"label", 'l', nothing},       {"layout", 0, nothing},     {"output-filter", 0, value}, {"pty", 0, nothing},
    {"quiet", 'Q', nothing},       {"usage", 'u', nothing},    {"verbose", 'v', nothing},   {"version", 'V', nothing},
};
constexpr Bare k_sbcast[] = {
    {"compress", 'C', optional}, {"exclude", 0, value},   {"fanout", 'F', value},     {"force", 'f', nothing},
    {"help", 0, nothing},        {"jobid", 'j', value},   {"preserve", 'p', nothing}, {"send-libs", 0, optional},
    {"size", 's', value},        {"timeout", 't', value}, {"usage", 0, nothing},      {"verbose", 'v', nothing},
    {"version", 'V', nothing},
};
constexpr Bare k_scrontab[] = {
    {"", 'e', nothing},
    {"", 'l', nothing},
    {"", 'r', nothing},
    {"", 'u', value},
};
constexpr Bare k_sreport[] = {
    {"all_clusters", 'a', nothing},
    {"cluster", 'M', value},
    {"federation", 0, nothing},
    {"help", 'h', nothing},
    {"immediate", 0, nothing},
    {"local", 0, nothing},
    {"noheader", 'n', nothing},
    {"parsable", 'p', nothing},
    {"parsable2", 'P', nothing},
    {"quiet", 'Q', nothing},
    {"sort", 0, nothing},
    {"tres", 'T', value},
    {"usage", 'h', nothing},
    {"verbose", 'v', nothing},
    {"version", 'V', nothing},
    {"", 's', value},
    {"", 't', value},
};

bool answers(std::string_view name) { return name == "help" || name == "usage" || name == "version"; }

template <std::size_t N>
CommandTable bare_command(const CommandInfo& info, const char* summary, const Bare (&options)[N]) {
  CommandTable table{info, summary, {}, {}, false};
  for (const Bare& option : options) {
    const bool done = answers(option.name);
    table.rows.push_back({option.name, option.letter, option.takes, done ? Support::done : Support::refused,
                          option.takes == Takes::nothing ? "" : "value",
                          done ? "about the command itself" : "Virga does not have this command yet"});
  }
  return table;
}

}  // namespace

std::vector<CommandTable> unbuilt_commands() {
  return {
      bare_command({"sstat", "[OPTIONS] -j <job(.step)>"}, "what running steps use", k_sstat),
      bare_command({"strigger", "{--set|--get|--clear} [OPTIONS]"}, "programs that run when something happens",
                   k_strigger),
      bare_command({"sattach", "[OPTIONS] <jobid.stepid>"}, "attach to the output of a running step", k_sattach),
      bare_command({"sbcast", "[OPTIONS] SOURCE DEST"}, "copy a file to the nodes of a job", k_sbcast),
      bare_command({"scrontab", "[OPTIONS] [FILE]"}, "jobs that are submitted at given times", k_scrontab),
      bare_command({"sreport", "[OPTIONS] [COMMAND]"}, "reports of usage", k_sreport),
  };
}

int unbuilt_main(const CommandTable& command, int argc, char** argv) {
  for (int i = 1; i < argc && std::string_view(argv[i]).starts_with("-"); ++i) {
    const std::string_view word = argv[i];
    for (const OptionInfo& row : command.rows) {
      if (row.support != Support::done) continue;
      if (word != shown_name(row) && (row.letter == 0 || word != std::string{'-', row.letter})) continue;
      const std::string_view name = row.name;
      answer_about_itself(command.info, command.rows, name == "version", name == "help", name == "usage");
      return k_exit_ok;
    }
  }
  return failed(command.info.name, {Code::invalid, "Virga does not have this command yet"});
}

}  // namespace virga

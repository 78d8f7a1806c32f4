#include "cli/command_registry.hpp"

#include <algorithm>

namespace virga {

const std::vector<CommandTable>& command_tables() {
  static const std::vector<CommandTable> tables = [] {
    std::vector<CommandTable> all = {sbatch_command(),  salloc_command(), srun_command(),  squeue_command(),
                                     scancel_command(), sinfo_command(),  sacct_command(), scontrol_command(),
                                     sprio_command(),   sshare_command(), sdiag_command(), sacctmgr_command()};
    std::vector<CommandTable> unbuilt = unbuilt_commands();
    all.insert(all.end(), unbuilt.begin(), unbuilt.end());
    // A program's rows come as its man page has them: by name, capitals beside their small letters.
    for (CommandTable& table : all) {
      std::stable_sort(table.rows.begin(), table.rows.end(), [](const OptionInfo& a, const OptionInfo& b) {
        return std::string_view(a.name) < std::string_view(b.name);
      });
    }
    return all;
  }();
  return tables;
}

const CommandTable* command_table(std::string_view name) {
  for (const CommandTable& table : command_tables()) {
    if (name == table.info.name) return &table;
  }
  return nullptr;
}

}  // namespace virga

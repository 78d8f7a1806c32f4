// All of Slurm's commands with their options: what help, man pages, completion and docs/slurm-compatibility.md are
// made of, and what tests hold against Slurm's own programs.
//
//   for (const CommandTable& command : command_tables()) …
//   const CommandTable* table = command_table("squeue");
#pragma once

#include <string_view>
#include <vector>

#include "cli/options.hpp"

namespace virga {

/// In the order in which users meet them.
const std::vector<CommandTable>& command_tables();
/// Null: Slurm has no such command.
const CommandTable* command_table(std::string_view name);

// Each command's own file has its table.
CommandTable sbatch_command();
CommandTable salloc_command();
CommandTable srun_command();
CommandTable squeue_command();
CommandTable scancel_command();
CommandTable sinfo_command();
CommandTable sacct_command();
CommandTable scontrol_command();
CommandTable sprio_command();
CommandTable sshare_command();
CommandTable sdiag_command();
CommandTable sacctmgr_command();
/// Those that Virga has not built yet: their rows are refused.
std::vector<CommandTable> unbuilt_commands();

/// A command that is not built: --help, --usage and --version answer, the rest says that there is none yet.
int unbuilt_main(const CommandTable& command, int argc, char** argv);

}  // namespace virga

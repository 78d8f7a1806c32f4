#include "cli/slurm_commands.hpp"

#include "cli/command_registry.hpp"

namespace virga {

bool run_slurm_command(const std::string& name, int argc, char** argv, const std::string& bin_dir, int& exit_code) {
  if (name == "sbatch")
    exit_code = sbatch_main(argc, argv);
  else if (name == "salloc")
    exit_code = salloc_main(argc, argv, bin_dir);
  else if (name == "srun")
    exit_code = srun_main(argc, argv, bin_dir);
  else if (name == "squeue")
    exit_code = squeue_main(argc, argv);
  else if (name == "sinfo")
    exit_code = sinfo_main(argc, argv);
  else if (name == "scancel")
    exit_code = scancel_main(argc, argv);
  else if (name == "sacct")
    exit_code = sacct_main(argc, argv);
  else if (name == "scontrol")
    exit_code = scontrol_main(argc, argv);
  else if (name == "sprio")
    exit_code = sprio_main(argc, argv);
  else if (name == "sshare")
    exit_code = sshare_main(argc, argv);
  else if (name == "sdiag")
    exit_code = sdiag_main(argc, argv);
  else if (name == "sacctmgr")
    exit_code = sacctmgr_main(argc, argv);
  else if (const CommandTable* command = command_table(name); command != nullptr)
    exit_code = unbuilt_main(*command, argc, argv);
  else
    return false;
  return true;
}

}  // namespace virga

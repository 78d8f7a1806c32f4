// Slurm's commands as functions: argv[0] is only for messages. Each returns the process's exit code.
#pragma once

#include <string>

namespace virga {

int sbatch_main(int argc, char** argv);
int salloc_main(int argc, char** argv, const std::string& bin_dir);
int srun_main(int argc, char** argv, const std::string& bin_dir);
int squeue_main(int argc, char** argv);
int sinfo_main(int argc, char** argv);
int scancel_main(int argc, char** argv);
int sacct_main(int argc, char** argv);
int scontrol_main(int argc, char** argv);
int sprio_main(int argc, char** argv);
int sshare_main(int argc, char** argv);
int sdiag_main(int argc, char** argv);
int sacctmgr_main(int argc, char** argv);

/// Is it a Slurm command's name? Then runs it and puts its exit code into `exit_code`.
bool run_slurm_command(const std::string& name, int argc, char** argv, const std::string& bin_dir, int& exit_code);

}  // namespace virga

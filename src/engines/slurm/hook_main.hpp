// What Slurm runs of ours.
//
//   virga-node slurm-hook HOME CLUSTER [NAME]
//                                        EpilogSlurmctld: notes how a job ended, and wakes the engine
//   virga-node slurm-prolog HOME PARTITION [NAME]
//                                        Prolog: on a node with a /tmp of its own, brings in the job's folder; of a job
//                                        in PARTITION, which came past Virga, it tells the engine
//
// NAME is that of the cluster in HOME, where it is not the first one.
//
// Neither ever fails, as Slurm would take that for a fault of the job or of the node: what the hook could not tell, the
// engine's sweep finds.
#pragma once

namespace virga {
namespace slurm {

/// What the engine's socket gets where something happened to a job that is not Virga's; anything else: to one that is.
inline constexpr char k_foreign_poke = 'f';

}  // namespace slurm

int virga_node_slurm_hook_main(int argc, char** argv);
int virga_node_slurm_prolog_main(int argc, char** argv);

}  // namespace virga

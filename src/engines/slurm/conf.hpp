// slurm.conf of a cluster that Virga raises, as text; and of one that exists, as its nodes of ours need it.
//
//   write("slurm.conf", conf_text({.cluster = "virga", .host = "ctl", .address = "127.0.0.1", …}));
//
// Virga decides, Slurm executes: nodes are dynamic (slurmd -Z), a job comes bound to nodes that exist and have room, so
// nothing is left to schedule; Slurm never requeues; time limits are Virga's. Names and values are those of Slurm 22.05
// (slurm.conf(5)).
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "engines/slurm/listing.hpp"

namespace virga::slurm {

struct ConfSettings {
  std::string cluster;
  std::string host;     ///< name of the controller's machine
  std::string address;  ///< where who reads this file finds it
  std::uint16_t port = 0;
  std::string user;    ///< whom slurmctld and slurmd run as
  std::string folder;  ///< of the cluster's state; see slurm_cluster.hpp for what lies in it
  std::string partition;
  std::uint16_t accounts_port = 0;  ///< of slurmdbd; 0: there is none
  bool confines = false;            ///< processes and devices, by control groups (confinement.hpp)
  bool direct_jobs_wait = false;    ///< those that come past Virga are not begun
};

/// Where jobs that come past Virga end up unless they ask for another partition, beside the one of Virga's own.
std::string direct_partition(const std::string& partition);

std::string conf_text(const ConfSettings& settings);

/// What nodes of ours need of a site's slurm.conf: it finds the controller at `address`, and what a slurmd writes lies
/// in `folder`, as several run on one machine.
std::string node_conf_of_site(std::string_view text, const std::string& address, const std::string& folder);

/// Of a slurm.conf, such as "gpu" of "GresTypes=gpu"; "" where it says nothing of that.
std::string conf_value(std::string_view text, std::string_view key);

/// What srun reads inside a job: the nodes' configuration, with the addresses of ours. Slurm tells srun those of
/// dynamic nodes as long as slurmctld is not restarted (22.05); then a job that went on could start no step.
std::string job_conf(std::string_view node_conf, const std::vector<SlurmNode>& nodes);

/// Ended jobs stay in Slurm's memory for so long.
inline constexpr int k_min_job_age_s = 600;

}  // namespace virga::slurm

// slurmdbd and its MariaDB, for a cluster that Virga raises: both on this machine, in the cluster's folder, with a
// socket that root and MariaDB's own user alone can reach. They outlive this process, like the cluster's other daemons.
//
//   Database database{cluster.folder(), port, "root"};
//   database.prepare();                  // slurmdbd.conf
//   database.keep();                     // both run; started if they do not
//   stop_database(folder);
//
// In the folder: slurmdbd.conf, slurmdbd.pid, and db/ (MariaDB's files, its socket and pid file).
#pragma once

#include <cstdint>
#include <string>

#include "base/result.hpp"

namespace virga::slurm {

/// Whether this machine has both, or what is missing.
Status find_database();

struct Database {
  std::string folder;  ///< of the cluster
  std::uint16_t port = 0;
  std::string user;  ///< whom slurmctld and slurmdbd run as

  Status prepare() const;
  /// MUNGE must run. Waits until both answer. From any thread.
  Status keep() const;

 private:
  Status start_mariadb() const;
  Status start_slurmdbd() const;
};

/// slurmdbd first, which writes down what it was told.
void stop_database(const std::string& folder);

}  // namespace virga::slurm

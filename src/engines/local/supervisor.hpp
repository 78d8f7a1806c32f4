// A supervisor: one small process between the agent and the processes of one batch script, or of one step on one node.
//
// The agent forks it (no exec). It is a child subreaper, so everything its job starts stays below it; it opens files
// and starts programs as the job's user, and may block in that without holding up the agent; it tells the agent how the
// launch went (LaunchAnswer, batch only) and, as its last word, BoundEnded: by then no process of it is left. When the
// agent dies, it ends its processes.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "engines/local/health_desk.hpp"
#include "engines/local/notice_watch.hpp"
#include "wire/agent_protocol.hpp"
#include "wire/frame_channel.hpp"
#include "wire/identity.hpp"
#include "wire/metadata_client.hpp"
#include "wire/slurm_env.hpp"

namespace virga {

/// What the agent knows of itself.
struct AgentSettings {
  Home home;
  VmId vm;
  std::string node_name;
  std::string cluster_name;
  std::string bin_dir;
  bool own_files = false;   ///< the node shares no files: storage is mounted, and users are added, as they are needed
  std::string checkpoints;  ///< the folder of all jobs' checkpoints
  std::optional<MetadataClient> metadata;  ///< the cloud's metadata service, if this node has one
  NoticeTimes notice_times;
  std::optional<HealthSettings> health;  ///< how the node is checked, if it is
};

EnvironmentSite site_of(const AgentSettings& settings, const JobBinding& binding);

/// These run in the forked child, and end it. They close every descriptor that is not theirs.
[[noreturn]] void run_batch_supervisor(FrameChannel agent, const AgentSettings& settings, const LaunchJob& launch);
[[noreturn]] void run_step_supervisor(FrameChannel agent, FrameChannel client, const AgentSettings& settings,
                                      const JobBinding& binding, const StartTasks& start);

/// Makes the job's checkpoint folder, if it is the one that Virga has chosen.
Status prepare_checkpoint_dir(const AgentSettings& settings, const JobBinding& binding,
                              const std::vector<std::string>& environment);
/// On a node with files of its own, for a step: makes the user's home folder, and the checkpoint folder of an
/// allocation, whose client cannot know where nodes keep checkpoints.
void settle_in(const AgentSettings& settings, const JobBinding& binding, std::vector<std::string>& environment);
/// Removes it again if the job has put nothing there: a hundred thousand empty folders would help nobody.
/// Where checkpoints lie on storage, which may not answer, that is left to who saves what the job wrote.
void drop_empty_checkpoint_dir(const AgentSettings& settings, JobId job);
/// Where the job's script lies while it runs. One file and no folder: making and removing folders was a sixth of the
/// whole cost of a short job (ext4 looks at every inode that was freed in the last seconds).
std::string script_path_of(const AgentSettings& settings, JobId job);
/// What the host cloud wants every process of this node to carry (VIRGA_VM …), from our own environment.
std::vector<std::string> with_node_variables(std::vector<std::string> environment);
/// Enters the job's working directory as its user, or else /tmp. Returns what to tell the user about that, or "".
std::string enter_work_dir(const std::string& path, const JobIdentity& identity);
/// Closes all but 0, 1, 2 and `kept` (ascending).
void close_descriptors_except(const std::vector<int>& kept);

}  // namespace virga

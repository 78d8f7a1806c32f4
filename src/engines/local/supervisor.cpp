// What both kinds of supervisors share.
#include "engines/local/supervisor.hpp"

#include <dirent.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <cstring>

#include "engines/local/node_users.hpp"
#include "wire/host_tmp.hpp"

namespace virga {

EnvironmentSite site_of(const AgentSettings& settings, const JobBinding& binding) {
  return {.home = settings.home,
          .checkpoints = settings.checkpoints,
          .cluster_name = settings.cluster_name,
          .bin_dir = settings.bin_dir,
          .submit_host = binding.submit_host,
          .home_dir = binding.home_dir,
          .shell = binding.shell};
}

Status prepare_checkpoint_dir(const AgentSettings& settings, const JobBinding& binding,
                              const std::vector<std::string>& environment) {
  std::string path = settings.checkpoints + "/" + std::to_string(binding.job.id.value);
  if (checkpoint_dir(settings.checkpoints, binding.job.id, environment) != path) return {};
  mkdir(settings.checkpoints.c_str(), 0711);
  if (mkdir(path.c_str(), 0700) == 0) {
    if (lchown(path.c_str(), binding.job.owner.uid, binding.job.owner.gid) == 0) return {};
  } else if (errno == EEXIST) {
    return {};
  }
  return fail(Code::internal, "cannot make the checkpoint folder " + path + ": " + std::strerror(errno));
}

std::vector<std::string> with_node_variables(std::vector<std::string> environment) {
  Environment out(std::move(environment));
  for (const char* name : {"VIRGA_VM", "VIRGA_NODE_NAME", "VIRGA_NODE_ADDRESS"}) {
    if (const char* value = std::getenv(name)) out.set(name, value);
  }
  return out.take();
}

void settle_in(const AgentSettings& settings, const JobBinding& binding, std::vector<std::string>& environment) {
  if (!settings.own_files) return;
  make_home_folder(binding);
  const std::string here = "/" + std::to_string(binding.job.id.value);
  Environment variables(environment);
  if (variables.value("VIRGA_CHECKPOINT_DIR") != settings.home.checkpoints() + here) return;
  variables.set("VIRGA_CHECKPOINT_DIR", settings.checkpoints + here);
  environment = variables.take();
  if (Status made = prepare_checkpoint_dir(settings, binding, environment); !made) {
    std::fprintf(stderr, "virga-node agent: %s\n", made.error().message.c_str());
  }
}

void drop_empty_checkpoint_dir(const AgentSettings& settings, JobId job) {
  if (settings.own_files) return;
  rmdir((settings.checkpoints + "/" + std::to_string(job.value)).c_str());
}

std::string script_path_of(const AgentSettings& settings, JobId job) {
  return settings.home.spool() + "/job" + std::to_string(job.value) + ".slurm_script";
}

std::string enter_work_dir(const std::string& path, const JobIdentity& identity) {
  // A failure shows in chdir(), with the reason that matters to the user.
  (void)expose_from_host_tmp(path);
  ActAs user(identity);
  if (chdir(path.c_str()) == 0) return "";
  std::string why = std::strerror(errno);
  if (chdir("/tmp") != 0 && chdir("/") != 0) return "cannot enter any folder";
  return "couldn't chdir to `" + path + "': " + why + ": going to /tmp instead";
}

void close_descriptors_except(const std::vector<int>& kept) {
  unsigned next = 3;
  bool done = true;
  for (int fd : kept) {
    auto keep = static_cast<unsigned>(fd);
    if (keep > next) done = done && close_range(next, keep - 1, 0) == 0;
    next = keep + 1;
  }
  if (close_range(next, ~0U, 0) == 0 && done) return;
  // A kernel without close_range(): every agent descriptor is close-on-exec, so nothing leaks into programs, but a
  // connection that a sibling keeps open would never look closed to its other end.
  for (int fd = 3, limit = static_cast<int>(sysconf(_SC_OPEN_MAX)); fd < limit; ++fd) {
    bool keep = false;
    for (int k : kept) keep = keep || k == fd;
    if (!keep) close(fd);
  }
}

}  // namespace virga

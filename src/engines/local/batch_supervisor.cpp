// Runs a job's batch script on the first node: files, working directory, environment, the script itself, its end.
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <ctime>
#include <optional>

#include "engines/local/node_users.hpp"
#include "engines/local/offspring.hpp"
#include "engines/local/supervisor.hpp"
#include "wire/host_tmp.hpp"
#include "wire/output_pattern.hpp"
#include "wire/program.hpp"

namespace virga {
namespace {

constexpr int k_farewell_ms_max = 5000;

std::string folder_of(const std::string& path) { return path.substr(0, path.rfind('/')); }

/// The first line's interpreter: "#!/bin/sh -e" is "/bin/sh".
std::string interpreter_of(const std::string& script) {
  if (!script.starts_with("#!")) return "";
  std::size_t start = script.find_first_not_of(" \t", 2);
  std::size_t end = script.find_first_of(" \t\r\n", start);
  return start == std::string::npos ? "" : script.substr(start, end == std::string::npos ? end : end - start);
}

/// How slurmstepd names the cause of an end that the job did not bring about itself.
std::string_view slurm_cause(Reason why) {
  switch (why) {
    case Reason::time_limit:
      return " DUE TO TIME LIMIT";
    case Reason::node_failure:
      return " DUE TO NODE FAILURE";
    default:
      return "";
  }
}

class BatchSupervisor {
 public:
  BatchSupervisor(FrameChannel agent, const AgentSettings& settings, const LaunchJob& launch)
      : agent_(std::move(agent)),
        settings_(settings),
        launch_(launch),
        job_(launch.binding.job),
        key_(launch.binding.key()),
        identity_(identity_of(launch.binding)),
        script_path_(script_path_of(settings, key_.job)) {}

  void run();

 private:
  Status start();
  Status write_script();
  Status open_files();
  Result<int> open_output(const std::string& path) const;
  std::string path_of(const std::string& pattern) const;
  std::string exec_failure(const StartedProgram& child, const ProgramStart& request) const;
  void complain(const std::string& text) const;
  void handle(const AgentMessage& message);
  void serve();

  FrameChannel agent_;
  const AgentSettings& settings_;
  const LaunchJob& launch_;
  const Job& job_;
  JobKey key_;
  JobIdentity identity_;
  std::string script_path_;
  Offspring offspring_;
  int in_ = -1;
  int out_ = -1;
  int err_ = -1;
  pid_t script_ = -1;
  bool script_ended_ = false;
  bool told_cancelled_ = false;
  ExitStatus exit_;
};

/// The script's file belongs to the user: he may read and run it, but nobody else.
Status BatchSupervisor::write_script() {
  auto failed = [&](const char* what) {
    return fail(Code::internal, "cannot " + std::string(what) + " " + script_path_ + ": " + std::strerror(errno));
  };
  mkdir(settings_.home.spool().c_str(), 0711);
  unlink(script_path_.c_str());  // of an incarnation whose node died
  int fd = open(script_path_.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0700);
  if (fd < 0) return failed("create");
  const std::string& text = launch_.payload.script;
  std::size_t done = 0;
  while (done < text.size()) {
    ssize_t n = write(fd, text.data() + done, text.size() - done);
    if (n < 0 && errno == EINTR) continue;
    if (n <= 0) break;
    done += static_cast<std::size_t>(n);
  }
  bool owned = fchown(fd, identity_.uid, identity_.gid) == 0;
  bool whole = done == text.size();
  if (close(fd) != 0 || !whole) return failed("write");
  return owned ? Status() : failed("hand over");
}

std::string BatchSupervisor::path_of(const std::string& pattern) const {
  OutputNames names = output_names_of(job_);
  names.node = settings_.node_name;
  std::string path = expand_output_pattern(pattern, names);
  return path.starts_with("/") ? path : job_.spec->work_dir + "/" + path;
}

Result<int> BatchSupervisor::open_output(const std::string& path) const {
  (void)expose_from_host_tmp(folder_of(path));
  ActAs user(identity_);
  mode_t before = umask(static_cast<mode_t>(launch_.payload.umask));
  int fd = open(path.c_str(),
                O_WRONLY | O_CREAT | O_CLOEXEC | O_NOCTTY | O_APPEND | (job_.spec->append_output ? 0 : O_TRUNC), 0666);
  int error = errno;
  umask(before);
  if (fd >= 0) return fd;
  return fail(Code::invalid, "cannot write the output file '" + path + "' as user " + job_.owner.user + ": " +
                                 std::strerror(error) + " (name a file in an existing, writable folder with --output)");
}

Status BatchSupervisor::open_files() {
  std::string in = job_.spec->std_in.empty() ? "/dev/null" : path_of(job_.spec->std_in);
  if (in != "/dev/null") (void)expose_from_host_tmp(folder_of(in));
  {
    ActAs user(identity_);
    in_ = open(in.c_str(), O_RDONLY | O_CLOEXEC | O_NOCTTY);
  }
  if (in_ < 0) return fail(Code::invalid, "cannot read the input file '" + in + "': " + std::strerror(errno));
  std::string out =
      path_of(job_.spec->std_out.empty() ? std::string(default_output_pattern(job_)) : job_.spec->std_out);
  std::string err = job_.spec->std_err.empty() ? out : path_of(job_.spec->std_err);
  auto opened = open_output(out);
  if (!opened) return unexpected(opened.error());
  err_ = out_ = *opened;
  if (err == out) return {};
  opened = open_output(err);
  if (!opened) return unexpected(opened.error());
  err_ = *opened;
  return {};
}

/// One line in the job's error file, in the form that users know from Slurm.
void BatchSupervisor::complain(const std::string& text) const {
  std::string line = "slurmstepd: error: " + text + "\n";
  if (err_ >= 0) (void)!write(err_, line.data(), line.size());
}

std::string BatchSupervisor::exec_failure(const StartedProgram& child, const ProgramStart& request) const {
  std::string why = std::strerror(child.error);
  if (!child.in_exec) return "cannot become user " + job_.owner.user + ": " + why;
  std::string interpreter = interpreter_of(launch_.payload.script);
  if (child.error == E2BIG) {
    std::size_t bytes = 0;
    for (const auto& text : request.argv) bytes += text.size() + 1;
    for (const auto& text : request.environment) bytes += text.size() + 1;
    return "the environment and the script's arguments are too long for the system: " + std::to_string(bytes) +
           " bytes in " + std::to_string(request.environment.size()) +
           " variables (submit with --export=NONE, or fewer)";
  }
  if (child.error == ENOEXEC) return "the script does not start with '#!' and an interpreter, such as '#!/bin/bash'";
  if (child.error == ENOENT || child.error == ENOTDIR) {
    return "the script's interpreter '" + interpreter + "' does not exist on node " + settings_.node_name;
  }
  if (child.error == EACCES) return "the script's interpreter '" + interpreter + "' cannot be executed: " + why;
  return "cannot execute the script: " + why;
}

Status BatchSupervisor::start() {
  if (settings_.own_files) make_home_folder(launch_.binding);
  std::string note = enter_work_dir(job_.spec->work_dir, identity_);
  // As in Slurm, a missing folder only moves the script to /tmp; relative names of output files stay where they point.
  if (Status ok = open_files(); !ok) return ok;
  if (!note.empty()) complain(note);
  if (Status ok = write_script(); !ok) return ok;
  if (Status ok = prepare_checkpoint_dir(settings_, launch_.binding, launch_.payload.environment); !ok) return ok;
  ProgramStart request;
  request.path = script_path_;
  request.argv = {request.path};
  request.argv.insert(request.argv.end(), launch_.payload.arguments.begin(), launch_.payload.arguments.end());
  request.environment =
      with_node_variables(batch_environment(job_, launch_.payload.environment, site_of(settings_, launch_.binding)));
  request.in = in_;
  request.out = out_;
  request.err = err_;
  request.identity = identity_;
  request.umask = static_cast<mode_t>(launch_.payload.umask);
  request.pid_variable = "SLURM_TASK_PID";
  StartedProgram child = start_program(request);
  if (child.pid < 0) {
    std::string why = exec_failure(child, request);
    complain(why);
    return fail(Code::invalid, why);
  }
  script_ = child.pid;
  return {};
}

void BatchSupervisor::handle(const AgentMessage& message) {
  if (const auto* signal = std::get_if<SignalBound>(&message)) {
    if (signal->whole_job) offspring_.signal_all(static_cast<int>(signal->signal));
    if (signal->batch_shell_only && !signal->whole_job && !script_ended_)
      kill(script_, static_cast<int>(signal->signal));
  } else if (const auto* end = std::get_if<EndBound>(&message)) {
    if (!told_cancelled_ && !script_ended_) {
      char when[32];
      std::time_t now = std::time(nullptr);
      std::strftime(when, sizeof(when), "%Y-%m-%dT%H:%M:%S", std::localtime(&now));
      complain("*** JOB " + std::to_string(key_.job.value) + " ON " + settings_.node_name + " CANCELLED AT " + when +
               std::string(slurm_cause(end->why)) + " ***");
      told_cancelled_ = true;
    }
    if (end->signal == SIGKILL) {
      offspring_.kill_all();
    } else {
      offspring_.signal_all(static_cast<int>(end->signal));
    }
  }
}

void BatchSupervisor::serve() {
  for (;;) {
    offspring_.reap([this](pid_t pid, int status) {
      if (pid != script_) return;
      script_ended_ = true;
      exit_ = exit_status_of(status);
    });
    if (!offspring_.any()) return;
    if (script_ended_) offspring_.kill_all();
    pollfd fds[2] = {{offspring_.signal_fd(), POLLIN, 0}, {agent_.fd(), agent_.poll_events(), 0}};
    if (poll(fds, agent_.broken() ? 1 : 2, offspring_.timeout_ms()) <= 0 || agent_.broken()) continue;
    if ((fds[1].revents & POLLOUT) != 0) agent_.flush();
    if ((fds[1].revents & ~POLLOUT) == 0) continue;
    bool alive = agent_.receive();
    for (auto message = agent_.next(); message && *message; message = agent_.next()) handle(**message);
    if (!alive) offspring_.kill_all();
  }
}

void BatchSupervisor::run() {
  Status started = start();
  if (!started) {
    const bool at_fault = started.error().code == Code::invalid;
    agent_.send(LaunchAnswer{key_, false, started.error().message, at_fault});
  } else {
    agent_.send(LaunchAnswer{key_, true, "", true});
    serve();
  }
  (void)!chdir("/");
  unlink(script_path_.c_str());
  drop_empty_checkpoint_dir(settings_, key_.job);
  agent_.send(BoundEnded{key_, exit_, offspring_.usage()});
  while (agent_.unsent() > 0 && !agent_.broken()) {
    pollfd fd{agent_.fd(), POLLOUT, 0};
    if (poll(&fd, 1, k_farewell_ms_max) <= 0) break;
    agent_.flush();
  }
}

}  // namespace

[[noreturn]] void run_batch_supervisor(FrameChannel agent, const AgentSettings& settings, const LaunchJob& launch) {
  close_descriptors_except({agent.fd()});
  prctl(PR_SET_NAME, "virga-batch", 0, 0, 0);
  {
    BatchSupervisor supervisor(std::move(agent), settings, launch);
    supervisor.run();
  }
  _exit(0);
}

}  // namespace virga

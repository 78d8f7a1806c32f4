// Runs the tasks of one step on one node, and carries their input, output and signals to and from srun.
//
// Back-pressure all the way: when srun does not read, the tasks' pipes fill up and the tasks wait; input is sent by
// srun only as far as all tasks took it. Signals and ends pass by, as they do not queue behind input.
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <functional>

#include "engines/local/offspring.hpp"
#include "engines/local/step_task.hpp"
#include "engines/local/supervisor.hpp"
#include "engines/local/task_binding.hpp"
#include "engines/local/task_scripts.hpp"
#include "wire/program.hpp"

namespace virga {
namespace {

constexpr std::size_t k_output_chunk_bytes = 32 * 1024;
constexpr std::size_t k_unsent_bytes_max = 1 << 20;
constexpr std::size_t k_prolog_bytes_max = 1 << 20;
constexpr std::size_t k_input_bytes_max = 4 << 20;  // srun's window is smaller

class StepSupervisor {
 public:
  StepSupervisor(FrameChannel agent, FrameChannel client, const AgentSettings& settings, const JobBinding& binding,
                 const StartTasks& start)
      : agent_(std::move(agent)),
        client_(std::move(client)),
        settings_(settings),
        binding_(binding),
        start_(start),
        environment_(with_node_variables(start.environment)),
        identity_(identity_of(binding)) {}

  void run();

 private:
  void start_tasks();
  void prepare_task(std::uint32_t number, std::uint32_t local_index);
  void start_prolog(Task& task);
  void prolog_ended(Task& task, int wait_status);
  void read_prolog(Task& task);
  void run_task(Task& task);
  void start_epilog(Task& task);
  void epilog_ended(Task& task, int wait_status);
  void child_ended(Task& task, int wait_status);
  void task_over(Task& task, TaskEnded end);
  StartedProgram start_script(const std::string& path, const Task& task, int out);
  ProgramStart start_of(const Task& task) const;
  void kill_all();
  void complain(std::uint32_t task, const std::string& text);
  void handle_agent(const AgentMessage& message);
  void handle_client(const AgentMessage& message);
  void serve_once();
  void read_output(Task& task, int stream);
  void write_input(Task& task);
  void account_input();
  bool over();

  template <class Handler>
  void receive(FrameChannel& channel, Handler handler);

  FrameChannel agent_;
  FrameChannel client_;
  const AgentSettings& settings_;
  const JobBinding& binding_;
  const StartTasks& start_;
  std::vector<std::string> environment_;
  JobIdentity identity_;
  Offspring offspring_;
  const std::vector<std::uint32_t> usable_ = usable_cpus();
  std::vector<Task> tasks_;
  std::string input_;            ///< what some task has not taken yet
  std::size_t input_start_ = 0;  ///< position of input_'s first byte
  bool input_over_ = false;
  bool killing_ = false;
  bool told_agent_ = false;
  bool told_gone_ = false;
  bool agent_gone_ = false;
  bool client_gone_ = false;
};

void StepSupervisor::complain(std::uint32_t task, const std::string& text) {
  client_.send(TaskOutput{task, 2, "slurmstepd-" + settings_.node_name + ": error: " + text + "\n"});
}

/// What all programs of a task have in common.
ProgramStart StepSupervisor::start_of(const Task& task) const {
  ProgramStart request;
  request.environment = task.environment;
  request.pid_variable = "SLURM_TASK_PID";
  request.identity = identity_;
  request.umask = static_cast<mode_t>(start_.umask);
  return request;
}

void StepSupervisor::prepare_task(std::uint32_t number, std::uint32_t local_index) {
  Task task;
  task.number = number;
  task.local_index = local_index;
  task.environment = environment_;
  for (std::string& variable : task_variables(number, local_index)) task.environment.push_back(std::move(variable));
  bool ready = false;
  if (start_.pty && number == 0) {
    ready = open_terminal(task, start_.window, identity_);
  } else if (start_.pty) {
    ready = open_nothing(task);
  } else {
    const bool input = start_.input && (start_.input_task == k_all_tasks || start_.input_task == number);
    ready = open_pipes(task, input);
  }
  if (!ready) {
    const int error = errno;
    complain(number, "cannot open the task's input and output: " + std::string(std::strerror(error)));
    task_over(task, {number, {static_cast<std::uint32_t>(error), 0}, false});
  }
  tasks_.push_back(std::move(task));
}

StartedProgram StepSupervisor::start_script(const std::string& path, const Task& task, int out) {
  int null = open("/dev/null", O_RDWR | O_CLOEXEC);
  ProgramStart request = start_of(task);
  request.path = path;
  request.argv = {path};
  request.in = null;
  request.out = request.err = out >= 0 ? out : null;
  const StartedProgram child = start_program(request);
  close_fd(null);
  return child;
}

void StepSupervisor::start_prolog(Task& task) {
  if (task.stage == Stage::ended) return;
  if (start_.task_prolog.empty()) return run_task(task);
  int refusal = script_refusal(start_.task_prolog, identity_);
  Pipe output;
  if (refusal == 0 && !make_pipe(output)) refusal = EMFILE;
  if (refusal == 0) {
    const StartedProgram child = start_script(start_.task_prolog, task, output.write);
    close_fd(output.write);
    task.pid = child.pid;
    task.script_out = output.read;
    if (child.pid >= 0) return make_non_blocking(task.script_out);
    refusal = child.error;
  }
  complain(task.number,
           "run_command: user task_prolog can not be executed (" + start_.task_prolog + ") " + std::strerror(refusal));
  complain(task.number, "user task_prolog did not exit normally. reason: Run command failed - configuration error");
  complain(task.number, "--task-prolog failed status=1");
  task_over(task, {task.number, {1, 0}, false});
}

void StepSupervisor::read_prolog(Task& task) {
  char buffer[4096];
  for (ssize_t n; (n = read(task.script_out, buffer, sizeof(buffer))) != 0;) {
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) return;
    task.script_text.append(buffer, static_cast<std::size_t>(n));
    if (task.script_text.size() > k_prolog_bytes_max) break;
  }
  close_fd(task.script_out);
}

void StepSupervisor::prolog_ended(Task& task, int wait_status) {
  if (task.script_out >= 0) read_prolog(task);
  close_fd(task.script_out);
  const ExitStatus exit = exit_status_of(wait_status);
  const PrologOrders orders = read_prolog_output(task.script_text);
  if (exit.ok()) {
    orders.apply(task.environment);
    if (!orders.print.empty()) client_.send(TaskOutput{task.number, 1, orders.print});
    if (!killing_) return run_task(task);
  } else if (exit.signal == 0) {
    complain(task.number, "--task-prolog failed status=" + std::to_string(exit.code));
  }
  task_over(task, {task.number, exit, false});
}

void StepSupervisor::run_task(Task& task) {
  const auto place = static_cast<std::size_t>(&task - tasks_.data());
  const std::vector<std::string>& argv = start_.programs.empty() ? start_.argv : start_.programs.at(place);
  ProgramStart request = start_of(task);
  if (!argv.empty()) {
    ActAs user(identity_);
    request.path = find_program(argv[0], task.environment);
  }
  request.argv = argv;
  request.terminal = task.terminal;
  request.cpus = cpus_of_task(start_.binding, task.local_index, usable_);
  if (!start_.binding.gpus.empty()) {
    Environment variables(std::move(request.environment));
    const std::string gpus = gpus_of_task(start_.binding, task.local_index, variables.value("CUDA_VISIBLE_DEVICES"));
    for (const char* name : {"CUDA_VISIBLE_DEVICES", "GPU_DEVICE_ORDINAL"}) {
      if (variables.has(name)) variables.set(name, gpus);
    }
    request.environment = variables.take();
  }
  request.in = task.given[0];
  request.out = task.given[1];
  request.err = task.given[2];
  const StartedProgram child = request.path.empty() ? StartedProgram{-1, true, ENOENT} : start_program(request);
  close_given(task);
  task.pid = child.pid;
  task.stage = Stage::running;
  if (child.pid >= 0) {
    if (!start_.binding.verbose) return;
    const std::vector<std::uint32_t>& cpus = request.cpus.empty() ? usable_ : request.cpus;
    const std::string text = cpu_report(start_.binding, settings_.node_name, task.number, task.local_index,
                                        static_cast<std::uint32_t>(child.pid), cpus);
    client_.send(TaskOutput{task.number, 2, text});
    return;
  }
  complain(task.number, argv.empty() ? "No executable program specified for this task"
                                     : "execve(): " + argv[0] + ": " + std::strerror(child.error));
  task_over(task, {task.number, {static_cast<std::uint32_t>(child.error), 0}, false});
}

void StepSupervisor::start_epilog(Task& task) {
  if (start_.task_epilog.empty() || killing_) return task_over(task, task.end);
  task.environment = environment_;  // what the prolog has changed is the task's alone
  for (std::string& v : task_variables(task.number, task.local_index)) task.environment.push_back(std::move(v));
  task.stage = Stage::epilog;
  if (script_refusal(start_.task_epilog, identity_) == 0) {
    const StartedProgram child = start_script(start_.task_epilog, task, -1);
    task.pid = child.pid;
    if (child.pid >= 0) return;
  }
  complain(task.number, "Could not run user task_epilog [" + start_.task_epilog + "]: access denied");
  complain(task.number, "TaskEpilog failed status=-1");
  task_over(task, task.end);
}

void StepSupervisor::epilog_ended(Task& task, int wait_status) {
  if (wait_status != 0) complain(task.number, "TaskEpilog failed status=" + std::to_string(wait_status));
  task_over(task, task.end);
}

void StepSupervisor::child_ended(Task& task, int wait_status) {
  task.pid = -1;
  switch (task.stage) {
    case Stage::prolog:
      return prolog_ended(task, wait_status);
    case Stage::running:
      task.end = {task.number, exit_status_of(wait_status), WCOREDUMP(wait_status) != 0};
      return start_epilog(task);
    case Stage::epilog:
      return epilog_ended(task, wait_status);
    case Stage::ended:
      return;
  }
}

void StepSupervisor::task_over(Task& task, TaskEnded end) {
  task.stage = Stage::ended;
  close_given(task);
  close_fd(task.script_out);
  if (agent_gone_) return;  // the node is lost; srun is to hear that, and no more
  client_.send(end);
}

void StepSupervisor::kill_all() {
  killing_ = true;
  offspring_.kill_all();
}

void StepSupervisor::start_tasks() {
  settle_in(settings_, binding_, environment_);
  std::string note = enter_work_dir(start_.work_dir, identity_);
  client_.send(StartAnswer{true, ""});
  if (!note.empty() && !start_.tasks.empty()) complain(start_.tasks[0], note);
  for (std::uint32_t i = 0; i < start_.tasks.size(); ++i) prepare_task(start_.tasks[i], i);
  for (Task& task : tasks_) start_prolog(task);
}

void StepSupervisor::handle_agent(const AgentMessage& message) {
  if (const auto* signal = std::get_if<SignalBound>(&message)) {
    offspring_.signal_all(static_cast<int>(signal->signal));
  } else if (const auto* end = std::get_if<EndBound>(&message)) {
    if (end->signal == SIGKILL) {
      kill_all();
    } else {
      offspring_.signal_all(static_cast<int>(end->signal));
    }
  }
}

void StepSupervisor::handle_client(const AgentMessage& message) {
  if (const auto* input = std::get_if<TaskInput>(&message)) {
    if (input->data.empty()) input_over_ = true;
    input_ += input->data;
    if (input_.size() > k_input_bytes_max) client_gone_ = true;
    for (Task& task : tasks_) write_input(task);
    account_input();
  } else if (const auto* signal = std::get_if<SignalTasks>(&message)) {
    if (signal->signal == SIGKILL) {
      kill_all();
    } else {
      offspring_.signal_all(static_cast<int>(signal->signal));
    }
  } else if (const auto* window = std::get_if<WindowSize>(&message)) {
    for (const Task& task : tasks_) {
      if (task.terminal) resize_terminal(task, *window);
    }
  }
}

void StepSupervisor::read_output(Task& task, int stream) {
  int& fd = task.out[stream];
  if (fd < 0) return;
  char buffer[k_output_chunk_bytes];
  ssize_t n = read(fd, buffer, sizeof(buffer));
  if (n < 0 && (errno == EAGAIN || errno == EINTR)) {
    // A process that is none of ours may hold the other end (descriptors can be passed on): it is not waited for.
    if (!offspring_.any() && errno == EAGAIN) close_fd(fd);
    return;
  }
  if (n <= 0) {
    close_fd(fd);
    return;
  }
  client_.send(TaskOutput{task.number, static_cast<std::uint8_t>(stream + 1), {buffer, static_cast<std::size_t>(n)}});
}

void StepSupervisor::write_input(Task& task) {
  while (task.in >= 0) {
    std::size_t offset = task.input_position - input_start_;
    if (offset == input_.size()) {
      if (input_over_) end_input(task);
      return;
    }
    ssize_t n = write(task.in, input_.data() + offset, input_.size() - offset);
    if (n > 0) {
      task.input_position += static_cast<std::size_t>(n);
    } else if (errno == EAGAIN) {
      return;
    } else if (errno != EINTR) {
      close_fd(task.in);  // the task has closed its input
    }
  }
}

/// Forgets what every task has taken, and lets srun send as much again.
void StepSupervisor::account_input() {
  std::size_t taken = input_start_ + input_.size();
  for (const Task& task : tasks_) {
    if (task.in >= 0) taken = std::min(taken, task.input_position);
  }
  std::size_t bytes = taken - input_start_;
  if (bytes == 0) return;
  input_.erase(0, bytes);
  input_start_ = taken;
  client_.send(TaskInputTaken{static_cast<std::uint32_t>(bytes)});
}

template <class Handler>
void StepSupervisor::receive(FrameChannel& channel, Handler handler) {
  bool alive = channel.receive();
  auto message = channel.next();
  for (; message && *message; message = channel.next()) handler(**message);
  if (alive && message) return;
  (&channel == &agent_ ? agent_gone_ : client_gone_) = true;
}

void StepSupervisor::serve_once() {
  std::vector<pollfd> fds = {{offspring_.signal_fd(), POLLIN, 0}};
  std::vector<std::function<void(short)>> handlers = {[](short) {}};
  auto watch = [&](int fd, short events, std::function<void(short)> handler) {
    fds.push_back({fd, events, 0});
    handlers.push_back(std::move(handler));
  };
  auto serve_channel = [this](FrameChannel& channel, auto handle) {
    return [this, &channel, handle](short events) {
      if ((events & POLLOUT) != 0) channel.flush();
      if ((events & ~POLLOUT) != 0) receive(channel, handle);
    };
  };
  if (!agent_gone_) {
    watch(agent_.fd(), agent_.poll_events(), serve_channel(agent_, [this](const AgentMessage& m) { handle_agent(m); }));
  }
  if (!client_gone_) {
    watch(client_.fd(), client_.poll_events(),
          serve_channel(client_, [this](const AgentMessage& m) { handle_client(m); }));
  }
  const bool room = client_gone_ || client_.unsent() < k_unsent_bytes_max;
  for (Task& task : tasks_) {
    if (task.script_out >= 0) watch(task.script_out, POLLIN, [this, &task](short) { read_prolog(task); });
    for (int stream : {0, 1}) {
      if (task.out[stream] >= 0 && room) {
        watch(task.out[stream], POLLIN, [this, &task, stream](short) { read_output(task, stream); });
      }
    }
    if (task.in >= 0 && task.input_position < input_start_ + input_.size()) {
      watch(task.in, POLLOUT, [this, &task](short) {
        write_input(task);
        account_input();
      });
    }
  }
  if (poll(fds.data(), fds.size(), offspring_.timeout_ms()) <= 0) return;
  for (std::size_t i = 0; i < fds.size(); ++i) {
    if (fds[i].revents != 0) handlers[i](fds[i].revents);
  }
}

/// True once no process is left, everything they wrote is on its way, and srun has it or is gone.
bool StepSupervisor::over() {
  if (offspring_.any()) return false;
  if (agent_gone_ && !told_gone_) return true;
  if (!told_gone_) {
    for (bool more = true; more && (client_gone_ || client_.unsent() < k_unsent_bytes_max);) {
      more = false;
      for (Task& task : tasks_) {
        for (int stream : {0, 1}) {
          read_output(task, stream);
          more = more || task.out[stream] >= 0;
        }
      }
    }
    if (!told_agent_) agent_.send(BoundEnded{start_.key, {}, offspring_.usage()});
    told_agent_ = true;
    for (const Task& task : tasks_) {
      if (task.out[0] >= 0 || task.out[1] >= 0) return false;
    }
    told_gone_ = true;
    client_.send(StepGone{offspring_.usage()});
  }
  return client_gone_ || client_.broken() || client_.unsent() == 0;
}

void StepSupervisor::run() {
  start_tasks();
  for (auto message = client_.next(); message && *message; message = client_.next()) handle_client(**message);
  for (;;) {
    offspring_.reap([this](pid_t pid, int status) {
      for (Task& task : tasks_) {
        if (task.pid == pid) return child_ended(task, status);
      }
    });
    if (over()) return;
    bool all_ended =
        std::all_of(tasks_.begin(), tasks_.end(), [](const Task& task) { return task.stage == Stage::ended; });
    if (offspring_.any() && (all_ended || client_gone_ || client_.broken() || agent_gone_)) kill_all();
    serve_once();
  }
}

}  // namespace

[[noreturn]] void run_step_supervisor(FrameChannel agent, FrameChannel client, const AgentSettings& settings,
                                      const JobBinding& binding, const StartTasks& start) {
  close_descriptors_except({std::min(agent.fd(), client.fd()), std::max(agent.fd(), client.fd())});
  prctl(PR_SET_NAME, "virga-step", 0, 0, 0);
  {
    StepSupervisor supervisor(std::move(agent), std::move(client), settings, binding, start);
    supervisor.run();
  }
  _exit(0);
}

}  // namespace virga

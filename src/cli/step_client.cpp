// run_step(): one loop over the agents' connections, our standard input and output, and signals.
#include "cli/step_client.hpp"

#include <fcntl.h>
#include <fmt/format.h>
#include <poll.h>
#include <signal.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <cstdio>
#include <cstring>
#include <optional>
#include <set>
#include <thread>

#include "cli/step_layout.hpp"
#include "cli/step_output.hpp"
#include "cli/step_report.hpp"
#include "cli/terminal_mode.hpp"
#include "wire/frame_channel.hpp"

namespace virga {
namespace {

using Clock = std::chrono::steady_clock;
using std::chrono::milliseconds;
using std::chrono::seconds;

constexpr std::size_t k_input_window_bytes = 256 * 1024;  // under way to a node and not taken by its tasks yet
constexpr std::size_t k_input_chunk_bytes = 32 * 1024;
constexpr std::size_t k_output_bytes_max = 1 << 20;  // waiting for our own stdout: then the nodes wait
constexpr auto k_connect_for = seconds(2);
constexpr auto k_term_grace = seconds(30);
constexpr auto k_second_interrupt = seconds(1);
constexpr int k_forwarded[] = {SIGINT, SIGTERM, SIGHUP, SIGQUIT, SIGUSR1, SIGUSR2, SIGALRM, SIGCONT, SIGWINCH};

/// Turns our signals into readable events, and back when it goes.
class SignalCatcher {
 public:
  SignalCatcher() {
    sigset_t set;
    sigemptyset(&set);
    for (int number : k_forwarded) sigaddset(&set, number);
    sigprocmask(SIG_BLOCK, &set, &before_);
    struct sigaction ignore {};
    ignore.sa_handler = SIG_IGN;
    sigaction(SIGPIPE, &ignore, &pipe_before_);
    fd_ = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
  }
  ~SignalCatcher() {
    close(fd_);
    sigaction(SIGPIPE, &pipe_before_, nullptr);
    sigprocmask(SIG_SETMASK, &before_, nullptr);
  }
  int fd() const { return fd_; }

 private:
  int fd_ = -1;
  sigset_t before_{};
  struct sigaction pipe_before_ {};
};

Result<int> connect_patiently(const std::string& path) {
  const auto until = Clock::now() + k_connect_for;
  for (;;) {
    Result<int> fd = connect_to_agent(path);
    if (fd || !fd.error().retryable || Clock::now() > until) return fd;
    std::this_thread::sleep_for(milliseconds(10));
  }
}

int code_of(const ExitStatus& exit) { return static_cast<int>(exit.signal != 0 ? 128 + exit.signal : exit.code); }

class StepClient {
 public:
  explicit StepClient(const StepRequest& request) : request_(request) {}
  ~StepClient() {
    if (owns_input_) close(input_);
  }
  Result<StepOutcome> run();

 private:
  struct Node {
    std::string name;
    FrameChannel channel;
    std::set<std::uint32_t> running;
    std::size_t input_under_way = 0;
    bool started = false;
    bool gone = false;
  };

  Status open_input();
  Status start();
  void turn();
  int timeout_ms() const;
  void check_deadlines();
  void read_node(Node& node);
  void handle(Node& node, AgentMessage& message);
  void task_ended(Node& node, const TaskEnded& ended);
  void node_lost(Node& node);
  void read_input();
  bool wants_input() const;
  void read_signals();
  void send_signal(int number);
  void send_window();
  void terminate(const char* why);
  void say(const std::string& text) const;
  void report();
  bool over() const;

  const StepRequest& request_;
  SignalCatcher signals_;
  StepLayout layout_;
  std::vector<Node> nodes_;
  std::optional<StepOutput> output_;
  StepReport report_;
  std::optional<Error> refused_;  ///< a node would not start its tasks
  StepOutcome outcome_;
  int input_ = -1;
  bool owns_input_ = false;
  std::optional<Clock::time_point> kill_at_;
  std::optional<Clock::time_point> interrupted_at_;
  bool killed_ = false;
  bool told_failure_ = false;
};

void StepClient::say(const std::string& text) const { std::fprintf(stderr, "srun: %s\n", text.c_str()); }

Status StepClient::open_input() {
  const std::string& where = request_.options.input;
  if (where == "none") return {};
  if (where.empty() || where == "all") {
    input_ = 0;
    return {};
  }
  input_ = open(where.c_str(), O_RDONLY | O_CLOEXEC | O_NOCTTY);
  if (input_ < 0) return fail(Code::invalid, "cannot read the input file '" + where + "': " + std::strerror(errno));
  owns_input_ = true;
  return {};
}

Status StepClient::start() {
  const Job& job = request_.job;
  const EnvironmentSite site = request_.site();
  for (std::uint32_t i = 0; i < layout_.nodes.size(); ++i) {
    auto node =
        std::find_if(job.nodes.begin(), job.nodes.end(), [&](const JobNode& n) { return n.name == layout_.nodes[i]; });
    if (node == job.nodes.end()) {
      return fail(Code::invalid, "node " + layout_.nodes[i] + " is not one of the job's nodes");
    }
    Result<int> fd = connect_patiently(request_.home.agent_socket(node->vm));
    if (!fd) return fail(fd.error().code, "node " + node->name + ": " + fd.error().message, fd.error().retryable);
    nodes_.push_back({node->name, FrameChannel(*fd), {}, 0, false, false});
    nodes_.back().running.insert(layout_.tasks[i].begin(), layout_.tasks[i].end());
  }
  for (std::uint32_t i = 0; i < nodes_.size(); ++i) {
    StartTasks message;
    message.key = {job.id, job.incarnation};
    message.step = request_.step;
    message.argv = request_.argv;
    message.environment = step_environment(job, request_.environment, layout_, i, site);
    message.work_dir = request_.work_dir;
    message.tasks = layout_.tasks[i];
    message.umask = request_.options.umask;
    message.input = input_ >= 0;
    if (!request_.programs.empty()) {
      for (std::uint32_t task : layout_.tasks[i]) message.programs.push_back(request_.programs.at(task));
    }
    message.task_prolog = request_.options.task_prolog;
    message.task_epilog = request_.options.task_epilog;
    message.input_task = request_.options.input_task;
    message.binding = request_.options.binding;
    message.pty = request_.options.pty;
    message.window = window_of(0).value_or(WindowSize{});
    nodes_[i].channel.send(message);
  }
  return {};
}

void StepClient::send_signal(int number) {
  for (Node& node : nodes_) {
    if (!node.gone) node.channel.send(SignalTasks{static_cast<std::uint32_t>(number)});
  }
  killed_ = killed_ || number == SIGKILL;
}

/// Of our terminal, which has changed: nobody but a terminal of task 0 wants to know.
void StepClient::send_window() {
  const std::optional<WindowSize> window = window_of(0);
  if (!request_.options.pty || !window) return;
  for (Node& node : nodes_) {
    if (!node.gone) node.channel.send(*window);
  }
}

/// SIGTERM now, SIGKILL when the grace is over, or now if this was asked for before.
void StepClient::terminate(const char* why) {
  if (killed_) return;
  say(why);
  send_signal(kill_at_ ? SIGKILL : SIGTERM);
  if (!kill_at_) kill_at_ = Clock::now() + k_term_grace;
}

void StepClient::read_signals() {
  signalfd_siginfo info{};
  while (read(signals_.fd(), &info, sizeof(info)) == sizeof(info)) {
    const int number = static_cast<int>(info.ssi_signo);
    if (number == SIGTERM || number == SIGHUP) {
      terminate("forcing job termination");
      continue;
    }
    if (number == SIGWINCH) {
      send_window();
      continue;
    }
    const auto now = Clock::now();
    const bool second = interrupted_at_ && now - *interrupted_at_ < k_second_interrupt;
    if (number == SIGINT && isatty(0) == 1 && !second) {
      say("interrupt (one more within 1 sec to abort)");
      std::vector<std::uint32_t> running;
      for (const Node& node : nodes_) running.insert(running.end(), node.running.begin(), node.running.end());
      say(fmt::format("StepId={}.{} {}: running", request_.job.id.value, request_.step, describe_tasks(running)));
      interrupted_at_ = now;
      continue;
    }
    if (number == SIGINT && isatty(0) == 1) {
      say(fmt::format("sending Ctrl-C to StepId={}.{}", request_.job.id.value, request_.step));
      if (!kill_at_) kill_at_ = now + k_term_grace;
    }
    send_signal(number);
  }
}

void StepClient::task_ended(Node& node, const TaskEnded& ended) {
  node.running.erase(ended.task);
  if (!request_.options.unbuffered) output_->flush();
  if (code_of(ended.exit) > outcome_.exit_code) {
    outcome_.exit_code = code_of(ended.exit);
    outcome_.exit = ended.exit;
  }
  if (request_.options.wait_seconds != 0 && !kill_at_) {
    kill_at_ = Clock::now() + seconds(request_.options.wait_seconds);
  }
  if (ended.exit.ok()) return;
  if (!request_.options.quiet) report_.add(node.name, ended.task, ended.exit, ended.core_dumped);
  if (!request_.options.kill_on_bad_exit || killed_ || kill_at_) return;
  report();
  const std::string text =
      fmt::format("launch/slurm: _step_signal: Terminating StepId={}.{}", request_.job.id.value, request_.step);
  terminate(text.c_str());
}

void StepClient::handle(Node& node, AgentMessage& message) {
  if (const auto* answer = std::get_if<StartAnswer>(&message)) {
    node.started = answer->ok;
    if (!answer->ok) {
      if (!refused_) refused_ = Error{Code::conflict, "node " + node.name + ": " + answer->message};
      node.gone = true;
      send_signal(SIGKILL);
    }
  } else if (const auto* output = std::get_if<TaskOutput>(&message)) {
    output_->take(output->task, output->stream, output->data);
  } else if (const auto* taken = std::get_if<TaskInputTaken>(&message)) {
    node.input_under_way -= std::min<std::size_t>(node.input_under_way, taken->bytes);
  } else if (const auto* ended = std::get_if<TaskEnded>(&message)) {
    task_ended(node, *ended);
  } else if (const auto* gone = std::get_if<StepGone>(&message)) {
    Usage& sum = outcome_.usage;
    sum.user_cpu = sum.user_cpu + gone->usage.user_cpu;
    sum.system_cpu = sum.system_cpu + gone->usage.system_cpu;
    sum.max_rss_bytes = std::max(sum.max_rss_bytes, gone->usage.max_rss_bytes);
    node.gone = true;
  }
}

/// The connection ended before the step did: the node, or its agent, is dead.
void StepClient::node_lost(Node& node) {
  node.gone = true;
  node.running.clear();
  say("error: Node failure on " + node.name);
  if (outcome_.exit_code == 0) outcome_ = {1, {1, 0}, outcome_.usage};
  if (!killed_) send_signal(SIGKILL);
}

void StepClient::read_node(Node& node) {
  bool alive = node.channel.receive();
  auto message = node.channel.next();
  for (; message && *message && !node.gone; message = node.channel.next()) handle(node, **message);
  if ((!alive || !message) && !node.gone) node_lost(node);
}

bool StepClient::wants_input() const {
  if (input_ < 0) return false;
  bool any = false;
  for (const Node& node : nodes_) {
    if (node.gone) continue;
    if (!node.started || node.input_under_way + k_input_chunk_bytes > k_input_window_bytes) return false;
    any = true;
  }
  return any;
}

void StepClient::read_input() {
  char buffer[k_input_chunk_bytes];
  ssize_t n = read(input_, buffer, sizeof(buffer));
  if (n < 0 && (errno == EINTR || errno == EAGAIN)) return;
  TaskInput message;
  if (n > 0) message.data.assign(buffer, static_cast<std::size_t>(n));
  for (Node& node : nodes_) {
    if (node.gone) continue;
    node.channel.send(message);
    node.input_under_way += message.data.size();
  }
  if (n > 0) return;
  if (owns_input_) close(input_);
  owns_input_ = false;
  input_ = -1;
}

void StepClient::report() {
  for (const std::string& line : report_.take()) say("error: " + line);
}

int StepClient::timeout_ms() const {
  std::optional<Clock::time_point> next = report_.due();
  if (kill_at_ && !killed_ && (!next || *kill_at_ < *next)) next = kill_at_;
  if (!next) return -1;
  auto left = std::chrono::ceil<milliseconds>(*next - Clock::now()).count();
  return static_cast<int>(std::clamp<std::int64_t>(left, 0, 60'000));
}

void StepClient::check_deadlines() {
  const auto now = Clock::now();
  if (report_.due() && *report_.due() <= now) report();
  if (kill_at_ && *kill_at_ <= now && !killed_) send_signal(SIGKILL);
  if (output_->broken_pipe() && !killed_) send_signal(SIGKILL);  // `srun … | head`
  if (!output_->failure().empty() && !told_failure_) say("error: " + output_->failure());
  told_failure_ = !output_->failure().empty();
}

void StepClient::turn() {
  std::vector<pollfd> fds = {{signals_.fd(), POLLIN, 0}, {wants_input() ? input_ : -1, POLLIN, 0}};
  const bool room = output_->unsent() < k_output_bytes_max;
  for (const Node& node : nodes_) {
    const auto events = static_cast<short>(room ? node.channel.poll_events() : node.channel.poll_events() & ~POLLIN);
    fds.push_back({node.gone ? -1 : node.channel.fd(), events, 0});
  }
  for (int fd : output_->wants_to_write()) fds.push_back({fd, POLLOUT, 0});
  if (poll(fds.data(), fds.size(), timeout_ms()) < 0) return;
  if (fds[0].revents != 0) read_signals();
  if (fds[1].revents != 0) read_input();
  for (std::size_t i = 0; i < nodes_.size(); ++i) {
    if ((fds[i + 2].revents & POLLOUT) != 0) nodes_[i].channel.flush();
    if ((fds[i + 2].revents & ~POLLOUT) != 0) read_node(nodes_[i]);
  }
  output_->flush();
  check_deadlines();
}

bool StepClient::over() const {
  return std::all_of(nodes_.begin(), nodes_.end(), [](const Node& node) { return node.gone; });
}

Result<StepOutcome> StepClient::run() {
  Result<StepLayout> layout = lay_out_step(request_);
  if (!layout) return unexpected(layout.error());
  layout_ = std::move(*layout);
  OutputNames names = output_names_of(request_.job);
  names.node.clear();
  names.step = request_.step;
  auto output = StepOutput::open(request_.options, names, layout_);
  if (!output) return unexpected(output.error());
  output_.emplace(std::move(*output));
  if (Status ok = open_input(); !ok) return unexpected(ok.error());
  if (Status ok = start(); !ok) return unexpected(ok.error());
  std::optional<TerminalMode> raw;
  if (request_.options.pty) raw.emplace(0);
  while (!over()) turn();
  output_->close_all();
  raw.reset();
  report();
  while (!output_->wants_to_write().empty()) {
    std::vector<pollfd> fds = {{signals_.fd(), POLLIN, 0}};
    for (int fd : output_->wants_to_write()) fds.push_back({fd, POLLOUT, 0});
    poll(fds.data(), fds.size(), -1);
    if (fds[0].revents != 0) break;  // told to go while nobody reads
    output_->flush();
  }
  if (refused_) return unexpected(*refused_);
  return outcome_;
}

}  // namespace

EnvironmentSite StepRequest::site() const {
  return {.home = home,
          .checkpoints = home.checkpoints(),
          .cluster_name = cluster_name,
          .bin_dir = bin_dir,
          .submit_host = "",
          .home_dir = "",
          .shell = ""};
}

Result<StepOutcome> run_step(const StepRequest& request) { return StepClient(request).run(); }

struct AllocationHold::Inside {
  explicit Inside(FrameChannel c) : channel(std::move(c)) {}
  FrameChannel channel;
  bool revoked = false;

  /// Waits for the next message at most until `until`.
  std::optional<AgentMessage> wait(Clock::time_point until) {
    for (;;) {
      if (auto message = channel.next(); message && *message) return std::move(**message);
      if (channel.broken() || Clock::now() >= until) return std::nullopt;
      pollfd fd{channel.fd(), channel.poll_events(), 0};
      poll(&fd, 1, static_cast<int>(std::chrono::ceil<milliseconds>(until - Clock::now()).count()));
      if ((fd.revents & POLLOUT) != 0) channel.flush();
      if ((fd.revents & ~POLLOUT) != 0) channel.receive();
    }
  }
};

AllocationHold::AllocationHold(std::unique_ptr<Inside> inside) : inside_(std::move(inside)) {}
AllocationHold::AllocationHold(AllocationHold&&) noexcept = default;
AllocationHold& AllocationHold::operator=(AllocationHold&&) noexcept = default;
AllocationHold::~AllocationHold() = default;

Result<AllocationHold> AllocationHold::attach(const Home& home, const Job& job) {
  if (job.nodes.empty()) return fail(Code::conflict, "the job has no nodes yet");
  Result<int> fd = connect_patiently(home.agent_socket(job.nodes[0].vm));
  if (!fd) return unexpected(fd.error());
  auto inside = std::make_unique<Inside>(FrameChannel(*fd));
  inside->channel.send(HoldJob{{job.id, job.incarnation}});
  auto answer = inside->wait(Clock::now() + seconds(10));
  const auto* held = answer ? std::get_if<HoldAnswer>(&*answer) : nullptr;
  if (held == nullptr) return fail(Code::unavailable, "node " + job.nodes[0].name + " does not answer");
  if (!held->ok) return fail(Code::conflict, held->message);
  return AllocationHold(std::move(inside));
}

int AllocationHold::fd() const { return inside_->channel.fd(); }

bool AllocationHold::revoked() {
  inside_->revoked = inside_->revoked || inside_->wait(Clock::now()).has_value() || inside_->channel.broken();
  if (!inside_->revoked) {
    inside_->channel.receive();
    auto message = inside_->channel.next();
    inside_->revoked = (message && *message) || inside_->channel.broken();
  }
  return inside_->revoked;
}

void AllocationHold::done(ExitStatus exit) {
  inside_->channel.send(HoldDone{exit});
  while (inside_->channel.unsent() > 0 && !inside_->channel.broken()) {
    pollfd fd{inside_->channel.fd(), POLLOUT, 0};
    poll(&fd, 1, -1);
    inside_->channel.flush();
  }
}

}  // namespace virga

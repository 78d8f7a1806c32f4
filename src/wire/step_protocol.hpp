// What srun and the agent of a node say to each other of one step: the second half of agent_protocol.hpp.
//
//   srun   → agent: StartTasks, TaskInput, SignalTasks, WindowSize
//   agent → srun:   StartAnswer, TaskOutput, TaskInputTaken, TaskEnded, StepGone
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "base/enum_names.hpp"
#include "core/job.hpp"

namespace virga {

/// One incarnation of one job.
struct JobKey {
  JobId job;
  std::uint32_t incarnation = 0;

  friend constexpr auto operator<=>(const JobKey&, const JobKey&) = default;
  template <class Self, class V>
  static void visit(Self& s, V&& v) {
    v("job", s.job);
    v("incarnation", s.incarnation);
  }
};

/// Of a terminal: of srun's at the start of a step with --pty, and whenever it changes.
struct WindowSize {
  std::uint16_t rows = 0;
  std::uint16_t columns = 0;

  template <class Self, class V>
  static void visit(Self& s, V&& v) {
    v("rows", s.rows);
    v("columns", s.columns);
  }
};

/// On which processors, and with which GPUs, a node's tasks run. Processors and GPUs are counted from 0 among those
/// that the job has there.
struct TaskBinding {
  std::string cpus;                   ///< "": not bound; "none", "rank", "map_cpu", "mask_cpu"
  std::vector<std::string> cpu_list;  ///< numbers, or masks in hex without 0x: that of task n is n modulo its size
  bool verbose = false;               ///< tell of each task what it is bound to
  std::string gpus;                   ///< "": all; "map_gpu", "mask_gpu", "single", "per_task"
  std::vector<std::string> gpu_list;  ///< as `cpu_list`; of "single" and "per_task" one number

  template <class Self, class V>
  static void visit(Self& s, V&& v) {
    v("cpus", s.cpus);
    v("cpu_list", s.cpu_list);
    v("verbose", s.verbose);
    v("gpus", s.gpus);
    v("gpu_list", s.gpu_list);
  }
};

inline constexpr std::uint32_t k_all_tasks = 0xFFFFFFFF;

/// Start these tasks of a step on this node. From here on the connection belongs to the step.
struct StartTasks {
  JobKey key;
  std::uint32_t step = 0;
  std::vector<std::string> argv;
  std::vector<std::string> environment;  ///< of all its tasks
  std::string work_dir;
  std::vector<std::uint32_t> tasks;  ///< numbers in the step
  std::uint32_t umask = 022;
  bool input = true;  ///< false: the tasks read /dev/null
  /// --multi-prog: the command of each of `tasks`, in their order; else all of them run `argv`.
  std::vector<std::vector<std::string>> programs;
  std::string task_prolog;  ///< run before each task, as its user; what it prints can change the task's environment
  std::string task_epilog;  ///< run after each task
  std::uint32_t input_task = k_all_tasks;  ///< the only one that has the input; the others read /dev/null
  TaskBinding binding;
  bool pty = false;   ///< task 0 has a pseudo terminal, the others nothing
  WindowSize window;  ///< of that terminal

  template <class Self, class V>
  static void visit(Self& s, V&& v) {
    v("key", s.key);
    v("step", s.step);
    v("argv", s.argv);
    v("environment", s.environment);
    v("work_dir", s.work_dir);
    v("tasks", s.tasks);
    v("umask", s.umask);
    v("input", s.input);
    v("programs", s.programs);
    v("task_prolog", s.task_prolog);
    v("task_epilog", s.task_epilog);
    v("input_task", s.input_task);
    v("binding", s.binding);
    v("pty", s.pty);
    v("window", s.window);
  }
};

struct StartAnswer {
  bool ok = false;
  std::string message;

  template <class Self, class V>
  static void visit(Self& s, V&& v) {
    v("ok", s.ok);
    v("message", s.message);
  }
};

/// For every task of the step; empty data: the end of the input.
struct TaskInput {
  std::string data;

  template <class Self, class V>
  static void visit(Self& s, V&& v) {
    v("data", s.data);
  }
};

/// So many bytes of input have reached all tasks: the client may send as many more.
struct TaskInputTaken {
  std::uint32_t bytes = 0;

  template <class Self, class V>
  static void visit(Self& s, V&& v) {
    v("bytes", s.bytes);
  }
};

struct SignalTasks {
  std::uint32_t signal = 0;  ///< 9 kills every process of the step for sure

  template <class Self, class V>
  static void visit(Self& s, V&& v) {
    v("signal", s.signal);
  }
};

struct TaskOutput {
  std::uint32_t task = 0;
  std::uint8_t stream = 1;  ///< 1 or 2
  std::string data;         ///< empty: closed

  template <class Self, class V>
  static void visit(Self& s, V&& v) {
    v("task", s.task);
    v("stream", s.stream);
    v("data", s.data);
  }
};

struct TaskEnded {
  std::uint32_t task = 0;
  ExitStatus exit;
  bool core_dumped = false;

  template <class Self, class V>
  static void visit(Self& s, V&& v) {
    v("task", s.task);
    v("exit", s.exit);
    v("core_dumped", s.core_dumped);
  }
};

/// No process of the step is left on this node.
struct StepGone {
  Usage usage;

  template <class Self, class V>
  static void visit(Self& s, V&& v) {
    v("usage", s.usage);
  }
};

}  // namespace virga

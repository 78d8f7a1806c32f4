// One task of a step on its node, and what its standard input and output are connected to.
//
//   Task task;
//   if (!open_pipes(task, true)) report(errno);
//   … start a program with task.given as its 0, 1 and 2; close_given(task) …
//   … read task.out[0], write task.in; all three are non-blocking …
#pragma once

#include <sys/types.h>

#include <cstdint>
#include <string>
#include <vector>

#include "wire/identity.hpp"
#include "wire/step_protocol.hpp"

namespace virga {

/// A task's way: its prolog, itself, its epilog. `pid` is that of what runs.
enum class Stage : std::uint8_t { prolog, running, epilog, ended };

struct Task {
  std::uint32_t number = 0;
  std::uint32_t local_index = 0;
  pid_t pid = -1;
  Stage stage = Stage::prolog;
  std::vector<std::string> environment = {};
  int given[3] = {-1, -1, -1};  ///< until it runs: what becomes its 0, 1 and 2
  int script_out = -1;          ///< of the prolog
  std::string script_text = {};
  TaskEnded end = {};  ///< told when its epilog is over
  int in = -1;
  int out[2] = {-1, -1};           ///< stdout, stderr
  bool terminal = false;           ///< 0, 1 and 2 are a pseudo terminal
  std::size_t input_position = 0;  ///< in the step's input, counted from its start
};

struct Pipe {
  int read = -1;
  int write = -1;
};

void close_fd(int& fd);
bool make_pipe(Pipe& made);
void make_non_blocking(int fd);
void close_given(Task& task);

// These fill in `given`, `in` and `out`; false with errno.
bool open_pipes(Task& task, bool input);
/// All three are /dev/null.
bool open_nothing(Task& task);
/// A pseudo terminal that belongs to the user.
bool open_terminal(Task& task, WindowSize size, const JobIdentity& identity);

void resize_terminal(const Task& task, WindowSize size);
/// The task's input is over: its pipe is closed, at its terminal ^D is typed.
void end_input(Task& task);

}  // namespace virga

// Where the output of a step's tasks goes: srun's own stdout and stderr, or files; whole lines, labelled if asked for.
//
//   auto output = StepOutput::open(options, names, layout);   // files are opened now, so that failure is told early
//   output->take(task, 1, bytes);                              // then flush(), and poll what wants_to_write() says
//
// Writing never blocks: what does not go out yet is kept, and `unsent()` lets the caller stop asking for more.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.hpp"
#include "cli/step_client.hpp"
#include "wire/output_pattern.hpp"

namespace virga {

class StepOutput {
 public:
  /// `names` holds what all tasks share; node and task are filled in from the layout.
  static Result<StepOutput> open(const StepOptions& options, OutputNames names, const StepLayout& layout);
  StepOutput(StepOutput&& other) noexcept;
  StepOutput& operator=(StepOutput&&) = delete;
  ~StepOutput();

  void take(std::uint32_t task, std::uint8_t stream, std::string_view bytes);
  /// No more from this task's stream: a last line without an end goes out.
  void close(std::uint32_t task, std::uint8_t stream);
  void close_all();
  void flush();
  std::size_t unsent() const;
  std::vector<int> wants_to_write() const;
  bool broken_pipe() const { return broken_pipe_; }  ///< nobody reads our standard output any more
  /// The first other failure (disk full …), or "".
  const std::string& failure() const { return failure_; }

 private:
  struct Sink {
    int fd = -1;
    bool owned = false;
    bool regular = false;  ///< a file: never blocks
    bool dead = false;
    std::string pending;
  };
  using Source = std::pair<std::uint32_t, std::uint8_t>;  // task, stream

  StepOutput() = default;
  Result<std::size_t> sink_for(const std::string& path, bool append);
  std::size_t standard_sink(int fd);
  void emit(const Source& source, std::string_view bytes);
  void write_some(Sink& sink);

  std::vector<Sink> sinks_;
  std::map<std::string, std::size_t> by_path_;
  std::map<Source, std::size_t> routes_;  // none: discarded
  std::map<Source, std::string> partial_;
  bool by_lines_ = false;
  int label_width_ = 0;  // 0: no labels
  bool broken_pipe_ = false;
  std::string failure_;
};

}  // namespace virga

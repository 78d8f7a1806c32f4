// Output of a step's tasks.
#include "cli/step_output.hpp"

#include <fcntl.h>
#include <fmt/format.h>
#include <poll.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <utility>

namespace virga {
namespace {

constexpr std::size_t k_line_bytes_max = 64 * 1024;
/// poll() promises room for so many bytes in a pipe; more could block us for as long as nobody reads.
constexpr std::size_t k_pipe_write_bytes = 4096;
constexpr std::size_t k_file_write_bytes = 1 << 20;

bool is_ours(const std::string& where) { return where.empty() || where == "all"; }

}  // namespace

StepOutput::StepOutput(StepOutput&& other) noexcept
    : sinks_(std::exchange(other.sinks_, {})),
      by_path_(std::move(other.by_path_)),
      routes_(std::move(other.routes_)),
      partial_(std::move(other.partial_)),
      by_lines_(other.by_lines_),
      label_width_(other.label_width_),
      broken_pipe_(other.broken_pipe_),
      failure_(std::move(other.failure_)) {}

StepOutput::~StepOutput() {
  for (Sink& sink : sinks_) {
    if (sink.owned) ::close(sink.fd);
  }
}

Result<std::size_t> StepOutput::sink_for(const std::string& path, bool append) {
  if (auto it = by_path_.find(path); it != by_path_.end()) return it->second;
  int fd = ::open(path.c_str(), O_WRONLY | O_CREAT | O_CLOEXEC | O_NOCTTY | (append ? O_APPEND : O_TRUNC), 0666);
  if (fd < 0) return fail(Code::invalid, "cannot write the output file '" + path + "': " + std::strerror(errno));
  struct stat info {};
  sinks_.push_back({fd, true, fstat(fd, &info) == 0 && S_ISREG(info.st_mode), false, {}});
  by_path_[path] = sinks_.size() - 1;
  return sinks_.size() - 1;
}

std::size_t StepOutput::standard_sink(int fd) {
  struct stat info {};
  sinks_.push_back({fd, false, fstat(fd, &info) == 0 && S_ISREG(info.st_mode), false, {}});
  return sinks_.size() - 1;
}

Result<StepOutput> StepOutput::open(const StepOptions& options, OutputNames names, const StepLayout& layout) {
  StepOutput output;
  std::uint32_t tasks = 0;
  for (const auto& numbers : layout.tasks) tasks += static_cast<std::uint32_t>(numbers.size());
  output.by_lines_ = options.label || (tasks > 1 && !options.unbuffered);
  if (options.label) output.label_width_ = static_cast<int>(std::to_string(tasks - 1).size());
  const std::size_t standard[2] = {output.standard_sink(1), output.standard_sink(2)};
  const std::string& error = options.error.empty() && !is_ours(options.output) ? options.output : options.error;
  const std::string* wanted[2] = {&options.output, &error};
  for (std::size_t node = 0; node < layout.tasks.size(); ++node) {
    names.node = layout.nodes[node];
    names.node_index = static_cast<std::uint32_t>(node);
    for (std::uint32_t task : layout.tasks[node]) {
      names.task = task;
      for (std::uint8_t stream : {1, 2}) {
        const std::string& where = *wanted[stream - 1];
        if (where == "none") continue;
        Result<std::size_t> sink = standard[stream - 1];
        if (!is_ours(where)) sink = output.sink_for(expand_output_pattern(where, names), options.append_output);
        if (!sink) return unexpected(sink.error());
        output.routes_[{task, stream}] = *sink;
      }
    }
  }
  return output;
}

void StepOutput::emit(const Source& source, std::string_view bytes) {
  auto it = routes_.find(source);
  if (it == routes_.end() || sinks_[it->second].dead) return;
  Sink& sink = sinks_[it->second];
  if (label_width_ > 0) sink.pending += fmt::format("{:>{}}: ", source.first, label_width_);
  sink.pending += bytes;
}

void StepOutput::take(std::uint32_t task, std::uint8_t stream, std::string_view bytes) {
  const Source source{task, stream};
  if (!by_lines_) return emit(source, bytes);
  std::string& partial = partial_[source];
  while (!bytes.empty()) {
    std::size_t end = bytes.find('\n');
    if (end == std::string_view::npos) {
      partial += bytes;
      break;
    }
    partial += bytes.substr(0, end + 1);
    bytes.remove_prefix(end + 1);
    emit(source, partial);
    partial.clear();
  }
  if (partial.size() < k_line_bytes_max) return;
  emit(source, partial + (label_width_ > 0 ? "\n" : ""));
  partial.clear();
}

void StepOutput::close(std::uint32_t task, std::uint8_t stream) {
  auto it = partial_.find({task, stream});
  if (it == partial_.end() || it->second.empty()) return;
  emit(it->first, it->second + (label_width_ > 0 ? "\n" : ""));
  it->second.clear();
}

void StepOutput::close_all() {
  for (const auto& [source, partial] : partial_) close(source.first, source.second);
}

void StepOutput::write_some(Sink& sink) {
  std::size_t done = 0;
  while (done < sink.pending.size() && !sink.dead) {
    pollfd ready{sink.fd, POLLOUT, 0};
    if (!sink.regular && (poll(&ready, 1, 0) != 1 || ready.revents == 0)) break;
    std::size_t bytes = std::min(sink.pending.size() - done, sink.regular ? k_file_write_bytes : k_pipe_write_bytes);
    ssize_t n = ::write(sink.fd, sink.pending.data() + done, bytes);
    if (n >= 0) {
      done += static_cast<std::size_t>(n);
    } else if (errno == EAGAIN) {
      break;
    } else if (errno != EINTR) {
      sink.dead = true;
      if (errno == EPIPE) {
        broken_pipe_ = true;
      } else if (failure_.empty()) {
        failure_ = std::string("cannot write the tasks' output: ") + std::strerror(errno);
      }
    }
  }
  sink.pending.erase(0, sink.dead ? std::string::npos : done);
}

void StepOutput::flush() {
  for (Sink& sink : sinks_) write_some(sink);
}

std::size_t StepOutput::unsent() const {
  std::size_t bytes = 0;
  for (const Sink& sink : sinks_) bytes += sink.pending.size();
  return bytes;
}

std::vector<int> StepOutput::wants_to_write() const {
  std::vector<int> fds;
  for (const Sink& sink : sinks_) {
    if (!sink.pending.empty() && !sink.dead) fds.push_back(sink.fd);
  }
  return fds;
}

}  // namespace virga

#include "twin/schedule.hpp"

#include <algorithm>

namespace virga::twin {

namespace {

/// The k-th forward (or backward) of a stage: micro batches go through its chunks in groups of as many as there are
/// stages, backwards through the last chunk first.
Work unit(const ScheduleShape& shape, std::uint32_t stage, std::uint32_t k, bool forward) {
  const std::uint32_t group = shape.stages * shape.chunks;
  const std::uint32_t chunk = shape.chunks == 1 ? 0 : k % group / shape.stages;
  const std::uint32_t micro_batch = shape.chunks == 1 ? k : k / group * shape.stages + k % shape.stages;
  return {stage, forward ? chunk : shape.chunks - 1 - chunk, micro_batch, forward, 0, 0};
}

/// All work of a stage in its order: the warm-up's forwards, one of each in turn, the remaining backwards.
std::vector<Work> order_of(const ScheduleShape& shape, std::uint32_t stage) {
  const std::uint32_t total = shape.micro_batches * shape.chunks;
  const std::uint32_t behind = shape.stages - stage - 1;
  const std::uint32_t ahead = shape.chunks == 1 ? behind : behind * 2 + (shape.chunks - 1) * shape.stages;
  const std::uint32_t warm_up = std::min(ahead, total);
  std::vector<Work> order;
  order.reserve(std::size_t{2} * total);
  for (std::uint32_t k = 0; k < warm_up; ++k) order.push_back(unit(shape, stage, k, true));
  for (std::uint32_t k = warm_up; k < total; ++k) {
    order.push_back(unit(shape, stage, k, true));
    order.push_back(unit(shape, stage, k - warm_up, false));
  }
  for (std::uint32_t k = total - warm_up; k < total; ++k) order.push_back(unit(shape, stage, k, false));
  return order;
}

/// Ends of work that other stages wait for; below 0: not done yet.
class Ends {
 public:
  explicit Ends(const ScheduleShape& shape)
      : shape_(shape), ends_(std::size_t{2} * shape.stages * shape.chunks * shape.micro_batches, -1.0) {}

  double& of(std::uint32_t position, std::uint32_t micro_batch, bool forward) {
    return ends_[((forward ? 0 : std::size_t{shape_.stages} * shape_.chunks) + position) * shape_.micro_batches +
                 micro_batch];
  }
  /// Of what `work` needs: the piece of the model before it, or after it on the way back. 0: it needs nothing.
  double needed(const Work& work) {
    const std::uint32_t position = position_of(work);
    if (work.forward) return position == 0 ? 0 : of(position - 1, work.micro_batch, true);
    const bool last = position + 1 == shape_.stages * shape_.chunks;
    return last ? of(position, work.micro_batch, true) : of(position + 1, work.micro_batch, false);
  }
  std::uint32_t position_of(const Work& work) const { return work.chunk * shape_.stages + work.stage; }

 private:
  const ScheduleShape& shape_;
  std::vector<double> ends_;
};

}  // namespace

Schedule make_schedule(const ScheduleShape& shape) {
  std::vector<std::vector<Work>> orders;
  for (std::uint32_t stage = 0; stage < shape.stages; ++stage) orders.push_back(order_of(shape, stage));
  Ends ends(shape);
  std::vector<std::size_t> next(shape.stages, 0);
  std::vector<double> free_at(shape.stages, 0.0);
  const double forward = shape.forward_s / shape.chunks;
  const double backward = shape.backward_s / shape.chunks;
  Schedule schedule;
  for (bool moved = true; moved;) {
    moved = false;
    for (std::uint32_t stage = 0; stage < shape.stages; ++stage) {
      for (; next[stage] < orders[stage].size(); ++next[stage]) {
        Work& work = orders[stage][next[stage]];
        const double needed = ends.needed(work);
        if (needed < 0) break;
        work.begin_s = std::max(free_at[stage], needed);
        work.end_s = work.begin_s + (work.forward ? forward : backward);
        free_at[stage] = work.end_s;
        ends.of(ends.position_of(work), work.micro_batch, work.forward) = work.end_s;
        schedule.seconds = std::max(schedule.seconds, work.end_s);
        moved = true;
      }
    }
  }
  for (const std::vector<Work>& order : orders) schedule.work.insert(schedule.work.end(), order.begin(), order.end());
  return schedule;
}

}  // namespace virga::twin

// When each pipeline stage works on which micro batch: the picture of one iteration.
//
//   Schedule schedule = make_schedule({.stages = 4, .chunks = 1, .micro_batches = 8, .forward_s = 1, .backward_s = 2});
//   for (const Work& work : schedule.work) draw(work.stage, work.begin_s, work.end_s, work.forward);
//
// The order of work is Megatron's: one forward, one backward (1F1B), interleaved where a stage has several chunks of
// the model (Narayanan et al. 2021, arXiv:2104.04473, figure 4). All stages are taken to be equally fast, and sends to
// be part of the work, so that a micro batch takes (m + (p - 1) / v) (forward + backward) in all: twin/iteration.hpp.
#pragma once

#include <cstdint>
#include <vector>

namespace virga::twin {

struct ScheduleShape {
  std::uint32_t stages = 1;
  std::uint32_t chunks = 1;  ///< of a stage; above 1 micro_batches is a multiple of stages
  std::uint32_t micro_batches = 1;
  double forward_s = 1;   ///< of a micro batch through a stage, all chunks
  double backward_s = 2;  ///< with recomputation
};

struct Work {
  std::uint32_t stage = 0;
  std::uint32_t chunk = 0;
  std::uint32_t micro_batch = 0;
  bool forward = true;
  double begin_s = 0;
  double end_s = 0;
};

struct Schedule {
  std::vector<Work> work;  ///< by stage, then by time
  double seconds = 0;
};

Schedule make_schedule(const ScheduleShape& shape);

}  // namespace virga::twin

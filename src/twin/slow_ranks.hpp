// Ranks that compute slower than the others, and what all others lose by waiting for them.
//
//   SlowRanks slow;
//   slow.add(1.2, 3);                                // three ranks need 1.2 times as long for all that they compute
//   predict(evaluator, layout, slow).seconds;
//
// A rank that is slow holds up its tensor group at every layer, so a pipeline stage computes at the pace of its slowest
// rank; the data ranks wait for each other at the end of the step. Where the slow ranks lie is not known: the slowest
// is taken to be in the fullest stage, and each of the next ones in a stage of its own, which is the worst case. With
// f_1 >= f_2 >= ... the factors of the stages (1 where no slow rank is left), c what a mean stage computes for a micro
// batch, v chunks and T(f) the step in which all ranks are slower by f (twin/iteration.hpp):
//
//   seconds = T(f_1) - sum_i (f_1 - f_i) c / v
//
// What the ranks that are not slow wait is part of the term `bubble`.
#pragma once

#include <cstdint>
#include <vector>

#include "twin/iteration.hpp"

namespace virga::twin {

class SlowRanks {
 public:
  struct Group {
    double factor = 1;  ///< at least 1
    std::uint32_t ranks = 1;
  };
  void add(double factor, std::uint32_t ranks);
  bool any() const { return !groups_.empty(); }
  double slowest() const { return any() ? groups_.front().factor : 1; }
  /// Slowest first.
  const std::vector<Group>& groups() const { return groups_; }

 private:
  std::vector<Group> groups_;
};

Prediction predict(const Evaluator& evaluator, const Layout& layout, const SlowRanks& slow);
/// Its time alone; without slow ranks as cheap as Evaluator::seconds().
double seconds_with(const Evaluator& evaluator, const Layout& layout, const SlowRanks& slow);

}  // namespace virga::twin

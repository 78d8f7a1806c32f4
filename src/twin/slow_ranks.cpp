#include "twin/slow_ranks.hpp"

#include <algorithm>

namespace virga::twin {

void SlowRanks::add(double factor, std::uint32_t ranks) {
  const auto before = std::find_if(groups_.begin(), groups_.end(), [&](const Group& g) { return g.factor < factor; });
  groups_.insert(before, {factor, ranks});
}

Prediction predict(const Evaluator& evaluator, const Layout& l, const SlowRanks& slow) {
  Prediction p = evaluator.predict(l, slow.slowest());
  if (!slow.any()) return p;
  // The factors of all stages but the first, together.
  double others = 0;
  std::uint32_t stages = l.pp - 1;
  std::uint32_t skipped = 1;  // the slowest rank itself
  for (const SlowRanks::Group& group : slow.groups()) {
    const std::uint32_t taken = std::min(group.ranks - std::min(skipped, group.ranks), stages);
    skipped -= std::min(skipped, group.ranks);
    others += taken * group.factor;
    stages -= taken;
  }
  others += stages;
  // p.terms.compute is that of as many passes as the stages make, all at the slowest rank's pace.
  const double passes = l.interleave > 1 ? (l.micro_batches() + l.pp - 1) / l.pp * l.pp : l.micro_batches();
  const double stage = p.terms.compute / (passes * slow.slowest());
  const double saved = ((l.pp - 1) * slow.slowest() - others) * stage / l.interleave;
  const double mean = (slow.slowest() + others) / l.pp;
  const double waiting = passes * stage * (slow.slowest() - mean);
  p.terms.compute -= waiting;
  p.terms.bubble += waiting - saved;
  p.seconds = p.terms.total();
  const Terms& t = p.terms;
  if (t.bubble > p.seconds / 10 && t.bubble >= std::max({t.host, t.tensor, t.expert, t.pipeline, t.data})) {
    p.binding = Term::bubble;
  }
  return p;
}

double seconds_with(const Evaluator& evaluator, const Layout& layout, const SlowRanks& slow) {
  return slow.any() ? predict(evaluator, layout, slow).seconds : evaluator.seconds(layout);
}

}  // namespace virga::twin

#include "twin/layout.hpp"

#include <fmt/format.h>

namespace virga::twin {

namespace {

/// Each rule once: `broken(rule, text)` is called with whether it is broken and a maker of its line.
template <class Broken>
void for_each_rule(const Layout& l, const Transformer& m, const System& s, Broken&& broken) {
  const bool zero = l.tp == 0 || l.pp == 0 || l.dp == 0 || l.cp == 0 || l.ep == 0 || l.interleave == 0 ||
                    l.micro_batch == 0 || l.global_batch == 0;
  if (broken(zero,
             [] { return std::string("a degree, the micro batch or the global batch is 0; each is at least 1"); })) {
    return;
  }
  broken(m.heads % l.tp != 0,
         [&] { return fmt::format("tensor parallel {} does not divide the {} heads of {}", l.tp, m.heads, m.name); });
  broken(!m.latent.used() && m.kv_heads % l.tp != 0 && l.tp % m.kv_heads != 0, [&] {
    return fmt::format("tensor parallel {} and the {} key/value heads of {} do not divide", l.tp, m.kv_heads, m.name);
  });
  broken(m.ffn % l.tp != 0,
         [&] { return fmt::format("tensor parallel {} does not divide the ffn {} of {}", l.tp, m.ffn, m.name); });
  broken(m.hidden % l.tp != 0,
         [&] { return fmt::format("tensor parallel {} does not divide hidden {} of {}", l.tp, m.hidden, m.name); });
  broken(l.pp > m.layers,
         [&] { return fmt::format("pipeline parallel {} is more than the {} layers of {}", l.pp, m.layers, m.name); });
  broken(l.interleave > 1 && (l.pp < 2 || std::uint64_t{l.pp} * l.interleave > m.layers + 2), [&] {
    return fmt::format("interleave {} needs a pipeline, and {} stages x {} chunks at most {} layers", l.interleave,
                       l.pp, l.interleave, m.layers);
  });
  broken(m.seq % l.cp != 0,
         [&] { return fmt::format("context parallel {} does not divide the sequence of {}", l.cp, m.seq); });
  broken(l.cp > 1 && m.seq % l.cp == 0 && m.seq % (2 * std::uint64_t{l.cp}) != 0, [&] {
    return fmt::format("context parallel {} deals the sequence of {} in {} parts, which it is no multiple of", l.cp,
                       m.seq, 2 * std::uint64_t{l.cp});
  });
  broken(l.sequence_parallel && m.seq % (std::uint64_t{l.cp} * l.tp) != 0, [&] {
    return fmt::format("sequence parallel: tensor parallel {} does not divide the sequence of {}", l.tp, m.seq / l.cp);
  });
  broken(l.global_batch % (std::uint64_t{l.dp} * l.micro_batch) != 0, [&] {
    return fmt::format("global batch {} is no multiple of data parallel {} x micro batch {}", l.global_batch, l.dp,
                       l.micro_batch);
  });
  broken(l.ep > 1 && m.experts == 0,
         [&] { return fmt::format("expert parallel {}, but {} has no experts", l.ep, m.name); });
  broken(m.experts > 0 && m.experts % l.ep != 0, [&] {
    return fmt::format("expert parallel {} does not divide the {} experts of {}", l.ep, m.experts, m.name);
  });
  broken((std::uint64_t{l.dp} * l.cp * l.tp) % l.ep != 0, [&] {
    return fmt::format("expert parallel {} does not divide the {} GPUs of a pipeline stage", l.ep, l.dp * l.cp * l.tp);
  });
  broken(m.experts > 0 && l.ep < l.tp && (l.tp % l.ep != 0 || m.expert_ffn % (l.tp / l.ep) != 0), [&] {
    return fmt::format("tensor parallel {} with expert parallel {} does not divide the experts' ffn {} of {}", l.tp,
                       l.ep, m.expert_ffn, m.name);
  });
  broken(s.gpu->peak(l.precision) <= 0,
         [&] { return fmt::format("{} has no tensor cores for {}", s.gpu->name, name_of(l.precision)); });
  broken(l.gpus() > s.gpus_per_node && l.gpus() > s.domain && s.nic_bytes_s <= 0, [&] {
    return fmt::format("{} GPUs are more than one node of {}, which has no InfiniBand", l.gpus(), s.name);
  });
}

}  // namespace

bool divides(const Layout& layout, const Transformer& model, const System& system) {
  bool fine = true;
  for_each_rule(layout, model, system, [&](bool broken, auto&&) {
    fine = fine && !broken;
    return broken;
  });
  return fine;
}

std::vector<std::string> check(const Layout& layout, const Transformer& model, const System& system) {
  std::vector<std::string> lines;
  for_each_rule(layout, model, system, [&](bool broken, auto&& text) {
    if (broken) lines.push_back(text());
    return broken;
  });
  return lines;
}

StageLayers stage_layers(std::uint32_t layers, std::uint32_t pp) {
  if (pp <= 1) return {layers, layers, layers};
  if (layers % pp == 0) return {layers / pp, layers / pp, layers / pp};
  if ((layers + 2) % pp == 0) {
    const std::uint32_t share = (layers + 2) / pp;
    return {share - 1, share, share - 1};
  }
  const std::uint32_t more = layers / pp + 1;
  const std::uint32_t before = more * (pp - 1);
  return {more, more, before < layers ? layers - before : layers / pp};
}

}  // namespace virga::twin

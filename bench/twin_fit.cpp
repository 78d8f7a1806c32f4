// Fits the twin's constants to measured runs, and tells how well they predict a source that they never saw.
//
//   build/release/bin/twin_fit FILE.csv                    the errors with the constants as they are
//   build/release/bin/twin_fit FILE.csv --fit              fits to all sources, prints the constants and the errors
//   build/release/bin/twin_fit FILE.csv --leave-one-out    for each source: fit to all others, then its errors
//     --fifth        every fifth of vTrain's rows is a source of its own: vtrain-single-node-fifth
//     --by COLUMN    mixtures of experts of Megatron-Bridge are sources by model (the default), gpu or container
//     --only a,b     only constants whose name begins with one of these
//     --groups a,b   fit to these sources only
//     --out a,b      leave out these only
//
// The objective is the sum over sources of the mean error and a tenth of the worst, so that a thousand runs of one
// source weigh as much as five of another. Coordinate descent with steps that shrink: no random number, the same result
// always. Beside a source that is left out stands what the others make of the objective, and each constant that leaves
// its prior: one that ends elsewhere without a source is known from that source only.
#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <fstream>
#include <functional>
#include <sstream>
#include <string>
#include <vector>

#include "twin/csv.hpp"
#include "twin/validate.hpp"

namespace {

using virga::twin::Assumptions;
using virga::twin::Stack;

/// A number to fit: its value is `low <= x <= high`. `prior` is what one would say without these measurements: counted
/// bytes, kernel benchmarks, documented defaults. It is where the fit begins, and where a constant stays that no source
/// at hand knows anything of.
struct Constant {
  std::string name;
  double low, high, prior;
  std::function<double&(Assumptions&)> first;
  std::vector<std::function<double&(Assumptions&)>> also;
};

Stack& stack(Assumptions& a, std::string_view name) {
  const auto found = std::find_if(a.stacks.begin(), a.stacks.end(), [&](const Stack& s) { return s.name == name; });
  if (found == a.stacks.end()) std::abort();
  return *found;
}

/// One constant of several stacks together.
Constant of_stacks(std::string name, std::vector<std::string> stacks, double Stack::*member, double low, double high,
                   double prior) {
  const auto at = [member](std::string of) {
    return [member, of](Assumptions& a) -> double& { return stack(a, of).*member; };
  };
  Constant c{std::move(name), low, high, prior, at(stacks[0]), {}};
  for (std::size_t i = 1; i < stacks.size(); ++i) c.also.push_back(at(stacks[i]));
  return c;
}

Constant of_all(std::string name, double virga::twin::Calibration::*member, double low, double high, double prior) {
  return {std::move(name), low, high, prior, [member](Assumptions& a) -> double& { return a.calibration.*member; }, {}};
}

std::vector<Constant> constants() {
  using virga::twin::Calibration;
  const std::vector<std::string> megatron = {"megatron-2021", "megatron-2022"};
  const std::vector<std::string> deepspeed = {"megatron-deepspeed-2022", "megatron-deepspeed-bf16-2022"};
  const std::vector<std::string> ampere = {"megatron-2021", "megatron-2022", "megatron-deepspeed-2022",
                                           "megatron-deepspeed-bf16-2022"};
  const std::vector<std::string> modern = {"nemo-2023.4",
                                           "nemo-2023.8",
                                           "megatron-2024",
                                           "nemo-2024",
                                           "nemo-2025",
                                           "megatron-bridge-2026.2",
                                           "megatron-bridge-2026.4",
                                           "megatron-bridge-2026.5"};
  const std::vector<std::string> bridge = {"megatron-bridge-2026.2", "megatron-bridge-2026.4",
                                           "megatron-bridge-2026.5"};
  return {
      of_all("hbm_share", &Calibration::hbm_share, 0.6, 0.9, 0.85),
      of_all("tile_share", &Calibration::tile_share, 0.8, 1.0, 0.92),
      of_all("k_prologue", &Calibration::k_prologue, 16, 256, 32),
      of_stacks("ampere.elementwise", ampere, &Stack::elementwise, 0.7, 3, 1),
      of_stacks("ampere.score_bytes", ampere, &Stack::score_bytes, 4, 30, 9),
      of_stacks("megatron.gemm_share", megatron, &Stack::gemm_share, 0.6, 1, 0.9),
      of_stacks("megatron.step_s", megatron, &Stack::step_s, 0, 0.3, 0.02),
      of_stacks("deepspeed.gemm_share", deepspeed, &Stack::gemm_share, 0.6, 1, 0.9),
      of_stacks("deepspeed.host_layer_s", deepspeed, &Stack::host_layer_s, 1e-4, 3e-3, 8.5e-4),
      of_stacks("deepspeed.host_collective_s", deepspeed, &Stack::host_collective_s, 0, 1e-3, 5e-5),
      of_stacks("deepspeed.host_micro_batch_s", deepspeed, &Stack::host_micro_batch_s, 0, 2e-2, 0),
      of_stacks("deepspeed.step_s", deepspeed, &Stack::step_s, 0, 0.3, 0.02),
      of_stacks("bf16.accumulate_bytes", {"megatron-deepspeed-bf16-2022"}, &Stack::accumulate_bytes, 8, 100, 24),
      of_stacks("ampere.accumulate_bytes", {"megatron-2021", "megatron-deepspeed-2022"}, &Stack::accumulate_bytes, 6,
                30, 8),
      of_all("misaligned", &Calibration::misaligned, 0.02, 0.5, 0.0625),
      of_stacks("modern.gemm_share", modern, &Stack::gemm_share, 0.6, 1, 0.9),
      of_stacks("modern.flash_share", modern, &Stack::flash_share, 0.2, 0.75, 0.33),
      of_stacks("modern.elementwise", modern, &Stack::elementwise, 0.3, 3, 1),
      of_stacks("modern.tp_hidden", modern, &Stack::tp_hidden, 0, 0.95, 0.7),
      // Gradients travel behind the last backward pass, weights behind the first forward pass: one micro batch at most.
      of_stacks("modern.dp_window", modern, &Stack::dp_window, 0, 1, 0.5),
      of_stacks("modern.pp_hidden", modern, &Stack::pp_hidden, 0, 1, 0.9),
      of_stacks("modern.step_s", modern, &Stack::step_s, 0, 0.2, 0.02),
      of_stacks("modern.host_layer_s", modern, &Stack::host_layer_s, 0, 2e-3, 0),
      of_all("modern.gain_per_year", &Calibration::gain_per_year, 0, 0.2, 0.05),
      of_all("quantise_bytes", &Calibration::quantise_bytes, 1, 8, 3),
      of_stacks("expert.bytes", bridge, &Stack::expert_bytes, 4, 60, 20),
      of_stacks("expert.host", bridge, &Stack::host_expert_s, 0, 1e-2, 2.5e-3),
      of_stacks("expert.host_local", bridge, &Stack::host_local_expert_s, 0, 1e-3, 1e-4),
      of_stacks("expert.far_hidden", {"megatron-bridge-2026.4", "megatron-bridge-2026.5"}, &Stack::far_hidden, 0, 1,
                0.7),
      of_all("modern.score_operations", &Calibration::score_operations, 0, 30, 5),
      of_stacks("expert.hidden", bridge, &Stack::expert_hidden, 0, 1, 0),
      of_stacks("expert.graphed_hidden", {"megatron-bridge-2026.5"}, &Stack::graphed_hidden, 0, 1, 0.7),
  };
}

double get(const Constant& c, Assumptions& a) { return c.first(a); }
void set(const Constant& c, Assumptions& a, double value) {
  c.first(a) = value;
  for (const auto& other : c.also) other(a) = value;
}

/// The file's text with the rows of some sources only.
struct Source {
  std::string group;
  std::string text;
};

bool is_fitted(std::string_view metric) {
  return metric == "iteration_time" || metric == "iteration_time_derived" || metric == "model_tflops_per_gpu" ||
         metric == "tflops_per_gpu_incl_recompute";
}

/// Of Megatron-Bridge, the mixtures of experts are sources of their own, by a column or by container.
std::string expert_source(const virga::twin::CsvReader& csv, const std::string& by) {
  if (by != "container") return fmt::format("moe {}", csv[csv.column(by)]);
  const std::string_view source = csv[csv.column("source")];
  const std::size_t begin = source.find('(');
  return begin == std::string_view::npos ? "moe" : fmt::format("moe {}", source.substr(begin + 1, 5));
}

/// `fifth`: of vTrain's rows, every fifth makes a source of its own. `by`: what tells mixtures of experts apart.
std::vector<Source> split(const std::string& text, bool fifth, const std::string& by) {
  std::vector<Source> sources;
  std::size_t rows = 0;
  const std::string header = text.substr(0, text.find('\n') + 1);
  virga::twin::CsvReader csv(text);
  const std::size_t group = csv.column("source_group");
  const std::size_t metric = csv.column("metric");
  std::istringstream lines(text);
  std::string line;
  std::getline(lines, line);
  while (csv.next() && std::getline(lines, line)) {
    if (!is_fitted(csv[metric])) continue;
    std::string name(csv[group]);
    if (name == "megatron-bridge" && line.find("LLAMA") == std::string::npos) name = expert_source(csv, by);
    if (name == "megatron-sc21-table2" && line.find("ZeRO-3") != std::string::npos) name = "zero-3";
    if (fifth && name.starts_with("vtrain") && rows++ % 5 == 0) name += "-fifth";
    auto found = std::find_if(sources.begin(), sources.end(), [&](const Source& s) { return s.group == name; });
    if (found == sources.end()) found = sources.insert(found, {name, header});
    found->text += line + "\n";
  }
  return sources;
}

/// What it costs to move a constant from its prior over its whole range: the mean error of one source, in shares.
constexpr double k_prior_weight = 0.05;

struct Errors {
  double mean = 0, median = 0, worst = 0, bias = 0;
  std::size_t rows = 0;
  double inside_mean = 0, inside_worst = 0;  ///< of rows in the calibrated range, which are those to fit to
};

Errors errors_of(const Source& source, const Assumptions& a) {
  const auto v = virga::twin::validate(source.text, source.group, a);
  Errors e;
  if (!v) {
    fmt::print(stderr, "{}\n", v.error().message);
    std::exit(2);
  }
  std::vector<double> all;
  double inside = 0;
  for (const auto& row : v->rows) {
    if (!row.predicted) continue;
    all.push_back(std::abs(row.error()));
    e.mean += all.back();
    e.bias += row.error();
    if (row.outside_calibration) continue;
    e.inside_mean += all.back();
    e.inside_worst = std::max(e.inside_worst, all.back());
    inside += 1;
  }
  if (inside > 0) e.inside_mean /= inside;
  e.rows = all.size();
  if (all.empty()) return e;
  std::sort(all.begin(), all.end());
  e.mean /= static_cast<double>(all.size());
  e.bias /= static_cast<double>(all.size());
  e.median = all[all.size() / 2];
  e.worst = all.back();
  return e;
}

/// What a fit is about, and which of its sources each constant changes at all: the others need not be predicted again.
class Objective {
 public:
  Objective(const std::vector<Source>& sources, const std::vector<std::string>& groups,
            const std::vector<Constant>& what)
      : what_(what) {
    for (const Source& s : sources) {
      if (std::find(groups.begin(), groups.end(), s.group) != groups.end()) sources_.push_back(&s);
    }
    const Assumptions prior = at_priors();
    const std::vector<double> terms = terms_of(prior);
    for (const Constant& c : what) {
      std::vector<bool> changed(sources_.size());
      for (const double value : {c.low, c.high}) {
        Assumptions a = prior;
        set(c, a, value);
        for (std::size_t i = 0; i < sources_.size(); ++i) changed[i] = changed[i] || term(i, a) != terms[i];
      }
      changes_.push_back(changed);
    }
  }

  const std::vector<Constant>& constants() const { return what_; }

  Assumptions at_priors() const {
    Assumptions a;
    for (const Constant& c : what_) set(c, a, c.prior);
    return a;
  }

  /// Of each source.
  std::vector<double> terms_of(const Assumptions& a) const {
    std::vector<double> terms;
    for (std::size_t i = 0; i < sources_.size(); ++i) terms.push_back(term(i, a));
    return terms;
  }

  /// Brings `terms` up to date after constant number `moved` was set; false if it changes nothing anywhere.
  bool update(const Assumptions& a, std::size_t moved, std::vector<double>& terms) const {
    bool any = false;
    for (std::size_t i = 0; i < sources_.size(); ++i) {
      if (!changes_[moved][i]) continue;
      terms[i] = term(i, a);
      any = true;
    }
    return any;
  }

  double total(Assumptions a, const std::vector<double>& terms) const {
    double sum = 0;
    for (const Constant& c : what_) sum += k_prior_weight * std::abs(get(c, a) - c.prior) / (c.high - c.low);
    for (const double t : terms) sum += t;
    return sum;
  }
  double total(const Assumptions& a) const { return total(a, terms_of(a)); }

 private:
  double term(std::size_t source, const Assumptions& a) const {
    const Errors e = errors_of(*sources_[source], a);
    return e.inside_mean + 0.1 * e.inside_worst;
  }

  const std::vector<Constant>& what_;
  std::vector<const Source*> sources_;
  std::vector<std::vector<bool>> changes_;  ///< by constant, then source
};

/// The nearest point from which no step of one constant leads down.
Assumptions descend(const Objective& objective, Assumptions best) {
  const std::vector<Constant>& what = objective.constants();
  std::vector<double> terms = objective.terms_of(best);
  double least = objective.total(best, terms);
  std::vector<double> steps;
  for (const Constant& c : what) steps.push_back((c.high - c.low) / 8);
  for (int round = 0; round < 14; ++round) {
    bool better = false;
    for (std::size_t i = 0; i < what.size(); ++i) {
      for (const double sign : {1.0, -1.0}) {
        bool moved = false;
        for (;;) {
          Assumptions tried = best;
          std::vector<double> tried_terms = terms;
          set(what[i], tried, std::clamp(get(what[i], tried) + sign * steps[i], what[i].low, what[i].high));
          if (!objective.update(tried, i, tried_terms)) break;
          const double now = objective.total(tried, tried_terms);
          if (now >= least - 1e-9) break;
          least = now;
          best = tried;
          terms = tried_terms;
          moved = better = true;
        }
        if (moved) break;
      }
    }
    if (!better || round % 2 == 1) {
      for (double& step : steps) step /= 2;
    }
  }
  return best;
}

/// One constant at a time ends in corners where only two together lead further down. So what has left its prior is put
/// back, one constant after the other, and all descend from there; whatever is lower stays.
Assumptions fit(const Objective& objective) {
  Assumptions best = descend(objective, objective.at_priors());
  double least = objective.total(best);
  for (bool better = true; better;) {
    better = false;
    for (const Constant& c : objective.constants()) {
      if (get(c, best) == c.prior) continue;
      Assumptions tried = best;
      set(c, tried, c.prior);
      tried = descend(objective, tried);
      const double now = objective.total(tried);
      if (now >= least - 1e-6) continue;
      least = now;
      best = tried;
      better = true;
    }
  }
  return best;
}

void print_errors(const std::vector<Source>& sources, const Assumptions& a) {
  for (const Source& s : sources) {
    const Errors e = errors_of(s, a);
    fmt::print("  {:<22} {:>5} rows  mean {:>5.1f} %  median {:>5.1f} %  worst {:>5.1f} %  bias {:>+5.1f} %\n", s.group,
               e.rows, 100 * e.mean, 100 * e.median, 100 * e.worst, 100 * e.bias);
  }
}

std::vector<std::string> words(const std::string& text) {
  std::vector<std::string> list;
  std::istringstream in(text);
  for (std::string word; std::getline(in, word, ',');) list.push_back(word);
  return list;
}

}  // namespace

int main(int argc, char** argv) {
  if (argc < 2) {
    fmt::print(
        stderr,
        "twin_fit: which file? twin_fit FILE.csv [--fit | --leave-one-out] [--fifth] [--only a,b] [--groups a,b]\n");
    return 2;
  }
  std::ifstream file(argv[1]);
  std::stringstream text;
  text << file.rdbuf();
  const bool fifth = std::find(argv + 2, argv + argc, std::string("--fifth")) != argv + argc;
  const auto by = std::find(argv + 2, argv + argc, std::string("--by"));
  const std::vector<Source> sources = split(text.str(), fifth, argv + argc - by > 1 ? by[1] : "model");
  std::vector<std::string> groups;
  for (const Source& s : sources) groups.push_back(s.group);
  std::vector<Constant> what = constants();
  std::vector<std::string> outs;
  bool fitting = false;
  bool leaving_out = false;
  for (int i = 2; i < argc; ++i) {
    const std::string option = argv[i];
    if (option == "--fit") fitting = true;
    if (option == "--leave-one-out") leaving_out = true;
    if (option == "--out" && i + 1 < argc) outs = words(argv[++i]);
    if (option == "--groups" && i + 1 < argc) groups = words(argv[++i]);
    if (option == "--only" && i + 1 < argc) {
      const std::vector<std::string> only = words(argv[++i]);
      std::erase_if(what, [&](const Constant& c) {
        return std::none_of(only.begin(), only.end(), [&](const std::string& p) { return c.name.starts_with(p); });
      });
    }
  }
  if (fitting || leaving_out) {
    Assumptions best = fitting ? fit(Objective(sources, groups, what)) : Assumptions{};
    if (fitting) {
      for (const Constant& c : what) fmt::print("  {:<30} {:.4g}\n", c.name, get(c, best));
      print_errors(sources, best);
    }
    for (const std::string& out : leaving_out ? (outs.empty() ? groups : outs) : std::vector<std::string>{}) {
      std::vector<std::string> others = groups;
      std::erase(others, out);
      const Objective objective(sources, others, what);
      Assumptions a = fit(objective);
      for (const Source& s : sources) {
        if (s.group == out) print_errors({s}, a);
      }
      fmt::print("    objective {:.4f}", objective.total(a));
      for (const Constant& c : what) {
        if (get(c, a) != c.prior) fmt::print(", {} {:.4g}", c.name, get(c, a));
      }
      fmt::print("\n");
      std::fflush(stdout);
    }
    return 0;
  }
  print_errors(sources, {});
  return 0;
}

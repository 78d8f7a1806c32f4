// What `virga plan` was asked, as the command line has it, and as the planner wants it.
//
//   Result<PlanQuestion> question = plan_question(options);      // reads files; errors are lines for the user
//   twin::Plan plan = twin::make_plan(question->request);
#pragma once

#include <cstdint>
#include <deque>
#include <string>
#include <vector>

#include "base/result.hpp"
#include "twin/plan.hpp"
#include "wire/system_toml.hpp"

namespace virga {

struct PlanOptions {
  std::string model;     ///< a name, or the path of a config.json
  std::string validate;  ///< a file of measurements
  bool rows = false;
  bool json = false;
  std::string gpus;  ///< texts where a wrong one is to be told in our own words
  std::vector<std::string> skus;
  std::string system;  ///< a TOML file
  std::string tokens;
  std::string global_batch;
  std::string seq;
  std::string budget;
  std::string deadline;
  // Fixed parts of the layout; empty: searched.
  std::string tp;
  std::string pp;
  std::string cp;
  std::string ep;
  std::string micro_batch;
  std::string interleave;
  std::string recompute;
  std::string sequence_parallel;
  std::string distributed_optimizer;
  bool any_tp = false;
  std::string precision = "bf16";
  std::string stack;
  // What slows it down.
  std::vector<std::string> slow_ranks;
  std::string fabric;  ///< a file
  std::string oversubscription;
  std::string shared_with;
  bool scattered = false;
  // Money and failures.
  std::string price;
  std::string region;  ///< of Azure, or "cheapest"; empty: East US
  bool spot = false;
  std::string eviction_rate;
  std::string restart = "10m";
  std::string checkpoint_gb_s = "1";
  // What is written.
  std::string launcher = "megatron-lm";
  std::string html;
  std::string script;
};

/// What was asked with all that it refers to; moving it keeps the request's pointers good.
struct PlanQuestion {
  std::deque<twin::Transformer> model;
  std::deque<OwnSystem> own;
  std::deque<FabricGraph> fabric;  ///< one, where NICs do not have all of their rate
  std::deque<ForwardingTables> routing;
  twin::PlanRequest request;
  std::string fabric_name;           ///< a file, or how it was built
  std::vector<std::string> regions;  ///< of each offer, where one was asked for
  bool batch_assumed = false;
  bool deadline_assumed = false;  ///< 30 days, where neither GPUs nor money nor time are limited
  bool spot = false;
  bool spot_price_assumed = false;
  bool spot_rate_assumed = false;
  std::vector<std::string> unpriced;  ///< sizes that were left out, since nobody lists their price
};
Result<PlanQuestion> plan_question(const PlanOptions& options);

/// "270e9", "270B", "1.4T", "300M"
Result<double> parse_tokens(std::string_view text);

int plan_verb(const PlanOptions& options);

}  // namespace virga

// The verbs of `virga`: their options, and who carries each of them out.
#include <CLI/CLI.hpp>

#include "cli/verbs/plan_options.hpp"
#include "cli/verbs/verb.hpp"

namespace virga {

namespace {

/// "did you mean": the verb with the fewest edits, if they are few (Levenshtein).
std::string nearest(const std::string& word, const std::vector<std::string>& known) {
  std::string best;
  std::size_t fewest = 3;
  for (const std::string& k : known) {
    std::vector<std::size_t> row(k.size() + 1);
    for (std::size_t j = 0; j <= k.size(); ++j) row[j] = j;
    for (std::size_t i = 1; i <= word.size(); ++i) {
      std::size_t diagonal = row[0];
      row[0] = i;
      for (std::size_t j = 1; j <= k.size(); ++j) {
        const std::size_t replaced = diagonal + (word[i - 1] == k[j - 1] ? 0 : 1);
        diagonal = row[j];
        row[j] = std::min({row[j] + 1, row[j - 1] + 1, replaced});
      }
    }
    if (row[k.size()] < fewest) {
      fewest = row[k.size()];
      best = k;
    }
  }
  return best;
}

const std::vector<std::string> k_verbs = {"up",      "down",     "status", "doctor", "explain", "logs",
                                          "watch",   "cost",     "offers", "env",    "reload",  "checkpoint",
                                          "journal", "simulate", "plan",   "fabric", "version"};

/// Everything the parser fills in; one verb uses some of it.
struct Parsed {
  bool json = false;
  bool cancel = false;
  bool follow = false;
  std::string doctor_cloud;
  std::uint32_t job = 0;
  std::uint64_t step = 0;
  std::uint64_t bytes = 0;
  WatchOptions watch;
  CostOptions cost;
  OffersOptions offers;
  PlanOptions plan;
  std::uint32_t watch_timeout_s = 0;
};

void describe_money(CLI::App& app, Parsed& p) {
  CLI::App* cost = app.add_subcommand("cost", "what was spent on jobs and nodes, and what of it no job used");
  cost->add_option("--by", p.cost.by, "tenant (the default), user, job or pool: what a row is about")
      ->check(CLI::IsMember({"tenant", "user", "job", "pool"}));
  cost->add_option("--since", p.cost.since, "only what was spent from then on: 2026-01-31, now-7days, 13:30");
  cost->add_option("--until", p.cost.until, "only what was spent before");
  cost->add_flag("--json", p.cost.json, "as JSON");
  CLI::App* offers = app.add_subcommand("offers", "what each pool could do for a job now, the cheapest first");
  offers->add_option("--nodes,-N", p.offers.nodes, "how many nodes (1)")->check(CLI::Range(1U, 100'000U));
  offers->add_option("--gpus", p.offers.gpus, "GPUs of each node (0)");
  offers->add_option("--time,-t", p.offers.time, "the time limit, as sbatch takes it; the partition's when absent");
  offers->add_option("--partition,-p", p.offers.partition, "only pools of this one");
  offers->add_option("--account,-A", p.offers.account, "the tenant that pays");
  CLI::Option* market = offers->add_flag("--market", p.offers.market, "what the clouds lend: sizes, regions, prices");
  offers->add_option("--sku", p.offers.sku, "of the market: only this size")->needs(market);
  offers->add_option("--region", p.offers.region, "of the market: only this region, whose quota is asked for")
      ->needs(market);
  offers->add_option("--class", p.offers.price_class, "of the market: only this price class")
      ->check(CLI::IsMember({"on_demand", "reserved", "spot"}))
      ->needs(market);
  offers->add_flag("--json", p.offers.json, "as JSON");
}

void describe_layout(CLI::App* plan, PlanOptions& options) {
  plan->add_option("--tp", options.tp, "fixed: tensor parallel")->group("Layout");
  plan->add_option("--pp", options.pp, "fixed: pipeline parallel")->group("Layout");
  plan->add_option("--cp", options.cp, "fixed: context parallel")->group("Layout");
  plan->add_option("--ep", options.ep, "fixed: expert parallel")->group("Layout");
  plan->add_option("--micro-batch", options.micro_batch, "fixed: samples of a micro batch")->group("Layout");
  plan->add_option("--interleave", options.interleave, "fixed: model chunks of a GPU")->group("Layout");
  plan->add_option("--recompute", options.recompute, "fixed: none, selective or full")->group("Layout");
  plan->add_option("--sequence-parallel", options.sequence_parallel, "fixed: on or off")->group("Layout");
  plan->add_option("--distributed-optimizer", options.distributed_optimizer, "fixed: on or off")->group("Layout");
  plan->add_flag("--any-tp", options.any_tp, "search tensor groups beyond a node and its NVLink domain")
      ->group("Layout");
  plan->add_option("--precision", options.precision, "fp16, bf16 (the default), fp8, mxfp8 or nvfp4")->group("Layout");
  plan->add_option("--stack", options.stack, "the software's generation; the newest when absent")->group("Layout");
}

void describe_plan(CLI::App& app, Parsed& p) {
  CLI::App* plan = app.add_subcommand("plan", "which machines and layout train a model, how fast, for how much");
  PlanOptions& options = p.plan;
  plan->add_option("MODEL", options.model, "a name, or the path of a Hugging Face config.json");
  plan->add_option("--gpus", options.gpus, "how many; searched when absent");
  plan->add_option("--sku", options.skus, "the size of the VMs, or several; all with InfiniBand when absent");
  plan->add_option("--system", options.system, "a TOML file that describes machines of your own");
  plan->add_option("--tokens", options.tokens, "of the whole run: 300B, 1.4T, 2e12");
  plan->add_option("--global-batch", options.global_batch, "samples of a step; about 4 Mi tokens when absent");
  plan->add_option("--seq", options.seq, "tokens of a sample; the model's when absent");
  plan->add_option("--budget", options.budget, "US dollars for the run");
  plan->add_option("--deadline", options.deadline, "time for the run: 30d, 12h");
  describe_layout(plan, options);
  plan->add_option("--slow-rank", options.slow_ranks, "FACTOR[@RANKS]: ranks that compute slower, such as 1.2@3")
      ->group("Slowed down");
  plan->add_option("--fabric", options.fabric,
                   "the network, a file as virga fabric reads it; no contention when absent")
      ->group("Slowed down");
  plan->add_option("--oversubscription", options.oversubscription, "a fat tree instead, F to 1 above its leaves")
      ->group("Slowed down");
  plan->add_option("--shared-with", options.shared_with, "other jobs of as many nodes on that network (0)")
      ->group("Slowed down");
  plan->add_flag("--scattered", options.scattered, "its nodes, and those of the others, lie anywhere on that network")
      ->group("Slowed down");
  plan->add_option("--price", options.price, "US dollars of a VM and hour; Azure's list price in East US when absent")
      ->group("Money");
  plan->add_option("--region", options.region, "of Azure, whose list price counts; cheapest: each size's cheapest")
      ->group("Money");
  plan->add_flag("--spot", options.spot, "spot VMs, with the expected cost of evictions")->group("Money");
  plan->add_option("--eviction-rate", options.eviction_rate, "percent of VMs evicted an hour (2.5)")->group("Money");
  plan->add_option("--restart", options.restart, "from a lost VM to training again (10m)")->group("Money");
  plan->add_option("--checkpoint-gb-s", options.checkpoint_gb_s, "GB/s that a VM writes checkpoints with (1)")
      ->group("Money");
  plan->add_option("--launcher", options.launcher, "of the script: megatron-lm (the default) or megatron-bridge");
  plan->add_option("--script", options.script, "write the batch script there");
  plan->add_option("--html", options.html, "write a page with the timeline of one iteration there");
  plan->add_flag("--json", options.json, "as JSON");
  plan->add_option("--validate", options.validate, "a CSV file of measurements: what the model says of each");
  plan->add_flag("--rows", options.rows, "of --validate: each row, not the summary only");
}

void describe(CLI::App& app, Parsed& p) {
  app.name("virga");
  app.description(
      "Virga: the supercomputer made of virtual machines.\n"
      "Jobs are submitted and shown by Slurm's commands: sbatch srun squeue sinfo scancel sacct scontrol.");
  app.footer("Start here:  virga up && eval \"$(virga env)\" && sbatch --wrap hostname && squeue");
  app.require_subcommand(1);
  app.add_subcommand("up", "start the controller of this instance")
      ->add_flag("--json", p.json, "print the status as JSON");
  app.add_subcommand("down", "release every node and end the controller")
      ->add_flag("--cancel", p.cancel, "cancel the jobs that hold nodes");
  app.add_subcommand("status", "controller, nodes, jobs, cost; without a controller: what the journal says")
      ->add_flag("--json", p.json, "as JSON");
  CLI::App* doctor = app.add_subcommand("doctor", "what this machine lets virtual nodes be, and why");
  doctor->add_flag("--json", p.json, "as JSON");
  doctor->add_option("CLOUD", p.doctor_cloud, "azure: whether the subscription of virga.toml is ready for its pools")
      ->check(CLI::IsMember({"azure"}));
  CLI::App* explain = app.add_subcommand("explain", "why a job is where it is");
  explain->add_option("JOB", p.job, "job id")->required();
  explain->add_flag("--json", p.json, "as JSON");
  CLI::App* logs = app.add_subcommand("logs", "a job's output");
  logs->add_option("JOB", p.job, "job id")->required();
  logs->add_flag("-f,--follow", p.follow, "go on until the job ends");
  CLI::App* watch = app.add_subcommand("watch", "a job's life as it happens: nodes, states, output, cost");
  watch->add_option("JOB", p.watch.job, "job id")->required();
  watch->add_flag("--until-released", p.watch.until_released, "go on until no node is left");
  watch->add_option("--timeout", p.watch_timeout_s, "wait at most so many seconds for the nodes to go");
  describe_money(app, p);
  describe_plan(app, p);
  app.add_subcommand("env", "shell lines that put the commands on PATH: eval \"$(virga env)\"");
  app.add_subcommand("reload", "read virga.toml again");
  CLI::App* checkpoint = app.add_subcommand("checkpoint", "tell about a job's checkpoints");
  checkpoint->require_subcommand(1);
  CLI::App* done = checkpoint->add_subcommand("done", "inside a job: a checkpoint is complete");
  done->add_option("--job", p.job, "job id, outside of a job");
  done->add_option("--step", p.step, "training step it holds");
  done->add_option("--bytes", p.bytes, "its size");
  app.add_subcommand("journal",
                     "the journal: info, verify, replay, backup, restore, events (see 'virga journal --help')");
  app.add_subcommand("simulate",
                     "what if: a described supercomputer, or a recorded workload (see 'virga simulate --help')");
  app.add_subcommand("fabric",
                     "the network: fat trees, real subnets, bisection, worst links (see 'virga fabric --help')");
  app.add_subcommand("version", "print the version");
}

int dispatch(const std::string& verb, Parsed& p, const VerbHooks& hooks) {
  if (verb == "up") return up_verb(hooks, p.json);
  if (verb == "down") return down_verb(p.cancel);
  if (verb == "status") return status_verb(hooks, p.json);
  if (verb == "doctor") return p.doctor_cloud.empty() ? doctor_verb(hooks, p.json) : doctor_azure_verb(hooks, p.json);
  if (verb == "explain") return explain_verb(p.job, p.json);
  if (verb == "logs") return logs_verb(p.job, p.follow);
  if (verb == "cost") return cost_verb(p.cost);
  if (verb == "plan") return plan_verb(p.plan);
  if (verb == "offers") return offers_verb(p.offers);
  if (verb == "env") return env_verb(hooks);
  if (verb == "reload") return reload_verb();
  if (verb == "checkpoint") return checkpoint_verb(p.job, p.step, p.bytes);
  if (verb == "watch") {
    if (p.watch_timeout_s > 0) p.watch.timeout = Duration::seconds(p.watch_timeout_s);
    return watch_verb(p.watch);
  }
  std::printf("virga %s\n", VIRGA_VERSION);
  return 0;
}

}  // namespace

int virga_main(int argc, char** argv, const VerbHooks& hooks) {
  // These have parsers of their own.
  if (argc >= 2 && std::string(argv[1]) == "journal") return hooks.journal_main(argc - 1, argv + 1);
  if (argc >= 2 && std::string(argv[1]) == "simulate") return hooks.simulate_main(argc - 1, argv + 1);
  if (argc >= 2 && std::string(argv[1]) == "fabric") return fabric_main(argc - 1, argv + 1);
  if (argc >= 2 && std::string(argv[1]) == "slurm-options") return slurm_options_main({argv + 2, argv + argc});
  if (argc >= 2 && std::string(argv[1]) == "help") argv[1] = const_cast<char*>("--help");
  if (argc >= 2 && argv[1][0] != '-' && std::find(k_verbs.begin(), k_verbs.end(), argv[1]) == k_verbs.end()) {
    const std::string near = nearest(argv[1], k_verbs);
    const std::string hint = near.empty() ? "" : "; did you mean '" + near + "'?";
    return complain({Code::invalid, "no such verb: " + std::string(argv[1]) + hint + " See 'virga help'"});
  }
  Parsed parsed;
  CLI::App app;
  describe(app, parsed);
  app.set_version_flag("--version", std::string("virga ") + VIRGA_VERSION);
  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& e) {
    if (e.get_exit_code() == 0) return app.exit(e);  // --help, --version
    return complain({Code::invalid, std::string(e.what()) + ". See 'virga " +
                                        (argc > 1 && argv[1][0] != '-' ? argv[1] + std::string(" ") : "") + "--help'"});
  }
  return dispatch(app.get_subcommands().front()->get_name(), parsed, hooks);
}

}  // namespace virga

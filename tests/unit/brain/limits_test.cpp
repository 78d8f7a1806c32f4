// Limits of QOS and tenants: what is counted, what is refused and what waits, and that nothing is left behind.
#include "brain/policy/limits.hpp"

#include <doctest/doctest.h>

#include <random>

namespace virga {
namespace {

Config limited_config() {
  Config config;
  config.qos.push_back({.name = "normal",
                        .max_jobs_per_user = 2,
                        .max_nodes_per_user = 8,
                        .max_submit_per_user = 3,
                        .max_wall = Duration::minutes(60)});
  config.qos.push_back({.name = "free"});
  config.tenants.push_back({.name = "science", .max_nodes = 10});
  config.tenants.push_back({.name = "physics", .parent = "science", .max_gpus = 32});
  return config;
}

LimitedJob job(std::uint32_t nodes, std::string_view qos = "normal", std::string_view tenant = "",
               std::uint32_t uid = 1) {
  return {qos, tenant, uid, nodes, nodes * 8, Duration::minutes(10)};
}

}  // namespace

TEST_CASE("limits: jobs and nodes of one user and QOS") {
  Limits limits(limited_config());
  CHECK_FALSE(limits.check_start(job(8)));
  limits.add_running(job(5));
  CHECK(limits.check_start(job(4))->reason == Reason::qos_node_limit);
  CHECK(limits.check_start(job(4))->detail == "the user has 5 nodes and wants 4 more, QOS normal allows 8");
  CHECK_FALSE(limits.check_start(job(3)));
  CHECK_FALSE(limits.check_start(job(8, "normal", "", 2)));
  CHECK_FALSE(limits.check_start(job(100, "free")));
  limits.add_running(job(1));
  CHECK(limits.check_start(job(1))->reason == Reason::qos_limit);
  CHECK(limits.check_start(job(1))->detail == "2 jobs of the user run, QOS normal allows 2");
  limits.remove_running(job(5));
  CHECK_FALSE(limits.check_start(job(7)));
}

TEST_CASE("limits: a tenant's hold for all below it") {
  Limits limits(limited_config());
  limits.add_running(job(7, "free", "science"));
  CHECK(limits.check_start(job(4, "free", "physics"))->reason == Reason::tenant_limit);
  CHECK(limits.check_start(job(4, "free", "physics"))->detail ==
        "tenant science has 7 nodes and wants 4 more, its limit is 10");
  CHECK_FALSE(limits.check_start(job(3, "free", "physics")));
  limits.add_running(job(2, "free", "physics"));
  limits.remove_running(job(7, "free", "science"));
  CHECK(limits.check_start(job(3, "free", "physics"))->reason == Reason::tenant_gpu_limit);
  CHECK_FALSE(limits.check_start(job(8, "free", "science")));
  CHECK_FALSE(limits.check_start(job(1'000, "free", "unknown")));
}

TEST_CASE("limits: what can never be is refused at submission, with the numbers") {
  Limits limits(limited_config());
  CHECK_FALSE(limits.check_submit(job(8), 3));
  const auto message = [&](const LimitedJob& j, std::uint32_t n = 1) { return limits.check_submit(j, n)->message; };
  CHECK(message(job(9)) == "Job violates accounting/QOS policy: 9 nodes asked for, QOS normal allows a user 8");
  CHECK(message(job(11, "free", "physics")) ==
        "Job violates accounting/QOS policy: 88 GPUs asked for, tenant physics may have 32");
  CHECK(message(job(11, "free", "science")) ==
        "Job violates accounting/QOS policy: 11 nodes asked for, tenant science may have 10");
  LimitedJob longer = job(1);
  longer.time_limit = Duration::infinite();
  CHECK(message(longer).find("QOS normal allows 60 minutes") != std::string::npos);
  limits.add_queued(job(1));
  limits.add_queued(job(1));
  CHECK_FALSE(limits.check_submit(job(1), 1));
  CHECK(message(job(1), 2) ==
        "Job violates accounting/QOS policy: 2 jobs asked for and 2 submitted, QOS normal allows a user 3");
  CHECK(limits.check_submit(job(1), 2)->retryable);
  limits.remove_queued(job(1));
  CHECK_FALSE(limits.check_submit(job(1), 2));
}

TEST_CASE("limits: a job that check_start() let in never breaks a limit, and all counts go back to zero") {
  for (unsigned seed = 1; seed <= 50; ++seed) {
    CAPTURE(seed);
    std::mt19937 random(seed);
    const Config config = limited_config();
    Limits limits(config);
    std::vector<LimitedJob> running;
    for (int step = 0; step < 300; ++step) {
      if (!running.empty() && random() % 3 == 0) {
        const std::size_t at = random() % running.size();
        limits.remove_running(running[at]);
        running.erase(running.begin() + static_cast<std::ptrdiff_t>(at));
        continue;
      }
      const char* tenants[] = {"science", "physics", "other"};
      const LimitedJob next = job(1 + random() % 5, random() % 2 == 0 ? "normal" : "free", tenants[random() % 3],
                                  static_cast<std::uint32_t>(random() % 3));
      std::uint32_t jobs = 1, nodes = next.nodes, science = next.tenant == "other" ? 0 : next.nodes;
      std::uint32_t gpus = next.tenant == "physics" ? next.gpus : 0;
      for (const LimitedJob& r : running) {
        if (r.qos == next.qos && r.uid == next.uid) ++jobs, nodes += r.nodes;
        if (r.tenant != "other") science += r.nodes;
        if (r.tenant == "physics") gpus += r.gpus;
      }
      const bool fits = (next.qos == "free" || (jobs <= 2 && nodes <= 8)) &&
                        (next.tenant == "other" || science <= 10) && (next.tenant != "physics" || gpus <= 32);
      CHECK(limits.check_start(next).has_value() == !fits);
      if (!fits) continue;
      limits.add_running(next);
      running.push_back(next);
    }
    for (const LimitedJob& r : running) limits.remove_running(r);
    CHECK_FALSE(limits.check_start(job(4, "normal", "physics")));
  }
}

}  // namespace virga

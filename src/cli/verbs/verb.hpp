// What the verbs share: their functions, and how an error becomes a line and an exit code.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "base/result.hpp"
#include "cli/verbs/verbs.hpp"
#include "core/job.hpp"

namespace virga {

/// Prints `virga: message` on stderr; returns the exit code that belongs to the error.
int complain(const Error& error);

/// "12", or "12.345" seconds: what a person reads.
std::string seconds_text(Duration d);
/// "98.32 USD"
std::string usd_text(Money money);
bool stdout_is_terminal();

int up_verb(const VerbHooks& hooks, bool json);
int down_verb(bool cancel_jobs);
int status_verb(const VerbHooks& hooks, bool json);
int doctor_verb(const VerbHooks& hooks, bool json);
int doctor_azure_verb(const VerbHooks& hooks, bool json);
int env_verb(const VerbHooks& hooks);
int explain_verb(std::uint32_t job, bool json);
int logs_verb(std::uint32_t job, bool follow);
int checkpoint_verb(std::uint32_t job, std::uint64_t step, std::uint64_t bytes);
int reload_verb();
/// `virga slurm-options …`: the option tables of Slurm's commands, for scripts and packages.
int slurm_options_main(const std::vector<std::string>& args);
/// `virga fabric …`, which has a parser of its own.
int fabric_main(int argc, char** argv);

struct CostOptions {
  std::string by = "tenant";
  std::string since;  ///< as people write a date; empty: from the beginning
  std::string until;
  bool json = false;
};
int cost_verb(const CostOptions& options);

struct OffersOptions {
  std::uint32_t nodes = 1;
  std::uint32_t gpus = 0;
  std::string time;  ///< Slurm's time limit; empty: the partition's
  std::string partition;
  std::string account;
  bool json = false;
  bool market = false;  ///< all sizes and regions instead of the pools; the next three go with it
  std::string sku;
  std::string region;
  std::string price_class;
};
int offers_verb(const OffersOptions& options);

struct WatchOptions {
  std::uint32_t job = 0;
  bool until_released = false;
  Duration timeout = Duration::infinite();  ///< for the release, once the job has ended
};
int watch_verb(const WatchOptions& options);

}  // namespace virga

// What must outlast Slurm's own memory of a job: which incarnations were given to Slurm, which of them it was told to
// begin, and how they ended.
//
//   Ledger ledger(home.slurm() + "/jobs");
//   ledger.note_submitted(key);                       // before sbatch
//   ledger.note_released(key);                        // before scontrol release
//   ledger.note_ended(key, {ExitStatus{7, 0}});       // by the hook on Slurm's controller, or by the engine
//   ledger.find(key)->ended;                          // true
//   ledger.forget(key);
//
// One small file per incarnation, replaced as a whole and durable when the call returns, so that the hook (another
// process) and the engine can both write. An end that is written once stays as it is.
#pragma once

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>

#include "wire/agent_protocol.hpp"

namespace virga::slurm {

struct LedgerEntry {
  bool released = false;  ///< or about to be
  bool ended = false;
  ExitStatus exit;         ///< if it ended
  bool never_ran = false;  ///< it ended without having begun
  std::uint32_t id = 0;    ///< Slurm's, if it ended and who wrote that knew it
  std::chrono::seconds age{0};
};

class Ledger {
 public:
  explicit Ledger(std::string folder) : folder_(std::move(folder)) {}

  /// Nothing if there is none, or none that can be read: nobody is told of an end that is not certain.
  std::optional<LedgerEntry> find(const JobKey& key) const;
  /// Whether there is anything of it, be it that nobody can read it.
  bool may_have(const JobKey& key) const;
  Status note_submitted(const JobKey& key) const;
  Status note_released(const JobKey& key) const;
  Status note_ended(const JobKey& key, ExitStatus exit, bool never_ran, std::uint32_t id = 0) const;
  void forget(const JobKey& key) const;

 private:
  std::string path_of(const JobKey& key) const;

  std::string folder_;
};

}  // namespace virga::slurm

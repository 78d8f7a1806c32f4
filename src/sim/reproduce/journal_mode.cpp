#include "sim/reproduce/journal_mode.hpp"

#include <fmt/format.h>

#include <iterator>

#include "sim/report/axis.hpp"
#include "sim/reproduce/recorded_run.hpp"
#include "sim/reproduce/reproduction.hpp"
#include "wire/json_codec.hpp"
#include "wire/text_file.hpp"

namespace virga {
namespace {

std::string number(std::uint64_t n) { return grouped(static_cast<double>(n)); }

std::string count(std::uint64_t n, const char* noun) { return counted(static_cast<double>(n), noun); }

std::string milliseconds(Duration d) { return fmt::format("{:.1f} ms", static_cast<double>(d.ns) / 1e6); }

std::string decisions_text(const Decisions& d) {
  return fmt::format("{}: {}, {}, {}, {}, {}", number(d.all()), count(d.reservations, "reservation"),
                     count(d.starts, "start"), count(d.signals, "signal"), count(d.ends, "end"),
                     count(d.releases, "release"));
}

std::string text_of(const RecordedRun& run, const Reproduction& again) {
  std::string text;
  const auto line = [&](std::string_view name, const std::string& value) {
    fmt::format_to(std::back_inserter(text), "{:<16}{}\n", name, value);
  };
  const std::string events = number(run.events.size());
  if (again.deviation) {
    line("deviates", fmt::format("after {} of {}", number(again.events), count(run.events.size(), "event")));
  } else {
    line("reproduced", fmt::format("{}, the same decisions at the same times", count(run.events.size(), "event")));
  }
  line("begins", run.start.seq ? fmt::format("on the snapshot after event {}", run.start.seq.value)
                               : std::string("with the first event"));
  const Duration span = run.events.back().at - run.events.front().at;
  line("from, to", fmt::format("{}, {} ({})", iso8601(run.events.front().at), iso8601(run.events.back().at),
                               duration_text(static_cast<double>(span.ns) / 1e9)));
  line("controllers", number(again.lives));
  line("submissions", number(again.submissions));
  line("decisions", decisions_text(again.decisions));
  line("refused", count(again.refusals, "reservation"));
  line("timers",
       fmt::format("{}, at most {} after their deadline", number(again.timers), milliseconds(again.latest_timer)));
  if (!again.deviation) {
    line("accounts", fmt::format("{} and {}", count(again.job_accounts, "job"), count(again.vm_accounts, "VM")));
    line("digest", fmt::format("{:016x}{}", again.digest,
                               again.snapshot_confirmed ? "; the newest snapshot was met on the way" : ""));
    return text;
  }
  const Deviation& deviation = *again.deviation;
  const bool after = deviation.seq.value >= run.seq_of(run.events.size()).value;
  const std::string where = after ? "in the accounts" : fmt::format("event {}", deviation.seq.value);
  line("", fmt::format("{}, {}", where, iso8601(deviation.at)));
  line("  recorded", deviation.recorded);
  line("  simulated", deviation.simulated);
  for (const std::string& decision : deviation.then) line("  and then", decision);
  return text;
}

std::string json_of(const RecordedRun& run, const Reproduction& again) {
  JsonWriter w;
  w.begin_object();
  w("reproduced", !again.deviation);
  w("from_snapshot", run.start.seq);
  w("events", run.events.size());
  w("events_same", again.events);
  w("from", run.events.front().at);
  w("to", run.events.back().at);
  w("controllers", again.lives);
  w("submissions", again.submissions);
  w("reservations", again.decisions.reservations);
  w("starts", again.decisions.starts);
  w("signals", again.decisions.signals);
  w("ends", again.decisions.ends);
  w("releases", again.decisions.releases);
  w("refused_reservations", again.refusals);
  w("timers", again.timers);
  w("latest_timer_s", again.latest_timer);
  if (!again.deviation) {
    w("job_accounts", again.job_accounts);
    w("vm_accounts", again.vm_accounts);
    w("snapshot_confirmed", again.snapshot_confirmed);
    w("digest", fmt::format("{:016x}", again.digest));
  } else {
    w.key("deviation");
    w.begin_object();
    w("seq", again.deviation->seq);
    w("at", again.deviation->at);
    w("recorded", again.deviation->recorded);
    w("simulated", again.deviation->simulated);
    w("then", again.deviation->then);
    w.end_object();
  }
  w.end_object();
  return w.take() + "\n";
}

}  // namespace

Result<JournalOutput> run_journal_mode(const JournalMode& mode, const JournalOpener& open) {
  Result<std::unique_ptr<Journal>> journal = open(mode.journal);
  if (!journal) return unexpected(journal.error());
  const Result<RecordedRun> run = read_recorded_run(**journal);
  if (!run) {
    // The adapters name their file where they can, other failures do not.
    Error error = run.error();
    if (error.message.find(mode.journal) == std::string::npos) error.message = mode.journal + ": " + error.message;
    return unexpected(std::move(error));
  }
  journal->reset();
  const Reproduction again = reproduce(*run);
  JournalOutput output{.text = mode.json == "-" ? json_of(*run, again) : text_of(*run, again),
                       .reproduced = !again.deviation};
  if (!mode.json.empty() && mode.json != "-") {
    if (Status written = write_text_file(mode.json, json_of(*run, again)); !written) return unexpected(written.error());
  }
  return output;
}

}  // namespace virga

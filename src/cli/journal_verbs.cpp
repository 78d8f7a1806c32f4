#include "cli/journal_verbs.hpp"

#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <charconv>
#include <filesystem>
#include <optional>

#include "cli/client.hpp"
#include "cli/journal_replay.hpp"
#include "cli/journal_trace.hpp"
#include "wire/api_bodies.hpp"
#include "wire/config_journal.hpp"
#include "wire/error_codes.hpp"
#include "wire/event_json.hpp"
#include "wire/home.hpp"
#include "wire/json_codec.hpp"

namespace virga {

namespace {

struct Arguments {
  std::string journal;  ///< empty: the instance's
  bool json = false;
  std::string path;  ///< of a backup
  std::string from, to;
  std::uint64_t since = 0;
  std::uint64_t until = 0;
  std::string expect;  ///< SEQ:DIGEST
  bool from_start = false;
};

/// What the running controller says, or what the user expects.
struct Expectation {
  Seq seq;
  std::uint64_t digest = 0;
  std::string who;
};

int complain(const Error& error) {
  fmt::print(stderr, "virga journal: {}\n", error.message);
  return exit_code(error.code);
}

std::string hex(std::uint64_t digest) { return fmt::format("{:016x}", digest); }

std::optional<std::uint64_t> from_hex(const std::string& text) {
  std::uint64_t value = 0;
  auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value, 16);
  if (text.size() != 16 || error != std::errc{} || end != text.data() + text.size()) return std::nullopt;
  return value;
}

/// As it may be printed: without anything that may hold a password.
std::string shown_name(const std::string& journal) {
  if (!names_postgres(journal)) return journal;
  const std::size_t scheme = journal.find("://");
  if (scheme == journal.npos) return "postgres:…";
  const std::string url = journal.substr(0, journal.find('?'));
  const std::size_t at = url.find('@');
  const std::size_t colon = url.find(':', scheme + 3);
  return at != url.npos && colon < at ? url.substr(0, colon) + url.substr(at) : url;
}

int info(Journal& journal, const Arguments& args) {
  Result<JournalInfo> known = journal.info();
  if (!known) return complain(known.error());
  const JournalInfo& i = *known;
  if (args.json) {
    JournalInfoBody body{i.first, i.last, i.last_time, i.snapshot, i.bytes, i.archived_jobs, i.schema_version};
    fmt::print("{}\n", to_json_text(body));
    return 0;
  }
  const std::string events = i.first
                                 ? fmt::format("{} to {}", i.first.value, i.last.value)
                                 : fmt::format("none{}", i.last ? fmt::format(" after event {}", i.last.value) : "");
  const std::string snapshot = i.snapshot ? fmt::format("after event {}", i.snapshot.value) : "none";
  fmt::print(
      "journal        {}\nevents kept    {}\nlast event at  {}\nsnapshot       {}\narchived jobs  {}\n"
      "size           {} bytes\nschema         {}\n",
      shown_name(args.journal), events, i.last ? iso8601(i.last_time) : "never", snapshot, i.archived_jobs, i.bytes,
      i.schema_version);
  return 0;
}

void print_report(const JournalReport& r, const std::string& path, const Arguments& args) {
  if (args.json) {
    JsonWriter w;
    w.begin_object();
    w("ok", true);
    w("journal", path);
    w("events", r.events);
    w("payloads", r.payloads);
    w("snapshots", r.snapshots);
    w("archived_jobs", r.archived_jobs);
    w("archived_vms", r.archived_vms);
    w.end_object();
    fmt::print("{}\n", w.take());
    return;
  }
  fmt::print("{} is whole: {} events, {} scripts, {} snapshots, {} job and {} VM records\n", path, r.events, r.payloads,
             r.snapshots, r.archived_jobs, r.archived_vms);
}

int verify(Journal& journal, const Arguments& args) {
  Result<JournalReport> report = journal.verify();
  if (report) {
    print_report(*report, args.journal, args);
    return 0;
  }
  if (args.json) {
    JsonWriter w;
    w.begin_object();
    w("ok", false);
    w("journal", args.journal);
    w("error", report.error().message);
    w.end_object();
    fmt::print("{}\n", w.take());
  } else {
    complain(report.error());
  }
  return 1;
}

Result<Expectation> parse_expectation(const std::string& text) {
  const std::size_t colon = text.find(':');
  std::uint64_t seq = 0;
  auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), seq);
  const std::optional<std::uint64_t> digest = colon < text.size() ? from_hex(text.substr(colon + 1)) : std::nullopt;
  if (!digest || error != std::errc{} || end != text.data() + colon || seq == 0) {
    return fail(Code::invalid, fmt::format("--expect {}: expected SEQ:DIGEST, a number and 16 hexadecimal digits, such "
                                           "as 120:00c0ffee00c0ffee",
                                           text));
  }
  return Expectation{Seq{seq}, *digest, "expected"};
}

/// What the controller that has this journal open says; nothing if there is none.
Result<std::optional<Expectation>> ask_controller() {
  Result<Client> client = Client::from_environment();
  if (!client) return std::nullopt;
  client->set_patience(Duration{});
  Result<JournalBody> says = client->get_as<JournalBody>("/v1/journal");
  if (!says && says.error().code == Code::unavailable) return std::nullopt;
  if (!says) return unexpected(says.error());
  const std::optional<std::uint64_t> digest = from_hex(says->digest);
  if (!digest) return fail(Code::internal, "virgad gives a digest that is none: " + says->digest);
  return Expectation{says->seq, *digest, "virgad"};
}

void print_replayed(const Replayed& r, const std::optional<Expectation>& expected, const Arguments& args) {
  const bool same = expected && expected->digest == r.digest;
  if (args.json) {
    JsonWriter w;
    w.begin_object();
    w("seq", r.seq);
    w("digest", hex(r.digest));
    w("events", r.events);
    w("from_snapshot", r.snapshot);
    w("snapshot_confirmed", r.snapshot_confirmed);
    if (expected) {
      w("compared_with", expected->who);
      w("expected", hex(expected->digest));
      w("same", same);
    }
    w.end_object();
    fmt::print("{}\n", w.take());
    return;
  }
  fmt::print("{} events replayed {}\nevent {}  digest {}\n", r.events,
             r.snapshot ? fmt::format("on the snapshot after event {}", r.snapshot.value) : "from the first one",
             r.seq.value, hex(r.digest));
  if (r.snapshot_confirmed) fmt::print("the newest snapshot was met on the way and is the same\n");
  if (expected) fmt::print("{}: {}  {}\n", expected->who, hex(expected->digest), same ? "the same" : "DIFFERENT");
}

int replay(Journal& journal, const Arguments& args, bool own_journal) {
  std::optional<Expectation> expected;
  if (!args.expect.empty()) {
    Result<Expectation> parsed = parse_expectation(args.expect);
    if (!parsed) return complain(parsed.error());
    expected = *std::move(parsed);
  } else if (own_journal && args.until == 0) {
    Result<std::optional<Expectation>> asked = ask_controller();
    if (!asked) return complain(asked.error());
    expected = *std::move(asked);
  }
  ReplayOptions options{.from_start = args.from_start};
  if (args.until != 0) options.until = Seq{args.until};
  if (expected) options.until = expected->seq;
  Result<Replayed> replayed = replay_journal(journal, options);
  if (!replayed) return complain(replayed.error());
  print_replayed(*replayed, expected, args);
  return expected && expected->digest != replayed->digest ? 1 : 0;
}

/// A backup that was never read is none: the copy is opened and verified.
int backup(Journal& journal, const JournalAccess& access, const Arguments& args) {
  if (Status backed_up = journal.backup(args.path); !backed_up) return complain(backed_up.error());
  Result<std::unique_ptr<Journal>> copy = access.open(args.path, OpenMode::read_only);
  if (!copy) return complain(copy.error());
  Result<JournalReport> report = (*copy)->verify();
  if (!report) {
    complain(report.error());
    return 1;
  }
  print_report(*report, args.path, args);
  return 0;
}

int restore(const JournalAccess& access, const Arguments& args) {
  Result<std::string> replaced = access.restore(args.path, args.journal);
  if (!replaced) return complain(replaced.error());
  if (args.json) {
    JsonWriter w;
    w.begin_object();
    w("journal", args.journal);
    w("restored_from", args.path);
    w("replaced", *replaced);
    w.end_object();
    fmt::print("{}\n", w.take());
    return 0;
  }
  fmt::print("{} is restored from {}\n", args.journal, args.path);
  if (!replaced->empty()) fmt::print("what it replaced is kept as {}\n", *replaced);
  return 0;
}

/// All that one journal keeps into another one, which is empty or not there yet; then both are compared.
int copy(const JournalAccess& access, const Arguments& args) {
  Result<std::unique_ptr<Journal>> from = access.open(args.from, OpenMode::read_only);
  if (!from) return complain(from.error());
  Result<std::unique_ptr<Journal>> to = access.open(args.to, OpenMode::create_or_open);
  if (!to) return complain(to.error());
  if (Status copied = (*to)->import(**from); !copied) return complain(copied.error());
  Result<JournalReport> report = (*to)->verify();
  if (!report) {
    complain(report.error());
    return 1;
  }
  print_report(*report, shown_name(args.to), args);
  return 0;
}

int events(Journal& journal, const Arguments& args) {
  Status read = journal.read(Seq{args.since}, [&](Seq seq, const Event& event) {
    if (args.json) {
      fmt::print("{}\n", event_json(seq, event));
    } else {
      const std::string body = std::visit([](const auto& b) { return to_json_text(b); }, event.body);
      fmt::print("{:>8}  {:<30}  {:<18}  {}\n", seq.value, iso8601(event.at), name_of(event.body), body);
    }
    return std::ferror(stdout) == 0;
  });
  return read ? 0 : complain(read.error());
}

int trace(Journal& journal) {
  Result<std::string> csv = trace_of(journal);
  if (!csv) return complain(csv.error());
  fmt::print("{}", *csv);
  return 0;
}

/// One sub-command each; the common options may stand before or after it.
void describe(CLI::App& app, Arguments& args) {
  app.require_subcommand(1);
  app.fallthrough();
  app.add_flag("--json", args.json, "print JSON (events: one object a line)");
  app.add_option("--journal", args.journal, "the journal's file, or postgres://…; default: this instance's")
      ->type_name("JOURNAL");
  app.add_subcommand("info", "which events are kept, the newest snapshot, sizes");
  app.add_subcommand("verify", "read all of it and check every checksum, number and digest");
  CLI::App* replay = app.add_subcommand(
      "replay",
      "apply the events and print the state's digest, compared with the running controller's if there is one");
  CLI::Option* until = replay->add_option("--until", args.until, "the last event to apply");
  until->type_name("SEQ")->check(CLI::PositiveNumber);
  replay->add_flag("--from-start", args.from_start, "begin with the first event, and compare the snapshot in passing");
  CLI::Option* expect = replay->add_option("--expect", args.expect, "the digest there must be after an event");
  expect->type_name("SEQ:DIGEST")->excludes(until);
  CLI::App* backup = app.add_subcommand("backup", "copy it, also while the controller runs, and verify the copy");
  backup->add_option("path", args.path, "a file that does not exist")->required()->type_name("PATH");
  CLI::App* restore = app.add_subcommand("restore", "put a backup in its place; the controller must be down");
  restore->add_option("path", args.path, "a backup")->required()->type_name("PATH");
  CLI::App* copy = app.add_subcommand("copy", "copy all of it into an empty journal, also of the other kind");
  copy->add_option("from", args.from, "sqlite:PATH or postgres://user@host/database")->required();
  copy->add_option("to", args.to, "the same; made if it is not there")->required();
  CLI::App* events = app.add_subcommand("events", "list the events");
  events->add_option("--since", args.since, "only those after this one")->type_name("SEQ");
  app.add_subcommand("trace", "print the ended jobs as CSV, a workload for virga simulate --trace");
}

int run(const std::string& verb, const JournalAccess& access, Arguments& args) {
  const bool own_journal = args.journal.empty();
  if (own_journal) {
    Result<Home> home = home_from_environment();
    if (!home) return complain(home.error());
    Result<std::string> own = access.own_journal(*home);
    if (!own) return complain(own.error());
    args.journal = *std::move(own);
  }
  if (!args.path.empty()) args.path = std::filesystem::absolute(args.path).lexically_normal().string();
  if (verb == "restore") return restore(access, args);
  if (verb == "copy") return copy(access, args);
  Result<std::unique_ptr<Journal>> journal = access.open(args.journal, OpenMode::read_only);
  if (!journal) {
    const int code = complain(journal.error());
    return verb == "verify" ? 1 : code;
  }
  if (verb == "info") return info(**journal, args);
  if (verb == "verify") return verify(**journal, args);
  if (verb == "replay") return replay(**journal, args, own_journal);
  if (verb == "backup") return backup(**journal, access, args);
  if (verb == "trace") return trace(**journal);
  return events(**journal, args);
}

}  // namespace

int journal_main(int argc, char** argv, const JournalAccess& access) {
  Arguments args;
  CLI::App app("The journal: every fact that the controller knows, in order.", "virga journal");
  describe(app, args);
  try {
    app.parse(argc, argv);
  } catch (const CLI::CallForHelp& help) {
    return app.exit(help);
  } catch (const CLI::ParseError& wrong) {
    return complain({Code::invalid, fmt::format("{} (see 'virga journal --help')", wrong.what())});
  }
  const int code = run(app.get_subcommands().front()->get_name(), access, args);
  // Half an answer must not pass for a whole one.
  if (std::fflush(stdout) != 0 && code == 0) return complain({Code::exhausted, "the output cannot be written"});
  return code;
}

}  // namespace virga

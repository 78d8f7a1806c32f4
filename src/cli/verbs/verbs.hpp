// Virga's own verbs: `virga up`, `virga status`, …
//
//   int main(int argc, char** argv) { return virga_main(argc, argv, hooks); }
//
// The command line knows no adapter: what needs one (opening a journal without a daemon, looking at the machine) comes
// in as a hook from the program.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "base/result.hpp"
#include "ports/journal.hpp"
#include "wire/check_report.hpp"
#include "wire/home.hpp"

namespace virga {

struct DoctorLine {
  std::string what;
  bool ok = false;
  std::string text;  ///< why not, or a remark

  template <class Self, class V>
  static void visit(Self& s, V&& v) {
    v("what", s.what);
    v("ok", s.ok);
    v("text", s.text);
  }
};

struct DoctorReport {
  std::string tier;
  std::string tier_text;  ///< one sentence: what nodes are on this machine
  std::vector<DoctorLine> lines;

  template <class Self, class V>
  static void visit(Self& s, V&& v) {
    v("tier", s.tier);
    v("tier_text", s.tier_text);
    v("lines", s.lines);
  }
};

struct VerbHooks {
  std::function<Result<std::unique_ptr<Journal>>(const Home& home)> open_journal_to_read;
  std::function<DoctorReport()> examine_machine;
  std::function<Result<CheckReport>()> examine_azure;
  std::function<int(int, char**)> journal_main;   ///< `virga journal …`
  std::function<int(int, char**)> simulate_main;  ///< `virga simulate …`
  std::string bin_dir;                            ///< where virgad and the Slurm commands lie
};

int virga_main(int argc, char** argv, const VerbHooks& hooks);

}  // namespace virga

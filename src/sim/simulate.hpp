// `virga simulate`: what-if with the decision code that also runs in production.
//
//   virga simulate --trace kth-sp2-1996.csv.gz --units 100 --policy easy --json -    // a flat pool
//   virga simulate --scenario eagle.toml                                             // a described supercomputer
//   virga simulate --compare eagle.toml eagle-spot.toml
//   virga simulate --journal run.db                                                  // what was recorded, once more
//
// Exit codes: 0; 1 if a seed is red or a journal's run does not come out the same; 2 if an option, the scenario, the
// trace or the journal is wrong; others as wire/error_codes.hpp says. The verb parses and picks a mode; each mode is
// one function of its options (flat/trace_mode.hpp, scenario/scenario_mode.hpp, reproduce/journal_mode.hpp).
#pragma once

#include "sim/reproduce/journal_mode.hpp"

namespace virga {

/// No journal's adapter is known here: the program says how one is opened, to be read only.
int simulate_main(int argc, char** argv, const JournalOpener& open_journal);

}  // namespace virga

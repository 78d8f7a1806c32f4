// `virga simulate`: what-if with the decision code that also runs in production.
//
//   virga simulate --trace kth-sp2-1996.csv.gz --units 100 --policy easy --json -    // a flat pool
//   virga simulate --scenario eagle.toml                                             // a described supercomputer
//   virga simulate --compare eagle.toml eagle-spot.toml
//
// Exit codes: 0; 2 if an option, the scenario or the trace is wrong; others as wire/error_codes.hpp says.
// The verb parses and picks a mode; each mode is one function of its options (flat/trace_mode.hpp,
// scenario/scenario_mode.hpp).
#pragma once

namespace virga {

int simulate_main(int argc, char** argv);

}  // namespace virga

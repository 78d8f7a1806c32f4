// `virga-node join`: what every instance of a scale set runs, since a set has one custom data for all of them.
//
//   virga-node join --board DIR [--imds URL]
//
// It learns from the metadata service which machine it is, waits until the controller says on the board
// (wire/node_board.hpp) which node that machine is, takes that node's name, mounts the board's names over /etc/hosts,
// and runs the node's bootstrap as its child, with VIRGA_IMDS in its environment, where the bootstrap finds the
// metadata service. When the bootstrap ends, it ends with its exit code. When the controller says something else (a
// restarted one may give a machine that was never granted to another node), the bootstrap is ended, and the other one
// is run.
#pragma once

namespace virga {

/// `argv[0]` is "join". Returns the exit code.
int virga_node_join_main(int argc, char** argv);

}  // namespace virga

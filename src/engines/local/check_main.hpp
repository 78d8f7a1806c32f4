// `virga-node check`: the health checks of a node, by hand.
//
//   virga-node check --size Standard_ND96isr_H100_v5 [--full] [--json] [--tools DIR]
//
// Exit code: 0 healthy, 1 sick, 2 wrong arguments.
#pragma once

namespace virga {

int virga_node_check_main(int argc, char** argv);

}  // namespace virga

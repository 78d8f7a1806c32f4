// `virga-node vm …`: the part of the host cloud that makes and holds virtual nodes.
//
//   virga-node vm boot HOME VM ATTEMPT makes a node as its record says, then ends; the node's init lives on
//   virga-node vm fabric HOME TIER     holds the network between the nodes of an instance
//   virga-node vm metadata HOME TIER   listens at the metadata service's address in that network, for its parent
//
// Started by the host cloud only. They answer on standard output: "step NAME" …, then "ok" or "failed CODE MESSAGE".
#pragma once

namespace virga {

/// `argv[0]` is "vm", argv[1] one of the above. Returns the exit code.
int virga_node_vm_main(int argc, char** argv);

}  // namespace virga

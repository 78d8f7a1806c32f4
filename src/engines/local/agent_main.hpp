// `virga-node agent`: what the user data of a virtual node runs.
//
//   virga-node agent --home /var/lib/virga --vm 7 --name nd-7 --cluster virga --bin-dir /usr/lib/virga/bin
//
// Where the environment has VIRGA_IMDS (http://169.254.169.254), the agent also watches the metadata service there for
// the end of its machine.
#pragma once

namespace virga {

int virga_node_agent_main(int argc, char** argv);

}  // namespace virga

// `virga-node agent`: what the user data of a virtual node runs.
//
//   virga-node agent --home /var/lib/virga --vm 7 --name nd-7 --cluster virga --bin-dir /usr/lib/virga/bin
#pragma once

namespace virga {

int virga_node_agent_main(int argc, char** argv);

}  // namespace virga

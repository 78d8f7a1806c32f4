// virga-node: the part that needs privileges, kept small and apart from the controller. As the host cloud's it makes
// and holds virtual nodes; as the local engine's it is the agent on a node, which runs jobs as their submitters; on an
// instance of Azure it finds out which node that is; and Slurm runs it when a job begins or ends. `virga-node check`
// looks at this machine's hardware, by hand.
#include <cstdio>
#include <cstring>
#include <string_view>

#include "clouds/azure/join_main.hpp"
#include "clouds/host/node_main.hpp"
#include "engines/local/agent_main.hpp"
#include "engines/local/check_main.hpp"
#include "engines/slurm/hook_main.hpp"

int main(int argc, char** argv) {
  if (argc >= 2 && std::strcmp(argv[1], "agent") == 0) return virga::virga_node_agent_main(argc - 1, argv + 1);
  if (argc >= 2 && std::strcmp(argv[1], "check") == 0) return virga::virga_node_check_main(argc - 1, argv + 1);
  if (argc >= 2 && std::strcmp(argv[1], "join") == 0) return virga::virga_node_join_main(argc - 1, argv + 1);
  const std::string_view verb = argc >= 2 ? argv[1] : "";
  if (verb == "slurm-hook") return virga::virga_node_slurm_hook_main(argc - 1, argv + 1);
  if (verb == "slurm-prolog") return virga::virga_node_slurm_prolog_main(argc - 1, argv + 1);
  if (argc >= 2) return virga::virga_node_vm_main(argc - 1, argv + 1);
  std::fputs("virga-node: started by virgad; by hand only 'virga-node check' (see 'virga help')\n", stderr);
  return 2;
}

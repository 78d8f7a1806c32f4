// Cloud: who lends machines. Adapters: clouds/host (virtual nodes on this machine).
//
//   cloud.reserve(command, user_data);   // → GangGranted or GangRefused, later VmFailed for a VM that dies
//   cloud.release(vm);                   // → VmReleased
//
// Contract (ports/contract/cloud_contract.hpp checks every adapter against it):
//  * reserve() is all or nothing: after GangRefused nothing of the gang is left and nothing of it is billed.
//  * Giving the same gang or the same release again has no effect but the answer, also after a crash in between.
//  * GangGranted means that the VMs exist and boot: each runs its user data as its administrator, once.
//  * A VM that dies without being released is told with VmFailed within a second, once.
//  * release() of an unknown VM answers VmReleased.
//  * list() tells what is really there, including what this controller has forgotten.
//  * market() changes nothing. Its prices need nobody; a lender that does not answer leaves quotas unknown, with the
//    reason. Each pool of this cloud is named by one offer at most, and by exactly one where its region is.
//  * Calls return at once; the answers come through the EventSink, from any thread. list() and market() block.
//  * Where several controllers share a journal, lead() comes first, with a term that no earlier leader had. From then
//  on
//    no reserve() or release() of a lower term is carried out, if the lender can tell.
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "base/result.hpp"
#include "core/command.hpp"
#include "core/market.hpp"

namespace virga {

struct ListedVm {
  VmId vm;
  std::string pool;
  std::string address;
};

/// A VM that the journal has, with the address of its grant.
struct KnownVm {
  VmId vm;
  std::string name;
  std::string pool;
  std::string address;
  std::string cloud = {};  ///< of its pool
};

class Cloud {
 public:
  virtual ~Cloud() = default;

  virtual void lead(std::uint64_t term) { static_cast<void>(term); }

  /// `user_data(vm)` is the node's bootstrap, from the engine: a shell script that starts with "#!", as cloud-init
  /// takes it. It must stay in the foreground: when it ends, the VM ends.
  virtual void reserve(const ReserveGang& command, const std::function<std::string(const WantedVm&)>& user_data) = 0;
  virtual void release(VmId vm) = 0;
  /// Blocks; called at start and when control reconciles, before any command of that run.
  /// A cloud whose machines bear no mark of ours knows them again by the addresses of `known`, and may keep what nobody
  /// knows for a gang that is given again; others have marks, and no need of it.
  virtual Result<std::vector<ListedVm>> list(const std::vector<KnownVm>& known) = 0;
  /// Watch a VM of an earlier run again, so that its death is told. Called for each listed VM that is kept.
  virtual void adopt(VmId vm) = 0;
  /// From any thread, at any time, as often as users ask: what a lender said is kept for some minutes. Never on the
  /// control thread.
  virtual Market market(const MarketQuery& query) = 0;
};

}  // namespace virga

// One scale set and the thread that looks after it: it grows, gives back, releases and watches, one after the other,
// so that no two calls of ours about a set's size can cross. While Azure takes its time to grow the set, VMs that are
// there are released and watched in between.
//
//   SetKeeper keeper("virga-c-nd-1", common);
//   keeper.grow(gang, 0);        // → common.share_done(gang, 0, …)
//   keeper.clear(gang);          // → common.share_cleared(gang)
//   keeper.release(VmId{7});     // → VmReleased
//   keeper.watch();              // there is such a set: look at it from now on
#pragma once

#include <condition_variable>
#include <deque>
#include <functional>
#include <map>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

#include "clouds/azure/azure_cloud.hpp"
#include "clouds/azure/books.hpp"
#include "clouds/azure/scale_sets.hpp"
#include "clouds/azure/surroundings.hpp"

namespace virga::azure {

/// What all keepers share.
struct Common {
  Common(AzureOptions o, EventSink& s) : options(std::move(o)), sink(s), access(options.settings, options.say) {}

  const AzureOptions options;
  EventSink& sink;
  Access access;
  Books books;
  Surroundings surroundings;
  std::function<void(const GangPtr&, const Arm<Got>&)> share_done;
  std::function<void(const GangPtr&)> share_cleared;
};

class SetKeeper {
 public:
  SetKeeper(std::string set, Common& common);
  ~SetKeeper();  ///< the access must have been stopped

  void grow(GangPtr gang, std::size_t share);
  void clear(GangPtr gang);
  void release(VmId vm);
  void watch();

 private:
  struct Task {
    GangPtr gang;
    std::size_t share = 0;
    bool grows = true;
  };
  /// What a look at the set says, in terms of the books.
  struct View {
    std::vector<Instance> free;  ///< nobody's
    std::map<std::string, VmId> claims;
    std::map<std::string, Instance> there;  ///< by id
    std::size_t living = 0;
  };

  void run();
  void collect_releases();
  std::vector<VmId> take_releases();
  // Growing.
  Arm<Got> grow_share(Gang& gang, std::size_t share);
  Arm<Got> grow_once(Gang& gang, std::size_t share, const std::vector<std::size_t>& places, Time deadline);
  bool is_worth_a_new_set(const Gang& gang, int new_sets) const;
  bool make_room_for_new_set(Gang& gang, std::size_t share, const ArmError& shortage);
  Arm<void> finish_growth(Gang& gang, const HttpAnswer& begun, Time deadline);
  Arm<void> wait_until_settled(Gang& gang, Time deadline);
  Arm<Got> collect(Gang& gang, const std::vector<std::size_t>& places, Time deadline,
                   const std::optional<ArmError>& failure);
  Got choose(const ReserveGang& command, const std::vector<std::size_t>& places, const std::vector<Instance>& free,
             const View& view) const;
  Arm<void> hold(const GangPtr& gang, const Got& got);
  // Giving back.
  void clear_gang(const GangPtr& gang);
  Arm<bool> clear_once(Time lag_end, std::size_t& given_back);
  void note_waste(Gang& gang, std::size_t share, std::size_t given_back);
  void release_all(const std::vector<VmId>& vms);
  bool release_between();
  void note_released(const std::vector<VmId>& vms);
  Arm<void> release_once(const std::vector<VmId>& vms, bool look_first, bool may_remove_set);
  Arm<void> remove_set();
  Arm<void> remove_instances(const std::vector<std::string>& ids);
  // Watching.
  void look();
  void look_at_claims(const View& view);
  void look_at_strangers(const View& view);

  Arm<std::optional<View>> view();
  void drop_settled_holds();

  const std::string set_;
  Common& common_;
  ArmClient client_;
  ScaleSets sets_;

  std::mutex mutex_;
  std::condition_variable changed_;
  std::deque<Task> tasks_;
  std::vector<VmId> releases_;
  bool watching_ = false;
  bool ending_ = false;

  // Of the thread alone.
  bool settled_ = false;  ///< no operation of an earlier controller is under way
  Time look_at_;
  std::vector<std::pair<GangPtr, Got>> held_;  ///< got for a gang that has no answer yet
  std::map<std::string, int> missed_;
  std::map<std::string, Time> failed_since_;
  std::map<std::string, Time> stranger_since_;
  Time empty_since_;

  std::thread thread_;  // last: it uses all of the above
};

}  // namespace virga::azure

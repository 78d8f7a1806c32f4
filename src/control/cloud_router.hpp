// Several clouds as one: each pool says which of them lends its machines.
//
//   CloudRouter clouds(controller);
//   clouds.add("host", make_host_cloud({…}, clouds));       // their answers go through it
//   clouds.add("azure", make_azure_cloud({…}, clouds));
//   controller.recover({&journal, &clouds, …}, config);
//
// A VM belongs to the cloud that was asked for it, that listed it, or that the journal says it is of, until it is
// released. One that nobody knows is the first cloud's, which answers as every cloud does for a VM that it does not
// know.
#pragma once

#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "ports/cloud.hpp"
#include "ports/event_sink.hpp"

namespace virga {

class CloudRouter : public Cloud, public EventSink {
 public:
  /// `sink` must outlive it.
  explicit CloudRouter(EventSink& sink) : sink_(sink) {}

  void add(const std::string& name, std::unique_ptr<Cloud> cloud);

  void lead(std::uint64_t term) override;
  /// Of a cloud that is not there: refused as a fault.
  void reserve(const ReserveGang& command, const std::function<std::string(const WantedVm&)>& user_data) override;
  void release(VmId vm) override;
  /// Fails if one of them does, or if a known VM is of a cloud that is not there: what is not known to be gone must not
  /// be taken for it.
  Result<std::vector<ListedVm>> list(const std::vector<KnownVm>& known) override;
  void adopt(VmId vm) override;
  /// Of all of them together.
  Market market(const MarketQuery& query) override;

  void post(EventBody fact) override;

 private:
  struct Named {
    std::string name;
    std::unique_ptr<Cloud> cloud;
  };
  Cloud& owner_of(VmId vm);
  void note(VmId vm, Cloud& owner);

  EventSink& sink_;
  std::mutex mutex_;
  std::map<VmId, Cloud*> owners_;
  std::vector<Named> clouds_;  // last: their threads post
};

}  // namespace virga

// The Azure cloud: gangs of VMs as instances of scale sets, asked for through the Azure Resource Manager.
//
//   Result<AzureSettings> settings = parse_azure_settings(text, "virga.toml", config.pools);
//   auto cloud = make_azure_cloud({*settings, join_script, publish, withdraw}, sink);
//   cloud->list(known);           // first, after a restart: the VMs of the journal with their addresses
//
// A node's number says which set it belongs to (set_plan.hpp), so InfiniBand reaches the nodes that the brain takes for
// neighbours. All sets of a gang grow at once, each by one call; if one cannot, what the others got goes back, and only
// then is the gang refused, with what they cost. Every set has a thread of its own (set_keeper.hpp), which does one
// thing after the other.
//
// Which instance is which VM. The instances of a set bear no marks of their own, and become VMs only when a gang is
// granted: then the free instances, in ascending order, are given to the gang's VMs in the command's order. What lasts
// is the address, which is part of the grant and thereby in the journal.
//
// Why nothing leaks and nothing is there twice. Every instance lives in a set that bears the cluster's tag, and sets
// are only made by this class. A crash before the grant is durable leaves instances that no VM of the journal has; the
// same gang, given again, finds them free and needs no growth; if nobody gives it again, they are strangers, and are
// deleted after settings.stranger_grace. Sets without instances are deleted too, and so is
// what VMs leave behind (orphan_sweep.hpp).
//
// Bootstrap. A set has one customData for all its instances: `join_script`. What a VM has of its own goes to `publish`
// under its machine's id (which the instance learns from its metadata service) before the gang is granted; the join
// script has to fetch it from there (join_main.hpp). It is published once for each instance that becomes a VM, and not
// again after a restart: what was published must outlive the controller.
//
// Releases that come within 50 ms are one call. What needs an answer of Azure and gets none is tried until it has one:
// a VM counts as released, and a gang as refused, only when nothing of it is left. Closing the object abandons what is
// on its way; the next one finds it.
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <string>

#include "clouds/azure/settings.hpp"
#include "ports/cloud.hpp"
#include "ports/event_sink.hpp"
#include "wire/node_board.hpp"

namespace virga {

struct AzureOptions {
  AzureSettings settings;
  /// What every instance runs at its first boot, a script as cloud-init takes it: "#!/bin/sh\nexec virga-node join …".
  std::string join_script;
  /// Called from any thread, before the grant: these machines, by their ids, are these nodes. If it fails, so does the
  /// gang. May be empty.
  std::function<Status(const std::map<std::string, NodeEntry>&)> publish = {};
  /// Called from any thread: this VM was released. May be empty.
  std::function<void(VmId)> withdraw = {};
  /// Called from any thread: a line for the log, of what does not go well and is tried again. May be empty.
  std::function<void(const std::string&)> say = {};
};

/// `sink` must outlive the cloud. Calls nobody before the first reserve() or list.
std::unique_ptr<Cloud> make_azure_cloud(AzureOptions options, EventSink& sink);

}  // namespace virga

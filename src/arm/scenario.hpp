// What the stand-in's cloud is like: regions, quota, capacity, boot times, and what goes wrong. A TOML file; every key
// may be left out (docs/virga-arm.md has the reference).
//
//   Result<Scenario> scenario = parse_scenario(text, "scenario.toml");   // Code::invalid: "file:line:column: what"
//
// Times of a scenario are counted from the start of the stand-in, in its own time (which `speed` makes run faster).
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/enum_names.hpp"
#include "base/result.hpp"
#include "base/time.hpp"

namespace virga::arm {

/// least + something exponentially distributed with this mean, at most `most`.
struct BootTime {
  std::string size;  ///< lower case; "" for all sizes without one of their own
  Duration least = Duration::seconds(40);
  Duration mean_extra = Duration::seconds(20);
  Duration most = Duration::minutes(10);
  std::uint32_t fail_per_mille = 0;  ///< OSProvisioningTimedOut after `most`
};

struct QuotaRule {
  std::string region;  ///< "" for every region
  std::string family;  ///< also "cores" and "lowPriorityCores"
  std::uint32_t vcpus = 0;
};

/// How many VMs of a size there are; of several rules that hold the last counts. Without a rule: any number.
struct CapacityRule {
  std::string region;  ///< "" for every region
  std::string size;    ///< "" for every size
  std::uint32_t vms = 0;
  Duration from;
  Duration until = Duration::infinite();
};

/// A size that the subscription does not get, as the SKU list and refusals say it.
struct RestrictionRule {
  std::string region;              ///< "" for every region
  std::string size;                ///< lower case
  std::vector<std::string> zones;  ///< only in these; empty: in the whole region
  std::string reason = "NotAvailableForSubscription";
};

enum class FailureKind : std::uint8_t {
  status,      ///< an error status with an ARM error body; nothing is carried out
  html,        ///< an error status with a page instead of JSON, as gateways send
  truncated,   ///< carried out, but the connection breaks in the middle of the answer
  hang,        ///< carried out, but no answer comes
  never_ends,  ///< carried out, but its operation stays InProgress
  async,       ///< accepted, but its operation ends Failed
  recovers,    ///< provisioningState is Failed once it has ended, and Succeeded some time later
};
}  // namespace virga::arm

namespace virga {
template <>
struct EnumNames<arm::FailureKind> {
  static constexpr std::string_view names[] = {"status",     "html",  "truncated", "hang",
                                               "never_ends", "async", "recovers"};
};
}  // namespace virga

namespace virga::arm {

struct FailureRule {
  std::string operation;  ///< "PUT virtualMachineScaleSets", "POST virtualMachineScaleSets/delete", "LIST usages"
  FailureKind kind = FailureKind::status;
  std::uint32_t skip = 0;   ///< calls that go well first
  std::uint32_t count = 1;  ///< calls that fail then
  std::uint32_t status = 500;
  std::string code = "InternalServerError";
  std::string message = "An error that the scenario asked for.";
  std::uint32_t retry_after_s = 0;  ///< 0: no such header
  Duration recovers_after = Duration::minutes(1);
};

struct EvictionRule {
  Duration at;
  std::string set;  ///< name; "" for any Spot VM
  std::uint32_t count = 1;
  Duration notice = Duration::seconds(30);
};

struct Scenario {
  std::uint64_t seed = 1;
  std::uint32_t speed = 1;  ///< seconds of the stand-in in one second
  std::string subscription = "11111111-1111-1111-1111-111111111111";
  std::string tenant = "22222222-2222-2222-2222-222222222222";
  std::string client_secret;  ///< "" takes any
  Duration token_life = Duration::minutes(60);
  std::vector<std::string> regions = {"eastus", "eastus2", "westeurope"};

  std::uint32_t quota_vcpus = 1'000'000;  ///< of each family for which there is no rule
  std::vector<QuotaRule> quota;
  std::vector<CapacityRule> capacity;
  bool partial_scale_out = false;  ///< a shortage leaves what could be had, instead of nothing
  std::uint32_t single_placement_group_max = 100;

  std::vector<BootTime> boot;
  Duration write_time = Duration::seconds(3);    ///< an asynchronous write without VMs that boot
  Duration delete_time = Duration::seconds(20);  ///< of VMs; a quarter of it with forceDeletion
  Duration list_lag;                             ///< for how long a list does not know what was made
  std::uint32_t page_size = 100;
  bool throttle = true;

  Duration spot_mean_life = Duration::infinite();
  Duration spot_notice = Duration::seconds(30);
  Duration clock_skew;                       ///< how far the Date of answers is ahead of this machine's
  std::vector<std::string> unregistered;     ///< namespaces of providers, such as "Microsoft.Compute"
  std::vector<std::string> missing_images;   ///< "publisher:offer:sku"; every other image exists
  std::vector<std::string> actions = {"*"};  ///< what everybody may do, as the permissions tell; nothing enforces it
  std::vector<RestrictionRule> restrictions;
  std::vector<FailureRule> failures;
  std::vector<EvictionRule> evictions;

  /// The rule for a size.
  const BootTime& boot_of(std::string_view size) const;
  /// Why a VM of this size is refused there; nothing if it is not. Without a zone only what holds for the whole region.
  const RestrictionRule* restriction_of(std::string_view region, std::string_view size, std::string_view zone) const;
};

Result<Scenario> parse_scenario(std::string_view text, std::string_view file_name);

}  // namespace virga::arm

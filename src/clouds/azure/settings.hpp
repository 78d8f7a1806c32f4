// The section [cloud.azure] of virga.toml: whose subscription, where in it, and how to get in.
//
//   Result<AzureSettings> settings = parse_azure_settings(text, "virga.toml", config.pools);
//
//   [cloud.azure]
//   subscription = "11111111-1111-1111-1111-111111111111"
//   tenant = "22222222-2222-2222-2222-222222222222"
//   client_id = "…"                       # with secret_file; or identity = "managed"
//   secret_file = "/etc/virga/azure.secret"
//   region = "eastus"
//   resource_group = "virga"
//
//   [cloud.azure.pool.nc]                 # how the scale sets of pool nc are placed; pool_settings.hpp
//   capacity_reservation_group = "held"
//
// Secrets stand in files of their own, are read when a token is fetched, and are never shown. Mistakes are told with
// file, line and what would be right, all at once.
#pragma once

#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "base/enum_names.hpp"
#include "base/result.hpp"
#include "base/time.hpp"
#include "clouds/azure/pool_settings.hpp"

namespace virga {

enum class AzureIdentity : std::uint8_t {
  secret,   ///< a service principal with a client secret
  managed,  ///< of the VM that the controller runs on
};
template <>
struct EnumNames<AzureIdentity> {
  static constexpr std::string_view names[] = {"secret", "managed"};
};

struct AzureSettings {
  std::string cluster = "virga";  ///< of [cluster]: in the names and tags of everything that is made
  std::string subscription;
  AzureIdentity identity = AzureIdentity::secret;
  std::string tenant;       ///< with identity "secret", like the next two
  std::string client_id;    ///< with "managed": which one, where a machine has several; may be empty
  std::string secret_file;  ///< its first line is the secret
  std::string imds = "http://169.254.169.254";
  std::string endpoint = "https://management.azure.com";
  std::string login_endpoint = "https://login.microsoftonline.com";
  std::string ca_file;  ///< trusted instead of the system's authorities; empty: those
  std::string region;
  std::string resource_group;
  std::string network = "virga";               ///< the virtual network, made if it is not there
  std::string subnet = "nodes";                ///< made if it is not there
  std::string address_space = "10.64.0.0/16";  ///< of a network and subnet that are made; never in 172.16.0.0/16
  std::string image = "microsoft-dsvm:ubuntu-hpc:2204:latest";  ///< publisher:offer:sku:version, or an image's id
  std::string admin_user = "virga";
  std::string ssh_key_file;  ///< a public key; Azure wants one for images that are not specialized

  Duration connect_timeout = Duration::seconds(10);
  Duration request_timeout = Duration::seconds(30);
  Duration operation_timeout = Duration::minutes(30);  ///< a growth or deletion that takes longer has failed
  Duration throttle_patience = Duration::minutes(2);   ///< a Retry-After up to this is waited for, not reported
  Duration recover_patience = Duration::minutes(2);    ///< what Azure calls Failed counts after this
  Duration watch_interval = Duration::seconds(20);     ///< between two looks at a scale set's instances
  Duration stranger_grace = Duration::minutes(10);     ///< an instance that no node is, is deleted after this
  Duration sweep_interval = Duration::minutes(10);     ///< between two searches for what nothing needs any more

  std::map<std::string, AzurePool> pools;  ///< [cloud.azure.pool.NAME]; a pool without one is as by default

  /// As by default, if there is no section of this name.
  AzurePool pool(const std::string& name) const;
};

/// Whether the endpoint is on this machine, as a stand-in's is.
bool is_local(const AzureSettings& settings);

/// Whether there is a section [cloud.azure]; false also for a text that is no TOML.
bool has_azure_settings(std::string_view text);
/// `text` is the whole virga.toml; only [cluster] name and [cloud.azure] are looked at. `pools` are those of the same
/// file: what is wrong for their sizes and their purchase is told, too.
Result<AzureSettings> parse_azure_settings(std::string_view text, const std::string& file_name,
                                           const std::vector<Pool>& pools);

}  // namespace virga

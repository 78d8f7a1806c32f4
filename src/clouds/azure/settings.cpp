#include "clouds/azure/settings.hpp"

#include <fmt/format.h>

#include <algorithm>

#include "clouds/azure/address_range.hpp"
#include "clouds/azure/image_name.hpp"
#include "wire/local_url.hpp"
#include "wire/toml_section.hpp"

namespace virga {
namespace {

constexpr Duration k_day = Duration::minutes(24 * 60);

bool consists_of(std::string_view text, std::string_view allowed) {
  return text.find_first_not_of(allowed) == std::string_view::npos;
}

/// 8-4-4-4-12 hexadecimal digits.
bool is_guid(std::string_view text) {
  if (text.size() != 36) return false;
  for (std::size_t i = 0; i < text.size(); ++i) {
    const bool is_dash = i == 8 || i == 13 || i == 18 || i == 23;
    if (is_dash ? text[i] != '-' : !consists_of(text.substr(i, 1), "0123456789abcdefABCDEF")) return false;
  }
  return true;
}

class Reader {
 public:
  Reader(TomlSection& section, AzureSettings& settings) : section_(section), settings_(settings) {}

  void read(const std::vector<Pool>& pools, Mistakes& mistakes) {
    guid("subscription", settings_.subscription, true);
    read_identity();
    url("endpoint", settings_.endpoint, "https://");
    url("login_endpoint", settings_.login_endpoint, "https://");
    path("ca_file", settings_.ca_file);
    name("region", settings_.region, true);
    name("resource_group", settings_.resource_group, true);
    name("network", settings_.network, false);
    name("subnet", settings_.subnet, false);
    read_address_space();
    read_image();
    name("admin_user", settings_.admin_user, false);
    path("ssh_key_file", settings_.ssh_key_file);
    read_times();
    read_pools(pools, mistakes);
    section_.finish();
  }

 private:
  void missing(std::string_view key, std::string_view right) {
    section_.wrong(key, fmt::format("missing; write {}", right));
  }
  void guid(std::string_view key, std::string& value, bool needed) {
    constexpr std::string_view k_right = "an id such as \"11111111-1111-1111-1111-111111111111\"";
    if (section_.text(key, value)) {
      if (!is_guid(value)) section_.wrong(key, fmt::format("\"{}\" is no id; write {}", value, k_right));
    } else if (needed && !section_.has(key)) {
      missing(key, k_right);
    }
  }
  void url(std::string_view key, std::string& value, std::string_view start) {
    if (!section_.long_text(key, value)) return;
    while (!value.empty() && value.back() == '/') value.pop_back();
    if (!value.starts_with(start) || value.size() == start.size()) {
      section_.wrong(key, fmt::format("\"{}\" is no address; write one that starts with {}", shown(value), start));
    }
  }
  void path(std::string_view key, std::string& value) {
    if (section_.long_text(key, value) && !value.starts_with('/')) {
      section_.wrong(key, fmt::format("\"{}\" is no absolute path; write one that starts with /", shown(value)));
    }
  }
  void name(std::string_view key, std::string& value, bool needed) {
    constexpr std::string_view k_allowed = "0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ-_.()";
    if (section_.text(key, value)) {
      if (value.empty() || !consists_of(value, k_allowed) || value.back() == '.') {
        section_.wrong(key, fmt::format("\"{}\" is no name in Azure; write letters, digits, - _ . ( )", value));
      }
    } else if (needed && !section_.has(key)) {
      missing(key, key == "region" ? "one such as \"eastus\"" : "its name");
    }
  }
  void read_identity() {
    section_.word("identity", settings_.identity);
    url("imds", settings_.imds, "http://");
    const bool by_secret = settings_.identity == AzureIdentity::secret;
    guid("tenant", settings_.tenant, by_secret);
    if (!section_.text("client_id", settings_.client_id) && by_secret && !section_.has("client_id")) {
      missing("client_id", "the application's id, or identity = \"managed\"");
    }
    path("secret_file", settings_.secret_file);
    if (by_secret && !section_.has("secret_file")) {
      missing("secret_file", "the path of a file with the client secret, or identity = \"managed\"");
    }
    if (!by_secret && section_.has("secret_file")) {
      section_.wrong("secret_file", "a managed identity has no secret; leave it out or write identity = \"secret\"");
    }
  }
  void read_address_space() {
    section_.text("address_space", settings_.address_space);
    const auto range = azure::parse_address_range(settings_.address_space);
    if (!range) {
      section_.wrong("address_space", fmt::format("\"{}\" is no range of addresses; write one such as "
                                                  "\"10.64.0.0/16\"",
                                                  settings_.address_space));
    } else if (range->touches(azure::k_infiniband_addresses)) {
      section_.wrong("address_space", fmt::format("\"{}\" touches 172.16.0.0/16, which Azure's InfiniBand uses; write "
                                                  "one such as \"10.64.0.0/16\"",
                                                  settings_.address_space));
    }
  }
  void read_image() {
    if (!section_.long_text("image", settings_.image)) return;
    const std::string& image = settings_.image;
    if (image.starts_with("/subscriptions/") || azure::parse_image_name(image)) return;
    section_.wrong("image", fmt::format("\"{}\" is no image; write \"publisher:offer:sku:version\" or the id of one, "
                                        "which starts with /subscriptions/",
                                        shown(image)));
  }
  void read_times() {
    const DurationRange range{Duration::seconds(1), k_day};
    section_.duration("connect_timeout", settings_.connect_timeout, range);
    section_.duration("request_timeout", settings_.request_timeout, range);
    section_.duration("operation_timeout", settings_.operation_timeout, range);
    section_.duration("throttle_patience", settings_.throttle_patience, {Duration{}, k_day});
    section_.duration("recover_patience", settings_.recover_patience, {Duration{}, k_day});
    section_.duration("watch_interval", settings_.watch_interval, range);
    section_.duration("stranger_grace", settings_.stranger_grace, range);
    section_.duration("sweep_interval", settings_.sweep_interval, range);
  }
  void read_pools(const std::vector<Pool>& pools, Mistakes& mistakes) {
    const toml::table* table = section_.table("pool");
    if (table == nullptr) return;
    const std::string group =
        fmt::format("/subscriptions/{}/resourceGroups/{}", settings_.subscription, settings_.resource_group);
    for (const NamedTable& named : named_tables(*table, "cloud.azure.pool", mistakes)) {
      const auto pool = std::find_if(pools.begin(), pools.end(), [&](const Pool& p) { return p.name == named.name; });
      if (pool == pools.end() || pool->cloud != "azure") {
        mistakes.add(named.table->source(), fmt::format("cloud.azure.pool.{0}: no pool \"{0}\" with cloud = \"azure\"; "
                                                        "add one as [pool.{0}], or leave this out",
                                                        shown(named.name)));
        continue;
      }
      TomlSection section(*named.table, "cloud.azure.pool." + named.name, mistakes);
      settings_.pools[named.name] = read_azure_pool(section, *pool, group);
    }
  }

  TomlSection& section_;
  AzureSettings& settings_;
};

void read_settings(const toml::table& root, const std::vector<Pool>& pools, AzureSettings& settings,
                   Mistakes& mistakes) {
  if (const auto name = root["cluster"]["name"].value<std::string>()) settings.cluster = *name;
  const toml::table* table = root["cloud"]["azure"].as_table();
  if (table == nullptr) {
    mistakes.add(root.source(), "no section [cloud.azure]; it names the subscription, region and resource_group");
    return;
  }
  TomlSection section(*table, "cloud.azure", mistakes);
  Reader(section, settings).read(pools, mistakes);
}

}  // namespace

AzurePool AzureSettings::pool(const std::string& name) const {
  const auto found = pools.find(name);
  return found == pools.end() ? AzurePool() : found->second;
}

bool is_local(const AzureSettings& settings) { return is_local_url(settings.endpoint); }

bool has_azure_settings(std::string_view text) {
  const Result<toml::table> root = parse_toml(text, "");
  return root && (*root)["cloud"]["azure"].is_table();
}

Result<AzureSettings> parse_azure_settings(std::string_view text, const std::string& file_name,
                                           const std::vector<Pool>& pools) {
  const Result<toml::table> root = parse_toml(text, file_name);
  if (!root) return unexpected(root.error());
  Mistakes mistakes(file_name);
  AzureSettings settings;
  read_settings(*root, pools, settings, mistakes);
  if (mistakes.any()) return fail(Code::invalid, mistakes.text());
  return settings;
}

}  // namespace virga

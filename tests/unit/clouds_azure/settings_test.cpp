// [cloud.azure]: what a good section means, and that each mistake is told with its place and its remedy.
#include "clouds/azure/settings.hpp"

#include <doctest/doctest.h>

#include <string>

#include "wire/config_toml.hpp"

using virga::AzureIdentity;
using virga::Code;
using virga::ConfigContext;
using virga::parse_azure_settings;
using virga::parse_config;
using virga::Pool;

namespace {

const std::string k_good = R"([cluster]
name = "c1"
[cloud.azure]
subscription = "11111111-1111-1111-1111-111111111111"
tenant = "22222222-2222-2222-2222-222222222222"
client_id = "app"
secret_file = "/etc/virga/azure.secret"
region = "eastus"
resource_group = "virga"
)";

std::string refusal(const std::string& text, const std::vector<Pool>& pools = {}) {
  const auto settings = parse_azure_settings(text, "virga.toml", pools);
  REQUIRE_FALSE(settings.has_value());
  CHECK(settings.error().code == Code::invalid);
  return settings.error().message;
}

bool has(const std::string& text, std::string_view part) { return text.find(part) != std::string::npos; }

}  // namespace

TEST_CASE("settings: a good section") {
  const auto settings = parse_azure_settings(k_good + "endpoint = \"https://127.0.0.1:1234/\"\n", "virga.toml", {});
  REQUIRE_MESSAGE(settings.has_value(), settings.error().message);
  CHECK(settings->cluster == "c1");
  CHECK(settings->region == "eastus");
  CHECK(settings->endpoint == "https://127.0.0.1:1234");
  CHECK(settings->login_endpoint == "https://login.microsoftonline.com");
  CHECK(settings->identity == AzureIdentity::secret);
  // The configuration of the rest skips it.
  const auto config = parse_config(k_good, "virga.toml", ConfigContext{});
  CHECK_MESSAGE(config.has_value(), config.error().message);
  CHECK(has(parse_config("[cloud.azur]\n", "virga.toml", ConfigContext{}).error().message, "did you mean \"azure\"?"));
}

TEST_CASE("settings: a managed identity needs neither secret nor tenant") {
  const auto settings = parse_azure_settings(R"([cloud.azure]
subscription = "11111111-1111-1111-1111-111111111111"
identity = "managed"
imds = "http://127.0.0.1:99"
region = "eastus"
resource_group = "virga"
)",
                                             "virga.toml", {});
  REQUIRE_MESSAGE(settings.has_value(), settings.error().message);
  CHECK(settings->identity == AzureIdentity::managed);
  CHECK(settings->imds == "http://127.0.0.1:99");
}

TEST_CASE("settings: an image's id and paths may be long") {
  const std::string image = "/subscriptions/1/resourceGroups/" + std::string(200, 'g') + "/images/i";
  const auto settings = parse_azure_settings(k_good + "image = \"" + image + "\"\n", "virga.toml", {});
  REQUIRE_MESSAGE(settings.has_value(), settings.error().message);
  CHECK(settings->image == image);
  CHECK(has(refusal(k_good + "image = \"" + std::string(2000, ':') + "\"\n"), "1024"));
}

TEST_CASE("settings: mistakes") {
  struct Row {
    std::string line;
    std::string place;
    std::string remedy;
  };
  const Row rows[] = {
      {"network = 7", "virga.toml:10:", "a text in quotes"},
      {"endpoint = \"http://x\"", "virga.toml:10:", "starts with https://"},
      {"login_endpoint = \"x\"", "virga.toml:10:", "starts with https://"},
      {"ca_file = \"ca.pem\"", "virga.toml:10:", "absolute path"},
      {"image = \"ubuntu\"", "virga.toml:10:", "publisher:offer:sku:version"},
      {"image = \"a:b:c:\"", "virga.toml:10:", "publisher:offer:sku:version"},
      {"image = \"a:b/../b:c:d\"", "virga.toml:10:", "publisher:offer:sku:version"},
      {"address_space = \"172.16.0.0/20\"", "virga.toml:10:", "InfiniBand"},
      {"address_space = \"172.0.0.0/8\"", "virga.toml:10:", "InfiniBand"},
      {"address_space = \"0.0.0.0/0\"", "virga.toml:10:", "InfiniBand"},
      {"address_space = \"10.0.0.1/16\"", "virga.toml:10:", "10.64.0.0/16"},
      {"address_space = \"10.0.0.0\"", "virga.toml:10:", "10.64.0.0/16"},
      {"address_space = \"10.0.0.0/33\"", "virga.toml:10:", "10.64.0.0/16"},
      {"address_space = \"300.0.0.0/8\"", "virga.toml:10:", "10.64.0.0/16"},
      {"subnet = \"a b\"", "virga.toml:10:", "letters, digits"},
      {"identity = \"me\"", "virga.toml:10:", "\"secret\", \"managed\""},
      {"identity = \"managed\"", "virga.toml:7:", "has no secret"},
      {"operation_timeout = 5", "virga.toml:10:", "\"5s\""},
      {"watch_interval = \"0s\"", "virga.toml:10:", "from \"1s\""},
      {"subscripton = \"x\"", "virga.toml:10:", "did you mean \"subscription\"?"},
      {"x = [[=", "virga.toml:", "TOML"},
  };
  for (const Row& row : rows) {
    CAPTURE(row.line);
    const std::string message = refusal(k_good + row.line + "\n");
    CAPTURE(message);
    CHECK(has(message, row.place));
    CHECK(has(message, row.remedy));
  }
  const std::string missing = refusal("[cloud.azure]\n");
  for (const char* key : {"subscription", "tenant", "client_id", "secret_file", "region", "resource_group"}) {
    CHECK_MESSAGE(has(missing, "cloud.azure." + std::string(key) + ": missing"), missing);
  }
  CHECK(has(refusal("[cluster]\nname = \"c\"\n"), "no section [cloud.azure]"));
  CHECK(has(refusal("[cloud.azure]\nsubscription = \"x\"\n"), "virga.toml:2:"));
}

TEST_CASE("settings: how pools are placed, by names and ids") {
  const auto pool = [](const std::string& name, const std::string& size) {
    Pool pool;
    pool.name = name;
    pool.cloud = "azure";
    pool.sku.name = size;
    return pool;
  };
  std::vector<Pool> pools = {pool("nd", "Standard_ND96isr_H100_v5"), pool("nc", "Standard_NC24ads_A100_v4"),
                             pool("gb", "Standard_ND128isr_NDR_GB200_v6"), pool("nh", "Standard_NC40ads_H100_v5")};
  const auto settings = parse_azure_settings(k_good + R"([cloud.azure.pool.nc]
capacity_reservation_group = "held"
zones = ["1", "2"]
[cloud.azure.pool.gb]
interconnect_block = "/subscriptions/1/resourceGroups/x/providers/Microsoft.Compute/interconnectBlocks/b"
interconnect_group = "net"
[cloud.azure.pool.nd]
capacity_reservation_group = "week"
reservation_type = "block"
proximity_placement_group = "near"
)",
                                             "virga.toml", pools);
  REQUIRE_MESSAGE(settings.has_value(), settings.error().message);
  const std::string group = "/subscriptions/11111111-1111-1111-1111-111111111111/resourceGroups/virga/providers/";
  CHECK(settings->pool("nc").capacity_reservation_group == group + "Microsoft.Compute/capacityReservationGroups/held");
  CHECK(settings->pool("nc").zones.size() == 2);
  CHECK(settings->pool("gb").interconnect_block.ends_with(
      "resourceGroups/x/providers/Microsoft.Compute/interconnectBlocks/b"));
  CHECK(settings->pool("gb").interconnect_group == group + "Microsoft.Network/interconnectGroups/net");
  CHECK(settings->pool("nd").reservation_type == virga::ReservationType::block);
  CHECK(settings->pool("other").interconnect_block.empty());
  CHECK(virga::shape_of(settings->pool("nc"), pools[1]) == virga::SetShape::flexible);

  struct Row {
    std::string pool;
    std::string line;
    std::string remedy;
  };
  const Row rows[] = {
      {"nd", "capacity_reservation_group = \"h\"", "no targeted capacity reservations for Standard_ND96isr_H100_v5"},
      {"nh", "capacity_reservation_group = \"h\"", "no targeted capacity reservations for Standard_NC40ads_H100_v5"},
      {"gb", "capacity_reservation_group = \"h\"", "no targeted capacity reservations"},
      {"nc", "capacity_reservation_group = \"h\"\norchestration = \"uniform\"", "orchestration = \"flexible\""},
      {"nc", "capacity_reservation_group = \"h\"\nproximity_placement_group = \"p\"", "leave out one of the two"},
      {"nc", "capacity_reservation_group = \"a/b\"", "neither a name nor the id"},
      {"nc", "capacity_reservation_group = 7", "a text in quotes"},
      {"nc", "reservation_type = \"block\"", "Add capacity_reservation_group"},
      {"nc", "interconnect_block = \"b\"", "has no InfiniBand"},
      {"nc", "zones = [\"1\", \"1\"]", "different zones"},
      {"nc", "zones = [\"east\"]", "different zones"},
      {"nc", "zones = [\"1\", \"2\"]\nproximity_placement_group = \"p\"", "lies in one zone"},
      {"nd", "zones = [\"1\", \"2\"]", "lies in one zone"},
      {"nd", "orchestration = \"flexible\"", "would lose its InfiniBand"},
      {"gb", "orchestration = \"flexible\"", "would lose its InfiniBand"},
      {"nc", "orchestration = \"mixed\"", "\"uniform\", \"flexible\""},
      {"nc", "zone = [\"1\"]", "did you mean \"zones\"?"},
      {"no", "zones = [\"1\"]", "no pool \"no\" with cloud = \"azure\""},
  };
  for (const Row& row : rows) {
    CAPTURE(row.pool);
    CAPTURE(row.line);
    const std::string message = refusal(k_good + "[cloud.azure.pool." + row.pool + "]\n" + row.line + "\n", pools);
    CAPTURE(message);
    CHECK(has(message, row.remedy));
    CHECK(has(message, "virga.toml:1"));
    CHECK(has(message, "cloud.azure.pool." + row.pool));
  }
  pools[1].purchase = virga::Purchase::spot;
  const std::string spot = k_good + "[cloud.azure.pool.nc]\ncapacity_reservation_group = \"h\"\n";
  CHECK(has(refusal(spot, pools), "Spot VMs cannot use reserved capacity"));
  CHECK(has(refusal(spot + "reservation_type = \"block\"\n", pools), "Spot VMs cannot use reserved capacity"));
  pools[1].set_nodes_max = 1001;
  CHECK(has(refusal(k_good + "[cloud.azure.pool.nc]\n", pools), "set_nodes_max is 1001"));
}

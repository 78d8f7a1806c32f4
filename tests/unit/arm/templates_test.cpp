// Deployment templates, scenario files, and the tables that are read from text.
#include <boost/json.hpp>

#include "arm/sizes.hpp"
#include "arm/template.hpp"
#include "unit/arm/client.hpp"

namespace virga::arm::test {
namespace {

TemplateScope scope() {
  TemplateScope scope;
  scope.subscription = "S";
  scope.group = "G";
  scope.location = "eastus";
  (*scope.parameters)["name"] = "Abc";
  (*scope.variables)["full"] = "[concat(parameters('name'), '-', 7)]";
  scope.reference = [](const std::string& what) -> Result<Document> {
    if (what != "net") return fail(Code::not_found, "no " + what);
    return Document(boost::json::object{{"ids", boost::json::array{"first", "second"}}});
  };
  return scope;
}

std::string value(std::string_view text) {
  const Result<std::string> result = evaluate_text(text, scope());
  return result ? *result : "error: " + result.error().message;
}

}  // namespace

TEST_CASE("template expressions") {
  CHECK(value("plain") == "plain");
  CHECK(value("[[no expression]") == "[no expression]");
  CHECK(value("[variables('full')]") == "Abc-7");
  CHECK(value("[toLower(parameters('name'))]") == "abc");
  CHECK(value("['it''s']") == "it's");
  CHECK(value("[resourceGroup().location]") == "eastus");
  CHECK(value("[reference('net').ids[1]]") == "second");
  CHECK(value("[resourceId('Microsoft.Network/virtualNetworks/subnets', 'v', 's')]") ==
        "/subscriptions/S/resourceGroups/G/providers/Microsoft.Network/virtualNetworks/v/subnets/s");
  CHECK(value("[providers('Microsoft.Compute', 'virtualMachines').apiVersions[0]]") == "2022-08-01");
  for (const char* wrong : {"[]", "[concat(]", "[concat('a']", "[nothing('a')]", "[concat('a') x]", "['open]",
                            "[parameters('absent')]", "[reference('x')]", "[reference('net').ids[9]]", "[a.b]"}) {
    CHECK_MESSAGE(value(wrong).starts_with("error: Unable to process template"), std::string(wrong));
  }
  std::string deep;
  for (int i = 0; i < 10'000; ++i) deep += "concat(";
  CHECK(value("[" + deep + "]").find("too deep") != std::string::npos);
}

TEST_CASE("a deployment makes its resources in their order and ends when they have") {
  Client azure;
  azure.make_group("g");
  const std::string deployment = "/resourceGroups/g/providers/Microsoft.Resources/deployments/d";
  const auto body = [](const std::string& set, const std::string& network_after) {
    return R"({"properties": {"mode": "incremental", "parameters": {"n": {"value": 2}}, "template": {
      "parameters": {"n": {"type": "int"}}, "outputs": {"VMSS": {"type": "object", "value": "[reference('s')]"}},
      "resources": [)" +
           set + R"(, {"type": "Microsoft.Network/virtualNetworks", "name": "v", "apiVersion": "2015-06-15",
        "location": "eastus", "dependsOn": [)" +
           network_after + R"(], "properties": {"subnets": [{"name": "n",
        "properties": {"addressPrefix": "10.9.0.0/24"}}]}}]}}})";
  };
  const std::string set = R"({"type": "Microsoft.Compute/virtualMachineScaleSets", "name": "s",
      "apiVersion": "2022-08-01", "location": "[resourceGroup().location]",
      "dependsOn": ["Microsoft.Network/virtualNetworks/v"],
      "sku": {"name": "Standard_D4s_v5", "capacity": "[parameters('n')]"},
      "properties": {"virtualMachineProfile": {"osProfile": {"adminPassword": "secret"},
        "networkProfile": {"networkInterfaceConfigurations": [{"name": "c", "properties": {"ipConfigurations": [{"name":
        "i", "properties": {"subnet": {"id":
        "[resourceId('Microsoft.Network/virtualNetworks/subnets', 'v', 'n')]"}}}]}}]}}}})";
  const Reply made = azure.put(deployment, body(set, ""));
  CHECK(made.status() == 201);
  CHECK(made.text("properties.provisioningState") == "Running");
  azure.pass(Duration::minutes(11));
  CHECK(azure.operation_of(made).text("status") == "Succeeded");
  const Reply done = azure.get(deployment);
  CHECK(done.text("properties.provisioningState") == "Succeeded");
  CHECK(done.number("properties.outputs.VMSS.value.x") == -1);
  CHECK(done.text("properties.outputs.VMSS.value.provisioningState") == "Succeeded");
  CHECK(done.raw.body.find("secret") == std::string::npos);
  CHECK(azure.get(k_sets + "/s/virtualMachines").items().size() == 2);
  CHECK(azure.put(deployment, body(set, "\"s\"")).code() == "InvalidTemplate");
  CHECK(azure.put(deployment, "{}").code() == "InvalidRequestContent");
}

TEST_CASE("a scenario file's mistakes are told with their place") {
  const auto mistake = [](std::string_view text) {
    const auto scenario = parse_scenario(text, "s.toml");
    return scenario ? std::string("none") : scenario.error().message;
  };
  CHECK(mistake("speed = 60\n[boot.default]\nleast = \"1m\"\n") == "none");
  CHECK(mistake("speed = 0").starts_with("s.toml:1:9: speed: 0 is out of range"));
  CHECK(mistake("\nsped = 1").find("s.toml:2:1: unknown key \"sped\"") == 0);
  CHECK(mistake("[capacity.x]\nsize = \"Standard_X\"\nvms = 1").find("s.toml:2:8: capacity.x.size: no size") == 0);
  CHECK(mistake("[capacity.x]\nregion = \"mars\"\nvms = 1").find("s.toml:2:10: capacity.x.region") == 0);
  CHECK(mistake("[failure.x]\nkind = \"often\"\noperation = \"GET skus\"").find("status, \"html\"") ==
        std::string::npos);
  CHECK(mistake("[failure.x]\nkind = \"often\"\noperation = \"GET skus\"").find("s.toml:2:8: failure.x.kind") == 0);
  CHECK(mistake("[failure.x]\nkind = \"html\"\noperation = \"GET moons\"").find("s.toml:3:13: failure.x.operation") ==
        0);
  CHECK(mistake("[quota.x]\nfamily = \"none\"\nvcpus = 1").find("s.toml:2:10: quota.x.family") == 0);
  CHECK(mistake("[boot.x]\nleast = \"2m\"\nmost = \"1m\"").find("is shorter than least") != std::string::npos);
  CHECK(mistake("[[").find("s.toml:1") == 0);
}

TEST_CASE("boot rules: a size's own before the default") {
  const Scenario scenario =
      scenario_of("[boot.slow]\nsize = \"Standard_ND96isr_H100_v5\"\nleast = \"4m\"\n[boot.default]\nleast = \"1m\"\n");
  CHECK(scenario.boot_of(k_h100).least == Duration::minutes(4));
  CHECK(scenario.boot_of("Standard_D4s_v5").least == Duration::minutes(1));
}

TEST_CASE("sizes: every one has a family, and quota families are compared without blanks and case") {
  for (const AzureSize& size : azure_sizes()) {
    CHECK_MESSAGE(size.vcpus > 0, size.name);
    CHECK_MESSAGE(size.memory_mib > 0, size.name);
    const bool has_published_price = size.name.find("GB300") == std::string::npos;
    CHECK_MESSAGE((size.price_per_hour.micro_usd > 0) == has_published_price, size.name);
  }
  CHECK(find_azure_size("standard_nd96ISR_h100_v5")->family == "standardNDSH100v5Family");
  CHECK(family_key("Standard NDASv4_A100 Family") == family_key("standardndasv4_A100Family"));
  CHECK_FALSE(parse_azure_families("name\n"));
  CHECK_FALSE(parse_azure_families("name,family,infiniband,vcpus,memory_mib,price_usd_per_hour\nX,f,no,a,b,c\n"));
}

}  // namespace virga::arm::test

// Names, paths, templates and admin calls that are wrong on purpose: each is refused with what is wrong, and nothing
// else happens.
#include <boost/json.hpp>

#include "arm/target.hpp"
#include "arm/template.hpp"
#include "arm/text.hpp"
#include "unit/arm/client.hpp"

namespace virga::arm::test {
namespace {

const std::string k_network = "/resourceGroups/g/providers/Microsoft.Network/virtualNetworks/n";
const std::string k_deployment = "/resourceGroups/g/providers/Microsoft.Resources/deployments/d";

std::string subnets_of(const std::string& list) {
  return R"({"location": "eastus", "properties": {"subnets": [)" + list + "]}}";
}

std::string template_of(const std::string& members) { return R"({"properties": {"template": {)" + members + "}}}"; }

}  // namespace

TEST_CASE("a subnet's name is no part of a path: what would be one is refused") {
  Client azure;
  azure.make_group("g");
  const std::string prefix = R"("properties": {"addressPrefix": "10.9.0.0/24"}})";
  for (const char* name : {"", "?", "a/b", "..#", "a b", "é", "%2f"}) {
    INFO(std::string(name));
    CHECK(azure.put(k_network, subnets_of(R"({"name": ")" + std::string(name) + "\", " + prefix)).code() ==
          "InvalidResourceName");
  }
  CHECK(azure.put(k_network, subnets_of("{" + prefix)).code() == "InvalidResourceName");
  CHECK(azure.put(k_network, subnets_of("7")).code() == "InvalidResourceName");
  CHECK(azure.put(k_network, subnets_of(R"({"name": ")" + std::string(81, 'x') + "\"}")).code() ==
        "InvalidResourceName");
  CHECK(azure.get(k_network).status() == 404);
  CHECK(azure.put(k_network, subnets_of(R"({"name": "a_B-1.", )" + prefix)).status() == 201);
  CHECK(azure.patch(k_network, subnets_of(R"({"name": "?"})")).code() == "InvalidResourceName");
  CHECK(azure.get(k_network + "/subnets/a_B-1.").status() == 200);
  CHECK(azure.put(k_network + "/subnets/a%20b", "{}").code() == "InvalidResourceName");
}

TEST_CASE("a template's names are no paths either") {
  Client azure;
  azure.make_group("g");
  const auto outcome = [&](const std::string& type, const std::string& name) {
    return azure
        .put(k_deployment, template_of(R"("resources": [{"type": ")" + type + R"(", "name": ")" + name +
                                       R"(", "apiVersion": "2022-08-01", "location": "eastus"}])"))
        .code();
  };
  CHECK(outcome("Microsoft.Compute/images", "x?api-version=1") == "InvalidTemplate");
  CHECK(outcome("Microsoft.Compute/images", "x/y") == "InvalidTemplate");
  CHECK(outcome("Microsoft.Compute/images", "x#") == "InvalidTemplate");
  CHECK(outcome("Microsoft.Compute", "x") == "InvalidTemplate");
  CHECK(outcome("Microsoft.Compute/galleries/images", "x") == "InvalidTemplate");
  CHECK(outcome("Microsoft.Compute/galleries/images", "x/") == "InvalidTemplate");
  CHECK(outcome("Microsoft.Compute/images", "x") == "");
  const Reply version = azure.put(
      k_deployment,
      template_of(R"("resources": [{"type": "Microsoft.Compute/images", "name": "x", "apiVersion": "1\r\nX: y"}])"));
  CHECK(version.code() == "InvalidTemplate");
}

TEST_CASE("templates that refer to themselves or grow without bound are refused") {
  Client azure;
  azure.make_group("g");
  const auto outcome = [&](const std::string& variables) {
    const Reply reply = azure.put(k_deployment, template_of(R"("variables": )" + variables +
                                                            R"(, "resources": [{"type": "Microsoft.Compute/images",
        "name": "[variables('a')]", "apiVersion": "2022-08-01"}])"));
    return reply.code() == "InvalidTemplate" ? reply.text("error.message") : reply.raw.body;
  };
  CHECK(outcome(R"({"a": "[variables('a')]"})").find("too deep") != std::string::npos);
  CHECK(outcome(R"({"a": "[variables('b')]", "b": "[concat('x', variables('a'))]"})").find("too deep") !=
        std::string::npos);
  std::string doubling =
      R"({"a": "[concat(variables('v0'), variables('v0'))]", "v12": ")" + std::string(2'000, 'x') + "\"";
  for (int i = 0; i < 12; ++i) {
    const std::string next = "variables('v" + std::to_string(i + 1) + "')";
    doubling += ", \"v" + std::to_string(i) + "\": \"[concat(" + next + ", " + next + ")]\"";
  }
  CHECK(outcome(doubling + "}").find("4 MB") != std::string::npos);
  // Nothing grows here, but eight to the eighth expressions would be evaluated.
  std::string many = R"({"a": "[variables('w0')]", "w8": "")";
  for (int i = 0; i < 8; ++i) {
    std::string list;
    for (int k = 0; k < 8; ++k) list += (k == 0 ? "variables('w" : ", variables('w") + std::to_string(i + 1) + "')";
    many += ", \"w" + std::to_string(i) + "\": \"[concat(" + list + ")]\"";
  }
  CHECK(outcome(many + "}").find("4 MB") != std::string::npos);
  const std::string parameters = R"("parameters": {"a": {"defaultValue": "[parameters('a')]"}}, "resources": [{"type":
      "Microsoft.Compute/images", "name": "[parameters('a')]", "apiVersion": "2022-08-01"}])";
  CHECK(azure.put(k_deployment, template_of(parameters)).text("error.message").find("too deep") != std::string::npos);
}

TEST_CASE("paths: what is no text or no name is refused once, what is not served is not found") {
  Client azure;
  azure.make_group("g");
  for (const char* group : {"%ff%fe", "a%2fb", "a%3fb", "a%23b", "a%00b", "a%0ab", "%c0%af", "%ed%a0%80", "a%zz"}) {
    INFO(std::string(group));
    CHECK(azure.put("/resourceGroups/" + std::string(group), R"({"location": "eastus"})").code() ==
          "InvalidRequestUri");
  }
  CHECK(azure.get("/resourceGroups?$filter=%ff").code() == "InvalidRequestUri");
  CHECK(azure.metadata("GET", "/vm/%ff/metadata/instance?api-version=2021-02-01").code() == "InvalidRequestUri");
  CHECK(azure.get("/resourceGroups").items().size() == 1);
  CHECK(azure.admin("calls", "").status() == 200);
  for (const char* path : {"/tagNames", "/foo/bar", "/resourceGroups/g/foo", "/resourceGroups/g/foo/bar",
                           "/providers/Microsoft.Foo/bar/baz", "/providers/Microsoft.Compute/locations/eastus/moons"}) {
    INFO(std::string(path));
    CHECK(azure.get(azure.prefix + path).status() == 404);
  }
  CHECK(azure.get("/providers/Microsoft.Compute/locations/mars/usages").code() == "NoRegisteredProviderFound");
  // A type counts with its provider: this is kept, and no scale set.
  const std::string batch = "/resourceGroups/g/providers/Microsoft.Batch/virtualMachineScaleSets/s";
  CHECK(azure.put(batch, set_body(2)).status() == 201);
  CHECK(azure.azure.world().machines.all().empty());
  CHECK(azure.get(k_sets).items().empty());
}

TEST_CASE("pages keep what else was asked for, however the token is written") {
  Client azure("page_size = 2");
  azure.make_group("g");
  azure.put(k_sets + "/s", set_body(7));
  for (const char* query : {"?%24skiptoken=2&%24expand=instanceView", "?$skiptoken=2&$expand=instanceView"}) {
    const std::string next = azure.get(k_sets + "/s/virtualMachines" + query).text("nextLink");
    INFO(next);
    CHECK(next.find("expand=instanceView") != std::string::npos);
    CHECK(next.find("skiptoken=2") == std::string::npos);
    const Reply page = azure.get(next.substr(16));
    REQUIRE(page.items().size() == 2);
    CHECK(text_at(page.items()[0].as_object(), "instanceId") == "4");
    CHECK(object_at(page.items()[0].as_object(), "properties.instanceView") != nullptr);
  }
}

TEST_CASE("the admin API refuses what it would have to ignore") {
  Client azure;
  azure.make_group("g");
  const auto said = [&](const std::string& what, const std::string& body) {
    const Reply reply = azure.admin(what, body);
    CHECK(reply.status() == 400);
    return reply.text("error.message");
  };
  CHECK(said("evict", R"({"st": "s"})").find("unknown key 'st'; known are notice_s, count, vm, set") == 0);
  CHECK(said("evict", R"({"vm": 7})") == "vm is no text");
  CHECK(said("clock", R"({"skip": 3600})").find("unknown key 'skip'") == 0);
  CHECK(said("quota", R"({"region": "mars", "family": "cores", "vcpus": 1})").find("eastus") != std::string::npos);
  CHECK(said("quota", R"({"family": "nonsense", "vcpus": 1})").find("no size has the family") == 0);
  CHECK(said("quota", R"({"family": "cores"})").find("vcpus is missing") == 0);
  CHECK(said("capacity", R"({"region": "mars", "vms": 1})").find("eastus") != std::string::npos);
  CHECK(said("capacity", R"({"vms": "3"})").find("vms is no whole number") == 0);
  CHECK(said("failure", R"({"operation": "PUT virtualMachineScaleSet", "kind": "status"})").find("no call") == 0);
  CHECK(said("failure", R"({"operation": "PUT skus", "kind": "status", "count": "3"})").find("count") == 0);
  CHECK(said("clock", R"({"skip_s": 100000000000})").find("skip_s") == 0);
  CHECK(azure.admin("failure", R"({"operation": "POST virtualMachineScaleSets/delete", "kind": "status"})").status() ==
        200);
  CHECK_FALSE(is_operation_name("PUT"));
  CHECK_FALSE(is_operation_name("PUT virtualMachines/"));
  CHECK(is_operation_name("POST token"));
}

TEST_CASE("the clock ends with the year 2199") {
  Client azure;
  int skips = 0;
  while (azure.admin("clock", R"({"skip_s": 100000000})").status() == 200) {
    const auto wish = azure.azure.take_clock_wish();
    REQUIRE(wish);
    azure.pass(wish->skip);
    REQUIRE(++skips < 100);
  }
  CHECK(skips > 40);
  CHECK(azure.now <= k_end_of_time);
  CHECK(azure.admin("state", "").text("now").starts_with("219"));
}

TEST_CASE("a name that several VMs have is no name") {
  Client azure;
  for (const char* group : {"g", "h"}) {
    azure.make_group(group);
    std::string set = k_sets + "/s";
    set.replace(16, 1, group);
    CHECK(azure.put(set, set_body(1)).status() == 201);
  }
  const Reply evicted = azure.admin("evict", R"({"vm": "s_0"})");
  CHECK(evicted.status() == 409);
  for (const auto& [number, machine] : azure.azure.world().machines.all()) {
    CHECK(evicted.text("error.message").find(machine.vm_id) != std::string::npos);
    CHECK(azure.metadata("GET", "/vm/" + machine.vm_id + "/metadata/instance?api-version=2021-02-01").status() == 200);
  }
  CHECK(azure.metadata("GET", "/vm/s_0/metadata/instance?api-version=2021-02-01").status() == 409);
}

TEST_CASE("text: what is UTF-8, and what may be a name") {
  for (const char* good : {"", "abc", "é", "€", "😀"}) CHECK(is_utf8(good));
  for (const char* bad : {"\xff", "\xc3", "\xc0\xaf", "\xed\xa0\x80", "\xf4\x90\x80\x80", "a\x80"}) {
    CHECK_FALSE(is_utf8(bad));
  }
  CHECK(is_segment("é x"));
  CHECK_FALSE(is_segment(""));
  CHECK_FALSE(is_segment("a\\b"));
}

}  // namespace virga::arm::test

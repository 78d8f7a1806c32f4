// What Azure is told of each shape, and that Microsoft's own schemas know all of it.
#include <doctest/doctest.h>

#include <boost/json.hpp>
#include <cstdlib>
#include <fstream>
#include <optional>
#include <sstream>

#include "clouds/azure/set_body.hpp"

namespace virga::azure_test {
namespace {

namespace json = boost::json;
using azure::ApiVersion;
using azure::put_body;
using azure::SetBody;

constexpr std::int64_t k_required = 1;
constexpr std::int64_t k_read_only = 2;

/// Bicep's types: a list of types that refer to each other by index.
class Schemas {
 public:
  explicit Schemas(json::value types) : types_(std::move(types)) {}

  /// One line for each thing that is wrong.
  std::string check(std::string_view resource, const json::value& body) const {
    for (const json::value& type : types_.as_array()) {
      const json::object& object = type.as_object();
      if (object.at("$type").as_string() != "ResourceType" || object.at("name").as_string() != resource) continue;
      std::string wrong;
      check(resolve(object.at("body")), body, "", wrong);
      return wrong;
    }
    return "no schema of " + std::string(resource);
  }

 private:
  const json::object& resolve(const json::value& reference) const {
    const std::string text(reference.at("$ref").as_string());
    return types_.as_array()[std::stoul(text.substr(2))].as_object();
  }

  void check(const json::object& type, const json::value& value, const std::string& where, std::string& wrong) const {
    const std::string_view kind = type.at("$type").as_string();
    const auto expect = [&](bool good) {
      if (!good) wrong += where + ": no " + std::string(kind) + "\n";
    };
    if (kind == "StringType") return expect(value.is_string());
    if (kind == "StringLiteralType")
      return expect(value.is_string() && value.as_string() == type.at("value").as_string());
    if (kind == "IntegerType") return expect(value.is_int64());
    if (kind == "BooleanType") return expect(value.is_bool());
    if (kind == "UnionType") return check_union(type, value, where, wrong);
    if (kind == "ArrayType") {
      expect(value.is_array());
      for (const json::value& item : value.is_array() ? value.get_array() : json::array()) {
        check(resolve(type.at("itemType")), item, where + "[]", wrong);
      }
      return;
    }
    if (kind == "ObjectType") check_object(type, value, where, wrong);
  }

  void check_union(const json::object& type, const json::value& value, const std::string& where,
                   std::string& wrong) const {
    std::optional<std::string> best;
    for (const json::value& element : type.at("elements").as_array()) {
      std::string findings;
      check(resolve(element), value, where, findings);
      if (!best || findings.size() < best->size()) best = findings;
    }
    wrong += best.value_or("");
  }

  void check_object(const json::object& type, const json::value& value, const std::string& where,
                    std::string& wrong) const {
    if (!value.is_object()) {
      wrong += where + ": no object\n";
      return;
    }
    const json::value none = json::object();
    const json::object& properties = type.contains("properties") ? type.at("properties").as_object() : none.as_object();
    for (const auto& [name, inner] : value.as_object()) {
      const std::string place = where + "." + std::string(name);
      const json::value* known = properties.if_contains(name);
      if (known == nullptr && type.contains("additionalProperties")) {
        check(resolve(type.at("additionalProperties")), inner, place, wrong);
      } else if (known == nullptr) {
        wrong += place + ": no such property\n";
      } else if ((known->at("flags").as_int64() & k_read_only) != 0) {
        wrong += place + ": is read-only\n";
      } else {
        check(resolve(known->at("type")), inner, place, wrong);
      }
    }
    for (const auto& [name, known] : properties) {
      const bool is_path = name == "name" || name == "type" || name == "apiVersion" || name == "id";
      if (where.empty() && is_path) continue;  // the call's address says it
      if ((known.at("flags").as_int64() & k_required) != 0 && !value.as_object().contains(name)) {
        wrong += where + "." + std::string(name) + ": is missing\n";
      }
    }
  }

  json::value types_;
};

std::optional<Schemas> schemas_of(const std::string& version) {
  const char* folder = std::getenv("VIRGA_SHARED_DATA");
  std::ifstream file(std::string(folder == nullptr ? "" : folder) + "/azure/microsoft.compute-" + version +
                     ".types.json");
  if (!file) return std::nullopt;
  std::stringstream text;
  text << file.rdbuf();
  return Schemas(json::parse(text.str()));
}

struct Shape {
  std::string name;
  std::string size;
  AzurePool placed;
  Purchase purchase = Purchase::on_demand;
};

std::vector<Shape> shapes() {
  const std::string compute = "/subscriptions/S/resourceGroups/g/providers/Microsoft.Compute/";
  const std::string h100 = "Standard_ND96isr_H100_v5";
  const std::string nc = "Standard_NC24ads_A100_v4";
  const std::string gb200 = "Standard_ND128isr_NDR_GB200_v6";
  AzurePool near, held, block, connected;
  near.proximity_placement_group = compute + "proximityPlacementGroups/p";
  near.zones = {"1"};
  held.capacity_reservation_group = block.capacity_reservation_group = compute + "capacityReservationGroups/h";
  held.zones = {"1", "2"};
  block.reservation_type = ReservationType::block;
  connected.interconnect_block = compute + "interconnectBlocks/b";
  connected.interconnect_group = "/subscriptions/S/resourceGroups/g/providers/Microsoft.Network/interconnectGroups/i";
  return {{"uniform", h100, {}},          {"spot", h100, {}, Purchase::spot},
          {"near", h100, near},           {"block", h100, block},
          {"flexible", nc, {}},           {"flexible spot", nc, {}, Purchase::spot},
          {"flexible, held", nc, held},   {"rack", gb200, {}},
          {"connected", gb200, connected}};
}

SetBody body_of(const Shape& shape) {
  AzureSettings settings;
  settings.cluster = "c1";
  settings.subscription = "S";
  settings.resource_group = "g";
  settings.region = "eastus";
  settings.pools["nd"] = shape.placed;
  Pool pool;
  pool.name = "nd";
  pool.sku.name = shape.size;
  pool.purchase = shape.purchase;
  return put_body(settings, pool, {"virga-c1-nd-1", 3, "#!/bin/sh\n", "ssh-ed25519 AAAA"});
}

json::object json_of(const std::string& shape) {
  for (const Shape& s : shapes()) {
    if (s.name == shape) return json::parse(body_of(s).text).as_object();
  }
  return {};
}

}  // namespace

TEST_CASE("bodies: Microsoft's schemas know all that each shape says") {
  const auto plain = schemas_of("2022-08-01");
  const auto newest = schemas_of("2026-03-01");
  if (!plain || !newest) {
    MESSAGE("skipped: VIRGA_SHARED_DATA names no folder with azure/*.types.json");
    return;
  }
  const std::string type = "Microsoft.Compute/virtualMachineScaleSets@";
  for (const Shape& shape : shapes()) {
    CAPTURE(shape.name);
    const SetBody body = body_of(shape);
    const bool is_new = body.version == ApiVersion::compute_newest;
    CHECK((is_new ? *newest : *plain).check(type + (is_new ? "2026-03-01" : "2022-08-01"), json::parse(body.text)) ==
          "");
  }
  // It would be seen.
  CHECK(
      plain->check(type + "2022-08-01", json::parse(body_of(shapes().back()).text)).find("interconnectBlockProfile") !=
      std::string::npos);
}

TEST_CASE("bodies: each shape is what Azure allows for it") {
  json::object flexible = json_of("flexible");
  const json::value& properties = flexible.at("properties");
  CHECK(properties.at("orchestrationMode") == "Flexible");
  CHECK(properties.at("singlePlacementGroup") == false);
  CHECK(properties.at("platformFaultDomainCount") == 1);
  CHECK_FALSE(properties.as_object().contains("overprovision"));
  const json::value& profile = properties.at("virtualMachineProfile");
  CHECK(profile.at("storageProfile").at("osDisk").at("deleteOption") == "Delete");
  const json::value& card = profile.at("networkProfile").at("networkInterfaceConfigurations").as_array()[0];
  CHECK(card.at("properties").at("deleteOption") == "Delete");
  CHECK(card.at("tags").at("virga-cluster") == "c1");
  CHECK(profile.at("networkProfile").at("networkApiVersion") == "2020-11-01");

  const json::object rack_body = json_of("rack");
  const json::value& rack = rack_body.at("properties");
  CHECK(rack.at("orchestrationMode") == "Uniform");
  CHECK(rack.at("singlePlacementGroup") == false);
  CHECK_FALSE(rack.as_object().contains("highSpeedInterconnectPlacement"));

  CHECK(json_of("uniform").at("properties").at("singlePlacementGroup") == true);
  CHECK_FALSE(json_of("uniform").contains("zones"));
  CHECK(json_of("near").at("zones") == json::array({"1"}));
  CHECK(body_of(shapes()[0]).version == ApiVersion::compute);
  CHECK(body_of(shapes()[3]).version == ApiVersion::compute_newest);
}

}  // namespace virga::azure_test

// A client of the stand-in inside the test's own process, with its clock in its hand.
//
//   Client azure;
//   azure.make_group("g");
//   azure.put("/resourceGroups/g/providers/Microsoft.Compute/virtualMachineScaleSets/s", set_body(8));
//   azure.pass(Duration::minutes(5));
//   azure.get(…).number("sku.capacity") == 8
#pragma once

#include <doctest/doctest.h>

#include <string>

#include "arm/stand_in.hpp"

namespace virga::arm::test {

inline constexpr Time k_start = Time::from_seconds(1'800'000'000);
inline constexpr std::string_view k_h100 = "Standard_ND96isr_H100_v5";

struct Reply {
  Answer raw;
  Document body;  ///< empty if there is none, or if it is an array

  int status() const { return raw.status; }
  std::string header(std::string_view name) const { return std::string(raw.header(name)); }
  std::string text(std::string_view path) const { return text_at(*body, path); }
  std::int64_t number(std::string_view path) const { return number_at(*body, path, -1); }
  std::string code() const { return text("error.code"); }
  /// Of a list.
  const boost::json::array& items() const;
};

Scenario scenario_of(std::string_view toml);

class Client {
 public:
  explicit Client(std::string_view scenario = "")
      : vms(scenario_of(scenario)), azure(scenario_of(scenario), vms, now) {}

  /// `target` may leave out the subscription and the api-version.
  Reply send(const std::string& method, std::string target, const std::string& body = "");
  Reply get(const std::string& target) { return send("GET", target); }
  Reply put(const std::string& target, const std::string& body) { return send("PUT", target, body); }
  Reply patch(const std::string& target, const std::string& body) { return send("PATCH", target, body); }
  Reply post(const std::string& target, const std::string& body = "{}") { return send("POST", target, body); }
  Reply del(const std::string& target) { return send("DELETE", target); }
  /// What the operation of an answer says now.
  Reply operation_of(const Reply& reply);
  Reply admin(const std::string& what, const std::string& body);
  Reply metadata(const std::string& method, const std::string& target, const std::string& body = "");
  void pass(Duration duration) {
    now = now + duration;
    azure.advance(now);
  }
  void make_group(const std::string& name) {
    CHECK(put("/resourceGroups/" + name, R"({"location": "eastus"})").status() == 201);
  }
  /// Also after its deletion.
  void make_group_again(const std::string& name) {
    pass(Duration::minutes(1));
    put("/resourceGroups/" + name, R"({"location": "eastus"})");
  }

  std::string prefix = "/subscriptions/11111111-1111-1111-1111-111111111111";
  std::string version = "2022-08-01";
  Time now = k_start;
  SimulatedVms vms;
  StandIn azure;
};

inline const std::string k_sets = "/resourceGroups/g/providers/Microsoft.Compute/virtualMachineScaleSets";

/// A Uniform set; `profile` are further members of its virtualMachineProfile.
std::string set_body(int capacity, const std::string& profile = "", std::string_view size = k_h100);

}  // namespace virga::arm::test

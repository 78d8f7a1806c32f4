// The health checks against recorded tools: what counts as sick, what is told of it, and what is looked at twice.
#include "engines/local/health_check.hpp"

#include <doctest/doctest.h>
#include <sys/stat.h>

#include <algorithm>
#include <filesystem>
#include <fstream>

#include "engines/local/health_readings.hpp"
#include "unit/engines_local/recorded_tools.hpp"

namespace virga::test {
namespace {

HealthReport examined(RecordedTools& tools, const std::string& size = "Standard_ND96isr_H100_v5", bool full = true,
                      const LinkDowns& before = {}) {
  const HealthLimits* limits = find_health_limits(size);
  REQUIRE(limits != nullptr);
  return check_health({*limits, full}, tools.tools(), before);
}

/// "check: measured, expected …" of the first failure; "" for a healthy node.
std::string verdict(RecordedTools& tools, const std::string& size = "Standard_ND96isr_H100_v5", bool full = true,
                    const LinkDowns& before = {}) {
  const HealthReport report = examined(tools, size, full, before);
  const HealthFinding* failure = report.first_failure();
  return failure == nullptr ? "" : failure->check + ": " + sentence_of(*failure);
}

const HealthFinding& finding(const HealthReport& report, const std::string& check) {
  const auto found = std::find_if(report.findings.begin(), report.findings.end(),
                                  [&](const HealthFinding& f) { return f.check == check; });
  REQUIRE(found != report.findings.end());
  return *found;
}

}  // namespace

TEST_CASE("health: a healthy node passes every check of its size") {
  RecordedTools tools = RecordedTools::healthy();
  const HealthReport report = examined(tools);
  CHECK(report.first_failure() == nullptr);
  std::vector<std::string> checks;
  for (const HealthFinding& f : report.findings) checks.push_back(f.check);
  CHECK(checks == std::vector<std::string>{"gpu_count", "gpu_ecc", "gpu_throttle", "gpu_xid", "nvlink", "infiniband",
                                           "ib_flapping", "all_reduce"});
  CHECK(finding(report, "all_reduce").measured == "477.7 GB/s");
  CHECK(finding(report, "ib_flapping").state == HealthState::not_measured);
  CHECK(report.link_downs.size() == 8);
  CHECK(report.link_downs.at("mlx5_ib3:1") == 0);
}

TEST_CASE("health: each sickness has its check, what was measured and what was expected") {
  RecordedTools tools = RecordedTools::healthy();
  std::string expected;
  SUBCASE("a GPU is missing") {
    tools.say("nvidia-smi count", gpu_lines(7));
    expected = "gpu_count: 7 GPUs, expected 8";
  }
  SUBCASE("a GPU does not answer") {
    tools.say("nvidia-smi count",
              "Unable to determine the device handle for GPU3: 0000:5F:00.0: Unknown Error\n" + gpu_lines(7));
    expected =
        "gpu_count: nvidia-smi says: Unable to determine the device handle for GPU3: 0000:5F:00.0: Unknown "
        "Error, expected 8 GPUs";
  }
  SUBCASE("no driver") {
    tools.say("nvidia-smi count", "NVIDIA-SMI has failed because it couldn't communicate with the NVIDIA driver.\n\n",
              9);
    expected =
        "gpu_count: nvidia-smi failed with 9: NVIDIA-SMI has failed because it couldn't communicate with the "
        "NVIDIA driver., expected 8 GPUs";
  }
  SUBCASE("no tool") {
    tools.answers.erase("nvidia-smi count");
    expected = "gpu_count: nvidia-smi is not there, expected 8 GPUs";
  }
  SUBCASE("a tool that hangs") {
    tools.answers["nvidia-smi count"] = {{ToolOutput::End::timed_out, 0, ""}};
    expected = "gpu_count: nvidia-smi did not end within 60 s, expected 8 GPUs";
  }
  SUBCASE("memory errors") {
    tools.say("nvidia-smi count", gpu_lines(7) + "7, 2\n");
    expected = "gpu_ecc: GPU 7 has 2 of them, expected no uncorrectable errors";
  }
  SUBCASE("heat") {
    std::string text = "0x0000000000000001\n0x0000000000000048\n";
    for (int i = 0; i < 6; ++i) text += "0x0000000000000004\n";  // the power cap of software is no sickness
    tools.say("nvidia-smi clocks", text);
    expected = "gpu_throttle: GPU 1 is slowed down (0x48), expected none slowed down";
  }
  SUBCASE("a fault of hardware in the log") {
    tools.say("dmesg",
              "[ 1200.1] NVRM: Xid (PCI:0001:00:00): 13, pid=4711, Graphics Exception\n"
              "[ 1234.5] NVRM: Xid (PCI:0002:00:00): 79, pid='<unknown>', name=<unknown>, GPU has fallen off "
              "the bus.\n");
    expected = "gpu_xid: XID 79 of GPU PCI:0002:00:00, expected no fault";
  }
  SUBCASE("an NVLink is down") {
    tools.say("nvidia-smi nvlink", nvlink_text(7, 18) + nvlink_text(1, 17, 1));
    expected = "nvlink: 17 of GPU 7, expected 18 active links of each GPU";
  }
  SUBCASE("all NVLinks are down") {
    tools.say("nvidia-smi nvlink",
              "GPU 0: NVIDIA H100 80GB HBM3 (UUID: GPU-5a10)\nNVML: Unable to retrieve NVLink "
              "information as all links are inActive\n");
    expected = "nvlink: 0 of GPU 0, expected 18 active links of each GPU";
  }
  SUBCASE("an InfiniBand port is down") {
    tools.say("ibstat", ib_text(7) + ib_adapter("mlx5_ib7", "Down", "Polling", 10));
    expected = "infiniband: 7 (mlx5_ib7 is Down, Polling, 10 Gbit/s), expected 8 active ports of 400 Gbit/s";
  }
  SUBCASE("an InfiniBand port is slow") {
    tools.say("ibstat", ib_text(7) + ib_adapter("mlx5_ib7", "Active", "LinkUp", 200));
    expected = "infiniband: 7 (mlx5_ib7 is Active, LinkUp, 200 Gbit/s), expected 8 active ports of 400 Gbit/s";
  }
  SUBCASE("an adapter is missing") {
    tools.say("ibstat", ib_text(7));
    expected = "infiniband: 7, expected 8 active ports of 400 Gbit/s";
  }
  SUBCASE("a slow all-reduce") {
    tools.say("all_reduce_perf", all_reduce_text("398.15"));
    expected = "all_reduce: 398.1 GB/s, expected at least 460 GB/s";
  }
  SUBCASE("a wrong all-reduce") {
    tools.say("all_reduce_perf", all_reduce_text("477.7", "3 FAILED"));
    expected = "all_reduce: wrong sums (out of bounds values), expected at least 460 GB/s";
  }
  CHECK(verdict(tools) == expected);
}

TEST_CASE("health: a check that fails once and then passes is no sickness") {
  RecordedTools tools = RecordedTools::healthy();
  auto& answers = tools.answers["ibstat"];
  answers.insert(answers.begin(), {ToolOutput::End::exited, 0, ib_text(7)});
  CHECK(verdict(tools) == "");
  CHECK(tools.calls["ibstat"] == 2);
}

TEST_CASE("health: one look at the GPUs serves both checks that read it") {
  RecordedTools tools = RecordedTools::healthy();
  CHECK(verdict(tools) == "");
  CHECK(tools.calls["nvidia-smi count"] == 1);
  tools.say("nvidia-smi count", gpu_lines(7) + "7, 2\n");
  CHECK(verdict(tools) == "gpu_ecc: GPU 7 has 2 of them, expected no uncorrectable errors");
  CHECK(tools.calls["nvidia-smi count"] == 3);  // the errors were looked for anew
}

TEST_CASE("health: a tool that hangs is not asked again in the same round") {
  RecordedTools tools = RecordedTools::healthy();
  for (const char* question : {"count", "clocks", "nvlink"}) {
    tools.answers[std::string("nvidia-smi ") + question] = {{ToolOutput::End::timed_out, 0, ""}};
  }
  const HealthReport report = examined(tools);
  for (const char* check : {"gpu_count", "gpu_ecc", "gpu_throttle", "nvlink"}) {
    CHECK(finding(report, check).measured == "nvidia-smi did not end within 60 s");
  }
  CHECK(tools.calls["nvidia-smi count"] == 1);
  CHECK(tools.calls["nvidia-smi clocks"] + tools.calls["nvidia-smi nvlink"] == 0);
  CHECK(tools.calls["ibstat"] == 1);  // others are
}

TEST_CASE("health: the checks have a limit for all of them") {
  RecordedTools tools = RecordedTools::healthy();
  const HealthLimits* limits = find_health_limits("Standard_ND96isr_H100_v5");
  REQUIRE(limits != nullptr);
  const HealthReport report = check_health({*limits, true, std::chrono::seconds(0)}, tools.tools(), {});
  CHECK(report.first_failure()->check == "gpu_count");
  CHECK(sentence_of(*report.first_failure()) == "the checks were not over within 0 s, expected 8 GPUs");
  for (const auto& [tool, calls] : tools.calls) CHECK(calls == 0);
}

TEST_CASE("health: short checks leave the all-reduce out, and it does not run on a sick node") {
  RecordedTools tools = RecordedTools::healthy();
  CHECK(verdict(tools, "Standard_ND96isr_H100_v5", false) == "");
  CHECK(tools.calls["all_reduce_perf"] == 0);
  tools.say("ibstat", ib_text(7));
  CHECK(finding(examined(tools), "all_reduce").state == HealthState::not_measured);
  CHECK(tools.calls["all_reduce_perf"] == 0);
}

TEST_CASE("health: a link that flaps is found by its counter, against the last check") {
  RecordedTools tools = RecordedTools::healthy();
  tools.downs("mlx5_ib2", 4);
  const LinkDowns first = examined(tools).link_downs;
  CHECK(first.at("mlx5_ib2:1") == 4);
  tools.downs("mlx5_ib2", 5);
  CHECK(verdict(tools, "Standard_ND96isr_H100_v5", false, first) == "");
  tools.downs("mlx5_ib2", 7);
  CHECK(verdict(tools, "Standard_ND96isr_H100_v5", false, first) ==
        "ib_flapping: mlx5_ib2:1 went down 3 times, expected each down at most once since the last check");
}

TEST_CASE("health: what a node may not read is told as not measured") {
  RecordedTools tools = RecordedTools::healthy();
  tools.say("dmesg", "dmesg: read kernel buffer failed: Operation not permitted\n", 1);
  tools.files.clear();
  const HealthReport report = examined(tools);
  CHECK(report.first_failure() == nullptr);
  CHECK(finding(report, "gpu_xid").state == HealthState::not_measured);
  CHECK(finding(report, "gpu_xid").measured ==
        "dmesg failed with 1: dmesg: read kernel buffer failed: Operation not permitted");
  CHECK(finding(report, "ib_flapping").measured == "no counters");
}

TEST_CASE("health: older drivers call the reasons of clocks by another name") {
  RecordedTools tools = RecordedTools::healthy();
  auto& answers = tools.answers["nvidia-smi clocks"];
  answers.insert(answers.begin(), {ToolOutput::End::exited, 2,
                                   "Field \"clocks_event_reasons.active\" is not a valid field to query.\n"});
  CHECK(verdict(tools) == "");
  CHECK(tools.calls["nvidia-smi clocks"] == 2);
}

TEST_CASE("health: 12 of 18 NVLinks are right where the size has no more, and sizes without InfiniBand need none") {
  RecordedTools tools = RecordedTools::healthy();
  tools.say("nvidia-smi count", gpu_lines(2));
  tools.say("nvidia-smi nvlink", nvlink_text(2, 12, 6));
  tools.say("all_reduce_perf", all_reduce_text("210"));
  tools.answers.erase("ibstat");
  CHECK(verdict(tools, "Standard_NC80adis_H100_v5") == "");
}

TEST_CASE("health: AMD's sizes are counted by rocm-smi") {
  RecordedTools tools = RecordedTools::healthy();
  std::string cards = "device,Device Name,Device ID,Device Rev,Subsystem ID,GUID\n";
  for (int i = 0; i < 8; ++i) cards += "card" + std::to_string(i) + ",AMD Instinct MI300X,0x74b5,0x00,0x74a1,28851\n";
  tools.say("rocm-smi", cards + "\n");
  tools.say("all_reduce_perf", all_reduce_text("318.2"));
  CHECK(verdict(tools, "Standard_ND96isr_MI300X_v5") == "");
  tools.say("rocm-smi", cards.substr(0, cards.find("card7")));
  CHECK(verdict(tools, "Standard_ND96isr_MI300X_v5") == "gpu_count: 7 GPUs, expected 8");
  tools.answers.erase("rocm-smi");
  CHECK(verdict(tools, "Standard_ND96isr_MI300X_v5") == "gpu_count: rocm-smi is not there, expected 8 GPUs");
}

TEST_CASE("readings: texts that no such tool prints are refused, with their line") {
  CHECK(read_gpus("0, 0\nhello\n").error().message == "nvidia-smi says: hello");
  CHECK_FALSE(read_gpus("0, many\n").has_value());
  CHECK_FALSE(read_gpus("0\n").has_value());
  CHECK_FALSE((*read_gpus("0, [N/A]\n"))[0].uncorrectable.has_value());
  CHECK(read_gpus("")->empty());
  CHECK_FALSE(read_clock_reasons("[N/A]\n").has_value());
  CHECK_FALSE(read_nvlinks("Link 0: 26.562 GB/s\n").has_value());
  CHECK_FALSE(read_amd_gpus("ERROR:root:Driver not initialized\n").has_value());
  CHECK_FALSE(read_ib_ports("ibpanic: [17] main: stat of IB device 'mlx5_0' failed: No such file\n").has_value());
  CHECK_FALSE(read_all_reduce("").has_value());
  CHECK_FALSE(read_all_reduce("# Avg bus bandwidth    : nan\n").has_value());
  CHECK(*read_all_reduce("# Avg bus bandwidth    : 461.606 OK\n") == 461'606);
  CHECK_FALSE(read_xid("NVRM: Xid (PCI:0001:00:00): 43, pid=1, name=x, Ch 1\n").has_value());
  CHECK_FALSE(read_xid("NVRM: Xid (PCI").has_value());
}

TEST_CASE("tools: those of the folder come first, what hangs is ended, what is not there is told") {
  char pattern[] = "/tmp/virga-health-XXXXXX";
  REQUIRE(mkdtemp(pattern) != nullptr);
  const std::string folder = pattern;
  const auto script = [&](const std::string& name, const std::string& text) {
    std::ofstream(folder + "/" + name) << "#!/bin/sh\n" << text << "\n";
    chmod((folder + "/" + name).c_str(), 0755);
  };
  script("dmesg", "echo one; echo two >&2; exit 3");
  script("ibstat", "sleep 300 & sleep 300");
  std::filesystem::create_directories(folder + "/sys/class");
  std::ofstream(folder + "/sys/class/counter") << "5\n";
  const HealthTools tools = real_tools(folder);
  const ToolOutput said = tools.run({"dmesg"}, std::chrono::seconds(20));
  CHECK(said.end == ToolOutput::End::exited);
  CHECK(said.exit_code == 3);
  CHECK(said.text == "one\ntwo\n");
  CHECK(tools.run({"ibstat"}, std::chrono::seconds(1)).end == ToolOutput::End::timed_out);
  CHECK(tools.run({"no-such-tool"}, std::chrono::seconds(1)).end == ToolOutput::End::missing);
  CHECK(tools.read("class/counter") == "5\n");
  CHECK_FALSE(tools.read("class/none").has_value());
  std::filesystem::remove_all(folder);
}

}  // namespace virga::test

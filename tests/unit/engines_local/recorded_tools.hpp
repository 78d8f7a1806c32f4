// What the tools of the health checks print on a healthy Standard_ND96isr_H100_v5, in the shape of the real ones, and
// tools that print what a test says.
#pragma once

#include <map>
#include <string>
#include <vector>

#include "engines/local/health_check.hpp"

namespace virga::test {

inline std::string gpu_lines(int gpus, const std::string& errors = "0") {
  std::string text;
  for (int i = 0; i < gpus; ++i) text += std::to_string(i) + ", " + errors + "\n";
  return text;
}

inline std::string nvlink_text(int gpus, int links, int inactive = 0) {
  std::string text;
  for (int gpu = 0; gpu < gpus; ++gpu) {
    text += "GPU " + std::to_string(gpu) + ": NVIDIA H100 80GB HBM3 (UUID: GPU-5a10e6e5-95f7-2785-ed63-6f6147f304f7)\n";
    for (int link = 0; link < links + inactive; ++link) {
      text += "\t Link " + std::to_string(link) + (link < links ? ": 26.562 GB/s\n" : ": <inactive>\n");
    }
  }
  return text;
}

inline std::string ib_adapter(const std::string& name, const std::string& state, const std::string& physical,
                              int gbit_per_s, const std::string& layer = "InfiniBand") {
  return "CA '" + name +
         "'\n\tCA type: MT4126\n\tNumber of ports: 1\n\tFirmware version: 28.39.1002\n\tHardware version: 0\n"
         "\tNode GUID: 0x00155dfffe33ff0a\n\tSystem image GUID: 0x946dae0300d2d1a6\n\tPort 1:\n\t\tState: " +
         state + "\n\t\tPhysical state: " + physical + "\n\t\tRate: " + std::to_string(gbit_per_s) +
         "\n\t\tBase lid: 1087\n\t\tLMC: 0\n\t\tSM lid: 1\n\t\tCapability mask: 0xa651ec48\n"
         "\t\tPort GUID: 0x00155dfffe33ff0a\n\t\tLink layer: " +
         layer + "\n";
}

inline std::string ib_text(int good) {
  std::string text = ib_adapter("mlx5_an0", "Active", "LinkUp", 100, "Ethernet");  // the VM's Ethernet
  for (int i = 0; i < good; ++i) text += ib_adapter("mlx5_ib" + std::to_string(i), "Active", "LinkUp", 400);
  return text;
}

inline std::string all_reduce_text(const std::string& gb_per_s, const std::string& verdict = "0 OK") {
  return "# nThread 1 nGpus 8 minBytes 17179869184 maxBytes 17179869184 step: 1048576(bytes) warmup iters: 5 iters: 20 "
         "agg iters: 1 validation: 1 graph: 0\n#\n# Using devices\n"
         "#  Rank  0 Group  0 Pid   4711 on   nd000000 device  0 [0x00] NVIDIA H100 80GB HBM3\n#\n"
         "#       size         count      type   redop    root     time   algbw   busbw #wrong     time   algbw   "
         "busbw "
         "#wrong\n"
         " 17179869184    4294967296     float     sum      -1    62954  272.90  477.57      0    62900  273.13  "
         "477.98 "
         "     0\n# Out of bounds values : " +
         verdict + "\n# Avg bus bandwidth    : " + gb_per_s + "\n#\n";
}

/// Answers by the tool's name and first argument that starts one; what is not there is missing.
struct RecordedTools {
  std::map<std::string, std::vector<ToolOutput>> answers;  ///< several: one for each call, the last one for all others
  std::map<std::string, std::string> files;
  std::map<std::string, int> calls;

  static RecordedTools healthy() {
    RecordedTools tools;
    tools.say("nvidia-smi count", gpu_lines(8));
    tools.say("nvidia-smi clocks", [] {
      std::string text;
      for (int i = 0; i < 8; ++i) text += "0x0000000000000001\n";
      return text;
    }());
    tools.say("nvidia-smi nvlink", nvlink_text(8, 18));
    tools.say("dmesg", "[    0.000000] Linux version 5.15.0-1064-azure\n");
    tools.say("ibstat", ib_text(8));
    tools.say("all_reduce_perf", all_reduce_text("477.774"));
    for (int i = 0; i < 8; ++i) tools.downs("mlx5_ib" + std::to_string(i), 0);
    return tools;
  }
  void say(const std::string& tool, const std::string& text, int exit_code = 0) {
    answers[tool] = {{ToolOutput::End::exited, exit_code, text}};
  }
  void downs(const std::string& adapter, int count) {
    files["class/infiniband/" + adapter + "/ports/1/counters/link_downed"] = std::to_string(count) + "\n";
  }
  HealthTools tools() {
    return {.run = [this](const std::vector<std::string>& argv, std::chrono::milliseconds) { return answer(argv); },
            .read = [this](const std::string& path) -> std::optional<std::string> {
              const auto file = files.find(path);
              return file != files.end() ? std::optional(file->second) : std::nullopt;
            }};
  }

 private:
  ToolOutput answer(const std::vector<std::string>& argv) {
    std::string name = argv[0];
    if (name == "nvidia-smi") {
      name += argv[1].starts_with("--query-gpu=index") ? " count" : argv[1] == "nvlink" ? " nvlink" : " clocks";
    }
    const auto known = answers.find(name);
    if (known == answers.end()) return {ToolOutput::End::missing, 0, ""};
    const auto call = static_cast<std::size_t>(calls[name]++);
    return known->second[std::min(call, known->second.size() - 1)];
  }
};

}  // namespace virga::test

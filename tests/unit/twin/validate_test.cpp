// Measurement files: every row gets an answer or a reason, and what cannot be read is said.
#include "twin/validate.hpp"

#include <doctest/doctest.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <sstream>

namespace virga::twin {
namespace {

constexpr const char* k_header =
    "source,source_group,model,layers,hidden,heads,seq,vocab,gpu,gpus,tp,pp,micro_batch,global_batch,recompute,metric,"
    "value,unit,network,notes\n";

std::string error_of(std::string_view text) {
  const auto validation = validate(text, "runs.csv");
  return validation ? "" : validation.error().message;
}

std::filesystem::path shared_data() {
  if (const char* folder = std::getenv("VIRGA_SHARED_DATA")) return folder;
  auto root = std::filesystem::current_path();
  while (root.has_relative_path() && !std::filesystem::exists(root / "docs" / "design.md")) root = root.parent_path();
  return root.parent_path() / "shared" / "data";
}

std::string text_of(const std::filesystem::path& path) {
  std::ifstream file(path);
  std::stringstream text;
  text << file.rdbuf();
  return text.str();
}

}  // namespace

TEST_CASE("validate: a row has a prediction or a reason") {
  const auto v =
      validate(std::string(k_header) +
                   "\"a paper, page 3\",mine,GPT-22B,48,6144,64,2048,51200,A100,8,8,1,4,4,full,iteration_time,"
                   "1.42,s,,\n"
                   "x,mine,Mamba,,,,2048,,A100,8,8,1,4,4,full,iteration_time,1,s,,\n"
                   "x,mine,GPT-22B,48,6144,64,2048,51200,Z9,8,8,1,4,4,full,iteration_time,1,s,,\n"
                   "x,mine,GPT-22B,48,6144,64,2048,51200,A100,8,7,1,4,4,full,iteration_time,1,s,,\n"
                   "x,mine,GPT-22B,48,6144,64,2048,51200,A100,8,8,1,4,4,full,joules,1,J,,\n",
               "runs.csv");
  REQUIRE(v);
  REQUIRE(v->rows.size() == 5);
  CHECK(v->rows[0].source == "a paper, page 3");
  REQUIRE(v->rows[0].predicted);
  CHECK(*v->rows[0].predicted == doctest::Approx(1.42).epsilon(0.3));
  CHECK(v->rows[0].outside_calibration);  // of software that nothing names
  CHECK_FALSE(v->rows[0].skipped);
  CHECK(*v->rows[1].skipped == "Mamba is not in data/models.csv, and the row does not describe it");
  CHECK(*v->rows[2].skipped == "no GPU \"Z9\" in data/gpus.csv");
  CHECK(*v->rows[3].skipped == "tensor parallel 7 does not divide the 64 heads of GPT-22B");
  CHECK(*v->rows[4].skipped == "metric joules is unknown");
  REQUIRE(v->summary.size() == 2);
  CHECK(v->summary[0].rows == 1);
  CHECK(v->summary[0].skipped == 3);
  CHECK(v->summary[0].worst_error == v->summary[0].mean_error);
}

TEST_CASE("validate: an interleave that the row leaves open has chunks of the same size") {
  // Sixteen layers a stage: nine to twelve chunks would have less bubble, and do not come out even.
  const std::string run =
      "x,megatron-h100,GPT-177B,96,12288,96,4096,131072,H100,2304,8,6,2,1152,none,iteration_time,5,s,";
  const auto v = validate(
      "source,source_group,model,layers,hidden,heads,seq,vocab,gpu,gpus,tp,pp,micro_batch,"
      "global_batch,recompute,metric,value,unit,interleave\n" +
          run + "\n" + run + "8\n" + run + "4\n",
      "runs.csv");
  REQUIRE(v);
  REQUIRE(v->rows[0].predicted);
  CHECK(*v->rows[0].predicted == *v->rows[1].predicted);
  CHECK(*v->rows[0].predicted < *v->rows[2].predicted);
}

TEST_CASE("validate: bad files") {
  CHECK(error_of("") == "runs.csv: its header has no column \"gpu\"");
  CHECK(error_of("gpu,gpus,metric,value,unit\n") == "runs.csv: its header has neither \"model\" nor \"message_bytes\"");
  CHECK(error_of(k_header) == "runs.csv: no measurements in it");
  CHECK(error_of("model,gpu,gpus,metric,value,unit\nm,A100,8,iteration_time,fast,s\n") ==
        "runs.csv, line 2: value \"fast\" is no number");
  CHECK(error_of("model,gpu,gpus,metric,value,unit\nm,A100,8,iteration_time,1,s,7\n") ==
        "runs.csv, line 2: more fields than the header has, or a quote that does not end");
}

TEST_CASE("validate: a collective") {
  const auto v = validate(
      "source,source_group,collective,gpu,nodes,gpus,gpus_per_node,fabric,message_bytes,metric,value,unit\n"
      "x,y,all_reduce,A100,1,8,8,NVLink3,8589934592,busbw,231,GB/s\n"
      "x,y,ib_write_bw,A100,1,8,8,,8589934592,busbw,24,GB/s\n",
      "collectives.csv");
  REQUIRE(v);
  REQUIRE(v->rows[0].predicted);
  CHECK(*v->rows[0].predicted == doctest::Approx(231).epsilon(0.1));
  CHECK(v->rows[1].skipped);
}

TEST_CASE("validate: published runs are predicted within bounds") {
  const auto path = shared_data() / "training-measurements.csv";
  if (!std::filesystem::exists(path)) {
    MESSAGE("skipped: no ", path.string(), "; set VIRGA_SHARED_DATA to the folder that holds it");
    return;
  }
  const auto v = validate(text_of(path), "training-measurements.csv");
  REQUIRE(v);
  CHECK(v->rows.size() > 1800);
  // What ran is predicted to fit.
  for (const ValidatedRow& row : v->rows) {
    CAPTURE(row.source);
    CAPTURE(row.model);
    CAPTURE(row.gpu);
    const bool memory = row.metric.find("memory") != std::string::npos;  // of layouts that are compared, not run
    if (!memory) CHECK_FALSE(row.unfit);
  }
  for (const ValidationSummary& s : v->summary) {
    CAPTURE(s.source_group);
    CAPTURE(s.metric);
    CAPTURE(s.mean_error);
    const bool time = s.metric == "iteration_time" || s.metric == "model_tflops_per_gpu";
    if (s.source_group == "megatron-sc21-table1") CHECK(s.mean_error < 0.03);
    if (s.source_group == "korthikanti-2022" && time) CHECK(s.mean_error < 0.05);
    if (s.source_group == "megatron-h100" && time) CHECK(s.mean_error < 0.05);
    if (s.source_group == "bloom" && time) CHECK(s.mean_error < 0.05);
    if (s.source_group == "bloom" && s.metric == "memory_per_gpu_reserved") CHECK(s.mean_error < 0.05);
    if (s.source_group == "megatron-bridge" && time) CHECK(s.mean_error < 0.08);
    if (s.source_group == "mlperf" && time) CHECK(s.mean_error < 0.08);
    if (s.source_group == "vtrain-multi-node" || s.source_group == "vtrain-single-node") CHECK(s.mean_error < 0.1);
  }
}

}  // namespace virga::twin

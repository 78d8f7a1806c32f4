// Reading traces: what is kept, what is left out and why, and what is said about a malformed line.
#include <doctest/doctest.h>
#include <stdlib.h>

#include <filesystem>
#include <memory>

#include "sim/flat/trace_mode.hpp"
#include "sim/traces/numbers.hpp"
#include "sim/traces/trace.hpp"
#include "wire/text_file.hpp"

namespace virga::test {

namespace {

/// A folder that goes away with the test.
struct Scratch {
  std::string path;

  Scratch() {
    char name[] = "/tmp/virga-sim-test-XXXXXX";
    REQUIRE(mkdtemp(name) != nullptr);
    path = name;
  }
  ~Scratch() { std::filesystem::remove_all(path); }
  std::string write(const std::string& name, const std::string& text) const {
    REQUIRE(write_text_file(path + "/" + name, text));
    return path + "/" + name;
  }
};

const std::string k_header = "submit_s,job_id,gpus,cpus,duration_s,requested_time_s\n";

Trace parse_csv(const std::string& text, TraceOptions options = {.path = "t.csv", .units = 10}) {
  Trace trace;
  trace.text = std::make_unique<const std::string>(text);
  const Status read = read_csv_trace(trace, options);
  REQUIRE_MESSAGE(read, read.error().message);
  return trace;
}

std::string csv_error(const std::string& text) {
  Trace trace;
  trace.text = std::make_unique<const std::string>(text);
  const Status read = read_csv_trace(trace, {.path = "t.csv", .units = 10});
  REQUIRE_FALSE(read);
  CHECK(read.error().code == Code::invalid);
  return read.error().message;
}

std::string swf_line(const std::string& submit, const std::string& run, const std::string& allocated,
                     const std::string& requested, const std::string& limit) {
  return "  1  " + submit + " 5 " + run + "\t" + allocated + " 12.5 -1 " + requested + " " + limit +
         " -1 1 7 -1 -1 1 -1 -1 -1\n";
}

}  // namespace

TEST_CASE("CSV: columns by name, empty fields are not known, the estimate is never below the duration") {
  const Trace trace = parse_csv(k_header + "5,a,2,4,100,50\n\n7,b,,3,60,\r\n9,c,0.5,1,10.0,600");
  REQUIRE(trace.jobs.size() == 3);
  CHECK(trace.rows == 3);
  CHECK(trace.jobs[0].units == 4);
  CHECK(trace.jobs[0].estimate_s == 100);
  CHECK(trace.jobs[1].estimate_s == 60);
  CHECK(trace.jobs[2].estimate_s == 600);
  CHECK(trace.jobs[2].duration_s == 10);
  CHECK(trace.id_of(trace.jobs[1]) == "b");
}

TEST_CASE("CSV: what is left out is counted with its reason") {
  const Trace trace = parse_csv(k_header +
                                    "0,a,0.46,1,9,\n0,b,,1,9,\n0,c,0,1,9,\n0,d,-1,1,9,\n0,e,11,1,9,\n0,f,1,1,,\n0,g,1,"
                                    "1,0,\n0,h,1,1,-3,\n0,i,10,1,1,\n",
                                {.path = "t.csv", .unit_column = UnitColumn::gpus, .units = 10});
  auto count = [&](Skip why) { return trace.skipped[static_cast<std::size_t>(why)]; };
  CHECK(count(Skip::units_fractional) == 1);
  CHECK(count(Skip::units_unknown) == 1);
  CHECK(count(Skip::no_units) == 2);
  CHECK(count(Skip::too_wide) == 1);
  CHECK(count(Skip::duration_unknown) == 1);
  CHECK(count(Skip::no_duration) == 2);
  REQUIRE(trace.jobs.size() == 1);
  CHECK(trace.id_of(trace.jobs[0]) == "i");
}

TEST_CASE("CSV: a malformed line is named, with what would be right") {
  CHECK(csv_error("") == "t.csv:0: no header line; it must name submit_s, job_id, duration_s and more");
  CHECK(csv_error("submit_s,job_id,cpus\n0,a,1\n") ==
        "t.csv:1: no column \"duration_s\"; the header must name submit_s, job_id, duration_s and cpus");
  CHECK(csv_error(k_header + "0,a,1,1,9,\n0,b,1,1,9\n") == "t.csv:3: 5 fields; the header names 6");
  CHECK(csv_error(k_header + "0,a,1,1,9x,\n") ==
        "t.csv:2: duration_s is \"9x\"; it must be a whole number of seconds from -1000000000 to 1000000000");
  CHECK(csv_error(k_header + "-1,a,1,1,9,\n") ==
        "t.csv:2: submit_s is \"-1\"; it must be a whole number of seconds from 0 to 1000000000");
  CHECK(csv_error(k_header + "0.5,a,1,1,9,\n").starts_with("t.csv:2: submit_s is \"0.5\"; it must be a whole"));
  CHECK(csv_error(k_header + "99999999999999999999,a,1,1,9,\n").starts_with("t.csv:2: submit_s is"));
  CHECK(csv_error(k_header + ",a,1,1,9,\n") == "t.csv:2: submit_s is empty; every job needs one");
  CHECK(csv_error(k_header + "0,,1,1,9,\n") == "t.csv:2: job_id is empty; every job needs one");
  CHECK(csv_error(k_header + "0,a,1,many,9,\n") == "t.csv:2: cpus is \"many\"; it must be a number");
}

TEST_CASE("SWF: allocated processors before requested ones, comments and blanks") {
  const Scratch scratch;
  const std::string path =
      scratch.write("t.swf.gz", "; MaxProcs: 10\n\n" + swf_line("30", "100", "4", "8", "50") +
                                    swf_line("10", "60", "-1", "3", "600") + swf_line("40", "-1", "2", "2", "9") +
                                    swf_line("40", "9", "-1", "-1", "9"));
  Result<Trace> trace = read_trace({.path = path, .units = 10});
  REQUIRE(trace);
  REQUIRE(trace->jobs.size() == 2);  // sorted by submission
  CHECK(trace->jobs[0].units == 3);
  CHECK(trace->jobs[0].estimate_s == 600);
  CHECK(trace->jobs[1].units == 4);
  CHECK(trace->jobs[1].estimate_s == 100);
  CHECK(trace->skipped[static_cast<std::size_t>(Skip::duration_unknown)] == 1);
  CHECK(trace->skipped[static_cast<std::size_t>(Skip::units_unknown)] == 1);
}

TEST_CASE("SWF: a malformed line is named, with what would be right") {
  const Scratch scratch;
  auto error_of = [&](const std::string& text) {
    const Result<Trace> trace = read_trace({.path = scratch.write("t.swf", text), .units = 10});
    REQUIRE_FALSE(trace);
    return trace.error().message.substr(scratch.path.size() + 1);
  };
  CHECK(error_of("; x\n1 2 3\n") == "t.swf:2: 3 columns; a line of SWF has 18");
  CHECK(error_of(swf_line("1", "2", "3", "4", "5 6")) == "t.swf:1: more than 18 columns; a line of SWF has 18");
  CHECK(error_of(swf_line("1", "2s", "3", "4", "5")) ==
        "t.swf:1: column 4, run time, is \"2s\"; it must be a whole number from -1 to 1000000000");
  const Result<Trace> gpus =
      read_trace({.path = scratch.path + "/t.swf", .unit_column = UnitColumn::gpus, .units = 10});
  REQUIRE_FALSE(gpus);
  CHECK(gpus.error().message.ends_with("an SWF trace counts processors; use --unit-column cpus"));
}

TEST_CASE("files: kinds, missing ones, broken gzip") {
  const Scratch scratch;
  const Result<Trace> kind = read_trace({.path = "jobs.txt", .units = 1});
  REQUIRE_FALSE(kind);
  CHECK(kind.error().message ==
        "jobs.txt: not a known kind of trace; its name must end in .csv, .csv.gz, .swf or .swf.gz");
  const Result<Trace> missing = read_trace({.path = scratch.path + "/none.csv", .units = 1});
  REQUIRE_FALSE(missing);
  CHECK(missing.error().message.ends_with("/none.csv: cannot be read: No such file or directory"));
  std::string text = k_header;
  for (int i = 0; i < 5000; ++i) text += std::to_string(i) + ",j" + std::to_string(i * 7919) + ",1,1,9,\n";
  const std::string path = scratch.write("t.csv.gz", text);
  CHECK(*read_text_file(path) == text);
  std::filesystem::resize_file(path, std::filesystem::file_size(path) / 2);
  const Result<std::string> half = read_text_file(path);
  REQUIRE_FALSE(half);
  CHECK(half.error().message.ends_with("cannot be read: the gzip data ends too early"));
}

TEST_CASE("an overlay: copies later by 3,607 s each, ids with the copy's number, on as many pools") {
  const Scratch scratch;
  const std::string path = scratch.write("t.csv", k_header + "0,a,1,2,9,\n4000,b,1,2,9,\n");
  const std::string starts = scratch.path + "/starts.csv";
  const Result<std::string> json =
      run_trace_mode({.trace = path, .units = 2, .overlay = 3, .starts = starts, .json = "-"});
  REQUIRE(json);
  CHECK(json->find("\"units\":6,") != std::string::npos);
  CHECK(json->find("\"jobs\":6,") != std::string::npos);
  CHECK(*read_text_file(starts) ==
        "job_id,submit_s,start_s,end_s\n0-a,0,0,9\n1-a,3607,3607,3616\n0-b,4000,4000,4009\n2-a,7214,7214,7223\n"
        "1-b,7607,7607,7616\n2-b,11214,11214,11223\n");
}

TEST_CASE("a trace without a job to replay is refused, with the counts") {
  const Scratch scratch;
  const std::string path = scratch.write("t.csv", k_header + "0,a,1,3,9,\n");
  const Result<std::string> report = run_trace_mode({.trace = path, .units = 2});
  REQUIRE_FALSE(report);
  CHECK(report.error().message == path + ": no job to replay in 1 rows; skipped: 1 too_wide");
}

TEST_CASE("numbers") {
  CHECK(parse_number("12")->whole == 12);
  CHECK_FALSE(parse_number("12.00")->fractional);
  CHECK(parse_number("0.46")->fractional);
  for (const char* wrong : {"", "x", "1x", "1.x", "1e3", " 1", "+1", "99999999999999999999"})
    CHECK_FALSE(parse_number(wrong));
}

}  // namespace virga::test

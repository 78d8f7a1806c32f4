#include "wire/slurm_errors.hpp"

namespace virga {
namespace {

struct Row {
  int number;
  std::string_view text;
};

/// Matched against the beginning of Virga's message, whose rest says what and where.
constexpr Row k_rows[] = {
    {2000, "Invalid partition name specified"},
    {2000, "invalid partition specified"},
    {2002, "Access/permission denied"},
    {2009, "Job script not specified"},
    {2014, "Requested node configuration is not available"},
    {2017, "Invalid job id specified"},
    {2018, "Invalid node name specified"},
    {2021, "Job/step already completing or completed"},
    {2024, "Job is pending execution"},
    {2037, "Requested operation is presently disabled"},
    {2038, "Job dependency problem"},
    {2045, "Invalid account or account/partition combination specified"},
    {2050, "Job violates accounting/QOS policy (job submit limit, user's size and/or time limits)"},
    {2051, "Requested time limit is invalid (missing or exceeds some limit)"},
    {2053, "Requested reservation is invalid"},
    {2066, "Invalid qos specification"},
    {2070, "Required partition not available (inactive or drain)"},
    {2073, "Job is no longer pending execution"},
    {2081, "Invalid job array specification"},
    {2087, "Job is not suspended"},
    {2127, "Environment is missing in job"},
    {9001, "Failure during parsing"},
    {9003, "Nothing found with query"},
};

int closest_number(Code code) {
  switch (code) {
    case Code::denied:
      return 2002;
    case Code::conflict:
      return 2037;
    case Code::refused:
      return 2014;
    case Code::unavailable:
    case Code::timeout:
      return 1001;
    case Code::exhausted:
      return 2007;
    case Code::invalid:
    case Code::not_found:
      return 9001;
    case Code::corrupt:
    case Code::internal:
      break;
  }
  return 2090;
}

}  // namespace

SlurmError slurm_error(const Error& error) {
  for (const Row& row : k_rows) {
    if (!error.message.starts_with(row.text)) continue;
    const std::string_view text = row.number == 2000 ? k_rows[0].text : row.text;
    return {row.number, std::string(text)};
  }
  return {closest_number(error.code), error.message};
}

}  // namespace virga

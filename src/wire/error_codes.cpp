#include "wire/error_codes.hpp"

#include "wire/api_bodies.hpp"
#include "wire/json_codec.hpp"

namespace virga {
namespace {

struct Row {
  int http;
  int exit;
  int slurm;
};

// In the order of Code. Slurm's numbers: 2014 node configuration not available, 2002 access denied, 2021 already done,
// 1800 cannot contact the controller, 2007 no room for a job record, 9003 empty result; -1 is its unspecific error.
constexpr Row k_rows[] = {
    {400, 2, -1},    // invalid
    {404, 3, 9003},  // not_found
    {403, 4, 2002},  // denied
    {409, 5, 2021},  // conflict
    {422, 6, 2014},  // refused
    {503, 7, 1800},  // unavailable
    {504, 8, 1004},  // timeout
    {507, 9, 2007},  // exhausted
    {500, 10, -1},   // corrupt
    {500, 1, -1},    // internal
};

struct Phrase {
  std::string_view part;  ///< of the message
  Code code;
  int slurm;
};

// The brain's messages use Slurm's own words where Slurm has them, so its numbers can be told from them.
constexpr Phrase k_phrases[] = {
    {"Invalid job id specified", Code::not_found, 2017},
    {"Invalid node name specified", Code::not_found, 2018},
    {"invalid partition specified", Code::invalid, 2000},
    {"no partition is the default", Code::invalid, 2001},
    {"Invalid node count specified", Code::invalid, 2006},
    {"Invalid task count specified", Code::invalid, 2025},
    {"time limit is invalid", Code::refused, 2051},
    {"More processors requested than permitted", Code::refused, 2005},
    {"Job is no longer pending execution", Code::conflict, 2073},
    {"Job is not running", Code::conflict, 2085},
    {"Requested operation is presently disabled", Code::conflict, 2037},
};

const Row& row_of(Code code) { return k_rows[static_cast<std::size_t>(code)]; }

Code code_of_status(int status) {
  switch (status) {
    case 401:
      return Code::denied;
    case 408:
      return Code::timeout;
    case 413:
    case 429:
    case 431:
      return Code::exhausted;
    case 421:
    case 502:
      return Code::unavailable;
    default:
      break;
  }
  for (std::size_t i = 0; i < std::size(k_rows); ++i) {
    if (k_rows[i].http == status && status != 500) return static_cast<Code>(i);
  }
  return status >= 400 && status < 500 ? Code::invalid : Code::internal;
}

}  // namespace

int http_status(Code code) { return row_of(code).http; }
int exit_code(Code code) { return row_of(code).exit; }

int slurm_error_number(const Error& error) {
  for (const Phrase& phrase : k_phrases) {
    if (phrase.code == error.code && error.message.find(phrase.part) != std::string::npos) return phrase.slurm;
  }
  return row_of(error.code).slurm;
}

std::string_view http_reason(int status) {
  switch (status) {
    case 200:
      return "OK";
    case 201:
      return "Created";
    case 400:
      return "Bad Request";
    case 401:
      return "Unauthorized";
    case 403:
      return "Forbidden";
    case 404:
      return "Not Found";
    case 405:
      return "Method Not Allowed";
    case 408:
      return "Request Timeout";
    case 409:
      return "Conflict";
    case 410:
      return "Gone";
    case 413:
      return "Content Too Large";
    case 421:
      return "Misdirected Request";
    case 422:
      return "Unprocessable Content";
    case 431:
      return "Request Header Fields Too Large";
    case 500:
      return "Internal Server Error";
    case 503:
      return "Service Unavailable";
    case 504:
      return "Gateway Timeout";
    case 507:
      return "Insufficient Storage";
    default:
      return "Unknown";
  }
}

std::string problem_text(const Error& error, int status) {
  ProblemBody body;
  body.type = "urn:virga:error:" + std::string(name_of(error.code));
  body.status = static_cast<std::uint32_t>(status != 0 ? status : http_status(error.code));
  body.title = http_reason(static_cast<int>(body.status));
  body.code = name_of(error.code);
  body.detail = error.message;
  body.retryable = error.retryable;
  return to_json_text(body);
}

Error error_from_problem(int status, std::string_view body) {
  if (Result<ProblemBody> problem = from_json_text<ProblemBody>(body)) {
    Code code = enum_from_name<Code>(problem->code).value_or(code_of_status(status));
    return {code, problem->detail.empty() ? problem->title : problem->detail, problem->retryable};
  }
  std::string message = "the API answered " + std::to_string(status) + " " + std::string(http_reason(status));
  std::string_view line = body.substr(0, body.find('\n')).substr(0, 200);
  if (!line.empty()) message.append(": ").append(line);
  return {code_of_status(status), std::move(message), status == 502 || status == 503};
}

}  // namespace virga

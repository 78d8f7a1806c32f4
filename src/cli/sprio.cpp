// sprio: what the priorities of waiting jobs are made of.
#include <fmt/format.h>

#include <algorithm>

#include "cli/client.hpp"
#include "cli/command_registry.hpp"
#include "cli/job_list.hpp"
#include "cli/lookups.hpp"
#include "cli/messages.hpp"
#include "cli/setters.hpp"
#include "cli/slurm_commands.hpp"
#include "cli/submission.hpp"
#include "cli/table.hpp"
#include "wire/api_bodies.hpp"
#include "wire/priorities_body.hpp"
#include "wire/slurm_policy.hpp"

namespace virga {
namespace {

struct SprioOptions {
  std::vector<std::string> clusters;
  std::vector<std::string> jobs;
  std::vector<std::string> partitions;
  std::vector<std::string> users;
  std::string format;
  bool has_format = false;
  bool wants_jobs = false;  ///< -j was given, if only without its list
  std::string sort;
  bool long_list = false;
  bool no_header = false;
  bool norm = false;
  bool sibling = false;
  bool weights = false;
  bool help = false;
  bool usage = false;
  bool version = false;
};
using O = SprioOptions;

Status set_format(O& o, std::string_view v, const OptionInfo&) {
  o.format = v;
  o.has_format = true;
  return {};
}

Status set_jobs(O& o, std::string_view v, const OptionInfo&) {
  o.wants_jobs = true;
  o.jobs = split_list(v);
  return {};
}

constexpr const char* k_one_cluster = "there is one cluster";
constexpr Option<O> k_table[] = {
    {{"cluster", 'M', Takes::value, Support::done, "names", "this cluster, or all"}, set_list<&O::clusters>},
    {{"clusters", 'M', Takes::value, Support::done, "names", "this cluster, or all"}, set_list<&O::clusters>},
    {{"federation", 0, Takes::nothing, Support::quiet, "", k_one_cluster}},
    {{"format", 'o', Takes::value, Support::done, "letters", "columns: %.15i %Y"}, set_format},
    {{"help", 0, Takes::nothing, Support::done, "", "this text"}, set_flag<&O::help>},
    {{"jobs", 'j', Takes::optional, Support::done, "list", "jobs to show"}, set_jobs},
    {{"local", 0, Takes::nothing, Support::quiet, "", k_one_cluster}},
    {{"long", 'l', Takes::nothing, Support::done, "", "more columns"}, set_flag<&O::long_list>},
    {{"noheader", 'h', Takes::nothing, Support::done, "", "no first line"}, set_flag<&O::no_header>},
    {{"norm", 'n', Takes::nothing, Support::done, "", "factors from 0 to 1"}, set_flag<&O::norm>},
    {{"partition", 'p', Takes::value, Support::done, "list", "partitions to show"}, set_list<&O::partitions>},
    {{"sib", 0, Takes::nothing, Support::done, "", "a column with the cluster"}, set_flag<&O::sibling>},
    {{"sibling", 0, Takes::nothing, Support::done, "", "a column with the cluster"}, set_flag<&O::sibling>},
    {{"sort", 'S', Takes::value, Support::done, "letters", "order: r,-y,i"}, set_text<&O::sort>},
    {{"usage", 0, Takes::nothing, Support::done, "", "one line about each option"}, set_flag<&O::usage>},
    {{"user", 'u', Takes::value, Support::done, "list", "users to show"}, set_list<&O::users>},
    {{"users", 'u', Takes::value, Support::done, "list", "users to show"}, set_list<&O::users>},
    {{"verbose", 'v', Takes::nothing, Support::quiet, "", "say more"}},
    {{"version", 'V', Takes::nothing, Support::done, "", "print the version"}, set_flag<&O::version>},
    {{"weights", 'w', Takes::nothing, Support::done, "", "what a factor of 1 is worth"}, set_flag<&O::weights>},
};
constexpr InputVariable k_variables[] = {
    {"SLURM_CLUSTERS", "clusters"},
    {"SPRIO_FEDERATION", "federation"},
    {"SPRIO_LOCAL", "local"},
    {"SPRIO_SIBLING", "sibling"},
    {"SLURM_CONF", "", Support::ignored, "Virga is configured by virga.toml"},
    {"SLURM_DEBUG_FLAGS", "", Support::ignored, "there is nothing to trace"},
};
constexpr CommandInfo k_sprio = {"sprio", "[OPTIONS]", 1};

constexpr const char* k_default_format = "%.15i %9r %.10Y %.10S %.10A %.10F %.10J %.10P %.10Q";
constexpr const char* k_long_format = "%.15i %9r %.8u %.10Y %.10S %.10A %.10B %.10F %.10J %.10P %.10Q %.11N %.20T";
constexpr const char* k_norm_format = "%.15i %9r %10y %10a %10f %10j %10p %10q";
constexpr const char* k_long_norm_format = "%.15i %9r %.8u %10y %10a %10b %10f %10j %10p %10q %20t";
constexpr const char* k_sibling_format = "%.15i %9r %.8c %.10Y %.10S %.10A %.10F %.10J %.10P %.10Q";

/// A waiting job, or the weights themselves.
struct Row {
  const Job* job = nullptr;  ///< null: weights
  JobFactors factors;
  PriorityWeights weights;
};

std::string as_factor(std::uint32_t ppm) { return fmt::format("{:.7f}", ppm / 1e6); }
template <auto Weight>
std::string as_points(const Row& r, std::uint32_t ppm) {
  const std::uint64_t micropoints = std::uint64_t{r.weights.*Weight} * ppm;
  return std::to_string(r.job != nullptr ? (micropoints + 500'000) / 1'000'000 : r.weights.*Weight);
}
template <auto Member>
std::string factor(const Row& r) {
  return r.job != nullptr ? as_factor(r.factors.*Member) : "";
}
template <auto Weight, auto Member>
std::string points(const Row& r) {
  return as_points<Weight>(r, r.factors.*Member);
}
std::string none(const Row&) { return ""; }
std::string of_job(const Row& r, std::string text) { return r.job != nullptr ? std::move(text) : ""; }

using W = PriorityWeights;
using F = JobFactors;
constexpr TableField<Row> k_fields[] = {
    {'a', nullptr, "AGE", factor<&F::age_ppm>},
    {'A', nullptr, "AGE", points<&W::age, &F::age_ppm>},
    {'b', nullptr, "ASSOC", [](const Row& r) { return of_job(r, as_factor(0)); }},
    {'B', nullptr, "ASSOC", [](const Row&) { return std::string("0"); }},
    {'c', nullptr, "CLUSTER", [](const Row& r) { return of_job(r, "(null)"); }},
    {'f', nullptr, "FAIRSHARE", factor<&F::fair_share_ppm>},
    {'F', nullptr, "FAIRSHARE", points<&W::fair_share, &F::fair_share_ppm>},
    {'i', nullptr, "JOBID",
     [](const Row& r) { return r.job != nullptr ? std::to_string(r.job->id.value) : std::string("Weights"); }},
    {'j', nullptr, "JOBSIZE", factor<&F::size_ppm>},
    {'J', nullptr, "JOBSIZE", points<&W::size, &F::size_ppm>},
    {'N', nullptr, "NICE", [](const Row& r) { return of_job(r, std::to_string(r.factors.nice)); }},
    {'p', nullptr, "PARTITION", factor<&F::partition_ppm>},
    {'P', nullptr, "PARTITION", points<&W::partition, &F::partition_ppm>},
    {'q', nullptr, "QOS", factor<&F::qos_ppm>},
    {'Q', nullptr, "QOS", points<&W::qos, &F::qos_ppm>},
    {'r', nullptr, "PARTITION", [](const Row& r) { return r.job != nullptr ? r.job->spec->partition : ""; }},
    // Nobody adds a priority of the site's own; its weight is 1 in Slurm.
    {'S', nullptr, "SITE", [](const Row& r) { return std::string(r.job != nullptr ? "0" : "1"); }},
    {'t', nullptr, "TRES", none},
    {'T', nullptr, "TRES", [](const Row& r) { return std::string(r.job != nullptr ? "" : "(null)"); }},
    {'u', nullptr, "USER", [](const Row& r) { return r.job != nullptr ? r.job->owner.user : ""; }},
    {'Y', nullptr, "PRIORITY", [](const Row& r) { return of_job(r, std::to_string(r.job ? r.job->priority : 0)); }},
    {'y', nullptr, "PRIORITY",
     [](const Row& r) {
       constexpr double k_whole = 4'294'967'295.0;
       return r.job != nullptr ? fmt::format("{:16.14f}", static_cast<double>(r.job->priority) / k_whole) : "";
     }},
};

std::string format_of(const O& o) {
  if (o.has_format) return o.format;
  if (o.norm) return o.long_list ? k_long_norm_format : k_norm_format;
  if (o.long_list) return k_long_format;
  return o.sibling ? k_sibling_format : k_default_format;
}

struct Filter {
  std::vector<std::uint32_t> jobs;
  std::vector<std::uint32_t> uids;
  bool by_user = false;
};

Result<Filter> filter_of(const O& o) {
  Filter filter;
  for (const std::string& text : o.jobs) {
    const std::optional<std::uint32_t> number = job_number(text);
    if (!number) return fail(Code::invalid, "Invalid job id: " + text);
    filter.jobs.push_back(*number);
  }
  filter.by_user = !o.users.empty();
  for (const std::string& user : o.users) {
    if (const std::optional<std::uint32_t> uid = uid_of(user); uid) {
      filter.uids.push_back(*uid);
    } else {
      print_error("sprio", "Invalid user: " + user);
      std::fputs("\n", stderr);
    }
  }
  return filter;
}

template <class List, class Item>
bool admits(const List& list, const Item& item) {
  return list.empty() || std::find(list.begin(), list.end(), item) != list.end();
}

bool is_number(const std::string& text) {
  return !text.empty() && std::all_of(text.begin(), text.end(), [](char c) { return c >= '0' && c <= '9'; });
}

struct SortKey {
  const TableField<Row>* field;
  bool falls;
};

Result<std::vector<SortKey>> sort_keys(const std::string& text) {
  std::vector<SortKey> keys;
  bool falls = false;
  for (const char c : text) {
    if (c == ',' || c == '+') continue;
    if (c == '-') {
      falls = true;
      continue;
    }
    const auto* field =
        std::find_if(std::begin(k_fields), std::end(k_fields), [&](const auto& f) { return f.letter == c; });
    if (field == std::end(k_fields)) return fail(Code::invalid, std::string("Invalid sort specification: ") + c);
    keys.push_back({field, falls});
    falls = false;
  }
  return keys;
}

void sort_rows(std::vector<Row>& rows, const std::vector<SortKey>& keys) {
  std::stable_sort(rows.begin(), rows.end(), [&](const Row& a, const Row& b) {
    for (const SortKey& key : keys) {
      const std::string x = key.field->text(a);
      const std::string y = key.field->text(b);
      if (x == y) continue;
      const bool less = is_number(x) && is_number(y) && x.size() != y.size() ? x.size() < y.size() : x < y;
      return less != key.falls;
    }
    return false;
  });
}

int show(Client& client, const O& o, const Filter& filter) {
  Result<PrioritiesBody> body = client.get_as<PrioritiesBody>("/v1/priorities");
  if (!body) return failed("sprio", body.error());
  if (!body->by_factors) {
    std::fputs(
        "You are not running a supported priority plugin\n(priority/basic).\n"
        "Only 'priority/multifactor' is supported.\n",
        stderr);
    return k_exit_failure;
  }
  Result<Config> config = client.get_as<Config>("/v1/config");
  if (!config) return failed("sprio", config.error());
  Result<JobsBody> jobs = get_jobs(client, "/v1/jobs?state=PENDING");
  if (!jobs) return failed("sprio", jobs.error());
  Result<std::vector<SortKey>> keys = sort_keys(o.sort.empty() ? "i" : o.sort);
  if (!keys) {
    print_error("sprio", keys.error().message);
    return k_exit_failure;
  }
  std::vector<Row> rows;
  for (const JobFactors& factors : body->jobs) {
    const auto job =
        std::find_if(jobs->jobs.begin(), jobs->jobs.end(), [&](const Job& j) { return j.id == factors.job; });
    if (o.weights || job == jobs->jobs.end()) continue;
    if (!admits(filter.jobs, job->id.value) || !admits(o.partitions, job->spec->partition)) continue;
    if (filter.by_user && std::count(filter.uids.begin(), filter.uids.end(), job->owner.uid) == 0) continue;
    rows.push_back({&*job, factors, config->priority});
  }
  sort_rows(rows, *keys);
  if (o.weights) rows.push_back({nullptr, {}, config->priority});
  if (rows.empty() && !o.jobs.empty()) {
    return print_out("Unable to find jobs matching user/id(s) specified\n") ? k_exit_ok : k_exit_failure;
  }
  const std::span<const TableField<Row>> fields(k_fields);
  TableFormat format = parse_letter_format(format_of(o), fields_of(fields));
  std::erase_if(format.columns, [](const TableColumn& column) { return column.field < 0; });
  for (const std::string& letter : format.unknown) print_error("sprio", "Invalid job format specification: " + letter);
  return print_out(render(format, fields, rows, !o.no_header)) ? k_exit_ok : k_exit_failure;
}

}  // namespace

int sprio_main(int argc, char** argv) {
  SprioOptions options;
  const std::span<const Option<O>> table(k_table);
  if (Status ok =
          apply_variables(k_sprio, table, std::span<const InputVariable>(k_variables), environment_variable, options);
      !ok) {
    return option_failure(k_sprio, ok.error());
  }
  Result<std::vector<std::string>> operands =
      parse_options(k_sprio, table, arguments_of(argc, argv), options, {.stop_at_operand = false});
  if (!operands) return option_failure(k_sprio, operands.error());
  if (answer_about_itself(k_sprio, rows_of(table), options.version, options.help, options.usage)) return k_exit_ok;
  if (options.wants_jobs && options.jobs.empty() && !operands->empty()) {  // "-j 7", though the list is optional
    options.jobs = split_list(operands->front());
    operands->erase(operands->begin());
  }
  if (!operands->empty()) {
    print_error("sprio", "Unrecognized option: " + operands->front());
    print_out(usage_text(k_sprio, rows_of(table)));
    return k_exit_failure;
  }
  Result<Filter> filter = filter_of(options);
  if (!filter) return failed("sprio", filter.error());
  Result<Client> client = Client::from_environment();
  if (!client) return failed("sprio", client.error());
  if (Status ok = check_clusters(*client, options.clusters); !ok) return failed("sprio", ok.error());
  return show(*client, options, *filter);
}

CommandTable sprio_command() {
  return {k_sprio,
          "what the priorities of waiting jobs are made of",
          rows_of(std::span<const Option<O>>(k_table)),
          {std::begin(k_variables), std::end(k_variables)}};
}

}  // namespace virga

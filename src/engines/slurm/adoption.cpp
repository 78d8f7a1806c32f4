#include "engines/slurm/adoption.hpp"

#include <fmt/format.h>
#include <sys/random.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <cstring>

#include "wire/slurm_text.hpp"

namespace virga::slurm {
namespace {

constexpr std::string_view k_note_job = "virga: job ";
constexpr std::size_t k_why_max = 200;

enum Column : std::size_t {
  c_id,
  c_uid,
  c_gid,
  c_user,
  c_state,
  c_reason,
  c_batch,
  c_array,
  c_het,
  c_submitted,
  c_limit,
  c_nodes,
  c_tasks,
  c_cpus_per_task,
  c_tasks_per_node,
  c_cpus_per_node,
  c_memory,
  c_sharing,
  c_features,
  c_node_list,
  c_licenses,
  c_reservation,
  c_tres,
  c_requeue,
  c_account,
  c_name,
  c_work_dir,
  c_command,
  c_input,
  c_output,
  c_error,
  c_comment,
  c_note,
  c_count,
};
constexpr std::array<std::string_view, c_count> k_columns = {
    "JobID",       "UserID",        "GroupID",    "UserName",      "State",        "Reason",   "BatchFlag",
    "ArrayTaskID", "HetJobID",      "SubmitTime", "TimeLimit",     "NumNodes",     "NumTasks", "cpus-per-task",
    "ntpernode",   "MinCpus",       "MinMemory",  "OverSubscribe", "Feature",      "ReqNodes", "Licenses",
    "Reservation", "tres-per-node", "requeue",    "Account",       "Name",         "WorkDir",  "Command",
    "STDIN",       "STDOUT",        "STDERR",     "Comment",       "admin_comment"};

using Fields = std::array<std::string, c_count>;

bool is_nothing(std::string_view text) { return text.empty() || text == "(null)" || text == "N/A"; }

std::string text_or_nothing(const std::string& text) { return is_nothing(text) ? "" : text; }

Result<Fields> fields_of(std::string_view text, const std::string& mark) {
  Fields fields;
  for (std::string& field : fields) {
    const std::size_t end = text.find(mark);
    if (end == std::string_view::npos) return fail(Code::not_found, "Slurm does not know the job any more");
    field = text.substr(0, end);
    text.remove_prefix(end + mark.size());
  }
  return fields;
}

/// With the number that its submitter was told, as he looks for it there.
std::string literal_path(const std::string& pattern, const std::string& id) {
  std::string path;
  for (std::size_t i = 0; i < pattern.size(); ++i) {
    const char next = i + 1 < pattern.size() ? pattern[i + 1] : '\0';
    if (pattern[i] == '%' && (next == 'j' || next == 'A' || next == 'J')) {
      path += id;
      ++i;
    } else {
      path += pattern[i];
    }
  }
  return path;
}

std::string refusal_of(const Fields& f) {
  if (f[c_batch] != "1") return "it has no script";
  if (!is_nothing(f[c_array])) return "it is an array";
  if (!is_nothing(f[c_het]) && f[c_het] != "0") return "it is a part of a heterogeneous job";
  if (!is_nothing(f[c_features])) return "it asks for features of nodes";
  if (!is_nothing(f[c_node_list])) return "it asks for nodes by name";
  if (!is_nothing(f[c_licenses])) return "it asks for licenses";
  if (!is_nothing(f[c_reservation])) return "it asks for a reservation";
  if (!is_nothing(f[c_tres])) return "it asks for " + f[c_tres];
  // Slurm joins them by blanks, so one with a blank in it could not be told from two.
  if (f[c_command].find(' ') != std::string::npos) return "its script has arguments, or a blank in its name";
  for (const Column column : {c_account, c_name, c_work_dir, c_command, c_input, c_output, c_error, c_comment}) {
    const auto is_control = [](char c) { return static_cast<unsigned char>(c) < ' '; };
    if (std::any_of(f[column].begin(), f[column].end(), is_control))
      return "a name or path of it holds a control character";
  }
  return "";
}

struct Numbers {
  std::uint32_t uid = 0;
  std::uint32_t gid = 0;
  std::uint32_t nodes = 0;
  std::uint32_t tasks = 0;
  std::uint32_t cpus_per_task = 0;
  std::uint32_t tasks_per_node = 0;
  std::uint32_t cpus_per_node = 0;
};

Result<Numbers> numbers_of(const Fields& f) {
  Numbers n;
  const std::pair<Column, std::uint32_t*> all[] = {{c_uid, &n.uid},
                                                   {c_gid, &n.gid},
                                                   {c_nodes, &n.nodes},
                                                   {c_tasks, &n.tasks},
                                                   {c_cpus_per_task, &n.cpus_per_task},
                                                   {c_tasks_per_node, &n.tasks_per_node},
                                                   {c_cpus_per_node, &n.cpus_per_node}};
  for (const auto& [column, number] : all) {
    const std::string& text = f[column];
    const bool is_optional = column != c_uid && column != c_gid && column != c_nodes;
    if (is_optional && is_nothing(text)) continue;
    const Result<std::uint32_t> read = parse_count(text);
    if (!read) return fail(Code::refused, fmt::format("its {} is \"{}\"", k_columns[column], text));
    *number = *read;
  }
  if (n.nodes == 0) return fail(Code::refused, "it asks for no node");
  return n;
}

Status set_spec(JobSpec& spec, const Fields& f, const Numbers& n) {
  spec.name = text_or_nothing(f[c_name]);
  spec.account = text_or_nothing(f[c_account]);
  spec.comment = text_or_nothing(f[c_comment]);
  spec.work_dir = f[c_work_dir];
  spec.command = text_or_nothing(f[c_command]);
  spec.std_in = f[c_input] == "/dev/null" ? "" : literal_path(text_or_nothing(f[c_input]), f[c_id]);
  spec.std_out = literal_path(text_or_nothing(f[c_output]), f[c_id]);
  if (f[c_error] != f[c_output]) spec.std_err = literal_path(text_or_nothing(f[c_error]), f[c_id]);
  spec.nodes = n.nodes;
  spec.tasks = std::max(n.tasks, 1U);
  spec.nodes = std::min(spec.nodes, spec.tasks);
  spec.tasks_per_node = n.tasks_per_node;
  spec.cpus_per_task = std::max(n.cpus_per_task, 1U);
  const std::uint32_t tasks_on_node =
      spec.tasks_per_node != 0 ? spec.tasks_per_node : (spec.tasks + spec.nodes - 1) / spec.nodes;
  spec.per_node.cpus = std::max(tasks_on_node * spec.cpus_per_task, n.cpus_per_node);
  spec.exclusive = f[c_sharing] == "NO" || f[c_sharing] == "USER";
  spec.requeue = f[c_requeue] == "1";
  if (!is_nothing(f[c_memory]) && f[c_memory] != "0") {
    const auto memory = parse_memory(f[c_memory]);
    if (!memory) return unexpected(memory.error());
    spec.per_node.memory_bytes = *memory;
  }
  const auto limit = parse_time_limit(f[c_limit]);
  if (!limit) return unexpected(limit.error());
  spec.time_limit = *limit;
  return {};
}

}  // namespace

std::string adopted_note(std::uint64_t job) { return std::string(k_note_job) + std::to_string(job); }

std::optional<std::uint64_t> job_of_note(std::string_view note) {
  if (!note.starts_with(k_note_job)) return std::nullopt;
  note.remove_prefix(k_note_job.size());
  std::uint64_t job = 0;
  const auto [end, error] = std::from_chars(note.data(), note.data() + note.size(), job);
  return error == std::errc() && end == note.data() + note.size() ? std::optional(job) : std::nullopt;
}

std::string refused_note(std::string_view why) {
  std::string note = "virga: not adopted: " + std::string(why.substr(0, k_why_max));
  std::replace(note.begin(), note.end(), '\n', ' ');
  return note;
}

std::string random_mark() {
  std::uint64_t words[2] = {};
  (void)!getrandom(words, sizeof words, 0);
  return fmt::format("|x{:016x}{:016x}|", words[0], words[1]);
}

std::string adoptee_columns(const std::string& mark) {
  std::string columns;
  for (const std::string_view column : k_columns) {
    columns.append(columns.empty() ? "" : ",").append(column).append(":").append(mark);
  }
  return columns;
}

Result<Adoptee> parse_adoptee(std::string_view text, const std::string& mark, std::string_view cluster) {
  const Result<Fields> fields = fields_of(text, mark);
  if (!fields) return unexpected(fields.error());
  const Fields& f = *fields;
  const Result<std::uint32_t> id = parse_count(f[c_id]);
  if (!id) return fail(Code::internal, "squeue answers \"" + f[c_id] + "\" instead of a job's number");
  Adoptee made;
  made.id = *id;
  made.pending = f[c_state] == "PENDING";
  made.held_by_admin = f[c_reason] == "JobHeldAdmin";
  made.note = text_or_nothing(f[c_note]);
  made.refusal = refusal_of(f);
  if (!made.refusal.empty()) return made;
  const Result<Numbers> numbers = numbers_of(f);
  Status set = numbers ? set_spec(made.submission.spec, f, *numbers) : Status(unexpected(numbers.error()));
  if (!set) {
    made.refusal = set.error().message;
    return made;
  }
  made.submission.actor = {numbers->uid, numbers->gid, f[c_user], false};
  made.submission.idempotency_key = fmt::format("slurm:{}:{}:{}", cluster, made.id, f[c_submitted]);
  return made;
}

Result<std::vector<std::string>> adopted_environment(std::string_view bytes) {
  std::uint32_t count = 0;
  if (bytes.size() < sizeof count) return fail(Code::corrupt, "Slurm's file of its environment is cut off");
  std::memcpy(&count, bytes.data(), sizeof count);
  bytes.remove_prefix(sizeof count);
  std::vector<std::string> variables;
  for (std::uint32_t i = 0; i < count; ++i) {
    const std::size_t end = bytes.find('\0');
    if (end == std::string_view::npos) return fail(Code::corrupt, "Slurm's file of its environment is cut off");
    const std::string_view variable = bytes.substr(0, end);
    const std::size_t equals = variable.find('=');
    if (equals != std::string_view::npos && equals != 0) variables.emplace_back(variable);
    bytes.remove_prefix(end + 1);
  }
  return variables;
}

std::uint32_t umask_of(const std::vector<std::string>& environment) {
  constexpr std::string_view k_name = "SLURM_UMASK=";
  std::uint32_t mask = 022;
  for (const std::string& variable : environment) {
    if (!variable.starts_with(k_name)) continue;
    std::uint32_t read = 0;
    const char* const end = variable.data() + variable.size();
    const auto result = std::from_chars(variable.data() + k_name.size(), end, read, 8);
    if (result.ec == std::errc() && result.ptr == end && read <= 0777) mask = read;
  }
  return mask;
}

}  // namespace virga::slurm

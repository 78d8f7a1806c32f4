// One option table per Slurm command: the parser, the help and the usage all come from it.
//
//   constexpr Option<SqueueOptions> k_table[] = {
//       {{"user", 'u', Takes::value, Support::done, "list", "users to show"},
//        [](SqueueOptions& o, std::string_view v, const OptionInfo&) -> Status { o.users = split_list(v); return {};
//        }},
//       {{"federation", 0, Takes::nothing, Support::ignored, "", "there is one cluster"}},
//   };
//   SqueueOptions options;
//   Result<std::vector<std::string>> rest = parse_options(k_squeue, std::span(k_table), args, options);
//
// getopt_long does the parsing, as in Slurm: abbreviations, clustered letters, optional values, its own messages.
// Every option of Slurm 22.05 has a row, so that none is ever "unrecognized": what Virga does not do is either accepted
// with one warning on stderr that says why, or refused with the reason.
#pragma once

#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.hpp"

namespace virga {

enum class Takes : std::uint8_t { nothing, value, optional };

enum class Support : std::uint8_t {
  done,
  quiet,    ///< accepted; it asks for what Virga does anyway
  ignored,  ///< accepted without effect: a warning says why
  refused,  ///< the command ends with the reason
};

struct OptionInfo {
  const char* name;  ///< "": the letter is all there is
  char letter;       ///< 0: none; rows of one letter are names of one option
  Takes takes;
  Support support;
  const char* metavar;  ///< of its value, for --help
  const char* text;     ///< what it does; for ignored and refused ones: why not
};

template <class Target>
struct Option {
  OptionInfo info;
  Status (*apply)(Target&, std::string_view value, const OptionInfo& row) = nullptr;
};

/// How one command is called, for its messages.
struct CommandInfo {
  const char* name;      ///< "sbatch"
  const char* synopsis;  ///< behind "Usage: sbatch "
  int usage_exit = 1;    ///< of a usage error: Slurm's own numbers differ
};

/// An environment variable that a command reads.
struct InputVariable {
  const char* name;
  const char* option;  ///< the one that it stands for; "": `text` says what it is for
  Support support = Support::done;
  const char* text = "";
};

/// All of a command, as its help, man page and completion and docs/slurm-compatibility.md have it.
struct CommandTable {
  CommandInfo info;
  const char* summary;  ///< of its man page's first line
  std::vector<OptionInfo> rows;
  std::vector<InputVariable> variables;
  bool is_built = true;  ///< false: Virga has no such command yet
};

/// Where the text came from, for messages and for what getopt_long may permute.
struct OptionSource {
  bool stop_at_operand = true;  ///< what follows the first operand belongs to the script
  bool warn = true;             ///< tell once that an option has no effect
};

struct ParsedOption {
  std::size_t row = 0;
  std::string value;
};
struct ParsedOptions {
  std::vector<ParsedOption> options;
  std::vector<std::string> operands;
};

/// Code::invalid when getopt_long has told (on stderr) what is wrong; its message is then what Slurm adds to it.
Result<ParsedOptions> parse_rows(const CommandInfo& command, const std::vector<OptionInfo>& rows,
                                 const std::vector<std::string>& args, const OptionSource& source);
/// Warns about an ignored option; an Error for a refused one.
Status admit(const CommandInfo& command, const OptionInfo& row, bool warn);

/// Whether a variable of this value is as good as the option: "0", "no" and "false" switch nothing on.
bool variable_counts(const OptionInfo& row, std::string_view value);

/// Tells the error of parse_options(); Code::refused is one that Slurm ends with 1 for, whatever usage_exit is. Returns
/// the command's exit code for it.
int option_failure(const CommandInfo& command, const Error& error);

/// Prints what --version, --help or --usage ask for (the first that is true); false: none was asked for.
bool answer_about_itself(const CommandInfo& command, const std::vector<OptionInfo>& rows, bool version, bool help,
                         bool usage);

/// "--name", or "-n" of an option that is a letter only.
std::string shown_name(const OptionInfo& row);

std::string help_text(const CommandInfo& command, const std::vector<OptionInfo>& rows);
std::string usage_text(const CommandInfo& command, const std::vector<OptionInfo>& rows);

template <class Target>
std::vector<OptionInfo> rows_of(std::span<const Option<Target>> table) {
  std::vector<OptionInfo> rows;
  for (const Option<Target>& option : table) rows.push_back(option.info);
  return rows;
}

/// Applies `args` to `target`; returns the operands.
template <class Target>
Result<std::vector<std::string>> parse_options(const CommandInfo& command, std::span<const Option<Target>> table,
                                               const std::vector<std::string>& args, Target& target,
                                               const OptionSource& source = {}) {
  Result<ParsedOptions> parsed = parse_rows(command, rows_of(table), args, source);
  if (!parsed) return unexpected(parsed.error());
  for (const ParsedOption& given : parsed->options) {
    const Option<Target>& option = table[given.row];
    if (Status ok = admit(command, option.info, source.warn); !ok) return unexpected(ok.error());
    if (option.apply == nullptr) continue;
    if (Status ok = option.apply(target, given.value, option.info); !ok) return unexpected(ok.error());
  }
  return std::move(parsed->operands);
}

/// Applies the variables that are set to `target`; `value_of` is getenv.
template <class Target>
Status apply_variables(const CommandInfo& command, std::span<const Option<Target>> table,
                       std::span<const InputVariable> variables, const char* (*value_of)(const char*), Target& target) {
  for (const InputVariable& variable : variables) {
    const char* value = value_of(variable.name);
    if (value == nullptr || std::string_view(variable.option).empty()) continue;  // it stands for no option
    for (const Option<Target>& row : table) {
      if (std::string_view(row.info.name) != variable.option || !variable_counts(row.info, value)) continue;
      if (Status ok = admit(command, row.info, false); !ok) {
        return fail(ok.error().code, std::string(variable.name) + ": " + ok.error().message);
      }
      if (row.apply == nullptr) continue;
      if (Status ok = row.apply(target, value, row.info); !ok) {
        return fail(ok.error().code, std::string(variable.name) + "=" + value + ": " + ok.error().message);
      }
    }
  }
  return {};
}

}  // namespace virga

#include "cli/options.hpp"

#include <fmt/format.h>
#include <getopt.h>

#include <cstdio>

#include "cli/messages.hpp"

namespace virga {
namespace {

/// Above every letter, so that a long option without a letter has a value of its own.
constexpr int k_first_long = 1000;

int argument_kind(Takes takes) {
  return takes == Takes::nothing ? no_argument : takes == Takes::value ? required_argument : optional_argument;
}

std::string letters_of(const std::vector<OptionInfo>& rows, bool stop_at_operand) {
  std::string letters = stop_at_operand ? "+" : "";
  for (const OptionInfo& row : rows) {
    if (row.letter == 0 || letters.find(row.letter) != letters.npos) continue;
    letters += row.letter;
    if (row.takes != Takes::nothing) letters += row.takes == Takes::value ? ":" : "::";
  }
  return letters;
}

/// The first row of the same option: getopt_long takes names of one value for one option, so that "--part" may be
/// short for both --partition and --partitions.
std::size_t first_of_letter(const std::vector<OptionInfo>& rows, std::size_t row) {
  for (std::size_t i = 0; i < row && rows[row].letter != 0; ++i) {
    if (rows[i].letter == rows[row].letter) return i;
  }
  return row;
}

std::string left_column(const OptionInfo& row) {
  if (*row.name == '\0') {
    return fmt::format("  -{}{}{}", row.letter, row.takes == Takes::nothing ? "" : " ", row.metavar);
  }
  std::string text =
      row.letter != 0 ? fmt::format("  -{}, --{}", row.letter, row.name) : fmt::format("      --{}", row.name);
  if (row.takes == Takes::value) text += fmt::format("={}", row.metavar);
  if (row.takes == Takes::optional) text += fmt::format("[={}]", row.metavar);
  return text;
}

}  // namespace

Result<ParsedOptions> parse_rows(const CommandInfo& command, const std::vector<OptionInfo>& rows,
                                 const std::vector<std::string>& args, const OptionSource& source) {
  std::vector<option> longs;
  for (std::size_t i = 0; i < rows.size(); ++i) {
    if (*rows[i].name == '\0') continue;
    longs.push_back({rows[i].name, argument_kind(rows[i].takes), nullptr,
                     k_first_long + static_cast<int>(first_of_letter(rows, i))});
  }
  longs.push_back({nullptr, 0, nullptr, 0});
  const std::string letters = letters_of(rows, source.stop_at_operand);

  std::string name = command.name;
  std::vector<std::string> texts = args;
  std::vector<char*> argv{name.data()};
  for (std::string& text : texts) argv.push_back(text.data());
  argv.push_back(nullptr);

  ParsedOptions parsed;
  optind = 0;  // glibc: start anew
  opterr = 1;
  const int argc = static_cast<int>(argv.size()) - 1;
  while (true) {
    int got = ::getopt_long(argc, argv.data(), letters.c_str(), longs.data(), nullptr);
    if (got == -1) break;
    if (got == '?') return fail(Code::invalid, fmt::format("Try \"{} --help\" for more information", command.name));
    std::size_t row = static_cast<std::size_t>(got) - k_first_long;
    for (std::size_t i = 0; got < k_first_long && i < rows.size(); ++i) {
      if (rows[i].letter != got) continue;
      row = i;
      break;
    }
    parsed.options.push_back({row, optarg != nullptr ? optarg : ""});
  }
  for (int i = optind; i < argc; ++i) parsed.operands.emplace_back(argv[static_cast<std::size_t>(i)]);
  return parsed;
}

std::string shown_name(const OptionInfo& row) {
  return *row.name != '\0' ? fmt::format("--{}", row.name) : fmt::format("-{}", row.letter);
}

bool variable_counts(const OptionInfo& row, std::string_view value) {
  if (row.takes == Takes::nothing) return value != "0" && value != "no" && value != "NO" && value != "false";
  return row.takes == Takes::optional || !value.empty();
}

Status admit(const CommandInfo& command, const OptionInfo& row, bool warn) {
  if (row.support == Support::refused) {
    return fail(Code::invalid, fmt::format("{} is not supported: {}", shown_name(row), row.text));
  }
  if (row.support == Support::ignored && warn) {
    print_error(command.name, fmt::format("warning: {} has no effect: {}", shown_name(row), row.text), false);
  }
  return {};
}

int option_failure(const CommandInfo& command, const Error& error) {
  // getopt_long has told what is wrong already; Slurm adds the hint without its name in front.
  if (error.message.starts_with("Try \"")) {
    std::fprintf(stderr, "%s\n", error.message.c_str());
  } else {
    print_error(command.name, error.message);
  }
  // Slurm ends with 1 where a value is wrong in a way that it looks at itself, or is no number.
  const bool is_value = error.code == Code::refused || error.message.starts_with("Invalid numeric value");
  return error_exit_code(command.name, is_value ? k_exit_failure : command.usage_exit);
}

bool answer_about_itself(const CommandInfo& command, const std::vector<OptionInfo>& rows, bool version, bool help,
                         bool usage) {
  if (version) {
    print_out(version_line());
  } else if (help) {
    print_out(help_text(command, rows));
  } else if (usage) {
    print_out(usage_text(command, rows));
  }
  return version || help || usage;
}

std::string help_text(const CommandInfo& command, const std::vector<OptionInfo>& rows) {
  std::string text = fmt::format("Usage: {} {}\n\n", command.name, command.synopsis);
  const auto section = [&](std::string_view title, auto wanted) {
    std::string lines;
    for (const OptionInfo& row : rows) {
      if (wanted(row.support))
        lines += fmt::format("{:<32}{}{}\n", left_column(row), left_column(row).size() > 31 ? " " : "", row.text);
    }
    if (!lines.empty()) text += fmt::format("{}:\n{}\n", title, lines);
  };
  section("Options", [](Support s) { return s == Support::done || s == Support::quiet; });
  section("Options of Slurm that are accepted without effect, and why",
          [](Support s) { return s == Support::ignored; });
  section("Options of Slurm that are refused, and why", [](Support s) { return s == Support::refused; });
  return text;
}

std::string usage_text(const CommandInfo& command, const std::vector<OptionInfo>& rows) {
  std::string text = fmt::format("Usage: {}", command.name);
  std::size_t column = text.size();
  const std::size_t indent = column;
  const auto add = [&](const std::string& word) {
    if (column + word.size() + 1 > 80) {
      text += "\n" + std::string(indent, ' ');
      column = indent;
    }
    text += " " + word;
    column += word.size() + 1;
  };
  for (const OptionInfo& row : rows) {
    if (row.support != Support::done) continue;
    std::string word = row.letter != 0 ? fmt::format("-{}", row.letter) : fmt::format("--{}", row.name);
    if (row.takes == Takes::value) word += fmt::format("{}{}", row.letter != 0 ? " " : "=", row.metavar);
    if (row.takes == Takes::optional && row.letter == 0) word += fmt::format("[={}]", row.metavar);
    add("[" + word + "]");
  }
  const std::string_view synopsis = command.synopsis;
  const std::size_t operands = synopsis.find("] ");  // behind "[OPTIONS] "
  if (operands != synopsis.npos) add(std::string(synopsis.substr(operands + 2)));
  return text + "\n";
}

}  // namespace virga

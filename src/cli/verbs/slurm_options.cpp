// `virga slurm-options`: the tables of Slurm's commands, as JSON for scripts, as man pages, and as a completion for
// bash.
#include <fmt/format.h>

#include "cli/command_registry.hpp"
#include "cli/messages.hpp"
#include "cli/verbs/verb.hpp"
#include "wire/json_codec.hpp"

namespace virga {
namespace {

constexpr std::string_view word_of(Support support) {
  constexpr std::string_view words[] = {"done", "quiet", "ignored", "refused"};
  return words[static_cast<std::size_t>(support)];
}
constexpr std::string_view word_of(Takes takes) {
  constexpr std::string_view words[] = {"nothing", "value", "optional"};
  return words[static_cast<std::size_t>(takes)];
}

Support support_of(const CommandTable& command, const InputVariable& variable) {
  for (const OptionInfo& row : command.rows) {
    if (*variable.option != '\0' && std::string_view(row.name) == variable.option) return row.support;
  }
  return variable.support;
}

std::string as_json() {
  JsonWriter w;
  w.begin_array();
  for (const CommandTable& command : command_tables()) {
    w.begin_object();
    w("name", command.info.name);
    w("synopsis", command.info.synopsis);
    w("summary", command.summary);
    w("is_built", command.is_built);
    w.key("options");
    w.begin_array();
    for (const OptionInfo& row : command.rows) {
      w.begin_object();
      w("name", row.name);
      w("letter", row.letter == 0 ? std::string() : std::string(1, row.letter));
      w("takes", word_of(row.takes));
      w("support", word_of(row.support));
      w("metavar", row.metavar);
      w("text", row.text);
      w.end_object();
    }
    w.end_array();
    w.key("variables");
    w.begin_array();
    for (const InputVariable& variable : command.variables) {
      w.begin_object();
      w("name", variable.name);
      w("option", variable.option);
      w("support", word_of(support_of(command, variable)));
      w("text", variable.text);
      w.end_object();
    }
    w.end_array();
    w.end_object();
  }
  w.end_array();
  return w.take() + "\n";
}

/// Text that troff takes as it is: no commands, no hyphenation of options.
std::string roff(std::string_view text) {
  std::string out = !text.empty() && (text.front() == '.' || text.front() == '\'') ? "\\&" : "";
  for (char c : text) {
    if (c == '\\')
      out += "\\e";
    else if (c == '-')
      out += "\\-";
    else
      out += c;
    if (c == '\n') out += ".br\n";
  }
  return out;
}

std::string man_options(const CommandTable& command, std::string_view title, auto wanted) {
  std::string text;
  for (const OptionInfo& row : command.rows) {
    if (!wanted(row.support)) continue;
    std::string head = row.letter != 0 ? fmt::format("\\fB\\-{}\\fR", row.letter) : "";
    if (*row.name != '\0') head += fmt::format("{}\\fB\\-\\-{}\\fR", head.empty() ? "" : ", ", roff(row.name));
    if (row.takes == Takes::value) head += fmt::format("=\\fI{}\\fR", roff(row.metavar));
    if (row.takes == Takes::optional) head += fmt::format("[=\\fI{}\\fR]", roff(row.metavar));
    text += fmt::format(".TP\n{}\n{}\n", head, roff(row.text));
  }
  return text.empty() ? "" : fmt::format(".SH {}\n{}", title, text);
}

std::string as_man_page(const CommandTable& command) {
  std::string upper = command.info.name;
  for (char& c : upper) c = static_cast<char>(c - ('a' - 'A'));
  std::string text = fmt::format(".TH {} 1 \"\" \"Virga {}\" \"Virga\"\n", upper, VIRGA_VERSION);
  text += fmt::format(".SH NAME\n{} \\- {}\n", command.info.name, roff(command.summary));
  text += fmt::format(".SH SYNOPSIS\n\\fB{}\\fR {}\n", command.info.name, roff(command.info.synopsis));
  text += fmt::format(".SH DESCRIPTION\n{}\n",
                      command.is_built ? "Takes the options of Slurm 22.05, in Virga's cluster of virtual machines."
                                       : "Virga does not have this command yet.");
  text += man_options(command, "OPTIONS", [](Support s) { return s == Support::done || s == Support::quiet; });
  text += man_options(command, "OPTIONS WITHOUT EFFECT", [](Support s) { return s == Support::ignored; });
  text += man_options(command, "OPTIONS THAT ARE REFUSED", [](Support s) { return s == Support::refused; });
  if (!command.variables.empty()) text += ".SH ENVIRONMENT\n";
  for (const InputVariable& variable : command.variables) {
    const bool option = *variable.option != '\0';
    const std::string meaning = option ? fmt::format("the same as --{}", variable.option) : variable.text;
    text += fmt::format(".TP\n\\fB{}\\fR\n{}{}\n", variable.name, roff(meaning),
                        !option && variable.support == Support::ignored ? " (without effect)" : "");
  }
  text += ".SH SEE ALSO\n";
  std::string others;
  for (const CommandTable& other : command_tables()) {
    if (other.info.name == std::string_view(command.info.name) || !other.is_built) continue;
    others += fmt::format("{}\\fB{}\\fR(1)", others.empty() ? "" : ", ", other.info.name);
  }
  return text + others + "\n";
}

/// One function for all commands; names of partitions and jobs come from the commands themselves.
constexpr std::string_view k_completion_head = R"(# Completion of Slurm's commands as Virga has them.
_virga_slurm_words() {
  case $1 in
)";
constexpr std::string_view k_completion_tail = R"(  esac
}
_virga_slurm() {
  local command=${COMP_WORDS[0]##*/} word=${COMP_WORDS[COMP_CWORD]} before=${COMP_WORDS[COMP_CWORD-1]}
  [ "$word" = = ] && word=
  [ "$before" = = ] && before=${COMP_WORDS[COMP_CWORD-2]}
  local words=
  case $before in
    -p | --partition | --partitions) words=$(sinfo -h -o %R 2> /dev/null | sort -u) ;;
    -w | -x | --nodelist | --exclude) words=$(sinfo -h -N -o %N 2> /dev/null | sort -u) ;;
    -j | --job | --jobs | --jobid) words=$(squeue -h -o %A 2> /dev/null) ;;
    *)
      if [ "${word#-}" != "$word" ]; then
        words=$(_virga_slurm_words "$command")
      elif [ "$command" = scancel ]; then
        words=$(squeue -h --me -o %i 2> /dev/null)
      fi ;;
  esac
  mapfile -t COMPREPLY < <(compgen -W "$words" -- "$word")
  [[ ${#COMPREPLY[@]} -eq 1 && ${COMPREPLY[0]} == *= ]] && compopt -o nospace
  return 0
}
)";

std::string as_completion() {
  std::string text(k_completion_head);
  std::string names;
  for (const CommandTable& command : command_tables()) {
    std::string words;
    for (const OptionInfo& row : command.rows) {
      if (*row.name == '\0' || row.support == Support::refused) continue;
      words += fmt::format("{}--{}{}", words.empty() ? "" : " ", row.name, row.takes == Takes::value ? "=" : "");
    }
    text += fmt::format("    {}) echo '{}' ;;\n", command.info.name, words);
    names += fmt::format(" {}", command.info.name);
  }
  return text + std::string(k_completion_tail) + "complete -o default -F _virga_slurm" + names + "\n";
}

}  // namespace

int slurm_options_main(const std::vector<std::string>& args) {
  if (args.size() == 1 && args[0] == "--json") return print_out(as_json()) ? 0 : 1;
  if (args.size() == 1 && args[0] == "--completion") return print_out(as_completion()) ? 0 : 1;
  if (args.size() == 1 && args[0] == "--names") {
    std::string text;
    for (const CommandTable& command : command_tables()) text += fmt::format("{}\n", command.info.name);
    return print_out(text) ? 0 : 1;
  }
  if (args.size() == 2 && args[0] == "--man") {
    const CommandTable* command = command_table(args[1]);
    if (command != nullptr) return print_out(as_man_page(*command)) ? 0 : 1;
    return complain({Code::not_found, "Slurm has no command " + args[1]});
  }
  return complain({Code::invalid, "usage: virga slurm-options --json | --names | --man COMMAND | --completion"});
}

}  // namespace virga

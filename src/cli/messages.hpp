// What commands say on stderr, and how they end.
//
//   print_error("sbatch", "Unable to open file x");        // sbatch: error: Unable to open file x
//   return failed("squeue", client.error());               // the same, then the exit code
#pragma once

#include <string>
#include <string_view>

#include "base/result.hpp"

namespace virga {

inline constexpr int k_exit_ok = 0;
inline constexpr int k_exit_failure = 1;
inline constexpr int k_exit_usage = 2;

/// One line per line of `text`, each with the command's name in front, and "error: " as Slurm has it.
void print_error(std::string_view command, std::string_view text, bool as_error = true);
/// Of an error of sbatch, salloc or srun: $SLURM_EXIT_ERROR, where that is a number; else `otherwise`.
int error_exit_code(std::string_view command, int otherwise = k_exit_failure);
/// Prints the error; returns its exit code.
int failed(std::string_view command, const Error& error);
/// The whole text on stdout; false (and a message) if it cannot be written, a closed pipe apart.
bool print_out(std::string_view text);

/// What --version prints: the Slurm whose commands these are, as upstream writes it; scripts compare it.
std::string version_line();

/// The text that Slurm has for this error: without the details that Virga's messages add after a colon.
std::string slurm_error_text(const Error& error);

/// May be coloured and repainted: a terminal, TERM is not dumb; colour also needs NO_COLOR to be unset.
bool is_terminal(int fd);
bool may_colour(int fd);

/// "3" seconds, for $VIRGA_… settings and -i; 0 if it is no number.
int whole_number_or_zero(std::string_view text);

}  // namespace virga

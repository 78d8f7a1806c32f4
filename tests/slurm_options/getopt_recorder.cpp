// Preloaded into one of Slurm's commands, prints the options that it hands to getopt_long, and ends it:
//
//   LD_PRELOAD=libgetopt_recorder.so sbatch -V
//
// one line for each long option, "name,has_arg,val", after the line "letters,STRING".
#include <getopt.h>
#include <unistd.h>

#include <cstdio>

// NOLINTNEXTLINE(readability-inconsistent-declaration-parameter-name)
extern "C" int getopt_long(int, char* const*, const char* letters, const option* longs, int*) noexcept {
  std::printf("letters,%s\n", letters);
  for (; longs != nullptr && longs->name != nullptr; ++longs) {
    std::printf("%s,%d,%d\n", longs->name, longs->has_arg, longs->val);
  }
  std::fflush(stdout);
  ::_exit(0);
}

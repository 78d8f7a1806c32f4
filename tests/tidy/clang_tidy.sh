#!/usr/bin/env bash
# clang-tidy over the rooms that decide and that read text from outside; the result is kept until one of their files
# changes.
#
#   clang_tidy.sh BUILD     a configured build folder, whose compile_commands.json tells how to read them
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../.."
build=${1:?usage: clang_tidy.sh BUILD}
command -v clang-tidy > /dev/null || { echo "skipped: clang-tidy is not installed"; exit 77; }

sources() { git ls-files -c -o --exclude-standard "$@" | sort -u; }
files=$(sources 'src/base/*.cpp' 'src/core/*.cpp' 'src/brain/*.cpp' 'src/wire/*.cpp' 'src/control/*.cpp')
stamp=$build/clang-tidy.$({ cat .clang-tidy; sources 'src/*.hpp' | xargs cat; xargs cat <<< "$files"; } |
  sha256sum | cut -c1-16)
[ ! -f "$stamp" ] || exit 0
if ! xargs -P2 -n2 clang-tidy -p "$build" --quiet <<< "$files" > "$build/clang-tidy.log" 2>&1; then
  grep -E '(warning|error):' "$build/clang-tidy.log" | sort -u
  echo "FAILED: see $build/clang-tidy.log"
  exit 1
fi
touch "$stamp"

#!/usr/bin/env bash
# Every source file is formatted as .clang-format says.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../.."
command -v clang-format > /dev/null || { echo "skipped: clang-format is not installed"; exit 77; }

if ! unformatted=$(git ls-files -z -c -o --exclude-standard '*.cpp' '*.hpp' |
  xargs -0 clang-format --dry-run -Werror 2>&1); then
  grep -E 'error|warning' <<< "$unformatted" | cut -d: -f1 | sort | uniq -c
  echo "FAILED: run clang-format -i on the files above"
  exit 1
fi

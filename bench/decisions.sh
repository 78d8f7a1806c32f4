#!/usr/bin/env bash
# Builds and runs bench/decisions.cpp against the brain's own sources, optimised and without debug checks.
#
#   bench/decisions.sh [compiler]      g++ is the default
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
compiler=${1:-g++}
out=$(mktemp -d)
trap 'rm -rf "$out"' EXIT
sources=(bench/decisions.cpp src/fabric/*.cpp src/core/*.cpp src/twin/*.cpp src/brain/*.cpp src/brain/*/*.cpp)
for table in models gpus systems; do # as cmake/embed_text.cmake does it
  name=k_twin_${table}_csv
  {
    printf '#include <string_view>\nnamespace virga {\nextern const std::string_view %s;\n' "$name"
    printf 'const std::string_view %s = R"embedded(' "$name"
    cat "data/$table.csv"
    printf ')embedded";\n}\n'
  } > "$out/$name.cpp"
  sources+=("$out/$name.cpp")
done
for source in "${sources[@]}"; do
  [ -f "$source" ] && echo "$source"
done | xargs -P "$(nproc)" -I{} sh -c \
  '"$0" -std=c++20 -O2 -DNDEBUG -DFMT_HEADER_ONLY -Isrc -c "$1" -o "$2/$(echo "$1" | tr / _).o"' "$compiler" {} "$out"
"$compiler" "$out"/*.o -o "$out/decisions"
"$out/decisions"

#!/usr/bin/env bash
# Builds and runs bench/azure_plan.cpp against the sources that it needs, optimised and without debug checks.
#
#   bench/azure_plan.sh [compiler]      g++ is the default
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
compiler=${1:-g++}
out=$(mktemp -d)
trap 'rm -rf "$out"' EXIT
sources=(bench/azure_plan.cpp src/clouds/azure/set_plan.cpp src/wire/json_writer.cpp src/fabric/*.cpp src/core/*.cpp
         src/brain/*.cpp src/brain/*/*.cpp)
for source in "${sources[@]}"; do
  [ -f "$source" ] && echo "$source"
done | xargs -P "$(nproc)" -I{} sh -c \
  '"$0" -std=c++20 -O2 -DNDEBUG -DFMT_HEADER_ONLY -Isrc -c "$1" -o "$2/$(echo "$1" | tr / _).o"' "$compiler" {} "$out"
"$compiler" "$out"/*.o -lcrypto -o "$out/azure_plan"
"$out/azure_plan"

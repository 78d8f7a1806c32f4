#!/usr/bin/env bash
# Builds decision_digest with g++ -O0, g++ -O3 and clang++ -O2, runs each with and without address-space randomisation,
# and compares what they say, byte for byte.
#
#   compilers.sh FOLDER     builds in FOLDER/<build>; the first time takes minutes, later ones what has changed
#
# Assertions stay on in all builds, but -O3 leaves out the look at the whole state after each event, as a release does.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../.."

folder=${1:?usage: compilers.sh FOLDER}
seeds=(1 12)
jobs=${VIRGA_DIGEST_JOBS:-2}
export CCACHE_DISABLE=1 # it would look at each file, and then do nothing because of the precompiled header
mkdir -p "$folder"

fail() { printf 'FAILED: %s\n' "$*" >&2; exit 1; }

build() { # name, compiler, flags
  local log=$folder/$1.log
  cmake -S . -B "$folder/$1" -G Ninja -DCMAKE_BUILD_TYPE=None -DCMAKE_CXX_COMPILER="$2" -DCMAKE_CXX_FLAGS="$3" \
    > "$log" 2>&1 && ninja -j "$jobs" -C "$folder/$1" decision_digest >> "$log" 2>&1 && return
  tail -n 30 "$log" >&2
  fail "build $1, see $log"
}

# What a run says goes to a file of its own. Fresh memory is filled with another byte each time: who reads what he never
# wrote shall not always find zeros.
compared=0
run() { # name of the build, name of the run, byte, command that comes before
  local build=$1 name=$1-$2 byte=$3
  shift 3
  local said=$folder/$name.txt
  MALLOC_PERTURB_=$byte "$@" "$folder/$build/bin/decision_digest" "${seeds[@]}" > "$said" || {
    cat "$said" >&2
    fail "$name: a seed is red, or the program ended before its time"
  }
  compared=$((compared + 1))
  printf '%-18s %s\n' "$name" "$(tail -n 1 "$said")"
  if [ "$compared" = 1 ]; then
    first=$said
  elif ! diff -u "$first" "$said" >&2; then
    fail "$name decides otherwise than $(basename "$first" .txt)"
  fi
}

builds=(g++-O0 g++-O3)
build g++-O0 g++ -O0
build g++-O3 g++ "-O3 -DNDEBUG"
if command -v clang++ > /dev/null; then
  build clang++-O2 clang++ -O2
  builds+=(clang++-O2)
else
  echo "skipped: clang++ is not installed"
fi

randomised=1
[ "$(cat /proc/sys/kernel/randomize_va_space 2> /dev/null || echo 0)" != 0 ] || randomised=0
[ "$randomised" = 1 ] || echo "skipped: this kernel does not randomise addresses"
fixed=1
setarch -R true 2> /dev/null || fixed=0
[ "$fixed" = 1 ] || echo "skipped: setarch -R is not allowed here"

for name in "${builds[@]}"; do
  run "$name" random 0 env
  [ "$fixed" = 0 ] || run "$name" fixed 165 setarch -R
done
echo "$compared runs of ${#builds[@]} builds decide the same"

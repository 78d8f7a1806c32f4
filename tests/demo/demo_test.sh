#!/usr/bin/env bash
# The demo as a user runs it: twice in one home, and as two users at the same moment (where the tests run as root).
#
#   demo_test.sh again        the second run starts its job within five seconds of asking for it
#   demo_test.sh two_users
#   demo_test.sh azure        the same job on Azure's machines, as script/azure-demo plays it
#   demo_test.sh slurm        the same job on real Slurm, as script/slurm-demo plays it
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../.."

demo=script/demo
steps=() # of the training: all that a user sees; what else the demos show needs fewer
case ${1:-} in
  two_users) steps=(--steps 100) ;;
  azure | slurm) demo=script/$1-demo steps=(--steps 200) ;;
esac

fail() { printf 'FAILED: %s\n' "$*" >&2; exit 1; }

folder=$(mktemp -d /var/tmp/virga-demo-XXXXXX)
trap 'rm -rf "$folder"' EXIT
chmod 755 "$folder"

# Seconds from submission to RUNNING, as `virga watch` tells them.
seconds_to_run() { sed -n 's/.*RUNNING on 4 nodes, \([0-9.]*\) s after it was submitted.*/\1/p' "$1"; }

run_demo() { # name of the run; the rest of the command that comes before the script
  local name=$1
  shift
  if ! "$@" env VIRGA_HOME="$folder/$name" "$demo" "${steps[@]}" > "$folder/$name.log" 2>&1 < /dev/null; then
    tail -n 40 "$folder/$name.log" >&2
    return 1
  fi
  grep -q 'nothing is left' "$folder/$name.log" || { cat "$folder/$name.log" >&2; return 1; }
}

case ${1:-} in
  again)
    run_demo home || fail "the first demo"
    mv "$folder/home.log" "$folder/first.log"
    steps=(--steps 100)
    run_demo home || fail "the second demo"
    cat "$folder/home.log"
    took=$(seconds_to_run "$folder/home.log")
    awk -v took="$took" 'BEGIN {exit !(took != "" && took < 5)}' || fail "the job ran ${took:-?} s after its submission"
    ;;
  two_users)
    [ "$(id -u)" = 0 ] || { echo "skipped: needs root"; exit 77; }
    readable=$PWD
    while [ "$readable" != / ]; do # the other user must be able to reach the programs
      [ -n "$(find "$readable" -maxdepth 0 -perm -o=x)" ] || { echo "skipped: $readable is private"; exit 77; }
      readable=$(dirname "$readable")
    done
    install -d -o games "$folder/games"
    run_demo root & root_demo=$!
    run_demo games setpriv --reuid games --regid games --clear-groups & games_demo=$!
    status=0
    wait "$root_demo" || status=1
    wait "$games_demo" || status=1
    [ "$status" = 0 ] || fail "one of the two demos"
    ;;
  azure)
    # Ordinary users have nodes where the system lets them make namespaces.
    [ "$(id -u)" = 0 ] || unshare -Ur true 2> /dev/null || { echo "skipped: no namespaces for VMs"; exit 77; }
    run_demo azure || fail "the demo of Azure"
    cat "$folder/azure.log"
    grep -q 'resumed from step' "$folder/azure.log" || fail "it did not say that the job resumed"
    ;;
  slurm)
    [ "$(id -u)" = 0 ] || { echo "skipped: needs root"; exit 77; }
    command -v slurmctld munged > /dev/null || { echo "skipped: Slurm is not installed (slurm-wlm, munge)"; exit 77; }
    ls /usr/lib/postgresql/*/bin/postgres > /dev/null 2>&1 ||
      { echo "skipped: PostgreSQL's server is not installed (postgresql-15)"; exit 77; }
    cannot=$(virga doctor | sed -n 's/^ *no *Slurm as the engine: //p')
    [ -z "$cannot" ] || { echo "skipped: $cannot"; exit 77; }
    run_demo slurm || fail "the demo of Slurm"
    cat "$folder/slurm.log"
    grep -q "submitted that moment, was accepted after" "$folder/slurm.log" || fail "it told no takeover"
    grep -q '^slurm-demo: reproduced ' "$folder/slurm.log" || fail "it did not say that the run was reproduced"
    ! setpriv --reuid games --regid games --clear-groups script/slurm-demo > "$folder/user.log" 2>&1 ||
      fail "an ordinary user could run it"
    grep -q 'needs root' "$folder/user.log" || fail "it did not tell an ordinary user what it needs"
    ;;
  *) fail "usage: demo_test.sh again|two_users|azure|slurm" ;;
esac

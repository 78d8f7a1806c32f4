# Sourced by the tests of real clients: starts virga-arm, says where it is, ends it.
#
#   . stand_in.sh
#   start_stand_in "$scenario_text"      # sets $url $imds $ca $subscription $tenant, and $work: a folder that goes away
#
# Exit code 77 means skipped.
work=$(mktemp -d)
stand_in_pid=
end_stand_in() {
  [ -z "$stand_in_pid" ] || kill "$stand_in_pid" 2> /dev/null || true
  rm -rf "$work"
}
trap end_stand_in EXIT

skip() {
  echo "skipped: $*"
  exit 77
}

start_stand_in() {
  printf '%s\n' "$1" > "$work/scenario.toml"
  virga-arm --scenario "$work/scenario.toml" --dir "$work" > "$work/ready" &
  stand_in_pid=$!
  for _ in $(seq 100); do
    [ -s "$work/ready" ] && break
    sleep 0.05
  done
  read -r _ url _ imds _ ca _ subscription _ tenant < "$work/ready"
}

admin() { curl -sS --cacert "$ca" "$url/admin/$1" "${@:2}"; }

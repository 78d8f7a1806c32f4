# What differential scenarios may call, on real Slurm and on Virga alike. Sourced by run.py.

# await STATE JOB…: until each of them is in it (squeue's word; a regular expression)
await() {
  local state=$1 job i
  for job in "${@:2}"; do
    for ((i = 0; i < 300; ++i)); do
      squeue -h -r -t all -j "$job" -o %T 2> /dev/null | grep -qxE "$state" && break
      sleep 0.1
    done
    [ "$i" -lt 300 ] || { echo "await: job $job is not $state" >&2; return 1; }
  done
}

# ended JOB…: until none of them is in the queue
ended() {
  local i
  for ((i = 0; i < 600; ++i)); do
    [ -z "$(squeue -h -j "$(IFS=,; echo "$*")" -o %i 2> /dev/null)" ] && return 0
    sleep 0.05
  done
  echo "ended: $* did not" >&2
  return 1
}

# known JOB…: until the accounts know all of them; real Slurm tells them every five seconds of jobs that are new
known() {
  local i job
  for job in "$@"; do
    for ((i = 0; i < 150; ++i)); do
      [ -z "$(sacct -n -X -P -j "$job" -o Partition 2> /dev/null)" ] || break
      sleep 0.1
    done
  done
}

# accounted JOB…: the same, and until the accounts have the ends of all their steps
accounted() {
  local i job ends
  ended "$@" || return 1
  for job in "$@"; do
    for ((i = 0; i < 300; ++i)); do
      ends=$(sacct -n -P -j "$job" -o End 2> /dev/null)
      [ -z "$ends" ] || [[ $ends == *Unknown* ]] || break
      sleep 0.1
    done
  done
}

# nodes_are STATE HOSTS: until all of them are in it (sinfo's long word)
nodes_are() {
  local i
  for ((i = 0; i < 300; ++i)); do
    [ "$(sinfo -h -N -p main -n "$2" -o %T | sort -u)" = "$1" ] && return 0
    sleep 0.1
  done
  return 1
}

# Between two scenarios.
all_over() {
  scancel -u "$(id -un)" > /dev/null 2>&1
  local i
  for ((i = 0; i < 600; ++i)); do
    [ -z "$(squeue -h -u "$(id -un)" 2> /dev/null)" ] && return 0
    ((i % 20 != 19)) || scancel -s KILL -u "$(id -un)" > /dev/null 2>&1
    sleep 0.05
  done
  return 1
}

# play FOLDER: the commands FOLDER/1.cmd … leave N.out, N.err, N.rc there
play_commands() {
  local folder=$1 number=1 code
  while [ -e "$folder/$number.cmd" ]; do
    command=$(cat "$folder/$number.cmd")
    eval "$command" > "$folder/$number.out" 2> "$folder/$number.err" < /dev/null
    code=$?
    echo "$code" > "$folder/$number.rc"
    number=$((number + 1))
  done
  all_over || echo "jobs are left" > "$folder/left"
}

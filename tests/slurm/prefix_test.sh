#!/usr/bin/env bash
# script/slurm-prefix: what it raises looks like any Slurm, needs no variable of ours, and ends without a trace; every
# mistake is told in one line, with exit code 2.
set -euo pipefail
bin=$(cd "$1" && pwd)
repo=$(cd "$(dirname "$0")/../.." && pwd)
place=$(mktemp -d /var/tmp/prefix-XXXXXX)
prefix=$repo/script/slurm-prefix
p=$place/p
clean_up() {
  if [ -e "$p/.slurm-prefix" ]; then "$prefix" --down "$p" > /dev/null 2>&1 || true; fi
  rm -rf "$place"
}
trap clean_up EXIT
chmod 755 "$place"
# Nothing of ours in the environment of what follows.
in_prefix() { env -i PATH=/usr/bin:/bin TERM=dumb "$@"; }
fail() { echo "FAIL: $*" >&2; exit 1; }
must_be() { [ "$2" = "$3" ] || fail "$1 is \"$2\", not \"$3\""; }
refuses() { # a regular expression of the one line, and the words of the call
  local said code=0
  said=$("$prefix" "${@:2}" 2>&1) || code=$?
  must_be "the exit code of $*" "$code" 2
  [[ $said =~ $1 ]] || fail "slurm-prefix ${*:2} said: $said"
  must_be "lines of $*" "$(printf '%s\n' "$said" | wc -l)" 1
}

refuses 'name the folder' --bin "$bin"
refuses 'unknown option "--nonsense"' --nonsense "$p"
refuses '--config needs a value' "$p" --config
refuses 'cannot read .*/none.toml' "$p" --config "$place/none.toml"
refuses 'has no program virga' "$p" --bin "$place"
refuses 'is no prefix' --down "$p"
touch "$place/file"
refuses 'is a file' "$place/file" --bin "$bin"
mkdir "$place/full" && touch "$place/full/x"
refuses 'has files already' "$place/full" --bin "$bin"
printf '[pool.n]\nmax_nodes = "eight"\n[partition.main]\npools = ["n"]\n' > "$place/bad.toml"
refuses "^slurm-prefix: $place/bad.toml:2:13: pool.n.max_nodes:" "$p" --config "$place/bad.toml" --bin "$bin"
[ ! -e "$p" ] || fail "a refused prefix leaves $p behind"
refuses 'too long' "$place/$(printf '%090d' 0)" --bin "$bin"

# --- the default cluster --------------------------------------------------------------------------------------------

"$prefix" "$p" --bin "$bin"
refuses 'is a prefix already' "$p" --bin "$bin"
must_be "the nodes at once" "$(in_prefix "$p/bin/sinfo" -h -p main -o '%D %T')" "8 idle"
must_be "the partitions" "$(in_prefix "$p/bin/sinfo" -h -o %P | sort | xargs)" "alt main*"
must_be "the version" "$(in_prefix "$p/bin/sbatch" --version)" "slurm 22.05.8"
in_prefix "$p/bin/scontrol" ping | grep -q ' is UP$' || fail "scontrol ping"
for command in sbatch salloc srun squeue scancel sinfo sacct scontrol sstat sprio sshare sacctmgr sdiag strigger \
  sattach sbcast scrontab sreport; do
  [ -x "$p/bin/$command" ] || fail "no $command"
done
mkdir -m 777 "$place/work"
cd "$place/work"
line=$(in_prefix "$p/bin/sbatch" --wait -o out.txt --wrap 'id -un; srun -n1 echo a step')
[[ $line =~ ^Submitted\ batch\ job\ [0-9]+$ ]] || fail "sbatch said: $line"
must_be "the job's output" "$(xargs < out.txt)" "$(id -un) a step"
cd "$place/work" && PATH=$p/bin:$PATH env -u VIRGA_HOME squeue -h > /dev/null # found on the PATH
if [ "$(id -u)" = 0 ] && command -v setpriv > /dev/null; then # jobs are their submitters'
  setpriv --reuid=games --regid=games --clear-groups env -i PATH=/usr/bin:/bin "$p/bin/sbatch" --wait -o games.txt \
    --wrap 'id -un' > /dev/null
  must_be "who the job of games runs as" "$(cat games.txt)" games
fi
cd /
"$prefix" --down "$p"
[ ! -e "$p" ] || fail "$p is still there"
left=$(grep -azls -- "${p%?}[${p: -1}]/" /proc/[0-9]*/cmdline || true) # a pattern that is not found in its own words
[ -z "$left" ] || fail "a process of $p is left: $left"
refuses 'is no prefix' --down "$p"

# --- one of a file --------------------------------------------------------------------------------------------------

cat > "$place/own.toml" << 'TOML'
[cluster]
name = "cumulus"
[sku.big]
cpus = 4
memory = "8GiB"
gpus = 2
gpu_model = "A100"
[pool.gpu]
sku = "big"
max_nodes = 2
nodes_per_leaf = 1
[pool.few]
sku = "big"
max_nodes = 3
warm_nodes = 1
[partition.gpu]
pools = ["gpu"]
default = true
max_time = "1h"
[partition.few]
pools = ["few"]
TOML
"$prefix" "$p" --config="$place/own.toml" --bin="$bin"
must_be "the partition of GPUs" "$(in_prefix "$p/bin/sinfo" -h -p gpu -o '%P %l %D %T %c %m %G')" \
  "gpu* 1:00:00 2 idle 4 8192 gpu:a100:2"
must_be "the node that is warm" "$(in_prefix "$p/bin/sinfo" -h -p few -t idle -N -o '%T' | sort | xargs)" \
  "idle idle~ idle~"
touch "$p/mine"
"$prefix" --down "$p"
must_be "a file of somebody else" "$(ls "$p")" mine
echo ok

#!/bin/bash
# The part of clean_root_test.sh that runs in the clean root, as its root.
set -euo pipefail
export DEBIAN_FRONTEND=noninteractive LC_ALL=C PATH=/usr/sbin:/usr/bin:/sbin:/bin HOME=/srv

fail() {
  printf 'FAILED: %s\n' "$*" >&2
  if [ -f /srv/virgad.log ]; then tail -n 20 /srv/virgad.log >&2; fi
  exit 1
}
quietly() { "$@" > /srv/log 2>&1 || { tail -n 20 /srv/log >&2; fail "$*"; }; }

quietly apt-get -q -y install --no-install-recommends /srv/virga-*.deb
[ -x /usr/bin/sbatch ] && [ -x /usr/bin/virga ] || fail "no commands in /usr/bin"
if [ -e /etc/systemd/system/multi-user.target.wants/virgad.service ]; then
  fail "the service was enabled by the installation"
fi

cat >> /etc/virga/virga.toml << 'TOML'
[pool.here]
cloud = "host"
sku = "Standard_ND96isr_H100_v5"
max_nodes = 2

[partition.main]
pools = ["here"]
TOML

# As the unit of systemd starts it, which does not run here.
start() {
  mkfifo /srv/ready
  VIRGA_HOME=/var/lib/virga /usr/lib/virga/virgad --ready-fd 3 3> /srv/ready 2> /srv/virgad.log &
  read -r line < /srv/ready
  rm /srv/ready
  [ "$line" = ready ] || fail "virgad: $line"
}
start

useradd --create-home --home-dir /srv/ada ada
cat > /srv/ada/job.sh << 'SCRIPT'
#!/bin/sh
#SBATCH --nodes=2 --ntasks-per-node=1 --output=/srv/ada/out
srun sh -c 'echo "task $SLURM_PROCID as $(id -un)"'
SCRIPT
# No variable tells a user where the controller is.
as_ada() { setpriv --reuid ada --regid ada --init-groups env -i HOME=/srv/ada PATH=/usr/bin:/bin "$@"; }
cd /srv/ada
as_ada sbatch --wait job.sh || fail "the job"
sort out
[ "$(sort out)" = "$(printf 'task 0 as ada\ntask 1 as ada')" ] || fail "the job's output"
as_ada squeue > /dev/null || fail "squeue"

# Installed anew below a running job: it goes on, and the controller that comes back knows it.
as_ada sbatch --parsable --output=/srv/ada/out2 --wrap 'while [ ! -e /srv/ada/go ]; do sleep 0.2; done; echo over' \
  > /srv/job
job=$(cat /srv/job)
until [ "$(as_ada squeue -h -j "$job" -o %T)" = RUNNING ]; do sleep 0.2; done
quietly apt-get -q -y install --reinstall --no-install-recommends /srv/virga-*.deb
kill "$(cat /var/lib/virga/run/virgad.pid)"
wait || true
start
[ "$(as_ada squeue -h -j "$job" -o %T)" = RUNNING ] || fail "the job did not survive an upgrade"
touch /srv/ada/go
for _ in $(seq 100); do
  state=$(as_ada sacct -n -X -j "$job" -o State | tr -d ' ')
  [ "$state" = COMPLETED ] && break
  sleep 0.2
done
[ "$state" = COMPLETED ] && [ "$(cat out2)" = over ] || fail "the job ended as ${state:-nothing}"

quietly env VIRGA_HOME=/var/lib/virga virga down
quietly dpkg --purge virga-slurm-compat virga-controller virga-node virga-client
grep -q 'keeps the journal' /srv/log || fail "purge did not say that the journal stays"
[ -s /var/lib/virga/journal.db ] || fail "purge took the journal"
for left in /usr/lib/virga /usr/bin/virga /usr/bin/sbatch /etc/virga /lib/systemd/system/virgad.service; do
  [ ! -e "$left" ] || fail "purge left $left"
done

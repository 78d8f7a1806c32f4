#!/usr/bin/env bash
# Packages made from the programs in $VIRGA_BIN: lintian and systemd have nothing against them; in a clean Debian they
# install, serve a user who knows nothing but sbatch, go on below a running job when they are installed again, and go
# without a trace but for the journal. Needs root, debootstrap and a mirror of Debian, and is skipped without them.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../.."

fail() { printf 'FAILED: %s\n' "$*" >&2; exit 1; }
skip() { printf 'skipped: %s\n' "$*"; exit 77; }
step() { printf -- '-- %s\n' "$*"; }

[ "$(id -u)" = 0 ] || skip "a clean root needs root"
for tool in dpkg-buildpackage debootstrap lintian; do
  command -v "$tool" > /dev/null || skip "$tool is not installed (script/setup --group package)"
done
mirror=$(cat /etc/apt/sources.list /etc/apt/sources.list.d/* 2> /dev/null |
  sed -nE 's#.*(https?://[^ ]+/debian)/?( .*)?$#\1#p' | head -n 1) || true
mirror=${mirror:-http://deb.debian.org/debian}

work=$(mktemp -d /var/tmp/virga-package-XXXXXX)
root=$work/root
trap 'umount -R "$root" 2> /dev/null || true; rm -rf --one-file-system "$work"' EXIT

step "making the packages"
script/package --build "$VIRGA_BIN" --to "$work/packages"
names=(virga-client virga-controller virga-node virga-slurm-compat)
for name in "${names[@]}"; do
  ls "$work/packages/$name"_*.deb > /dev/null || fail "there is no package $name"
done
(cd "$work/packages" && sha256sum --quiet -c SHA256SUMS) || fail "SHA256SUMS"
lintian --allow-root --fail-on error --tag-display-limit 0 "$work"/packages/*.deb || fail "lintian"

step "the service's sandbox"
dpkg-deb -x "$work"/packages/virga-controller_*.deb "$work/unpacked"
unit=$work/unpacked/lib/systemd/system/virgad.service
# Its programs are not on this machine: all else that is said of the unit counts.
if systemd-analyze verify --man=no "$unit" 2>&1 | grep virgad.service | grep -v 'is not executable'; then
  fail "systemd-analyze verify"
fi
# 10 is no sandbox at all. As systemd counts, most of what is left comes from serving users as root.
systemd-analyze security --offline=true --no-pager --threshold=30 "$unit" | tail -n 1 || fail "the sandbox is weak"

step "a clean Debian 12 from its mirror"
debootstrap --variant=minbase bookworm "$root" "$mirror" > "$work/debootstrap.log" 2>&1 || {
  grep -q 'Failed getting release file' "$work/debootstrap.log" && skip "the mirror $mirror does not answer"
  tail -n 5 "$work/debootstrap.log" >&2
  fail "debootstrap"
}
cp "$work"/packages/*.deb "$root/srv"
# Nothing may be started by a package's installation, and names must be found.
printf '#!/bin/sh\nexit 101\n' > "$root/usr/sbin/policy-rc.d"
chmod 755 "$root/usr/sbin/policy-rc.d"
cp /etc/resolv.conf "$root/etc/resolv.conf"
echo '127.0.0.1 localhost' > "$root/etc/hosts" # Debian's installer writes one, debootstrap does not
cp tests/package/in_clean_root.sh "$root/srv"

step "installing, using, removing"
# What runs in there ends with it.
unshare --mount --pid --uts --ipc --fork --kill-child sh -c '
  set -e
  mount --make-rprivate /
  mount --bind "$0" "$0"
  mount -t proc proc "$0/proc"
  mount --rbind /sys "$0/sys"
  mount --rbind /dev "$0/dev"
  mount -t tmpfs tmpfs "$0/run"
  mount -t tmpfs -o mode=1777 tmpfs "$0/tmp"
  exec chroot "$0" timeout 600 /srv/in_clean_root.sh' "$root" || fail "in the clean root"
echo "clean root: installed, used, reinstalled and removed"

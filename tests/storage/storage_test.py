#!/usr/bin/env python3
"""Nodes that share no files with this machine, and what [storage] mounts on them.

    storage_test.py --bin BUILD/bin files|users|unsaved|lost|mistakes|nfs|evicted

Exit code 77, and why, where it cannot run: it needs root, rclone and fuse3, and azurite (script/azurite).
"""

from __future__ import annotations

import argparse
import os
import shutil
import signal
import sys
import tempfile
import time
from pathlib import Path
from typing import Callable

sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "support"))
from azure_stand_in import StandIn  # noqa: E402
from blob_storage import BlobStorage  # noqa: E402
from instance import CannotRun, Instance  # noqa: E402

CONFIG = """
[cluster]
kill_wait = "1s"
[pool.nd]
cloud = "{cloud}"
shared_files = false
max_nodes = 4
idle_time = "1s"
[storage.files]
mount = "/data"
{source}
checkpoints = true
save_time = "{save_time}"
[partition.main]
pools = ["nd"]
"""


def config(source: str, cloud: str = "host", save_time: str = "20s") -> str:
    return CONFIG.format(cloud=cloud, source=source, save_time=save_time)


def check(right: bool, what: str) -> None:
    if not right:
        raise AssertionError(what)


def run(virga: Instance, command: str, code: int = 0, user: str | None = None) -> str:
    done = virga.sh(command, user=user)
    check(done.returncode == code, f"$ {command}\nexit code {done.returncode}, not {code}:\n{done.stdout}")
    return done.stdout


def await_line(virga: Instance, command: str, wanted: str, patience_s: float = 40.0) -> None:
    end = time.monotonic() + patience_s
    while wanted not in (seen := virga.sh(command).stdout):
        check(time.monotonic() < end, f"$ {command}\nnever said '{wanted}', but:\n{seen}")
        time.sleep(0.1)


def end_well(virga: Instance) -> None:
    down = virga.down()
    check(down.returncode == 0, f"virga down: {down.stdout}")
    left = virga.leftovers()
    check(not left, "left behind:\n" + "\n".join(left))


def with_blobs(test: Callable[[Instance, BlobStorage], None], **settings: str) -> None:
    with Instance(ARGS.bin) as virga, tempfile.TemporaryDirectory(prefix="virga-blobs-") as folder:
        blobs = BlobStorage(Path(folder))
        try:
            source = f'blob = "{blobs.url}"\nkey_file = "{blobs.key_file}"'
            (virga.home / "virga.toml").write_text(config(source, **settings))
            test(virga, blobs)
            end_well(virga)
        finally:
            blobs.stop()


def files(virga: Instance, blobs: BlobStorage) -> None:
    """Two nodes share what is mounted, and see nothing else of this machine's files."""
    (virga.work / "private").write_text("not for nodes\n")
    (virga.home / "spool").mkdir(exist_ok=True)
    (virga.home / "spool" / "of-others").write_text("not for nodes\n")
    blobs.put("input/numbers", b"1 2 3\n")
    run(virga, "virga up")
    script = f"""
      for path in {virga.work}/private {virga.home}/virga.toml {virga.home}/journal.db {virga.home}/spool/of-others \\
                  {blobs.key_file} {Path(__file__)}; do
        ! [ -e "$path" ] || echo "sees $path"
      done
      ls -A /home /srv /mnt /media /var/tmp /tmp "$(getent passwd root | cut -d: -f6)" |
        grep -v -e : -e virga-test- {' '.join(f'-e "^{part}$"' for part in ARGS.bin.resolve().parts[1:])} |
        grep . | sed 's/^/has /'
      touch /usr/virga-test 2>/dev/null && echo "writes into the system"
      cat /data/input/numbers
      srun -n 2 sh -c 'echo $(hostname) > from-$SLURM_PROCID'
      sleep 1.5
      srun -n 2 sh -c 'cat from-0 from-1 | tr "\\n" " "; echo'
      head -c 2000000 /dev/zero > big
    """
    (virga.work / "job.sh").write_text("#!/bin/sh\n" + script)
    blobs.put("run/.keep", b"x")
    run(virga, "sbatch --wait -N 2 --chdir=/data/run -o out job.sh")
    # The job is over, so all of it is home, though its nodes may still be there.
    check(blobs.get("run/out") == "1 2 3\nnd1 nd2 \nnd1 nd2 \n", f"the job wrote:\n{blobs.get('run/out')}")
    check(len(blobs.get("run/big")) == 2_000_000, "the large file is not whole")
    check(blobs.get("run/from-1") == "nd2\n", "the second node's file is not home")
    key = blobs.key_file.read_text().strip()
    for process in virga.processes():
        check(key not in process[1] and "sig=" not in process[1], f"a secret in the words of a process: {process}")
    log = (virga.home / "virgad.log").read_text()
    check(key not in log and "sig=" not in log, "a secret in virgad.log")
    refused = run(virga, "sbatch --wrap true", 1)
    check("work folder" in refused and "/data" in refused and len(refused.splitlines()) == 1, refused)
    refused = run(virga, "sbatch --chdir=/data -o /srv/out --wrap true", 1)
    check("output file /srv/out" in refused, refused)
    check(run(virga, "srun --chdir=/tmp hostname").startswith("nd"), "a step that needs no files")


def users(virga: Instance, blobs: BlobStorage) -> None:
    """Who a node's users are, on every node of a job and on this machine."""
    run(virga, "virga up")
    blobs.put("u/.keep", b"x")
    run(virga, "sbatch --wait -N 2 --chdir=/data/u -o out --wrap "
               "'srun -n 2 sh -c \"id; getent passwd games | cut -d: -f1,3,4; grep -c :1000: /etc/passwd; "
               "touch mine-\\$SLURM_PROCID\" | sort -u'", user="games")
    here = run(virga, "id", user="games").replace(" groups=60(games)", "").strip()
    out = blobs.get("u/out").splitlines()
    right = out[:2] == ["0", "games:5:60"] and out[2].startswith("uid=5(games) gid=60(games)")
    check(right and len(out) == 3,
          f"on the nodes: {out}; here: {here}")
    check("u/mine-1" in blobs.names(), "an ordinary user's file is not home")
    # Somebody whom the system image does not bring along.
    virga.sh("userdel virga-test-user")  # of a test that was killed
    run(virga, "useradd -u 54321 -M -d /srv/virga-test-user -G games virga-test-user")
    try:
        run(virga, "sbatch --wait -N 2 --chdir=/data/u -o out2 --wrap "
                   "'srun -n 2 sh -c \"id -un; id -u; id -Gn; cd ~virga-test-user && pwd && touch x && ls\" | "
                   "sort | uniq -c'",
            user="virga-test-user")
        lines = [" ".join(line.split()) for line in blobs.get("u/out2").splitlines()]
        check(sorted(lines) == sorted(["2 virga-test-user", "2 54321", "2 virga-test-user games",
                                       "2 /srv/virga-test-user", "2 x"]), f"on the nodes: {lines}")
    finally:
        virga.sh("userdel virga-test-user")


def unsaved(virga: Instance, blobs: BlobStorage) -> None:
    """What cannot be saved is told; a service that comes back in time hurts nobody."""
    run(virga, "virga up")
    blobs.put("w/.keep", b"x")
    run(virga, "sbatch --chdir=/data/w -o /dev/null "
               "--wrap 'exec 3> result; echo now > started; sleep 4; echo late >&3'")
    await_line(virga, "squeue -h -o %T", "RUNNING")
    end = time.monotonic() + 20
    while "w/started" not in blobs.names():
        check(time.monotonic() < end, "the first file never came home")
        time.sleep(0.1)
    blobs.freeze()
    await_line(virga, "squeue -h -t all -o '%T %r'", "FAILED FilesNotSaved")
    told = run(virga, "virga explain 1")
    check("/data" in told and "not uploaded in time" in told and "nd1" in told, told)
    blobs.thaw()


def lost(virga: Instance, blobs: BlobStorage) -> None:
    """A node whose rclone has died is none any more: the log says why, and its job runs once more on another one."""
    run(virga, "virga up")
    blobs.put("l/.keep", b"x")
    run(virga, "sbatch --requeue --chdir=/data/l -o /dev/null "
               "--wrap 'echo ${SLURM_RESTART_COUNT:-0} > runs; sleep 300'")
    for wanted in ("0\n", "1\n"):
        end = time.monotonic() + 40
        while "l/runs" not in blobs.names() or blobs.get("l/runs") != wanted:
            check(time.monotonic() < end, f"no file of run {wanted}{virga.sh('virga explain 1').stdout}")
            time.sleep(0.1)
        serving = [pid for pid, words in virga.processes() if words.startswith("rclone mount")]
        if wanted == "0\n":
            check(len(serving) == 1, f"processes of rclone: {serving}")
            os.kill(serving[0], signal.SIGKILL)
    log = (virga.home / "virgad.log").read_text()
    check("node nd1: storage.files" in log and "rclone, which serves it, has ended" in log, log)
    run(virga, "scancel 1")


def mistakes() -> None:
    """A service that refuses, a container that is not there, a key that cannot be read: each is told in its place."""
    with Instance(ARGS.bin) as virga, tempfile.TemporaryDirectory(prefix="virga-blobs-") as folder:
        blobs = BlobStorage(Path(folder))
        try:
            key = f'key_file = "{blobs.key_file}"'
            (virga.home / "virga.toml").write_text(config(f'blob = "{blobs.url}"\nkey_file = "/no/such/key"'))
            told = run(virga, "virga up", 2)
            check("storage.files: key_file /no/such/key cannot be read" in told, told)
            blobs.key_file.chmod(0o644)
            (virga.home / "virga.toml").write_text(config(f'blob = "{blobs.url}"\n{key}'))
            check("can be read by others; chmod 600 it" in run(virga, "virga up", 2), "a key that all can read")
            blobs.key_file.chmod(0o600)
            (virga.home / "virga.toml").write_text(config(f'blob = "{blobs.url}x"\n{key}'))
            run(virga, "virga up")
            run(virga, "sbatch --chdir=/data --wrap true")
            await_line(virga, "virga explain 1", "there is no such container")
            check(f"storage.files ({blobs.url}x)" in run(virga, "virga explain 1"), run(virga, "virga explain 1"))
            run(virga, "scancel 1")
            end_well(virga)
            blobs.key_file.write_text("c29tZXRoaW5nIGVsc2U=\n")
            (virga.home / "virga.toml").write_text(config(f'blob = "{blobs.url}"\n{key}'))
            run(virga, "virga up")
            run(virga, "sbatch --chdir=/data --wrap true")
            await_line(virga, "virga explain 2", "Azure answers Auth")
            run(virga, "scancel 2")
            end_well(virga)
        finally:
            blobs.stop()


def nfs() -> None:
    """An export is mounted by mount(8), which asks mount.nfs. A stand-in for that shows what it is asked, and what
    becomes of its answers; the protocol itself is not tested. It lies over /usr/sbin in a mount namespace of this test
    alone."""
    if os.environ.get("VIRGA_TEST_APART") != "1":
        sys.stdout.flush()
        os.environ["VIRGA_TEST_APART"] = "1"
        os.execvp("unshare", ["unshare", "--mount", sys.executable, *sys.argv])
    with Instance(ARGS.bin) as virga, tempfile.TemporaryDirectory(prefix="virga-nfs-") as folder:
        stand_in = Path(folder)
        stand_in.chmod(0o755)
        (stand_in / "mount.nfs").write_text(
            "#!/bin/sh\n"
            '[ "$1" = server:/export ] ||\n'
            '  { echo "mount.nfs: access denied by server while mounting $1" >&2; exit 32; }\n'
            'mount -t tmpfs -o mode=1777 none "$2" && echo "$@" > "$2/asked"\n')
        (stand_in / "mount.nfs").chmod(0o755)
        done = virga.sh(f"mount -t overlay -o lowerdir={stand_in}:/usr/sbin none /usr/sbin", user="")
        if done.returncode != 0:
            raise CannotRun("no overlay in a mount namespace here: " + done.stdout.strip())
        (virga.home / "virga.toml").write_text(config('nfs = "server:/export"\noptions = "vers=4.2,hard"'))
        run(virga, "virga up")
        asked = run(virga, "srun --chdir=/data cat asked").strip()
        check(asked == "server:/export /data -o rw,vers=4.2,hard", f"mount.nfs was asked: {asked}")
        end_well(virga)
        (virga.home / "virga.toml").write_text(config('nfs = "server:/secret"'))
        run(virga, "virga up")
        run(virga, "sbatch --chdir=/data --wrap true")
        await_line(virga, "virga explain 2", "storage.files (server:/secret): mount.nfs: access denied by server")
        run(virga, "scancel 2")
        end_well(virga)


STEPS = """#!/bin/bash
#SBATCH --signal=B:USR1@1 --requeue --open-mode=append
step=$(cat $VIRGA_CHECKPOINT_DIR/step 2> /dev/null || echo 0)
again=${SLURM_RESTART_COUNT:-0}
echo "from $step, run $again"
save() {
  echo $step > $VIRGA_CHECKPOINT_DIR/step
  head -c 3000000 /dev/zero > $VIRGA_CHECKPOINT_DIR/weights
  echo "saved"
  exit 1
}
trap save USR1
while [ $step -lt 90 ]; do
  sleep 1 & wait $!
  step=$((step + 1))
  [ $step = 1 ] && echo now > started
  [ $again -gt 0 ] && [ -s $VIRGA_CHECKPOINT_DIR/weights ] && step=90
done
echo done
"""


def evicted(virga: Instance, blobs: BlobStorage) -> None:
    """On Azure's machines (virtual nodes that virga-arm boots): one is taken back, the job goes on from its checkpoint
    on another VM, and nothing that it wrote is lost."""
    arm = StandIn(virga, private_files=True)
    try:
        arm.configure(virga)
        run(virga, "virga up")
        blobs.put("e/.keep", b"x")
        (virga.work / "steps.sh").write_text(STEPS)
        run(virga, "sbatch --chdir=/data/e -o out steps.sh")
        await_line(virga, "squeue -h -o %T", "RUNNING")
        first = arm.admin("state")["vms"][0]
        end = time.monotonic() + 20
        while "e/started" not in blobs.names():
            check(time.monotonic() < end, "the job's first file never came home")
            time.sleep(0.2)
        arm.admin("evict", {"vm": first["name"], "notice_s": 20})
        end = time.monotonic() + 30
        while any(vm["vmId"] == first["vmId"] for vm in arm.admin("state")["vms"]):
            check(time.monotonic() < end, "the VM was not taken back")
            time.sleep(0.1)
        # The VM is gone; what the job wrote in its last moment is not.
        check(blobs.get("e/out").startswith("from 0, run 0\nsaved\n"), f"home is: {blobs.get('e/out')}")
        check(len(blobs.get("virga-checkpoints/1/weights")) == 3_000_000, "the checkpoint is not whole")
        await_line(virga, "squeue -h -t all -o %T", "COMPLETED", 60)
        out = blobs.get("e/out").splitlines()
        step = blobs.get("virga-checkpoints/1/step").strip()
        right = out == ["from 0, run 0", "saved", f"from {step}, run 1", "done"] and int(step) > 0
        check(right, f"the job wrote {out}")
        check(virga.down().returncode == 0, "virga down")
    finally:
        left = arm.stop()
    check(left == [], f"left in the stand-in: {left}")


TESTS = {"files": lambda: with_blobs(files), "users": lambda: with_blobs(users),
         "unsaved": lambda: with_blobs(unsaved, save_time="3s"), "lost": lambda: with_blobs(lost),
         "mistakes": mistakes, "nfs": nfs, "evicted": lambda: with_blobs(evicted, cloud="azure")}


def main() -> int:
    if os.geteuid() != 0:
        print("skipped: needs root, since storage is mounted on nodes")
        return 77
    for program in ("rclone", "fusermount3"):
        if shutil.which(program) is None:
            print(f"skipped: {program} is not installed (script/setup --group storage)")
            return 77
    if not Path("/dev/fuse").exists():
        print("skipped: this machine has no /dev/fuse")
        return 77
    try:
        TESTS[ARGS.test]()
    except CannotRun as why:
        print(f"skipped: {why}")
        return 77
    except AssertionError as wrong:
        print(wrong)
        return 1
    return 0


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("--bin", type=Path, required=True)
    parser.add_argument("test")
    ARGS = parser.parse_args()
    sys.exit(main())

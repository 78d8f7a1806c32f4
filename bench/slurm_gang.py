#!/usr/bin/env python3
"""A gang on cold nodes: from the submission to its first task, by Virga on real Slurm and by Slurm's own power saving.

    bench/slurm_gang.py [--bin build/release/bin] [--nodes 64] [--repeat 5]

One sbatch job with one srun over all nodes, of which none exists when it is submitted; each task writes when it starts.
Both ways in turn in one run, each with a slurmctld of its own, and with nodes that are made by the same launcher
(`virga-node vm boot`, 32 at a time): the same namespaces, mounts, control groups and bridge, the same slurmd. With
Virga the nodes are reserved by virgad and join as dynamic nodes. The peer has State=CLOUD nodes and a ResumeProgram
that boots them; its settings are the fastest that Slurm has (power_save_interval=1, ResumeRate=0).

The slowest boot is Virga's, from its journal: from the submission, with which the VMs are asked for, to the last node
that is ready. For both it is told when the last slurmd said that it had started (slurmd's log).
Needs root and Slurm; everything is taken down at the end, also after an interruption.
"""

from __future__ import annotations

import argparse
import json
import os
import re
import shutil
import signal
import socket
import statistics
import subprocess
import sys
import time
from datetime import datetime, timezone
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT / "tests" / "support"))
from instance import Instance  # noqa: E402

GOAL = 1.3
PATIENCE_S = 120
LAUNCHERS = 32  # as many as virgad runs at once
CPUS = 8
MEMORY_MIB = 1024
CONFIG = f"""
[engine]
kind = "slurm"
[sku.bench]
cpus = {CPUS}
memory = "{MEMORY_MIB}MiB"
price_per_hour = 1
[pool.nd]
sku = "bench"
max_nodes = {{nodes}}
idle_time = "1s"
boot_timeout = "4m"
[partition.main]
pools = ["nd"]
default = true
"""
JOB = """#!/bin/bash
srun bash -c 'echo $EPOCHREALTIME > started/$SLURM_PROCID'
"""


def wait_for(what: str, done, step_s: float = 0.02, trouble=lambda: "") -> None:
    end = time.monotonic() + PATIENCE_S
    while not done():
        if time.monotonic() > end:
            raise SystemExit(f"{what} did not happen within {PATIENCE_S} s\n{trouble()}")
        time.sleep(step_s)


def seconds_of(stamp: str) -> float:
    """Of what the journal and slurmd write, "2026-11-30T19:16:40.646686472Z" and "2026-11-30T19:16:40.646"."""
    whole, _, fraction = stamp.rstrip("Z").partition(".")
    return datetime.fromisoformat(whole).replace(tzinfo=timezone.utc).timestamp() + float(f"0.{fraction or 0}")


class Round:
    """One cold start; all in seconds after the submission."""

    def __init__(self, first: float, last: float, boot: float, slurmd: float) -> None:
        self.first, self.last, self.boot, self.slurmd = first, last, boot, slurmd


def run_gang(home: Instance, nodes: int, submit: str) -> tuple[float, list[float]]:
    """When it was submitted, and when each of its tasks began."""
    started = home.work / "started"
    shutil.rmtree(started, ignore_errors=True)
    started.mkdir()
    started.chmod(0o777)
    (home.work / "gang.sh").write_text(JOB)
    submitted = time.time()
    done = home.sh(f"{submit} -N {nodes} -n {nodes} -o gang.txt gang.sh")
    if done.returncode != 0:
        raise SystemExit(done.stdout)
    wait_for("the start of all tasks", lambda: len(list(started.iterdir())) == nodes,
             trouble=lambda: home.sh(
                 f"{submit.removesuffix('sbatch')} squeue -t all; ls started | wc -l; tail -n 5 gang.txt; "
                 "tail -n 5 ../virgad.log; tail -n 20 ../slurm/log/slurmctld.log ../log/slurmctld.log").stdout)
    wait_for("their times", lambda: all(each.read_text().endswith("\n") for each in started.iterdir()))
    return submitted, sorted(float(each.read_text()) for each in started.iterdir())


def last_slurmd(logs: Path, since: float) -> float:
    """When the last slurmd of this round said that it had started."""
    last = 0.0
    for log in logs.glob("slurmd.*.log"):
        for stamp in re.findall(r"^\[([0-9T:.-]+)\] slurmd started", log.read_text(errors="replace"), re.MULTILINE):
            last = max(last, seconds_of(stamp))
    return last - since


class Virga:
    def __init__(self, home: Instance, nodes: int) -> None:
        self.home, self.nodes = home, nodes
        self.record = ""  # of one of its nodes, as the host cloud keeps it
        up = home.up()
        if up.returncode != 0:
            raise SystemExit(up.stdout)

    def events_after(self, number: int) -> list[dict]:
        text = self.home.sh(f"virga journal events --json --since {number}").stdout
        return [json.loads(line) for line in text.splitlines() if line.startswith("{")]

    def round(self) -> Round:
        before = max((event["seq"] for event in self.events_after(0)), default=0)
        submitted, tasks = run_gang(self.home, self.nodes, "sbatch")
        if not self.record:
            self.record = next((self.home.home / "vms").glob("*/state")).read_text()
        ready = [event["at"] for event in self.events_after(before) if event["type"] == "vm_ready"]
        boot = seconds_of(max(ready)) - submitted
        vms = self.home.home / "vms"
        wait_for("the release of the nodes", lambda: not any(each.is_dir() for each in vms.glob("*")), 0.2)
        return Round(tasks[0] - submitted, tasks[-1] - submitted, boot,
                     last_slurmd(self.home.home / "slurm" / "log", submitted))

    def down(self) -> None:
        try:
            self.home.down()
        except subprocess.TimeoutExpired:
            pass  # what is left of it is killed with the instance


# --- the peer --------------------------------------------------------------------------------------------------------

# What differs from the slurm.conf that virgad makes: who powers the nodes up and down, and that they are known before.
PEER_CONF = """
ClusterName=peer
SlurmctldHost={host}({network}.254)
SlurmctldPort={port}
AuthType=auth/munge
AuthInfo=socket={home}/munge.sock
CredType=cred/munge
SlurmUser=root
SlurmdUser=root
StateSaveLocation={home}/state
SlurmctldPidFile={home}/slurmctld.pid
SlurmctldLogFile={home}/log/slurmctld.log
SlurmdSpoolDir={home}/spool/%n
SlurmdPidFile={home}/spool/%n.pid
SlurmdLogFile={home}/log/slurmd.%n.log
DebugFlags=NO_CONF_HASH
TreeWidth=65533
SlurmdParameters=config_overrides
ReturnToService=2
SlurmdTimeout=60
MessageTimeout=30
SchedulerType=sched/builtin
SchedulerParameters=batch_sched_delay=0,sched_min_interval=1
SelectType=select/cons_tres
SelectTypeParameters=CR_CPU
JobRequeue=0
KillWait=2
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
JobAcctGatherType=jobacct_gather/none
AccountingStorageType=accounting_storage/none
MpiDefault=none
PrivateData=cloud
SlurmctldParameters=power_save_interval=1,power_save_min_interval=0
ResumeProgram={home}/resume
SuspendProgram={home}/suspend
ResumeRate=0
SuspendRate=0
SuspendTime=1
SuspendTimeout=5
ResumeTimeout=240
NodeName=p[1-{nodes}] NodeAddr={network}.[1-{nodes}] CPUs={cpus} RealMemory={memory} State=CLOUD
PartitionName=main Nodes=p[1-{nodes}] Default=YES MaxTime=INFINITE State=UP
"""
RESUME = """#!/bin/bash
# Boots the nodes by their records, as virgad does: launchers in parallel.
cd {home}
for name in $(SLURM_CONF={home}/slurm.conf scontrol show hostnames "$1"); do
  cp records/${{name#p}} vms/${{name#p}}/state
  echo ${{name#p}}
done | xargs -P {launchers} -I {{}} {node_program} vm boot {home} {{}} 1 >> resume.log 2>&1
"""
SUSPEND = """#!/bin/bash
cd {home}
for name in $(SLURM_CONF={home}/slurm.conf scontrol show hostnames "$1"); do
  vm=${{name#p}}
  kill -9 "$(sed -n s/^init_pid=//p vms/$vm/state)"
  rm -f vms/$vm/state
done >> suspend.log 2>&1
"""
USER_DATA = """#!/bin/sh
export SLURM_CONF={home}/slurm.conf
mkdir -p {home}/spool/p{number} || exit 1
exec slurmd -D -b -N p{number}
"""


class Peer:
    """Slurm alone: nodes in State=CLOUD, booted by its ResumeProgram from records like those of Virga's nodes."""

    def __init__(self, home: Instance, nodes: int, record: str, virga_home: Path) -> None:
        self.home, self.nodes = home, nodes
        self.folder = home.home
        self.network = "10.63.0"  # Virga's networks are 10.64 to 10.191
        self.port = f"peer{os.getpid() % 10**8}"
        self.groups: list[Path] = []
        self.daemons: list[subprocess.Popen] = []
        self.conf = str(self.folder / "slurm.conf")
        for name in ("vms", "state", "spool", "log", "records"):
            (self.folder / name).mkdir()
        self.start_fabric()
        self.write_nodes(record, virga_home)
        self.start_slurm()

    def start(self, *words: str) -> subprocess.Popen:
        self.daemons.append(subprocess.Popen(words, env={**self.home.env, "SLURM_CONF": self.conf},
                                             stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                                             stderr=subprocess.STDOUT, start_new_session=True))
        return self.daemons[-1]

    def start_fabric(self) -> None:
        fabric = self.start(str(self.home.bin_dir / "virga-node"), "vm", "fabric", str(self.folder), "root")
        if fabric.stdout.readline() != b"ok\n":
            raise SystemExit("the peer's fabric does not start")
        done = self.home.sh(
            f"set -e; ip link add {self.port} type veth peer name machine netns {fabric.pid}; "
            f"nsenter -t {fabric.pid} -n ip link set machine master br0 addrgenmode none up; "
            f"ip link set {self.port} addrgenmode none; ip addr add {self.network}.254/24 dev {self.port}; "
            f"ip link set {self.port} up")
        if done.returncode != 0:
            raise SystemExit(done.stdout)

    def write_nodes(self, record: str, virga_home: Path) -> None:
        """A node's record is one of Virga's, with a name, an address and control groups of its own."""
        hosts = "127.0.0.1 localhost\n"
        for number in range(1, self.nodes + 1):
            fields = dict(vm=number, name=f"p{number}", address=f"{self.network}.{number}", index=number - 1,
                          attempt=1, phase="intent", init_pid=0, init_start=0, boot="")
            text = re.sub(r"^(\w+)=.*$", lambda m: f"{m[1]}={fields[m[1]]}" if m[1] in fields else m[0], record,
                          flags=re.MULTILINE)
            text = re.sub(r"^cgroup=(.*)/virga-\w+/\d+$",
                          lambda m: f"cgroup={m[1]}/{self.group_name()}/{number}", text, flags=re.MULTILINE)
            self.groups += [Path(group) for group in re.findall(r"^cgroup=(.*)$", text, re.MULTILINE)]
            (self.folder / "records" / str(number)).write_text(text)
            vm = self.folder / "vms" / str(number)
            vm.mkdir()
            (vm / "user-data").write_text(USER_DATA.format(home=self.folder, number=number))
            (vm / "user-data").chmod(0o700)
            hosts += f"{self.network}.{number} p{number}\n"
        (self.folder / "vms" / "hosts").write_text(hosts)

    def group_name(self) -> str:
        return f"virga-bench-{self.folder.name}"

    def start_slurm(self) -> None:
        host = os.uname().nodename.split(".")[0]
        port = next(p for p in range(33_000, 40_000) if is_free(p))
        values = dict(home=self.folder, host=host, port=port, nodes=self.nodes, network=self.network, cpus=CPUS,
                      memory=MEMORY_MIB)
        Path(self.conf).write_text(PEER_CONF.format(**values))
        for name, text in (("resume", RESUME), ("suspend", SUSPEND)):
            (self.folder / name).write_text(text.format(home=self.folder, launchers=LAUNCHERS,
                                                        node_program=self.home.bin_dir / "virga-node"))
            (self.folder / name).chmod(0o755)
        (self.folder / "munge.key").write_bytes(os.urandom(128))
        (self.folder / "munge.key").chmod(0o400)
        files = {"key-file": "munge.key", "socket": "munge.sock", "pid-file": "munged.pid",
                 "log-file": "log/munged.log", "seed-file": "munge.seed"}
        munged = self.sh("munged " + " ".join(f"--{key}={self.folder / name}" for key, name in files.items()))
        started = self.sh("slurmctld")
        if munged.returncode != 0 or started.returncode != 0:
            raise SystemExit(munged.stdout + started.stdout)
        wait_for("the peer's slurmctld", lambda: "is UP" in self.sh("scontrol ping").stdout)
        self.await_cold()

    def sh(self, command: str) -> subprocess.CompletedProcess:
        return self.home.sh(command, SLURM_CONF=self.conf, PATH="/usr/sbin:/usr/bin:/sbin:/bin")

    def await_cold(self) -> None:
        """All nodes are off, as Slurm has it."""
        count = str(self.nodes)
        wait_for("the peer's nodes to be off",
                 lambda: self.sh("sinfo -h -N -O StateCompact | grep -c 'idle~'").stdout.strip() == count, 0.5)

    def round(self) -> Round:
        submitted, tasks = run_gang(self.home, self.nodes, f"PATH=/usr/bin:/bin SLURM_CONF={self.conf} sbatch")
        slurmd = last_slurmd(self.folder / "log", submitted)
        self.await_cold()
        return Round(tasks[0] - submitted, tasks[-1] - submitted, slurmd, slurmd)

    def down(self) -> None:
        self.home.kill_everything()
        for daemon in self.daemons:
            daemon.wait()
        for group in [*self.groups, *{each.parent for each in self.groups}]:
            remove_group(group)
        shutil.rmtree(self.folder / "vms")


def remove_group(group: Path) -> None:
    for _ in range(200):  # a killed process leaves its group a moment later
        try:
            group.rmdir()
            return
        except FileNotFoundError:
            return
        except OSError:
            time.sleep(0.01)


def is_free(port: int) -> bool:
    with socket.socket() as trial:
        try:
            trial.bind(("0.0.0.0", port))
        except OSError:
            return False
    return True


# --- the bench -------------------------------------------------------------------------------------------------------


def spread(values: list[float]) -> str:
    return f"{statistics.median(values):6.2f} s ({min(values):.2f} to {max(values):.2f})"


def show(way: str, rounds: list[Round]) -> None:
    print(f"{way}: to the first task {spread([each.first for each in rounds])}, "
          f"to the last {spread([each.last for each in rounds])}, "
          f"last slurmd up {spread([each.slurmd for each in rounds])}")


def measure(bin_dir: Path, nodes: int, repeat: int) -> tuple[list[Round], list[Round]]:
    ours: list[Round] = []
    theirs: list[Round] = []
    with Instance(bin_dir, config=CONFIG.format(nodes=nodes)) as home, Instance(bin_dir) as peer_home:
        virga = Virga(home, nodes)
        peer = None
        try:
            for number in range(repeat):
                ours.append(virga.round())
                peer = peer or Peer(peer_home, nodes, virga.record, home.home)
                theirs.append(peer.round())
                print(f"round {number + 1}: virga first {ours[-1].first:.2f}, last {ours[-1].last:.2f}, "
                      f"boot {ours[-1].boot:.2f}; slurm alone first {theirs[-1].first:.2f}, "
                      f"last {theirs[-1].last:.2f}", flush=True)
        finally:
            if peer:
                peer.down()
            virga.down()
        left = home.leftovers() + peer_home.leftovers()
        left += [str(group) for group in (peer.groups if peer else []) if group.exists()]
        if left:
            raise SystemExit("left behind:\n" + "\n".join(left))
    return ours, theirs


def main() -> int:
    parser = argparse.ArgumentParser()
    parser.add_argument("--bin", type=Path, default=ROOT / "build" / "release" / "bin")
    parser.add_argument("--nodes", type=int, default=64)
    parser.add_argument("--repeat", type=int, default=5)
    args = parser.parse_args()
    if os.geteuid() != 0 or not shutil.which("slurmctld", path="/usr/sbin"):
        print("bench/slurm_gang.py: needs root and Slurm (script/setup --group slurm)")
        return 77
    if not 1 <= args.nodes <= 250:
        parser.error("--nodes: 1 to 250")
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # so that everything is taken down
    ours, theirs = measure(args.bin, args.nodes, args.repeat)
    show("Virga on Slurm", ours)
    show("Slurm alone   ", theirs)
    ratios = [each.first / each.boot for each in ours]
    print(f"the slowest boot: {spread([each.boot for each in ours])}; Virga's first task after "
          f"{statistics.median(ratios):.2f} of it ({min(ratios):.2f} to {max(ratios):.2f}; goal {GOAL}); "
          f"load {os.getloadavg()[0]:.0f} on {os.cpu_count()} cores")
    return 0 if statistics.median(ratios) <= GOAL else 1


if __name__ == "__main__":
    sys.exit(main())

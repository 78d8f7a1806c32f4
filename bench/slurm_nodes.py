#!/usr/bin/env python3
"""Many nodes on real Slurm: they join in waves, run one task each, and leave in waves again. What one of them costs.

    bench/slurm_nodes.py [--bin build/release/bin] [--nodes 1000] [--wave 250]

Virtual nodes of the host cloud in network namespaces, each with a slurmd of its own, as dynamic nodes of the cluster
that virgad raises. A wave is a job that keeps its nodes; when all have joined, a job with one task on each node runs
beside them; then the waves end one after the other. At the end nothing may be left: no process, mount, control group,
socket, folder, or node that Slurm would still use. Needs root and Slurm; all is taken down, also after an interruption.
"""

from __future__ import annotations

import argparse
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT / "tests" / "support"))
from instance import Instance  # noqa: E402

PATIENCE_S = 600
# Of a node's three CPUs a wave has two, so that no two waves fit on one node, and the job over all has the third.
CONFIG = """
[cluster]
kill_wait = "1s"
[engine]
kind = "slurm"
[sku.bench]
cpus = 3
memory = "256MiB"
price_per_hour = 1
[pool.nd]
sku = "bench"
max_nodes = {nodes}
idle_time = "1s"
boot_timeout = "10m"
[partition.main]
pools = ["nd"]
default = true
"""


class World:
    def __init__(self, virga: Instance) -> None:
        self.virga = virga

    def sh(self, command: str) -> str:
        done = self.virga.sh(command, timeout=PATIENCE_S)
        if done.returncode != 0:
            raise SystemExit(f"{command}: {done.stdout}")
        return done.stdout.strip()

    def slurm(self, command: str) -> str:
        return self.sh(f"SLURM_CONF=$VIRGA_HOME/slurm/slurm.conf /usr/bin/{command}")

    def wait_for(self, what: str, done) -> None:
        end = time.monotonic() + PATIENCE_S
        while not done():
            if time.monotonic() > end:
                raise SystemExit(f"{what} did not happen within {PATIENCE_S} s\n" + self.trouble())
            time.sleep(0.2)

    def trouble(self) -> str:
        words = self.virga.sh("squeue; tail -n 20 $VIRGA_HOME/virgad.log; "
                              "grep -v pmix $VIRGA_HOME/slurm/log/slurmctld.log | tail -n 20")
        return words.stdout

    def state_of(self, job: str) -> str:
        return self.sh(f"squeue -h -t all -j {job} -o %T")

    def nodes_there(self) -> int:
        folder = self.virga.home / "vms"
        return sum(1 for each in folder.glob("*") if each.is_dir())

    def join(self, wave: int, size: int) -> str:
        (self.virga.work / "wave.sh").write_text("#!/bin/bash\nwhile [ ! -e go-$1 ]; do sleep 1; done\n")
        job = self.sh(f"sbatch --parsable -N {size} -n {size} -c 2 -o /dev/null wave.sh {wave}")

        def runs() -> bool:
            state = self.state_of(job)
            if state not in ("PENDING", "CONFIGURING", "RUNNING"):
                raise SystemExit(f"wave {wave} ended as {state}\n" + self.trouble())
            return state == "RUNNING"

        self.wait_for(f"wave {wave}", runs)
        return job

    def use_all(self, nodes: int) -> None:
        """One task on each node says its name."""
        job = self.sh(f"sbatch --parsable -N {nodes} -n {nodes} -c 1 -o all.txt --wrap 'srun hostname'")
        self.wait_for("the job over all nodes", lambda: self.state_of(job) not in ("PENDING", "CONFIGURING", "RUNNING"))
        output = (self.virga.work / "all.txt").read_text()
        names = {line for line in output.splitlines() if line.startswith("nd")}
        if self.state_of(job) != "COMPLETED" or len(names) != nodes:
            raise SystemExit(f"the job over all nodes ended as {self.state_of(job)}, {len(names)} nodes wrote\n"
                             + output[-1000:] + self.trouble())

    def leave(self, wave: int, size: int) -> None:
        before = self.nodes_there()
        (self.virga.work / f"go-{wave}").touch()
        self.wait_for(f"the end of wave {wave}", lambda: self.nodes_there() <= before - size)


def cpu_seconds(pid: int) -> float:
    """Of a process and of those of its children that have ended."""
    try:
        fields = Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()
    except OSError:
        return 0
    return sum(int(each) for each in fields[11:15]) / os.sysconf("SC_CLK_TCK")


def own_memory_mib(pid: int) -> float:
    """Shared pages divided by those who share them."""
    try:
        for line in Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines():
            if line.startswith("Pss:"):
                return int(line.split()[1]) / 1024
    except OSError:
        pass
    return 0


def free_mib() -> float:
    for line in Path("/proc/meminfo").read_text().splitlines():
        if line.startswith("MemAvailable:"):
            return int(line.split()[1]) / 1024
    return 0


def tell_costs(virga: Instance, nodes: int, free_before: float) -> None:
    ours = virga.processes()
    daemons = {Path(f"/proc/{pid}/comm").read_text().strip(): pid for pid, words in ours
               if words.split()[0].rsplit("/", 1)[-1] in ("virgad", "slurmctld", "munged")}
    of_nodes = [pid for pid, _ in ours if pid not in daemons.values()]
    print(f"{nodes} nodes: {len(of_nodes) / nodes:.1f} processes each, "
          f"{sum(map(own_memory_mib, of_nodes)) / nodes:.1f} MiB each in them (the machine has "
          f"{(free_before - free_mib()) / nodes:.1f} MiB less for each, with what others took), "
          f"{sum(map(cpu_seconds, of_nodes)) / nodes:.2f} s of CPU each")
    for name, pid in daemons.items():
        print(f"  {name}: {own_memory_mib(pid):.0f} MiB, {cpu_seconds(pid):.1f} s of CPU", flush=True)


def measure(world: World, nodes: int, size: int) -> None:
    sizes = [min(size, nodes - first) for first in range(0, nodes, size)]
    free_before = free_mib()
    for wave, count in enumerate(sizes):
        start = time.monotonic()
        world.join(wave, count)
        print(f"wave {wave + 1}: {count} nodes joined in {time.monotonic() - start:.1f} s, "
              f"{world.nodes_there()} are there; load {os.getloadavg()[0]:.0f}", flush=True)
    tell_costs(world.virga, nodes, free_before)
    start = time.monotonic()
    world.use_all(nodes)
    print(f"a job with one task on each of {nodes} nodes: {time.monotonic() - start:.1f} s", flush=True)
    for wave, count in enumerate(sizes):
        start = time.monotonic()
        world.leave(wave, count)
        print(f"wave {wave + 1}: {count} nodes left in {time.monotonic() - start:.1f} s", flush=True)

    def all_down() -> bool:
        return not world.slurm("sinfo -h -N -t idle,alloc,mix,comp -O NodeList | sort -u")

    world.wait_for("Slurm to have all nodes as down", all_down)


def main() -> int:
    parser = argparse.ArgumentParser()
    parser.add_argument("--bin", type=Path, default=ROOT / "build" / "release" / "bin")
    parser.add_argument("--nodes", type=int, default=1000)
    parser.add_argument("--wave", type=int, default=250)
    args = parser.parse_args()
    if os.geteuid() != 0 or not shutil.which("slurmctld", path="/usr/sbin"):
        print("bench/slurm_nodes.py: needs root and Slurm (script/setup --group slurm)")
        return 77
    if not 1 <= args.nodes <= 1024 or args.wave < 1:
        parser.error("--nodes: 1 to 1024, --wave: at least 1")
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # so that everything is taken down
    with Instance(args.bin, config=CONFIG.format(nodes=args.nodes)) as virga:
        up = virga.up()
        if up.returncode != 0:
            raise SystemExit(up.stdout)
        try:
            measure(World(virga), args.nodes, args.wave)
        finally:
            try:
                virga.down()
            except subprocess.TimeoutExpired:
                print("virga down did not end: all of it is killed")
        left = virga.leftovers()
        print("nothing is left" if not left else "left behind:\n" + "\n".join(left))
    return 1 if left else 0


if __name__ == "__main__":
    sys.exit(main())

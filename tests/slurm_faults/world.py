"""What a fault of the matrix happens to: two controllers, a journal in PostgreSQL, real Slurm, nodes in namespaces.

    world = World(virga, ways, server)
    job = world.start_job()               # two nodes; it runs until world.let_end()
    world.cut_network("nd2")
    world.let_end()
    world.check_jobs([job], restarts=1)
    world.take_down()                     # what is left anywhere is counted

Jobs write what they do into a file that all nodes share: "begin JOB INCARNATION", a "beat" of each task every fifth
of a second, "end JOB INCARNATION STATUS". That tells whether one ran twice, or two incarnations at once.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent / "support"))
sys.path.insert(0, str(HERE.parent / "standby"))
import takeover  # noqa: E402
from instance import Instance  # noqa: E402
from postgres import Postgres, Proxy  # noqa: E402
from takeover import Broken, Pair, check  # noqa: E402,F401

PATIENCE_S = 180.0  # for what takes seconds where nothing else runs
CONFIG = """
[cluster]
kill_wait = "1s"
requeue_delay = "1s"
[engine]
kind = "slurm"
sweep = "2s"
[journal]
url = "postgres://virga@/virga"
[pool.nd]
max_nodes = 4
idle_time = "{idle_time}"
boot_timeout = "{boot_timeout}"
[partition.main]
pools = ["nd"]
default = true
max_time = "1h"
"""
# Below it: a second cluster, for the cases that want one.
WEST = """
[engine.cluster.west]
sweep = "2s"
[pool.wd]
max_nodes = 2
idle_time = "60s"
slurm_cluster = "west"
[partition.west]
pools = ["wd"]
"""
# It ends once there is go-JOB. Between its "end" and its end it waits for leave-JOB.
JOB = """#!/bin/bash
export inc=${SLURM_RESTART_COUNT:-0}
echo "begin $VIRGA_JOB_ID $inc" >> ran
srun bash -c 'while [ ! -e go-$VIRGA_JOB_ID ]; do echo "beat $VIRGA_JOB_ID $inc $SLURM_PROCID" >> ran; sleep 0.2; done'
status=$?
echo "end $VIRGA_JOB_ID $inc $status" >> ran
while [ ! -e leave-$VIRGA_JOB_ID ]; do sleep 0.05; done
exit $status
"""


class World(Pair):
    def __init__(self, virga: Instance, ways: dict[str, Proxy], server: Postgres, newer: Path, crash_at: str) -> None:
        self.virga, self.ways, self.server = virga, ways, server
        self.newer = newer  # programs of another version
        self.counts = {"lost": 0, "doubled": 0, "leaked": 0}
        self.wrong: list[str] = []
        self.crashed = False
        self.slurmctld_ended = 0  # how often the case meant it to
        (virga.work / "job.sh").write_text(JOB)
        up = virga.up(PGHOST=str(ways["main"].folder), **({"VIRGA_CRASH_AT": crash_at} if crash_at else {}))
        check(up.returncode == 0 or bool(crash_at), f"virga up: {up.stdout}")
        self.start_b()

    # --- jobs --------------------------------------------------------------------------------------------------------

    def wait_until(self, what: str, condition, limit_s: float = PATIENCE_S) -> None:
        super().wait_until(what, condition, max(limit_s, PATIENCE_S))

    def lines(self) -> list[list[str]]:
        ran = self.virga.work / "ran"
        return [line.split() for line in ran.read_text().splitlines()] if ran.exists() else []

    def enter(self, nodes: int = 2, partition: str = "main") -> str:
        return self.submit(f"sbatch --parsable -p {partition} -N {nodes} --ntasks-per-node=1 job.sh")

    def await_beats(self, job: str, nodes: int = 2, incarnation: int = 0) -> None:
        wanted = {str(rank) for rank in range(nodes)}
        self.wait_until(f"all tasks of job {job}.{incarnation} run", lambda: wanted <= {
            line[3] for line in self.lines() if line[:3] == ["beat", job, str(incarnation)]})

    def start_job(self, nodes: int = 2, partition: str = "main") -> str:
        job = self.enter(nodes, partition)
        self.await_beats(job, nodes)
        return job

    def end_work(self, job: str) -> None:
        """Its tasks end; the script says so, and waits."""
        (self.virga.work / f"go-{job}").touch()
        self.wait_until(f"job {job} comes to its end", lambda: any(
            line[:2] == ["end", job] for line in self.lines()))

    def let_end(self, *jobs: str) -> None:
        for job in jobs:
            (self.virga.work / f"go-{job}").touch()
            (self.virga.work / f"leave-{job}").touch()

    def records(self, job: str) -> list[str]:
        done = self.virga.sh(f"sacct -X -n -P -j {job} -o State")
        return done.stdout.split("\n")[:-1] if done.returncode == 0 else []

    def check_jobs(self, jobs: list[str], restarts: int = 0) -> str:
        """Waits for their ends; counts what is lost and doubled. Returns how often they began again."""
        end = time.monotonic() + PATIENCE_S
        while not all("COMPLETED" in self.records(job) for job in jobs) and time.monotonic() < end:
            time.sleep(0.2)
        again = 0
        for job in jobs:
            records, told = self.records(job), [line for line in self.lines() if line[1] == job]
            begins = [line[2] for line in told if line[0] == "begin"]
            ends = [line[2:] for line in told if line[0] == "end"]
            if records[-1:] != ["COMPLETED"] or not begins or [begins[-1], "0"] not in ends:
                self.count("lost", f"job {job}: accounts {records}, begun {begins}, ended {ends}")
            newest = [line[2] for line in told if line[0] in ("begin", "beat")]
            if records.count("COMPLETED") > 1 or len(set(begins)) < len(begins) or newest != sorted(newest, key=int):
                self.count("doubled", f"job {job}: accounts {records}, begun {begins}, ended {ends}")
            again += len(begins) - 1
        check(again <= restarts, f"began again {again} times; at most {restarts} are due to the fault")
        return f"{len(jobs)} job{'s' * (len(jobs) > 1)} done, {again} begun again"

    def count(self, what: str, story: str) -> None:
        self.counts[what] += 1
        self.wrong.append(f"{what}: {story}")

    # --- Slurm -------------------------------------------------------------------------------------------------------

    @property
    def slurm(self) -> Path:
        return self.virga.home / "slurm"

    def ask_slurm(self, command: str, folder: Path | None = None) -> str:
        conf = str((folder or self.slurm) / "slurm.conf")
        done = self.virga.sh(command, PATH="/usr/sbin:/usr/bin:/sbin:/bin", SLURM_CONF=conf)
        return done.stdout if done.returncode == 0 else ""

    def slurmctld(self) -> int:
        return int((self.slurm / "slurmctld.pid").read_text())

    def end_slurmctld(self, how: int = signal.SIGKILL) -> int:
        pid = self.slurmctld()
        os.kill(pid, how)
        self.slurmctld_ended += 1
        return pid

    def await_slurmctld(self, other_than: int) -> None:
        def answers() -> bool:
            try:
                return self.slurmctld() != other_than and "is UP" in self.ask_slurm("scontrol ping")
            except (OSError, ValueError):
                return False
        self.wait_until("slurmctld is back", answers)

    def change_conf(self, **settings: object) -> None:
        """As an administrator would: in the files of machine and nodes."""
        for name in ("slurm.conf", "node.conf"):
            file = self.slurm / name
            kept = [line for line in file.read_text().splitlines() if line.split("=")[0] not in settings]
            file.write_text("\n".join(kept + [f"{key}={value}" for key, value in settings.items()]) + "\n")

    def slurmds(self) -> dict[str, int]:
        """Pids by the nodes' names."""
        found = {}
        for pid, words in self.virga.processes():
            if words.startswith("slurmd -D"):
                found[words.split(" -N ")[1].split()[0]] = pid
        return found

    def nodes_of(self, job: str) -> list[str]:
        """In the order of its ranks."""
        done = self.virga.sh(f"squeue -h -j {job} -o %N | xargs -r scontrol show hostnames")
        return done.stdout.split()

    def set_network(self, name: str, state: str) -> None:
        done = subprocess.run(["nsenter", "-t", str(self.slurmds()[name]), "-n", "ip", "link", "set", "eth0", state])
        check(done.returncode == 0, f"nsenter says {done.returncode}")

    @staticmethod
    def is_gone(pid: int) -> bool:
        return Instance._is_zombie(pid)

    # --- the end -----------------------------------------------------------------------------------------------------

    def check_journal(self) -> None:
        for verb in ("verify", "replay"):
            done = self.virga.sh(f"virga journal {verb}", PGHOST=str(self.server.folder))
            check(done.returncode == 0, f"virga journal {verb}: {done.stdout}")
            check(verb == "verify" or "the same" in done.stdout, f"virga journal replay: {done.stdout}")

    def check_slurm(self) -> None:
        """Nothing of the jobs is left in it, and it ended as often as it was meant to: 22.05 has ways to crash."""
        for folder in self.virga.home.glob("slurm*/jobs"):
            self.wait_until("Slurm has no job any more",
                            lambda: self.ask_slurm("squeue -h && echo done", folder.parent) == "done\n")
        log = (self.slurm / "log/slurmctld.log").read_text(errors="replace")
        starts = sum("slurmctld version" in line and "started" in line for line in log.splitlines())
        check(starts == 1 + self.slurmctld_ended, f"slurmctld was started {starts} times")

    def take_down(self) -> None:
        self.check_slurm()
        self.check_journal()
        port = "virga" + self.digest()[:8]
        down = self.virga.down()
        check(down.returncode == 0, f"virga down: {down.stdout}")
        for left in self.virga.leftovers(patience_s=20):
            self.count("leaked", left)
        if Path(f"/sys/class/net/{port}").exists():
            self.count("leaked", f"network port {port}")
        locks = self.server.sql("SELECT count(*) FROM pg_locks WHERE locktype = 'advisory'")
        if locks != "0":
            self.count("leaked", f"{locks} locks in PostgreSQL")

    def digest(self) -> str:
        """Of the home's path: 64-bit FNV-1a (src/base/digest.hpp)."""
        digest = 0xCBF29CE484222325
        for byte in str(self.virga.home).encode():
            digest = ((digest ^ byte) * 0x100000001B3) % 2**64
        return f"{digest:016x}"

#!/usr/bin/env python3
"""Virga's figures beside Slurm's, taken in the same run on the same machine.

    bench/run.py [--bin build/release/bin] [--rounds 5] [--only up,nodes,wait,socket,sbatch,jobs,memory,slurm]

Prints a table: figure, median, min–max over the rounds, what must be reached. Slurm (Debian's, on loopback, without
accounting) is measured where slurmctld, slurmd and munged are installed; else its rows say so. Needs a quiet machine:
figures of shared machines vary, so compare rows of one run with each other.
"""

from __future__ import annotations

import argparse
import json
import os
import re
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT / "tests" / "support"))
from instance import Instance  # noqa: E402

CONFIG = """
[cluster]
min_job_age = "1s"
[pool.nd]
max_nodes = 8
idle_time = "10m"
[partition.main]
pools = ["nd"]
default = true
"""
rows: list[tuple[str, list[float], str, str]] = []


def record(name: str, values: list[float], unit: str, goal: str = "") -> None:
    rows.append((name, values, unit, goal))
    spread = f"({min(values):.1f}–{max(values):.1f}, n={len(values)})"
    print(f"{name:<58} {statistics.median(values):>10.1f} {unit:<6} {spread}"
          f"{'  goal ' + goal if goal else ''}", flush=True)


def timed(virga: Instance, command: str) -> float:
    start = time.perf_counter()
    done = virga.sh(command, timeout=300)
    took = time.perf_counter() - start
    if done.returncode != 0:
        raise SystemExit(f"{command}: exit {done.returncode}\n{done.stdout}")
    return took


def in_shell(virga: Instance, command: str, times: int) -> float:
    """Seconds for each of `times` runs, timed inside one shell so that its own start does not count."""
    loop = f"TIMEFORMAT=%R; time (for i in $(seq {times}); do {command} >/dev/null || exit 1; done)"
    done = virga.sh(loop, timeout=300)
    if done.returncode != 0:
        raise SystemExit(f"{command}: exit {done.returncode}\n{done.stdout}")
    return float(done.stdout.strip().splitlines()[-1]) / times


def bench_up(virga: Instance, rounds: int) -> None:
    times = []
    for _ in range(rounds):
        times.append(timed(virga, "virga up") * 1e3)
        virga.down()
    record("virga up to ready", times, "ms", "≤ 150")


def parse_time(text: str) -> float:
    from datetime import datetime
    base, _, fraction = text.rstrip("Z").partition(".")
    return datetime.fromisoformat(base + "+00:00").timestamp() + (float("0." + fraction) if fraction else 0)


def bench_nodes(virga: Instance, rounds: int) -> None:
    times = []
    for _ in range(rounds):
        virga.up()
        timed(virga, "sbatch -N 8 --wait -o /dev/null --wrap true")
        vms = json.loads(virga.sh(f"curl -s --unix-socket {virga.home}/run/api.sock http://virga/v1/vms").stdout)["vms"]
        last_ready = max(parse_time(v["ready"]) for v in vms)
        times.append((last_ready - min(parse_time(v["requested"]) for v in vms)) * 1e3)
        virga.down()
    record("8 host nodes from reserve to ready", times, "ms", "≤ 1000")


def bench_wait(virga: Instance, rounds: int) -> None:
    virga.up()
    timed(virga, "sbatch --wait -o /dev/null --wrap true")
    over = []
    whole = []
    for _ in range(rounds):
        start = in_shell(virga, "sbatch --version", 20)
        wait = in_shell(virga, "sbatch --wait -o /dev/null --wrap true", 20)
        whole.append(wait * 1e3)
        over.append((wait - start) * 1e3)
    record("sbatch --wait of true on a ready node", whole, "ms")
    record("… beyond the start of the sbatch process", over, "ms", "≤ 15")
    virga.down()


def bench_socket(virga: Instance, rounds: int, load: Path) -> None:
    rates = []
    for _ in range(rounds):
        virga.up()
        done = virga.sh(f"{load} {virga.home}/run/api.sock 8 2500 32 held", timeout=300)
        rates.append(json.loads(done.stdout)["per_second"])
        virga.down()
        (virga.home / "journal.db").unlink()
    record("durable submissions through the socket, 8 clients", rates, "/s", "≥ 10000")


def bench_sbatch(virga: Instance, rounds: int) -> None:
    (virga.work / "true.sh").write_text("#!/bin/sh\ntrue\n")
    alone = []
    rates = []
    for _ in range(rounds):
        virga.up()
        loop = "seq 1000 | xargs -P 8 -n 1 sh -c '{} >/dev/null'"
        alone.append(1000 / timed(virga, loop.format("exec sbatch --version")))
        rates.append(1000 / timed(virga, loop.format("exec sbatch -H true.sh")))
        virga.down()
        (virga.home / "journal.db").unlink()
    record("sbatch --version processes, 8 at a time", alone, "/s")
    record("sbatch processes that submit, 8 at a time", rates, "/s", "≥ 500")


def bench_jobs(virga: Instance, rounds: int, load: Path) -> None:
    rates = []
    for _ in range(rounds):
        virga.up()
        timed(virga, "sbatch --wait -N 8 -o /dev/null --wrap true")
        start = time.perf_counter()
        virga.sh(f"{load} {virga.home}/run/api.sock 1 2000 64 run", timeout=300)
        while virga.sh("squeue -h -o %i").stdout.strip():
            time.sleep(0.1)
        rates.append(2000 / (time.perf_counter() - start))
        virga.down()
    record("jobs started and completed (real processes, exec true)", rates, "/s", "≥ 300")


def resident_mb(pid: int) -> float:
    return int(re.search(r"VmRSS:\s+(\d+)", Path(f"/proc/{pid}/status").read_text())[1]) / 1024


def bench_memory(virga: Instance, rounds: int, load: Path) -> None:
    (virga.home / "virga.toml").write_text(CONFIG.replace('"1s"', '"10d"'))
    virga.up()
    virga.sh(f"{load} {virga.home}/run/api.sock 8 12500 32 held", timeout=600)
    timed(virga, "squeue -h -o %i | xargs -n 1000 scancel")
    left = virga.sh("squeue -h | wc -l").stdout.strip()
    assert left == "0", f"{left} jobs are not final"
    restart = []
    memory = []
    for _ in range(rounds):
        pid = virga.daemon_pid()
        memory.append(resident_mb(pid))
        os.kill(pid, 9)
        while virga.daemon_pid():
            time.sleep(0.01)
        restart.append(timed(virga, "virga up") * 1e3)
        memory.append(resident_mb(virga.daemon_pid()))
    record("virgad's memory with 100,000 ended jobs in its state", memory, "MB", "≤ 200")
    record("ready again after kill -9 with 100,000 ended jobs", restart, "ms", "≤ 1000")
    virga.down()


SLURM_CONF = """
ClusterName=bench
SlurmctldHost={host}(127.0.0.1)
SlurmctldPort=17800
AuthType=auth/munge
AuthInfo=socket={base}/munge.sock
CredType=cred/munge
SlurmUser={user}
SlurmdUser={user}
StateSaveLocation={base}/state
SlurmdSpoolDir={base}/spool.%n
SlurmctldPidFile={base}/slurmctld.pid
SlurmdPidFile={base}/slurmd.%n.pid
SlurmctldLogFile={base}/slurmctld.log
SlurmdLogFile={base}/slurmd.%n.log
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
SelectType=select/cons_tres
SelectTypeParameters=CR_Core
SlurmdParameters=config_overrides
ReturnToService=2
MaxJobCount=50000
MinJobAge=2
{nodes}
PartitionName=main Nodes=ALL Default=YES MaxTime=INFINITE State=UP
"""


class Slurm:
    """Debian's Slurm with eight slurmd on loopback, in a folder of its own."""

    def __enter__(self) -> "Slurm":
        import pwd
        self.base = Path(tempfile.mkdtemp(prefix="virga-slurm-", dir="/var/tmp"))
        self.base.chmod(0o755)
        host = os.uname().nodename.split(".")[0]
        nodes = "\n".join(f"NodeName=n{i} NodeHostname={host} NodeAddr=127.0.0.1 Port={17800 + i} CPUs=96 "
                          "RealMemory=2000" for i in range(1, 9))
        (self.base / "slurm.conf").write_text(SLURM_CONF.format(
            host=host, base=self.base, user=pwd.getpwuid(os.geteuid()).pw_name, nodes=nodes))
        (self.base / "state").mkdir()
        key = self.base / "munge.key"
        key.write_bytes(os.urandom(128))
        key.chmod(0o400)
        self.env = {**os.environ, "SLURM_CONF": str(self.base / "slurm.conf")}
        self.run(f"munged --force --key-file={key} --socket={self.base}/munge.sock --pid-file={self.base}/munge.pid "
                 f"--log-file={self.base}/munged.log --seed-file={self.base}/munge.seed")
        self.run("slurmctld")
        for i in range(1, 9):
            (self.base / f"spool.n{i}").mkdir()
            self.run(f"slurmd -N n{i}")
        for _ in range(300):
            if self.run("sinfo -h -t idle -o %D").strip() == "8":
                return self
            time.sleep(0.1)
        raise SystemExit("Slurm did not come up:\n" + self.run("sinfo"))

    def __exit__(self, *_: object) -> None:
        for pid_file in self.base.glob("*.pid"):
            subprocess.run(["kill", pid_file.read_text().strip()], check=False)
        time.sleep(1)
        shutil.rmtree(self.base, ignore_errors=True)

    def run(self, command: str) -> str:
        # Output goes to a file: the daemons would keep a pipe open.
        with tempfile.TemporaryFile("w+") as out:
            subprocess.run(["bash", "-c", command], env=self.env, cwd="/var/tmp", stdin=subprocess.DEVNULL, stdout=out,
                           stderr=subprocess.STDOUT, timeout=600)
            out.seek(0)
            return out.read()

    def timed(self, command: str) -> float:
        start = time.perf_counter()
        self.run(command)
        return time.perf_counter() - start


def bench_slurm(rounds: int) -> None:
    missing = [p for p in ("slurmctld", "slurmd", "munged", "sbatch") if not shutil.which(p)]
    if missing:
        print(f"Slurm is not measured: {', '.join(missing)} not installed "
              "(apt-get install slurmctld slurmd slurm-client munge)")
        return
    with Slurm() as slurm:
        (slurm.base / "true.sh").write_text("#!/bin/sh\ntrue\n")
        script = slurm.base / "true.sh"
        wait, sbatch, jobs = [], [], []
        for _ in range(rounds):
            wait.append(slurm.timed("sbatch -W -o /dev/null --wrap true") * 1e3)
            submissions = f"seq 400 | xargs -P 8 -n 1 sh -c 'exec sbatch -H -o /dev/null {script} >/dev/null'"
            sbatch.append(400 / slurm.timed(submissions))
            slurm.run("scancel -u $(id -un)")
            start = time.perf_counter()
            slurm.run(f"for i in $(seq 300); do sbatch -o /dev/null {script} >/dev/null; done; "
                      "while [ -n \"$(squeue -h -t PD,R,CG)\" ]; do sleep 0.05; done")
            jobs.append(300 / (time.perf_counter() - start))
        record("Slurm: sbatch -W of true", wait, "ms")
        record("Slurm: sbatch processes that submit, 8 at a time", sbatch, "/s")
        record("Slurm: jobs started and completed", jobs, "/s")


def main() -> int:
    parser = argparse.ArgumentParser()
    parser.add_argument("--bin", type=Path, default=ROOT / "build" / "release" / "bin")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--only", default="up,nodes,wait,socket,sbatch,jobs,memory,slurm")
    args = parser.parse_args()
    if not (args.bin / "virgad").exists():
        print(f"{args.bin}/virgad is not built: run ./script/build", file=sys.stderr)
        return 2
    wanted = args.only.split(",")
    with tempfile.TemporaryDirectory(prefix="virga-bench-") as scratch:
        load = Path(scratch) / "submit_load"
        source = str(ROOT / "bench" / "submit_load.cpp")
        subprocess.run(["g++", "-std=c++20", "-O2", "-pthread", source, "-o", str(load)], check=True)
        os.chmod(scratch, 0o755)
        runs = {"up": bench_up, "nodes": bench_nodes, "wait": bench_wait, "sbatch": bench_sbatch,
                "socket": lambda v, r: bench_socket(v, r, load), "jobs": lambda v, r: bench_jobs(v, r, load),
                "memory": lambda v, r: bench_memory(v, r, load)}
        print(f"{os.cpu_count()} cores, load {os.getloadavg()[0]:.1f}; {args.rounds} rounds each: median (min–max)")
        for name in wanted:
            if name == "slurm":
                bench_slurm(args.rounds)
                continue
            with Instance(args.bin, config=CONFIG) as virga:
                runs[name](virga, args.rounds)
    return 0


if __name__ == "__main__":
    sys.exit(main())

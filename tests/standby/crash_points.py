#!/usr/bin/env python3
"""Kills the leader at every journal commit and every command of a job's life; the standby has to go on from there.

    crash_points.py --bin BUILD/bin [--first N] [--step N]

As tests/fault/crash_points.py, but nobody starts the killed controller again: another one follows, and takes over.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "support"))
sys.path.insert(0, str(Path(__file__).resolve().parent))
from instance import CannotRun, Instance  # noqa: E402
from postgres import Postgres, Proxy  # noqa: E402
from takeover import CONFIG, SKIPPED, Broken, Pair, check  # noqa: E402

POINTS = ("append", "appended", "command", "commanded")
N_MAX = 200
SCRIPT = """#!/bin/bash
echo "script $SLURM_JOB_ID ${SLURM_RESTART_COUNT:-0}" >> ran
srun -n 2 bash -c 'echo "task $SLURM_PROCID" >> ran'
echo "end" >> ran
"""
EXPECTED = ["", "end", "script 1 0", "task 0", "task 1"]


def one_run(args: argparse.Namespace, server: Postgres, point: str, n: int) -> bool:
    """Whether the leader was killed."""
    database = f"d_{point}_{n}"
    server.sql(f"CREATE DATABASE {database}")
    config = CONFIG.replace("/virga\"", f"/{database}\"").replace("30s", "1s")
    with Proxy(server) as way, Instance(args.bin, args.tier, "", config) as virga:
        (virga.work / "job.sh").write_text(SCRIPT)
        # It may be killed before it is ready: then the other one is all there is.
        virga.up(PGHOST=str(way.folder), VIRGA_CRASH_AT=f"{point}:{n}")
        pair = Pair.__new__(Pair)
        pair.virga, pair.ways = virga, {"main": way, "b": way}
        pair.start_b()
        job = pair.submit("sbatch --parsable -N 2 --ntasks-per-node=1 job.sh")
        pair.wait_for_jobs([job])
        pair.wait_until("all nodes are released", lambda: '"total":0' in virga.sh("virga status --json").stdout)
        crashed = virga.daemon_pid() is None
        ran = sorted((virga.work / "ran").read_text().split("\n"))
        check(ran == EXPECTED, f"it ran as {ran}")
        lines = virga.sh("sacct -X -n -P -o JobID,State").stdout.split()
        check(lines == [f"{job}|COMPLETED"], f"the accounts say {lines}")
        for verb in ("verify", "replay"):
            done = virga.sh(f"virga journal {verb}", PGHOST=str(way.folder))
            check(done.returncode == 0, f"virga journal {verb}: {done.stdout}")
        check(virga.down().returncode == 0, "virga down failed")
        if virga.daemon_pid() is None and pair.virga.processes():
            time.sleep(1)
        left = virga.leftovers()
        left = [item for item in left if "api.sock" not in item or not crashed]  # the killed one's socket
        check(left == [], f"left behind: {left}")
        return crashed


def main() -> int:
    parser = argparse.ArgumentParser()
    parser.add_argument("--bin", type=Path, required=True)
    parser.add_argument("--tier", default="")
    parser.add_argument("--first", type=int, default=1)
    parser.add_argument("--step", type=int, default=1)
    args = parser.parse_args()
    killed = broken = 0
    try:
        server = Postgres()
    except CannotRun as why:
        print(f"skipped: {why}")
        return SKIPPED
    with server:
        for point in POINTS:
            for n in range(args.first, N_MAX, args.step):
                try:
                    crashed = one_run(args, server, point, n)
                except (Broken, subprocess.TimeoutExpired) as what:
                    broken += 1
                    print(f"BROKEN at {point}:{n}: {what}", flush=True)
                    continue
                killed += crashed
                if not crashed:
                    print(f"{point}: reached up to {n - args.step}", flush=True)
                    break
    print(f"killed the leader at {killed} points: {broken} runs lost, doubled or leaked something", flush=True)
    if killed == 0:
        print("no point was reached: the test tested nothing", flush=True)
    return 1 if broken or killed == 0 else 0


if __name__ == "__main__":
    sys.exit(main())

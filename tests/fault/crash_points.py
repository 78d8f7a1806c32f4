#!/usr/bin/env python3
"""Kills the controller at every journal commit and every command of a job's life, and looks for what that breaks.

    crash_points.py --bin BUILD/bin [--tier root|user|plain] [--first N] [--step N]

A run: bring it up, submit a two-node job with a step, wait for its end, take it down. The controller is killed (by its
own hand: VIRGA_CRASH_AT) at the n-th commit or command, and started again at once, as a service manager would. n grows
until a run ends without reaching it. After each run: the job is in the accounts as COMPLETED exactly once, its script
and its step ran exactly once, and no process, VM or mount is left.
"""

from __future__ import annotations

import argparse
import sys
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "support"))
from instance import Instance  # noqa: E402
from keeper import Keeper  # noqa: E402

POINTS = ("append", "appended", "command", "commanded")
N_MAX = 200
CONFIG = """
[pool.nd]
max_nodes = 2
idle_time = "1s"
[partition.main]
pools = ["nd"]
default = true
"""
SCRIPT = """#!/bin/bash
echo "script $SLURM_JOB_ID ${SLURM_RESTART_COUNT:-0}" >> ran
srun -n 2 bash -c 'echo "task $SLURM_PROCID" >> ran'
sleep 0.2
echo "end" >> ran
"""


def one_run(args: argparse.Namespace, point: str, n: int) -> tuple[bool, list[str]]:
    """Whether the controller was killed, and what went wrong."""
    wrong: list[str] = []
    with Instance(args.bin, args.tier, args.user, CONFIG) as virga:
        (virga.work / "job.sh").write_text(SCRIPT)
        keeper = Keeper(virga)
        virga.up(VIRGA_CRASH_AT=f"{point}:{n}")  # may fail: it can be killed before it is ready
        keeper.start()
        submitted = virga.sh("sbatch --parsable -N 2 --ntasks-per-node=1 job.sh")
        if submitted.returncode != 0:
            wrong.append(f"sbatch failed: {submitted.stdout.strip()}")
        state = ""
        end = time.monotonic() + 40
        while time.monotonic() < end and not state.startswith("COMPLETED"):
            state = virga.sh("sacct -X -n -P -o State").stdout.strip()
            time.sleep(0.05)
        # Idle nodes go by themselves; wait for it, so that releasing is among the moments of death.
        while time.monotonic() < end and virga.sh("virga status --json").stdout.count('"total":0') == 0:
            time.sleep(0.1)
        keeper.stop()
        crashed = keeper.crashes > 0
        down = virga.down()
        if down.returncode != 0 or (virga.home / "run" / "api.sock").exists():
            # Killed while it was taken down: as a user would, bring it up and take it down again.
            crashed = True
            virga.up()
            down = virga.down()
        if down.returncode != 0:
            wrong.append(f"virga down: {down.stdout.strip()}")
        if state != "COMPLETED":
            wrong.append(f"the job ended as {state!r}")
        ran = sorted((virga.work / "ran").read_text().split("\n")) if (virga.work / "ran").exists() else []
        if ran != ["", "end", "script 1 0", "task 0", "task 1"]:
            wrong.append(f"it ran as {ran}")
        wrong += [f"left behind: {item}" for item in virga.leftovers()]
        if wrong:
            log = virga.home / "virgad.log"
            lines = log.read_text(errors="replace").splitlines()[-12:] if log.exists() else []
            wrong += ["log: " + line for line in lines]
    return crashed, wrong


def main() -> int:
    parser = argparse.ArgumentParser()
    parser.add_argument("--bin", type=Path, required=True)
    parser.add_argument("--tier", default="")
    parser.add_argument("--user", default="")
    parser.add_argument("--first", type=int, default=1)
    parser.add_argument("--step", type=int, default=1)
    args = parser.parse_args()
    killed = 0
    broken = 0
    for point in POINTS:
        for n in range(args.first, N_MAX, args.step):
            crashed, wrong = one_run(args, point, n)
            killed += crashed
            if wrong:
                broken += 1
                print(f"BROKEN at {point}:{n}\n  " + "\n  ".join(wrong), flush=True)
            if not crashed:
                print(f"{point}: {n - args.first} reached", flush=True)
                break
    print(f"killed the controller at {killed} points: {broken} runs lost, doubled or leaked something", flush=True)
    if killed == 0:
        print("no point was reached: the test tested nothing", flush=True)
        return 1
    return 1 if broken else 0


if __name__ == "__main__":
    sys.exit(main())

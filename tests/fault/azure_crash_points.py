#!/usr/bin/env python3
"""Kills the controller at every call of Azure's management API in a gang's life, and looks for what that breaks.

    azure_crash_points.py --bin BUILD/bin [--user NAME] [--first N] [--step N]

A run: virga-arm with virtual nodes, a gang of two scale sets is reserved, runs its job, ends, is released, its sets are
deleted. The controller is killed (by its own hand: VIRGA_FAULT_ARM) right before or right after its n-th call, and
started again at once. n grows until a run ends without reaching it. After each run the stand-in's books and Virga's are
compared: the job ran once, to its end; no VM and no set is left (orphans); no more VMs were made, or were there at a
time, than the gang has nodes (doubles); each VM that was billed is in Virga's accounts, at no less than it cost.
"""

from __future__ import annotations

import argparse
import json
import sys
import threading
import time
from dataclasses import dataclass, field
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "support"))
from azure_stand_in import StandIn  # noqa: E402
from instance import CannotRun, Instance  # noqa: E402
from keeper import Keeper  # noqa: E402

POINTS = ("before", "after")
NODES = 2
N_MAX = 300
PATIENCE_S = 120
CONFIG = """
[cluster]
kill_wait = "1s"
[pool.nd]
cloud = "azure"
max_nodes = 2
set_nodes_max = 1
ib_spans_sets = true
idle_time = "1s"
[partition.main]
pools = ["nd"]
default = true
[cloud.azure]
watch_interval = "4s"
"""
SCENARIO = """
speed = 20
[boot.default]
least = "1s"
"""
SCRIPT = """#!/bin/bash
echo "script $SLURM_JOB_ID ${SLURM_RESTART_COUNT:-0}" >> ran
srun -n 2 bash -c 'echo "task $SLURM_PROCID" >> ran'
echo "end" >> ran
"""


@dataclass
class Outcome:
    crashed: bool = False
    orphans: int = 0
    doubles: int = 0
    wrong: list[str] = field(default_factory=list)


class Census(threading.Thread):
    """How many VMs there were at a time, at most."""

    def __init__(self, arm: StandIn) -> None:
        super().__init__(daemon=True)
        self.arm = arm
        self.most = 0
        self.stopping = threading.Event()

    def run(self) -> None:
        while not self.stopping.wait(0.1):
            self.most = max(self.most, len(self.arm.admin("state")["vms"]))


def is_over(virga: Instance, arm: StandIn) -> bool:
    """The job has ended, its nodes are gone, and so are their sets."""
    if not virga.sh("sacct -X -n -P -o State").stdout.startswith("COMPLETED"):
        return False
    status = virga.sh("virga status --json").stdout
    return '"total":0' in status and not arm.left(patience_s=0)


def check_books(virga: Instance, arm: StandIn, census: Census, outcome: Outcome) -> None:
    bill = arm.admin("bill")
    left = arm.left(patience_s=0)
    outcome.orphans = len(left)
    outcome.wrong += [f"orphan: {item}" for item in left]
    outcome.doubles = max(len(bill["vms"]), census.most) - NODES
    if outcome.doubles > 0:
        outcome.wrong.append(f"{len(bill['vms'])} VMs were made, up to {census.most} at a time, for {NODES} nodes")
    known = json.loads(virga.sh("virga cost --json").stdout)["total"]
    if known["vms"] != len(bill["vms"]):
        outcome.wrong.append(f"{len(bill['vms'])} VMs were billed, {known['vms']} are known")
    # Azure's times run faster here; its bill is looked at in ours.
    billed = bill["total"]["usd"] / arm.speed
    if known["vm_cost"] < billed:
        outcome.wrong.append(f"{billed} USD were billed, {known['vm_cost']} are known")
    ran = sorted((virga.work / "ran").read_text().split("\n")) if (virga.work / "ran").exists() else []
    if ran != ["", "end", "script 1 0", "task 0", "task 1"]:
        outcome.wrong.append(f"the job ran as {ran}")


def one_run(args: argparse.Namespace, point: str, n: int) -> Outcome:
    outcome = Outcome()
    with Instance(args.bin, "", args.user, CONFIG) as virga:
        arm = StandIn(virga, SCENARIO)
        arm.configure(virga)
        (virga.work / "job.sh").write_text(SCRIPT)
        census = Census(arm)
        census.start()
        keeper = Keeper(virga)
        virga.up(VIRGA_FAULT_ARM=f"{point}:{n}")  # may fail: it can be killed before it is ready
        keeper.start()
        submitted = virga.sh(f"sbatch --parsable -N {NODES} --ntasks-per-node=1 job.sh")
        if submitted.returncode != 0:
            outcome.wrong.append(f"sbatch failed: {submitted.stdout.strip()}")
        end = time.monotonic() + PATIENCE_S
        while time.monotonic() < end and not is_over(virga, arm):
            time.sleep(0.2)
        keeper.stop()
        outcome.crashed = keeper.crashes > 0
        check_books(virga, arm, census, outcome)
        census.stopping.set()
        census.join()
        down = virga.down()
        if down.returncode != 0:
            outcome.wrong.append(f"virga down: {down.stdout.strip()}")
        outcome.wrong += [f"left behind: {item}" for item in arm.stop() + virga.leftovers()]
        if outcome.wrong:
            log = (virga.home / "virgad.log").read_text(errors="replace").splitlines()[-12:]
            outcome.wrong += ["log: " + line for line in log]
    return outcome


def main() -> int:
    parser = argparse.ArgumentParser()
    parser.add_argument("--bin", type=Path, required=True)
    parser.add_argument("--user", default="")
    parser.add_argument("--first", type=int, default=1)
    parser.add_argument("--step", type=int, default=1)
    args = parser.parse_args()
    killed = orphans = doubles = broken = 0
    for point in POINTS:
        for n in range(args.first, N_MAX, args.step):
            try:
                outcome = one_run(args, point, n)
            except CannotRun as why:
                print(f"skipped: {why}")
                return 77
            killed += outcome.crashed
            orphans += max(0, outcome.orphans)
            doubles += max(0, outcome.doubles)
            broken += bool(outcome.wrong)
            if outcome.wrong:
                print(f"BROKEN {point} call {n}\n  " + "\n  ".join(outcome.wrong), flush=True)
            if not outcome.crashed:
                print(f"{point}: a life without a crash ended before its call {n}", flush=True)
                break
    print(f"killed the controller at {killed} calls: {orphans} orphans, {doubles} doubles, {broken} broken runs")
    if killed == 0:
        print("no call was reached: the test tested nothing")
        return 1
    return 1 if broken else 0


if __name__ == "__main__":
    sys.exit(main())

#!/usr/bin/env python3
"""What may go wrong around jobs on real Slurm, one fault after the other, and what is lost, doubled or leaked by it.

    matrix.py --bin BUILD/bin [--all] [--only TEXT] [--newer OTHER/bin]

Each case has a PostgreSQL server, two controllers, a slurmctld and nodes of its own, all of them real processes, the
nodes in namespaces. A fault is injected while a job starts, runs or ends. Afterwards every job has one end in the
accounts, no incarnation of it ran twice or beside another, Slurm has no job any more, the journal is whole and its
replay gives the leader's state, and `virga down` leaves no process, mount, control group, socket, network port or lock.
Without --all: the quick ones. --only takes the cases that have the text in their names. --newer: the programs that
"upgrade of Virga" goes over to.

Needs root, Debian's slurm-wlm, munge and postgresql-15; faketime for the clocks. Exit code 77: this machine has not.
"""

from __future__ import annotations

import argparse
import os
import shutil
import subprocess
import sys
import tempfile
import time
from contextlib import ExitStack
from pathlib import Path

from controller_faults import CASES as CONTROLLER_CASES
from controller_faults import CommitCutter, takeover_at
from slurm_faults import CASES as SLURM_CASES
from slurm_faults import FAKETIME
from world import CONFIG, Broken, World

from instance import CannotRun, Instance
from postgres import Postgres

SKIPPED = 77
QUICK = {("slurmctld killed", "run"), ("slurmd killed", "run"), ("network cut for a moment", "run"),
         ("munge key differs", "boot"), ("slurmctld, another slurm.conf", "run"), ("upgrade of Virga", "run"),
         ("connection cut in commits", "life"), ("leader killed", "run")}
POINTS = ("append", "appended", "command", "commanded")
N_MAX = 200
DISK_MIB = 160


def lacks() -> str:
    """What this machine has not; empty: nothing."""
    if os.geteuid() != 0:
        return "only root can give Slurm's nodes networks of their own"
    if not all(shutil.which(program, path="/usr/sbin:/usr/bin") for program in ("slurmctld", "slurmd", "munged")):
        return "Slurm is not installed (script/setup --group slurm)"
    return ""


def programs_of_its_own(bin_dir: Path, stack: ExitStack) -> Path:
    """A copy that a case may replace."""
    folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="virga-matrix-", dir="/var/tmp")))
    folder.chmod(0o755)
    for entry in bin_dir.iterdir():
        if entry.is_symlink() or entry.name in ("virga", "virgad", "virga-node"):
            shutil.copy(entry, folder / entry.name, follow_symlinks=False)
    return folder


def run_case(args: argparse.Namespace, what: str, when: str, case) -> tuple[bool, World | None]:
    """Prints the case's line, and below it what was wrong. Returns whether all was well."""
    start = time.monotonic()
    with ExitStack() as stack:
        bin_dir = programs_of_its_own(args.bin, stack) if what.startswith("upgrade") else args.bin
        server = stack.enter_context(Postgres(disk_mib=DISK_MIB if "disk" in what else 0))
        server.sql("CREATE DATABASE virga")
        ways = {name: stack.enter_context(CommitCutter(server)) for name in ("main", "b")}
        crash_at = getattr(case, "crash_at", "")
        config = CONFIG.format(idle_time="1s" if crash_at else "60s", boot_timeout="20s" if when == "boot" else "120s")
        config += getattr(case, "more_config", "")
        virga = stack.enter_context(Instance(bin_dir, "root", "", config))
        world, seen = None, ""
        try:
            world = World(virga, ways, server, args.newer or args.bin, crash_at)
            seen = case(world)
            world.take_down()
        except (Broken, OSError, RuntimeError, ValueError, KeyError, IndexError, subprocess.TimeoutExpired) as problem:
            seen = f"BROKEN: {problem}" + (f" (after: {seen})" if seen else "")
        counts = world.counts if world else {}
        wrong = world.wrong if world else []
        well = not wrong and not seen.startswith("BROKEN")
        print(f"{what:<30} {when:<5} {' '.join(f'{key} {n}' for key, n in counts.items())}  {seen}"
              f"  [{time.monotonic() - start:.0f} s]", flush=True)
        if not well:
            show(wrong, virga)
        return well, world


def show(wrong: list[str], virga: Instance) -> None:
    for line in wrong:
        print(f"    {line}")
    for log in (*sorted(virga.home.glob("virgad*.log")), virga.home / "slurm/log/slurmctld.log"):
        if log.exists():
            print(f"    --- {log.name}")
            for line in log.read_text(errors="replace").splitlines()[-25:]:
                print(f"    {line}")
    sys.stdout.flush()


def chosen_cases(args: argparse.Namespace):
    for what, moments in {**SLURM_CASES, **CONTROLLER_CASES}.items():
        for when, case in moments.items():
            if args.only in f"{what} {when}" and (args.all or args.only or (what, when) in QUICK):
                yield what, when, case


def run_points(args: argparse.Namespace) -> tuple[int, int]:
    """The leader is killed at each commit and command; how many runs there were, and how many went wrong."""
    runs = broken = 0
    for point in POINTS:
        for n in range(args.first_point, N_MAX, args.point_step):
            well, world = run_case(args, f"takeover at {point}:{n}", "life", takeover_at(point, n))
            runs += 1
            broken += not well
            if well and not world.crashed:
                break
    return runs, broken


def main() -> int:
    parser = argparse.ArgumentParser()
    parser.add_argument("--bin", type=Path, required=True)
    parser.add_argument("--newer", type=Path)
    parser.add_argument("--all", action="store_true")
    parser.add_argument("--only", default="")
    parser.add_argument("--points", action="store_true", help="takeover at the commits and commands of a job's life")
    parser.add_argument("--first-point", type=int, default=1)
    parser.add_argument("--point-step", type=int, default=1)
    args = parser.parse_args()
    args.bin = args.bin.resolve()
    if why := lacks():
        print(f"skipped: {why}")
        return SKIPPED
    runs = broken = 0
    try:
        for what, when, case in [] if args.points else chosen_cases(args):
            if what.startswith("clock") and not FAKETIME.exists():
                print(f"{what:<30} {when:<5} skipped: Debian's package faketime is not installed", flush=True)
                continue
            runs += 1
            broken += not run_case(args, what, when, case)[0]
        if args.points or (args.all and not args.only):
            more, wrong = run_points(args)
            runs, broken = runs + more, broken + wrong
    except CannotRun as why:
        print(f"skipped: {why}")
        return SKIPPED
    print(f"{runs} faults: after {broken} of them something was lost, doubled, leaked or otherwise wrong", flush=True)
    if runs == 0:
        print(f"no case has \"{args.only}\" in its name")
    return 1 if broken or runs == 0 else 0


if __name__ == "__main__":
    sys.exit(main())

#!/usr/bin/env python3
"""Plays differential scenarios (scenario_file.py says how they are written) on one cluster.

    run.py --bin BUILD/bin FILE…       on Virga, in one prefix for all; prints what differs from real Slurm
    run.py --record FILE…              on Debian's Slurm; writes what it printed into the files (script/record-slurm)
    run.py --bin BUILD/bin --own FILE… writes Virga's output below the lines that say why it differs
    run.py --count FILE…               scenarios and deliberate differences
    --only TEXT                        scenarios that have it in their names

What Virga does not do yet is in debts.txt, a line for each scenario: FILE: NAME. Those that fit by now are named, to be
struck; --debts writes the list anew for these files.
"""

from __future__ import annotations

import argparse
import difflib
import shutil
import signal
import socket
import subprocess
import sys
from pathlib import Path

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE))
from clusters import CannotRun, Cluster, RealSlurm, Virga  # noqa: E402
from scenario_file import Normal, Scenario, Seen, lines_of, parse, write  # noqa: E402

MOST_S = 120
DEBTS = HERE / "debts.txt"


def read_debts() -> set[str]:
    return set(DEBTS.read_text().splitlines()) if DEBTS.exists() else set()


def play(cluster: Cluster, scenario: Scenario) -> list[Seen]:
    """What its commands did; fewer of them where the time was not enough."""
    for left in list(cluster.work.iterdir()):
        shutil.rmtree(left) if left.is_dir() and not left.is_symlink() else left.unlink()
    place = cluster.home / "play"
    shutil.rmtree(place, ignore_errors=True)
    place.mkdir()
    place.chmod(0o777)
    for number, command in enumerate(scenario.commands, 1):
        (place / f"{number}.cmd").write_text(command.text)
    shutil.copy(HERE / "helpers.sh", place)
    try:
        cluster.run(["bash", "-c", f". {place}/helpers.sh; play_commands {place}"], timeout=MOST_S)
    except subprocess.TimeoutExpired:
        cluster.run(["bash", "-c", f". {place}/helpers.sh; all_over"])
    normal = Normal(str(cluster.work), socket.gethostname().split(".")[0])
    seen = []
    for number in range(1, len(scenario.commands) + 1):
        rc = place / f"{number}.rc"
        if not rc.exists():
            break
        texts = [(place / f"{number}.{what}").read_text(errors="backslashreplace") for what in ("out", "err")]
        seen.append(normal.seen(*texts, int(rc.read_text())))
    if (place / "left").exists():
        print(f"     {scenario.name}: jobs did not end", flush=True)
    return seen


def differences(path: Path, scenario: Scenario, seen: list[Seen]) -> str:
    text = ""
    for number, command in enumerate(scenario.commands):
        where = f"{path.name}:{command.line}: $ {command.text}\n"
        if number >= len(seen):
            return text + where + f"    did not end within {MOST_S} s\n"
        wanted = lines_of(command.expected())
        got = lines_of(seen[number])
        if wanted != got:
            text += where + "".join(f"    {line}\n" for line in difflib.ndiff(wanted, got) if line[0] != " ")
    return text


def main() -> int:
    parser = argparse.ArgumentParser()
    parser.add_argument("--bin", type=Path)
    parser.add_argument("--record", action="store_true")
    parser.add_argument("--own", action="store_true")
    parser.add_argument("--count", action="store_true")
    parser.add_argument("--debts", action="store_true")
    parser.add_argument("--only", default="")
    parser.add_argument("files", type=Path, nargs="+")
    args = parser.parse_args()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))  # the cluster is taken down on the way out
    files = [parse(path) for path in args.files]
    chosen = [(file, scenario) for file in files for scenario in file.scenarios if args.only in scenario.name]
    differing = sum(1 for _, scenario in chosen if any(command.why for command in scenario.commands))
    if args.count:
        print(f"{len(chosen)} scenarios, {differing} of them with a difference on purpose")
        return 0
    kinds = {file.cluster() for file in files}
    if len(kinds) > 1:
        parser.error("these files want different clusters")
    kind = kinds.pop()
    failed = owed = 0
    debts = read_debts()
    failures: set[str] = set()
    try:
        with RealSlurm(kind) if args.record else Virga(args.bin.resolve(), kind) as cluster:
            for file, scenario in chosen:
                seen = play(cluster, scenario)
                if args.record or args.own:
                    for command, did in zip(scenario.commands, seen):
                        if args.record:
                            command.slurm = did
                        elif command.why:
                            command.virga = did
                    write(file)
                    if len(seen) < len(scenario.commands):
                        print(f"     {scenario.name}: did not end", flush=True)
                    continue
                name = f"{file.path.stem}: {scenario.name}"
                problem = differences(file.path, scenario, seen)
                if problem:
                    failures.add(name)
                if problem and name in debts and not args.debts:
                    owed += 1
                elif problem:
                    failed += 1
                    print(f"FAIL {name}\n{problem}", flush=True)
                elif name in debts and not args.debts:
                    print(f"{name}\n    fits now: strike it from debts.txt", flush=True)
    except CannotRun as why:
        print(f"skipped: {why}")
        return 77
    if args.debts:
        tried = {f"{file.path.stem}: {scenario.name}" for file, scenario in chosen}
        DEBTS.write_text("".join(f"{name}\n" for name in sorted((debts - tried) | failures)))
        return 0
    print(f"{len(chosen)} scenarios, {failed} failed, {owed} not done yet, {differing} with a difference on purpose")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())

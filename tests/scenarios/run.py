#!/usr/bin/env python3
"""Runs text scenarios: what a user types, and what he must see.

    run.py --bin BUILD/bin [--tier root|user|plain] [--user NAME] FILE...

A scenario is a text file:

    # a comment
    @config                      the instance's virga.toml, up to @end
    …
    @end
    @azure                       the cloud of the azure pools, a virga-arm whose VMs are virtual nodes; its scenario
    …                            (docs/virga-arm.md), up to @end. [cloud.azure] of @config is completed with what leads
    @end                         there. `@azure simulated`: VMs that run nothing. `arm-admin` asks it and breaks it
                                 (tests/support/bin). Skipped where it cannot run
    $ sbatch --wrap true         a shell command, run in a fresh work folder
    Submitted batch job 1        its output, line by line, stdout and stderr together
    ~ .*regular expression.*     a line that matches as a whole
    ...                          any lines, also none
    = 1                          its exit code, where it is not 0
    $~ squeue -h                 the same, but tried again until it fits or 20 s are over
    $[games] squeue              as another user (needs root; else the scenario is skipped)
    @needs root                  the scenario is skipped, and says so, when the tests do not run as root
    @needs slurm                 the same where Slurm cannot be the engine
    @needs slurmdbd              the same, and where it cannot have accounts of its own
    @needs confinement           the same, and where jobs cannot have control groups

`virga up` comes before the first command (unless the file says @no-daemon) and `virga down --cancel` after the last;
then nothing of the instance may be left, nor of what it had in the stand-in.
"""

from __future__ import annotations

import argparse
import os
import re
import shutil
import subprocess
import sys
import time
from dataclasses import dataclass, field
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "support"))
from azure_stand_in import StandIn  # noqa: E402
from instance import CannotRun, Instance  # noqa: E402

RETRY_S = 20.0


@dataclass
class Command:
    line: int
    text: str
    retry: bool
    user: str | None
    expected: list[str] = field(default_factory=list)
    code: int = 0


@dataclass
class Scenario:
    commands: list[Command] = field(default_factory=list)
    config: str = ""
    daemon: bool = True
    needs_root: bool = False
    needs_slurm: bool = False
    needs_slurmdbd: bool = False
    needs_confinement: bool = False
    azure: str | None = None  # the stand-in's scenario
    simulated: bool = False


class Malformed(Exception):
    pass


def parse(path: Path) -> Scenario:
    scenario = Scenario()
    lines = path.read_text().splitlines()
    i = 0
    while i < len(lines):
        line = lines[i]
        i += 1
        head = re.match(r"\$(~?)(?:\[(\w+)\])?(~?) (.*)", line)
        if head:
            scenario.commands.append(Command(i, head[4], bool(head[1] or head[3]), head[2]))
        elif line == "@config":
            end = lines.index("@end", i)
            scenario.config = "\n".join(lines[i:end]) + "\n"
            i = end + 1
        elif line in ("@azure", "@azure simulated"):
            end = lines.index("@end", i)
            scenario.azure = "\n".join(lines[i:end]) + "\n"
            scenario.simulated = line.endswith("simulated")
            i = end + 1
        elif line == "@no-daemon":
            scenario.daemon = False
        elif line == "@needs root":
            scenario.needs_root = True
        elif line in ("@needs slurm", "@needs slurmdbd", "@needs confinement"):
            scenario.needs_root = scenario.needs_slurm = True
            scenario.needs_slurmdbd |= line == "@needs slurmdbd"
            scenario.needs_confinement |= line == "@needs confinement"
        elif line.startswith("#") or not line.strip():
            continue
        elif not scenario.commands:
            raise Malformed(f"{path}:{i}: output before the first command: {line}")
        elif re.match(r"= \d+$", line):
            scenario.commands[-1].code = int(line[2:])
        else:
            scenario.commands[-1].expected.append(line)
    return scenario


def fits(expected: list[str], got: list[str]) -> bool:
    if not expected:
        return not got
    first, rest = expected[0], expected[1:]
    if first == "...":
        return any(fits(rest, got[n:]) for n in range(len(got) + 1))
    if not got:
        return False
    same = re.fullmatch(first[2:], got[0]) if first.startswith("~ ") else first == got[0].rstrip()
    return bool(same) and fits(rest, got[1:])


def run_command(path: Path, command: Command, virga: Instance) -> str:
    """Returns "" when it did what is written, or what went wrong."""
    end = time.monotonic() + (RETRY_S if command.retry else 0)
    while True:
        try:
            done = virga.sh(command.text, user=command.user)
        except subprocess.TimeoutExpired as late:
            return f"{path.name}:{command.line}: $ {command.text}\n  did not end within {late.timeout} s"
        got = done.stdout.splitlines()
        if done.returncode == command.code and fits(command.expected, got):
            return ""
        if time.monotonic() >= end:
            wanted = "\n".join("    " + e for e in command.expected) or "    (nothing)"
            log = virga.home / "virgad.log"
            tail = "\n".join(log.read_text(errors="replace").splitlines()[-10:]) if log.exists() else ""
            seen = "\n".join("    " + g for g in got)
            return (f"{path.name}:{command.line}: $ {command.text}\n  expected (exit {command.code}):\n"
                    f"{wanted}\n  got (exit {done.returncode}):\n{seen}\n  log:\n{tail}")
        time.sleep(0.05)


def play_in(path: Path, scenario: Scenario, virga: Instance) -> str:
    if scenario.daemon:
        up = virga.up()
        if up.returncode != 0:
            return f"virga up: exit {up.returncode}\n{up.stdout}"
    for command in scenario.commands:
        if problem := run_command(path, command, virga):
            return problem
    down = virga.down()
    if down.returncode != 0:
        return f"virga down: exit {down.returncode}\n{down.stdout}"
    return ""


def play(path: Path, args: argparse.Namespace) -> str:
    """Returns "" when all went as written, "skip: why", or what went wrong."""
    scenario = parse(path)
    needs_root = scenario.needs_root or any(c.user for c in scenario.commands)
    if needs_root and (os.geteuid() != 0 or args.user):
        return "skip: needs root"
    if scenario.needs_slurm and args.tier == "plain":
        return "skip: plain processes cannot be Slurm's nodes"
    if scenario.needs_slurm and not all(shutil.which(p, path="/usr/sbin:/usr/bin") for p in ("slurmctld", "munged")):
        return "skip: Slurm is not installed (script/setup --group slurm)"
    accounts = all(shutil.which(p, path="/usr/sbin:/usr/bin") for p in ("slurmdbd", "mariadbd"))
    if scenario.needs_slurmdbd and not accounts:
        return "skip: slurmdbd is not installed (script/setup --group slurm)"
    if scenario.needs_confinement and not os.access("/sys/fs/cgroup/freezer/tasks", os.W_OK):
        return "skip: this machine has no control groups of version 1 that can be written"
    if scenario.azure is not None and not scenario.simulated and args.tier == "plain":
        return "skip: plain processes cannot be the stand-in's VMs"
    if scenario.azure is not None and not (shutil.which("curl") and shutil.which("jq")):
        return "skip: curl or jq is not installed"
    with Instance(args.bin, args.tier, args.user, scenario.config) as virga:
        arm = None
        try:
            if scenario.azure is not None:
                arm = StandIn(virga, scenario.azure, scenario.simulated)
                arm.configure(virga)
        except CannotRun as why:
            return f"skip: {why}"
        problem = play_in(path, scenario, virga)
        if problem:
            return problem
        left = (arm.stop() if arm else []) + virga.leftovers()
        if left:
            return "left behind:\n" + "\n".join("    " + item for item in left)
    return ""


def main() -> int:
    parser = argparse.ArgumentParser()
    parser.add_argument("--bin", type=Path, required=True)
    parser.add_argument("--tier", default="")
    parser.add_argument("--user", default="")
    parser.add_argument("files", type=Path, nargs="+")
    args = parser.parse_args()
    failed = 0
    skipped = 0
    for path in args.files:
        start = time.monotonic()
        problem = play(path, args)
        took = time.monotonic() - start
        if problem.startswith("skip: "):
            skipped += 1
            print(f"SKIP {path.stem}: {problem[6:]}", flush=True)
        elif problem:
            failed += 1
            print(f"FAIL {path.stem} ({took:.1f} s)\n{problem}", flush=True)
        else:
            print(f"ok   {path.stem} ({took:.1f} s)", flush=True)
    if skipped == len(args.files):
        return 77
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())

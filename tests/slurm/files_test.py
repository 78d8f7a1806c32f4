#!/usr/bin/env python3
"""The files of differential scenarios themselves: they can be read, say what they prove, and few of them differ."""

from __future__ import annotations

import re
import sys
from pathlib import Path

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE))
from scenario_file import lines_of, parse, write  # noqa: E402

LEAST_SCENARIOS = 300
MOST_DEBTS = 58
MOST_DIFFERENCES_PERCENT = 15
COMMANDS = ("sbatch salloc srun squeue scancel sinfo sacct scontrol sstat sprio sshare sacctmgr sdiag strigger sattach "
            "sbcast scrontab sreport").split()


def main() -> int:
    wrong: list[str] = []
    scenarios = differing = 0
    known: set[str] = set()
    debts = (HERE / "debts.txt").read_text().splitlines() if (HERE / "debts.txt").exists() else []
    for path in sorted(HERE.glob("*.test")):
        file = parse(path)
        before = path.read_text()
        write(file)
        if path.read_text() != before:
            path.write_text(before)
            wrong.append(f"{path.name}: is not as script/record-slurm writes it")
        if not file.proves():
            wrong.append(f"{path.name}: says nothing behind # proves:")
        for proof in file.proves():
            if not re.fullmatch(r"(%s) --?[A-Za-z][A-Za-z0-9-]*" % "|".join(COMMANDS), proof):
                wrong.append(f"{path.name}: no command and option: {proof}")
        names = [scenario.name for scenario in file.scenarios]
        twice = sorted({name for name in names if names.count(name) > 1})
        wrong += [f"{path.name}: two scenarios are called {name}" for name in twice]
        for scenario in file.scenarios:
            scenarios += 1
            known.add(f"{path.stem}: {scenario.name}")
            differing += any(command.why for command in scenario.commands)
            for command in scenario.commands:
                if command.why and lines_of(command.slurm) == lines_of(command.virga):
                    wrong.append(f"{path.name}:{command.line}: does not differ any more from Slurm: {command.why}")
    wrong += [f"debts.txt: no such scenario: {debt}" for debt in debts if debt not in known]
    if len(debts) > MOST_DEBTS:
        wrong.append(f"debts.txt: {len(debts)} scenarios; the list may only shrink, and had {MOST_DEBTS}")
    if scenarios < LEAST_SCENARIOS:
        wrong.append(f"{scenarios} scenarios; there shall be {LEAST_SCENARIOS}")
    if differing * 100 > scenarios * MOST_DIFFERENCES_PERCENT:
        wrong.append(f"{differing} of {scenarios} scenarios differ on purpose: too many")
    print("\n".join(wrong) or f"{scenarios} scenarios, {differing} differ on purpose, {len(debts)} are not done yet")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())

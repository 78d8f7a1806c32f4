#!/usr/bin/env python3
"""What a journal in PostgreSQL costs beside SQLite's, and how long a takeover takes.

    bench/standby.py [--bin build/release/bin] [--rounds 5] [--seconds 3] [--only append,takeover]

append: durable events a second, 8 clients that each have 1 or 64 submissions under way, group commit; both journals
alternately, on the same disk; PostgreSQL over TCP on 127.0.0.1, with its defaults (fsync and synchronous_commit on).
takeover: tests/standby/takeover.py, from the fault to the first submission that was accepted.
Needs `cmake --build --preset release --target journal_append`.
"""

from __future__ import annotations

import argparse
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT / "tests" / "support"))
from postgres import Postgres  # noqa: E402

PORT = 55432
GOAL = 3_000


def append_rate(program: Path, journal: str, in_flight: int, seconds: float) -> float:
    words = [program, journal, "8", str(in_flight), str(seconds)]
    done = subprocess.run(words, text=True, stdout=subprocess.PIPE, check=True)
    return float(done.stdout.split()[0])


def append(args: argparse.Namespace) -> None:
    program = args.bin / "journal_append"
    rates: dict[tuple[str, int], list[float]] = {}
    with Postgres(PORT) as server, tempfile.TemporaryDirectory(prefix="virga-bench-", dir="/var/tmp") as folder:
        for n in range(args.rounds):
            for in_flight in (1, 64):
                server.sql(f"CREATE DATABASE r{n}_{in_flight}")
                url = f"postgres://virga@127.0.0.1:{PORT}/r{n}_{in_flight}"
                for name, journal in (("postgres", url), ("sqlite", f"{folder}/{n}-{in_flight}.db")):
                    rates.setdefault((name, in_flight), []).append(
                        append_rate(program, journal, in_flight, args.seconds))
    for (name, in_flight), values in rates.items():
        goal = f"  goal >= {GOAL:,}" if name == "postgres" else ""
        print(f"append, {name}, 8 clients, {in_flight} under way each: {statistics.median(values):,.0f} events/s "
              f"({min(values):,.0f}-{max(values):,.0f}, n={len(values)}){goal}", flush=True)


def takeover(args: argparse.Namespace) -> None:
    subprocess.run([ROOT / "tests/standby/takeover.py", "--bin", args.bin, "--times", str(args.rounds), "--only",
                    "killed,frozen,cut_from_database,handed_over"], check=True)


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--bin", type=Path, default=ROOT / "build/release/bin")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--seconds", type=float, default=3.0)
    parser.add_argument("--only", default="append,takeover")
    args = parser.parse_args()
    for part in args.only.split(","):
        {"append": append, "takeover": takeover}[part](args)


if __name__ == "__main__":
    main()

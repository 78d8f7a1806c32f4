#!/usr/bin/env python3
"""User CPU seconds of trace replays, the whole program: start, reading and unpacking the trace, replay, figures.

    bench/simulate.py --data FOLDER [--virga build/release/bin/virga] [--rounds 5]

FOLDER holds traces/kth-sp2-1996.csv.gz and traces/llnl-atlas-2006.csv.gz. Prints the median, the spread and the goal.
What one decision costs as the queue grows is measured by bench/queue_kernel.cpp.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import statistics
import subprocess
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
REPLAYS = [
    ("KTH, 100 nodes, EASY", "kth-sp2-1996.csv.gz", ["--units", "100"], 0.06),
    ("Atlas x 11, 101,376 units, EASY", "llnl-atlas-2006.csv.gz", ["--units", "9216", "--overlay", "11"], 4.0),
]


def user_seconds(command: list[str]) -> tuple[float, str]:
    before = resource.getrusage(resource.RUSAGE_CHILDREN).ru_utime
    output = subprocess.run(command, check=True, capture_output=True, text=True).stdout
    return resource.getrusage(resource.RUSAGE_CHILDREN).ru_utime - before, output


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    data = os.environ.get("VIRGA_SHARED_DATA")
    parser.add_argument("--data", default=data, required=data is None)
    parser.add_argument("--virga", default=str(ROOT / "build/release/bin/virga"))
    parser.add_argument("--rounds", type=int, default=5)
    args = parser.parse_args()
    missing = [trace for _, trace, _, _ in REPLAYS if not Path(args.data, "traces", trace).is_file()]
    if missing:
        parser.error(f"{args.data} holds no traces/{missing[0]}; --data is the folder above the traces")
    for name, trace, options, goal in REPLAYS:
        command = [args.virga, "simulate", "--trace", f"{args.data}/traces/{trace}", "--json", "-", *options]
        runs = [user_seconds(command) for _ in range(args.rounds)]
        seconds = [run[0] for run in runs]
        jobs = json.loads(runs[0][1])["jobs"]
        print(f"{name:<34} {jobs:>8} jobs  {statistics.median(seconds):7.3f} s user "
              f"({min(seconds):.3f}–{max(seconds):.3f}, n={len(seconds)})  goal {goal} s")


if __name__ == "__main__":
    main()

#!/usr/bin/env python3
"""How good the decisions are: waits, costs and leaves on recorded workloads, beside the goals set for them.

    bench/quality.py --data FOLDER [--virga build/release/bin/virga] [--only backfill|mix|leaves]

FOLDER holds traces/kth-sp2-1996.csv.gz, llnl-atlas-2006.csv.gz and philly-2017.csv.gz. Three tables, in Markdown:

backfill  mean bounded slowdown and longest wait of EASY, EASY-SJBF and Virga's order in the flat simulator
mix       cost against wait of examples/scenarios/philly.toml: VMs reserved x what an hour of waiting is worth
leaves    jobs on more leaves than they need, of examples/scenarios/atlas.toml: how long they wait for the fewest

The first takes seconds, the last a minute, the mix about a minute for each of its rows. All figures are simulated time
and list prices: the same on every machine.
"""

from __future__ import annotations

import argparse
import json
import os
import re
import subprocess
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
FLAT = [
    ("KTH, 100 nodes", "kth-sp2-1996.csv.gz", ["--units", "100"]),
    ("Philly, 768 GPUs", "philly-2017.csv.gz", ["--units", "768", "--unit-column", "gpus"]),
    ("Atlas, 9,216 CPUs", "llnl-atlas-2006.csv.gz", ["--units", "9216"]),
]
#        reserved VMs, $/h that waiting is worth, VMs on demand at most
MIXES = [(80, 5, 120), (80, 20, 120), (80, 100, 120), (80, 400, 16), (76, 100, 120), (72, 20, 120), (72, 100, 120),
         (68, 100, 120), (64, 60, 120), (64, 80, 120), (64, 100, 120), (64, 200, 120), (64, 400, 120), (60, 100, 120),
         (60, 1000, 120)]
LEAVES = ["0s", "10m", "30m", "1h", "2h", "4h"]


class Bench:
    def __init__(self, virga: str, traces: Path):
        self.virga = virga
        self.traces = traces
        self.scratch = Path(tempfile.mkdtemp(prefix="virga-quality-"))

    def figures(self, *options: str) -> dict:
        command = [self.virga, "simulate", "--json", "-", *options]
        return json.loads(subprocess.run(command, check=True, capture_output=True, text=True).stdout)

    def flat(self, trace: str, *options: str) -> dict:
        return self.figures("--trace", str(self.traces / trace), *options)

    def scenario(self, name: str, trace: str, changes: list[tuple[str, str]]) -> dict:
        text = (ROOT / "examples/scenarios" / name).read_text()
        for pattern, value in changes:
            text, count = re.subn(pattern, value, text, flags=re.M)
            if count != 1:
                raise SystemExit(f"{name}: {pattern} is there {count} times, not once")
        file = self.scratch / name
        file.write_text(text)
        return self.figures("--scenario", str(file), "--trace", str(self.traces / trace),
                            "--html", str(self.scratch / "page.html"))


def row(*cells: object) -> None:
    print("| " + " | ".join(str(cell) for cell in cells) + " |", flush=True)


def header(*cells: str) -> None:
    row(*cells)
    print("|---" * len(cells) + "|")


def backfill(bench: Bench) -> None:
    print("\nGoal: mean bounded slowdown <= 1.00 x EASY-SJBF's, longest wait <= 1.10 x EASY's.\n")
    header("trace", "estimates", "policy", "mean bounded slowdown", "x EASY-SJBF", "longest wait, s", "x EASY", "goal")
    for name, trace, options in FLAT:
        for estimates in ("request", "exact"):
            runs = {policy: bench.flat(trace, *options, "--estimates", estimates, "--policy", policy)
                    for policy in ("easy", "easy-sjbf", "virga")}
            for policy, run in runs.items():
                slowdown = run["mean_bsld10"] / runs["easy-sjbf"]["mean_bsld10"]
                longest = run["max_wait_s"] / runs["easy"]["max_wait_s"]
                reached = "reached" if slowdown <= 1 and longest <= 1.1 else "missed"
                row(name, estimates, policy, f"{run['mean_bsld10']:.3f}", f"{slowdown:.3f}", f"{run['max_wait_s']:,}",
                    f"{longest:.3f}", reached if policy == "virga" else "")


def mix(bench: Bench) -> None:
    print("\nGoal: cost <= 1.10 x the zero-wait bound, mean wait < 10 min, at most 96 VMs (768 GPUs) reserved.\n")
    header("reserved VMs", "bought VMs at most", "an hour's wait, $", "cost / bound", "mean wait, min", "95 %, min",
           "longest, h", "VMs bought", "goal")
    for reserved, price, bought in MIXES:
        run = bench.scenario("philly.toml", "philly-2017.csv.gz", [
            (r"max_nodes = \d+\nwarm_nodes = \d+", f"max_nodes = {reserved}\nwarm_nodes = {reserved}"),
            (r"^max_nodes = 120", f"max_nodes = {bought}"),
            (r"^delay_price = .*", f"delay_price = {price}.0")])
        reached = run["cost_ratio"] <= 1.1 and run["mean_wait_s"] < 600
        row(reserved, bought, price, f"{run['cost_ratio']:.3f}", f"{run['mean_wait_s'] / 60:.1f}",
            f"{run['p95_wait_s'] / 60:.1f}", f"{run['max_wait_s'] / 3600:.1f}", run["vms"] - reserved,
            "reached" if reached else "missed")


def leaves(bench: Bench) -> None:
    print("\nGoal: <= 5 % of the jobs on more leaves than they need; 1,152 nodes in leaves of 32, load 80 %.\n")
    header("waits for the fewest leaves", "jobs above", "of gangs", "mean wait, min", "longest, h",
           "mean bounded slowdown", "goal")
    for wait in LEAVES:
        run = bench.scenario("atlas.toml", "llnl-atlas-2006.csv.gz",
                             [(r"^least_leaves_for = .*", f'least_leaves_for = "{wait}"')])
        share = run["jobs_above_least_leaves_share"]
        row(f"up to {wait}", f"{share:.1%}", f"{run['gangs_above_least_leaves_share']:.1%}",
            f"{run['mean_wait_s'] / 60:.1f}", f"{run['max_wait_s'] / 3600:.1f}", f"{run['mean_bsld10']:.1f}",
            "reached" if share <= 0.05 else "missed")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    data = os.environ.get("VIRGA_SHARED_DATA")
    parser.add_argument("--data", default=data, required=data is None)
    parser.add_argument("--virga", default=str(ROOT / "build/release/bin/virga"))
    parser.add_argument("--only", choices=["backfill", "mix", "leaves"])
    args = parser.parse_args()
    bench = Bench(args.virga, Path(args.data) / "traces")
    for table in (backfill, mix, leaves):
        if args.only in (None, table.__name__):
            table(bench)


if __name__ == "__main__":
    main()

#!/usr/bin/env python3
"""What Virga adds to a job on real Slurm, beside Slurm alone, on the same warm nodes, taken in turn in one run.

    bench/slurm.py [--bin build/release/bin] [--jobs 20] [--batch 100]

"Bare" is Slurm's own sbatch to the cluster that virgad raised. Two figures: the time from the command to the first line
of the script, one job after the other; and how many jobs of one node and one `true` are done in a second, submitted by
one client. Needs root and Slurm, and a quiet machine.
"""

from __future__ import annotations

import argparse
import os
import shutil
import statistics
import sys
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT / "tests" / "support"))
from instance import Instance  # noqa: E402

CONFIG = """
[engine]
kind = "slurm"
[cluster]
min_job_age = "10m"
[sku.bench]
cpus = 64
memory = "8GiB"
price_per_hour = 1
[pool.nd]
sku = "bench"
max_nodes = 4
warm_nodes = 4
[partition.main]
pools = ["nd"]
default = true
"""
PATIENCE_S = 300
SUBMIT = {
    "virga": "sbatch --parsable -o virga-%j.txt",
    "bare": "SLURM_CONF=$VIRGA_HOME/slurm/slurm.conf /usr/bin/sbatch --parsable -o bare-%j.txt",
}


def wait_for(what: str, done) -> None:
    end = time.monotonic() + PATIENCE_S
    while not done():
        if time.monotonic() > end:
            raise SystemExit(f"{what} did not happen within {PATIENCE_S} s")
        time.sleep(0.005)


def start_latency(virga: Instance, way: str) -> float:
    """Seconds from the command to the script's first line."""
    start = time.time()
    done = virga.sh(f"{SUBMIT[way]} --wrap 'date +%s.%N'")
    if done.returncode != 0:
        raise SystemExit(done.stdout)
    output = virga.work / f"{way}-{done.stdout.strip()}.txt"
    wait_for(f"the start of a job ({way})", lambda: output.exists() and output.read_text().endswith("\n"))
    return float(output.read_text()) - start


def throughput(virga: Instance, way: str, jobs: int) -> float:
    """Jobs a second from the first submission until the last has ended."""
    folder = virga.work / f"done-{way}"
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir()
    folder.chmod(0o777)
    start = time.monotonic()
    done = virga.sh(f"for i in $(seq {jobs}); do {SUBMIT[way]} -o /dev/null --wrap 'touch {folder}/$SLURM_JOB_ID' "
                    "> /dev/null || exit 1; done", timeout=PATIENCE_S)
    if done.returncode != 0:
        raise SystemExit(done.stdout)
    wait_for(f"the end of {jobs} jobs ({way})", lambda: len(list(folder.iterdir())) >= jobs)
    return jobs / (time.monotonic() - start)


def main() -> int:
    parser = argparse.ArgumentParser()
    parser.add_argument("--bin", type=Path, default=ROOT / "build" / "release" / "bin")
    parser.add_argument("--jobs", type=int, default=20)
    parser.add_argument("--batch", type=int, default=100)
    args = parser.parse_args()
    if os.geteuid() != 0 or not shutil.which("slurmctld", path="/usr/sbin"):
        print("bench/slurm.py: needs root and Slurm (script/setup --group slurm)")
        return 77
    with Instance(args.bin, config=CONFIG) as virga:
        up = virga.up()
        if up.returncode != 0:
            raise SystemExit(up.stdout)
        wait_for("four idle nodes", lambda: virga.sh("sinfo -h -t idle -o %D").stdout.strip() == "4")
        for way in SUBMIT:
            start_latency(virga, way)  # the first of each warms caches
        taken: dict[str, list[float]] = {way: [] for way in SUBMIT}
        for _ in range(args.jobs):
            for way in SUBMIT:
                taken[way].append(start_latency(virga, way))
        rates: dict[str, list[float]] = {way: [] for way in SUBMIT}
        for _ in range(3):
            for way in SUBMIT:
                rates[way].append(throughput(virga, way, args.batch))
        virga.down()
    for way, values in taken.items():
        print(f"{way:>6}: start of a job {statistics.median(values) * 1e3:7.0f} ms median "
              f"({min(values) * 1e3:.0f} to {max(values) * 1e3:.0f}); "
              f"{statistics.median(rates[way]):5.1f} jobs/s of {args.batch}")
    added = statistics.median(taken["virga"]) - statistics.median(taken["bare"])
    share = statistics.median(rates["virga"]) / statistics.median(rates["bare"])
    print(f"Virga adds {added * 1e3:.0f} ms (goal 50), and reaches {share:.2f} of Slurm's throughput (goal 0.85)")
    return 0


if __name__ == "__main__":
    sys.exit(main())

#!/usr/bin/env python3
"""What Virga adds to a job on real Slurm, beside Slurm alone, on the same warm nodes, taken in turn in one run.

    bench/slurm.py [--bin build/release/bin] [--jobs 20] [--batch 100]

"Bare" is Slurm's own sbatch to the cluster that virgad raised. Three figures: the time from the command until slurmctld
may begin the job (it has a bare one's submission, and the release of Virga's; as its log has it), the time until the
first line of the script, and how many jobs of one node and one `true` are done in a second, submitted by one client.
The first tells what Virga adds: slurmctld 22.05 begins batch jobs once a second, whoever they come from, and in the
second figure that second drowns all else. Needs root and Slurm, and a quiet machine.
"""

from __future__ import annotations

import argparse
import datetime
import os
import random
import re
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


READY = {"virga": re.compile(r"\[(\S+)\] sched: _release_job_rec: release hold on JobId="),
         "bare": re.compile(r"\[(\S+)\] _slurm_rpc_submit_batch_job: JobId=")}


def ready_latency(virga: Instance, way: str, start: float) -> float:
    """Seconds from then until slurmctld could begin the job; of the last one."""
    log = (virga.home / "slurm" / "log" / "slurmctld.log").read_text(errors="replace")
    last = READY[way].findall(log)[-1]
    return datetime.datetime.fromisoformat(last).timestamp() - start


def start_latency(virga: Instance, way: str) -> tuple[float, float]:
    """Seconds from the command until slurmctld may begin the job, and until the script's first line."""
    start = time.time()
    done = virga.sh(f"{SUBMIT[way]} --wrap 'date +%s.%N'")
    if done.returncode != 0:
        raise SystemExit(done.stdout)
    output = virga.work / f"{way}-{done.stdout.strip()}.txt"
    wait_for(f"the start of a job ({way})", lambda: output.exists() and output.read_text().endswith("\n"))
    return ready_latency(virga, way, start), float(output.read_text()) - start


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


def milliseconds(values: list[float]) -> str:
    return f"{statistics.median(values) * 1e3:.0f} ms ({min(values) * 1e3:.0f} to {max(values) * 1e3:.0f})"


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
        ready: dict[str, list[float]] = {way: [] for way in SUBMIT}
        taken: dict[str, list[float]] = {way: [] for way in SUBMIT}
        pauses = random.Random(1)
        for _ in range(args.jobs):
            for way in SUBMIT:
                time.sleep(pauses.random())  # or each would be submitted right after Slurm's second has struck
                times = start_latency(virga, way)
                ready[way].append(times[0])
                taken[way].append(times[1])
        rates: dict[str, list[float]] = {way: [] for way in SUBMIT}
        for _ in range(3):
            for way in SUBMIT:
                rates[way].append(throughput(virga, way, args.batch))
        virga.down()
    for way, values in taken.items():
        print(f"{way:>6}: Slurm may begin it after {milliseconds(ready[way])}, it begins after {milliseconds(values)}; "
              f"{statistics.median(rates[way]):.1f} jobs/s of {args.batch} "
              f"({min(rates[way]):.1f} to {max(rates[way]):.1f})")
    added = statistics.median(ready["virga"]) - statistics.median(ready["bare"])
    share = statistics.median(rates["virga"]) / statistics.median(rates["bare"])
    print(f"Virga adds {added * 1e3:.0f} ms (goal 50), and reaches {share:.2f} of Slurm's throughput (goal 0.85)")
    return 0


if __name__ == "__main__":
    sys.exit(main())

#!/usr/bin/env python3
"""The figures of the Azure cloud, each beside its goal, as one table.

    bench/azure.py [--bin build/release/bin] [--only plan,calls,failure,scale,crash]

The cloud is virga-arm with simulated VMs, spoken to through HTTPS by the real controller; docs/benchmarks.md says what
the rows mean. `crash` takes the better part of an hour and is left out unless it is named.
"""

from __future__ import annotations

import argparse
import re
import subprocess
import sys
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT / "tests" / "support"))
from azure_stand_in import StandIn  # noqa: E402
from instance import Instance  # noqa: E402

POOL = """
[pool.{name}]
cloud = "azure"
sku = "{sku}"
max_nodes = {nodes}
set_nodes_max = 100
ib_spans_sets = true
idle_time = "1s"
"""
PARTITION = """
[partition.main]
pools = [{pools}]
default = true
max_time = "1h"
[cloud.azure]
operation_timeout = "10m"
watch_interval = "20s"
stranger_grace = "10m"
connect_timeout = "10s"
request_timeout = "60s"
"""
H100 = "Standard_ND96isr_H100_v5"
H200 = "Standard_ND96isr_H200_v5"
# What the peers' planners need for the same demand, on one core, with their clouds stubbed; and what all-or-nothing of
# ParallelCluster launches and terminates for 1,000 nodes of which 900 can be had. Measured apart from this program.
PEERS_PLAN = "ParallelCluster 100-120 ms; cyclecloud-slurm about 175 s (extrapolated)"
PARALLELCLUSTER_SHARE = 0.5
SETUP_WRITES = ("PUT resourcegroups", "PUT resourceGroups", "PUT virtualNetworks", "PUT virtualNetworks/subnets")


def row(what: str, reached: str, goal: str, note: str = "") -> None:
    print(f"| {what} | {reached} | {goal} | {note} |", flush=True)


def config(*pools: tuple[str, str, int]) -> str:
    text = "".join(POOL.format(name=name, sku=sku, nodes=nodes) for name, sku, nodes in pools)
    return text + PARTITION.format(pools=", ".join(f'"{name}"' for name, _, _ in pools))


def wait_for(what, patience_s: float, pause_s: float = 0.1) -> bool:
    end = time.monotonic() + patience_s
    while time.monotonic() < end:
        if what():
            return True
        time.sleep(pause_s)
    return False


def job_state(virga: Instance) -> str:
    return virga.sh("squeue -h -o %T").stdout.strip()


def peak_mb(pid: int) -> float:
    kib = re.search(r"VmHWM:\s+(\d+)", Path(f"/proc/{pid}/status").read_text())
    return int(kib[1]) * 1024 / 1e6


def processor_s(pid: int) -> float:
    words = Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()
    return (int(words[11]) + int(words[12])) / 100


def bench_plan(bin_dir: Path) -> None:
    build = ["cmake", "--build", bin_dir.parent, "--target", "azure_plan"]
    subprocess.run(build, stdout=subprocess.DEVNULL, check=True)
    done = subprocess.run([bin_dir / "azure_plan"], stdout=subprocess.PIPE, text=True, check=True)
    row("plan of a 10,000-VM demand, CPU", done.stdout.strip(), "≤ 2 ms", f"peers: {PEERS_PLAN}")


def all_of(counts: dict, operations: tuple[str, ...]) -> int:
    return sum(counts[name]["all"] for name in counts if name in operations)


def bench_calls(bin_dir: Path) -> None:
    """At the stand-in's own pace, since its buckets fill with its clock; the boots are short so that the run is."""
    scenario = '[boot.default]\nleast = "20s"\nmean_extra = "5s"\nmost = "3m"\n'
    with Instance(bin_dir, config=config(("nd", H100, 1250))) as virga:
        arm = StandIn(virga, scenario, simulated=True)
        arm.configure(virga)
        assert virga.up().returncode == 0
        virga.sh("sbatch --parsable -N 1250 --wrap true")
        up = wait_for(lambda: job_state(virga) == "CONFIGURING", 600)
        calls = arm.admin("calls")
        counts = calls["counts"]
        vms = len(arm.admin("state")["vms"])
        if not up or vms != 1250:
            row("ARM calls to bring up 1,250 VMs", f"{vms} VMs came up", "1,250", "FAILED")
        sets = all_of(counts, ("PUT virtualMachineScaleSets", "PATCH virtualMachineScaleSets"))
        reads = sum(count["all"] for name, count in counts.items() if name.startswith(("GET", "LIST")))
        row("1,250 VMs in 13 sets: writes of sets", str(sets), "≤ 13")
        row("… set-up writes", str(all_of(counts, SETUP_WRITES)), "≤ 5")
        row("… reads and polls", str(reads), "within the buckets")
        row("… 429", str(calls["by_status"].get("429", 0)), "0")
        virga.sh("virga down --cancel", timeout=600)
        left = arm.stop()
        row("… VMs and sets left after `virga down`", str(len(left)), "0")


def bench_failure(bin_dir: Path) -> None:
    """One of 13 sets cannot be had where Azure put it; another pool of the partition could serve the job."""
    fails = """
[failure.one]
operation = "PUT virtualMachineScaleSets"
kind = "async"
code = "AllocationFailed"
message = "Allocation failed. We do not have sufficient capacity."
skip = 6
count = {}
"""
    short = f"""
[capacity.short]
size = "{H200}"
vms = 1200
"""
    failure_row(bin_dir, "one set fails, a new one finds room", fails.format(1))
    failure_row(bin_dir, "one set fails, and the new one, too", fails.format(2))
    failure_row(bin_dir, "there are no more than 1,200 of this size", short)


def failure_row(bin_dir: Path, what: str, trouble: str) -> None:
    scenario = f"""
speed = 10
{trouble}
[boot.default]
least = "60s"
mean_extra = "20s"
most = "10m"
"""
    with Instance(bin_dir, config=config(("first", H200, 1250), ("second", H100, 1250))) as virga:
        arm = StandIn(virga, scenario, simulated=True)
        arm.configure(virga)
        assert virga.up().returncode == 0
        virga.sh("sbatch --parsable -N 1250 --wrap true")
        up = wait_for(lambda: job_state(virga) == "CONFIGURING", 600)
        served_by = "first" if virga.sh("squeue -h -o %N").stdout.startswith("first") else "second"
        refused = "-first-" if served_by == "second" else "-second-"
        wait_for(lambda: not any(refused in name for name in arm.sets()), 120)
        bill = arm.admin("bill")["vms"]
        wasted = [vm for vm in bill if not vm["exists"]]
        left = [vm for vm in bill if vm["exists"] and refused in vm["set"]]
        minutes = sum(vm["seconds"] for vm in wasted) / 60
        row(f"1,250-VM gang, {what}: VMs left of what was refused", str(len(left)), "0")
        row("… fallback", {"first": "new sets", "second": "another pool"}[served_by] if up else "none", "tried")
        goal = int(1250 * PARALLELCLUSTER_SHARE / 10)
        row("… VMs launched for nothing", f"{len(wasted)} for {minutes:.0f} VM-minutes", f"≤ {goal}",
            f"all-or-nothing in ParallelCluster: about {int(1250 * PARALLELCLUSTER_SHARE)}")
        virga.sh("virga down --cancel", timeout=600)
        arm.stop()


def bench_scale(bin_dir: Path) -> None:
    with Instance(bin_dir, config=config(("nd", H100, 10000))) as virga:
        arm = StandIn(virga, "quota_vcpus = 10000000\n[boot.default]\nleast = \"40s\"\n", simulated=True, speed=60)
        arm.configure(virga)
        assert virga.up().returncode == 0
        pid = virga.daemon_pid()
        start = time.monotonic()
        virga.sh("sbatch --parsable -N 10000 --wrap true")
        up = wait_for(lambda: job_state(virga) == "CONFIGURING", 600)
        granted = time.monotonic()
        used = processor_s(pid)
        time.sleep(5)
        idle = (processor_s(pid) - used) / 5
        memory = peak_mb(pid)
        went = time.monotonic()
        down = virga.sh("virga down --cancel", timeout=600)
        ended = time.monotonic()
        ok = up and down.returncode == 0
        seconds = (granted - start) + (ended - went)
        row("10,000 simulated VMs up and down through HTTPS, clock ×60, real time",
            f"{seconds:.1f} s ({granted - start:.1f} up, {ended - went:.1f} down)" if ok else "FAILED", "≤ 60 s",
            f"virgad used {used:.1f} s CPU until all were granted")
        row("… virgad's most memory", f"{memory:.0f} MB", "≤ 150 MB")
        row("… virgad's CPU while it looks for 10,000 agents", f"{100 * idle:.0f} % of a core", "next to nothing")
        left = arm.stop()
        row("… VMs and sets left", str(len(left)), "0")


def bench_crash(bin_dir: Path) -> None:
    script = ROOT / "tests" / "fault" / "azure_crash_points.py"
    done = subprocess.run([sys.executable, script, "--bin", bin_dir], stdout=subprocess.PIPE, text=True, check=False)
    row("crash of virgad at every ARM call of a gang's life", done.stdout.strip().splitlines()[-1],
        "0 orphans, 0 doubles")


def main() -> int:
    benches = {"plan": bench_plan, "calls": bench_calls, "failure": bench_failure, "scale": bench_scale,
               "crash": bench_crash}
    parser = argparse.ArgumentParser()
    parser.add_argument("--bin", type=Path, default=ROOT / "build" / "release" / "bin")
    parser.add_argument("--only", default="plan,calls,failure,scale")
    args = parser.parse_args()
    unknown = set(args.only.split(",")) - set(benches)
    if unknown:
        print(f"azure.py: --only {','.join(sorted(unknown))}: unknown; write some of {','.join(benches)}",
              file=sys.stderr)
        return 2
    print("| work | reached | goal | |\n|---|---|---|---|")
    for name in args.only.split(","):
        benches[name](args.bin)
    return 0


if __name__ == "__main__":
    sys.exit(main())

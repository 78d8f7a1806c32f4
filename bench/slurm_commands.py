#!/usr/bin/env python3
"""Slurm's commands of Virga beside real Slurm's, on the same machine, taken in turn in one run.

    bench/slurm_commands.py [--bin build/release/bin] [--jobs 100000] [--rounds 7]

Each cluster has 8 nodes of 8 CPUs and belongs to the user games (tests/slurm/clusters.py). Printed are the median and
the spread of the rounds; the first line is what a process costs that does nothing. Needs root and real
Slurm (script/setup --group record), a few minutes to submit the jobs, and a quiet machine.
"""

from __future__ import annotations

import argparse
import os
import pty
import select
import statistics
import subprocess
import sys
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT / "tests" / "slurm"))
from clusters import CannotRun, Cluster, RealSlurm, Virga  # noqa: E402

PENDING = 6000
ARRAY = 100_000


class LargeSlurm(RealSlurm):
    """Real Slurm that holds as many jobs as are asked of it."""

    def conf(self) -> str:
        return super().conf() + f"MaxJobCount={3 * ARRAY}\nMaxArraySize={ARRAY + 1}\n"


def timed(cluster: Cluster, words: list[str]) -> tuple[float, int]:
    """Wall-clock seconds of a command that must succeed, and the most memory it had, in bytes."""
    begin = time.monotonic()
    process = subprocess.Popen(words, cwd=cluster.work, env=cluster.env, stdin=subprocess.DEVNULL,
                               stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, **cluster.user)
    said = process.stderr.read()
    _, status, usage = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    took = time.monotonic() - begin
    if process.returncode != 0:
        raise SystemExit(f"{' '.join(words)}: exit {process.returncode}\n{said.decode(errors='replace')}")
    return took, usage.ru_maxrss * 1024


def submit(cluster: Cluster, count: int) -> None:
    cluster.must(["bash", "-c", f"seq {count} | xargs -P8 -I% sbatch --hold --wrap true > /dev/null"], timeout=3600)


def cancel_all(cluster: Cluster) -> float:
    took, _ = timed(cluster, ["scancel", "-u", "games"])
    end = time.monotonic() + 120
    while left := cluster.must(["squeue", "-h", "-o", "%i"], timeout=600):
        if time.monotonic() > end:
            raise SystemExit(f"{len(left.splitlines())} jobs are left")
        time.sleep(0.5)
    return took


def echoes(cluster: Cluster, count: int) -> list[float]:
    """Seconds from a key until `srun --pty cat` shows it."""
    controller, terminal = pty.openpty()
    process = subprocess.Popen(["srun", "-N1", "--pty", "sh", "-c", "stty raw -echo; echo ready; exec cat"],
                               cwd=cluster.work, env=cluster.env, stdin=terminal, stdout=terminal, stderr=terminal,
                               start_new_session=True, **cluster.user)
    os.close(terminal)
    seen = b""
    while b"ready" not in seen:
        if not select.select([controller], [], [], 60)[0]:
            raise SystemExit(f"srun --pty says nothing: {seen!r}")
        seen += os.read(controller, 4096)
    time.sleep(0.5)
    took = []
    for _ in range(count):
        while select.select([controller], [], [], 0.02)[0]:
            os.read(controller, 4096)
        begin = time.monotonic()
        os.write(controller, b"x")
        if not select.select([controller], [], [], 10)[0] or b"x" not in os.read(controller, 4096):
            raise SystemExit("srun --pty cat does not echo")
        took.append(time.monotonic() - begin)
    process.kill()
    process.wait()
    os.close(controller)
    cluster.run(["scancel", "-u", "games"])
    return took


def text(values: list[float]) -> str:
    low, middle, high = (x * 1e3 for x in (min(values), statistics.median(values), max(values)))
    return f"{middle:8.1f} ms ({low:.1f} to {high:.1f})"


def main() -> int:
    parser = argparse.ArgumentParser()
    parser.add_argument("--bin", type=Path, default=ROOT / "build" / "release" / "bin")
    parser.add_argument("--jobs", type=int, default=100_000)
    parser.add_argument("--rounds", type=int, default=7)
    args = parser.parse_args()
    try:
        with Virga(args.bin) as virga, LargeSlurm() as slurm:
            run(args, {"virga": virga, "slurm": slurm})
    except CannotRun as why:
        print(f"bench/slurm_commands.py: {why}")
        return 77
    return 0


def run(args: argparse.Namespace, clusters: dict[str, Cluster]) -> None:
    def line(what: str, values: dict[str, list[float]], goal: str, memory: dict[str, int] | None = None) -> None:
        parts = [f"{name} {text(values[name])}" + (f" {memory[name] / 1e6:.0f} MB" if memory else "")
                 for name in clusters]
        print(f"{what:34} {'   '.join(parts)}   goal {goal}", flush=True)

    def in_turn(words: list[str], rounds: int = args.rounds) -> tuple[dict[str, list[float]], dict[str, int]]:
        took: dict[str, list[float]] = {name: [] for name in clusters}
        memory = dict.fromkeys(clusters, 0)
        for _ in range(rounds):
            for name, cluster in clusters.items():
                seconds, most = timed(cluster, words)
                took[name].append(seconds)
                memory[name] = max(memory[name], most)
        return took, memory

    for cluster in clusters.values():
        timed(cluster, ["srun", "-N8", "-n8", "true"])  # nodes are up, caches warm
    line("true", in_turn(["/bin/true"], 3 * args.rounds)[0], "-")
    line("srun -N1 true", in_turn(["srun", "-N1", "true"], 3 * args.rounds)[0], "5 ms beyond a process")
    line("srun -N8 -n8 true", in_turn(["srun", "-N8", "-n8", "true"], 3 * args.rounds)[0], "15 ms beyond a process")
    line("srun --pty, a key's echo", {name: echoes(cluster, 50) for name, cluster in clusters.items()}, "5 ms")
    line(f"sbatch --array=1-{ARRAY}", in_turn(["sbatch", "--hold", f"--array=1-{ARRAY}", "--wrap", "true"], 1)[0],
         "50 ms")
    line(f"scancel of {ARRAY} tasks", {name: [cancel_all(cluster)] for name, cluster in clusters.items()}, "-")
    took: dict[str, list[float]] = {name: [] for name in clusters}
    for _ in range(3):
        for name, cluster in clusters.items():
            submit(cluster, PENDING)
            took[name].append(cancel_all(cluster))
    line(f"scancel -u of {PENDING} jobs", took, "100 ms")
    submitted: dict[str, list[float]] = {}
    for name, cluster in clusters.items():
        begin = time.monotonic()
        submit(cluster, args.jobs)
        submitted[name] = [time.monotonic() - begin]
    line(f"{args.jobs} x sbatch, 8 at once", submitted, "-")
    line(f"squeue of {args.jobs} jobs", in_turn(["squeue"])[0], "150 ms")
    json_took, json_memory = in_turn(["squeue", "--json"], 3)
    line("squeue --json of them", json_took, "2000 ms, 50 MB", json_memory)


if __name__ == "__main__":
    sys.exit(main())

#!/usr/bin/env python3
"""Two controllers of one journal in PostgreSQL, and what may happen to the one that leads.

    takeover.py --bin BUILD/bin [--only killed,frozen,…] [--times N]

Each case starts a server, the controllers "main" and "b", and a job; then the leader is killed (kill -9), frozen
(SIGSTOP, and woken when the other leads), cut off from the database, or from its clients, ends in an orderly way, or
the database itself is killed. After each: exactly one controller leads, every job ran once and is in the accounts
once, the journal is whole and its replay gives the state that the leader has, and `virga down` leaves nothing. Prints
how long each takeover took, from the fault to the first submission that was accepted; with --times it is a
measurement.
"""

from __future__ import annotations

import argparse
import json
import os
import signal
import statistics
import subprocess
import sys
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "support"))
from instance import CannotRun, Instance  # noqa: E402
from postgres import Postgres, Proxy  # noqa: E402

SKIPPED = 77
CONFIG = """
[journal]
url = "postgres://virga@/virga"
[pool.nd]
max_nodes = 2
idle_time = "30s"
[partition.main]
pools = ["nd"]
default = true
"""
JOB = """#!/bin/bash
echo "begin $SLURM_JOB_ID ${SLURM_RESTART_COUNT:-0}" >> ran
sleep 4
echo "end $SLURM_JOB_ID" >> ran
"""


class Broken(Exception):
    """What a case found to be wrong."""


def check(holds: bool, what: str) -> None:
    if not holds:
        raise Broken(what)


class Pair:
    """An instance with two controllers; each reaches the database on a way of its own."""

    def __init__(self, virga: Instance, ways: dict[str, Proxy]) -> None:
        self.virga = virga
        self.ways = ways
        up = virga.up(PGHOST=str(ways["main"].folder))
        check(up.returncode == 0, f"virga up: {up.stdout}")
        self.start_b()

    def start_b(self) -> None:
        ready, told = os.pipe()
        log = open(self.virga.home / "virgad-b.log", "a")
        subprocess.Popen(
            [self.virga.bin_dir / "virgad", "--home", self.virga.home, "--name", "b", "--ready-fd", str(told)],
            env={**self.virga.env, "PGHOST": str(self.ways["b"].folder)}, pass_fds=(told,), stdin=subprocess.DEVNULL,
            stdout=log, stderr=log, start_new_session=True, **self.virga.as_user(self.virga.user))
        os.close(told)
        with os.fdopen(ready) as words:
            said = words.readline().strip()
        check(said == "ready", f"virgad b: {said}")

    def pid(self, name: str) -> int:
        file = "virgad.pid" if name == "main" else f"virgad-{name}.pid"
        return int((self.virga.home / "run" / file).read_text())

    def socket(self, name: str) -> Path:
        return self.virga.home / "run" / ("api.sock" if name == "main" else f"virgad-{name}.sock")

    def log(self, name: str) -> str:
        return (self.virga.home / ("virgad.log" if name == "main" else f"virgad-{name}.log")).read_text()

    def ask(self, name: str, path: str, *options: str) -> tuple[int, dict]:
        """One controller itself, whoever leads; (0, {}) if it does not answer."""
        done = self.virga.sh(f"curl -s -m 5 -w '\\n%{{http_code}}' --unix-socket {self.socket(name)} "
                             f"{' '.join(options)} http://virga{path}")
        body, _, status = done.stdout.rpartition("\n")
        return int(status or 0), json.loads(body) if body.strip().startswith("{") else {}

    def standby(self, name: str) -> dict:
        return self.ask(name, "/v1/status")[1].get("standby") or {}

    def wait_until(self, what: str, condition, limit_s: float = 30.0) -> None:
        end = time.monotonic() + limit_s
        while not condition():
            check(time.monotonic() < end, f"waited in vain until {what}")
            time.sleep(0.02)

    def submit(self, command: str = "sbatch --parsable job.sh") -> str:
        done = self.virga.sh(command)
        check(done.returncode == 0, f"{command}: {done.stdout.strip()}")
        return done.stdout.strip().split("\n")[-1]

    def wait_for_jobs(self, jobs: list[str]) -> None:
        def all_ended() -> bool:
            lines = self.virga.sh("sacct -X -n -P -o JobID,State").stdout.split()
            return all(f"{job}|COMPLETED" in lines for job in jobs)
        self.wait_until(f"jobs {jobs} are COMPLETED", all_ended, 60)

    def check_whole(self, jobs: list[str]) -> None:
        self.wait_for_jobs(jobs)
        lines = self.virga.sh("sacct -X -n -P -o JobID,State").stdout.split()
        check(sorted(lines) == sorted(f"{job}|COMPLETED" for job in jobs), f"the accounts say {lines}")
        ran = (self.virga.work / "ran").read_text().split("\n")
        for job in jobs:
            check(ran.count(f"begin {job} 0") == 1 and ran.count(f"end {job}") == 1, f"job {job} ran as {ran}")
        for verb in ("verify", "replay"):
            done = self.virga.sh(f"virga journal {verb}", PGHOST=str(self.ways["b"].folder))
            check(done.returncode == 0, f"virga journal {verb}: {done.stdout}")
            check(verb == "verify" or "the same" in done.stdout, f"replay: {done.stdout}")

    def take_down(self) -> None:
        pids = [self.pid("main"), self.pid("b")]
        down = self.virga.down()
        check(down.returncode == 0, f"virga down: {down.stdout}")
        self.wait_until("both controllers are gone", lambda: all(Instance._is_zombie(pid) for pid in pids))
        left = self.virga.leftovers()
        check(left == [], f"left behind: {left}")


def takes_over(pair: Pair, job: str) -> tuple[float, str]:
    """Seconds until a submission is accepted, and its id."""
    start = time.monotonic()
    later = pair.submit()
    took = time.monotonic() - start
    check(int(later) > int(job), f"job {later} came after job {job}")
    return took, later


def killed(pair: Pair) -> float:
    job = pair.submit()
    pair.wait_until("the job runs", lambda: (pair.virga.work / "ran").exists())
    os.kill(pair.pid("main"), signal.SIGKILL)
    took, later = takes_over(pair, job)
    check(pair.standby("b")["role"] == "leads", "b does not lead")
    again = pair.virga.up(PGHOST=str(pair.ways["main"].folder))
    check(again.returncode == 0, f"virga up after the kill: {again.stdout}")
    check(pair.standby("main")["role"] == "follows", "who came back does not follow")
    pair.check_whole([job, later])
    return took


def frozen(pair: Pair) -> float:
    job = pair.submit()
    pair.wait_until("the job runs", lambda: (pair.virga.work / "ran").exists())
    pid = pair.pid("main")
    os.kill(pid, signal.SIGSTOP)
    took, later = takes_over(pair, job)
    pair.wait_for_jobs([job, later])
    before = pair.standby("b")
    os.kill(pid, signal.SIGCONT)
    pair.wait_until("the woken one follows", lambda: pair.standby("main").get("role") == "follows")
    lines = [line for line in pair.log("main").split("\n") if "starting afresh" in line]
    check(len(lines) == 1, f"it says {lines}")
    after = pair.standby("b")
    check(after["role"] == "leads" and after["term"] == before["term"], f"the lead changed: {before} {after}")
    pair.check_whole([job, later])
    return took


def cut_from_database(pair: Pair) -> float:
    job = pair.submit()
    pair.wait_until("the job runs", lambda: (pair.virga.work / "ran").exists())
    pair.ways["main"].cut()
    start = time.monotonic()
    pair.wait_until("b leads", lambda: pair.standby("b").get("role") == "leads")
    took = time.monotonic() - start
    # It is there, and its clients reach it, but it may not answer for the cluster any more.
    for path in ("/v1/status", "/v1/jobs"):
        status, _ = pair.ask("main", path)
        check(status in (0, 421), f"the leader that was cut off answers {path} with {status}")
    _, later = takes_over(pair, job)
    pair.ways["main"].mend()
    pair.wait_until("the other one follows", lambda: pair.standby("main").get("role") == "follows")
    check(pair.standby("b")["role"] == "leads", "b leads no more")
    pair.check_whole([job, later])
    return took


def cut_from_clients(pair: Pair) -> float:
    job = pair.submit()
    term = pair.standby("main")["term"]
    hidden = pair.socket("main").with_name("hidden")
    pair.socket("main").rename(hidden)
    refused = pair.virga.sh("sbatch --parsable job.sh", timeout=60)
    check(refused.returncode != 0, f"somebody accepted a job: {refused.stdout}")
    check(pair.standby("b")["role"] == "follows", "b took over though the leader lives")
    listed = pair.ask("b", "/v1/jobs")[1]
    check([str(entry["id"]) for entry in listed["jobs"]] == [job], f"b, which follows, lists {listed}")
    hidden.rename(pair.socket("main"))
    later = pair.submit()
    check(pair.standby("main")["term"] == term, "the term changed")
    pair.check_whole([job, later])
    return 0.0


def handed_over(pair: Pair) -> float:
    job = pair.submit()
    pid = pair.pid("main")
    os.kill(pid, signal.SIGTERM)
    took, later = takes_over(pair, job)
    pair.wait_until("main is gone", lambda: Instance._is_zombie(pid))
    pair.check_whole([job, later])
    (pair.virga.home / "run" / "virgad.pid").write_text(f"{pid}\n")  # for take_down(), which looks for both
    return took


def server_killed(pair: Pair) -> float:
    """kill -9 of all of PostgreSQL, which stays away for longer than three leases."""
    job = pair.submit()
    pair.wait_until("the job runs", lambda: (pair.virga.work / "ran").exists())
    server = pair.ways["main"].server
    server.stop(signal.SIGKILL)
    time.sleep(4)
    for name in ("main", "b"):
        status, _ = pair.ask(name, "/v1/jobs", "-H 'Virga-Ask: leader'")
        check(status != 200, f"{name} answers as leader without its journal")
    server.start()
    took, later = takes_over(pair, job)
    roles = sorted(pair.standby(name).get("role", "") for name in ("main", "b"))
    check(roles == ["follows", "leads"], f"they are {roles}")
    pair.check_whole([job, later])
    return took


CASES = {case.__name__: case
         for case in (killed, frozen, cut_from_database, cut_from_clients, handed_over, server_killed)}


def one_run(args: argparse.Namespace, case) -> float:
    with Postgres() as server:
        server.sql("CREATE DATABASE virga")
        with Proxy(server) as first, Proxy(server) as second, Instance(args.bin, args.tier, args.user, CONFIG) as virga:
            (virga.work / "job.sh").write_text(JOB)
            try:
                pair = Pair(virga, {"main": first, "b": second})
                took = case(pair)
                pair.take_down()
                return took
            except (Broken, subprocess.TimeoutExpired):
                for log in virga.home.glob("virgad*.log"):
                    print(f"--- {log.name}\n" + "\n".join(log.read_text().split("\n")[-15:]), flush=True)
                raise


def main() -> int:
    parser = argparse.ArgumentParser()
    parser.add_argument("--bin", type=Path, required=True)
    parser.add_argument("--tier", default="")
    parser.add_argument("--user", default="")
    parser.add_argument("--only", default=",".join(CASES))
    parser.add_argument("--times", type=int, default=1)
    args = parser.parse_args()
    failed = 0
    for name in args.only.split(","):
        took: list[float] = []
        for _ in range(args.times):
            try:
                took.append(one_run(args, CASES[name]))
            except CannotRun as why:
                print(f"skipped: {why}")
                return SKIPPED
            except Broken as what:
                failed += 1
                print(f"BROKEN {name}: {what}", flush=True)
        if took:
            print(f"{name:<20} takeover {statistics.median(took) * 1000:.0f} ms (median of {len(took)}, at most "
                  f"{max(took) * 1000:.0f} ms)", flush=True)
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())

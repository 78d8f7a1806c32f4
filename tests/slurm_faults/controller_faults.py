"""Faults of the database and of the controllers: what tests/standby does to the embedded engine is done to Slurm."""

from __future__ import annotations

import os
import signal
import socket
import time

from world import Proxy, World, check, takeover

CUT_EACH = 3
BINARY_NOISE_KIB = 100
SUBMISSIONS_MAX = 400


# --- the database ----------------------------------------------------------------------------------------------------


class CommitCutter(Proxy):
    """A way on which, once told, each third commit's session ends: before the server has it, or after, by turns.

    A commit is a long Bind message of PostgreSQL's protocol; its answer begins with BindComplete.
    """

    def __init__(self, server) -> None:
        super().__init__(server)
        self.is_cutting = False
        self.commits = self.cuts = 0
        self.awaited: socket.socket | None = None

    def pass_on(self, source: socket.socket) -> None:
        if self.is_cutting:
            try:
                start = source.recv(1024, socket.MSG_PEEK)
            except OSError:
                start = b""
            if source is self.awaited and start[:1] == b"2":
                self.awaited = None
                return self.end(source)
            if start[:1] == b"B" and len(start) > 200:
                self.commits += 1
                if self.commits % (2 * CUT_EACH) == 0:
                    return self.end(source)
                if self.commits % CUT_EACH == 0:
                    self.awaited = self.peers[source]
        return super().pass_on(source)

    def end(self, source: socket.socket) -> None:
        self.cuts += 1
        for each in (source, self.peers[source]):
            self.peers.pop(each)
            each.close()


def commits_cut(world: World) -> str:
    way = world.ways["main"]
    way.is_cutting = True
    jobs = [world.start_job()]
    for _ in range(4):
        jobs.append(world.enter(nodes=1))
    world.let_end(*jobs)
    seen = world.check_jobs(jobs)
    way.is_cutting = False
    check(way.cuts >= 4, f"only {way.cuts} commits were cut")
    check(world.standby("main").get("role") == "leads", "the lead was lost")
    return f"{seen}, {way.cuts} of {way.commits} commits cut"


def database_restarted(world: World) -> str:
    job = world.start_job()
    world.server.stop(signal.SIGINT)
    world.server.start()
    later = world.enter(nodes=1)
    world.let_end(job, later)
    return world.check_jobs([job, later])


def disk_full(world: World) -> str:
    job = world.start_job()
    world.server.fill_disk()
    # The journal goes on in the pages that it has; large scripts use them up.
    large = (f"(echo '#!/bin/bash'; echo exit; head -c {BINARY_NOISE_KIB * 1024} /dev/urandom | base64) > large.sh; "
             "timeout 15 sbatch --parsable --hold large.sh")
    accepted: list[str] = []
    refusal = ""
    while not refusal and len(accepted) < SUBMISSIONS_MAX:
        done = world.virga.sh(large)
        if done.returncode == 0:
            accepted.append(done.stdout.strip())
        else:
            refusal = done.stdout.strip() or "no answer"
    check(bool(refusal), f"{len(accepted)} jobs were accepted though the disk was full")
    time.sleep(2)
    world.server.free_disk()
    later = world.enter(nodes=1)
    known = world.virga.sh("squeue -h -t PENDING -o %i").stdout.split()
    for each in accepted:
        if each not in known:
            world.count("lost", f"job {each} was accepted before the disk was full")
    world.submit("scancel " + " ".join(known) if known else "true")
    world.let_end(job, later)
    return f"{world.check_jobs([job, later])}; accepted {len(accepted)}, then: {refusal.splitlines()[-1][:60]}"


# --- the controllers -------------------------------------------------------------------------------------------------


def as_with_the_embedded_engine(case):
    def run(world: World) -> str:
        # Slurm gives its jobs numbers of its own.
        (world.virga.work / "job.sh").write_text(takeover.JOB.replace("SLURM_JOB_ID", "VIRGA_JOB_ID"))
        took = case(world)
        return f"2 jobs done, accepted after {took:.2f} s" if took else "2 jobs done, nobody took over"
    return run


def takeover_at(point: str, n: int):
    """The leader was started with that crash point; the standby has to go on from there."""
    def run(world: World) -> str:
        job = world.enter()
        world.let_end(job)
        seen = world.check_jobs([job])
        world.wait_until("all nodes are released", lambda: '"total":0' in world.virga.sh("virga status --json").stdout)
        pid = world.virga.daemon_pid()
        world.crashed = pid is None
        if pid is not None:  # the point is one of a job's life, not of what is done to end the instance
            os.kill(pid, signal.SIGKILL)
            world.wait_until("the other one leads", lambda: world.standby("b").get("role") == "leads")
        again = world.virga.up(PGHOST=str(world.ways["main"].folder))
        check(again.returncode == 0, f"virga up after the crash: {again.stdout}")
        return seen + (", the leader was killed" if world.crashed else ", not reached")
    run.crash_at = f"{point}:{n}"
    return run


CASES = {
    "database restarted": {"run": database_restarted},
    "database's disk full": {"run": disk_full},
    "connection cut in commits": {"life": commits_cut},
    "leader killed": {"run": as_with_the_embedded_engine(takeover.killed)},
    "leader frozen": {"run": as_with_the_embedded_engine(takeover.frozen)},
    "leader without database": {"run": as_with_the_embedded_engine(takeover.cut_from_database)},
    "leader without clients": {"run": as_with_the_embedded_engine(takeover.cut_from_clients)},
    "database killed": {"run": as_with_the_embedded_engine(takeover.server_killed)},
}

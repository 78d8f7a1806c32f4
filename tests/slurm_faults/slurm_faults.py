"""Faults of Slurm's daemons, of nodes' networks, keys and clocks, and of the cluster's configuration."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import time
from pathlib import Path

from world import WEST, World, check

SAVED_AFTER_S = 7  # slurmctld may keep what is new to itself for five seconds (SAVE_MAX_WAIT in its state_save.c)
SHORT_CUT_S = 4
DEAD_AFTER_S = 8  # instead of a minute, so that Slurm gives up a node while the test waits
FAKETIME = Path("/usr/lib/x86_64-linux-gnu/faketime/libfaketime.so.1")


# --- daemons ---------------------------------------------------------------------------------------------------------


def slurmctld_killed_at_start(world: World) -> str:
    first = world.start_job()
    world.let_end(first)
    world.check_jobs([first])
    time.sleep(SAVED_AFTER_S)  # it knows its nodes
    job = world.enter()
    world.let_end(job)
    world.await_slurmctld(world.end_slurmctld())
    return world.check_jobs([first, job], restarts=1)  # it may have forgotten the job, and then it enters again


def slurmctld_killed_at_begin(world: World) -> str:
    """So early that it comes back with the job as it was before it began; its node goes on with it."""
    job = world.start_job()
    world.await_slurmctld(world.end_slurmctld())
    world.let_end(job)
    return world.check_jobs([job], restarts=1)


def slurmctld_killed_in_run(world: World) -> str:
    job = world.start_job()
    time.sleep(SAVED_AFTER_S)
    world.await_slurmctld(world.end_slurmctld())
    later = world.enter()
    world.let_end(job, later)
    return world.check_jobs([job, later])


def slurmctld_killed_at_end(world: World) -> str:
    job = world.start_job()
    time.sleep(SAVED_AFTER_S)
    world.end_work(job)
    before = world.end_slurmctld()
    world.let_end(job)
    world.await_slurmctld(before)
    return world.check_jobs([job])


def kill_slurmd(world: World, name: str) -> None:
    os.kill(world.slurmds()[name], signal.SIGKILL)


def slurmd_killed_at_start(world: World) -> str:
    first = world.start_job()
    nodes = world.nodes_of(first)
    world.let_end(first)
    world.check_jobs([first])
    kill_slurmd(world, nodes[1])
    job = world.enter()
    world.let_end(job)
    return world.check_jobs([first, job], restarts=1)


def slurmd_killed_in_run(world: World) -> str:
    job = world.start_job()
    kill_slurmd(world, world.nodes_of(job)[1])
    world.await_beats(job, incarnation=1)
    world.let_end(job)
    return world.check_jobs([job], restarts=1)


def slurmd_killed_at_end(world: World) -> str:
    job = world.start_job()
    nodes = world.nodes_of(job)
    world.end_work(job)
    kill_slurmd(world, nodes[0])  # the one that would tell the job's end
    world.let_end(job)
    return world.check_jobs([job], restarts=1)


# --- a node's network ------------------------------------------------------------------------------------------------


def cut_at(world: World, moment: str, for_good: bool) -> str:
    job = world.start_job()
    victim = world.nodes_of(job)[1 if moment == "run" else 0]
    pid = world.slurmds()[victim]
    jobs = [job]
    if for_good:
        world.change_conf(SlurmdTimeout=DEAD_AFTER_S)
        check(world.ask_slurm("scontrol reconfigure && echo done") == "done\n", "scontrol reconfigure failed")
    if moment == "start":
        world.let_end(job)
        world.check_jobs(jobs)
        world.set_network(victim, "down")
        jobs.append(world.enter())
        world.let_end(jobs[-1])
    elif moment == "run":
        world.set_network(victim, "down")
    else:
        world.end_work(job)
        world.set_network(victim, "down")
        world.let_end(job)
    if for_good:
        world.wait_until("the node is given up", lambda: pid not in world.slurmds().values())
    else:
        time.sleep(SHORT_CUT_S)
        world.set_network(victim, "up")
    world.let_end(*jobs)
    # A task that cannot be reached for a moment is no reason to begin again.
    return world.check_jobs(jobs, restarts=1 if for_good or moment == "start" else 0)


def network_cut_at_start(world: World) -> str:
    return cut_at(world, "start", for_good=False)


def network_cut_in_run(world: World) -> str:
    return cut_at(world, "run", for_good=False)


def network_cut_at_end(world: World) -> str:
    return cut_at(world, "end", for_good=False)


def network_gone_at_start(world: World) -> str:
    return cut_at(world, "start", for_good=True)


def network_gone_in_run(world: World) -> str:
    return cut_at(world, "run", for_good=True)


def network_gone_at_end(world: World) -> str:
    return cut_at(world, "end", for_good=True)


# --- keys and clocks -------------------------------------------------------------------------------------------------


def boot_with_munge_of_their_own(world: World, key: Path, **env: str) -> str:
    """Nodes that boot meanwhile are not believed, and none of them gets a job; the ones after them are."""
    first = world.start_job()  # the cluster is up, with the right key
    world.let_end(first)
    world.check_jobs([first])
    folder = world.virga.home / "other-munge"
    folder.mkdir(mode=0o755)
    words = [f"--{name}={folder / file}" for name, file in (("socket", "munge.sock"), ("pid-file", "munged.pid"),
                                                            ("log-file", "log"), ("seed-file", "seed"))]
    right = (world.slurm / "node.conf").read_text()
    munged = subprocess.Popen(["munged", "--foreground", f"--key-file={key}", *words],
                              env={"PATH": "/usr/sbin:/usr/bin", **env}, stderr=subprocess.DEVNULL)
    try:
        world.wait_until("munged is there", (folder / "munge.sock").exists)
        (world.slurm / "node.conf").write_text(right.replace("/slurm/munge.sock", "/other-munge/munge.sock"))
        job = world.enter(nodes=4)  # two nodes are there, two have to come
        world.wait_until("nodes boot that nobody believes", lambda: len(world.slurmds()) == 4)
        strangers = {name: pid for name, pid in world.slurmds().items() if name not in ("nd1", "nd2")}
        time.sleep(5)
        check(not any(line[:2] == ["begin", job] for line in world.lines()), "a job began on a node with another key")
        (world.slurm / "node.conf").write_text(right)
        world.wait_until("they are given up", lambda: not set(strangers.values()) & set(world.slurmds().values()))
        world.let_end(job)
        return world.check_jobs([first, job])
    finally:
        munged.terminate()
        munged.wait()


def other_munge_key(world: World) -> str:
    key = world.virga.home / "other.key"
    key.write_bytes(os.urandom(128))
    key.chmod(0o400)
    return boot_with_munge_of_their_own(world, key)


def clock_ahead(world: World) -> str:
    """By more than a credential lives (munged's --ttl, 300 s)."""
    return boot_with_munge_of_their_own(world, world.slurm / "munge.key", LD_PRELOAD=str(FAKETIME), FAKETIME="+600s",
                                        FAKETIME_DONT_FAKE_MONOTONIC="1")


def clock_behind(world: World) -> str:
    return boot_with_munge_of_their_own(world, world.slurm / "munge.key", LD_PRELOAD=str(FAKETIME), FAKETIME="-600s",
                                        FAKETIME_DONT_FAKE_MONOTONIC="1")


# --- the configuration, the programs ---------------------------------------------------------------------------------


def reconfigured(world: World) -> str:
    job = world.start_job()
    world.change_conf(SlurmdTimeout=47)
    check(world.ask_slurm("scontrol reconfigure && echo done") == "done\n", "scontrol reconfigure failed")
    shown = world.ask_slurm("scontrol show config | grep SlurmdTimeout")
    check("47 sec" in shown, f"Slurm has {shown}")
    later = world.enter(nodes=1)
    world.let_end(job, later)
    return world.check_jobs([job, later])


def restarted_with_other_conf(world: World) -> str:
    job = world.start_job()
    time.sleep(SAVED_AFTER_S)
    world.change_conf(SlurmdTimeout=47, KillWait=5, MessageTimeout=20)
    world.await_slurmctld(world.end_slurmctld(signal.SIGTERM))
    shown = world.ask_slurm("scontrol show config | grep -E 'SlurmdTimeout|KillWait'")
    check("47 sec" in shown and " 5 sec" in shown, f"Slurm has {shown}")
    later = world.enter(nodes=1)
    world.let_end(job, later)
    return world.check_jobs([job, later])


def upgraded(world: World) -> str:
    """As dpkg does it: new files take the old ones' names, then one controller after the other is started again."""
    job = world.start_job()
    for name in ("virga", "virgad", "virga-node"):
        fresh = world.virga.bin_dir / f"{name}.new"
        shutil.copy(world.newer / name, fresh)
        fresh.replace(world.virga.bin_dir / name)
    old = {name: world.pid(name) for name in ("main", "b")}
    os.kill(old["b"], signal.SIGTERM)
    world.wait_until("b is gone", lambda: world.is_gone(old["b"]))
    world.start_b()
    os.kill(old["main"], signal.SIGTERM)
    later = world.enter(nodes=1)
    world.wait_until("main is gone", lambda: world.is_gone(old["main"]))
    up = world.virga.up(PGHOST=str(world.ways["main"].folder))
    check(up.returncode == 0, f"virga up: {up.stdout}")
    roles = sorted(world.standby(name).get("role", "") for name in ("main", "b"))
    check(roles == ["follows", "leads"], f"they are {roles}")
    check(not any("(deleted)" in os.readlink(f"/proc/{world.pid(name)}/exe") for name in ("main", "b")), "an old one")
    world.let_end(job, later)
    return world.check_jobs([job, later])


def frozen_beside_another(world: World) -> str:
    """A slurmctld hangs while the leader dies: who takes over goes on in the other cluster, and there later."""
    far = world.start_job(partition="west")
    near = world.start_job()
    hanging = int((world.virga.home / "slurm-west/slurmctld.pid").read_text())
    os.kill(hanging, signal.SIGSTOP)
    os.kill(world.pid("main"), signal.SIGKILL)
    later = world.enter()
    world.let_end(near, later)
    seen = world.check_jobs([near, later])
    check(world.standby("b").get("role") == "leads", "b does not lead")
    world.let_end(far)
    os.kill(hanging, signal.SIGCONT)
    last = world.enter(partition="west")
    world.let_end(last)
    seen += ", then " + world.check_jobs([far, last])
    up = world.virga.up(PGHOST=str(world.ways["main"].folder))
    check(up.returncode == 0, f"virga up: {up.stdout}")
    return seen


frozen_beside_another.more_config = WEST


CASES = {
    "slurmctld killed": {"start": slurmctld_killed_at_start, "begin": slurmctld_killed_at_begin,
                         "run": slurmctld_killed_in_run,
                         "end": slurmctld_killed_at_end},
    "one slurmctld of two hangs": {"takeover": frozen_beside_another},
    "slurmd killed": {"start": slurmd_killed_at_start, "run": slurmd_killed_in_run, "end": slurmd_killed_at_end},
    "network cut for a moment": {"start": network_cut_at_start, "run": network_cut_in_run, "end": network_cut_at_end},
    "network cut for good": {"start": network_gone_at_start, "run": network_gone_in_run, "end": network_gone_at_end},
    "munge key differs": {"boot": other_munge_key},
    "clock ahead": {"boot": clock_ahead},
    "clock behind": {"boot": clock_behind},
    "scontrol reconfigure": {"run": reconfigured},
    "slurmctld, another slurm.conf": {"run": restarted_with_other_conf},
    "upgrade of Virga": {"run": upgraded},
}

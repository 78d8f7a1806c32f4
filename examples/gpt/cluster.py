# SPDX-License-Identifier: Apache-2.0
"""Who am I, and how do I reach the others: from Slurm's variables to a process group.

`srun` gives every task its identity in SLURM_* variables; the batch script exports
MASTER_ADDR and MASTER_PORT, where rank 0 holds the rendezvous store.
"""

from __future__ import annotations

import os
import signal
import socket
import struct
import sys
import time
from dataclasses import dataclass
from datetime import timedelta
from typing import NoReturn


@dataclass(frozen=True)
class Task:
    """One task of a Slurm step."""

    rank: int
    world: int
    local_rank: int
    nodes: int
    node: str


def fail(message: str, rank: int = 0) -> NoReturn:
    """Ends this rank for a mistake that all ranks see alike, told once, by rank 0.

    The others linger for a moment: a launcher that kills the step at its first bad exit
    would otherwise end rank 0 before it has spoken.
    """
    if rank == 0:
        print(f"train.py: error: {message}", file=sys.stderr, flush=True)
    else:
        time.sleep(2)
    os._exit(2)


def task_from_slurm() -> Task:
    env = os.environ
    try:
        return Task(
            rank=int(env["SLURM_PROCID"]),
            world=int(env["SLURM_NTASKS"]),
            local_rank=int(env["SLURM_LOCALID"]),
            nodes=int(env.get("SLURM_JOB_NUM_NODES") or env.get("SLURM_NNODES") or 1),
            node=env.get("SLURMD_NODENAME") or socket.gethostname(),
        )
    except KeyError as missing:
        fail(f"{missing.args[0]} is not set; start this program with srun")
    except ValueError as bad:
        fail(f"a SLURM_ variable is not a number: {bad}")


def _address_towards(host: str, port: int) -> str:
    """The own IPv4 address that packets to `host` would carry (nothing is sent)."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        probe.connect((host, port))
        return probe.getsockname()[0]


def _interface_with(address: str) -> str | None:
    """The name of the network interface that holds an IPv4 address."""
    if address.startswith("127."):
        return "lo"  # all of 127/8 is there, though only 127.0.0.1 is listed
    import fcntl

    siocgifaddr = 0x8915
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as any_socket:
        for _, name in socket.if_nameindex():
            request = struct.pack("256s", name.encode()[:15])
            try:
                answer = fcntl.ioctl(any_socket.fileno(), siocgifaddr, request)
            except OSError:
                continue  # an interface without an IPv4 address
            if socket.inet_ntoa(answer[20:24]) == address:
                return name
    return None


def _choose_interface(store, task: Task, master: str, port: int) -> None:
    """Sets GLOO_SOCKET_IFNAME to the interface through which the ranks reach each other.

    Left alone, gloo binds to whatever the host name resolves to, and to loopback if it
    does not resolve. Both can be wrong: several nodes may share one machine and its host
    name, and many distributions map a machine's own name to 127.0.1.1. The route to the
    rendezvous is a better witness, as it has just worked.
    """
    if os.environ.get("GLOO_SOCKET_IFNAME"):
        return
    try:
        mine = _address_towards(master, port)
        store.set(f"address/{task.rank}", mine)
        if mine.startswith("127."):
            # True if the whole job is on one machine; but rank 0's node may see only
            # itself under a loopback address. Then the route to another node tells.
            for other in range(task.world):
                theirs = store.get(f"address/{other}").decode()
                if not theirs.startswith("127."):
                    mine = _address_towards(theirs, port)
                    break
    except OSError:
        store.set(f"address/{task.rank}", "127.0.0.1")  # e.g. IPv6 only: let gloo choose
        return
    interface = _interface_with(mine)
    if interface:
        os.environ["GLOO_SOCKET_IFNAME"] = interface


def connect(task: Task, timeout_seconds: float) -> None:
    """Makes the default process group of all ranks."""
    import torch.distributed as dist

    master = os.environ.get("MASTER_ADDR", "")
    port_text = os.environ.get("MASTER_PORT", "")
    if not master or not port_text.isdigit():
        fail("MASTER_ADDR and MASTER_PORT must be exported by the batch script", task.rank)
    port = int(port_text)
    try:
        socket.getaddrinfo(master, port)
    except OSError as unresolved:
        if task.nodes > 1:
            raise RuntimeError(f"MASTER_ADDR {master} does not resolve: {unresolved}") from None
        master = "127.0.0.1"  # a job on one node needs no name for it

    timeout = timedelta(seconds=timeout_seconds)
    # The threads that gloo and the store start inherit this mask, so that a signal is
    # always taken by the main thread and never interrupts their system calls.
    ours = {signal.SIGUSR1, signal.SIGTERM}
    signal.pthread_sigmask(signal.SIG_BLOCK, ours)
    try:
        store = dist.TCPStore(master, port, task.world, task.rank == 0, timeout)
        _choose_interface(store, task, master, port)
        dist.init_process_group(
            "gloo", store=store, rank=task.rank, world_size=task.world, timeout=timeout
        )
    finally:
        signal.pthread_sigmask(signal.SIG_UNBLOCK, ours)

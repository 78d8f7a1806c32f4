#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""Checks that the layout changes the speed and not the result, and that resuming is exact.

Starts the ranks itself, as srun would, so it runs on any machine without Slurm:

    /usr/bin/python3 check_parallel.py

The loss and every gradient of several layouts are compared with those of a single rank;
20 steps in one go are compared with 10, a resume and 10 more; a signal to one rank must
stop all; a layout that does not fit must be refused; and a killed rank must end the rest.
"""

from __future__ import annotations

import os
import re
import signal
import socket
import subprocess
import sys
import tempfile
import time
from pathlib import Path

HERE = Path(__file__).resolve().parent
SMALL = ["--layers", "4", "--width", "32", "--heads", "4", "--context", "32", "--batch", "8"]
SMALL += ["--micro-batches", "2", "--eval-windows", "64", "--lr", "0.003", "--warmup", "5"]
CHECKED_STEPS = 4
LAYOUTS = [(2, 1, 1), (1, 2, 1), (1, 1, 2), (2, 2, 2), (1, 4, 1)]  # tensor, pipeline, data

passed = failed = 0


def check(good: bool, what: str) -> None:
    global passed, failed
    passed, failed = passed + good, failed + (not good)
    print(f"{'ok    ' if good else 'FAILED'} {what}", flush=True)


# --- starting ranks ---------------------------------------------------------------------


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("", 0))
        return probe.getsockname()[1]


class Ranks:
    """A few processes that believe to be the tasks of one Slurm step."""

    def __init__(self, count: int, folder: Path, command: list[str]):
        port = free_port()
        self.logs = [folder / f"log-{time.monotonic_ns()}-{rank}" for rank in range(count)]
        self.processes = []
        for rank, log in enumerate(self.logs):
            env = dict(os.environ)
            env.pop("GLOO_SOCKET_IFNAME", None)
            env |= {
                "SLURM_PROCID": str(rank),
                "SLURM_NTASKS": str(count),
                "SLURM_LOCALID": str(rank % 2),
                "SLURM_JOB_NUM_NODES": str((count + 1) // 2),
                "SLURMD_NODENAME": f"node{rank // 2}",
                "MASTER_ADDR": "127.0.0.1",
                "MASTER_PORT": str(port),
                "VIRGA_CHECKPOINT_DIR": str(folder / "checkpoints"),
                "PATH": "/usr/bin:/bin",  # these checkpoints are nobody's business
            }
            with open(log, "wb") as out:
                self.processes.append(
                    subprocess.Popen(
                        [sys.executable, *command], env=env, stdout=out, stderr=subprocess.STDOUT
                    )
                )

    def wait(self) -> list[int]:
        deadline = time.monotonic() + 300
        try:
            return [p.wait(max(1.0, deadline - time.monotonic())) for p in self.processes]
        finally:
            for process in self.processes:
                process.kill()  # does nothing to those that have ended

    def output(self) -> str:
        return "".join(log.read_text() for log in self.logs)

    def wait_for_line(self, pattern: str) -> None:
        deadline = time.monotonic() + 120
        while not re.search(pattern, self.output()) and time.monotonic() < deadline:
            time.sleep(0.05)


def layout_arguments(layout: tuple[int, int, int]) -> list[str]:
    return [a for name, n in zip(("--tp", "--pp", "--dp"), layout) for a in (name, str(n))]


def train(folder: Path, layout: tuple[int, int, int], *more: str) -> Ranks:
    count = layout[0] * layout[1] * layout[2]
    command = [str(HERE / "train.py"), *SMALL, *layout_arguments(layout), *more]
    return Ranks(count, folder, command)


# --- the same loss and gradients in every layout ----------------------------------------


def gradient_rank(result_folder: str, arguments: list[str]) -> None:
    """One rank: gradients of step 1, then a few optimizer steps, written to a file."""
    sys.path.insert(0, str(HERE))
    import torch

    import cluster
    import train as program

    torch.set_num_threads(1)
    args = program.parse_arguments(arguments)
    task = cluster.task_from_slurm()
    program.check_arguments(args, task)
    cluster.connect(task, 120)
    trainer = program.Trainer(args, task)
    trainer.gradients(1)
    trainer.buckets.sum_over_replicas()
    gradients = {
        name: (p.grad.clone(), getattr(p, "tp_split", None))
        for name, p in trainer.model.named_parameters()
    }
    losses = []
    for _ in range(CHECKED_STEPS):
        trainer.train_step()
        losses.append(trainer.last_loss)
    layout = trainer.layout
    where = (layout.stage, layout.dp_index, layout.tp_index)
    torch.save((where, gradients, losses), f"{result_folder}/gradients-{task.rank}.pt")


def whole_gradients(layout: tuple[int, int, int]):
    """Runs a layout; the gradients by name, put together again, and the losses."""
    import torch

    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        count = layout[0] * layout[1] * layout[2]
        command = [__file__, "--rank", name, *SMALL, *layout_arguments(layout)]
        ranks = Ranks(count, folder, command)
        if any(ranks.wait()):
            raise RuntimeError(ranks.output())
        results = [torch.load(folder / f"gradients-{rank}.pt") for rank in range(count)]
    shares: dict[str, dict[int, torch.Tensor]] = {}
    splits = {}
    same = True
    for (_, _, tp_index), gradients, losses in results:
        same &= losses == results[0][2]
        for parameter, (grad, split) in gradients.items():
            known = shares.setdefault(parameter, {}).setdefault(tp_index, grad)
            same &= torch.equal(known, grad)  # replicas must agree to the bit
            splits[parameter] = split
    whole = {}
    for parameter, by_rank in shares.items():
        pieces = [by_rank[i] for i in sorted(by_rank)]
        if splits[parameter] is None:
            same &= all(torch.equal(piece, pieces[0]) for piece in pieces)
            whole[parameter] = pieces[0]
        else:
            dim, parts = splits[parameter]
            cut = [piece.chunk(parts, dim) for piece in pieces]
            whole[parameter] = torch.cat([c[i] for i in range(parts) for c in cut], dim)
    return whole, results[0][2], same


def check_layouts() -> None:
    expected, expected_losses, _ = whole_gradients((1, 1, 1))
    for layout in LAYOUTS:
        name = "tensor {} x pipeline {} x data {}".format(*layout)
        gradients, losses, same = whole_gradients(layout)
        check(same, f"{name}: ranks that hold the same parameters have the same gradients")
        if gradients.keys() != expected.keys():
            check(False, f"{name}: all parameters are there")
            continue
        worst, where = max(
            (float((gradients[n] - g).norm() / (g.norm() + 1e-6)), n) for n, g in expected.items()
        )
        check(worst < 1e-4, f"{name}: gradients are those of one rank, to {worst:.1e} ({where})")
        apart = max(abs(a - b) for a, b in zip(losses, expected_losses))
        check(apart < 1e-4, f"{name}: so is the loss of {len(losses)} steps, to {apart:.1e}")


# --- checkpoints and endings ------------------------------------------------------------


def shards(folder: Path, step: int) -> list:
    import torch

    files = sorted((folder / "checkpoints" / f"step-{step:06d}").glob("rank-*.pt"))
    return [torch.load(file) for file in files]


def equal(a, b) -> bool:
    import torch

    if isinstance(a, torch.Tensor):
        return torch.equal(a, b)
    if isinstance(a, dict):
        return a.keys() == b.keys() and all(equal(a[k], b[k]) for k in a)
    if isinstance(a, (list, tuple)):
        return len(a) == len(b) and all(map(equal, a, b))
    return a == b


def check_resume() -> None:
    layout = (2, 2, 2)
    steps = ("--steps", "20", "--checkpoint-every", "5")
    with tempfile.TemporaryDirectory() as one, tempfile.TemporaryDirectory() as two:
        whole = train(Path(one), layout, *steps)
        check(set(whole.wait()) <= {0, 3}, "20 steps in one go")
        first = train(Path(two), layout, *steps, "--stop-at", "10")
        check(first.wait() == [0] * 8, "10 steps and a stop")
        second = train(Path(two), layout, *steps)
        check(set(second.wait()) <= {0, 3}, "10 more")
        check("resumed from step 10" in second.output(), "the second run resumes from step 10")
        a, b = shards(Path(one), 20), shards(Path(two), 20)
        check(len(a) == 8 and equal(a, b), "both end with the same bits in every shard")
        kept = sorted(p.name for p in (Path(two) / "checkpoints").glob("step-*"))
        check(kept == ["step-000015", "step-000020"], "the last two checkpoints are kept")
        ending = [r.output().splitlines()[-2:] for r in (whole, second)]
        check(ending[0] == ending[1], f"and report the same: {' / '.join(ending[1])}")
        other = train(Path(two), (2, 1, 1), *steps)
        codes = other.wait()
        check(
            0 not in codes and other.output().count("\n") == 1 and "layout" in other.output(),
            f"another layout is refused: {other.output().strip()}",
        )


def check_endings() -> None:
    layout = (2, 2, 2)
    endless = ("--steps", "100000", "--log-every", "1")
    with tempfile.TemporaryDirectory() as name:
        ranks = train(Path(name), layout, *endless)
        ranks.wait_for_line(r"step 3/")
        ranks.processes[5].send_signal(signal.SIGUSR1)
        codes = ranks.wait()
        stopped = re.search(r"stopped by signal at step (\d+), checkpoint kept", ranks.output())
        check(codes == [0] * 8 and stopped is not None, "a signal to one rank stops all in order")
        latest = (Path(name) / "checkpoints/latest").read_text().strip()
        check(stopped is not None and latest == f"step-{int(stopped[1]):06d}", f"with {latest}")

        ranks = train(Path(name), layout, *endless)
        ranks.wait_for_line(r"(?m)^step ")
        ranks.processes[6].kill()
        codes = ranks.wait()
        check(0 not in codes, f"a killed rank ends the others, too: {codes}")

        ranks = train(Path(name), (1, 1, 1), "--dp", "3")
        codes = ranks.wait()
        told = ranks.output()
        check(0 not in codes and told.count("\n") == 1, f"a wrong size is refused: {told.strip()}")


def main() -> int:
    began = time.monotonic()
    check_layouts()
    check_resume()
    check_endings()
    print(f"{time.monotonic() - began:.0f} seconds")
    print(f"{passed} passed, {failed} failed")
    return 1 if failed else 0


if __name__ == "__main__":
    if sys.argv[1:2] == ["--rank"]:
        gradient_rank(sys.argv[2], sys.argv[3:])
        sys.stdout.flush()
        os._exit(0)  # as in train.py
    sys.exit(main())

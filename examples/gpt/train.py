#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""Trains a small byte-level GPT with tensor, pipeline and data parallelism over gloo.

Start one process for each rank with srun; see train.sbatch and README.md.
Exit codes: 0 learned, or stopped by a signal after a checkpoint; 3 not learned; else an error.
"""

from __future__ import annotations

import os
import signal
import sys

# First of all, before the slow import of torch: a signal that comes while a rank is still
# starting must not kill it, but stop the training after its first step.
stop_signals: list[int] = []
for _number in (signal.SIGUSR1, signal.SIGTERM):
    signal.signal(_number, lambda number, _frame: stop_signals.append(number))

# One thread for each rank: the ranks are the parallelism. Read when torch is loaded.
os.environ.setdefault("OMP_NUM_THREADS", "1")
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")

import argparse
import math
import time
import traceback

import cluster

LEARNED_MARGIN = 0.2  # nats per byte that the model must be better than byte frequencies


def parse_arguments(argv: list[str] | None = None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    layout = parser.add_argument_group("layout")
    layout.add_argument("--tp", type=int, default=2, help="tensor-parallel ranks")
    layout.add_argument("--pp", type=int, default=2, help="pipeline stages")
    layout.add_argument("--dp", type=int, default=2, help="data-parallel replicas")
    layout.add_argument("--micro-batches", type=int, default=2, help="for each replica and step")
    model = parser.add_argument_group("model")
    model.add_argument("--layers", type=int, default=4)
    model.add_argument("--width", type=int, default=96)
    model.add_argument("--heads", type=int, default=4)
    model.add_argument("--context", type=int, default=64, help="bytes")
    training = parser.add_argument_group("training")
    training.add_argument("--steps", type=int, default=300)
    training.add_argument("--batch", type=int, default=32, help="windows of text for each step")
    training.add_argument("--lr", type=float, default=4e-3)
    training.add_argument("--warmup", type=int, default=60, help="steps")
    training.add_argument("--seed", type=int, default=1)
    training.add_argument("--text", help="file or folder of plain text")
    training.add_argument("--eval-windows", type=int, default=512, help="of held-out text")
    run = parser.add_argument_group("run")
    run.add_argument("--log-every", type=int, default=10, help="steps")
    run.add_argument("--checkpoint-every", type=int, default=50, help="steps")
    run.add_argument("--stop-at", type=int, help="checkpoint and end at this step")
    run.add_argument("--timeout", type=float, default=600, help="seconds to wait for a peer")
    return parser.parse_args(argv)


def check_arguments(args: argparse.Namespace, task: cluster.Task) -> None:
    def require(condition: bool, message: str) -> None:
        if not condition:
            cluster.fail(message, task.rank)

    for name, value in vars(args).items():
        if isinstance(value, int) and name != "seed":
            require(value > 0, f"--{name.replace('_', '-')} must be at least 1")
    ranks = args.tp * args.pp * args.dp
    require(
        ranks == task.world,
        f"layout tensor {args.tp} x pipeline {args.pp} x data {args.dp} needs {ranks} tasks, "
        f"but Slurm started {task.world}",
    )
    require(args.layers % args.pp == 0, "--layers must be a multiple of --pp")
    require(args.heads % args.tp == 0, "--heads must be a multiple of --tp")
    require(args.width % args.heads == 0, "--width must be a multiple of --heads")
    share = args.dp * args.micro_batches
    require(args.batch % share == 0, "--batch must be a multiple of --dp times --micro-batches")
    require(args.eval_windows % share == 0, "--eval-windows must be a multiple of that, too")


def learning_rate(step: int, args: argparse.Namespace) -> float:
    """Linear warm-up, then a cosine down to a tenth; a pure function of the step."""
    if step <= args.warmup:
        return args.lr * step / args.warmup
    progress = (step - args.warmup) / max(1, args.steps - args.warmup)
    return args.lr * (0.55 + 0.45 * math.cos(math.pi * progress))


class Trainer:
    """One rank's share of the model, the optimizer and the data."""

    def __init__(self, args: argparse.Namespace, task: cluster.Task):
        import torch
        from data import load_corpus
        from model import GptStage, ModelSize, next_byte_loss
        from parallel import GradientBuckets, Pipeline, make_layout

        self.args, self.task = args, task
        self.corpus = load_corpus(args.text)
        self.layout = make_layout(task.rank, args.tp, args.pp, args.dp)
        self.size = ModelSize(args.layers, args.width, args.heads, args.context)
        self.model = GptStage(self.size, self.layout, args.seed)
        self.buckets = GradientBuckets(self.model.parameters(), self.layout)
        self.pipeline = Pipeline(self.layout, self.model, next_byte_loss, args.width)
        self.optimizer = torch.optim.AdamW(
            [
                {"params": self.buckets.decayed, "weight_decay": 0.1},
                {"params": self.buckets.plain, "weight_decay": 0.0},
            ],
            lr=args.lr,
            betas=(0.9, 0.95),
        )
        self.step = 0
        self.first_loss = self.last_loss = math.nan

    def about(self) -> dict:
        """What a checkpoint must agree with to be continued."""
        args = self.args
        return {
            "layout": f"tensor {args.tp} x pipeline {args.pp} x data {args.dp}",
            "model": f"{args.layers} layers, width {args.width}, {args.heads} heads, "
            f"context {args.context}",
            "text": f"{self.corpus.source} (checksum {self.corpus.checksum})",
            "seed": args.seed,
            "batch": args.batch,
        }

    def state(self) -> dict:
        return {
            "flat": [flat.data for flat in self.buckets.flat],
            "optimizer": self.optimizer.state_dict(),
            "step": self.step,
            "first_loss": self.first_loss,
            "last_loss": self.last_loss,
        }

    def load_state(self, state: dict) -> None:
        for flat, saved in zip(self.buckets.flat, state["flat"], strict=True):
            flat.data.copy_(saved)
        self.optimizer.load_state_dict(state["optimizer"])
        self.step = state["step"]
        self.first_loss, self.last_loss = state["first_loss"], state["last_loss"]

    def my_micro_batches(self, batch):
        """This replica's part of a global batch, cut for the pipeline."""
        mine = batch.chunk(self.args.dp)[self.layout.dp_index]
        return list(mine.chunk(self.args.micro_batches))

    def gradients(self, step: int) -> float:
        """Gradients of one global batch, not yet summed over replicas.

        Returns this rank's share of the global mean loss: all ranks' shares add up to it.
        """
        from data import training_batch

        args = self.args
        batch = training_batch(self.corpus.train, args.seed, step, args.batch, args.context)
        self.buckets.zero()
        loss = self.pipeline.train_step(
            self.my_micro_batches(batch), scale=1 / (args.micro_batches * args.dp)
        )
        return self.loss_share(loss)

    def loss_share(self, loss: float) -> float:
        """Only the last stage knows a loss; its tensor ranks all know the same one."""
        counts = self.layout.is_last and self.layout.tp_index == 0
        return loss / self.args.dp if counts else 0.0

    def train_step(self) -> bool:
        """One optimizer step on all ranks; True if any of them was asked to stop."""
        import torch
        import torch.distributed as dist

        step = self.step + 1
        share = self.gradients(step)
        # One tiny all-reduce of all ranks for two things: the loss, and the agreement to
        # stop, which must come at the same step everywhere.
        shared = torch.tensor([share, float(bool(stop_signals))], dtype=torch.float64)
        work = dist.all_reduce(shared, async_op=True)
        self.buckets.sum_over_replicas()
        for group in self.optimizer.param_groups:
            group["lr"] = learning_rate(step, self.args)
        self.optimizer.step()
        work.wait()
        self.last_loss, asked = shared.tolist()
        if not math.isfinite(self.last_loss):
            raise RuntimeError(f"the loss is {self.last_loss} at step {step}")
        if step == 1:
            self.first_loss = self.last_loss
        self.step = step
        return asked > 0

    def heldout_loss(self) -> float:
        import torch
        import torch.distributed as dist
        from data import heldout_batch

        batch = heldout_batch(self.corpus.heldout, self.args.eval_windows, self.args.context)
        mine = batch.chunk(self.args.dp)[self.layout.dp_index]
        pieces = max(self.args.micro_batches, len(mine) // 32)
        loss = self.pipeline.evaluate(list(mine.chunk(pieces)))
        shared = torch.tensor([self.loss_share(loss)], dtype=torch.float64)
        dist.all_reduce(shared)
        return shared.item()


def check_same_text(trainer: Trainer) -> None:
    """Nodes with other packages could have other text, which would train nonsense."""
    import torch
    import torch.distributed as dist

    mine = float(trainer.corpus.checksum)
    extremes = torch.tensor([mine, -mine], dtype=torch.float64)
    dist.all_reduce(extremes, op=dist.ReduceOp.MAX)
    if extremes[0] != -extremes[1]:
        raise RuntimeError(f"the ranks found different text; here it is {trainer.corpus.source}")


def train(args: argparse.Namespace, task: cluster.Task) -> int:
    import torch
    import torch.distributed as dist

    import checkpoint
    from data import unigram_entropy

    torch.set_num_threads(1)
    cluster.connect(task, args.timeout)
    trainer = Trainer(args, task)
    check_same_text(trainer)

    def say(line: str) -> None:
        if task.rank == 0:
            print(line, flush=True)

    about = trainer.about()
    root = checkpoint.checkpoint_root()
    found = checkpoint.latest(root)
    if found:
        folder, saved = found
        if problem := checkpoint.difference(saved, about):
            cluster.fail(f"checkpoint {folder} does not fit: {problem}", task.rank)
        trainer.load_state(checkpoint.load(folder, task.rank))
    # Nobody may write the next checkpoint before everybody has read this one.
    dist.barrier()

    corpus = trainer.corpus
    entropy = unigram_entropy(corpus.heldout)
    say(f"gpt: {about['model']}, {trainer.size.parameters()} parameters")
    say(f"layout: {about['layout']} = {task.world} ranks on {task.nodes} nodes")
    say(
        f"text: {corpus.source}, {corpus.files} files, {len(corpus.train)} bytes to train, "
        f"{len(corpus.heldout)} held out"
    )
    say(f"unigram entropy of the held-out text {entropy:.3f} nats/byte")
    say(f"resumed from step {trainer.step}" if found else "from scratch")

    saved_at = trainer.step

    def save_checkpoint() -> None:
        nonlocal saved_at
        if saved_at != trainer.step:
            size = checkpoint.save(root, trainer.step, task.rank, trainer.state(), about)
            saved_at = trainer.step
            if task.rank == 0:
                checkpoint.announce(trainer.step, size)

    def is_due(every: int) -> bool:
        return trainer.step % every == 0 or trainer.step == args.steps

    tokens_in_step = args.batch * args.context
    logged_step, logged_time = trainer.step, time.monotonic()
    while trainer.step < args.steps:
        asked_to_stop = trainer.train_step()
        if is_due(args.log_every) or trainer.step == 1:
            now = time.monotonic()
            speed = (trainer.step - logged_step) * tokens_in_step / max(now - logged_time, 1e-9)
            logged_step, logged_time = trainer.step, now
            say(
                f"step {trainer.step}/{args.steps} loss {trainer.last_loss:.3f} "
                f"tokens/s {speed:.0f}"
            )
        stopping = asked_to_stop or trainer.step == args.stop_at
        if is_due(args.checkpoint_every) or stopping:
            save_checkpoint()
        if stopping and trainer.step < args.steps:
            dist.barrier()  # rank 0 has moved `latest` and is the one to be waited for
            why = "by signal " if asked_to_stop else ""
            say(f"stopped {why}at step {trainer.step}, checkpoint kept")
            return 0

    heldout = trainer.heldout_loss()
    learned = heldout < entropy - LEARNED_MARGIN
    say(
        f"heldout loss {heldout:.3f} unigram entropy {entropy:.3f} nats/byte: "
        f"{'learned' if learned else 'NOT learned'}"
    )
    say(f"first loss {trainer.first_loss:.3f} last loss {trainer.last_loss:.3f}")
    dist.barrier()
    return 0 if learned else 3


def main() -> int:
    args = parse_arguments()
    task = cluster.task_from_slurm()
    check_arguments(args, task)
    try:
        code = train(args, task)
    except BaseException as error:
        if os.environ.get("GPT_TRACEBACK"):
            traceback.print_exc()
        message = str(error).strip().split("\n")[0]
        print(
            f"train.py: rank {task.rank} (task {task.local_rank} on {task.node}): "
            f"{type(error).__name__}: {message}",
            file=sys.stderr,
            flush=True,
        )
        os._exit(1)  # at once: taking the groups down in good order could wait for peers
    sys.stdout.flush()
    os._exit(code)  # all is done and written; skip the tear-down of gloo's threads


if __name__ == "__main__":
    sys.exit(main())

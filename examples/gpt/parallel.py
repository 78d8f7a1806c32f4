# SPDX-License-Identifier: Apache-2.0
"""Three kinds of parallelism over one set of ranks.

tensor    the matrices of a layer are cut; two ranks share each layer  (Layout, *Linear)
pipeline  the layers are cut into stages; activations travel            (Pipeline)
data      replicas see different text; gradients are summed             (GradientBuckets)
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Callable, Iterable

import torch
import torch.distributed as dist
import torch.nn.functional as F
from torch import nn


@dataclass(frozen=True)
class Layout:
    """This rank's place in the tensor x data x pipeline grid, and its groups.

    Tensor neighbours are consecutive ranks, because they talk most and Slurm places
    consecutive ranks on the same node.
    """

    rank: int
    tp: int
    pp: int
    dp: int
    tp_group: dist.ProcessGroup | None  # None: a group of one, nothing to say
    dp_group: dist.ProcessGroup | None

    @property
    def tp_index(self) -> int:
        return self.rank % self.tp

    @property
    def dp_index(self) -> int:
        return self.rank // self.tp % self.dp

    @property
    def stage(self) -> int:
        return self.rank // (self.tp * self.dp)

    @property
    def is_first(self) -> bool:
        return self.stage == 0

    @property
    def is_last(self) -> bool:
        return self.stage == self.pp - 1

    @property
    def previous(self) -> int:
        return self.rank - self.tp * self.dp

    @property
    def next(self) -> int:
        return self.rank + self.tp * self.dp


def make_layout(rank: int, tp: int, pp: int, dp: int) -> Layout:
    """Makes the groups; every rank must call this with the same sizes."""

    def my_group(size: int, members_of_all: list[list[int]]) -> dist.ProcessGroup | None:
        mine = None
        if size > 1:
            for members in members_of_all:  # collective: all ranks make all groups
                group = dist.new_group(members)
                if rank in members:
                    mine = group
        return mine

    blocks = range(0, tp * pp * dp, tp)
    tp_group = my_group(tp, [list(range(b, b + tp)) for b in blocks])
    dp_group = my_group(
        dp,
        [
            [stage * tp * dp + d * tp + t for d in range(dp)]
            for stage in range(pp)
            for t in range(tp)
        ],
    )
    return Layout(rank, tp, pp, dp, tp_group, dp_group)


# --- tensor parallelism -----------------------------------------------------------------


class _CopyToTensorRanks(torch.autograd.Function):
    """Megatron's f: nothing forward; backward, each rank's share of the gradient is added."""

    @staticmethod
    def forward(ctx, x: torch.Tensor, group: dist.ProcessGroup) -> torch.Tensor:
        ctx.group = group
        return x.view_as(x)

    @staticmethod
    def backward(ctx, grad: torch.Tensor):
        total = grad.clone(memory_format=torch.contiguous_format)
        dist.all_reduce(total, group=ctx.group)
        return total, None


class _SumOverTensorRanks(torch.autograd.Function):
    """Megatron's g: forward, each rank's partial result is added; nothing backward."""

    @staticmethod
    def forward(ctx, x: torch.Tensor, group: dist.ProcessGroup) -> torch.Tensor:
        total = x.clone(memory_format=torch.contiguous_format)
        dist.all_reduce(total, group=group)
        return total

    @staticmethod
    def backward(ctx, grad: torch.Tensor):
        return grad, None


def _mark_split(parameter: nn.Parameter, dim: int, parts: int = 1) -> None:
    """Notes how to put the full tensor together again (used by check_parallel.py)."""
    parameter.tp_split = (dim, parts)


class ColumnParallelLinear(nn.Module):
    """y = x W^T + b with the outputs cut over the tensor ranks.

    `parts` is for several matrices stacked in one (q, k and v): each of them is cut, so
    that a rank holds the same heads of all.
    """

    def __init__(self, layout: Layout, weight: torch.Tensor, bias: torch.Tensor, parts: int = 1):
        super().__init__()
        self.group = layout.tp_group

        def cut(full: torch.Tensor) -> nn.Parameter:
            shares = full.view(parts, layout.tp, -1, *full.shape[1:])[:, layout.tp_index]
            parameter = nn.Parameter(shares.reshape(-1, *full.shape[1:]).clone())
            _mark_split(parameter, 0, parts)
            return parameter

        self.weight, self.bias = cut(weight), cut(bias)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        if self.group is not None:
            x = _CopyToTensorRanks.apply(x, self.group)
        return F.linear(x, self.weight, self.bias)


class RowParallelLinear(nn.Module):
    """y = x W^T + b with the inputs cut over the tensor ranks and the outputs summed."""

    def __init__(self, layout: Layout, weight: torch.Tensor, bias: torch.Tensor):
        super().__init__()
        self.group = layout.tp_group
        self.weight = nn.Parameter(weight.chunk(layout.tp, dim=1)[layout.tp_index].clone())
        _mark_split(self.weight, 1)
        self.bias = nn.Parameter(bias.clone())  # whole on every rank, added after the sum

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        y = F.linear(x, self.weight)
        if self.group is not None:
            y = _SumOverTensorRanks.apply(y, self.group)
        return y + self.bias


# --- pipeline parallelism ---------------------------------------------------------------


class Pipeline:
    """Runs micro-batches through the stages.

    `stage` maps token ids (first stage) or activations (others) to activations; `loss` is
    called by the last stage on its activations and the targets.
    """

    def __init__(
        self,
        layout: Layout,
        stage: nn.Module,
        loss: Callable[[torch.Tensor, torch.Tensor], torch.Tensor],
        width: int,
    ):
        self.layout, self.stage, self.loss, self.width = layout, stage, loss, width
        # A gloo send is complete only when the other side has received it. To wait for it
        # at once could lock two stages that send to each other, so it is waited for at the
        # end of the step; the tensors are kept alive until then.
        self._sent: list[tuple[dist.Work, torch.Tensor]] = []

    def _send(self, tensor: torch.Tensor, to: int) -> None:
        tensor = tensor.detach().contiguous()
        self._sent.append((dist.isend(tensor, to), tensor))

    def _wait_for_sends(self) -> None:
        for work, _ in self._sent:
            work.wait()
        self._sent.clear()

    def _receive(self, tokens: torch.Tensor, source: int) -> torch.Tensor:
        buffer = torch.empty(*tokens.shape, self.width)
        dist.recv(buffer, source)
        return buffer

    def _forward(self, batch: torch.Tensor) -> tuple[torch.Tensor | None, torch.Tensor]:
        """One micro-batch through this stage: what came in and what goes out."""
        tokens, targets = batch[:, :-1], batch[:, 1:]
        layout = self.layout
        if layout.is_first:
            received, output = None, self.stage(tokens)
        else:
            received = self._receive(tokens, layout.previous)
            received.requires_grad_(torch.is_grad_enabled())
            output = self.stage(received)
        if layout.is_last:
            output = self.loss(output, targets)
        else:
            self._send(output, layout.next)
        return received, output

    def _backward(self, received: torch.Tensor | None, output: torch.Tensor, scale: float) -> None:
        if self.layout.is_last:
            (output * scale).backward()
        else:
            grad = torch.empty_like(output)
            dist.recv(grad, self.layout.next)
            output.backward(grad)
        if received is not None:
            self._send(received.grad, self.layout.previous)

    def train_step(self, micro_batches: list[torch.Tensor], scale: float) -> float:
        """Forward and backward with one forward, one backward in turn (1F1B).

        A stage first runs ahead by as many micro-batches as there are stages after it,
        then alternates, so it never holds the activations of more than that. Gradients of
        `scale` times each micro-batch's loss are added up; returns the mean loss on the
        last stage and 0 on the others.
        """
        ahead = min(self.layout.pp - 1 - self.layout.stage, len(micro_batches))
        in_flight: list[tuple[torch.Tensor | None, torch.Tensor]] = []
        total = 0.0

        def oldest_backward() -> None:
            nonlocal total
            received, output = in_flight.pop(0)
            self._backward(received, output, scale)
            if self.layout.is_last:
                total += output.item()

        for number, batch in enumerate(micro_batches):
            in_flight.append(self._forward(batch))
            if number >= ahead:
                oldest_backward()
        while in_flight:
            oldest_backward()
        self._wait_for_sends()
        return total / len(micro_batches)

    @torch.no_grad()
    def evaluate(self, micro_batches: list[torch.Tensor]) -> float:
        """Mean loss on the last stage, 0 on the others; forward only."""
        total = 0.0
        for batch in micro_batches:
            _, output = self._forward(batch)
            if self.layout.is_last:
                total += output.item()
        self._wait_for_sends()
        return total / len(micro_batches)


# --- data parallelism -------------------------------------------------------------------


class GradientBuckets:
    """Parameters and gradients as views into a few flat tensors.

    One all-reduce of a large tensor costs far less than one for each small matrix, and the
    optimizer and the checkpoint have a few tensors to handle instead of many.
    """

    def __init__(self, parameters: Iterable[nn.Parameter], layout: Layout, limit: int = 1 << 20):
        self.group = layout.dp_group
        self.decayed: list[nn.Parameter] = []  # flat tensors of the matrices
        self.plain: list[nn.Parameter] = []  # flat tensors of biases and norms
        parameters = list(parameters)
        for members, buckets in (
            ([p for p in parameters if p.dim() > 1], self.decayed),
            ([p for p in parameters if p.dim() <= 1], self.plain),
        ):
            bucket: list[nn.Parameter] = []
            for parameter in members:
                if bucket and sum(p.numel() for p in bucket) + parameter.numel() > limit:
                    buckets.append(self._flatten(bucket))
                    bucket = []
                bucket.append(parameter)
            if bucket:
                buckets.append(self._flatten(bucket))

    @property
    def flat(self) -> list[nn.Parameter]:
        return self.decayed + self.plain

    @staticmethod
    def _flatten(members: list[nn.Parameter]) -> nn.Parameter:
        flat = nn.Parameter(torch.cat([p.detach().reshape(-1) for p in members]))
        flat.grad = torch.zeros_like(flat)
        offset = 0
        for parameter in members:
            end = offset + parameter.numel()
            parameter.data = flat.data[offset:end].view_as(parameter)
            parameter.grad = flat.grad[offset:end].view_as(parameter)  # autograd adds in place
            offset = end
        return flat

    def zero(self) -> None:
        for flat in self.flat:
            flat.grad.zero_()

    def sum_over_replicas(self) -> None:
        if self.group is not None:
            works = [dist.all_reduce(f.grad, group=self.group, async_op=True) for f in self.flat]
            for work in works:
                work.wait()

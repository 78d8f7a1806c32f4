# SPDX-License-Identifier: Apache-2.0
"""A byte-level GPT, of which a rank builds one pipeline stage and its share of each layer."""

from __future__ import annotations

import math
import zlib
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import nn

from parallel import ColumnParallelLinear, Layout, RowParallelLinear

VOCABULARY = 256  # bytes


@dataclass(frozen=True)
class ModelSize:
    layers: int
    width: int
    heads: int
    context: int

    def parameters(self) -> int:
        d = self.width
        layer = 12 * d * d + 13 * d
        return self.layers * layer + (2 * VOCABULARY + self.context) * d + 2 * d


class Initial:
    """Initial weights by name, the same in every layout.

    Each tensor has its own random stream and is drawn whole before it is cut, so that the
    sum of all ranks' shares is one and the same model however it is laid out.
    """

    def __init__(self, seed: int):
        self.seed = seed

    def normal(self, name: str, *shape: int, std: float) -> torch.Tensor:
        generator = torch.Generator().manual_seed(zlib.crc32(f"{self.seed}/{name}".encode()))
        return torch.randn(*shape, generator=generator) * std


class Attention(nn.Module):
    def __init__(self, size: ModelSize, layout: Layout, initial: Initial, name: str):
        super().__init__()
        d = size.width
        self.heads = size.heads // layout.tp
        self.head_width = d // size.heads
        std = d**-0.5
        self.qkv = ColumnParallelLinear(
            layout, initial.normal(f"{name}.qkv", 3 * d, d, std=std), torch.zeros(3 * d), parts=3
        )
        self.out = RowParallelLinear(
            layout,
            initial.normal(f"{name}.out", d, d, std=std / math.sqrt(2 * size.layers)),
            torch.zeros(d),
        )
        # Added to the scores: no look into the future, and a preference for what is near,
        # of another strength in each head (ALiBi), with which small models learn far
        # sooner. Floats, as gloo does not move boolean buffers.
        distance = torch.arange(size.context)[:, None] - torch.arange(size.context)
        slopes = 2.0 ** -torch.arange(size.heads).float()
        bias = -slopes[:, None, None] * distance
        bias = bias.masked_fill(distance < 0, float("-inf")).chunk(layout.tp)[layout.tp_index]
        self.register_buffer("bias", bias.contiguous(), persistent=False)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        batch, time, _ = x.shape
        qkv = self.qkv(x).view(batch, time, 3, self.heads, self.head_width)
        q, k, v = qkv.permute(2, 0, 3, 1, 4)  # each (batch, heads, time, head width)
        scores = (q * self.head_width**-0.5) @ k.transpose(-2, -1) + self.bias[:, :time, :time]
        mixed = scores.softmax(-1) @ v
        return self.out(mixed.transpose(1, 2).reshape(batch, time, -1))


class Mlp(nn.Module):
    def __init__(self, size: ModelSize, layout: Layout, initial: Initial, name: str):
        super().__init__()
        d, inner = size.width, 4 * size.width
        self.up = ColumnParallelLinear(
            layout, initial.normal(f"{name}.up", inner, d, std=d**-0.5), torch.zeros(inner)
        )
        self.down = RowParallelLinear(
            layout,
            initial.normal(f"{name}.down", d, inner, std=(inner * 2 * size.layers) ** -0.5),
            torch.zeros(d),
        )

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.down(F.gelu(self.up(x)))


class Block(nn.Module):
    def __init__(self, size: ModelSize, layout: Layout, initial: Initial, name: str):
        super().__init__()
        self.norm1 = nn.LayerNorm(size.width)
        self.attention = Attention(size, layout, initial, f"{name}.attention")
        self.norm2 = nn.LayerNorm(size.width)
        self.mlp = Mlp(size, layout, initial, f"{name}.mlp")

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        x = x + self.attention(self.norm1(x))
        return x + self.mlp(self.norm2(x))


class Embedding(nn.Module):
    def __init__(self, size: ModelSize, initial: Initial):
        super().__init__()
        self.byte = nn.Parameter(initial.normal("byte", VOCABULARY, size.width, std=0.1))
        self.position = nn.Parameter(initial.normal("position", size.context, size.width, std=0.1))

    def forward(self, tokens: torch.Tensor) -> torch.Tensor:
        return F.embedding(tokens, self.byte) + self.position[: tokens.shape[1]]


class Head(nn.Module):
    """From activations to scores of the next byte; whole on every tensor rank."""

    def __init__(self, size: ModelSize, initial: Initial):
        super().__init__()
        self.norm = nn.LayerNorm(size.width)
        self.weight = nn.Parameter(initial.normal("head", VOCABULARY, size.width, std=0.02))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return F.linear(self.norm(x), self.weight)


class GptStage(nn.Module):
    """The layers of one pipeline stage; the first also embeds, the last also scores.

    Layers keep their number in the whole model, so that parameter names are the same in
    every layout.
    """

    def __init__(self, size: ModelSize, layout: Layout, seed: int):
        super().__init__()
        initial = Initial(seed)
        per_stage = size.layers // layout.pp
        mine = range(layout.stage * per_stage, (layout.stage + 1) * per_stage)
        self.embedding = Embedding(size, initial) if layout.is_first else None
        self.blocks = nn.ModuleDict(
            {str(i): Block(size, layout, initial, f"blocks.{i}") for i in mine}
        )
        self.head = Head(size, initial) if layout.is_last else None

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        if self.embedding is not None:
            x = self.embedding(x)
        for block in self.blocks.values():
            x = block(x)
        return x if self.head is None else self.head(x)


def next_byte_loss(scores: torch.Tensor, targets: torch.Tensor) -> torch.Tensor:
    """Mean nats per byte."""
    return F.cross_entropy(scores.flatten(0, 1), targets.flatten())

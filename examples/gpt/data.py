# SPDX-License-Identifier: Apache-2.0
"""Text as bytes: where it comes from, how it is split, and which bytes a step sees."""

from __future__ import annotations

import math
import zlib
from dataclasses import dataclass
from pathlib import Path

import torch

# The first of these folders that exists is used unless --text says otherwise: English
# prose of Debian's packages `fortunes` and `fortunes-min`, else licences of `base-files`.
DEFAULT_TEXT = ("/usr/share/games/fortunes", "/usr/share/common-licenses")


@dataclass(frozen=True)
class Corpus:
    source: str
    files: int
    train: torch.Tensor  # uint8
    heldout: torch.Tensor  # uint8
    checksum: int  # of both parts: all ranks, and a resumed run, must have the same text


def _text_files(source: Path) -> list[Path]:
    if source.is_file():
        return [source]
    return sorted(p for p in source.rglob("*") if p.is_file() and not p.is_symlink())


def load_corpus(text: str | None) -> Corpus:
    """Reads all text files of a folder; the last tenth of each file is held out."""
    candidates = [text] if text else list(DEFAULT_TEXT)
    source = next((Path(c) for c in candidates if Path(c).exists()), None)
    if source is None:
        raise RuntimeError(f"no text to train on: none of {', '.join(candidates)} exists")
    train, heldout, files = [], [], 0
    for path in _text_files(source):
        content = path.read_bytes()
        if b"\0" in content or not content:
            continue  # not text: the index files beside the fortunes
        content = content.replace(b"\n%\n", b"\n\n")  # what separates two fortunes
        cut = len(content) - len(content) // 10
        train.append(content[:cut])
        heldout.append(content[cut:])
        files += 1
    train_bytes, heldout_bytes = b"".join(train), b"".join(heldout)
    if len(heldout_bytes) < 4096:
        raise RuntimeError(f"not enough text in {source}: {len(heldout_bytes)} bytes held out")
    return Corpus(
        source=str(source),
        files=files,
        train=torch.frombuffer(bytearray(train_bytes), dtype=torch.uint8),
        heldout=torch.frombuffer(bytearray(heldout_bytes), dtype=torch.uint8),
        checksum=zlib.crc32(heldout_bytes, zlib.crc32(train_bytes)),
    )


def unigram_entropy(text: torch.Tensor) -> float:
    """Nats per byte of the best model that knows only how often each byte occurs."""
    counts = torch.bincount(text.long(), minlength=256).double()
    shares = counts[counts > 0] / counts.sum()
    return float(-(shares * shares.log()).sum())


def _windows(text: torch.Tensor, starts: torch.Tensor, context: int) -> torch.Tensor:
    return text[starts[:, None] + torch.arange(context + 1)].long()


def training_batch(text: torch.Tensor, seed: int, step: int, batch: int, context: int) -> torch.Tensor:
    """The (batch, context + 1) bytes of one step: a pure function of seed and step.

    So a resumed run sees what the uninterrupted one would have seen, and every layout of
    ranks can cut its own share out of the same global batch.
    """
    generator = torch.Generator().manual_seed(zlib.crc32(f"{seed}/{step}".encode()))
    starts = torch.randint(len(text) - context, (batch,), generator=generator)
    return _windows(text, starts, context)


def heldout_batch(text: torch.Tensor, count: int, context: int) -> torch.Tensor:
    """`count` windows spread evenly over the held-out text."""
    last = len(text) - context - 1
    starts = torch.tensor([math.floor(i * last / count) for i in range(count)])
    return _windows(text, starts, context)
